"""Where rows turn in a window without embedding and sampling: another pass has begun."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.sequence import segment
from ncu_roofline.analysis.turns import first_of_next, merged, seen

FLAGS = {"sampled": False, "sequences": False, "fixed": False, "least": False}


def lanes(*kernels: tuple[str, int], lane: list[int] | None = None) -> pl.DataFrame:
    """Launches of (kernel, blocks along x)."""
    return pl.DataFrame(
        {"kernel": [k for k, _ in kernels], "grid": [[x, 1, 1] for _, x in kernels], "lane": lane or [0] * len(kernels)},
        schema_overrides={"grid": pl.Array(pl.Int64, 3)},
    ).with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64), index=pl.int_range(pl.len(), dtype=pl.Int64))


def told(counts: dict[int, int | None], rule: int = 0, **flags: Any) -> pl.DataFrame:
    rows = [{"index": n, "rule": rule, "rows": c, **FLAGS, **flags} for n, c in counts.items()]
    return pl.DataFrame(rows, schema_overrides={"index": pl.Int64, "rows": pl.Int64})


def met(counts: list[int], lane: list[int] | None = None, **flags: Any) -> list[tuple[int, int, int]]:
    launches = lanes(*(("cache", c) for c in counts), lane=lane)
    return seen(launches, told(dict(enumerate(counts)), **flags)).rows()


@pytest.mark.parametrize(
    ("counts", "turned"),
    [
        ([1, 1, 512, 512], [(0, 1, 2)]),
        ([512, 512, 1, 1], [(0, 1, 2)]),
        ([4, 4, 8, 8], [(0, 1, 2)]),
        ([4, 4, 7, 7], []),  # less than twice: sequences that came or went
        ([8, 8, 5, 5], []),
        ([1, 512, 1, 512], []),  # two tensors of each layer
        ([1, 1, 512, 1, 1], []),  # once is no pass
        ([1, 1, 9, 512, 512], [(0, 1, 3)]),
        ([1, 1, 512, 512, 1, 1], [(0, 1, 2), (0, 3, 4)]),
        ([7, 7, 7], []),
    ],
)
def test_a_pass_turns_where_steady_rows_double_or_halve(counts: list[int], turned: list[tuple[int, int, int]]) -> None:
    assert met(counts) == turned


def test_lanes_and_kernels_turn_by_themselves() -> None:
    assert met([1, 1, 512, 512], [0, 0, 1, 1]) == []
    two = pl.concat([told({0: 1, 1: 1}), told({2: 512, 3: 512}, rule=1)])
    assert seen(lanes(*[("cache", 1)] * 4), two).rows() == []


@pytest.mark.parametrize("flag", list(FLAGS))
def test_sampled_rows_and_norms_of_heads_tell_of_no_turn(flag: str) -> None:
    assert met([1, 1, 512, 512], **{flag: True}) == []


def bounds(*given: tuple[int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(given, schema={"lane": pl.Int64, "last": pl.Int64, "next": pl.Int64}, orient="row")


def test_kernels_that_tell_of_one_turn_are_one() -> None:
    assert merged(bounds((0, 80, 90), (0, 47, 203), (0, 100, 210))).rows() == [(0, 80, 90), (0, 100, 210)]
    assert merged(bounds((0, 80, 90), (0, 85, 95))).rows() == [(0, 85, 90)]
    assert merged(bounds((0, 80, 90), (0, 90, 95))).rows() == [(0, 80, 90), (0, 90, 95)]
    assert merged(bounds((0, 80, 90), (1, 85, 95))).rows() == [(0, 80, 90), (1, 85, 95)]


def test_the_next_pass_begins_with_the_first_grid_that_the_last_one_did_not_have() -> None:
    one = [("attend", 1), ("cache", 1), ("attend", 1), ("cache", 1), ("gather", 1), ("attend", 1)]
    two = [("attend", 64), ("cache", 512), ("attend", 64), ("cache", 512)]
    # the gather is new, but of no kernel that the pass had: layers of another kind
    assert first_of_next(lanes(*one, *two), bounds((0, 3, 7))) == [6]
    # where nothing else turns, the kernel that tells of it does
    assert first_of_next(lanes(("cache", 1), ("cache", 1), ("x", 1), ("cache", 9)), bounds((0, 1, 3))) == [3]
    # what the pass before the last had is no matter
    assert first_of_next(lanes(*one, *two, *one), bounds((0, 3, 7), (0, 9, 11))) == [6, 10]
    # another lane's launches neither
    assert first_of_next(lanes(("attend", 9), *one, *two, lane=[0] + [1] * 10), bounds((1, 4, 8))) == [7]


def captured(*kernels: tuple[str, str, int]) -> pl.DataFrame:
    """Launches of (kernel, role, blocks along x) as classified."""
    names = [k for k, _, _ in kernels]
    return pl.DataFrame(
        {
            "kernel": names,
            "name": names,
            "role": [role for _, role, _ in kernels],
            "grid": pl.Series([[x, 1, 1] for _, _, x in kernels], dtype=pl.Array(pl.Int64, 3)),
            **dict.fromkeys(("process", "device", "stream"), [0] * len(kernels)),
        }
    ).with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))


WRITE, ATTEND = "reshape_and_cache_flash_kernel", "some_attention"


@pytest.mark.parametrize("rows", [4096, 300, 16])
def test_prefill_and_decode_of_attention_kernels_alone_are_told_apart(rows: int) -> None:
    """What `ncu -k regex:attention` leaves of a prompt and the steps after it."""
    prompt = [(WRITE, "kv-cache", rows), (ATTEND, "attention", rows // 8)] * 12
    steps = [(WRITE, "kv-cache", 4), (ATTEND, "attention", 4)] * 36
    found = segment(captured(*prompt, *steps))

    first = found.launches["phase"].cast(pl.String).to_list()[: len(prompt)]
    last = found.launches["phase"].cast(pl.String).to_list()[len(prompt) :]
    assert set(last) == {"decode"}
    assert set(first) == ({None} if rows == 300 else {"prefill"})  # 300 may be as many sequences, beside one other pass
    assert found.steps.value is None  # nobody knows how many steps 36 layers are
