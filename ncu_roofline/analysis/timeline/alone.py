"""Whether a step is of decode alone, or carries a piece of a prompt beside the rows that decode: by the rows it works on."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.batch import PLACE, sequences_of_steps
from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.run.phases import FEW_DRAFTS, MOST_PADDING
from ncu_roofline.analysis.run.rows import phase_kinds, verifying

SMALL, STEP, WIDE_STEP, WIDE = (1, 2, 4), 8, 16, 256
"""Sizes for which engines capture CUDA graphs: these, then multiples of 8, and beyond 256 rows multiples of 16."""


DECODE, MIXED, UNKNOWN = "decode", "mixed", "unknown"
"""What a step's rows tell."""


def alone(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per step that the launches are numbered by (process, device, step), with `alone`.

    As many rows as are sampled, or as many more as pad a CUDA graph, are sequences; twice as many are prompt tokens too.
    Between the two nothing tells. Drafts are rows beyond the sequences, so where they are verified rows tell nothing.
    """
    decode = launches.filter(pl.col("step").is_not_null()).with_columns(phase=pl.lit("decode"))
    told = sequences_of_steps(decode, drafts=False)
    signs = kinds(decode)
    joined = told.join(signs, on=list(PLACE), how="left", nulls_equal=True, maintain_order="left")
    rows, counted = pl.col("rows"), pl.coalesce("sampled", "sequences", "nvtx_batch")
    engine = pl.col("nvtx_phase").cast(pl.String) == "decode"
    drafts = pl.col("verified") | pl.col("nvtx_drafts").fill_null(False)
    # requests that were put off begin anew with all their tokens
    again = pl.col("nvtx_rows") > FEW_DRAFTS * pl.col("nvtx_batch")
    verdict = (
        pl.when(again)
        .then(pl.lit(MIXED))
        .when(engine | drafts | (rows <= padded(counted)) | (rows == 1))
        .then(pl.lit(DECODE))
        # halves of a batch that run beside each other tell their own rows
        .when((rows >= MOST_PADDING * counted) & (pl.col("streams") <= 1))
        .then(pl.lit(MIXED))
        .when(rows.is_null() | counted.is_null())
        .then(pl.when("only_decode").then(pl.lit(DECODE)).otherwise(pl.lit(UNKNOWN)))
        .otherwise(pl.lit(UNKNOWN))
    )
    return joined.select(*PLACE, alone=verdict)


def padded(sequences: pl.Expr) -> pl.Expr:
    """The size of the CUDA graph that holds so many sequences."""
    step = pl.when(sequences > WIDE).then(WIDE_STEP).otherwise(STEP)
    large = (sequences + step - 1) // step * step
    for size in reversed(SMALL):
        large = pl.when(sequences <= size).then(size).otherwise(large)
    return large


def kinds(decode: pl.DataFrame) -> pl.DataFrame:
    """Per step whether drafts are verified, on how many streams attention runs, and whether only kernels of decode do."""
    told = phase_kinds(decode).select("index", kind="phase")
    mixer = pl.col("role").cast(pl.String).is_in(MIXERS)
    signs = {"verifies": verifying(decode), "stream": pl.when(mixer).then("stream")}
    at = decode.select("index", *PLACE, **signs).join(told, on="index", how="left")
    return at.group_by(*PLACE).agg(
        streams=pl.col("stream").drop_nulls().n_unique(),
        verified=pl.col("verifies").any(),
        only_decode=(pl.col("kind") == "decode").any().fill_null(False) & ~(pl.col("kind") == "prefill").any().fill_null(False),
    )
