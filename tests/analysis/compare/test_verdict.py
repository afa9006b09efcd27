"""The numbers and limits under the verdicts: change and its reach, what is lacking, what decides."""

from __future__ import annotations

from math import exp, log, sqrt

import pytest

from ncu_roofline.analysis.compare.noise import Noise
from ncu_roofline.analysis.compare.student import quantile
from ncu_roofline.analysis.compare.verdict import Change, Judged, by_change, change, exactly, judge, lacking, unchanged
from ncu_roofline.analysis.compare.verdict import told as told_of
from ncu_roofline.present.documents.words_compare import seen


def told(quantity: str, base: float | None, head: float | None, noise: Noise, rows: int = 1) -> Change:
    """The change of numbers that are wholly known, by sides of two captures."""
    return change(quantity, exactly(base), exactly(head), noise, rows, 2)


def by(
    ratio: float | None, *, base: float | None = 1.0, head: float | None = 1.0, reach: float = 0.01, measured: bool = True
) -> Change:
    """A change by this log ratio."""
    return Change(base=base, head=head, log=ratio, reach=reach, measured=measured)


SAME, LESS, MORE = by(0.0, reach=0.009), by(-0.5), by(0.5)
UNKNOWN = by(None, base=None)
GONE = by(None, head=0.0)


def judged(bytes_: Change, seconds: Change, beyond: float | None = None) -> Judged:
    return Judged(verdict="", bytes=bytes_, flops=SAME, seconds=seconds, beyond=beyond)


def test_the_part_of_a_change_is_what_it_adds() -> None:
    assert by(log(0.5)).part == pytest.approx(-0.5)
    assert by(None).part is None


@pytest.mark.parametrize(("ratio", "direction"), [(0.0, 0), (0.01, 0), (-0.01, 0), (0.02, 1), (-0.02, -1)])
def test_a_change_has_a_direction_beyond_its_reach(ratio: float, direction: int) -> None:
    assert by(ratio, reach=0.01).direction == direction


@pytest.mark.parametrize(
    ("base", "head", "direction"),
    [(None, 1.0, None), (1.0, None, None), (None, None, None), (0.0, 5.0, 1), (5.0, 0.0, -1), (0.0, 0.0, 0)],
)
def test_without_a_ratio_the_sides_themselves_tell_the_direction(
    base: float | None, head: float | None, direction: int | None
) -> None:
    assert by(None, base=base, head=head).direction == direction


def test_the_reach_is_that_of_chance_at_the_error_of_the_quantity() -> None:
    noise = Noise(variance=4e-4, dof=50.0)
    found = told("bytes", 2.0, 3.0, noise)
    assert (found.base, found.head, found.measured, found.drift) == (2.0, 3.0, True, False)
    assert found.log == pytest.approx(log(1.5))
    assert found.reach == pytest.approx(quantile(1e-4, 50.0) * sqrt(4e-4))


def test_rows_judged_together_share_the_error() -> None:
    found = told("bytes", 2.0, 3.0, Noise(variance=4e-4, dof=50.0), rows=10)
    assert found.reach == pytest.approx(quantile(1e-4 / 10, 50.0) * sqrt(4e-4))


def test_no_reach_is_below_the_least_that_counts_as_a_change() -> None:
    assert told("bytes", 1.0, 1.0, Noise(variance=0.0, dof=50.0)).reach == 0.005


def test_without_noise_the_reach_is_assumed() -> None:
    found = told("bytes", 1.0, 1.0, Noise())
    assert (found.measured, found.reach) == (False, 0.03)


def test_a_wide_noise_of_few_degrees_of_freedom_is_not_believed() -> None:
    wide = told("bytes", 1.0, 1.0, Noise(variance=1.0, dof=3.0))
    assert (wide.measured, wide.reach) == (False, 0.03)
    enough = told("bytes", 1.0, 1.0, Noise(variance=1.0, dof=4.0))
    assert (enough.measured, enough.reach) == (True, pytest.approx(quantile(1e-4, 4.0)))


