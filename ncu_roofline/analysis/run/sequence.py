"""Launches -> their phase, step, layer and place in the layer, and what that says about the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from ncu_roofline.analysis.notes import Note
from ncu_roofline.analysis.run import counts, speculation
from ncu_roofline.analysis.run.batch import PLACE, over_steps, sequences_of_steps
from ncu_roofline.analysis.run.cuts import anchors, layers
from ncu_roofline.analysis.run.cuts.passes import empty_passes, pass_table, steps
from ncu_roofline.analysis.run.cuts.turns import turns
from ncu_roofline.analysis.run.phases import phases
from ncu_roofline.analysis.run.ranks import gpus, sharing
from ncu_roofline.analysis.run.rows import votes
from ncu_roofline.capture.capture import UNKNOWN, Fact, Run
from ncu_roofline.capture.schema import PHASES, PROMPTED, whole_result, with_found
from ncu_roofline.knowledge.models.model import Model

COLUMNS = ("phase", "step", "layer", "position", "step_whole", "layer_whole")
OF_STEP = {"step_rows": pl.Int64(), "step_batch": pl.Int64()}
"""Columns that a step's own kernels and ranges fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """Launches with phase, step, layer and position, and the facts that follow."""

    launches: pl.DataFrame
    steps: Fact[int]
    """Complete decode steps."""
    prefill_passes: Fact[int]
    layers: Fact[int]
    """Layers of one complete pass; unknown in a window that holds none."""
    whole_layers: int
    """Layers that the window holds from end to end."""
    batch: Fact[int] = UNKNOWN
    accepted: Fact[float] = UNKNOWN


def segment(launches: pl.DataFrame, *, drafts: bool = False, borders: Sequence[int] = ()) -> Segmented:
    """Launches with their place: `phase`, `step` (per phase, from 0), `layer`, `position`, and what their step holds.

    All are null where the order of launches does not tell; `step_whole` is false for a step that
    the window cuts. `drafts` is whether the user says that drafts are verified, `borders` the launches with which
    further files begin: no step goes on across them.
    """
    if launches.is_empty():
        return unfollowed(launches)
    whole = launches.select(whole_result().alias("whole"))["whole"]
    if whole.all():
        return whole_results(launches)
    told = votes(launches)
    rows, found = in_passes(launches, told, borders)
    laid = placed(rows, layers.cuts(rows, found))
    signed = bool(speculation.signs(launches, 0))
    drafting = drafts or signed
    known = phases(laid, launches, told, drafting=drafting).rename({"sampled": "sampled_rows"})
    bounded = pass_table(rows, found, drafting=signed).join(known, on="pass", how="left", maintain_order="left")
    table = steps(bounded, drafting=drafting)
    table = table.join(told_in(told, laid), on="pass", how="left", maintain_order="left")
    of_pass = table.select("pass", "phase", "step", "deeper", step_whole="whole", pass_rows="rows")
    joined = laid.join(of_pass, on="pass", how="left").with_columns(pl.col("layer") + pl.col("deeper").fill_null(0))
    places = joined.select("index", *COLUMNS, "pass_rows")
    counted = with_counts(summarised(with_found(launches, places, "index"), table), table)
    return with_doubts(with_sequences(counted, table.filter("draft").height or single(table), drafts=drafts), table)


