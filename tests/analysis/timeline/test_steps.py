"""Steps of a timeline: by hand on small traces, exact on generated ones (synthetic)."""

from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.analysis.timeline.steps import stepped
from ncu_roofline.capture.timeline import RANGES, SCHEMA, Timeline
from ncu_roofline.readers.timeline.timeline import read
from tests.generator.timelines import timeline, write_kineto

STEP = "execute_context_0(0)_generation_4(4)"


def of(times: list[tuple[int, int, int]], ranges: list[tuple[str, int, int]]) -> Timeline:
    rows = [("kernel", "k", start, size, 0, stream, None, None, None, None, None) for start, size, stream in times]
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


@pytest.mark.parametrize("seed", range(6))
def test_no_more_steps_are_told_than_there_are_and_order_tells_the_least_only(seed: int, tmp_path: Path) -> None:
    made = timeline(seed)
    found = stepped(read(write_kineto(made, tmp_path / "t.json"))).steps

    assert found.value in (None, len(made.steps))
    assert (found.low or 0) <= len(made.steps)
    assert found.high is None or found.high >= len(made.steps)
