"""Groups of launches, what makes two of them unlike, and the cheapest pairing: by hand."""

from __future__ import annotations

from math import e, inf, log
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.pairs import (
    Group,
    Pair,
    by_place,
    bytes_apart,
    cheapest,
    exact,
    groups,
    match,
    merged,
    names_apart,
    place_apart,
    unlike,
    work_apart,
)

FACTS: dict[str, Any] = {
    "role": "fc",
    "position": None,
    "name": "gemm",
    "grid": "8x1x1",
    "block": "32x1x1",
    "count": 1.0,
    "bytes": 1e6,
}


def group(number: int = 0, **facts: Any) -> Group:
    known = {**FACTS, "order": number, **facts}
    return Group(number=number, kernel=known["name"], **known)


def launches(*rows: dict[str, Any]) -> pl.DataFrame:
    plain: dict[str, Any] = {
        "role": "fc",
        "position": None,
        "name": "gemm",
        "kernel": "gemm",
        "grid": "8x1x1",
        "block": "32x1x1",
    }
    plain |= {"capture": 0, "index": 0, "share": 1.0, "bytes": 100.0, "flops": 200.0, "useful_flops": None}
    kinds = {"position": pl.Int64, "capture": pl.Int64, "index": pl.Int64} | dict.fromkeys(
        ("bytes", "flops", "useful_flops"), pl.Float64
    )
    return pl.DataFrame([{**plain, **row} for row in rows], schema_overrides=kinds)


def test_a_group_holds_the_sums_and_means_of_its_launches() -> None:
    frame = launches(
        {"share": 0.25, "bytes": 100.0, "flops": 40.0}, {"index": 1, "share": 0.25, "bytes": 300.0, "flops": 160.0}
    )

    _, (found,) = groups(frame)

    assert found.count == 0.5  # 0.25 + 0.25
    assert found.bytes == 800.0  # mean(100, 300) / mean(0.25, 0.25)
    assert found.intensity == 0.5  # (40 + 160) / (100 + 300)


def test_bytes_that_were_not_measured_stay_unknown_in_the_group() -> None:
    _, (found,) = groups(launches({"bytes": None}))

    assert found.bytes is None


def test_launches_carry_the_number_of_their_group_with_and_without_a_position() -> None:
    rows = [{"index": 0, "position": 4}, {"index": 1}, {"index": 2, "position": 4}, {"index": 3}]

    numbered, found = groups(launches(*rows))

    assert [g.position for g in found] == [4, None]
    assert numbered["index"].to_list() == [0, 1, 2, 3]
    assert numbered["number"].to_list() == [0, 1, 0, 1]


def test_groups_stand_in_the_order_of_the_first_capture_that_has_them() -> None:
    rows = [
        {"name": "late", "capture": 0, "index": 7},
        {"name": "late", "capture": 0, "index": 9},
        {"name": "late", "capture": 1, "index": 1},
        {"name": "early", "capture": 0, "index": 5},
    ]

    _, found = groups(launches(*rows))

    assert [(g.name, g.order) for g in found] == [("early", 5), ("late", 7)]


def test_groups_of_the_same_order_stand_as_they_were_met() -> None:
    names = [f"kernel_{n}" for n in range(40)]

    _, found = groups(launches(*({"name": name, "capture": n, "index": 3} for n, name in enumerate(names))))

    assert [g.name for g in found] == names


def test_a_group_knows_the_roles_of_its_neighbours() -> None:
    _, found = groups(launches({"role": "norm"}, {"role": "fc", "index": 1}, {"role": "rope", "index": 2}))

    assert [(g.before, g.after) for g in found] == [(None, "fc"), ("norm", "rope"), ("fc", None)]


def test_groups_of_one_role_name_and_shape_are_paired_in_their_order_where_both_sides_have_as_many() -> None:
    base = [group(0), group(1), group(2, name="other"), group(3, grid="9x1x1")]
    head = [group(0, name="other"), group(1), group(2), group(3, grid="9x1x1"), group(4, grid="9x1x1")]

    assert [(b.number, h.number) for b, h in exact(base, head)] == [(0, 1), (1, 2), (2, 0)]


