"""Decode step or prefill pass: each sign by itself."""

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.phases import (
    SMALLEST_PREFILL,
    agreed,
    by_itself,
    by_others,
    kind_of,
    rows_of_passes,
    with_heads,
    with_leading,
)

PASS = {
    "rows": pl.Int64,
    "sampled": pl.Int64,
    "sequences": pl.Int64,
    "least": pl.Int64,
    "carries": pl.Boolean,
    "only_prefill": pl.Boolean,
    "only_decode": pl.Boolean,
    "first": pl.Boolean,
}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"carries": True, "only_decode": True, "rows": 8, "sampled": 8}, "mixed"),
        ({"only_prefill": True, "rows": 1, "sampled": 1}, "prefill"),
        ({"only_decode": True, "rows": SMALLEST_PREFILL}, "decode"),
        ({"rows": 8, "sampled": 4, "least": 8}, "prefill"),  # twice as many as are sampled
        ({"rows": 8, "sampled": 4, "least": 8, "first": True}, None),  # or the first draft behind a verification
        ({"rows": 68, "sampled": 4, "least": 8, "first": True}, "prefill"),  # 17 rows each: no chain of drafts
        ({"rows": 7, "sampled": 4, "least": 7}, "decode"),  # padded
        ({"rows": 7, "sampled": 4, "least": 6}, "prefill"),  # more than these are padded to
        ({"rows": 4, "sampled": 4, "least": 3}, "decode"),
        ({"rows": 4, "sampled": 4, "least": 4}, "decode"),
        ({"rows": SMALLEST_PREFILL, "sampled": SMALLEST_PREFILL, "least": SMALLEST_PREFILL}, "decode"),
        ({"rows": 3, "sampled": 4, "least": 3}, None),  # fewer than are sampled: one of them is wrong
        ({"rows": 32, "sequences": 32}, "decode"),  # one query of each sequence
        ({"rows": 64, "sequences": 1}, None),  # a prompt, or drafts that are verified
        ({"rows": 65, "sequences": 1}, "prefill"),  # no tree of drafts has as many
        ({"rows": 128, "sequences": 2}, None),
        ({"rows": SMALLEST_PREFILL, "sampled": 2 * SMALLEST_PREFILL, "least": 1}, "prefill"),
        ({"rows": 1}, "decode"),
        ({"rows": 2}, None),  # a short prompt looks like that
        ({"rows": 100}, None),
        ({"rows": SMALLEST_PREFILL - 1}, None),
        ({"rows": SMALLEST_PREFILL}, "prefill"),
        ({}, None),
        ({"sampled": 4}, None),
    ],
)
def test_a_pass_by_itself(told: dict[str, Any], expected: str | None) -> None:
    assert pl.DataFrame([told], schema=PASS).select(by_itself()).item() == expected


def others(
    rows: list[int | None],
    phase: list[str | None],
    only_decode: list[bool | None] | None = None,
    sampled: list[int | None] | None = None,
) -> list[str | None]:
    nothing = [None] * len(rows)
    schema = {"rows": pl.Int64, "phase": pl.String, "only_decode": pl.Boolean, "sampled": pl.Int64, "sequences": pl.Int64}
    told = {"rows": rows, "phase": phase, "only_decode": only_decode or nothing, "sampled": sampled or nothing}
    told |= {"sequences": nothing}
    schema |= {"last": pl.Boolean, "first": pl.Boolean}
    told |= {"last": [False] * len(rows), "first": [False] * len(rows)}
    table = pl.DataFrame(told, schema=schema)
    return table.select(by_others()).to_series().to_list()


def test_more_than_twice_the_rows_of_the_usual_step_are_a_prefill() -> None:
    assert others([4, 4, 8, 9, 9, 9], ["decode", "decode", "decode", "decode", None, "prefill"]) == [
        *["decode"] * 3,
        *["prefill"] * 3,
    ]


