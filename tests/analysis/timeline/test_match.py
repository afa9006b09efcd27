"""Bytes of a capture over the time of the real step: by hand, and exact on generated pairs (synthetic)."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median

import polars as pl
import pytest

from ncu_roofline.analysis.study import Study, study
from ncu_roofline.analysis.timeline.match import Matched, matched
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.capture.capture import Fact
from ncu_roofline.readers.timeline.timeline import read
from tests.generator.timelines import Timeline, timeline, write_kineto

WHOLE = ("plain", "shuffled streams", "late launches")
LESS = ("missing kernels", "fused kernels")


@cache
def pair(seed: int, variant: str) -> tuple[Timeline, Stepped, Study]:
    """A generated run on the clock, and its capture."""
    made = timeline(seed, variant)
    capture = study(made.capture.capture)
    with tempfile.TemporaryDirectory() as folder:
        return made, stepped(read(write_kineto(made, Path(folder) / "t.json")), beside=capture), capture


def both(seed: int, variant: str) -> tuple[Timeline, Stepped, Matched]:
    made, found, capture = pair(seed, variant)
    return made, found, matched(found, capture)


@pytest.mark.parametrize("variant", WHOLE)
@pytest.mark.parametrize("seed", [2, 3])
def test_step_busy_share_gaps_and_bytes_per_second_of_a_generated_pair_are_exact(seed: int, variant: str) -> None:
    made, found, capture = pair(seed, variant)
    told = matched(found, capture)
    rows = capture.launches.filter(pl.col("step_whole"))
    moved = rows["dram_bytes"].sum() / rows["step"].n_unique()
    # every step but the last has a period: what runs in it is its own kernels
    ran = [seconds(step) for step in made.steps[:-1]]

    assert found.steps.value == len(made.steps)
    assert found.times == pytest.approx(made.periods, rel=1e-9)
    assert found.busy == pytest.approx(sum(ran) / sum(made.periods), rel=1e-9)
    assert found.gap_seconds == pytest.approx((sum(made.periods) - sum(ran)) / len(ran), rel=1e-6)
    assert (told.share, told.covered, told.both) == (1.0, 1.0, 1.0)
    assert told.rate(found.median)[0] == pytest.approx(float(moved) / median(made.periods), rel=1e-9)


def seconds(step: Sequence[object]) -> float:
    """In which some kernel of the step runs."""
    from tests.generator.timelines import union

    return union(step) / 1e9  # type: ignore[arg-type]


@pytest.mark.parametrize("variant", LESS)
@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_lost_and_fused_kernels_lower_what_matches_and_leave_a_bound_only(seed: int, variant: str) -> None:
    made, found, told = both(seed, variant)
    whole = both(seed, "plain")[2]

    assert told.both < 1
    assert told.bytes_per_step is None and told.rate(found.median)[0] is None
    assert whole.bytes_per_step is not None and (told.bytes_per_step_low or 0) < whole.bytes_per_step
    assert found.steps.value in (None, len(made.steps)) and (found.steps.low or 0) <= len(made.steps)
    # the time of the steps that are found is theirs: lost first kernels move it a little
    assert found.median == pytest.approx(median(made.periods), rel=0.05)


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_where_fused_kernels_hide_the_steps_the_lm_head_of_the_capture_marks_them(seed: int, tmp_path: Path) -> None:
    made = timeline(seed, "fused kernels")
    trace = read(write_kineto(made, tmp_path / "t.json"))
    alone, beside = stepped(trace), stepped(trace, beside=study(made.capture.capture))

    assert alone.times == () and beside.times
    assert beside.steps.value is None and 0 < (beside.steps.low or 0) <= len(made.steps)
    assert "LM head" in beside.steps.evidence


def test_kernels_that_the_capture_lacks_lower_the_share() -> None:
    _, found, capture = pair(2, "plain")
    strange = found.kernels.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("fused")).otherwise(pl.col(c)).alias(c) for c in ("name", "kernel")
    )
    half = matched(replace(found, kernels=strange), capture)

    assert half.share == pytest.approx(0.5, abs=0.01) and half.bytes_per_step is None


def test_another_grid_is_other_work_unless_it_follows_the_context() -> None:
    _, found, capture = pair(2, "plain")
    product = (pl.col("role") == "fc").fill_null(False)

    def wider(which: pl.Expr, times: float) -> Matched:
        grid = pl.when(which).then(pl.col("grid").list.eval((pl.element() * times).cast(pl.Int64))).otherwise("grid")
        return matched(replace(found, kernels=found.kernels.with_columns(grid=grid)), capture)

    more = wider(product, 4)
    assert more.share < 1 and more.bytes_per_step is None
    split = wider(pl.col("role") == "attention", 1.2)
    assert split.other_grid > 0 or split.share == 1


def test_grids_that_the_trace_does_not_tell_are_made_up_for_by_the_place_in_the_layer() -> None:
    _, found, capture = pair(2, "plain")
    whole, told = (
        matched(found, capture),
        matched(replace(found, kernels=found.kernels.with_columns(grid=pl.lit(None, pl.List(pl.Int64)))), capture),
    )

    assert 0.9 < told.share <= 1 and told.bytes_per_step_low is not None
    assert told.bytes_per_step_low <= (whole.bytes_per_step or 0) * 1.001


def test_a_capture_of_another_batch_tells_no_bytes_of_this_step() -> None:
    _, found, capture = pair(2, "plain")
    other = replace(capture, run=replace(capture.run, batch=Fact((capture.run.batch.value or 0) + 1, "given")))
    told = matched(found, other)

    assert told.other_batch is not None and told.rate(found.median) == (None, None)


def test_kernels_are_set_beside_their_time_under_the_profiler() -> None:
    made, _, told = both(2, "plain")
    rows = told.kernels

    assert rows["launches"].sum() == pytest.approx(len(made.steps[0]))
    # the generator lets the undisturbed run take 0.8 to 0.95 of the profiled time, of large kernels exactly
    large = rows.filter(pl.col("profiled_seconds") / pl.col("launches") > 5e-6)
    assert large["profiled_change"].is_between(-0.25, 0.0).all()
    assert (rows["reached"] * rows["seconds"]).to_list() == pytest.approx(rows["dram_bytes"].to_list())


def test_without_steps_the_share_is_of_the_whole_trace_and_nothing_is_made_of_the_bytes() -> None:
    _, found, told = both(1, "plain")

    assert found.steps.value is None and told.share == 1.0
    assert (told.covered, told.bytes_per_step_low, told.rate(found.median)) == (None, None, (None, None))
