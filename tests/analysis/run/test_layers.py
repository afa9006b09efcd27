"""Where layers begin and end, on rows written as letters.

n norm, r norm that adds the residual stream, q norm of queries (another grid), f product, m attention,
e embedding, s sampling; any other letter is a kernel of that name.
"""

import polars as pl
import pytest

from ncu_roofline.analysis.run.cuts.layers import (
    KINDS,
    added_twice,
    boundaries,
    by_period,
    cuts,
    fewer_than_two,
    from_starts,
    hidden_norm,
    layer_begins,
    layer_ends,
    nearest_norm,
    tail_length,
    with_cut,
)

ANCHORS = {"m": "mixer", "e": "embedding", "s": "sampling"}


def rows(*passes: str, first: int = 0, lane: int = 1) -> pl.DataFrame:
    text = "".join(passes)
    return pl.DataFrame(
        {
            "row": range(first, first + len(text)),
            "pass": [number for number, each in enumerate(passes) for _ in each],
            "lane": [lane] * len(text),
            "turn": [0] * len(text),
            "name": list(text),
            "grid": [[8 if c == "q" else 1, 1, 1] for c in text],
            "fc": [c == "f" for c in text],
            "norm": [c in "nrq" for c in text],
            "residual": [c == "r" for c in text],
            "any_norm": [c in "nrq" for c in text],
        },
        schema_overrides={"grid": pl.Array(pl.Int64, 3)},
    )


def anchors(of: pl.DataFrame) -> pl.DataFrame:
    kind = pl.col("name").replace_strict(ANCHORS, default=None, return_dtype=pl.String)
    return of.with_columns(kind=kind).filter(pl.col("kind").is_not_null()).select("lane", "kind", start="row", end="row")


def found(*passes: str, first: int = 0) -> list[tuple[int, str, bool]]:
    of = rows(*passes, first=first)
    return [(row, kind, whole) for row, kind, whole in cuts(of, anchors(of)).select("row", "kind", "whole").iter_rows()]


LAYER = "nfmfnf"


def test_a_step_is_its_prelude_its_layers_and_its_head() -> None:
    # 1 launch, twice 6, 3
    assert found("e" + LAYER * 2 + "nfs") == [(0, "rest", False), (1, "layer", True), (7, "layer", True), (13, "rest", False)]


def test_the_next_step_begins_anew() -> None:
    step = "e" + LAYER * 2 + "nfs"
    one = [(0, "rest", False), (1, "layer", True), (7, "layer", True), (13, "rest", False)]
    assert found(step, step) == one + [(row + 16, kind, whole) for row, kind, whole in one]


def test_rows_are_numbered_from_the_lanes_first() -> None:
    step = "e" + LAYER * 2 + "nfs"
    assert found(step, first=100) == [(row + 100, kind, whole) for row, kind, whole in found(step)]


def test_a_window_that_begins_within_a_layer_has_a_part_of_one() -> None:
    assert found("f" + LAYER * 2 + "n") == [(0, "layer", False), (1, "layer", True), (7, "layer", True), (13, "layer", False)]


def test_launches_without_a_product_before_the_first_layer_are_none() -> None:
    assert found("x" + LAYER * 2 + "n")[0] == (0, "rest", False)


def test_a_product_behind_the_embedding_begins_no_layer() -> None:
    assert found("ef" + LAYER * 2 + "nfs")[0] == (0, "rest", False)


def test_the_last_layer_of_a_cut_window_is_not_whole() -> None:
    assert found("e" + LAYER + "nfm") == [(0, "rest", False), (1, "layer", True), (7, "layer", False)]


def test_lanes_are_cut_apart() -> None:
    step = "e" + LAYER * 2 + "nfs"
    one, other = rows(step), rows(step, first=16, lane=2).with_columns(pl.col("pass") + 1)
    both = pl.concat([one, other])
    assert cuts(both, anchors(both)).select("row", "pass").rows() == [
        (r, p) for p in (0, 1) for r in (16 * p, 16 * p + 1, 16 * p + 7, 16 * p + 13)
    ]


def hidden(*passes: str) -> str:
    """The rows with a dot for every norm that is not over hidden rows."""
    of = rows(*passes)
    is_norm = hidden_norm(of, anchors(of)).to_list()
    return "".join(c if c not in "nrq" or keep else "." for c, keep in zip("".join(passes), is_norm, strict=True))


def test_norms_of_another_grid_than_that_behind_attention_are_not_of_hidden_rows() -> None:
    assert hidden("nfqmfnf" * 2) == "nf.mfnf" * 2
    assert hidden("qfnmfqf" * 2) == "qf.mfqf" * 2