def test_fewer_rows_or_none_stay_what_they_were() -> None:
    assert others([4, 4, 8, None], ["decode", "decode", None, None]) == ["decode", "decode", None, None]


def test_a_lone_step_is_no_usual_one() -> None:
    assert others([4, 9], ["decode", None]) == ["decode", None]
    assert others([4, 4, 9], ["decode", "decode", None])[2] == "prefill"


def test_kernels_of_decode_stand_against_rows() -> None:
    assert others([4, 4, 9, 9], ["decode"] * 4, [None, None, True, False]) == ["decode", "decode", "decode", "prefill"]


def test_steps_that_sample_every_row_stay_decode_however_many_sequences_came() -> None:
    assert others([1, 1, 1, 8], ["decode"] * 4, sampled=[1, 1, 1, 8]) == ["decode"] * 4
    assert others([1, 1, 1, 8], ["decode"] * 4, sampled=[1, 1, 1, 7])[3] == "prefill"
    assert others([1, 1, 1, 8], [*["decode"] * 3, None], sampled=[1, 1, 1, 8])[3] == "prefill"


def test_of_equally_usual_steps_the_smallest_counts_and_prefills_do_not() -> None:
    assert others([4, 6, 9], ["decode", "decode", None])[2] == "prefill"
    assert others([6, 6, 4, 4, 4, 9], ["decode", "decode", "prefill", "prefill", "prefill", None])[5] is None


VOTE = {
    "group": 0,
    "rule": 1,
    "what": "norm",
    "layer": 0,
    "rows": 4,
    "least": False,
    "sampled": False,
    "sequences": False,
    "planned": False,
    "embedding": False,
    "fixed": False,
}
TYPES = {"layer": pl.Int64, "rows": pl.Int64, "group": pl.Int64, "rule": pl.Int64}


def votes(*given: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{"index": n, **VOTE, **each} for n, each in enumerate(given)], schema_overrides=TYPES)


def places(*given: tuple[int | None, int, bool]) -> pl.DataFrame:
    """(layer, group, fc) of every launch."""
    frame = pl.DataFrame(given, schema={"layer": pl.Int64, "group": pl.Int64, "fc": pl.Boolean}, orient="row")
    return frame.with_columns(index=pl.int_range(pl.len()), mixer=pl.lit(False), stream=pl.lit(7), helper=pl.lit(False))


def test_the_rows_that_most_rules_tell_are_agreed_on_and_their_kinds_named() -> None:
    told = votes({"rule": 1, "rows": 4}, {"rule": 2, "rows": 4, "what": "act"}, {"rule": 3, "rows": 9, "what": "fc"})
    assert agreed(told).rows() == [(0, 4, "act, norm")]


def test_a_rule_has_one_vote_however_many_launches_it_has() -> None:
    told = votes({"rows": 9}, {"rows": 9}, {"rows": 4, "rule": 2, "what": "a"}, {"rows": 4, "rule": 3, "what": "b"})
    assert agreed(told).rows() == [(0, 4, "a, b")]


def test_at_most_three_kinds_are_named() -> None:
    assert agreed(votes(*({"rule": n, "what": w} for n, w in enumerate("dcba")))).rows() == [(0, 4, "a, b, c")]


def test_of_as_many_rules_the_fewer_rows_count() -> None:
    assert agreed(votes({"rows": 9, "rule": 2}, {"rows": 4})).rows() == [(0, 4, "norm")]


def test_of_as_many_rules_that_of_more_layers_counts() -> None:
    # llama.cpp: the last layer of a prompt sees one row, and multiplies it by another kernel
    layers = [{"rows": 512, "layer": n} for n in range(3)]
    assert agreed(votes(*layers, {"rows": 1, "rule": 2, "layer": 3})).rows() == [(0, 512, "norm")]
    assert agreed(votes(*layers, {"rows": 1, "rule": 2}, {"rows": 1, "rule": 3})).rows() == [(0, 1, "norm")]


