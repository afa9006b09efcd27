"""Unit spellings of 2019 to 2026 to base SI, and numbers to text for people."""

from __future__ import annotations

import doctest
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncu_roofline.capture import units

SPELLINGS = [
    ("nsecond", 1e-9),
    ("usecond", 1e-6),
    ("msecond", 1e-3),
    ("second", 1.0),
    ("ns", 1e-9),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("byte", 1.0),
    ("Kbyte", 1e3),
    ("Mbyte", 1e6),
    ("Gbyte", 1e9),
    ("Tbyte", 1e12),
    ("byte/second", 1.0),
    ("byte/s", 1.0),
    ("Gbyte/second", 1e9),
    ("Gbyte/s", 1e9),
    ("Tbyte/s", 1e12),
    ("Tibyte", 2.0**40),
    ("hz", 1.0),
    ("Khz", 1e3),
    ("Mhz", 1e6),
    ("Ghz", 1e9),
    ("cycle/nsecond", 1e9),
    ("cycle/usecond", 1e6),
    ("cycle/second", 1.0),
    ("cycle", 1.0),
    ("sector/ns", 1e9),
    ("sector/us", 1e6),
    ("sector/ms", 1e3),
    ("sector/s", 1.0),
    ("Kbyte/block", 1e3),
    ("Kbyte/cycle", 1e3),
    ("byte/sector", 1.0),
    ("%/Kbyte", 1e-3),
    ("%", 1.0),
    ("", 1.0),
    ("inst", 1.0),
    ("inst/cycle", 1.0),
    ("register/thread", 1.0),
    ("branches", 1.0),
    ("cluster", 1.0),
    ("SM", 1.0),
    ("sample", 1.0),
    ("pass", 1.0),
    ("block", 1.0),
]


@pytest.mark.parametrize(("unit", "base"), SPELLINGS)
def test_every_spelling_of_the_corpus_and_of_older_versions_has_its_factor(unit: str, base: float) -> None:
    assert units.factor(unit) == base


def test_prefixes_are_powers_of_1000_because_bytes_over_time_give_the_printed_rate() -> None:
    # a real row: 2.33 Mbyte in 6.75 us is printed as 345.14 Gbyte/s; with 1024 it would be 362
    rate = 2.33 * units.factor("Mbyte") / (6.75 * units.factor("us"))  # type: ignore[operator]
    assert rate / units.factor("Gbyte/s") == pytest.approx(345.14, rel=0.002)  # type: ignore[operator]


@pytest.mark.parametrize("unit", ["furlong", "Kfurlong", "byte/furlong", "xyz/s", "Mpass"])
def test_an_unknown_unit_has_no_factor(unit: str) -> None:
    assert units.factor(unit) is None


def test_numbers_in_an_unknown_unit_become_null() -> None:
    assert units.to_base(pl.Series([1.0, 2.0]), "furlong").to_list() == [None, None]


@given(st.integers(0, 2**50))
def test_whole_nanoseconds_become_the_nearest_float_of_their_seconds(nanoseconds: int) -> None:
    seconds = units.to_base(pl.Series([float(nanoseconds)]), "ns")[0]
    assert seconds == nanoseconds / 1e9


@given(st.floats(1e-6, 1e6), st.sampled_from([unit for unit, _ in SPELLINGS]))
def test_a_number_scaled_to_a_unit_comes_back_as_itself(number: float, unit: str) -> None:
    factor = units.factor(unit)
    assert factor is not None
    printed = number / factor
    assert units.to_base(pl.Series([printed]), unit)[0] == pytest.approx(number, rel=1e-12)


@given(st.floats(1e-9, 1e17, allow_nan=False), st.sampled_from(["byte", "s", "byte/s", "flop", "hz"]))
def test_text_keeps_three_significant_digits(value: float, unit: str) -> None:
    shown = units.text(value, unit)
    digits, word = shown.split(" ")
    scale = units.factor({"B": "byte", "B/s": "byte/s", "FLOP": "flop", "Hz": "hz"}.get(word, word))
    if scale is None:  # a prefix before a unit for people: take it off
        scale = units.SCALES[word[0]]
    assert float(digits.replace(",", "")) * scale == pytest.approx(value, rel=0.0051)


@given(st.floats(1, 9e17, allow_nan=False), st.sampled_from(["byte", "byte/s", "hz", "flop"]))
def test_text_picks_the_prefix_that_leaves_a_number_from_1_to_999(value: float, unit: str) -> None:
    assert 1 <= float(units.text(value, unit).split(" ")[0]) < 1000


@given(st.floats(1e-9, 999, allow_nan=False))
def test_times_below_a_second_get_a_smaller_unit(seconds: float) -> None:
    assert 1 <= float(units.text(seconds, "s").split(" ")[0]) < 1000


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_an_unknown_number_is_a_dash(value: float | None) -> None:
    assert units.text(value, "byte") == "–"


def test_negative_changes_keep_their_sign() -> None:
    assert units.text(-1500, "byte") == "-1.5 kB"


def test_the_examples_in_the_docstrings_hold() -> None:
    failed, ran = doctest.testmod(units)
    assert (failed, ran > 5) == (0, True)
