"""Which matrix each product streams: misfits, costs and order, by hand."""

from __future__ import annotations

from math import inf, log
from typing import Any

import pytest

from ncu_roofline.analysis.model.alignment import Matrix, Product, aligned, out_of_order, within
from ncu_roofline.knowledge.limits import THRESHOLDS


def matrix(first: int = 0, size: float = 100.0, **facts: Any) -> Matrix:
    return Matrix(name=facts.pop("name", f"m{first}"), n=10, k=10, bytes=size, first=first, **facts)


def names(chosen: list[Matrix | None]) -> list[str | None]:
    return [None if m is None else m.name for m in chosen]


@pytest.mark.parametrize(
    ("read", "misfit"),
    [
        (100.0, 0.0),
        (120.0, log(1.2)),
        (80.0, -log(0.8)),
        (140.0, log(1.4)),
        (143.0, inf),  # ln 1.43 = 0.358, beyond 0.35
        (70.0, inf),  # ln 0.70 = -0.357
    ],
)
def test_a_product_misfits_by_the_logarithm_of_its_bytes_over_the_matrix(read: float, misfit: float) -> None:
    assert matrix().misfit(Product(read)) == pytest.approx(misfit)


def test_bytes_of_the_activations_count_beside_those_of_the_matrix() -> None:
    assert matrix(activations=20.0).misfit(Product(120.0)) == 0.0


def test_a_product_that_read_nothing_has_a_misfit_too() -> None:
    assert matrix(size=1.25).misfit(Product(0.0)) == pytest.approx(log(1.25))  # nothing counts as one byte


@pytest.mark.parametrize(
    ("experts", "product", "misfit"),
    [
        (1, Product(None), THRESHOLDS.unmeasured_product),
        (8, Product(None, experts=True), THRESHOLDS.unmeasured_product + THRESHOLDS.expert_doubt),
        (8, Product(None), THRESHOLDS.unmeasured_product + THRESHOLDS.lone_expert_doubt),
        (1, Product(100.0, experts=True), inf),  # its name says experts, the matrix has none
        (1, Product(100.0, lone=False), 0.0),
        (8, Product(100.0, lone=False), inf),  # elsewhere in its layer names say experts
        (2, Product(100.0, lone=False), inf),
        (8, Product(100.0), THRESHOLDS.lone_expert_doubt),
        (2, Product(100.0), THRESHOLDS.lone_expert_doubt),
        (8, Product(100.0, experts=True, lone=False), THRESHOLDS.expert_doubt),
    ],
)
def test_names_and_bytes_that_say_less_cost_more(experts: int, product: Product, misfit: float) -> None:
    assert matrix(experts=experts).misfit(product) == misfit


@pytest.mark.parametrize(
    ("read", "fits"),
    [
        (114.0, False),  # less than one expert of 100 beside activations of 20
        (115.0, True),  # 0.95 experts
        (420.0, True),
        (900.0, True),  # 8.8 experts of 8
        (901.0, False),
    ],
)
def test_any_number_of_experts_may_be_read_from_one_to_all(read: float, fits: bool) -> None:
    many = matrix(experts=8, activations=20.0)

    assert many.misfit(Product(read, experts=True)) == (THRESHOLDS.expert_doubt if fits else inf)


@pytest.mark.parametrize(
    ("matrix_after", "product_after", "fits"),
    [
        (True, True, True),
        (True, False, False),
        (False, True, False),
        (None, True, True),
        (True, None, True),
        (None, None, True),
    ],
)
def test_a_product_on_the_other_side_of_attention_is_another_matrix(
    matrix_after: bool | None, product_after: bool | None, fits: bool
) -> None:
    assert matrix(after=matrix_after).misfit(Product(100.0, after=product_after)) == (0.0 if fits else inf)


def test_products_take_their_matrices_in_order_at_no_cost() -> None:
    cost, chosen = aligned([Product(100.0), Product(300.0)], [matrix(0), matrix(1, 300.0)])

    assert cost == 0.0
    assert names(chosen) == ["m0", "m1"]


@pytest.mark.parametrize(
    ("reads", "cut", "cost", "expected"),
    [
        ([300.0], "", THRESHOLDS.skip_matrix, ["m1"]),
        ([300.0], "head", THRESHOLDS.skip_outside, ["m1"]),
        ([300.0], "tail", THRESHOLDS.skip_matrix, ["m1"]),
        ([100.0], "", THRESHOLDS.skip_matrix, ["m0"]),
        ([100.0], "tail", THRESHOLDS.skip_outside, ["m0"]),
        ([100.0], "head", THRESHOLDS.skip_matrix, ["m0"]),
    ],
)
def test_a_matrix_that_nothing_streams_costs_less_beyond_the_side_that_the_window_cuts(
    reads: list[float], cut: str, cost: float, expected: list[str]
) -> None:
    found, chosen = aligned([Product(r) for r in reads], [matrix(0), matrix(1, 300.0)], cut=cut)

    assert found == pytest.approx(cost)
    assert names(chosen) == expected


def test_a_matrix_missing_between_two_products_costs_the_same_however_the_window_is_cut() -> None:
    matrices = [matrix(0), matrix(1, 1000.0), matrix(2, 300.0)]

    for cut in ("", "head", "tail"):
        cost, chosen = aligned([Product(100.0), Product(300.0)], matrices, cut=cut)
        assert cost == pytest.approx(THRESHOLDS.skip_matrix)
        assert names(chosen) == ["m0", "m2"]


