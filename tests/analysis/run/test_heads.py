"""LM heads by their place, on rows written as letters: n norm, f product, w wide product, m attention, s sampling, e embedding."""

import polars as pl
import pytest

from ncu_roofline.analysis.run.cuts.anchors import KINDS
from ncu_roofline.analysis.run.cuts.heads import found, with_ends

LAYER = "nfmfnff"


def rows(
    text: str, lane: int = 1, first: int = 0, wide: tuple[int, int, int] = (160, 1, 1), server: bool = False
) -> pl.DataFrame:
    grids = [list(wide) if c == "w" else [100, 1, 1] for c in text]
    return pl.DataFrame(
        {
            "row": range(first, first + len(text)),
            "lane": [lane] * len(text),
            "name": [{"h": "head", "w": "head"}.get(c, c) for c in text],
            "kernel": [{"h": "head", "w": "head"}.get(c, c) for c in text],
            "grid": grids,
            "fc": [c in "fhw" for c in text],
            "norm": [c == "n" for c in text],
            "helper": [False] * len(text),
            "server": [server] * len(text),
            "kind": [{"m": "mixer", "s": "sampling", "e": "embedding"}.get(c) for c in text],
        },
        schema_overrides={"grid": pl.Array(pl.Int64, 3), "kind": KINDS, "row": pl.Int64},
    ).with_columns(
        fcs=pl.col("fc").cast(pl.Int64).cum_sum().over("lane"), norms=pl.col("norm").cast(pl.Int64).cum_sum().over("lane")
    )


def heads(text: str, wide: tuple[int, int, int] = (160, 1, 1)) -> list[int]:
    return [int(row) for row in found(rows(text, wide=wide)).sort()]


STEP = LAYER * 4 + "nh"
"""Four layers of 7 launches; the head is launch 29."""


def test_the_only_product_between_two_norms_that_is_far_rarer_than_attention_is_the_head() -> None:
    assert heads(STEP * 3) == [29, 59, 89]


def test_at_three_layers_it_is_too_frequent_to_tell() -> None:
    assert heads((LAYER * 3 + "nh") * 3) == []


def test_right_before_the_next_embedding_a_head_is_told_at_any_depth_and_so_is_the_same_at_the_end_of_a_window() -> None:
    # 1 + 7 + 1 launches before the head of the first step, 10 a step
    assert heads(("e" + LAYER + "nh") * 3) == [9, 19, 29]
    # a product of the layer before the embedding of a chunk is none
    assert heads(("e" + LAYER) * 3) == []


def test_a_lone_step_of_two_layers_ends_with_its_widest_product_that_runs_once() -> None:
    assert heads("e" + LAYER * 2 + "nw") == [16]
    # of one layer it may be the first product behind the norm, as wide
    assert heads("e" + LAYER + "nw") == []
    assert heads("e" + LAYER * 2 + "nw", wide=(140, 1, 1)) == []


def test_what_only_finishes_the_head_belongs_to_it() -> None:
    finish = rows((LAYER * 4 + "nhf") * 3).with_columns(helper=pl.col("row") % 31 == 30)
    assert with_ends(finish).filter(pl.col("kind") == "sampling")["row"].to_list() == [29, 30, 60, 61, 91, 92]
    # neither a kernel of another role nor one that stands elsewhere
    assert with_ends(finish.with_columns(fc=pl.col("fc") & ~pl.col("helper"))).filter(pl.col("kind") == "sampling")[
        "row"
    ].to_list() == [29, 60, 91]


def test_two_products_between_norms_are_no_head() -> None:
    assert heads((LAYER * 4 + "nhf") * 3) == []


def test_a_server_draws_on_the_gpu_so_that_its_step_does_not_end_with_the_window_at_the_head() -> None:
    lone = "e" + LAYER * 2 + "nw"
    assert found(rows(lone)).to_list() == [16]
    assert found(rows(lone, server=True)).to_list() == []
    # a head that recurs ends its steps whoever launches it
    assert found(rows((STEP + "e") * 2, server=True)).to_list() == [29, 60]


def test_at_the_end_of_a_window_a_head_of_its_own_is_by_far_the_widest() -> None:
    assert heads(LAYER * 4 + "nw") == [29]
    assert heads(LAYER * 4 + "nw", (150, 1, 1)) == []
    assert heads(LAYER * 4 + "nh") == []
    assert heads(LAYER * 4 + "nw", (1, 160, 1)) == [29]
    assert heads(LAYER * 4 + "nw", (4, 4, 10)) == [29]


def test_before_every_norm_nothing_is_a_head() -> None:
    assert heads("h" + LAYER * 4) == []


@pytest.mark.parametrize("text", [STEP * 2 + LAYER])
def test_a_head_ends_its_pass(text: str) -> None:
    kinds = with_ends(rows(text))["kind"].cast(pl.String).to_list()
    assert [at for at, kind in enumerate(kinds) if kind == "sampling"] == [29, 59]
    assert kinds.count("mixer") == 9


def test_a_lane_with_sampling_keeps_its_own_ends() -> None:
    sampled = rows(STEP + "s" + STEP + "s")
    assert with_ends(sampled).equals(sampled)
    other = rows(STEP * 2 + LAYER, lane=2, first=sampled.height)
    kinds = with_ends(pl.concat([sampled, other])).filter(pl.col("kind") == "sampling")
    assert kinds["row"].to_list() == [30, 61, 62 + 29, 62 + 59]


def test_a_product_right_before_attention_is_its_layers_own() -> None:
    assert heads((LAYER * 4 + "nhnm") * 3) == []


def test_a_window_may_begin_with_the_norm_and_the_head_of_the_step_before() -> None:
    # 2 launches, then a step whose head is launch 29
    assert heads("nh" + STEP + LAYER) == [1, 2 + 29]
