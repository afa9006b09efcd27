"""Noise of a total: from equal launches, from repeated captures, and from both."""

from collections.abc import Sequence
from math import exp, sqrt

import polars as pl
import pytest

from ncu_roofline.analysis.compare.noise import (
    Noise,
    from_repeats,
    noise,
    propagated,
    repeated,
    shares,
    slots,
    together,
    variance_of,
)
from ncu_roofline.analysis.compare.spreads import Spread
from ncu_roofline.analysis.compare.student import f_exceeds, quantile
from ncu_roofline.knowledge.verdicts import QUANTITIES

PAIRED = Spread(paired=True, base=0.04, head=None, dof=5.0)
APART = Spread(paired=False, base=0.04, head=0.09, dof=5.0)


def frame(rows: Sequence[tuple[str, int, int, str, float | None]]) -> pl.DataFrame:
    """Launches (capture, index, pair, role, value); every quantity has the value."""
    names = ["capture", "index", "pair", "role", "value"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        *(pl.col("value").cast(pl.Float64).alias(q) for q in QUANTITIES)
    )


def test_the_reach_is_a_quantile_times_the_deviation_and_unknown_without_freedom() -> None:
    assert Noise(variance=4.0, dof=3.0).reach(0.01) == pytest.approx(quantile(0.01, 3.0) * 2)
    assert Noise(variance=4.0, dof=0.5).reach(0.01) == pytest.approx(quantile(0.01, 0.5) * 2)
    assert Noise(variance=4.0).reach(0.01) is None
    assert Noise() == Noise(variance=0.0, dof=0.0, drift=False)


def test_paired_launches_add_the_square_of_their_mean_share_over_their_number() -> None:
    assert variance_of(PAIRED, (0.2, 0.4), (2, 8)) == pytest.approx(0.3**2 * 0.04 / 2)
    assert variance_of(Spread(paired=True, base=None, head=None, dof=1.0), (0.2, 0.4), (2, 8)) == 0.0


def test_launches_that_are_not_paired_add_each_sides_own_variance() -> None:
    assert variance_of(APART, (0.2, 0.4), (2, 8)) == pytest.approx(0.2**2 * 0.04 / 2 + 0.4**2 * 0.09 / 8)


@pytest.mark.parametrize("counts", [(0, 8), (8, 0)])
def test_a_kind_that_one_side_lacks_varies_on_the_other_only(counts: tuple[int, int]) -> None:
    weights = tuple(0.4 if count else 0.0 for count in counts)
    assert variance_of(PAIRED, (weights[0], weights[1]), counts) == pytest.approx(0.4**2 * 0.04 / 8)


def test_an_unknown_side_is_taken_to_vary_as_the_other() -> None:
    only_head = Spread(paired=False, base=None, head=0.09, dof=5.0)
    assert variance_of(only_head, (0.2, 0.4), (2, 8)) == pytest.approx(0.2**2 * 0.09 / 2 + 0.4**2 * 0.09 / 8)
    unknown = Spread(paired=False, base=None, head=None, dof=5.0)
    assert variance_of(unknown, (0.2, 0.4), (2, 8)) == 0.0


def test_a_slot_is_a_place_in_its_kind_added_up_over_captures() -> None:
    rows = [("b", 0, 1, "fc", 1.0), ("a", 2, 1, "fc", 4.0), ("a", 0, 1, "fc", 2.0), ("a", 1, 7, "norm", 8.0)]
    found = slots(frame(rows), "role").select("pair", "slot", "row", QUANTITIES[0])
    # slot 0 of kind 1: 2 of capture a and 1 of capture b
    assert found.rows() == [(1, 0, "fc", 3.0), (7, 0, "norm", 8.0), (1, 1, "fc", 4.0)]


SIDES = (
    slots(frame([("a", 0, 1, "fc", 1.0), ("a", 1, 1, "fc", 2.0), ("a", 2, 2, "fc", 1.0), ("a", 3, 3, "norm", 0.0)]), "role"),
    slots(frame([("a", 0, 1, "fc", 8.0), ("a", 1, 4, "fc", 24.0), ("a", 2, 3, "norm", None)]), "role"),
)


def test_shares_are_of_the_row_and_nothing_of_a_row_without_value() -> None:
    found = shares(SIDES, QUANTITIES[0])
    assert sorted(found, key=lambda each: each[1]) == [
        ("fc", 1, (3 / 4, 8 / 32), (2, 1)),
        ("fc", 2, (1 / 4, 0.0), (1, 0)),
        ("norm", 3, (0.0, 0.0), (1, 1)),
        ("fc", 4, (0.0, 24 / 32), (0, 1)),
    ]


def test_kinds_of_a_row_without_name_stand_beside_each_other() -> None:
    side = slots(frame([("a", 0, 1, "fc", 1.0)]).with_columns(role=pl.lit(None, pl.String)), "role")
    assert shares((side, side), QUANTITIES[0]) == [(None, 1, (1.0, 1.0), (1, 1))]