def in_passes(launches: pl.DataFrame, told: pl.DataFrame, borders: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The launches with the pass of each, and the clusters of anchors by which passes are told apart."""
    rows = anchors.marked(launches, borders)
    found = anchors.clusters(rows)
    if at := turns(rows, found, told):
        rows = anchors.turned(rows, at)
        found = anchors.clusters(rows)
    return anchors.passes(rows, found), found


def single(table: pl.DataFrame) -> int:
    """Passes of one layer that decodes: a draft's, whoever it drafts for; one that the window leaves of a pass is none."""
    begun = ~pl.col("opens") | pl.col("opened").fill_null(False)
    ended = ~pl.col("closes") | pl.col("sampled").fill_null(False)
    alone = (pl.col("phase") == "decode") & pl.col("mixed") & (pl.col("mixers") == 1)
    return table.filter(alone, begun, ended).height


def with_doubts(counted: Segmented, table: pl.DataFrame) -> Segmented:
    """The same with a batch that allows for pieces of other steps; unknown where some passes may be no decode."""
    if table.filter(pl.col("mixed") & pl.col("phase").is_null() & pl.col("sampled").fill_null(False)).height:
        return replace(counted, batch=Fact(None, "unknown", "nothing tells whether some passes are decode"))
    return replace(counted, batch=with_untold(counted.batch, table)) if counted.steps.value is None else counted


def with_counts(segmented: Segmented, table: pl.DataFrame) -> Segmented:
    """The same with what else counts its steps, layers and prompts."""
    launches = segmented.launches
    one = of_one_rank(launches) if gpus(launches) > 1 else launches
    return replace(
        segmented,
        steps=counts.with_signs(segmented.steps, one, counts.STEPS),
        layers=counts.with_signs(segmented.layers, one, counts.LAYERS),
        prefill_passes=counts.with_signs(segmented.prefill_passes, of_one_rank(table), counts.PROMPTS),
    )


def of_one_rank(rows: pl.DataFrame) -> pl.DataFrame:
    """The launches, or the passes, of the first rank."""
    return rows.filter(*(pl.col(name).eq_missing(pl.col(name).first()) for name in ("process", "device")))


def with_untold(batch: Fact[int], table: pl.DataFrame) -> Fact[int]:
    """The batch of torn steps alone; a range where pieces of other rows stand beside them and nothing tells what they are.

    Unknown where such a piece begins a step, or ends one, and nothing in it tells its rows; so where one begins behind
    the draw of a step inside of its range.
    """
    low, high = batch.value or batch.low, batch.value or batch.high
    if low is None or high is None:
        return batch
    # a range may tell that a piece is decode, of which no kernel tells the rows
    bare = (pl.col("phase") == "decode") & of_piece().is_null()
    pieces = table.filter(pl.col("phase").is_null() | bare).with_columns(rows=of_piece())
    told = pieces.select(low=pl.coalesce("rows", "least_told"), high=pl.coalesce("rows", "most_told"))
    begun, ended = pl.col("opened") & ~pl.col("opens"), pl.col("draws") > 0
    silent = pieces.filter(begun | ended, pl.coalesce("rows", "least_told").is_null()).height
    if silent or table.filter((pl.col("draws") > 0) & pl.col("reopened")).height:
        return Fact(None, "unknown", "a piece of another step does not tell its rows", witnesses=batch.witnesses)
    least, most = min([low, *told["low"].drop_nulls()]), max([high, *told["high"].drop_nulls()])
    if (least, most) == (low, high):
        return batch
    return Fact(None, "unknown", f"pieces of steps, of {least:g} to {most:g} rows", least, most, batch.witnesses)


def of_piece() -> pl.Expr:
    """Rows of a piece of a step: those of its layers, else those that it draws, else those that it is planned for."""
    return pl.coalesce("rows", "sampled_rows", "planned")


def told_in(told: pl.DataFrame, laid: pl.DataFrame) -> pl.DataFrame:
    """Per pass the least and the most rows that any of its launches tells, wherever it stands."""
    at = told.join(laid.select("index", "pass"), on="index")
    return at.group_by("pass").agg(least_told=pl.col("rows").min(), most_told=pl.col("rows").max())


def with_sequences(segmented: Segmented, drafting: int, *, drafts: bool) -> Segmented:
    """The same with the rows and the sequences of each decode step, and what they say of batch and drafts."""
    launches = segmented.launches
    sign = speculation.signs(launches, drafting)
    told = sequences_of_steps(launches, drafts=drafts or bool(sign))
    sign = sign or speculation.rows_beyond(told)
    placed = told.select(*PLACE, step_batch="batch").filter(pl.col("step").is_not_null())
    joined = with_found(launches, placed, PLACE)
    stepping = pl.col("phase").cast(pl.String) == "decode"
    return replace(
        segmented,
        launches=joined.with_columns(
            step_rows=pl.when(pl.col("step").is_not_null()).then(pl.col("pass_rows").max().over(*PLACE, "phase")),
            step_batch=pl.when(stepping).then(pl.col("step_batch")),
        ).drop("pass_rows"),
        batch=over_steps(told),
        accepted=speculation.accepted(sign, segmented.steps),
    )


def whole_results(launches: pl.DataFrame) -> Segmented:
    """Results of whole graphs or ranges: each is taken for one step, those of one run for the steps of it."""
    told = pl.col("nvtx").list.eval(pl.element().str.contains(STEP_RANGE)).list.any()
    placed = launches.with_columns(no_place()).with_columns(
        phase=pl.when(told).then(pl.lit("decode")).cast(pl.Enum(PHASES)),
        step=pl.int_range(pl.len(), dtype=pl.Int64),
        step_whole=True,
    )
    number, runs = launches.height, launches["nvtx"].list.first().n_unique()
    unknown: Fact[Any] = Fact(None, "unknown", "one result holds a whole graph or range")
    several: Fact[int] = Fact(None, "unknown", f"{number} results of {runs} runs: each is a step of its own")
    one = Fact(number, "inferred", f"{number} {'result' if number == 1 else 'results'} of a whole graph or range, a step each")
    return Segmented(
        launches=placed, steps=several if runs > 1 else one, prefill_passes=unknown, layers=unknown, whole_layers=0
    )


STEP_RANGE = r"(?i)^decode$|^step\.\d+"
"""NVTX ranges that say of a whole result that it is a decode step."""


def unfollowed(launches: pl.DataFrame) -> Segmented:
    """Launches whose order means nothing: no phase, step, layer or place."""
    return summarised(launches.with_columns(no_place()), empty_passes())


def no_place() -> list[pl.Expr]:
    """The columns of an empty capture."""
    kinds = (pl.Enum(PHASES), pl.Int64(), pl.Int64(), pl.Int64(), pl.Boolean(), pl.Boolean())
    known = dict(zip(COLUMNS, kinds, strict=True)) | OF_STEP
    return [pl.lit(None, kind).alias(name) for name, kind in known.items()]


def placed(rows: pl.DataFrame, cuts: pl.DataFrame) -> pl.DataFrame:
    """Rows with layer, position and layer_whole; null outside of layers."""
    numbered = cuts.sort("row").with_columns(
        layer=(pl.col("kind") == "layer").cast(pl.Int64).cum_sum().over("pass") - 1, begin="row"
    )
    joined = rows.join_asof(numbered.drop("pass"), on="row")
    inside = pl.col("kind_right") == "layer"
    return joined.with_columns(
        layer=pl.when(inside).then("layer"),
        position=pl.when(inside).then(pl.col("row") - pl.col("begin")),
        layer_whole=pl.when(inside).then("whole"),
    )


def summarised(launches: pl.DataFrame, table: pl.DataFrame) -> Segmented:
    """The launches with the facts that their passes tell."""
    whole = table.filter(pl.col("whole") & ~pl.col("draft"))
    layered = launches.select("phase", "layer_whole", "position").filter(pl.col("layer_whole") & (pl.col("position") == 0))
    # a prompt's layers are no part of a step
    held = layered.filter(~pl.col("phase").cast(pl.String).is_in(PROMPTED).fill_null(False)).height or layered.height
    end = "sampling" if (launches["role"].cast(pl.String) == "sampling").any() else "the LM head"
    return Segmented(
        launches=launches,
        steps=two_models(table) or steps_fact(whole, gpus(launches), end, table.filter("draft").height),
        prefill_passes=prefill_fact(table, gpus(launches)),
        layers=layers_fact(table, held),
        whole_layers=held,
    )


def steps_fact(whole: pl.DataFrame, ranks: int, end: str, drafts: int) -> Fact[int]:
    """Complete decode steps of one rank; unknown where there are none."""
    decode = whole.filter(pl.col("phase") == "decode")
    if decode.is_empty():
        unknown = whole.filter(pl.col("phase").is_null()).height
        why = (
            (
                f"nothing tells whether {unknown} whole passes are decode"
                if unknown > 1
                else "nothing tells whether its pass is decode"
            )
            if unknown
            else "no complete decode step in the window"
        )
        return Fact(None, "unknown", why)
    sizes = sorted(decode["launches"].to_list())
    size = f"{sizes[0]:,}" if sizes[0] == sizes[-1] else f"{sizes[0]:,} to {sizes[-1]:,}"
    beside = f", beside {drafts} passes that draft" if drafts else ""
    return Fact(round(decode.height / ranks), "inferred", f"each of {size} launches up to {end}{beside}")


def two_models(table: pl.DataFrame) -> Fact[int] | None:
    """The unknown fact where passes of several depths take turns and neither drafts for the other."""
    mixed = table.filter("mixed")
    if mixed.is_empty():
        return None
    depths = sorted(mixed.filter((pl.col("phase") == "decode") & (pl.col("mixers") > 0))["mixers"].unique().to_list())
    if len(depths) > 1:
        named = " and ".join(map(str, depths))
        return Fact(None, "unknown", f"passes of {named} layers take turns: several models, or one and its draft")
    if depths == [1]:
        return Fact(None, "unknown", "passes of a single layer: they may draft for a model that the window leaves out")
    return Fact(None, "unknown", "nothing tells of some passes whether they are decode")


def prefill_fact(table: pl.DataFrame, ranks: int = 1) -> Fact[int]:
    """Prefill passes of one rank, whole or cut; a range where the window cuts one and ends in a piece that may be another."""
    edge = pl.col("opens") | pl.col("closes")
    # between others a piece without attention belongs to the pass that follows
    known = table.filter((pl.col("mixers") > 0) | (edge & (pl.col("phase") == "prefill").fill_null(False)))
    prefill = known.filter(pl.col("phase") == "prefill")
    # what only copies the tokens drawn begins no pass; what a server prepares does
    begun = (pl.col("opened") | pl.col("served")).fill_null(False) | pl.coalesce("rows", "planned").is_not_null()
    pieces = table.filter(edge, begun, pl.col("mixers") == 0, pl.col("phase").is_null()).height
    if pieces and prefill.filter(~pl.col("whole")).height:
        least, most = (round(n / ranks) for n in (prefill.height, prefill.height + pieces))
        return Fact(None, "unknown", "nothing tells whether pieces of passes are prefill", least, most)
    if known.filter(pl.col("phase").is_null()).height or known.is_empty():
        return Fact(None, "unknown", "nothing tells whether all passes are decode")
    sizes = ", ".join(f"{n:,}" for n in prefill["launches"].unique(maintain_order=True).head(3))
    evidence = (
        f"{sizes} {'launch' if sizes == '1' else 'launches'}, with more rows or other kernels than decode has"
        if sizes
        else "no pass of prompts alone, beside mixed steps"
        if known.filter(pl.col("phase") == "mixed").height
        else "no pass has more rows than a decode step"
    )
    return Fact(round(prefill.height / ranks), "inferred", evidence)


def layers_fact(table: pl.DataFrame, held: int) -> Fact[int]:
    """Layers of a complete pass, decode before prefill."""
    whole = table.filter(pl.col("whole") & ~pl.col("draft"))
    if (several := two_models(table)) is not None:
        return several
    decode = whole.filter(pl.col("phase") == "decode")
    # a prefill in chunks looks like one pass of many layers, unless each chunk begins with an embedding
    begun = whole.filter("embedded") if "embedded" in whole.columns else whole
    counted = (decode if decode.height else begun)["mixers"]
    if counted.is_empty():
        return Fact(None, "unknown", f"the window holds {held} whole {'layer' if held == 1 else 'layers'} and no complete pass")
    untold = begun.filter(pl.col("phase").is_null())["mixers"].unique().sort()
    if decode.is_empty() and untold.len() and table["verified"].any():
        return Fact(None, "unknown", f"passes of {untold[0]} layers verify drafts, or draft")
    if decode.is_empty() and untold.len() > 1:
        depths = " and ".join(map(str, untold))
        return Fact(None, "unknown", f"passes of {depths} layers, and nothing tells which are decode")
    number = int(counted.mode().min())  # type: ignore[arg-type]
    if number == 1 and decode.is_empty():
        return Fact(None, "unknown", "a pass of a single layer may be a draft's")
    return Fact(number, "inferred", f"{number} attention or state-space kernels in a complete pass")


def facts(segmented: Segmented, run: Run, model: Model | None = None) -> tuple[Run, tuple[Note, ...]]:
    """The run with what the capture shows where nobody stated it, and a note per contradiction.

    Layers that the window does not show are those of the model, where one is given.
    """
    seen: dict[str, Fact[Any]] = {
        "steps": segmented.steps,
        "prefill_passes": segmented.prefill_passes,
        "layers": segmented.layers,
        "batch": segmented.batch,
        "accepted": segmented.accepted,
        "tp": sharing(segmented.launches),
    }
    if model is not None and seen["layers"].value is None:
        seen["layers"] = layers_of(model)
    filled = {name: fact for name, fact in seen.items() if getattr(run, name).value is None}
    whole = replace(run, **filled)
    return whole, (*contradictions(run, seen), *too_few_tokens(whole), *part_contradicted(run, segmented))


def layers_of(model: Model) -> Fact[int]:
    """The model's layers, by which a part may stand for the whole; unknown where its layers are of several kinds."""
    kinds = len(set(model.layer_kinds))
    if kinds > 1:
        return Fact(None, "unknown", f"{model.name} has {model.layers} layers of {kinds} kinds: a part is not scaled to all")
    return Fact(model.layers, "inferred", f"layers of {model.name}")


def contradictions(run: Run, seen: dict[str, Fact[Any]]) -> Iterator[Note]:
    """A note for every fact that was stated one way and is seen another."""
    for name, fact in seen.items():
        stated = getattr(run, name)
        if "taken to" in fact.evidence:
            continue  # a default, no sight
        if stated.value is not None and fact.value is not None and stated.value != fact.value:
            yield Note("contradicted", {"name": name, "stated": stated.value, "seen": fact.value, "evidence": fact.evidence})


def too_few_tokens(run: Run) -> Iterator[Note]:
    """A note where fewer tokens are stated than the whole steps of the capture make."""
    if run.tokens.value is None or not run.steps.value or not run.batch.value:
        return
    made = run.steps.value * run.batch.value * (speculation.per_sequence(run) or 1)
    if run.tokens.value < made:
        yield Note(
            "too_few_tokens", {"stated": run.tokens.value, "steps": run.steps.value, "batch": run.batch.value, "made": made}
        )


def part_contradicted(run: Run, segmented: Segmented) -> Iterator[Note]:
    """A note where the stated part of the layers cannot be what the capture shows."""
    if run.layers_captured.value is None:
        return
    part, every = run.layers_captured.value
    steps = segmented.steps.value
    if steps:
        yield Note("part_of_whole_steps", {"part": part, "every": every, "steps": steps})
    elif segmented.whole_layers > part:
        yield Note("more_layers", {"part": part, "every": every, "seen": segmented.whole_layers})
