"""Steps in made-up series: found where they were planted, whatever the series drifts, and nowhere else."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from ncu_roofline.analysis.fleet.changes import Sums, calm, scatter_of, steps, strength, strengths

ERROR, LEAST = 1e-4, 0.005
DRIFTS: dict[str, Callable[[int], float]] = {
    "none": lambda i: 0.0,
    "line": lambda i: 0.1 * i / 200,
    "wave": lambda i: 0.02 * math.sin(2 * math.pi * i / 80),
}


def made(seed: int, drift: str, noise: float, planted: dict[int, float]) -> list[float]:
    rng, level, out = random.Random(seed), 400e6, []
    for i in range(200):
        level *= 1 + planted.get(i, 0.0)
        out.append(level * (1 + DRIFTS[drift](i)) * (1 + rng.gauss(0, noise)))
    return out


@pytest.mark.parametrize("drift", DRIFTS)
@pytest.mark.parametrize("seed", range(5))
def test_planted_steps_are_found_at_their_commit_and_no_other(seed: int, drift: str) -> None:
    planted = {40: 0.02, 90: -0.05, 150: 0.10}
    found = steps(made(seed, drift, 0.002, planted), ERROR, LEAST)

    assert [s.at for s in found] == [40, 90, 150]
    assert all(s.size / s.before == pytest.approx(planted[s.at], abs=0.01) for s in found)
    assert all(s.first <= s.at <= s.last for s in found)


def test_of_200_histories_without_a_change_at_most_one_raises_an_alarm() -> None:
    alarms = [bool(steps(made(seed, ("none", "line", "wave")[seed % 3], 0.004, {}), ERROR, LEAST)) for seed in range(200)]

    assert sum(alarms) <= 1


def test_two_branches_in_turns_scatter_by_what_they_differ() -> None:
    # main at 100, a feature at 105: neighbours differ by 5, and every bend is 10
    turns = [v * f for v in (1.0, 1.001, 0.999, 1.0005) * 10 for f in (100.0, 105.0)]

    assert 3.0 < scatter_of(turns, 100.0) < 6.0
    assert steps(turns, ERROR, LEAST) == []


def test_a_step_of_numbers_that_do_not_scatter_is_exact() -> None:
    (step,) = steps([100.0] * 10 + [103.0] * 10, ERROR, LEAST)

    assert (step.at, step.first, step.last, step.before, step.size) == (10, 10, 10, 100.0, pytest.approx(3.0))


def test_a_fit_is_the_one_by_hand() -> None:
    # 1, 2, 3 | 14, 15, 16: slope 1 on both sides, the line before would give 4 at the fourth place: a step of 10
    fit = Sums([1.0, 2.0, 3.0, 14.0, 15.0, 16.0], 20).fit(0, 3, 6)

    assert (fit.step, fit.before, fit.left) == (pytest.approx(10.0), pytest.approx(4.0), pytest.approx(0.0, abs=1e-9))
    # variance: 1/3 + 1/3 + 3² / (2 + 2), in units of a point's
    assert fit.spread == pytest.approx(math.sqrt(1 / 3 + 1 / 3 + 9 / 4))


@pytest.mark.parametrize("places", [[0, 200], [0, 2, 90, 94, 150, 200]])
@pytest.mark.parametrize("window", [6, 20])
def test_all_places_at_once_are_as_strong_as_each_alone(window: int, places: list[int]) -> None:
    sums = Sums(made(3, "wave", 0.002, {90: 0.05}), window)
    alone = [0.0 if at in places else strength(sums, places, at) for at in range(200)]

    assert strengths(sums, places) == pytest.approx(alone, rel=1e-12)
    assert sum(s > 0 for s in alone) > 150


def test_one_odd_capture_is_no_change() -> None:
    values = made(1, "none", 0.002, {})
    values[100] *= 1.3

    assert steps(values, ERROR, LEAST) == []
    assert calm([1.0, 1.0, 9.0, 1.0, 1.0], 0.1) == [1.0] * 5
    assert calm([1.0, 1.0, 9.0, 9.0, 9.0], 0.1) == [1.0, 1.0, 9.0, 9.0, 9.0]


def test_a_place_that_cannot_be_told_exactly_says_so() -> None:
    wide = [s for seed in range(20) for s in steps(made(seed, "none", 0.006, {100: 0.03}), ERROR, LEAST)]

    assert wide and all(s.first <= 100 <= s.last for s in wide)
    assert any(s.first < s.last for s in wide)


@pytest.mark.parametrize("values", [[], [1.0], [0.0] * 50, [5.0] * 50, [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_nothing_is_said_of_too_few_or_equal_numbers(values: list[float]) -> None:
    assert steps(values, ERROR, LEAST) == []


def test_a_role_that_begins_to_run_is_a_step_from_nothing() -> None:
    (step,) = steps([0.0] * 20 + [7.0] * 20, ERROR, LEAST)

    assert (step.at, step.before, step.size) == (20, 0.0, pytest.approx(7.0))
