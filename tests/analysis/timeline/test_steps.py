"""Steps of a timeline: by hand on small traces, exact on generated ones (synthetic)."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.analysis.timeline.steps import by, stepped
from ncu_roofline.capture.timeline import RANGES, SCHEMA, Timeline
from ncu_roofline.readers.timeline.timeline import read
from tests.corpus import CORPUS
from tests.generator.timelines import timeline, write_kineto

TRACES = CORPUS / "traces"
needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="the public traces (../shared/corpus/traces) are not here")
STEP = "execute_context_0(0)_generation_4(4)"


def of(
    times: list[tuple[int, int, int]], ranges: list[tuple[str, int, int]], launched: tuple[int | None, ...] | None = None
) -> Timeline:
    calls = launched or (None,) * len(times)
    rows = [
        ("kernel", "k", t, size, 0, s, None, None, None, None, c, None, None)
        for (t, size, s), c in zip(times, calls, strict=True)
    ]
    return Timeline(
        source="synthetic",
        events=pl.DataFrame(rows, schema=SCHEMA, orient="row"),
        ranges=pl.DataFrame([(*r, 0) for r in ranges], schema=RANGES, orient="row"),
    )


def test_a_step_lasts_to_the_next_and_is_busy_where_any_stream_works() -> None:
    # step 0: 0-40 and, beside it, 20-60; step 1 from 100: 100-150; step 2 from 210
    times = [(0, 40, 7), (20, 40, 8), (100, 50, 7), (210, 10, 7)]
    found = stepped(of(times, [(STEP, 0, 60), (STEP, 100, 150), (STEP, 210, 220)]))

    assert found.steps.value == 3
    assert found.times == (100e-9, 110e-9)
    assert found.median == pytest.approx(105e-9)
    assert found.busy == pytest.approx((60 + 50) / 210)
    assert found.overlapped_seconds == pytest.approx(20e-9)
    assert found.gap_seconds == pytest.approx((40 + 60) / 2 * 1e-9)


def test_a_prompt_between_two_steps_is_no_part_of_either() -> None:
    times = [(0, 10, 7), (20, 500, 7), (600, 10, 7), (700, 10, 7)]
    prompt = "execute_context_1(888)_generation_0(0)"
    found = stepped(of(times, [(STEP, 0, 10), (prompt, 20, 520), (STEP, 600, 610), (STEP, 700, 710)]))

    assert (found.steps.value, found.times) == (3, (100e-9,))


def test_where_no_step_is_told_the_trace_still_has_its_times() -> None:
    found = stepped(of([(0, 40, 7), (50, 50, 7)], []))

    assert (found.steps.value, found.times) == (None, ())
    assert found.kernel_seconds == 90e-9 and found.span_seconds == 100e-9 and found.busy == pytest.approx(0.9)


@pytest.mark.parametrize("seed", range(3))
def test_generated_kernels_and_overlaps_are_exact(seed: int, tmp_path: Path) -> None:
    made = timeline(seed)
    found = stepped(read(write_kineto(made, tmp_path / "t.json")))

    assert found.kernels.height == len(made.events)
    assert found.kernel_seconds == pytest.approx(made.kernel_seconds, rel=1e-12)
    assert found.span_seconds == pytest.approx(made.span_seconds, rel=1e-12)
    assert found.kernel_seconds - found.overlapped_seconds == pytest.approx(made.busy_seconds, rel=1e-12)
    if found.to_next:  # every time is that of a pass that another follows
        assert all(any(t == pytest.approx(p, rel=1e-9) for p in made.periods) for t in found.times)


def test_a_stall_of_one_step_moves_no_median() -> None:
    # three steps of 100 of which 60 are busy, one of 10,000
    times = [(at, 60, 7) for at in (0, 100, 200, 300, 10_300)]
    found = stepped(of(times, [(STEP, at, at + 60) for at, *_ in times]))

    assert found.median == pytest.approx(100e-9) and found.busy_median == pytest.approx(0.6)
    assert found.gap_median == pytest.approx(40e-9)
    assert found.busy == pytest.approx(4 * 60 / 10_300) and found.gap_seconds == pytest.approx((3 * 40 + 9940) / 4 * 1e-9)


def test_time_by_kernel_is_of_one_step() -> None:
    found = stepped(
        of([(0, 40, 7), (50, 20, 7), (100, 50, 7), (200, 10, 7)], [(STEP, 0, 70), (STEP, 100, 150), (STEP, 200, 210)])
    )
    [row] = by(found, "kernel").to_dicts()

    # (40 + 20 + 50) over the two steps that another follows
    assert (row["kernel"], row["seconds"], row["launches"], row["time_share"]) == ("k", pytest.approx(55e-9), 3 / 2, 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_no_more_steps_are_told_than_there_are_and_order_tells_the_least_only(seed: int, tmp_path: Path) -> None:
    made = timeline(seed)
    found = stepped(read(write_kineto(made, tmp_path / "t.json"))).steps

    assert found.value in (None, len(made.steps))
    assert (found.low or 0) <= len(made.steps)
    assert found.high is None or found.high >= len(made.steps)


def test_a_step_inside_of_another_engines_range_counts_once() -> None:
    found = stepped(of([(0, 10, 7), (100, 10, 7)], [(STEP, 0, 10), ("decode_step_0", 2, 9), (STEP, 100, 110)]))

    assert found.steps.value == 2


def test_a_range_named_decode_may_hold_many_steps_and_counts_none() -> None:
    assert stepped(of([(0, 10, 7), (100, 10, 7)], [("decode", 0, 110)])).steps.value is None


def test_each_of_two_devices_has_its_steps() -> None:
    one = of([(0, 40, 7), (100, 40, 7), (200, 40, 7)], [(STEP, 0, 40), (STEP, 100, 140), (STEP, 200, 240)])
    events = pl.concat([one.events, one.events.with_columns(pl.col("start") + 10, device=pl.lit(1, pl.Int64))]).sort("start")
    ranges = pl.concat([one.ranges, one.ranges.with_columns(pl.col("start", "end") + 10, device=pl.lit(1, pl.Int64))]).sort(
        "start"
    )
    found = stepped(Timeline(source="synthetic", events=events, ranges=ranges))

    assert found.steps.value == 3
    assert found.times == (100e-9,) * 4 and found.busy == pytest.approx(0.4)


def test_ranges_of_passes_that_draft_are_no_steps() -> None:
    # a step of five kernels between two passes of one that draft
    times = [(at, 5, 7) for at in (0, 10, 20, 30, 40, 50, 100, 110, 120, 130, 140, 150)]
    spans = [(0, 45), (50, 55), (100, 145), (150, 155)]
    found = stepped(of(times, [("step[DECODE bs=6]", *span) for span in spans]))

    assert (found.steps.value, found.steps.low, found.steps.high) == (None, 2, 4)
    assert found.times == (100e-9,)


@needs_traces
def test_without_its_ranges_a_trace_of_whole_steps_still_counts_them_all() -> None:
    # the cut is before the sampling, so the first step lacks an end and the last kernels are one
    trace = read(TRACES / "nvllm_gb10_vllm_qwen3.5-27b-nvfp4_decode_b4.json.gz")
    found = stepped(replace(trace, ranges=trace.ranges.clear()))

    assert found.steps.value == 10
    # and with ten kernels less than that it does not
    cut = stepped(replace(trace, ranges=trace.ranges.clear(), events=trace.events.filter(pl.col("kind") == "kernel")[:-10]))
    assert (cut.steps.value, cut.steps.low) == (None, 9)


def test_one_step_alone_is_one_unless_the_profiler_lost_kernels() -> None:
    made = timeline(2, "plain")
    first = made.steps[0]
    rows = [
        ("kernel", e.name, e.start, e.end - e.start, 0, e.stream, None, None, list(e.grid), [e.threads, 1, 1], None, None, None)
        for e in first
    ]
    alone = replace(of([], []), events=pl.DataFrame(rows, schema=SCHEMA, orient="row"))

    assert stepped(alone).steps.value == 1
    assert (stepped(replace(alone, lost=True)).steps.value, stepped(replace(alone, lost=True)).steps.low) == (None, 1)