@pytest.mark.parametrize("other", [{"role": "norm"}, {"name": "b"}, {"grid": "1x1x1"}, {"block": "1x1x1"}])
def test_groups_that_differ_in_role_name_grid_or_block_are_not_exactly_each_other(other: dict[str, Any]) -> None:
    assert exact([group(0)], [group(0, **other)]) == []


def test_groups_are_paired_by_their_position_before_their_order() -> None:
    base = [group(0, name="x", position=1), group(1, name="y", position=0)]
    head = [group(0, name="y", position=0), group(1, name="x", position=1)]

    assert [(b.name, h.name) for b, h in by_place(base, head)] == [("y", "y"), ("x", "x")]


def test_groups_outside_the_layers_are_paired_with_such_only() -> None:
    base, head = [group(0, position=2), group(1)], [group(0), group(1, position=2)]

    assert {(b.number, h.number) for b, h in by_place(base, head)} == {(0, 1), (1, 0)}


def test_where_one_side_knows_no_positions_they_are_not_asked_for() -> None:
    base, head = [group(0, position=2), group(1, bytes=7e6)], [group(0), group(1, bytes=7e6)]

    assert [(b.number, h.number) for b, h in by_place(base, head)] == [(0, 0), (1, 1)]
    assert [(h.number, b.number) for h, b in by_place(head, base)] == [(0, 0), (1, 1)]


def test_only_groups_of_one_role_are_paired() -> None:
    base, head = [group(0, role="norm"), group(1)], [group(0, role="rope"), group(1, role="norm")]

    assert [(b.number, h.number) for b, h in by_place(base, head)] == [(0, 1)]


def test_the_cheapest_pairing_leaves_the_odd_one_alone_and_keeps_the_order() -> None:
    small, middle, large = 1e3, 1e6, 1e9
    base = [group(0, bytes=small), group(1, bytes=middle), group(2, bytes=large)]
    head = [group(0, bytes=small), group(1, bytes=large)]

    assert [(b.number, h.number) for b, h in cheapest(base, head)] == [(0, 0), (2, 1)]
    assert [(h.number, b.number) for h, b in cheapest(head, base)] == [(0, 0), (1, 2)]


def test_forty_thousand_kernels_a_side_are_paired_in_time_that_grows_with_their_number() -> None:
    # all pairs would be 1.6 billion; pieces of 8 and 8 kernels are 320 thousand
    base = [group(n, name=f"k{n}") for n in range(40_000)]
    head = [group(n, name=f"k{n}" if n % 2 else f"r{n}") for n in range(40_000)]

    pairs = match(base, head)
    assert [(p.base, p.head) for p in pairs] == list(zip(base, head, strict=True))
    assert {p.kind for p in pairs} == {"same", "renamed"}


def test_two_kernels_are_each_other_where_that_costs_less_than_leaving_both_alone() -> None:
    # bytes 2, work 2: 4, as much as two gaps of 2; without the work it is 2
    base = [group(0, intensity=1000.0)]
    far, near = group(0, bytes=1e9, intensity=1.0), group(0, bytes=1e9)

    assert cheapest(base, [far]) == []
    assert cheapest(base, [near]) == [(base[0], near)]


@pytest.mark.parametrize(
    ("other", "apart"),
    [
        ({}, 0.0),
        ({"count": 1.2}, log(1.2)),  # as many bytes a launch, more launches
        ({"count": 4.0}, 0.5),  # at most a half
        ({"bytes": 1e6 * e}, 1.0),
        ({"name": "conv"}, 1.2),  # no word in common
        ({"grid": "9x1x1"}, 0.1),
        ({"intensity": 16.0 * e}, 1.0),  # e times beyond a factor of 8
        ({"before": "rope"}, 0.4),
        ({"name": "conv", "grid": "9x1x1", "before": "rope"}, 1.7),  # 1.2 + 0.1 + 0.4
    ],
)
def test_unlikeness_adds_up_what_differs(other: dict[str, Any], apart: float) -> None:
    one, two = group(intensity=2.0, before="norm"), group(**{"intensity": 2.0, "before": "norm", **other})

    assert unlike(one, two) == pytest.approx(apart)
    assert unlike(two, one) == pytest.approx(apart)


def test_groups_that_are_equally_frequent_are_not_unlike() -> None:
    assert unlike(group(count=3.0), group(count=3.0)) == 0.0


