"""Bytes of a capture over the time of the real step, on generated pairs (synthetic)."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.analysis.study import study
from ncu_roofline.analysis.timeline.match import matched
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.readers.timeline.timeline import read
from tests.generator.timelines import timeline, write_kineto


def pair(seed: int, variant: str, folder: Path) -> tuple[Stepped, object]:
    made = timeline(seed, variant)
    return stepped(read(write_kineto(made, folder / "t.json"))), study(made.capture.capture)


@pytest.mark.parametrize("variant", ["plain", "shuffled streams"])
@pytest.mark.parametrize("seed", [2, 3])
def test_all_kernels_of_the_same_run_are_matched_and_make_the_bytes_of_its_step(
    seed: int, variant: str, tmp_path: Path
) -> None:
    found, capture = pair(seed, variant, tmp_path)
    both = matched(found, capture)  # type: ignore[arg-type]
    rows = capture.launches.filter(pl.col("step_whole"))  # type: ignore[attr-defined]

    assert both is not None and both.share == 1.0
    assert both.bytes_per_step == pytest.approx(rows["dram_bytes"].sum() / rows["step"].n_unique(), rel=0.02)
    value, low = both.rate(found.median)
    assert value == low == pytest.approx(both.bytes_per_step / found.median)  # type: ignore[operator]


def test_kernels_that_the_capture_lacks_lower_the_share_and_leave_only_a_bound(tmp_path: Path) -> None:
    found, capture = pair(2, "plain", tmp_path)
    strange = found.kernels.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("fused")).otherwise(pl.col(c)).alias(c) for c in ("name", "kernel")
    )
    whole, half = matched(found, capture), matched(replace(found, kernels=strange), capture)  # type: ignore[arg-type]

    assert whole is not None and half is not None
    assert half.share == pytest.approx(0.5, abs=0.01) and half.bytes_per_step is None
    assert half.bytes_per_step_low < whole.bytes_per_step_low
    assert half.rate(1.0)[0] is None


def test_without_steps_nothing_is_matched(tmp_path: Path) -> None:
    found, capture = pair(1, "plain", tmp_path)

    assert found.steps.value is None and matched(found, capture) is None  # type: ignore[arg-type]