def test_a_norm_of_several_kernels_is_known_by_its_first() -> None:
    assert hidden("nqfmfnqf" * 2) == "nqfmfnqf" * 2
    assert hidden("nfqnmfnf" * 2) == "nf..mfnf" * 2


def test_without_a_norm_behind_a_projection_behind_attention_all_norms_count() -> None:
    assert hidden("nfqm") == "nfqm"
    assert hidden("nfqmn") == "nfqmn"


def test_each_pass_has_its_own_usual_norm() -> None:
    assert hidden("nfqmfnf", "qfnmfqf") == "nf.mfnfqf.mfqf"


def test_the_most_frequent_look_is_the_usual_one() -> None:
    assert hidden("nfmfn" * 2 + "nfmfq") == "nfmfn" * 2 + "nfmf."


def test_norms_that_add_the_residual_stream_differ_from_those_that_do_not_where_two_of_a_layer_add() -> None:
    assert hidden("rfnmfrf" * 2) == "rf.mfrf" * 2
    # one of a layer adds: that tells nothing
    assert hidden("nfmfrf" * 2) == "nfmfrf" * 2


@pytest.mark.parametrize(
    ("text", "expected"), [("mrfrf", True), ("rrmrfmrf", False), ("mrfnfmrfrf", True), ("mnfnf", False), ("rr", False)]
)
def test_the_stream_is_added_twice_where_two_norms_behind_one_attention_add_it(text: str, expected: bool) -> None:
    assert added_twice(rows(text), pl.col("name") == "m") is expected


def cut_of(text: str) -> list[int | None]:
    of = rows(text, first=10)
    return with_cut(of, anchors(of))["cut"].to_list()


def test_a_layer_begins_at_the_norm_before_the_last_product_before_attention() -> None:
    # rows from 10 on
    assert cut_of("nfmfnf" + "nfm") == [10, 16]
    assert cut_of("nfnm") == [10]
    assert cut_of("nnfm") == [10]


def test_without_a_norm_behind_the_attention_before_there_is_no_cut() -> None:
    assert cut_of("nfmffm") == [10, None]
    assert cut_of("fmnfm") == [None, 12]
    assert cut_of("nm") == [None]


def test_behind_an_embedding_a_layer_begins_at_the_next_norm_else_at_once() -> None:
    assert cut_of("exnfm") == [None, 12]
    assert cut_of("exfmn") == [None, 11]
    assert cut_of("exnxnfm") == [None, 12]


def test_the_head_begins_at_its_norm_whatever_that_normalises() -> None:
    of = rows("nfmfnfqfs", first=10)
    only_hidden = of.with_columns(norm=pl.col("name") == "n")
    assert with_cut(only_hidden, anchors(of))["cut"].to_list() == [10, 16]


def test_an_anchor_knows_its_pass_its_product_and_the_anchor_before() -> None:
    of = rows("nfm", "ffm", first=10)
    table = with_cut(of, anchors(of))
    assert table.select("pass", "head", "before", "previous").rows() == [(0, 11, 9, None), (1, 14, 12, "mixer")]


def mixers(start: list[int], cut: list[int | None], before: list[int]) -> pl.DataFrame:
    columns = {"start": start, "cut": cut, "before": before, "turn": [0] * len(start)}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))


def test_where_no_norm_says_it_a_layer_begins_as_far_before_its_attention_as_others() -> None:
    begins = layer_begins(mixers([10, 20, 30, 40], [8, None, 28, 37], [5, 15, 25, 35]))
    assert begins["row"].to_list() == [8, 18, 28, 37]
    assert begins["firm"].to_list() == [True, False, True, True]
    assert begins["kind"].unique().to_list() == ["layer"]


def test_but_never_within_the_layer_before() -> None:
    assert layer_begins(mixers([10, 20, 30], [6, None, 26], [5, 17, 25]))["row"].to_list() == [6, 18, 26]
    assert layer_begins(mixers([10], [None], [5]))["row"].to_list() == [None]


def test_without_norms_layers_are_as_long_before_attention_as_the_window() -> None:
    of = rows("x" * 120, first=101)
    found = from_starts(of, mixers([104, 124, 150, 170, 195, 215], [None] * 6, [100, 122, 124, 150, 170, 195]))
    # 3 launches before the first; the second not before row 123
    assert found["row"].to_list() == [101, 123, 147, 167, 192, 212]
    # 20 launches from one to the next, give or take five: 26 is more, 25 is not
    assert found["firm"].to_list() == [True, False, True, True, True, True]


def test_the_window_is_measured_at_its_first_attention() -> None:
    assert from_starts(rows("x" * 60), mixers([3, 14, 24], [None] * 3, [-1, 3, 14]))["row"].to_list()[0] == 0