def test_a_rule_tells_what_it_tells_in_most_layers_and_the_least_where_it_says_so() -> None:
    usual = votes(
        {"rows": 9}, {"rows": 9}, {"rows": 4}, {"rows": 4, "layer": 1}, {"rows": 4, "layer": 2}, {"rows": 9, "layer": 3}
    )
    # layer 0: 9, 9 and 4; then 4, 4, 9: of equally many the fewer
    assert agreed(usual).rows() == [(0, 4, "norm")]
    least = votes({"rows": 9, "least": True}, {"rows": 9, "least": True}, {"rows": 4, "least": True})
    assert agreed(least).rows() == [(0, 4, "norm")]
    assert agreed(votes({"rows": 9}, {"rows": 9}, {"rows": 4})).rows() == [(0, 9, "norm")]


def test_each_pass_agrees_on_its_own() -> None:
    assert agreed(votes({"group": 1, "rows": 7}, {"rows": 4})).rows() == [(0, 4, "norm"), (1, 7, "norm")]


def of_passes(told: list[dict[str, Any]], where: list[tuple[int | None, int, bool]]) -> list[dict[str, Any]]:
    frame = votes(*told).drop("layer", "group")
    return rows_of_passes(frame, places(*where)).to_dicts()


def test_rows_sampled_rows_and_sequences_are_told_apart() -> None:
    found = of_passes(
        [
            {"rows": 16},
            {"rows": 4, "sampled": True, "what": "head"},
            {"rows": 3, "sequences": True, "what": "cache"},
            {"rows": 8, "planned": True, "what": "plan"},
        ],
        [(0, 0, False), (None, 0, False), (None, 0, False), (None, 0, False)],
    )
    assert found == [
        {
            "group": 0,
            "planned": 8,
            "what_planned": "plan",
            "sequences": 3,
            "what_sequences": "cache",
            "sampled": 4,
            "what_sampled": "head",
            "rows": 16,
            "what_rows": "norm",
            "contested": None,
        }
    ]


def test_where_there_are_layers_only_they_and_the_embedding_tell_rows() -> None:
    where: list[tuple[int | None, int, bool]] = [(0, 0, False), (None, 0, False), (None, 0, False)]
    told: list[dict[str, Any]] = [{"rows": 16}, {"rows": 1, "rule": 2, "what": "x"}, {"rows": 1, "rule": 3, "what": "y"}]
    assert of_passes(told, where)[0]["rows"] == 16
    embedded: list[dict[str, Any]] = [{"rows": 16}, {**told[1], "embedding": True}, {**told[2], "embedding": True}]
    assert of_passes(embedded, where)[0]["rows"] == 1
    assert of_passes(told, [(None, 0, False)] * 3)[0]["rows"] == 1


def test_a_pass_of_layers_and_attention_is_told_by_its_layers_alone() -> None:
    told = votes({"rows": 16}, {"rows": 1, "rule": 2}, {"rows": 1, "rule": 3}).drop("layer", "group")
    at = places((0, 0, False), (None, 0, False), (None, 0, False))
    assert rows_of_passes(told, at.with_columns(mixer=pl.lit(True)))["rows"].to_list() == [16]


def test_shares_of_streams_add_up_and_a_kernel_of_one_stream_says_nothing() -> None:
    # halves of 5 and 3 rows in one layer; the launch of rule 2 runs on the first stream alone
    told = [{"rows": 5}, {"rows": 3}, {"rule": 2, "rows": 5}, {"rule": 3, "rows": 8, "embedding": True}]
    frame = votes(*told).drop("layer", "group")
    at = places((0, 0, False), (0, 0, False), (0, 0, False), (None, 0, False)).with_columns(
        stream=pl.Series([7, 8, 7, 7]), mixer=pl.Series([True, True, False, False])
    )
    found = rows_of_passes(frame, at).row(0, named=True)
    assert (found["rows"], found["contested"]) == (8, None)