def test_a_narrow_noise_of_few_degrees_of_freedom_is_believed() -> None:
    found = told("bytes", 1.0, 1.0, Noise(variance=1e-8, dof=3.0))
    assert (found.measured, found.reach) == (True, max(0.005, quantile(1e-4, 3.0) * 1e-4))


@pytest.mark.parametrize(("base", "head"), [(None, 1.0), (1.0, None), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])
def test_a_side_that_is_unknown_or_zero_has_no_ratio(base: float | None, head: float | None) -> None:
    assert told("bytes", base, head, Noise()).log is None


def test_any_two_amounts_have_a_ratio() -> None:
    # amounts below one count as well
    assert told("seconds", 0.5, 0.25, Noise()).log == pytest.approx(log(0.5))


def test_drift_of_the_captures_is_passed_on() -> None:
    assert told("bytes", 1.0, 1.0, Noise(variance=1e-8, dof=50.0, drift=True)).drift
    assert not by(0.0).drift


def test_a_gain_that_bytes_do_not_explain_is_not_credited_to_them() -> None:
    # exp(0.1) = 1.11x from the bytes, exp(2) = 7.39x seen
    assert seen(judged(by(-0.1), by(-2.0))) == "7.39x: more than the bytes explain, so something beside them changed"


def test_a_saving_is_realised_as_far_as_time_follows_bytes() -> None:
    found = judged(by(-0.8), by(-0.2, reach=0.04))
    assert (found.realised, found.realised_reach) == (pytest.approx(0.25), pytest.approx(0.05))
    assert judged(by(0.8), by(0.2)).realised == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("bytes_", "seconds"), [(SAME, LESS), (UNKNOWN, LESS), (GONE, LESS), (LESS, UNKNOWN), (by(0.005), LESS)]
)
def test_nothing_is_realised_where_no_bytes_moved_or_a_ratio_is_lacking(bytes_: Change, seconds: Change) -> None:
    found = judged(bytes_, seconds)
    assert (found.realised, found.realised_reach) == (None, None)


def test_allowed_and_seen_speed_ups_are_the_ratios_turned_round() -> None:
    found = judged(by(log(0.5)), by(log(0.8)))
    assert (found.allowed, found.speedup) == (pytest.approx(2.0), pytest.approx(1.25))
    unknown = judged(UNKNOWN, UNKNOWN)
    assert (unknown.allowed, unknown.speedup) == (None, None)


def test_the_judgement_carries_what_it_rests_on() -> None:
    found = judge(LESS, SAME, LESS, 0.1)
    assert (found.verdict, found.bytes, found.flops, found.seconds) == ("cuts_bytes", LESS, SAME, LESS)
    assert (found.beyond, found.doubt) == (0.1, "")


def test_the_conditions_are_judged_in_their_order() -> None:
    assert judge(UNKNOWN, SAME, LESS, 0.9, comparable=False).verdict == "not_comparable"
    assert judge(UNKNOWN, SAME, LESS, 0.9, comparable=False).doubt == ""
    assert judge(UNKNOWN, SAME, LESS, 0.9).verdict == "cannot_tell"
    assert judge(UNKNOWN, SAME, LESS, 0.9).doubt == "missing:bytes"
    assert judge(LESS, SAME, LESS, 0.9).verdict == "outside_regime"
    assert judge(LESS, SAME, LESS, 0.3).verdict == judge(LESS, SAME, LESS, None).verdict == "cuts_bytes"


WIDE = by(0.0, reach=0.9)


def test_bytes_are_needed_and_time_and_flops_are_not() -> None:
    assert lacking(UNKNOWN) == "missing:bytes"
    assert lacking(WIDE) == "noise:bytes"
    assert [lacking(each) for each in (SAME, LESS, MORE, GONE)] == ["", "", "", ""]


