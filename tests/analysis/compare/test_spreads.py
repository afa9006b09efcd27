"""How much launches of one kind vary: paired and unpaired, few and many, held towards the mean of all kinds."""

from __future__ import annotations

from math import exp

import polars as pl
import pytest

from ncu_roofline.analysis.compare.spreads import Spread, logs, moderated, pool, spread, spreads, variance, worth

TWO = 2.2219 * 0.399
"""The robust scale of two values that are 1 apart (Croux and Rousseeuw)."""


def side(*rows: tuple[int, int, float]) -> pl.DataFrame:
    """(pair, slot, bytes) of launches."""
    return pl.DataFrame(rows, schema={"pair": pl.Int64, "slot": pl.Int64, "bytes": pl.Float64}, orient="row")


def test_logarithms_are_of_values_above_zero_by_kind_and_place() -> None:
    found = logs(side((0, 0, 1.0), (0, 1, exp(2)), (0, 2, 0.0), (7, 3, exp(-1))), "bytes")
    assert found == {0: {0: 0.0, 1: pytest.approx(2.0)}, 7: {3: pytest.approx(-1.0)}}


def test_launches_that_stand_for_each_other_vary_by_what_is_not_common_to_them() -> None:
    found = spread({0: 1.0, 1: 5.0}, {0: 2.0, 1: 7.0})
    assert found is not None
    # 1 and 2 are apart from base to head: 1 apart from each other; 0.82 x (2 - 1) degrees of freedom
    assert (found.paired, found.base, found.head, found.dof) == (True, pytest.approx(TWO**2), None, 0.82)


def test_launches_without_counterpart_vary_on_each_side_for_itself() -> None:
    found = spread({0: 1.0, 1: 2.0, 2: 3.0}, {0: 1.0, 1: 3.0})
    assert found is not None
    # three values 1 apart have the factor 0.994, two values 2 apart twice that of two
    assert (found.paired, found.dof) == (False, 0.82 * 2)
    assert found.base == pytest.approx((2.2219 * 0.994) ** 2)
    assert found.head == pytest.approx((2 * TWO) ** 2)


def test_a_side_of_one_launch_has_no_spread_of_its_own() -> None:
    found = spread({0: 1.0}, {0: 1.0, 1: 2.0})
    assert found is not None
    assert (found.paired, found.base, found.head, found.dof) == (False, None, pytest.approx(TWO**2), 0.82)
    turned = spread({0: 1.0, 1: 2.0}, {})
    assert turned is not None
    assert (turned.base, turned.head) == (pytest.approx(TWO**2), None)


@pytest.mark.parametrize(("base", "head"), [({0: 1.0}, {0: 2.0}), ({0: 1.0}, {}), ({}, {}), ({0: 1.0}, {1: 2.0})])
def test_single_launches_have_no_spread(base: dict[int, float], head: dict[int, float]) -> None:
    assert spread(base, head) is None


def test_a_variance_is_the_robust_scale_squared() -> None:
    assert variance([0.0, 3.0]) == pytest.approx((3 * TWO) ** 2)


def test_a_value_of_the_robust_scale_is_worth_less_than_one_degree_of_freedom() -> None:
    assert worth(2) == pytest.approx(0.82)
    assert worth(11) == pytest.approx(8.2)
    assert worth(101) == worth(5000) == pytest.approx(0.82 * 99)
    assert worth(1) == 0.5


def test_kinds_of_a_size_weigh_by_their_degrees_of_freedom() -> None:
    kinds = {0: Spread(paired=True, base=4.0, head=None, dof=1.0), 1: Spread(paired=False, base=1.0, head=3.0, dof=2.0)}
    found = pool(kinds, {0: 3, 1: 3})[3]
    # a difference of two varies twice as much as one launch: (4/2 x 1 + 1 x 2 + 3 x 2) / (1 + 2 + 2)
    assert (found.paired, found.base, found.head, found.dof) == (False, 2.0, 2.0, 5.0)


def test_other_sizes_join_only_where_a_size_has_too_few_launches() -> None:
    kinds = {
        0: Spread(paired=False, base=4.0, head=None, dof=10.0),
        1: Spread(paired=False, base=1.0, head=None, dof=2.0),
        2: Spread(paired=False, base=9.0, head=None, dof=10.0),
    }
    found = pool(kinds, {0: 3, 1: 4, 2: 6})
    assert (found[3].base, found[3].dof) == (4.0, 10.0)
    # at 10^4 two degrees of freedom are too few, the next size has ten more: (1 x 2 + 4 x 10) / 12
    assert (found[4].base, found[4].dof) == (42 / 12, 12.0)
    assert (found[6].base, found[6].dof) == (9.0, 10.0)


def test_a_kind_of_its_own_is_held_towards_all_kinds_with_four_degrees_of_freedom() -> None:
    all_kinds = Spread(paired=False, base=3.0, head=3.0, dof=10.0)
    found = moderated(Spread(paired=False, base=1.0, head=None, dof=4.0), all_kinds)
    # (1 x 4 + 3 x 4) / (4 + 4)
    assert (found.paired, found.base, found.head, found.dof) == (False, 2.0, None, 8.0)


def test_a_paired_kind_is_held_towards_twice_the_variance_of_one_launch() -> None:
    found = moderated(Spread(paired=True, base=1.0, head=None, dof=2.0), Spread(paired=False, base=3.0, head=3.0, dof=1.0))
    # all kinds are worth no more than what is known of them: (1 x 2 + 2 x 3 x 1) / (2 + 1)
    assert (found.paired, found.base, found.head, found.dof) == (True, pytest.approx(8 / 3), None, 3.0)


def test_where_no_kind_varies_one_kind_is_held_towards_nothing() -> None:
    found = moderated(Spread(paired=False, base=1.0, head=3.0, dof=2.0), Spread(paired=False, base=0.0, head=0.0, dof=2.0))
    assert (found.base, found.head) == (0.5, 1.5)


def test_a_kind_without_spread_has_that_of_all_kinds() -> None:
    all_kinds = Spread(paired=False, base=3.0, head=3.0, dof=10.0)
    assert moderated(None, all_kinds) is all_kinds


def test_every_kind_of_either_side_has_a_spread_where_one_kind_has() -> None:
    base = side((0, 0, 1.0), (0, 1, 1.0), (1, 0, 5.0))
    head = side((0, 0, 1.0), (0, 1, exp(1)), (2, 0, 5.0))
    found = spreads(base, head, "bytes")
    assert sorted(found) == [0, 1, 2]
    # kind 0 is paired and 1 apart; half of it is the variance of one launch, which the others take
    assert found[0].base == pytest.approx(TWO**2)
    assert found[1].base == found[2].head == pytest.approx(TWO**2 / 2)


def test_where_no_kind_has_two_launches_nothing_is_known_of_chance() -> None:
    assert spreads(side((0, 0, 1.0)), side((0, 0, 2.0)), "bytes") == {}