def test_a_group_of_no_share_is_half_unlike_for_its_bytes_and_not_for_its_count() -> None:
    assert unlike(group(count=0.0), group()) == unlike(group(), group(count=0.0)) == 0.5


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (1.0, 8.0, 0.0),
        (1.0, 8.0 * e, 1.0),
        (8.0 * e, 1.0, 1.0),
        (1.0, 1e6, 2.0),  # at most 2
        (0.0, 0.8, 0.0),  # below a tenth of a FLOP per byte nothing is computed: 0.8 / 0.1 = 8
        (0.0, 0.8 * e, 1.0),
        (0.8 * e, 0.0, 1.0),
        (None, 1e6, 0.0),
        (1e6, inf, 0.0),
        (None, None, 0.0),
    ],
)
def test_work_is_apart_beyond_a_factor_of_eight(one: float | None, other: float | None, apart: float) -> None:
    assert work_apart(group(intensity=one), group(intensity=other)) == pytest.approx(apart)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (("norm", "rope"), ("norm", "rope"), 0.0),
        (("norm", "rope"), ("fc", "rope"), 0.4),
        (("norm", "rope"), ("norm", "fc"), 0.4),
        (("norm", "rope"), ("fc", "fc"), 0.8),
        ((None, "rope"), ("fc", None), 0.0),
        (("norm", None), (None, "fc"), 0.0),
        ((None, None), (None, None), 0.0),
    ],
)
def test_each_known_neighbour_of_another_role_is_two_fifths_apart(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None], apart: float
) -> None:
    first, second = (group(before=g[0], after=g[1]) for g in (one, other))

    assert place_apart(first, second) == apart


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ((1e6, 1.0), (2e6, 1.0), log(2)),
        ((2e6, 1.0), (1e6, 1.0), log(2)),
        ((1e6, 1.0), (5e5, 2.0), 0.0),  # half the bytes, twice as often
        ((1e6, 1.0), (2e6, 4.0), log(2)),  # of a launch twice, of a token eight times
        ((1e6, 1.0), (1e9, 1.0), 2.0),  # at most 2
        ((1e6, 3.0), (5e5, 3.0), log(2)),
        ((None, 1.0), (1e6, 1.0), 0.5),
        ((1e6, 1.0), (None, 1.0), 0.5),
        ((0.0, 1.0), (1e6, 1.0), 0.5),
        ((1e6, 0.0), (1e6, 1.0), 0.5),
        ((1e6, 1.0), (1e6, 0.0), 0.5),
    ],
)
def test_bytes_are_apart_by_launch_or_by_token_whichever_is_nearer(
    one: tuple[float | None, float], other: tuple[float | None, float], apart: float
) -> None:
    first, second = (group(bytes=size, count=count) for size, count in (one, other))

    assert bytes_apart(first, second) == pytest.approx(apart)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("gemm_128", "gemm_128", 0.0),
        ("gemm_128", "gemm-128", 0.0),  # the same words
        ("gemm", "_gemm", 0.0),
        ("gemm_128", "gemm_64", 2 / 3),  # gemm of gemm, 128, 64
        ("gemm", "conv", 1.0),
        ("_", "::", 1.0),  # no words at all
    ],
)
def test_names_are_apart_by_the_words_that_only_one_has(one: str, other: str, apart: float) -> None:
    assert names_apart(one, other) == pytest.approx(apart)


@pytest.mark.parametrize(
    ("other", "kind"),
    [({}, "same"), ({"grid": "9x1x1"}, "reshaped"), ({"block": "9x1x1"}, "reshaped"), ({"name": "gemm_2"}, "renamed")],
)
def test_a_kernel_with_its_like_is_the_same_reshaped_or_renamed(other: dict[str, Any], kind: str) -> None:
    assert [p.kind for p in match([group()], [group(**other)])] == [kind]


def test_pairs_stand_in_the_order_of_the_head_and_removed_ones_where_they_stood() -> None:
    base = [group(0, name="a"), group(1, name="copy", role="copy"), group(2, name="b", role="rope")]
    head = [group(0, name="b", role="rope", order=5), group(1, name="a", order=9), group(2, name="c", role="cast", order=7)]

    found = [(p.base and p.base.name, p.head and p.head.name) for p in match(base, head)]

    assert found == [("copy", None), ("b", "b"), (None, "c"), ("a", "a")]  # 1, 5, 7, 9


