"""The batch: sequences of every decode step, by grids, names and ranges, and what they are over the whole run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.run.cuts.graphs import graph_of
from ncu_roofline.analysis.run.cuts.ranges import of_groups
from ncu_roofline.analysis.run.phases import MOST_PADDING, kind_of, rows_of_passes
from ncu_roofline.analysis.run.rows import satellite, votes
from ncu_roofline.analysis.run.witnesses import agree, common
from ncu_roofline.capture.capture import UNKNOWN, Fact, Run, Witness

PLACE = ("process", "device", "step")
REPLAYED = ("rows", "sampled", "sequences")
"""What a step tells that the size of a CUDA graph may have padded, where a node of the graph tells it."""
SIGNS = (*REPLAYED, "planned", "contested", "nvtx_batch", *(f"{name}_replayed" for name in REPLAYED))
"""What a step tells: steps that tell the same have the same batch."""


def sequences_of_steps(launches: pl.DataFrame, *, drafts: bool) -> pl.DataFrame:
    """One row per decode step of a rank (launches of no step are one): process, device, step, what it tells, `batch`, `why`."""
    decode = launches.filter(pl.col("phase").cast(pl.String) == "decode")
    numbered = decode.with_columns(group=pl.struct(*(pl.col(p).fill_null(-1) for p in PLACE)).rank("dense").cast(pl.Int64))
    role = pl.col("role").cast(pl.String)
    is_fc, is_mixer = (role == "fc").fill_null(False), role.is_in(MIXERS).fill_null(False)
    places = numbered.select("index", "layer", "group", "stream", fc=is_fc, mixer=is_mixer, helper=satellite(numbered))
    steps = numbered.group_by("group", maintain_order=True).agg(
        *(pl.col(p).first() for p in PLACE),
        whole=pl.col("step_whole").all() if "step_whole" in decode.columns else pl.lit(False),
    )
    spoke = votes(decode)
    told = (
        steps.join(rows_of_passes(spoke, places), on="group", how="left", maintain_order="left")
        .join(replayed(spoke, numbered), on="group", how="left", maintain_order="left")
        .join(of_groups(decode, places), on="group", how="left", maintain_order="left")
        .drop("group")
    )
    kinds = told.select(*SIGNS, *(c for c in told.columns if "what" in c)).unique(SIGNS, maintain_order=True)
    facts = [of_step(kind, drafts=drafts) for kind in kinds.iter_rows(named=True)]
    named = kinds.select(SIGNS).with_columns(
        batch=pl.Series([f.value for f in facts], dtype=pl.Int64),
        low=pl.Series([f.span[0] for f in facts], dtype=pl.Float64),
        high=pl.Series([f.span[1] for f in facts], dtype=pl.Float64),
        why=pl.Series([f.evidence for f in facts], dtype=pl.String),
    )
    return told.join(named, on=SIGNS, how="left", nulls_equal=True, maintain_order="left")


def replayed(spoke: pl.DataFrame, numbered: pl.DataFrame) -> pl.DataFrame:
    """Per group whether nodes of a CUDA graph tell its rows, its sampled rows and its sequences.

    What prepares a step whose attention is a node counts the sequences of the graph, too.
    """
    mixer = pl.col("role").cast(pl.String).is_in(MIXERS).fill_null(False)
    nodes = numbered.select("index", "group", node=graph_of(numbered).is_not_null(), mixer=mixer)
    at = spoke.join(nodes.with_columns(inside=(pl.col("node") & pl.col("mixer")).any().over("group")), on="index")
    counted = {name: kind_of(name) & (pl.col("node") | (kind_of("sequences") & pl.col("inside"))) for name in REPLAYED}
    return at.group_by("group").agg(one.any().alias(f"{name}_replayed") for name, one in counted.items())


def of_step(told: Mapping[str, Any], *, drafts: bool) -> Fact[int]:
    """The sequences of one step; unknown with the reason where its rows are not those of its sequences."""
    found = agree(witnesses(told, drafts=drafts))
    rows, sampled = told["rows"], told["sampled"]
    if found.value is not None or (rows is None and sampled is None):
        return found
    if drafts:
        return replace(found, evidence=f"the {rows or sampled} rows of a step hold drafts beside the sequences")
    if None not in (rows, sampled) and rows >= MOST_PADDING * sampled:
        return replace(
            found, evidence=f"a step works on {rows} rows and samples {sampled}: drafts or prompt tokens are among them"
        )
    if any(told[f"{name}_replayed"] for name in REPLAYED):
        return replace(found, evidence=f"{found.evidence} of a CUDA graph, which may pad them")
    return found


def witnesses(told: Mapping[str, Any], *, drafts: bool) -> list[Witness]:
    """What speaks for the sequences of one step.

    Sequences are counted by their own kernels. Sampled rows are sequences unless drafts are verified. Rows are
    sequences where nothing else tells, and only bound them else: rows beyond the sampled ones pad a CUDA graph, up
    to twice as many. So what a node of a graph tells is an interval.
    """
    rows, sampled, sequences = told["rows"], told["sampled"], told["sequences"]
    told_rows = rows if rows is not None else sampled
    # more rows than are sampled, beyond padding: prompt tokens or drafts, and nothing says which
    mixed = drafts or (None not in (rows, sampled) and rows >= MOST_PADDING * sampled)
    # fewer rows than are sampled: a half of the batch that runs beside another, or of another pass
    torn = None not in (rows, sampled) and rows < sampled and not drafts
    bound = "bound" if mixed or (sequences is not None and not told["sequences_replayed"]) else "strong"
    found = []
    if (named := told["nvtx_batch"]) is not None:
        found.append(Witness(says=told["nvtx_what"], low=named, high=named, rank="nvtx"))
    if sequences is not None:
        found.append(counted(told, "sequences", sequences))
    if torn:
        found.append(counted(told, "sampled", sampled))
    elif sampled is not None:
        found.append(counted(told, "sampled", sampled, rank=bound))
    alone = bound == "strong" and sampled in (None, rows)
    if rows is not None and told["contested"] and alone and sampled is None:
        found += [replace(counted(told, "rows", n), says=said) for said, n in spoken(told["contested"])]
    elif rows is not None:
        found.append(counted(told, "rows", rows) if alone else counted(told, "rows", told_rows, rank="bound"))
    if told["planned"] is not None:
        found.append(Witness(says=told["what_planned"], low=None, high=told["planned"], rank="bound"))
    return found


def counted(told: Mapping[str, Any], name: str, number: int, rank: str = "strong") -> Witness:
    """The witness of a number that kernels tell: nodes of a graph tell the most that it can be, and half of that the least."""
    least = number // MOST_PADDING + 1 if told[f"{name}_replayed"] else number
    return Witness(says=told[f"what_{name}"], low=None if rank == "bound" else least, high=number, rank=rank)


def spoken(contested: str) -> list[tuple[str, int]]:
    """What each kind of kernels says, where they contradict each other."""
    parts = [part.rsplit(" say ", 1) for part in contested.split("; ")]
    return [(said, int(rows)) for said, rows in parts]


def over_steps(steps: pl.DataFrame) -> Fact[int]:
    """One batch where all steps have the same, a range where it changes."""
    if steps.filter("whole").height:
        steps = steps.filter("whole")
    bounded = steps.filter(pl.col("low").is_not_null() & pl.col("high").is_not_null())
    if bounded.is_empty():
        reasons = steps["why"].drop_nulls().filter(steps["why"].drop_nulls() != "")
        return Fact(None, "unknown", reasons[0]) if reasons.len() else UNKNOWN
    low, high = int(bounded["low"].min()), int(bounded["high"].max())  # type: ignore[arg-type]
    known, padded = bounded.filter(pl.col("batch").is_not_null()), bounded.filter(pl.col("batch").is_null())
    spoke = over_run(known) if known.height else ()
    if padded.height:
        return Fact(None, "unknown", padded["why"][0], low, high, spoke)
    if low != high:
        return Fact(None, "unknown", f"rows change between steps, from {low} to {high}", low, high, spoke)
    what = known.sort("why")["why"][0]
    agreed = tuple(replace(w, agrees=common([w])[0] <= low <= common([w])[1]) for w in spoke)
    return Fact(low, "inferred", f"{what}: {low} {'row' if low == 1 else 'rows'} in every decode step", witnesses=agreed)


def with_tiles(launches: pl.DataFrame, run: Run) -> Run:
    """The run whose batch also has the bound of tensor work over known matrices: 2 N K for every row of the tiles."""
    tiles = rows_of_tiles(launches)
    if tiles is None or run.batch.origin == "given":
        return run
    fits = None if run.batch.value is None else run.batch.value <= tiles
    spoke = (*run.batch.witnesses, Witness(says="tensor work over 2 N K", low=None, high=tiles, rank="bound", agrees=fits))
    if run.batch.value is not None or run.batch.high is not None:
        return replace(run, batch=replace(run.batch, witnesses=spoke))
    return replace(run, batch=replace(run.batch, high=tiles, witnesses=spoke))


def rows_of_tiles(launches: pl.DataFrame) -> int | None:
    """Rows of the smallest tiles of a step's layers, over the steps the most; None where no product was matched."""
    decode = (pl.col("phase").cast(pl.String) == "decode") & pl.col("layer").is_not_null()
    counted = (pl.col("tensor_flops") > 0) & (pl.col("flops_source").cast(pl.String) == "counter")
    matched = launches.filter(decode & counted, pl.col("matrix_n") > 0, pl.col("experts_read").is_null())
    rows = pl.col("tensor_flops") / (2.0 * pl.col("matrix_n") * pl.col("matrix_k"))
    least = matched.group_by(*PLACE).agg(rows=rows.min())["rows"].max()
    return math.ceil(float(least) * (1 - 1e-6)) if isinstance(least, float) and least > 0 else None


def over_run(steps: pl.DataFrame) -> tuple[Witness, ...]:
    """The witnesses of all steps, each with the least and the most that it says."""
    signs = {
        "nvtx_batch": "nvtx_what",
        "sequences": "what_sequences",
        "sampled": "what_sampled",
        "rows": "what_rows",
        "planned": "what_planned",
    }
    ranks = {"nvtx_batch": "nvtx", "planned": "bound"}
    first = next(name for name in signs if steps[name].count())
    found = []
    for name, what in signs.items():
        for said in steps.drop_nulls(name).partition_by(what, maintain_order=True):
            least, most = said[name].min(), said[name].max()
            bound = (
                name == "rows"
                and first in ("sequences", "sampled")
                and (least, most) != (said["batch"].min(), said["batch"].max())
            )
            rank = "bound" if bound else ranks.get(name, "strong")
            low = None if rank == "bound" else float(least)  # type: ignore[arg-type]
            found.append(Witness(says=said[what][0], low=low, high=float(most), rank=rank))  # type: ignore[arg-type]
    return tuple(found)