def test_kinds_of_known_spread_make_the_noise_of_their_row() -> None:
    found = propagated(SIDES, QUANTITIES[0], {1: APART, 2: PAIRED})
    one = (3 / 4) ** 2 * 0.04 / 2 + (8 / 32) ** 2 * 0.09 / 1
    two = (1 / 4) ** 2 * 0.04 / 1
    # Welch and Satterthwaite: squares of the parts over their degrees
    dof = (one + two) ** 2 / (one**2 / 5 + two**2 / 5)
    assert set(found) == {"fc"}
    assert found["fc"].variance == pytest.approx(one + two)
    assert found["fc"].dof == pytest.approx(dof)


def test_repeats_give_the_variance_of_the_difference_of_two_means() -> None:
    # squares of 0.06 over (3 - 1) + (2 - 1) degrees, times 1/3 + 1/2
    found = from_repeats([(0.04, 3), (0.02, 2)])
    assert found is not None
    assert found.variance == pytest.approx(0.06 / 3 * (1 / 3 + 1 / 2))
    assert found.dof == 3


@pytest.mark.parametrize("parts", [[(0.0, 1), (0.0, 1)], [(0.04, 3)], [(0.04, 3), (0.0, 0)], [(0.0, 1)], []])
def test_without_repeats_on_a_side_nothing_is_known(parts: list[tuple[float, int]]) -> None:
    assert from_repeats(parts) is None


def test_one_repeat_is_enough() -> None:
    found = from_repeats([(0.04, 2), (0.0, 1)])
    assert found is not None
    assert (found.variance, found.dof) == (pytest.approx(0.04 * (1 / 2 + 1)), 1)


def test_captures_that_repeat_give_noise_by_the_spread_of_their_logarithms() -> None:
    base = frame([("a", 0, 1, "fc", 1.0), ("b", 0, 1, "fc", exp(0.2)), ("a", 1, 2, "norm", 1.0)])
    head = frame([("a", 0, 1, "fc", 0.25), ("a", 1, 1, "fc", 0.25), ("b", 0, 1, "fc", 0.0)])
    found = repeated(base, head, "role", QUANTITIES[0])
    # ln: 0 and 0.2 about 0.1; the other side has one value above zero
    assert set(found) == {"fc"}
    assert found["fc"].variance == pytest.approx((0.1**2 + 0.1**2) / 1 * (1 / 2 + 1 / 1))
    assert found["fc"].dof == 1


def test_where_only_one_estimate_is_known_it_stands() -> None:
    one = Noise(variance=0.01, dof=4.0)
    assert together(one, None, 0.05) == one
    assert together(None, one, 0.05) == one
    assert together(None, None, 0.05) == Noise()


def test_estimates_that_agree_are_pooled_by_their_degrees() -> None:
    found = together(Noise(variance=0.01, dof=4.0), Noise(variance=0.02, dof=2.0), 0.05)
    assert found.variance == pytest.approx((0.01 * 4 + 0.02 * 2) / 6)
    assert (found.dof, found.drift) == (6.0, False)


def test_captures_that_differ_by_more_than_their_launches_explain_drift() -> None:
    launches, captures = Noise(variance=0.01, dof=40.0), Noise(variance=0.04, dof=6.0)
    assert f_exceeds(0.04 / 0.01, 6, 40) < 0.01
    assert together(launches, captures, 0.01) == Noise(variance=0.04, dof=6.0, drift=True)
    assert not together(launches, captures, f_exceeds(4.0, 6, 40)).drift


def test_captures_that_differ_by_less_are_believed_and_do_not_drift() -> None:
    launches, captures = Noise(variance=0.04, dof=6.0), Noise(variance=0.01, dof=40.0)
    assert f_exceeds(0.04 / 0.01, 6, 40) < 0.05
    assert together(launches, captures, 0.01) == Noise(variance=0.01, dof=40.0)


def test_less_by_chance_is_still_pooled() -> None:
    launches, captures = Noise(variance=0.02, dof=6.0), Noise(variance=0.01, dof=40.0)
    assert f_exceeds(0.02 / 0.01, 6, 40) > 0.05
    assert together(launches, captures, 0.01).dof == 46.0


def test_no_variance_on_either_side_is_agreement_and_on_one_a_drift() -> None:
    still, moving = Noise(variance=0.0, dof=4.0), Noise(variance=0.01, dof=4.0)
    assert together(still, still, 0.05) == Noise(variance=0.0, dof=8.0)
    certain = Noise(variance=0.0, dof=4000.0)
    assert together(certain, certain, 0.05) == Noise(variance=0.0, dof=8000.0)
    assert together(still, moving, 0.05) == Noise(variance=0.01, dof=4.0, drift=True)
    assert together(moving, still, 0.05).variance == pytest.approx(0.005)


def test_every_row_has_its_noise_in_every_quantity() -> None:
    base = frame([("a", n, 1, "fc", 1.0) for n in range(3)])
    head = frame([("a", n, 1, "fc", exp(0.1 * n)) for n in range(3)])
    found = noise(base, head, "role")
    assert set(found) == {("fc", q) for q in QUANTITIES}
    assert all(
        n.variance > 0 and n.reach(0.01) == pytest.approx(quantile(0.01, n.dof) * sqrt(n.variance)) for n in found.values()
    )
