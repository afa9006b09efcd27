"""Where the GPU waits and for whom: by hand on small traces, and on generated ones (synthetic)."""

from pathlib import Path

import pytest

from ncu_roofline.analysis.timeline.gaps import BETWEEN, gaps
from ncu_roofline.analysis.timeline.steps import stepped
from ncu_roofline.readers.timeline.timeline import read
from tests.analysis.timeline.test_steps import STEP, of
from tests.generator.timelines import timeline, write_kineto


def test_a_wait_belongs_to_the_step_in_which_it_passes() -> None:
    # step 0: 0-40, waits 20, 60-80, waits 20 for step 1: 100-150, waits 60 for step 2, which has no time of its own
    times = [(0, 40, 7), (60, 20, 7), (100, 50, 7), (210, 10, 7), (300, 10, 7)]
    found = stepped(of(times, [(STEP, 0, 80), (STEP, 100, 150), (STEP, 210, 310)]))
    places = {row["place"]: row for row in gaps(found).places.to_dicts()}

    assert places[BETWEEN]["seconds"] == pytest.approx((20 + 60) / 2 * 1e-9) and places[BETWEEN]["gaps"] == 1
    assert places["before unclassified"]["seconds"] == pytest.approx(20 / 2 * 1e-9)
    assert sum(row["seconds"] for row in places.values()) == pytest.approx(found.gap_seconds)
    assert sum(row["idle_share"] for row in places.values()) == pytest.approx(1)


def test_a_prompt_between_steps_is_nobodys_wait() -> None:
    times = [(0, 10, 7), (50, 500, 7), (600, 10, 7), (700, 10, 7)]
    prompt = "execute_context_1(888)_generation_0(0)"
    found = stepped(of(times, [(STEP, 0, 10), (prompt, 50, 550), (STEP, 600, 610), (STEP, 700, 710)]))

    # only step 1 is followed by another: 610 to 700
    assert gaps(found).places.select("place", "seconds").rows() == [(BETWEEN, pytest.approx(90e-9))]


@pytest.mark.parametrize(
    ("launched", "waits", "bound"), [((None, 0, 0), 0.0, False), ((None, 45, 85), 1.0, True), ((None, 45, 0), 20 / 30, True)]
)
def test_a_call_that_began_when_nothing_ran_is_too_late(launched: tuple[int | None, ...], waits: float, bound: bool) -> None:
    # 0-40, waits 20, 60-80, waits 10, 90-100
    found = stepped(of([(0, 40, 7), (60, 20, 7), (90, 10, 7)], [], launched=launched))
    idle = gaps(found)

    assert idle.waits == pytest.approx(waits)
    assert idle.launch_bound is bound


def test_unknown_calls_tell_nothing_of_the_host() -> None:
    idle = gaps(stepped(of([(0, 40, 7), (60, 20, 7)], [])))

    assert idle.waits is None and not idle.launch_bound


@pytest.mark.parametrize("seed", [2, 3])
def test_a_generated_run_that_launches_late_is_launch_bound_and_the_same_run_that_does_not_is_not(
    seed: int, tmp_path: Path
) -> None:
    late, plain = (
        gaps(stepped(read(write_kineto(timeline(seed, v), tmp_path / f"{v}.json")))) for v in ("late launches", "plain")
    )

    assert late.waits is not None and late.waits > 0.9
    assert plain.waits is not None and plain.waits < late.waits