def test_the_same_is_an_interval_inside_the_margin() -> None:
    # 1 % of bytes, 2 % of time, as log ratios: 0.00995 and 0.0198
    assert told_of("bytes", by(0.0, reach=0.0099)) == 0
    assert told_of("bytes", by(0.0, reach=0.0100)) is None
    assert told_of("bytes", by(0.004, reach=0.006)) is None
    assert told_of("seconds", by(0.0, reach=0.0197)) == 0
    assert told_of("seconds", by(0.003, reach=0.0197)) is None
    assert told_of("seconds", by(-0.06, reach=0.057)) == -1


def test_an_assumed_noise_is_an_interval_as_well() -> None:
    assert told_of("bytes", by(0.0, reach=0.03, measured=False)) is None
    assert told_of("bytes", by(0.04, reach=0.03, measured=False)) == 1


def test_zero_on_both_sides_is_the_same() -> None:
    assert told_of("flops", by(None, base=0.0, head=0.0, measured=False)) == 0


def test_a_capture_against_itself_is_the_same_without_noise() -> None:
    found = unchanged(3.0)
    assert (found.direction, found.low, found.high) == (0, 0.0, 0.0)
    assert unchanged(None).direction is None
    assert unchanged(0.0).direction == 0


@pytest.mark.parametrize(
    ("bytes_", "flops", "seconds", "word"),
    [
        (SAME, SAME, SAME, "no_change"),
        (SAME, SAME, WIDE, "same_bytes"),
        (SAME, SAME, UNKNOWN, "same_bytes"),
        # half of exp(-0.5): time that may have fallen by 0.24 has not followed the FLOPs, one that may by 0.26 could have
        (SAME, LESS, by(0.0, reach=0.24), "flop_mirage"),
        (SAME, LESS, by(0.0, reach=0.26), "same_bytes"),
        (SAME, LESS, UNKNOWN, "same_bytes"),
        (LESS, SAME, WIDE, "cuts_bytes"),
        (LESS, SAME, UNKNOWN, "cuts_bytes"),
        (MORE, SAME, UNKNOWN, "moves_more"),
        (SAME, UNKNOWN, SAME, "no_change"),
        (SAME, SAME, LESS, "same_bytes_faster"),
        (SAME, SAME, MORE, "same_bytes_slower"),
        (SAME, LESS, SAME, "flop_mirage"),
        (SAME, LESS, LESS, "same_bytes_faster"),
        (SAME, MORE, SAME, "no_change"),
        (SAME, MORE, LESS, "same_bytes_faster"),
        (SAME, MORE, MORE, "same_bytes_slower"),
        (MORE, SAME, LESS, "moves_more"),
        (MORE, SAME, SAME, "moves_more"),
        (LESS, SAME, SAME, "bytes_cut_time_kept"),
        (LESS, SAME, MORE, "bytes_cut_slower"),
        (LESS, SAME, by(-0.25), "cuts_bytes"),
        (LESS, SAME, by(-0.245), "cuts_bytes"),  # between 0.235 and 0.255: more than half may be realised
        (LESS, SAME, by(-0.239), "bytes_cut_time_kept"),
        (GONE, SAME, SAME, "cuts_bytes"),
        (LESS, SAME, GONE, "cuts_bytes"),
    ],
)
def test_each_combination_of_changes_has_its_word(bytes_: Change, flops: Change, seconds: Change, word: str) -> None:
    # half of the saving must be realised: -0.25 of -0.5
    assert by_change(bytes_, flops, seconds) == word


def test_a_change_beyond_its_noise_is_beyond_what_stands_beside_it() -> None:
    # ln 0.5 is -0.693: beyond a reach of 0.69, which downwards is a part of 0.498 and upwards of 0.994
    fell = Change(base=2.0, head=1.0, log=log(0.5), reach=0.69, measured=True)
    rose = Change(base=1.0, head=2.0, log=log(2.0), reach=0.69, measured=True)

    assert (fell.direction, rose.direction) == (-1, 1)
    assert (fell.part, fell.room) == (pytest.approx(-0.5), pytest.approx(1 - exp(-0.69)))
    assert (rose.part, rose.room) == (pytest.approx(1.0), pytest.approx(exp(0.69) - 1))