def test_a_first_attention_further_on_than_a_layer_is_long_is_not_in_the_first_layer() -> None:
    found = from_starts(rows("x" * 60), mixers([23, 33, 43], [None] * 3, [-1, 23, 33]))
    assert found["row"].to_list() == [20, 30, 40]


def test_layers_of_a_pass_that_turned_are_measured_by_themselves() -> None:
    # three layers of 10 launches, then three of 4 with one launch before attention, then a lone one
    second, last = pl.col("row") >= 30, pl.col("row") >= 42
    of = rows("x" * 45).with_columns(turn=second.cast(pl.Int64) + last.cast(pl.Int64))
    starts = [3, 13, 23, 31, 35, 39, 44]
    turned = mixers(starts, [None] * 7, [-1, *starts[:-1]]).with_columns(turn=pl.Series([0, 0, 0, 1, 1, 1, 2]))
    placed = from_starts(of, turned)
    assert placed["row"].to_list() == [0, 10, 20, 30, 34, 38, 42]
    assert placed["firm"].to_list() == [True] * 7


@pytest.mark.parametrize(
    ("starts", "length", "expected"),
    [([5], 10, True), ([], 10, True), ([0, 10], 10, True), ([0, 9], 10, False), ([0, 10, 19], 10, False)],
)
def test_a_period_of_layers_holds_one_attention(starts: list[int], length: int, expected: bool) -> None:
    assert fewer_than_two(mixers(starts, [None] * len(starts), starts), length) is expected


def test_layers_by_period_begin_with_the_lane_and_may_end_with_it() -> None:
    found = by_period(rows("xxxx", "xx", first=100), 3)
    assert found.rows() == [(100, 0, "layer", True), (103, 0, "layer", True), (106, 1, "layer", True)]
    assert by_period(rows("xxxxx", "x", first=100), 3).rows()[2] == (106, 1, "layer", True)
    assert by_period(rows("xxxx", "x", first=100), 3)["row"].to_list() == [100, 103]
    assert by_period(rows("xxx", "xxxx", first=100), 3).rows()[1:] == [(103, 1, "layer", True), (106, 1, "layer", True)]


def begins(row: list[int], start: list[int], number: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"pass": number, "row": row, "start": start, "end": start}, schema_overrides={"row": pl.Int64, "start": pl.Int64}
    )


def test_the_tail_of_a_layer_is_as_long_as_that_of_others() -> None:
    of = rows("x" * 30)
    assert tail_length(of, begins([0, 10, 20], [3, 13, 23], [0, 0, 0])) == 7
    assert tail_length(of, begins([0, 10, 25, 35], [3, 13, 28, 38], [0, 0, 1, 1])) == 7
    assert tail_length(of, begins([0, 10], [3, 13], [0, 1])) is None
    assert tail_length(of, begins([], [], [])) is None


def test_the_tail_of_a_lone_layer_is_what_its_period_leaves() -> None:
    # a period of 4, of which attention comes 2 behind the beginning
    assert tail_length(rows("abmdabmdabmd"), begins([1], [3], [0])) == 4 - 2


def near(text: str, starts: list[int], length: int) -> list[int | None]:
    return nearest_norm(rows(text), pl.Series(starts, dtype=pl.Int64), length).to_list()


NORMS = "nxxxxxxxxxnxxxxxxxxxnnxxxx"
"""Norms at 0, 10 and 20; the last one of two kernels."""


def test_a_layer_ends_at_the_norm_a_layers_length_on_give_or_take_a_quarter() -> None:
    assert near(NORMS, [2, 4, 1, 0, 5], 8) == [10, 10, 10, 10, None]
    assert near(NORMS, [14, 2], 8) == [20, 10]
    assert near(NORMS, [9, 10, 7], 2) == [10, None, 10]
    # 21 is the second kernel of the norm at 20
    assert near(NORMS, [18], 4) == [None]


def test_where_no_norm_is_captured_it_ends_there() -> None:
    assert near("xxxx", [2, 1], 8) == [10, 9]


def ended(
    of: pl.DataFrame, begun: pl.DataFrame, heads: list[tuple[str, str, int, int | None, int | None]]
) -> list[tuple[int, int, str, bool]]:
    names = {"kind": pl.String, "previous": pl.String, "pass": pl.Int64, "cut": pl.Int64, "head": pl.Int64}
    return layer_ends(of, pl.DataFrame(heads, schema=names, orient="row"), begun).rows()