def test_kinds_of_votes() -> None:
    frame = votes({}, {"sampled": True}, {"sequences": True}, {"planned": True})
    kinds = [frame.select(kind_of(name)).to_series().to_list() for name in ("rows", "sampled", "sequences", "planned")]
    assert kinds == [[column == row for column in range(4)] for row in range(4)]


def led(fixed: list[bool], fc: list[bool], layer: list[int | None] | None = None) -> list[int]:
    told = votes(*({"fixed": f} for f in fixed)).drop("layer", "group")
    where = [((layer or [0] * len(fc))[n], 0, c) for n, c in enumerate(fc)]
    return with_leading(told, places(*where))["index"].to_list()


def test_a_product_of_one_row_by_its_kind_speaks_only_where_the_layers_first_one_is_such() -> None:
    assert led([True, True], [True, True]) == [0, 1]
    assert led([False, True], [True, True]) == [0]
    assert led([False, True], [False, True]) == [0, 1]
    # in another layer, or outside of layers, its own first product counts
    assert led([False, True, True], [True, True, True], [0, 1, None]) == [0, 1, 2]
    assert led([False, True], [True, True], [None, None]) == [0]


def test_where_no_product_is_known_one_of_one_row_says_nothing() -> None:
    assert led([False, True], [False, False]) == [0]


def heads(layer: list[int | None], fc: list[bool]) -> list[int]:
    """Which launches speak of sampled rows, given the place of each."""
    told = votes(*({"layer": at} for at in layer))
    found = with_heads(told, places(*((at, 0, c) for at, c in zip(layer, fc, strict=True))))
    return found.filter("sampled")["index"].to_list()


def test_the_lone_product_behind_the_last_layer_sees_the_sampled_rows() -> None:
    assert heads([0, 1, None, None], [True, True, False, True]) == [3]
    # experts of a loop, products before the layers, and windows without layers say nothing of heads
    assert heads([0, 1, None, None], [True, True, True, True]) == []
    assert heads([None, 0, 1], [True, True, True]) == []
    assert heads([None, None], [True, False]) == []


@pytest.mark.parametrize(
    ("rows", "least", "sampled"),
    [
        ([16, 64, 1], True, [2]),  # 64 are rows of heads
        ([16, 64, 16], True, []),  # the head takes its rows after the norm, as vLLM's
        ([16, 64, 17], True, []),
        ([16, 64, 1], False, []),
    ],
)
def test_a_norm_behind_the_last_layer_that_sees_fewer_rows_sees_the_sampled_ones(
    rows: list[int], least: bool, sampled: list[int]
) -> None:
    told = votes(*({"rows": n, "least": least, "layer": at} for n, at in zip(rows, (0, 0, None), strict=True)))
    where = places((0, 0, True), (0, 0, True), (None, 0, False))
    assert with_heads(told, where).filter("sampled")["index"].to_list() == sampled
    # of another rule, of another pass, or before the layers it says nothing
    assert not with_heads(told.with_columns(rule=pl.Series([1, 1, 2])), where)["sampled"].any()
    assert not with_heads(told.with_columns(group=pl.Series([1, 1, 0])), where)["sampled"].any()
    early = places((None, 0, False), (0, 0, True), (0, 0, True))
    moved = told.with_columns(index=pl.Series([1, 2, 0]), rows=pl.Series(rows))
    assert not with_heads(moved, early)["sampled"].any()


def test_rows_that_a_head_leaves_out_are_a_prompt() -> None:
    where = [(0, 0, True), (None, 0, True)]
    (prompt,) = of_passes([{"rows": 16}, {"rows": 1, "what": "matrix-vector products"}], where)
    assert (prompt["rows"], prompt["sampled"], prompt["what_sampled"]) == (16, 1, "matrix-vector products")