def test_a_launch_that_streams_no_matrix_costs_and_stays_without() -> None:
    cost, chosen = aligned([Product(9.0), Product(100.0)], [matrix()])

    assert cost == THRESHOLDS.skip_launch
    assert names(chosen) == [None, "m0"]


def test_of_two_equal_products_the_earlier_one_takes_the_matrix() -> None:
    cost, chosen = aligned([Product(100.0), Product(100.0), Product(100.0)], [matrix()])

    assert names(chosen) == ["m0", None, None]
    assert cost == THRESHOLDS.skip_launch - THRESHOLDS.earlier_first + THRESHOLDS.skip_launch - 2 * THRESHOLDS.earlier_first


def test_a_matrix_is_the_first_whole_and_of_one_expert_unless_stated() -> None:
    alone = Matrix(name="alone", n=10, k=10, bytes=100.0)

    assert (alone.first, alone.parts, alone.experts, alone.per_token) == (0, 1, 1, 1)
    assert aligned([Product(100.0)], [alone]) == (0.0, [alone])


def test_of_two_matrices_that_fit_alike_the_first_is_taken() -> None:
    assert names(aligned([Product(100.0)], [matrix(0, name="a"), matrix(0, name="b")])[1]) == ["a"]
    assert names(aligned([Product(100.0)], [matrix(0, name="b"), matrix(0, name="a")])[1]) == ["b"]


def test_without_matrices_no_product_has_one() -> None:
    assert aligned([Product(100.0)], []) == (THRESHOLDS.skip_launch, [None])


def test_fused_and_separate_forms_of_the_same_parts_exclude_each_other() -> None:
    forms = [matrix(0, name="q"), matrix(1, name="k"), matrix(0, 200.0, name="qk", parts=2), matrix(2, 500.0, name="o")]

    assert names(aligned([Product(200.0), Product(500.0)], forms)[1]) == ["qk", "o"]
    assert names(aligned([Product(100.0), Product(100.0), Product(500.0)], forms)[1]) == ["q", "k", "o"]


def test_matrices_that_do_not_begin_at_the_first_part_cannot_be_put_in_order() -> None:
    cost, chosen = aligned([Product(100.0), Product(9.0)], [matrix(1)])

    assert cost == inf
    assert names(chosen) == ["m1", None]


def test_products_in_another_order_take_the_matrix_that_is_left_and_fits() -> None:
    matrices = [matrix(0), matrix(1, 1000.0), matrix(2, 3000.0)]

    # in order m1 and m2; the last launch read as much as m0 holds
    assert names(aligned([Product(1000.0), Product(3000.0), Product(100.0)], matrices)[1]) == ["m1", "m2", "m0"]


@pytest.mark.parametrize("read", [100.0, None])
def test_a_matrix_of_which_a_part_is_taken_is_not_given_again(read: float | None) -> None:
    q, qk = matrix(0, name="q"), matrix(0, 110.0, name="qk", parts=2)

    assert names(out_of_order([Product(100.0), Product(read)], [q, qk], [q, None])) == ["q", None]
    assert names(out_of_order([Product(100.0), Product(read)], [q, qk], [qk, None])) == ["qk", None]


def test_neighbours_of_a_taken_matrix_can_still_be_given() -> None:
    before, taken, behind = matrix(0), matrix(1, parts=2), matrix(3)
    products = [Product(100.0), Product(100.0), Product(100.0)]

    chosen = out_of_order(products, [before, taken, behind], [taken, None, None])

    assert chosen == [taken, before, behind]


def test_the_best_fit_is_given_first_then_the_one_of_most_parts_then_the_earliest() -> None:
    near, far, whole, late = matrix(3, 100.0), matrix(0, 110.0), matrix(1, 100.0, parts=2), matrix(4, 100.0)

    assert out_of_order([Product(100.0)], [far, near], [None]) == [near]
    assert out_of_order([Product(100.0)], [near, whole], [None]) == [whole]
    assert out_of_order([Product(100.0)], [late, near], [None]) == [near]


def test_a_lone_product_is_not_taken_for_an_expert_out_of_order() -> None:
    # its misfit is exactly the doubt that is too much
    assert out_of_order([Product(100.0)], [matrix(experts=8)], [None]) == [None]


def test_an_unmeasured_product_is_given_only_what_is_part_of_one_matrix() -> None:
    q, k, qk, other = (
        matrix(0, name="q"),
        matrix(1, name="k"),
        matrix(0, 200.0, name="qk", parts=2),
        matrix(2, 300.0, name="o"),
    )

    assert out_of_order([Product(None)], [q], [None]) == [q]
    assert out_of_order([Product(None)], [q, k, qk], [None]) == [qk]
    assert out_of_order([Product(None)], [q, k], [None]) == [None]
    assert out_of_order([Product(None)], [q, k, qk, other], [None]) == [None]
    assert out_of_order([Product(100.0)], [q, k], [None]) == [q]


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        ((1, 1), (1, 2), True),
        ((2, 1), (1, 2), True),
        ((1, 2), (1, 2), True),
        ((0, 1), (1, 2), False),
        ((3, 1), (1, 2), False),
        ((2, 2), (1, 2), False),
        ((0, 4), (1, 2), False),
    ],
)
def test_a_matrix_is_within_another_if_all_its_parts_are(part: tuple[int, int], whole: tuple[int, int], expected: bool) -> None:
    one, other = (matrix(first, parts=parts) for first, parts in (part, whole))

    assert within(one, other) is expected