def test_the_last_layer_ends_at_the_norm_of_the_head() -> None:
    of = rows("x" * 30)
    assert ended(of, begins([0, 10], [3, 13], [0, 0]), [("sampling", "mixer", 0, 18, 19)]) == [(18, 0, "rest", True)]


def test_else_a_layers_length_on_else_at_the_heads_product() -> None:
    of, one = rows("x" * 30), begins([0, 10], [3, 13], [0, 0])
    assert ended(of, one, [("sampling", "mixer", 0, None, 19)]) == [(13 + 7, 0, "rest", True)]
    lone = begins([0], [3], [0])
    assert ended(rows("m" + "x" * 9), lone, [("sampling", "mixer", 0, None, 9)]) == [(9, 0, "rest", True)]
    assert ended(rows("m" + "x" * 9), lone, [("sampling", "mixer", 0, None, 3)]) == []


def test_other_anchors_are_no_heads() -> None:
    of, one = rows("x" * 30), begins([0, 10], [3, 13], [0, 0])
    for kind, previous in (("embedding", "mixer"), ("sampling", "embedding"), ("mixer", "mixer")):
        assert ended(of, one, [(kind, previous, 0, 18, 19)]) == [(20, 0, "layer", True)]


def test_what_follows_the_last_layer_of_an_open_pass_is_a_layer_and_of_others_the_rest() -> None:
    of, two = rows("x" * 20, "x" * 20), begins([0, 10, 20, 30], [3, 13, 23, 33], [0, 0, 1, 1])
    assert ended(of, two, []) == [(20, 0, "rest", True), (40, 1, "layer", True)]


def test_an_end_beyond_the_window_is_none() -> None:
    one = begins([0, 10], [3, 13], [0, 0])
    assert ended(rows("x" * 20), one, []) == [(20, 0, "layer", True)]
    assert ended(rows("x" * 19), one, []) == []


def test_a_window_of_one_launch_is_no_layer() -> None:
    assert found("f") == [(0, "rest", False)]


def test_an_embedding_of_a_later_step_does_not_begin_the_window() -> None:
    assert found("f" + LAYER + "nfs", "e" + LAYER + "nfs")[0] == (0, "layer", False)


def test_the_launch_that_begins_the_first_layer_is_not_before_it() -> None:
    # the first layer begins 2 launches before its attention, as the others do
    assert found("xfxm" + "fnfm" * 2)[:2] == [(0, "rest", False), (1, "layer", False)]


def test_steps_without_a_prelude_have_whole_layers() -> None:
    step = LAYER * 2 + "nfs"
    assert found(step, step)[3:5] == [(15, "layer", True), (21, "layer", True)]


def test_a_layer_is_whole_only_where_the_next_one_is_seen_to_begin() -> None:
    assert found("nfmf" * 2 + "xfmf" + "nfmf" * 2 + "n") == [
        (0, "layer", True),
        (4, "layer", False),
        (8, "layer", False),
        (12, "layer", True),
        (16, "layer", True),
        (20, "layer", False),
    ]


def test_a_norm_in_the_first_row_has_its_own_look() -> None:
    assert hidden("nxmfqf" + "qfmfqf") == ".xmfqfqfmfqf"


def test_the_norm_of_the_head_is_its_first_kernel_even_in_the_first_row() -> None:
    of = rows("nfmfqqfs", first=10)
    assert with_cut(of.with_columns(norm=pl.col("name") == "n"), anchors(of))["cut"].to_list() == [10, 14]
    assert cut_of("nfs") == [10]


def test_a_norm_in_the_first_row_is_a_captured_one() -> None:
    assert near("nxxxxxxx", [2], 4) == [None]


def test_without_layers_there_is_no_tail() -> None:
    assert tail_length(rows("abmdabmdabmd"), begins([], [], [])) is None


def kinds_of(text: str) -> list[tuple[int, bool]]:
    of = rows(text)
    return boundaries(of, anchors(of)).select("row", "firm").sort("row").rows()


def test_layers_without_norms_follow_the_period_else_the_attention() -> None:
    assert kinds_of("fmxfmxfmx") == [(0, True), (3, True), (6, True), (9, True)]
    # the last differs: by attention, 3 apart, one launch before the first
    assert kinds_of("fmxfmxfmy")[:3] == [(0, True), (3, True), (6, True)]
    assert kinds_of("fmx") == []
    # a period of 10 that holds two attention kernels is that of a step
    assert [row for row, _ in kinds_of("fmxyzfmuvw" * 2)][:4] == [0, 5, 10, 15]
    assert [row for row, _ in kinds_of("fmxyzfmuvw")][:2] == [0, 5]


def test_a_boundary_is_of_one_kind() -> None:
    assert KINDS.categories.to_list() == ["layer", "rest"]
