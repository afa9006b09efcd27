"""Rows of a comparison: their order, what eats time, whose share of the roof moved; from frames by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import (
    Comparison,
    changed_most,
    columns,
    compare,
    eaters,
    identity,
    in_doubt,
    judged_row,
    layered,
    named,
    numbered,
    shifted,
    undecided,
)
from ncu_roofline.analysis.compare.noise import Noise
from ncu_roofline.analysis.compare.pairs import Group, Pair
from ncu_roofline.analysis.compare.sides import Side
from ncu_roofline.analysis.compare.verdict import Change, Judged
from ncu_roofline.errors import UnusableInput
from tests.kernels import full
from tests.planted import plain

KERNEL: dict[str, Any] = {
    "what": "same",
    "role": "fc",
    "base_kernel": "gemm",
    "head_kernel": "gemm",
    "base_name": "gemm<int>",
    "head_name": "gemm<int>",
    "head_grid": "8x1x1",
    "base_bytes": 10.0,
    "head_bytes": 10.0,
    "base_seconds": 4.0,
    "head_seconds": 4.0,
    "base_bandwidth_share": 0.5,
    "head_bandwidth_share": 0.5,
    "base_latency_share": 0.0,
    "head_latency_share": 0.0,
}
NUMBERS = {name: pl.Float64 for name, value in KERNEL.items() if isinstance(value, float)}


def kernels(*rows: dict[str, Any]) -> Comparison:
    frame = pl.DataFrame([{**KERNEL, **row} for row in rows], schema_overrides=NUMBERS)
    return cast("Comparison", SimpleNamespace(rows={"kernel": frame}))


def group(number: int, name: str = "gemm") -> Group:
    return Group(
        number=number,
        role="fc",
        position=None,
        name=f"{name}<int>",
        kernel=name,
        grid=f"{number}x1x1",
        block="1x1x1",
        order=number,
        count=1.0,
        bytes=1.0,
    )


@pytest.mark.parametrize(
    ("row", "excess"),
    [
        ({"head_seconds": 6.0}, 2.0),
        ({"head_seconds": 6.0, "head_bytes": 5.0}, 4.0),  # 6 - 4 x 5/10
        ({"head_seconds": 2.1, "head_bytes": 5.0}, 0.1),
        ({"head_seconds": 1.0, "head_bytes": None}, 1.0),  # no bytes account for any time
        ({"base_bytes": 0.0, "head_bytes": 0.0, "head_seconds": 5.0}, 1.0),
        ({"base_bytes": 0.5, "head_bytes": 0.25, "head_seconds": 3.0}, 1.0),  # 3 - 4 / 2
        ({"base_bytes": None, "base_seconds": None, "head_seconds": 3.0}, 3.0),
    ],
)
def test_what_bytes_do_not_account_for_eats_time(row: dict[str, Any], excess: float) -> None:
    assert eaters(kernels(row))["excess"].to_list() == [pytest.approx(excess)]


@pytest.mark.parametrize("row", [{}, {"head_bytes": 20.0, "head_seconds": 8.0}, {"head_seconds": None}, {"head_seconds": 3.0}])
def test_a_kernel_that_takes_no_more_time_than_its_bytes_eats_none(row: dict[str, Any]) -> None:
    assert eaters(kernels(row)).is_empty()


def test_the_largest_eater_comes_first_and_kernels_of_one_name_add_up() -> None:
    made = kernels(
        {"head_seconds": 6.0},
        {"head_kernel": "other", "head_seconds": 8.0},
        {"head_seconds": 7.0},
        {"head_kernel": "less", "head_seconds": 4.5},
        {"role": "norm", "head_seconds": 3.0},
    )

    found = eaters(made)

    assert found.select("head_kernel", "excess").rows() == [("gemm", 5.0), ("other", 4.0), ("less", 0.5)]


@pytest.mark.parametrize(
    ("base", "head", "moved"),
    [
        (0.5, 0.5625, True),
        (0.5625, 0.5, True),
        (0.5, 0.53125, True),
        (0.5, 0.52, False),
        (None, 0.5, False),
        (0.5, None, False),
    ],
)
def test_a_share_of_the_roof_moved_from_three_points_on(base: float | None, head: float | None, moved: bool) -> None:
    found = shifted(kernels({"base_bandwidth_share": base, "head_bandwidth_share": head}))

    assert found.height == moved


def test_shares_that_moved_stand_by_their_change_of_time() -> None:
    moved = {"head_bandwidth_share": 0.9}
    made = kernels(
        {**moved, "head_kernel": "slower", "head_seconds": 5.0},
        {**moved, "head_kernel": "faster", "head_seconds": 1.0},
        {**moved, "head_kernel": "mixed", "head_seconds": 6.0},
        {**moved, "head_kernel": "mixed", "base_seconds": None, "head_seconds": 5.0},
        {**moved, "head_kernel": "mixed", "head_seconds": None},
        {**moved, "head_kernel": "untimed", "head_seconds": None},
        {"head_kernel": "alike", "head_seconds": 40.0},
    )

    found = shifted(made).select("head_kernel", "excess").rows()

    # mixed: |6 - 4| + 5 + 4; a side without any time has no share
    assert found == [("mixed", 11.0), ("faster", 3.0), ("slower", 1.0)]


def test_shares_of_kernels_of_one_name_are_weighted_by_the_time_of_those_that_have_one() -> None:
    frame = (
        kernels(
            {"base_bandwidth_share": 0.2, "base_seconds": 1.0, "head_latency_share": 1.0, "head_seconds": 3.0},
            {"base_bandwidth_share": 0.6, "base_seconds": 3.0, "head_latency_share": None, "head_seconds": 9.0},
            {"base_bandwidth_share": None, "base_seconds": 50.0, "head_latency_share": 0.0, "head_seconds": 1.0},
        )
        .rows["kernel"]
        .with_columns(excess=pl.lit(1.0))
    )

    found = named(frame).row(0, named=True)

    assert found["base_bandwidth_share"] == pytest.approx(0.5)  # (0.2 x 1 + 0.6 x 3) / 4
    assert found["head_latency_share"] == 0.75  # (1 x 3 + 0 x 1) / 4
    assert found["excess"] == 3.0


def test_kernels_without_time_have_no_share() -> None:
    frame = kernels({"base_seconds": 0.0}).rows["kernel"].with_columns(excess=pl.lit(1.0))

    assert named(frame)["base_bandwidth_share"].to_list() == [None]
    assert named(frame)["head_bandwidth_share"].to_list() == [0.5]


def test_kernels_of_another_name_role_or_fate_are_told_apart_in_their_order() -> None:
    rows: list[dict[str, Any]] = [{}, {"role": "norm"}, {"what": "renamed"}, {"base_kernel": "x"}, {"head_kernel": "y"}, {}]
    rows += [{"head_kernel": f"kernel_{n}"} for n in range(60)]
    frame = kernels(*rows).rows["kernel"].with_columns(excess=pl.int_range(pl.len()))

    assert named(frame)["excess"].to_list() == [0 + 5, 1, 2, 3, 4, *range(6, 66)]


def test_pairs_are_told_by_both_sides_names_and_grids() -> None:
    found = identity(
        [Pair(base=group(1, "a"), head=group(2, "b"), kind="renamed"), Pair(base=group(3), head=None, kind="removed")]
    )

    assert found.rows() == [
        (0, "renamed", "fc", "a", "b", "a<int>", "b<int>", "1x1x1", "2x1x1"),
        (1, "removed", "fc", "gemm", None, "gemm<int>", None, "3x1x1", None),
    ]
    added = identity([Pair(base=None, head=group(4), kind="added")]).row(0, named=True)
    assert (added["role"], added["base_kernel"], added["head_name"]) == ("fc", None, "gemm<int>")


def test_launches_carry_the_number_of_their_pair() -> None:
    pairs = [Pair(base=group(7), head=None, kind="removed"), Pair(base=group(5), head=group(7), kind="same")]

    frame = pl.DataFrame({"number": [5, 7, 5]})

    assert numbered(frame, pairs, "base").select("pair", "total").rows() == [(1, "all"), (0, "all"), (1, "all")]


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [([0, None], [None, 1], True), ([0, 0], [None, None], False), ([None, None], [0, 0], False), ([0, 0], [1, 1], True)],
)
def test_layers_are_known_where_both_sides_know_one(base: list[int | None], head: list[int | None], expected: bool) -> None:
    sides = [pl.DataFrame({"layer": side}, schema={"layer": pl.Int64}) for side in (base, head)]

    assert layered(*sides) is expected


def test_rows_change_most_by_the_bytes_of_the_larger_side_and_unknown_ones_least() -> None:
    frame = pl.DataFrame({"base_bytes": [1.0, None, 5.0, None], "head_bytes": [7.0, 3.0, 2.0, None]})

    assert frame.select(changed_most()).to_series().to_list() == [7.0, 3.0, 5.0, 0.0]


def change(base: float | None = 1.0, head: float | None = 1.0, log: float | None = 0.0) -> Change:
    return Change(base=base, head=head, log=log, reach=0.01, measured=True)


def judged(**facts: Any) -> Judged:
    return Judged(
        **{"verdict": "no_change", "bytes": change(), "flops": change(), "seconds": change(), "beyond": None, **facts}
    )


def test_verdicts_become_columns_with_their_numbers() -> None:
    made = columns(
        [judged(bytes=change(1.0, 2.0, 0.5), verdict="moves_more"), judged(doubt="missing:bytes", flops=change(None))]
    )

    assert made["verdict"].to_list() == ["moves_more", "no_change"]
    assert made["bytes_log"].to_list() == [0.5, 0.0]
    assert made["bytes_moved"].to_list() == [1, 0]
    assert made["flops_moved"].to_list() == [0, None]
    assert made["seconds_noise"].to_list() == [0.01, 0.01]
    assert made["bytes_change"][0] == pytest.approx(0.6487, rel=1e-3)  # e^0.5 - 1
    assert made["realised"].to_list() == [0.0, None]
    assert made["doubt"].to_list() == ["", "missing:bytes"]


ROW = {"role": "fc", "launches": 1.0, "launches_head": 1.0, "beyond": None, "beyond_head": None}
ROW |= {q + end + s: 8.0 for q in ("bytes", "flops", "seconds") for s in ("", "_head") for end in ("", "_low", "_high")}


def test_a_side_without_such_launches_moved_nothing() -> None:
    gone = {**ROW, "launches_head": None, "bytes_head": None, "flops_head": None, "seconds_head": None}

    found = judged_row(gone, "role", 1, {}, True, 2)

    assert (found.bytes.head, found.flops.head, found.seconds.head) == (0.0, 0.0, 0.0)
    unmeasured = judged_row({**gone, "launches_head": 1.0}, "role", 1, {}, True, 2)
    assert unmeasured.bytes.head is None


def test_the_side_further_beyond_the_ridge_counts() -> None:
    assert judged_row({**ROW, "beyond": 0.2, "beyond_head": 0.1}, "role", 1, {}, True, 2).beyond == 0.2
    assert judged_row({**ROW, "beyond_head": 0.1}, "role", 1, {}, True, 2).beyond == 0.1
    assert judged_row(ROW, "role", 1, {}, True, 2).beyond is None


def test_a_row_is_judged_by_its_own_noise() -> None:
    wide = Noise(variance=1.0, dof=100.0)
    noise: dict[tuple[object, str], Noise] = {("fc", "bytes"): wide, ("norm", "bytes"): Noise()}

    assert judged_row(ROW, "role", 1, noise, True, 2).bytes.measured
    assert not judged_row({**ROW, "role": "norm"}, "role", 1, noise, True, 2).bytes.measured
    assert judged_row(ROW, "role", 1, noise, False, 2).verdict == "not_comparable"


def side(basis: str, *attentions: int) -> Side:
    """A side of captures that hold so many launches of attention each."""
    studies = [SimpleNamespace(launches=full(pl.DataFrame({"role": ["attention"] * n + ["fc"]}))) for n in attentions]
    launches = pl.DataFrame({"name": ["gemm"] * len(studies)})
    return cast("Side", SimpleNamespace(basis=basis, studies=studies, launches=launches, captures=len(studies)))


def running(names: str, captures: int = 1) -> Side:
    """Captures of parts of a step, that run these kernels together, one a letter."""
    window = side("part", *[2] * captures)
    window.launches = pl.DataFrame({"name": list(names)})  # type: ignore[misc]
    return window


@pytest.mark.parametrize(
    ("base", "head", "apart"),
    [
        (running("agnagn"), running("agnagnagn"), True),  # two layers, three layers
        (running("agnagn"), running("agnagnagnagnagnagn", 3), False),  # two layers in each of three captures
        (running("agnagn"), running("agnagnn"), False),  # an edge of the window
        (running("agnagn"), running("acgnacgn"), False),  # a kernel more in each layer
        (running("agnagn"), running("xyz"), False),  # nothing in common: other kernels of the same layers
    ],
)
def test_windows_that_run_the_same_kernels_more_often_are_other_parts_of_a_step(base: Side, head: Side, apart: bool) -> None:
    assert undecided(judged(), base, head).verdict == ("cannot_tell" if apart else judged().verdict)
    assert undecided(judged(), head, base).verdict == ("cannot_tell" if apart else judged().verdict)


@pytest.mark.parametrize(
    ("base", "head", "verdict", "expected"),
    [
        (side("capture", 2), side("capture", 3), "no_change", "cannot_tell"),
        (side("capture", 2, 2), side("capture", 2, 3), "no_change", "cannot_tell"),
        (side("capture", 2), side("capture", 2), "no_change", "no_change"),
        (side("capture", 2, 3), side("capture", 3, 2, 2), "no_change", "no_change"),
        (side("token", 2), side("token", 3), "no_change", "no_change"),
        (side("part", 2), side("part", 3), "cuts_bytes", "cuts_bytes"),
        (side("part", 2), side("part", 4), "moves_more", "cannot_tell"),
        (side("part", 7), side("part", 4), "cuts_bytes", "cannot_tell"),
        (side("capture", 2), side("capture", 3), "not_comparable", "not_comparable"),
    ],
)
def test_captures_of_other_parts_of_a_run_cannot_be_told_without_tokens(
    base: Side, head: Side, verdict: str, expected: str
) -> None:
    found = undecided(judged(verdict=verdict), base, head)

    assert found.verdict == expected
    assert found.doubt == ("missing:basis" if expected == "cannot_tell" else "")


def test_their_rows_cannot_be_told_either() -> None:
    rows = pl.DataFrame({"verdict": ["moves_more", "no_change"], "doubt": ["", ""]})

    doubted = in_doubt(rows, judged(doubt="missing:basis"))

    assert doubted["verdict"].to_list() == ["cannot_tell"] * 2
    assert doubted["doubt"].to_list() == ["missing:basis"] * 2
    assert in_doubt(rows, judged(doubt="noise:bytes")).equals(rows)


SMALL: dict[str, Any] = {"kernel": "norm", "role": "norm", "count": 2, "dram_bytes": 1e6}


def test_a_comparison_has_roles_by_size_layers_and_kernels_in_order() -> None:
    found = compare([plain(SMALL, {})], [plain({**SMALL, "limited_by": "latency"}, {})])

    assert found.rows["role"]["role"].to_list() == ["fc", "norm"]
    assert found.rows["layer"]["layer"].to_list() == [0, 1, 2, 3]
    assert found.rows["kernel"]["head_kernel"].to_list() == ["norm", "gemm"]
    assert found.rows["role"].filter(role="norm")["base_launches"].to_list() == [2.0]
    assert (found.per, found.basis, found.verdict) == ("token", "token", found.judged.verdict)
    # two of six launches of 100 us each
    assert found.latency[0] == 0.0
    assert found.latency[1] == pytest.approx(1 / 3)


def test_a_role_of_one_side_only_has_no_launches_on_the_other() -> None:
    found = compare([plain({})], [plain({}, SMALL)], rows=["role"]).rows

    assert list(found) == ["role"]
    new = found["role"].filter(role="norm").row(0, named=True)
    assert (new["base_launches"], new["head_launches"], new["base_bytes"]) == (0.0, 2.0, None)


def test_layers_that_one_side_does_not_know_come_last_and_a_side_without_layers_has_none() -> None:
    base = plain({}, SMALL)
    unplaced = base.launches.with_columns(layer=pl.when(pl.col("role") == "fc").then("layer"))
    outside = plain({}, SMALL)
    object.__setattr__(outside, "launches", unplaced)

    assert compare([base], [outside]).rows["layer"]["layer"].to_list() == [0, 1, 2, 3, None]
    object.__setattr__(outside, "launches", base.launches.with_columns(layer=pl.lit(None, pl.Int64)))
    assert "layer" not in compare([base], [outside]).rows


def test_a_difference_that_blocks_makes_the_pair_not_comparable_unless_numbers_are_asked_for() -> None:
    sides = [plain({}, batch=1)], [plain({}, batch=8)]

    refused, asked, meant = compare(*sides), compare(*sides, anyway=True), compare(*sides, vary=frozenset({"batch"}))

    assert refused.verdict == "not_comparable" != asked.verdict
    assert [d.what for d in refused.blocking] == ["batch"]
    assert (refused.anyway, asked.anyway) == (False, True)
    assert meant.verdict != "not_comparable" and not meant.blocking and len(meant.differences) == 1


def test_a_part_of_a_token_is_told_as_a_token() -> None:
    known: Any = SimpleNamespace(basis="part")

    assert Comparison.per.__get__(known) == "token"
    known.basis = "step"
    assert Comparison.per.__get__(known) == "step"


def test_a_side_without_launches_is_refused_by_its_name() -> None:
    empty = plain({"count": 0})

    with pytest.raises(UnusableInput, match="the base has no launches"):
        compare([empty], [plain({})])
    with pytest.raises(UnusableInput, match="the head has no launches"):
        compare([plain({})], [empty])
