"""Where passes begin and end: lanes, clusters of attention and sampling, kernels that are no sign of a pass."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.cuts.anchors import (
    KINDS,
    clusters,
    grouped,
    marked,
    passes,
    turned,
    without_lone_helpers,
    without_misnamed,
    without_satellites,
)
from ncu_roofline.capture.schema import ROLES, enum
from tests.kernels import launch, launches

M, S, E = "mixer", "sampling", "embedding"


def window(*rows: tuple[str | None, dict[str, Any]]) -> pl.DataFrame:
    """Launches of these roles; a kernel is called by its role unless stated."""
    made = [
        launch(facts.get("kernel", role or "kernel"), **{k: v for k, v in facts.items() if k != "kernel"})
        for role, facts in rows
    ]
    return launches(*made).with_columns(role=pl.Series([role for role, _ in rows], dtype=enum(ROLES)))


def roles(*names: str | None, **facts: Any) -> list[tuple[str | None, dict[str, Any]]]:
    return [(name, facts) for name in names]


def anchors(*rows: tuple[Any, ...], **columns: Any) -> pl.DataFrame:
    """Anchors of (kind, fcs, kernel, row), in one lane and no helpers unless stated; row as listed unless stated."""
    filled = [(*row, *("kernel", at)[len(row) - 2 :]) for at, row in enumerate(rows)]
    frame = pl.DataFrame(filled, schema={"kind": KINDS, "fcs": pl.Int64, "kernel": pl.String, "row": pl.Int64}, orient="row")
    lane, helper = columns.get("lane", [1] * len(rows)), columns.get("helper", [False] * len(rows))
    turn = columns.get("turn", [0] * len(rows))
    return frame.with_columns(
        lane=pl.Series(lane, dtype=pl.Int64), turn=pl.Series(turn), helper=pl.Series(helper, dtype=pl.Boolean)
    )


def joined(*kinds: str, lane: list[int] | None = None, helpers: list[bool] | None = None) -> pl.DataFrame:
    number = len(kinds)
    return pl.DataFrame(
        {"lane": lane or [1] * number, "kind": kinds, "helpers": helpers or [False] * number}, schema_overrides={"kind": KINDS}
    )


def spans(found: pl.DataFrame) -> list[tuple[str, int, int]]:
    return found.select("kind", "start", "end").rows()


def test_roles_become_the_kinds_that_tell_of_passes() -> None:
    rows = marked(window(*roles("embedding", "norm", "fc", "attention", "ssm", None, "sampling")))

    assert rows["kind"].to_list() == [E, None, None, M, M, None, S]
    assert rows["fc"].to_list() == [False, False, True, False, False, False, False]
    assert rows["norm"].to_list() == [False, True, False, False, False, False, False]
    assert rows["fcs"].to_list() == [0, 0, 1, 1, 1, 1, 1]
    assert rows["norms"].to_list() == [0, 1, 1, 1, 1, 1, 1]


GATHER = {"kernel": "vectorized_gather_kernel"}


@pytest.mark.parametrize(
    ("before", "kind"),
    [((), E), (("copy",), E), (("norm",), None), (("fc",), None), (("norm", "fc"), None), (("fc", "fc"), None)],
)
def test_a_gather_before_all_work_is_the_embedding(before: tuple[str, ...], kind: str | None) -> None:
    rows = marked(window(*roles(*before), (None, GATHER)))

    assert rows["kind"].to_list()[-1] == kind


def test_a_gather_of_a_known_kind_keeps_it_and_another_kernel_is_no_embedding() -> None:
    assert marked(window(("sampling", GATHER)))["kind"].to_list() == [S]
    assert marked(window((None, {}), ("norm", {})))["kind"].to_list() == [None, None]


def test_products_are_counted_within_each_process() -> None:
    rows = marked(window(*[(role, {"process": n}) for role, n in (("fc", 7), ("fc", 3), ("norm", 7), ("fc", 3))]))

    # process 3 comes first; its launches are 1 and 3
    assert rows.select("lane", "row", "index", "fcs", "norms").rows() == [
        (1, 0, 1, 1, 0),
        (1, 1, 3, 2, 0),
        (2, 2, 0, 1, 0),
        (2, 3, 2, 1, 1),
    ]


def lanes(*rows: tuple[str, int, int]) -> dict[int, int]:
    """The lane of every launch of (role, process, stream)."""
    made = window(*((role, {"process": process, "stream": stream}) for role, process, stream in rows))
    return dict(marked(made).sort("index").select("index", "lane").rows())


def test_streams_that_each_run_a_loop_are_lanes_and_a_side_stream_is_one_more() -> None:
    found = lanes(("attention", 0, 1), ("sampling", 0, 1), ("attention", 0, 2), ("sampling", 0, 2), ("fc", 0, 3))

    assert found[0] == found[1]
    assert found[2] == found[3]
    assert len({found[0], found[2], found[4]}) == 3


@pytest.mark.parametrize("role", ["attention", "sampling", "fc"])
def test_a_stream_that_runs_a_part_of_the_loop_stays_in_its_lane(role: str) -> None:
    assert set(lanes(("attention", 0, 1), (role, 0, 2), ("sampling", 0, 1)).values()) == {1}


def test_loops_of_two_processes_are_lanes_whatever_their_streams() -> None:
    found = lanes(("attention", 0, 1), ("sampling", 0, 1), ("fc", 0, 5), ("attention", 9, 1), ("sampling", 9, 1), ("fc", 9, 5))

    assert list(found.values()) == [1, 1, 1, 2, 2, 2]


def test_attention_kernels_with_no_product_between_them_are_one_cluster() -> None:
    found = grouped(anchors((M, 1), (M, 1), (M, 2), (M, 3), (M, 3)))

    assert spans(found) == [(M, 0, 1), (M, 2, 2), (M, 3, 4)]


def test_without_any_product_the_first_attention_kernel_begins_every_cluster() -> None:
    found = grouped(anchors((M, 0, "flash"), (M, 0, "combine"), (M, 0, "flash"), (M, 0, "combine"), (M, 0, "combine")))

    assert spans(found) == [(M, 0, 1), (M, 2, 4)]


def test_without_any_product_a_plan_before_the_first_attention_kernel_begins_no_cluster() -> None:
    of_step = [(M, 0, "plan"), (M, 0, "a"), (M, 0, "combine"), (M, 0, "a"), (M, 0, "combine")]
    found = spans(grouped(anchors(*of_step, *of_step, helper=[True, False, True, False, True] * 2)))
    assert found == [(M, 0, 0), (M, 1, 2), (M, 3, 5), (M, 6, 7), (M, 8, 9)]
    assert len(grouped(anchors(*[(M, 0, "combine")] * 3, helper=[True] * 3))) == 3


def test_without_any_product_a_pass_of_other_kernels_has_clusters_of_its_own() -> None:
    prompt_and_step = [(M, 0, "full"), (M, 0, "full"), (M, 0, "split"), (M, 0, "split")]
    assert spans(grouped(anchors(*prompt_and_step, turn=[0, 0, 1, 1]))) == [(M, n, n) for n in range(4)]


def test_the_same_attention_kernel_twice_before_a_product_is_one_cluster() -> None:
    assert spans(grouped(anchors((M, 0, "flash"), (M, 0, "flash"), (M, 1, "flash")))) == [(M, 0, 1), (M, 2, 2)]


def test_another_lane_without_products_does_not_change_this_one() -> None:
    found = grouped(anchors((M, 1), (M, 1), (M, 0), (M, 0), lane=[1, 1, 2, 2]))

    assert found.select("lane", "start", "end").rows() == [(1, 0, 1), (2, 2, 2), (2, 3, 3)]


def test_sampling_kernels_at_most_five_launches_apart_are_one_whatever_products_lie_between() -> None:
    found = grouped(anchors((S, 1, "softmax", 10), (S, 2, "pick", 15), (S, 2, "pick", 21)))

    assert spans(found) == [(S, 10, 15), (S, 21, 21)]


def test_attention_far_apart_is_one_cluster_where_no_product_lies_between() -> None:
    assert spans(grouped(anchors((M, 1, "a", 1), (M, 1, "a", 40)))) == [(M, 1, 40)]


def test_another_kind_or_lane_begins_a_cluster() -> None:
    found = grouped(anchors((M, 1), (S, 1), (E, 1), (E, 1), lane=[1, 1, 1, 2]))

    assert spans(found) == [(M, 0, 0), (S, 1, 1), (E, 2, 2), (E, 3, 3)]


def test_clusters_stand_in_the_order_of_their_launches() -> None:
    found = grouped(anchors(*((M, fcs) for fcs in range(200))))

    assert found["start"].to_list() == list(range(200))


def test_a_cluster_only_helps_if_all_its_kernels_do() -> None:
    found = grouped(anchors((M, 1), (M, 1), (M, 2), (M, 2), helper=[True, False, True, True]))

    assert found["helpers"].to_list() == [False, True]


def test_clusters_that_only_plan_are_left_out_where_attention_is_elsewhere() -> None:
    found = without_lone_helpers(joined(M, M, S, helpers=[True, False, True]))

    assert found.select("kind", "helpers").rows() == [(M, False), (S, True)]


def test_clusters_that_only_plan_stay_where_there_is_nothing_else() -> None:
    assert without_lone_helpers(joined(M, M, S, helpers=[True, True, False])).height == 3


def test_draws_and_embeddings_that_take_turns_end_passes_of_two_layers_in_a_torn_window() -> None:
    # the end of a step, two whole ones: three draws behind five kernels of attention
    torn = (M, S, E, M, M, S, E, M, M, S)
    assert without_misnamed(joined(*torn))["kind"].to_list() == list(torn)
    # a softmax of each layer, though one of them stands where a draw would
    layers = (M, S, E, M, S, M, S, M, S)
    assert S not in without_misnamed(joined(*layers))["kind"].to_list()


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        ((E, M, S, M, S, M, S, M, S), (E, M, M, M, M)),  # 4 of 4 attentions are followed by sampling
        ((S, M, E, M, E, M, E, M), (S, M, M, M, M)),
        ((M, E, S, M, E, S), None),  # one of each per pass of one layer
        ((M, S, M, S, M, M), None),  # half of them: passes of two layers
        ((M, S, M, S, M, S, M, M), (M, M, M, M, M)),  # 3 of 5
        ((M, S, M, S), (M, M)),
        ((M, S), None),  # a single pass of one layer
        ((M, M, S, S, S, S), None),  # only what follows attention counts
        ((M, M, M), None),
    ],
)
def test_a_kind_that_follows_most_attentions_is_no_sign_of_a_pass(kinds: tuple[str, ...], kept: tuple[str, ...] | None) -> None:
    assert without_misnamed(joined(*kinds))["kind"].to_list() == list(kept or kinds)


def test_sampling_after_another_lanes_attention_does_not_count() -> None:
    found = joined(M, S, M, S, lane=[1, 2, 3, 4])

    assert without_misnamed(found)["kind"].to_list() == [M, S, M, S]


def kept_kernels(found: pl.DataFrame) -> list[str]:
    return list(found.filter(pl.col("kind") == M)["kernel"].unique().sort())


def loop(*middle: tuple[str, int], often: int = 4, before: int = 0) -> pl.DataFrame:
    """Two whole passes: attention `often` times a pass after one product each, beside these kernels at their product."""
    rows: list[tuple[Any, ...]] = [(S, before, "pick")]
    for start in (before, before + 10):
        mixers = [(M, start + 1 + n, "flash") for n in range(often)] + [(M, start + fcs, name) for name, fcs in middle]
        rows += [*sorted(mixers, key=lambda row: row[1]), (S, start + 10, "pick")]
    return anchors(*rows)


def test_a_kernel_that_runs_once_at_the_beginning_of_each_pass_prepares_for_it() -> None:
    made = loop(("plan", 0))

    found = without_satellites(made, joined(M, S))

    assert kept_kernels(found) == ["flash"]
    assert found.filter(pl.col("kind") == S).height == 3
    assert kept_kernels(without_satellites(made, joined(M, E))) == ["flash", "plan"]  # no end of a pass is known


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (loop(("plan", 0), often=3), ["flash", "plan"]),  # three attentions are too few to tell
        (loop(("plan", 0), ("plan", 0)), ["flash", "plan"]),  # twice a pass
        (loop(("late", 3)), ["flash", "late"]),
        (loop(("plan", 0), ("plan", 3)), ["flash", "plan"]),
        (loop(("plan", 0), ("other", 0)), ["flash"]),
    ],
)
def test_a_kernel_that_runs_later_or_more_often_is_attention(made: pl.DataFrame, kept: list[str]) -> None:
    assert kept_kernels(without_satellites(made, joined(M, S))) == kept


@pytest.mark.parametrize(("fcs", "kept"), [(0, ["flash"]), (1, ["flash", "plan"]), (2, ["flash", "plan"])])
def test_in_the_first_pass_of_a_window_only_what_comes_before_every_product_begins_it(fcs: int, kept: list[str]) -> None:
    made = anchors((M, fcs, "plan"), *((M, 3 + n, "flash") for n in range(4)), (S, 8, "pick"))

    assert kept_kernels(without_satellites(made, joined(M, S))) == kept


def test_a_kernel_is_counted_per_pass_of_its_own_lane() -> None:
    one = [(M, 0, "plan"), *((M, 1 + n, "flash") for n in range(4)), (S, 8, "pick")]
    made = anchors(*one, *one, lane=[1] * 6 + [2] * 6)

    # once in each of two lanes, four times in each
    assert kept_kernels(without_satellites(made, joined(M, S))) == ["flash"]


def numbers(
    fcs: list[int],
    found: list[tuple[str, int, int]],
    lane: list[int] | None = None,
    norms: list[int] | None = None,
    turns: tuple[int, ...] = (),
    numbered: list[int | None] | None = None,
    fused: tuple[int, ...] = (),
) -> list[int]:
    """Pass of each row, given clusters of (kind, start, end); the lanes are those of the rows, `fused` embed as well."""
    of_row = lane or [1] * len(fcs)
    columns = {"fcs": fcs, "norms": norms or [0] * len(fcs), "lane": of_row, "numbered": numbered or [None] * len(fcs)}
    rows = turned(
        pl.DataFrame(columns, schema_overrides={"numbered": pl.Int64})
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64), fused=pl.col("row").is_in(fused)),
        turns,
    )
    frame = pl.DataFrame(found, schema={"kind": KINDS, "start": pl.Int64, "end": pl.Int64}, orient="row")
    return passes(rows, frame.with_columns(lane=pl.Series([of_row[start] for _, start, _ in found])))["pass"].to_list()


def test_a_pass_ends_behind_the_sampling_that_follows_attention() -> None:
    assert numbers([0] * 6, [(M, 1, 1), (S, 2, 3)]) == [0, 0, 0, 0, 1, 1]


def test_a_pass_begins_at_the_embedding_that_follows_attention() -> None:
    assert numbers([0] * 6, [(E, 0, 0), (M, 1, 2), (E, 4, 5)]) == [0, 0, 0, 0, 1, 1]


def test_an_embedding_behind_the_sampling_begins_nothing_more() -> None:
    assert numbers([0] * 7, [(M, 0, 0), (S, 1, 1), (E, 3, 3), (M, 4, 4), (S, 5, 5)]) == [0, 0, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(("fcs", "expected"), [(1, [0, 0, 1, 1]), (0, [0, 0, 0, 0])])
def test_sampling_at_the_start_of_a_window_ends_a_pass_if_a_product_came_before(fcs: int, expected: list[int]) -> None:
    assert numbers([fcs] * 4, [(S, 1, 1), (M, 3, 3)]) == expected


def test_sampling_before_the_first_embedding_of_a_window_is_all_that_is_left_of_a_step() -> None:
    assert numbers([0] * 5, [(S, 1, 1), (E, 3, 3), (M, 4, 4)]) == [0, 0, 1, 1, 1]
    # a compiler may put it into the first norm, right behind what drew
    assert numbers([0] * 5, [(S, 0, 1), (M, 4, 4)], fused=(2,)) == [0, 0, 1, 1, 1]
    assert numbers([0] * 5, [(S, 0, 1), (M, 4, 4)], fused=(3,)) == [0, 0, 0, 0, 0]
    # the embedding of another lane tells nothing
    assert numbers([0] * 5, [(S, 1, 1), (E, 3, 3), (M, 4, 4)], [1, 1, 1, 2, 2]) == [0, 0, 0, 1, 1]


def test_the_first_embedding_ends_what_worked_before_it() -> None:
    # plans and copies before it belong to its step; products and norms do not
    assert numbers([0, 0, 0], [(E, 1, 1), (M, 2, 2)]) == [0, 0, 0]
    assert numbers([1, 1, 1], [(E, 1, 1), (M, 2, 2)]) == [0, 1, 1]
    assert numbers([0, 0, 0], [(E, 1, 1), (M, 2, 2)], norms=[1, 1, 1]) == [0, 1, 1]
    # a second one, as of each layer, is of the same step, and so is one behind attention of a step that is cut
    assert numbers([0, 0, 1, 1], [(E, 0, 0), (E, 2, 2), (M, 3, 3)]) == [0, 0, 0, 0]
    assert numbers([1] * 5, [(M, 0, 0), (S, 1, 1), (E, 2, 2), (M, 3, 3)]) == [0, 0, 1, 1, 1]
    assert numbers([0, 0, 1, 1, 1], [(E, 0, 0), (M, 1, 1), (E, 3, 3), (M, 4, 4)], [1, 1, 2, 2, 2]) == [0, 0, 1, 2, 2]


def test_every_lane_begins_a_pass() -> None:
    assert numbers([0, 0, 0, 0], [(M, 1, 1), (S, 3, 3)], [1, 1, 2, 2]) == [0, 0, 1, 1]
    # the second lane begins with an LM head of its own
    assert numbers([0, 0, 1, 1, 1], [(M, 1, 1), (S, 3, 3)], [1, 1, 2, 2, 2]) == [0, 0, 1, 1, 2]


def test_a_pass_begins_where_a_range_numbers_another_step_and_not_behind_its_sampling() -> None:
    # attention, sampling and a copy of what was drawn, twice
    found = [(M, 0, 0), (S, 1, 1), (M, 3, 3), (S, 4, 4)]
    assert numbers([0] * 6, found) == [0, 0, 1, 1, 1, 2]
    assert numbers([0] * 6, found, numbered=[0, 0, 0, 1, 1, 1]) == [0, 0, 0, 1, 1, 1]
    # a draft and its verification in one range are two passes
    assert numbers([0] * 6, found, numbered=[0] * 6) == [0, 0, 1, 1, 1, 1]
    # where nothing samples the numbers alone tell steps apart, though they begin again
    assert numbers([0] * 4, [(M, n, n) for n in range(4)], numbered=[0, 1, 0, 1]) == [0, 1, 2, 3]


def test_a_pass_begins_where_rows_turn() -> None:
    assert numbers([0] * 4, [(M, 0, 0), (M, 2, 2)], turns=(2,)) == [0, 0, 1, 1]
    # a turn at the end of a pass begins no second one
    assert numbers([0] * 4, [(M, 0, 0), (S, 1, 1), (M, 3, 3)], turns=(2,)) == [0, 0, 1, 1]


def test_sampling_after_sampling_is_no_end() -> None:
    assert numbers([1] * 5, [(M, 0, 0), (S, 1, 1), (S, 3, 3)]) == [0, 0, 1, 1, 1]


def test_clusters_are_those_of_attention_and_of_ends_alone() -> None:
    layer = ("norm", "fc", "attention", "fc")
    rows = marked(window(*roles("embedding", *layer, *layer, "norm", "fc", "sampling")))

    assert spans(clusters(rows)) == [(E, 0, 0), (M, 3, 3), (M, 7, 7), (S, 11, 11)]


def test_sampling_behind_an_embedding_at_the_start_of_a_window_ends_nothing() -> None:
    assert numbers([1] * 4, [(E, 0, 0), (S, 1, 1), (M, 3, 3)]) == [0, 0, 0, 0]
