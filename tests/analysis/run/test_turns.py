"""Where rows or kernels turn in a window without embedding and sampling: another pass has begun."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.cuts.turns import first_of_next, main_work, merged, seen, switched
from ncu_roofline.analysis.run.sequence import segment
from ncu_roofline.knowledge.limits import THRESHOLDS

FLAGS = {"sampled": False, "sequences": False, "planned": False, "fixed": False, "least": False}


def lanes(*kernels: tuple[str, int], lane: list[int] | None = None) -> pl.DataFrame:
    """Launches of (kernel, blocks along x)."""
    return pl.DataFrame(
        {"kernel": [k for k, _ in kernels], "grid": [[x, 1, 1] for _, x in kernels], "lane": lane or [0] * len(kernels)},
        schema_overrides={"grid": pl.Array(pl.Int64, 3)},
    ).with_columns(
        residual=pl.lit(False), row=pl.int_range(pl.len(), dtype=pl.Int64), index=pl.int_range(pl.len(), dtype=pl.Int64)
    )


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
    only: dict[str, Any] = {flag: True}
    assert met([1, 1, 512, 512], **only) == []


def test_norms_that_add_the_residual_stream_are_no_heads_and_tell_of_a_turn() -> None:
    hidden = lanes(*[("add_norm", n) for n in (1, 1, 512, 512)]).with_columns(residual=pl.lit(True))
    assert seen(hidden, told({0: 1, 1: 1, 2: 512, 3: 512}, least=True)).rows() == [(0, 1, 2)]


def switches(*names: str, lane: list[int] | None = None) -> list[tuple[int, int, int]]:
    kinds = pl.Series(["mixer"] * len(names))
    rows = lanes(*((name, 1) for name in names), lane=lane).with_columns(
        name="kernel", kind=kinds, helper=pl.lit(False), fc=pl.lit(False)
    )
    return switched(main_work(rows)).rows()


def test_a_pass_turns_where_its_attention_kernels_give_way_to_others() -> None:
    assert switches(*"pppp", *"dddd") == [(0, 3, 4)]
    assert switches(*"pppppppppp", *"dddddddddd") == [(0, 9, 10)]
    near = THRESHOLDS.near_switch
    assert switches(*["p"] * near, *["d"] * near, *["p"] * near) == [(0, 7, 8), (0, 15, 16)]
    # steps alternate sliding and full attention; so did the prompt
    assert switches(*"pqpqpqpq", *"dedededede") == [(0, 7, 8)]


@pytest.mark.parametrize(
    "names",
    [
        "aaaaaaaaaaaa",
        "abababababab",  # layers of two kinds
        "mmmmmmmammmmmmmammmmm",  # a state-space model with some attention
        "aaabbbbbb",  # too few to tell
        "bbbbbbaaa",
        "abcdefghijkl",  # names of their own, as of a graph compiled whole
        "aaaabcdefghi",
        "abcdefghiiii",
    ],
)
def test_layers_of_several_kinds_are_no_turn(names: str) -> None:
    assert THRESHOLDS.fewest_of_switch == 4
    assert switches(*names) == []


def test_kernels_switch_within_a_lane() -> None:
    assert switches(*"aaaabbbb", lane=[0] * 4 + [1] * 4) == []
    assert switches(*"aaaabbbbaaaabbbb", lane=[0] * 8 + [1] * 8) == [(0, 3, 4), (1, 11, 12)]


def test_the_main_work_is_attention_or_else_products() -> None:
    rows = lanes(*[("k", 1)] * 5, lane=[0, 0, 0, 1, 1]).with_columns(
        name="kernel",
        kind=pl.Series(["mixer", "mixer", None, None, None]),
        helper=pl.Series([False, True, False, False, True]),
        fc=pl.Series([False, False, True, True, True]),
    )
    assert main_work(rows).select("lane", "row", "n", "place").rows() == [(0, 0, 0, 0), (1, 3, 1, 0)]


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
    ).with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64), nvtx=pl.lit(None, pl.List(pl.String)))


WRITE, ATTEND = "reshape_and_cache_flash_kernel", "some_attention"


@pytest.mark.parametrize(
    ("prompt_rows", "step_rows", "expected"),
    [
        (4096, 1, ("prefill", "decode")),
        (4096, 4, ("prefill", None)),  # four sequences, or the last four tokens of the prompt
        (300, 4, (None, None)),
        (16, 1, (None, "decode")),
    ],
)
def test_prefill_and_decode_of_attention_kernels_alone_are_told_apart_where_rows_leave_no_doubt(
    prompt_rows: int, step_rows: int, expected: tuple[str | None, str | None]
) -> None:
    """What `ncu -k regex:attention` leaves of a prompt and the steps after it."""
    prompt = [(WRITE, "kv-cache", prompt_rows), (ATTEND, "attention", prompt_rows // 8)] * 12
    steps = [(WRITE, "kv-cache", step_rows), (ATTEND, "attention", step_rows)] * 36
    found = segment(captured(*prompt, *steps))

    phases = found.launches["phase"].cast(pl.String).to_list()
    assert (set(phases[: len(prompt)]), set(phases[len(prompt) :])) == ({expected[0]}, {expected[1]})
    assert found.steps.value is None  # nobody knows how many steps 36 layers are


def test_a_prompt_is_told_from_the_steps_behind_it_by_other_kernels_alone() -> None:
    prompt, steps = [("flash_fwd_kernel", "attention", 8)] * 8, [("flash_fwd_splitkv_kernel", "attention", 1)] * 24
    found = segment(captured(*prompt, *steps))

    phases = found.launches["phase"].cast(pl.String).to_list()
    assert phases == ["prefill"] * 8 + [None] * 24  # nothing says that a split kernel decodes
    assert found.launches.filter(pl.col("phase") == "prefill")["layer"].n_unique() == 8
