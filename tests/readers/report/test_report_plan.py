"""Stepping over unwanted metrics gives what looking at each of them gives."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncu_roofline.readers.report.launches import row
from ncu_roofline.readers.report.plan import never_back, plan
from tests.report_bytes import field, launch, metric

NAMES = [f"unit__counter_{n}.sum" for n in range(300)]
VALUES = st.one_of(st.none(), st.integers(0, 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=300))
METRICS = st.lists(st.tuples(st.integers(0, len(NAMES) - 1), VALUES, st.booleans()), max_size=60)


@given(METRICS, st.sets(st.sampled_from(NAMES), max_size=40))
def test_a_row_is_the_same_with_and_without_stepping_over(
    metrics: list[tuple[int, float | int | str | None, bool]], wanted: set[str]
) -> None:
    made = b"".join(metric(index, value, {"FFMA": 1} if listed else None) for index, value, listed in metrics)
    kept = {name: place for place, name in enumerate(sorted(wanted), 7)}
    stepping = plan(NAMES, kept, ())
    looking = replace(stepping, unwanted=re.compile(b"(?!)"))
    assert row(launch(made), stepping) == row(launch(made), looking)


@pytest.mark.parametrize("index", [0, 1, 127, 128, 200, 255, 256, 299])
def test_a_kept_metric_is_never_stepped_over(index: int) -> None:
    made = b"".join(metric(n, float(n)) for n in range(len(NAMES)))
    cells = row(launch(made), plan(NAMES, {NAMES[index]: 7}, ()))
    assert cells[7] == float(index)


def test_the_last_of_two_values_of_one_metric_counts() -> None:
    cells = row(launch(metric(3, 1.0) + metric(3, 2.0)), plan(NAMES, {NAMES[3]: 7}, ()))
    assert cells[7] == 2.0


def test_fields_around_the_metrics_are_found_in_any_order() -> None:
    cells = row(metric(3, 1.0) + field(6, "k") + metric(4, 2.0) + field(1, 5), plan(NAMES, {NAMES[3]: 7, NAMES[4]: 8}, ()))
    assert cells[7:] == [1.0, 2.0]
    assert cells[:2] == [5, "k"]


def test_possessive_repetition_waits_for_the_python_that_matches_it_rightly() -> None:
    assert [never_back(v) for v in ((3, 10, 14), (3, 11, 2), (3, 11, 4), (3, 11, 5), (3, 12, 0))] == [b"", b"", b"", b"+", b"+"]
