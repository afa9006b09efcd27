"""What passes say about a run: steps, prefill, layers, whether a step is cut, and contradictions, from tables of passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.sequence import (
    COLUMNS,
    Segmented,
    contradictions,
    facts,
    layers_fact,
    layers_of,
    part_contradicted,
    placed,
    prefill_fact,
    segment,
    steps_fact,
    summarised,
    too_few_tokens,
    unfollowed,
    with_untold,
)
from ncu_roofline.capture.capture import UNKNOWN, Fact, Run
from ncu_roofline.knowledge.models import models
from ncu_roofline.present.documents.words_notes import note
from tests.analysis.run.test_sequence import sequence
from tests.stating import stating


def passes(*rows: tuple[str | None, bool, int, int, bool]) -> pl.DataFrame:
    """Passes of (phase, whole, mixers, launches, draft)."""
    names = ("phase", "whole", "mixers", "launches", "draft")
    kinds = (pl.String, pl.Boolean, pl.Int64, pl.Int64, pl.Boolean)
    table = pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")
    number = pl.int_range(pl.len())
    return table.with_columns(mixed=pl.lit(False), opens=number == 0, closes=number == pl.len() - 1).with_columns(
        opened=pl.col("launches") > 3,
        served=pl.lit(False),
        verified=pl.lit(False),
        rows=pl.lit(None, pl.Int64),
        planned=pl.lit(None, pl.Int64),
    )


DECODE, PREFILL = ("decode", True, 4, 40, False), ("prefill", True, 4, 50, False)
UNTOLD, CUT, DRAFTING = (None, True, 4, 40, False), ("decode", False, 2, 20, False), ("decode", True, 1, 9, True)
EMPTY = (None, False, 0, 3, False)


def pieces(*rows: tuple[str | None, int | None, int | None, int | None]) -> pl.DataFrame:
    """Pieces of (phase, rows of layers, rows drawn, rows that any launch tells); the first opens the window."""
    names = ("phase", "rows", "sampled_rows", "least_told")
    table = pl.DataFrame(rows, schema=dict(zip(names, (pl.String, *[pl.Int64] * 3), strict=True)), orient="row")
    number = pl.int_range(pl.len())
    return table.with_columns(
        opens=number == 0,
        opened=number > 0,
        draws=pl.lit(0),
        reopened=pl.lit(False),
        planned=pl.lit(None, pl.Int64),
        most_told="least_told",
    )


def test_the_batch_of_torn_steps_leaves_room_for_pieces_whose_phase_is_not_told() -> None:
    six = Fact(6, "inferred", "norm grids")
    torn = ("decode", 6, None, 6)
    assert with_untold(six, pieces(torn)) == six
    assert with_untold(six, pieces((None, None, 32, None), torn)).span == (6, 32)
    assert with_untold(six, pieces((None, 6, 6, 6), torn)) == six
    # the next step has begun: a norm over three rows, or nothing that tells
    assert with_untold(six, pieces(torn, (None, None, None, 3))).span == (3, 6)
    assert with_untold(six, pieces(torn, ("decode", None, None, 3))).span == (3, 6)
    silent = with_untold(six, pieces(torn, (None, None, None, None)))
    assert (silent.value, silent.span, silent.evidence) == (
        None,
        (None, None),
        "a piece of another step does not tell its rows",
    )
    # the end of the step before, whose draw tells no rows
    assert with_untold(six, pieces((None, None, None, None), torn)) == six
    assert with_untold(six, pieces((None, None, None, None), torn).with_columns(draws=1)).span == (None, None)
    # an embedding behind the draw, inside of the range of one step: what another model begins
    assert with_untold(six, pieces(torn).with_columns(draws=1, reopened=True)).span == (None, None)
    assert with_untold(UNKNOWN, pieces(torn)) == UNKNOWN


def test_whole_decode_passes_are_steps_of_one_rank() -> None:
    found = steps_fact(passes(DECODE, DECODE, PREFILL), 1, "sampling", 0)
    assert found == Fact(2, "inferred", "each of 40 launches up to sampling")
    assert steps_fact(passes(DECODE, DECODE, DECODE, DECODE), 2, "sampling", 0).value == 2


def test_steps_of_different_sizes_and_drafts_are_told_in_the_evidence() -> None:
    larger = ("decode", True, 4, 45, False)
    found = steps_fact(passes(larger, DECODE), 1, "the LM head", 3)
    assert found.evidence == "each of 40 to 45 launches up to the LM head, beside 3 passes that draft"


def test_without_a_whole_decode_pass_no_steps_are_known() -> None:
    assert steps_fact(passes(PREFILL), 1, "sampling", 0) == Fact(None, "unknown", "no complete decode step in the window")
    found = steps_fact(passes(UNTOLD, UNTOLD), 1, "sampling", 0)
    assert found == Fact(None, "unknown", "nothing tells whether 2 whole passes are decode")


def test_prefill_passes_count_whole_or_cut() -> None:
    cut = ("prefill", False, 2, 20, False)
    found = prefill_fact(passes(PREFILL, PREFILL, cut, EMPTY, DECODE))
    assert found == Fact(3, "inferred", "50, 20 launches, with more rows or other kernels than decode has")
    many = [("prefill", True, 4, 50 + n, False) for n in range(5)]
    assert prefill_fact(passes(*many)).evidence == "50, 51, 52 launches, with more rows or other kernels than decode has"


def test_a_last_piece_beside_a_cut_prompt_may_be_one_more() -> None:
    cut = ("prefill", False, 2, 20, False)
    begun = (None, False, 0, 4, False)
    found = prefill_fact(passes(cut, PREFILL, begun))
    assert (found.value, found.low, found.high) == (None, 2, 3)
    assert prefill_fact(passes(PREFILL, PREFILL, begun)).value == 2
    # nothing but a copy of the tokens drawn
    assert prefill_fact(passes(cut, PREFILL, EMPTY)).value == 2
    # but what a server prepares
    prepared = passes(cut, PREFILL, EMPTY).with_columns(served=pl.col("launches") == 3)
    assert (prefill_fact(prepared).value, prefill_fact(prepared).high) == (None, 3)
    told = ("prefill", False, 0, 5, False)
    assert prefill_fact(passes(cut, PREFILL, told)).value == 3
    # between others it belongs to the pass that follows
    assert prefill_fact(passes(cut, told, PREFILL)).value == 2


def test_no_prefill_is_a_zero_where_all_passes_are_told() -> None:
    assert prefill_fact(passes(DECODE)) == Fact(0, "inferred", "no pass has more rows than a decode step")


@pytest.mark.parametrize("rows", [[], [EMPTY], [DECODE, UNTOLD], [("decode", True, 0, 3, False)]])
def test_passes_that_nothing_tells_leave_prefill_unknown(rows: list[Any]) -> None:
    assert prefill_fact(passes(*rows)).value is None


def test_one_attention_kernel_is_enough_for_a_pass() -> None:
    assert prefill_fact(passes(("prefill", True, 1, 5, False))).value == 1


def test_layers_are_those_of_decode_before_prefill() -> None:
    longer = ("prefill", True, 8, 90, False)
    assert layers_fact(passes(longer, longer, DECODE), 0) == Fact(
        4, "inferred", "4 attention or state-space kernels in a complete pass"
    )
    assert layers_fact(passes(longer), 0).value == 8


def test_layers_are_the_most_frequent_number_and_the_smaller_of_two() -> None:
    other = ("decode", True, 6, 60, False)
    assert layers_fact(passes(other, other, DECODE), 0).value == 6
    assert layers_fact(passes(other, DECODE), 0).value == 4


def test_passes_that_draft_or_are_cut_tell_no_layers() -> None:
    assert layers_fact(passes(DRAFTING, DRAFTING, DECODE, CUT, CUT), 0).value == 4
    assert layers_fact(passes(DRAFTING), 2) == Fact(None, "unknown", "the window holds 2 whole layers and no complete pass")
    assert layers_fact(passes(CUT), 1).evidence == "the window holds 1 whole layer and no complete pass"
    # of a window where something verifies, and no pass is told to be decode, what is whole may be a draft
    assert layers_fact(passes(UNTOLD), 0).value == 4
    verifying = passes(UNTOLD).with_columns(verified=pl.lit(True))
    assert layers_fact(verifying, 0) == Fact(None, "unknown", "passes of 4 layers verify drafts, or draft")


def test_a_prefill_in_chunks_counts_where_it_begins_with_an_embedding() -> None:
    table = passes(("prefill", True, 8, 90, False), PREFILL)
    assert layers_fact(table.with_columns(embedded=pl.Series([False, True])), 0).value == 4
    assert layers_fact(table.with_columns(embedded=pl.Series([False, False])), 0).value is None


def launches(*rows: tuple[str, bool | None, int | None]) -> pl.DataFrame:
    """Launches of (role, whole layer, position)."""
    frame = pl.DataFrame(rows, schema={"role": pl.String, "layer_whole": pl.Boolean, "position": pl.Int64}, orient="row")
    return frame.with_columns(index=pl.int_range(pl.len()), process=1, device=0, phase=pl.lit(None, pl.String))


def test_the_facts_of_a_capture_stand_on_its_launches_and_passes() -> None:
    rows = [
        ("norm", True, 0),
        ("fc", True, 1),
        ("norm", True, 0),
        ("norm", False, 0),
        ("norm", None, None),
        ("sampling", None, None),
    ]
    found = summarised(launches(*rows), passes(DECODE, DRAFTING, CUT))
    assert found.whole_layers == 2
    assert found.steps == Fact(1, "inferred", "each of 40 launches up to sampling, beside 1 passes that draft")
    assert (found.prefill_passes.value, found.layers.value) == (0, 4)
    without = summarised(launches(*rows[:2]), passes(CUT))
    assert without.layers.evidence == "the window holds 1 whole layer and no complete pass"
    assert summarised(launches(*rows[:2]), passes(DECODE)).steps.evidence.endswith("up to the LM head")


def test_layers_of_a_prompt_count_only_where_there_are_no_others() -> None:
    layers = launches(*[("norm", True, 0)] * 5)
    phases = pl.Series(["prefill", "prefill", "prefill", "decode", None])
    assert summarised(layers.with_columns(phase=phases), passes(CUT)).whole_layers == 2
    assert summarised(layers.with_columns(phase=pl.lit("prefill")), passes(CUT)).whole_layers == 5


def test_launches_without_order_have_no_place() -> None:
    found = unfollowed(launches(("fc", None, None)).drop("layer_whole", "position", "phase"))
    assert found.launches.select(COLUMNS).row(0) == (None,) * 6
    assert [str(found.launches.schema[c]) for c in ("step", "layer", "position")] == ["Int64"] * 3
    assert (found.steps.value, found.prefill_passes.value, found.layers.value) == (None, None, None)
    assert found.whole_layers == 0


def test_rows_take_layer_and_position_from_the_cut_before_them() -> None:
    rows = pl.DataFrame({"row": range(8), "pass": [0, 0, 0, 0, 0, 0, 1, 1], "kind": ["row"] * 8})
    cuts = pl.DataFrame(
        {
            "row": [6, 1, 3, 5],
            "pass": [1, 0, 0, 0],
            "kind": ["layer", "layer", "layer", "tail"],
            "whole": [False, True, True, None],
        }
    )
    found = placed(rows, cuts)
    assert found["layer"].to_list() == [None, 0, 0, 1, 1, None, 0, 0]
    assert found["position"].to_list() == [None, 0, 1, 0, 1, None, 0, 1]
    assert found["layer_whole"].to_list() == [None, True, True, True, True, None, False, False]


def segmented(**given: Any) -> Segmented:
    told: dict[str, Any] = {
        "launches": segment(sequence("norm", "fc", "attention", "fc", "norm", "fc", "sampling")).launches,
        "steps": UNKNOWN,
        "prefill_passes": UNKNOWN,
        "layers": UNKNOWN,
        "whole_layers": 0,
    }
    return Segmented(**(told | given))


def test_what_is_seen_fills_what_nobody_stated() -> None:
    run, said = facts(segmented(steps=Fact(3, "inferred", "e"), prefill_passes=Fact(1, "inferred", "e")), Run())
    assert (run.steps.value, run.prefill_passes.value, run.layers.value, said) == (3, 1, None, ())


def test_what_is_stated_stands_and_a_contradiction_is_said() -> None:
    seen = segmented(steps=Fact(3, "inferred", "e"), layers=Fact(8, "inferred", "e"))
    run, said = facts(seen, stating(steps=2, layers=8))
    assert (run.steps.value, run.layers.value) == (2, 8)
    assert tuple(map(note, said)) == ("steps is stated as 2, but the capture shows 3 (e); 2 is used",)


def test_the_models_layers_stand_in_for_those_of_the_window() -> None:
    model = models.load("llama-3.1-8b")
    assert facts(segmented(), Run(), model)[0].layers.value == model.layers == 32
    assert facts(segmented(layers=Fact(4, "inferred", "e")), Run(), model)[0].layers.value == 4


def test_layers_of_several_kinds_are_not_scaled() -> None:
    alike = models.load("llama-3.1-8b")
    assert layers_of(alike) == Fact(32, "inferred", f"layers of {alike.name}")
    hybrid = layers_of(replace(alike, layer_kinds=("attention", "ssm", "ssm")))
    assert (hybrid.value, hybrid.origin) == (None, "unknown")
    assert "3 layers of 2 kinds" in hybrid.evidence


def test_only_two_known_facts_contradict_each_other() -> None:
    run = stating(steps=2)
    assert list(contradictions(run, {"steps": UNKNOWN})) == []
    assert list(contradictions(run, {"steps": Fact(2)})) == []
    assert len(list(contradictions(run, {"steps": Fact(3)}))) == 1
    assert list(contradictions(Run(), {"steps": Fact(3)})) == []


def test_a_stated_part_of_the_layers_yields_to_whole_steps_and_to_no_more_layers() -> None:
    part = stating(layers_captured=(2, 8))
    assert list(part_contradicted(Run(), segmented(steps=Fact(1), whole_layers=9))) == []
    assert list(part_contradicted(part, segmented(whole_layers=2))) == []
    more = list(part_contradicted(part, segmented(whole_layers=3)))
    assert list(map(note, more)) == ["layers captured is stated as 2/8, but the capture shows 3 whole layers; 2/8 is used"]
    steps = list(part_contradicted(part, segmented(steps=Fact(1), whole_layers=3)))
    assert list(map(note, steps)) == [
        "layers captured is stated as 2/8, but the capture shows 1 whole decode step: those count"
    ]


def test_fewer_tokens_than_the_whole_steps_make_are_a_contradiction() -> None:
    run = stating(steps=2, batch=8)  # 2 x 8 tokens
    assert list(map(note, too_few_tokens(stating(run, tokens=3)))) == [
        "tokens is stated as 3, but whole decode steps seen: 2, batch 8, so 16; 3 is used"
    ]
    drafting = stating(run, accepted=2.5)  # 2 x 8 x 2.5
    assert list(too_few_tokens(stating(drafting, tokens=40))) == [] != list(too_few_tokens(stating(drafting, tokens=39)))
    assert list(too_few_tokens(stating(run, tokens=16))) == list(too_few_tokens(stating(run, tokens=20))) == []
    assert list(too_few_tokens(run)) == list(too_few_tokens(stating(tokens=3))) == []
