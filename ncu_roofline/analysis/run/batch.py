"""The batch of the decode steps, from the grids of kernels that take one block per row."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.anchors import MIXERS
from ncu_roofline.analysis.run.phases import MOST_PADDING, rows_of_passes
from ncu_roofline.analysis.run.rows import votes
from ncu_roofline.capture.capture import UNKNOWN, Fact

AGREEING = 0.8
"""Share of the decode steps that must have the same rows before one batch is named."""


def infer_batch(launches: pl.DataFrame, accepted: float = 1.0) -> Fact:
    """The batch, inferred, with its evidence; unknown where no kernel of a decode step tells it.

    Where more than one token is accepted per step, rows hold drafts: only kernels that count sequences tell.
    """
    decode = launches.filter(pl.col("phase").cast(pl.String) == "decode")
    role = pl.col("role").cast(pl.String)
    is_fc, is_mixer = (role == "fc").fill_null(False), role.is_in(MIXERS).fill_null(False)
    places = decode.select("index", "layer", group=pl.col("step").fill_null(-1), fc=is_fc, mixer=is_mixer)
    told = rows_of_passes(votes(decode), places).with_columns(
        batch=sequences_of_step() if accepted == 1 else pl.col("sequences")
    )
    steps = told.filter(pl.col("batch").is_not_null())
    if steps.is_empty():
        return drafts(told, accepted)
    counts = steps.group_by("batch").agg(steps=pl.len(), what=evidence().sort().first()).sort("steps", descending=True)
    batch, agreeing, what = counts.row(0)
    if agreeing < AGREEING * steps.height:
        sizes = sorted(steps["batch"].to_list())
        return Fact(None, "unknown", f"rows change between steps, from {sizes[0]} to {sizes[-1]}")
    where = "every decode step" if agreeing == steps.height else f"{agreeing} of {steps.height} decode steps"
    return Fact(int(batch), "inferred", f"{what}: {batch} {'row' if batch == 1 else 'rows'} in {where}")


def sequences_of_step() -> pl.Expr:
    """Sequences of a step: those verified or sampled, else its rows; null where rows hold drafts too.

    Rows beyond the sampled ones pad a CUDA graph, up to twice as many.
    """
    rows, sampled = pl.col("rows"), pl.col("sampled")
    return (
        pl.when(pl.col("sequences").is_not_null())
        .then("sequences")
        .when(sampled.is_null())
        .then(rows)
        .when(rows.is_null() | (rows < MOST_PADDING * sampled))
        .then(sampled)
    )


def evidence() -> pl.Expr:
    """Which kinds of kernels told."""
    return pl.coalesce(
        "what_sequences", pl.when(pl.col("sampled") != pl.col("rows")).then("what_sampled"), "what_rows", "what_sampled"
    )


def drafts(told: pl.DataFrame, accepted: float) -> Fact:
    """No batch: nothing tells it, or a step has rows beside those of its sequences."""
    known = told.filter(pl.coalesce("rows", "sampled").is_not_null())
    if known.is_empty():
        return UNKNOWN
    rows, sampled = known.select("rows", "sampled").row(0)
    if accepted > 1:
        return Fact(None, "unknown", f"the {rows or sampled} rows of a step hold drafts beside the sequences")
    return Fact(None, "unknown", f"a step works on {rows} rows and samples {sampled}: drafts or prompt tokens are among them")
