"""Witnesses of one fact: what they agree on, who wins, and what stays unknown."""

from __future__ import annotations

from ncu_roofline.analysis.run.witnesses import agree
from ncu_roofline.capture.capture import Fact, Witness


def says(what: str, low: float | None, high: float | None, rank: str = "strong") -> Witness:
    return Witness(says=what, low=low, high=high, rank=rank)


def test_intervals_are_intersected_until_one_value_is_left() -> None:
    found = agree([says("tiles", None, 8), says("norms", 8, 16)])
    # at most 8, and 8 to 16
    assert found == Fact(8, "inferred", "norms, tiles")
    assert [w.agrees for w in found.witnesses] == [True, True]


def test_witnesses_of_one_rank_that_contradict_leave_the_fact_unknown_and_are_named() -> None:
    assert agree([says("norms", 8, 8), says("ropes", 16, 16)]) == Fact(None, "unknown", "norms say 8; ropes say 16")


def test_a_stronger_witness_wins_and_the_weaker_one_stands_against_it() -> None:
    found = agree([says("norms", 16, 16), says("ranges", 8, 8, "nvtx")])
    assert found == Fact(8, "inferred", "ranges")
    assert [(w.says, w.agrees) for w in found.witnesses] == [("ranges", True), ("norms", False)]


def test_a_weaker_witness_decides_within_what_a_stronger_one_leaves_and_not_beyond() -> None:
    ranges = says("ranges", None, 8, "nvtx")
    assert agree([ranges, says("order", 5, 5)]) == Fact(5, "inferred", "order, ranges")
    assert agree([ranges, says("order", 9, 9)]) == Fact(None, "unknown", "order say 9; ranges say at most 8")


def test_one_weak_witness_tells_nothing_and_two_that_agree_do() -> None:
    one, other = says("tiles", 8, 8, "weak"), says("bytes", 8, 8, "weak")
    assert agree([one]).value is None
    assert agree([one, one]).value is None
    assert agree([one, other]).value == 8


def test_a_bound_never_votes_but_narrows_what_is_left() -> None:
    assert agree([says("tiles", None, 64, "bound")]).span == (None, 64)
    assert agree([says("tiles", None, 64, "bound"), says("heads", 2, None, "bound")]).span == (2, 64)
    assert agree([says("tiles", None, 1, "bound"), says("heads", 2, None, "bound")]).span == (None, None)


def test_silence_is_no_evidence() -> None:
    assert agree([]) == Fact()
    assert agree([says("norms", None, None)]) == Fact()