ALONE: dict[str, Any] = {"role": "quantize", "name": "per_token_quant"}
RENAMED: dict[str, Any] = {"role": "norm", "name": "rms_norm_quant"}


def fate(side: list[Group], at: int, pairs: list[Pair], which: str = "base") -> str:
    sides = [(p.base, p.head) if which == "base" else (p.head, p.base) for p in pairs if p.kind == "renamed"]
    return "fused" if merged(side[at], side, {own.number: (own, other) for own, other in sides if own and other}) else "removed"


@pytest.mark.parametrize(
    ("place", "alone", "expected"),
    [(0, 1, "fused"), (1, 0, "fused"), (0, 2, "removed"), (2, 0, "removed"), (2, 3, "fused"), (3, 2, "fused")],
)
def test_work_goes_into_a_direct_neighbour_only(place: int, alone: int, expected: str) -> None:
    side = [group(n, role="norm", name="rms_norm") for n in range(5)]
    side[alone] = group(alone, **ALONE)
    pair = Pair(base=side[place], head=group(9, **RENAMED), kind="renamed")

    assert fate(side, alone, [pair]) == expected


def test_work_that_came_out_of_a_neighbour_is_looked_for_on_the_other_side() -> None:
    head = [group(0, role="norm", name="rms_norm"), group(1, **ALONE)]
    pair = Pair(base=group(9, **RENAMED), head=head[0], kind="renamed")

    assert fate(head, 1, [pair], "head") == "fused"
    assert fate(head, 1, [pair], "base") == "removed"


@pytest.mark.parametrize(
    ("alone", "neighbour", "other", "kind", "expected"),
    [
        (ALONE, {"role": "norm", "name": "rms_norm"}, RENAMED, "renamed", "fused"),
        (ALONE, {"role": "norm", "name": "rms_norm"}, RENAMED, "reshaped", "removed"),
        (ALONE, {"role": "norm", "name": "rms_norm_quant_v1"}, RENAMED, "renamed", "removed"),  # it did so before
        (ALONE, {"role": "norm", "name": "rms_norm"}, {"role": "norm", "name": "layer_norm"}, "renamed", "removed"),
        ({"role": "fc", "name": "reduce"}, {"name": "gemm"}, {"name": "gemm_whole"}, "renamed", "fused"),
        ({"role": "attention", "name": "combine"}, {"role": "attention"}, {"name": "mla"}, "renamed", "fused"),
        ({"role": "elementwise", "name": "mul"}, {"role": "elementwise"}, {"name": "exp"}, "renamed", "fused"),
        ({"role": "copy", "name": "copy"}, {"role": "copy"}, {"name": "memcpy"}, "renamed", "removed"),
        ({"role": "fc", "name": "reduce"}, {"role": "norm"}, {"name": "gemm_whole"}, "renamed", "removed"),
    ],
)
def test_a_renamed_neighbour_took_over_where_its_new_name_says_so_or_its_role_is_the_same(
    alone: dict[str, Any], neighbour: dict[str, Any], other: dict[str, Any], kind: str, expected: str
) -> None:
    side = [group(0, **neighbour), group(1, **alone)]

    assert fate(side, 1, [Pair(base=side[0], head=group(9, **other), kind=kind)]) == expected


def test_a_neighbour_without_its_like_takes_nothing_over() -> None:
    side = [group(0, role="norm", name="rms_norm"), group(1, **ALONE)]

    assert fate(side, 1, [Pair(base=side[0], head=None, kind="removed")]) == "removed"


def test_one_product_in_wider_tiles_is_itself_where_its_useful_work_is_told() -> None:
    # 8 rows: 16 FLOP per weight of two bytes are useful; tiles of 256 rows execute 32 times that, of half the bytes
    def product(name: str, bytes_: float, tile: int) -> pl.DataFrame:
        return launches({"name": name, "bytes": bytes_, "flops": 800.0 * tile / 8, "useful_flops": 800.0})

    (dense,), (sparse,) = (groups(product(*row))[1] for row in (("nvjet", 100.0, 8), ("cusparselt", 56.0, 256)))
    assert (dense.useful, sparse.useful) == (pytest.approx(8.0), pytest.approx(800 / 56))
    assert [p.kind for p in match([dense], [sparse])] == ["renamed"]
