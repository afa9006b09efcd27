"""Windows of a run: what both hold, and what the rest could make of a sum."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.pairs import groups, match
from ncu_roofline.analysis.compare.windows import Held, anchored, divided, held, parts, wholly


def launches(*rows: tuple[str, str, float]) -> pl.DataFrame:
    """Launches of one capture in this order: kernel, role, bytes; a second, a FLOP and a share of 1 each."""
    ones = dict.fromkeys(("flops", "seconds", "share", "useful_flops", "bytes_most", "flops_most", "seconds_least"), 1.0)
    frame: list[dict[str, Any]] = [
        {
            "capture": 0,
            "index": n,
            "kernel": k,
            "name": k,
            "role": r,
            "family": r,
            "bytes": b,
            "grid": "1x1x1",
            "block": "32x1x1",
        }
        | {"position": None}
        | ones
        for n, (k, r, b) in enumerate(rows)
    ]
    return pl.DataFrame(frame, schema_overrides={"position": pl.Int64})


def sides(base: pl.DataFrame, head: pl.DataFrame, basis: str = "part") -> tuple[Held, Held]:
    """Both sides as the comparison takes them."""
    (one, base_groups), (other, head_groups) = groups(base), groups(head)
    pairs = match(base_groups, head_groups)

    def paired(frame: pl.DataFrame, side: str) -> pl.DataFrame:
        of = {g.number: n for n, p in enumerate(pairs) if (g := getattr(p, side)) is not None}
        return frame.with_columns(pair=pl.col("number").replace_strict(of, return_dtype=pl.Int64))

    return held(paired(one, "base"), paired(other, "head"), pairs, basis)


QKV, UP = ("qkv", "fc", 30.0), ("up", "fc", 60.0)


def test_each_kernel_counts_as_often_as_the_side_that_ran_it_less() -> None:
    assert parts({1: 4.0, 2: 2.0, 3: 1.0}, {1: 3.0, 2: 5.0}, {3}) == {1: 0.75, 2: 1.0, 3: 0.0}
    assert parts({7: 2.0}, {}, set()) == {7: 1.0}  # the run's own


def test_a_sum_is_at_the_least_without_the_largest_of_what_the_other_lacks() -> None:
    frame = launches(("a", "fc", 10.0), ("a", "fc", 20.0), ("a", "fc", 30.0), ("b", "fc", 5.0)).with_columns(
        pair=pl.Series([0, 0, 0, 1])
    )
    found = divided(frame, {0: 2 / 3, 1: 1.0})
    # two of three: 40 by the mean of 20, 30 without the largest, 60 with all; and 5 beside
    sums = [getattr(found, name)["bytes"].sum() for name in ("least", "counted", "most")]
    assert sums == pytest.approx([35.0, 45.0, 65.0])
    assert found.left_out["bytes"].to_list() == [30.0]
    assert divided(frame, {0: 1.0, 1: 1.0}).whole


def test_windows_of_equal_launches_and_whole_steps_are_taken_as_they_are() -> None:
    base, head = launches(QKV, UP), launches(QKV, UP, QKV)
    assert all(side.whole for side in sides(base, base))
    assert all(side.whole for side in sides(base, head, "token"))
    assert [side.whole for side in sides(base, head)] == [True, False]


def test_runs_with_no_kernel_in_common_are_not_windows_of_one() -> None:
    assert all(side.whole for side in sides(launches(QKV), launches(("other", "fc", 900.0), ("more", "norm", 1.0))))


def test_a_new_kernel_between_others_is_the_runs_and_one_at_the_edge_may_be_the_windows() -> None:
    new = ("dequantize", "quantize", 50.0)
    (base, between), (_, edge) = (
        sides(launches(QKV, UP), launches(QKV, new, UP)),
        sides(launches(QKV, UP), launches(QKV, UP, new)),
    )
    assert base.whole and between.whole
    assert edge.left_out["kernel"].to_list() == ["dequantize"]
    # what stands once a step proves nothing wherever it stands
    (_, sampled) = sides(launches(QKV, UP), launches(QKV, ("argmax", "sampling", 1.0), UP))
    assert sampled.left_out["kernel"].to_list() == ["argmax"]


def test_two_windows_that_begin_a_step_hold_the_same_layers() -> None:
    begins, inside = wholly(launches(("gather", "embedding", 1.0), QKV)), wholly(launches(QKV))
    assert anchored(begins, begins)
    assert not anchored(begins, inside) and not anchored(inside, inside)


def test_what_is_filtered_keeps_its_ends() -> None:
    _, head = sides(launches(QKV, UP), launches(QKV, UP, QKV))
    fc = head.filter(pl.col("kernel") == "qkv")
    assert [frame["bytes"].sum() for frame in (fc.least, fc.counted, fc.most)] == [30.0, 30.0, 60.0]
    assert wholly(launches(QKV)).filter(pl.col("kernel") == "up").whole
