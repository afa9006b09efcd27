"""Noise is measured: nothing is found in equal captures, a planted change is found in nearly all.

Seeded trials on a decode step of 4 layers with its LM head (half of all bytes, captured once a step: the
hardest case) and of 32 layers. Each launch gets independent noise: 0.5 % on bytes, 5 % on time.
"""

import random
from dataclasses import replace
from functools import cache
from math import exp, sqrt

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.study import Study
from ncu_roofline.knowledge.verdicts import limit
from tests import planted

BYTES, TIME = 0.005, 0.05


@cache
def step(layers: int) -> Study:
    return planted.study(batch=8, layers=layers)


def noisy(study: Study, rng: random.Random, cut: float = 1.0, drift: float = 0.0) -> Study:
    """The same launches, measured again: bytes cut by a factor, time drifting as a whole by `drift`."""
    count, whole = study.launches.height, rng.gauss(0, drift)
    bytes_ = pl.Series([cut * exp(rng.gauss(0, BYTES)) for _ in range(count)])
    time = pl.Series([exp(rng.gauss(whole, TIME)) for _ in range(count)])
    return replace(study, launches=study.launches.with_columns(pl.col("dram_bytes") * bytes_, pl.col("seconds") * time))


def trials(
    layers: int, count: int, captures: int, cut: float = 1.0, drift: float = 0.0, rows: tuple[str, ...] = ()
) -> list[Comparison]:
    rng = random.Random(f"{layers} {captures} {cut} {drift}")
    return [
        compare(
            [noisy(step(layers), rng, drift=drift) for _ in range(captures)],
            [noisy(step(layers), rng, cut, drift) for _ in range(captures)],
            rows=rows,
        )
        for _ in range(count)
    ]


slow = pytest.mark.slow  # the same law at another point


@pytest.mark.parametrize("captures", [1, pytest.param(3, marks=slow)])
def test_two_hundred_equal_pairs_have_no_change_of_bytes_and_at_most_one_per_cent_of_time(captures: int) -> None:
    found = trials(4, 200, captures)
    assert sum(c.judged.bytes.direction != 0 for c in found) == 0
    assert sum(c.judged.seconds.direction != 0 for c in found) <= 2
    assert sum(c.verdict not in ("no_change", "same_bytes", "cannot_tell") for c in found) <= 2


@slow
def test_rows_of_equal_pairs_do_not_change_either() -> None:
    rows = pl.concat([c.rows["role"] for c in trials(4, 100, 1, rows=("role",))])
    assert rows.filter(pl.col("bytes_moved") != 0).height == 0
    assert rows.filter(pl.col("seconds_moved") != 0).height <= 1


@pytest.mark.slow  # a hundred trials of six captures
@pytest.mark.parametrize("layers", [4, 32])
def test_two_per_cent_fewer_bytes_are_found_by_three_repeats_in_nearly_every_trial(layers: int) -> None:
    found = trials(layers, 100, 3, cut=0.98)
    assert sum(c.judged.bytes.direction == -1 for c in found) >= 95
    assert sum(c.verdict in ("cuts_bytes", "bytes_cut_time_kept") for c in found) >= 95


@slow
def test_clocks_that_drift_from_capture_to_capture_are_not_called_a_change() -> None:
    found = trials(4, 100, 3, drift=0.03)
    assert sum(c.judged.bytes.direction != 0 for c in found) == 0
    assert sum(c.judged.seconds.direction != 0 for c in found) <= 3


def test_reach_shrinks_with_layers_down_to_the_drift_of_single_captures() -> None:
    reach = {layers: sorted(c.judged.seconds.reach for c in trials(layers, 5, 1))[2] for layers in (4, 32)}
    inside = {layers: sqrt(reach[layers] ** 2 - limit("prior_seconds") ** 2) for layers in reach}
    assert inside[32] < 0.5 * inside[4]
    assert reach[32] > limit("prior_seconds")


def test_a_part_of_the_layers_that_changes_is_not_noise() -> None:
    base = step(32)
    half = base.launches.with_columns(
        pl.when(pl.col("layer") % 2 == 0).then(pl.col("dram_bytes") * 0.5).otherwise("dram_bytes").alias("dram_bytes")
    )
    judged = compare([base], [replace(base, launches=half)]).judged
    assert judged.bytes.direction == -1
    assert judged.bytes.reach == 0.005


def test_layers_that_differ_alike_on_both_sides_are_not_noise() -> None:
    # layer n reads (1 + n) times as much on both sides; the head 3 % less of it
    base = planted.plain({"count": 8, "dram_bytes": [1e8 * (1 + n) for n in range(8)]})
    head = planted.plain({"count": 8, "dram_bytes": [0.97e8 * (1 + n) for n in range(8)]})
    judged = compare([base], [head]).judged
    assert (judged.bytes.direction, judged.bytes.reach) == (-1, 0.005)
