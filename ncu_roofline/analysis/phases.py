"""Decode step or prefill pass: by kernels of one phase only, else by the rows it works on."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.rows import phase_kinds, votes
from ncu_roofline.capture.schema import PHASES

LARGEST_DECODE = 256
"""Rows that are taken for a decode step without other signs; 512 is already llama.cpp's prefill chunk."""
SMALLEST_PREFILL = 2048
"""Rows that no decode step has: twice the default limit of running sequences (1024 in vLLM)."""


def rows_of_passes(told: pl.DataFrame) -> pl.DataFrame:
    """Per group: `rows` on which most kinds of kernels agree, `sampled` rows, and what told them."""
    # the last norm of a prefill may see one row per sequence: layers decide, where there are any
    layered = told.filter(pl.col("layer").is_not_null() | pl.col("layer").is_null().all().over("group", "rule"))
    least = pl.when(pl.col("least").any()).then(pl.col("rows").min()).otherwise(pl.col("rows").mode().min())
    in_layers = layered.group_by("group", "rule", "what", "sampled", "layer").agg(rows=least)
    by_rule = in_layers.group_by("group", "rule", "what", "sampled").agg(pl.col("rows").mode().min())
    counted = by_rule.group_by("group", "rows", "sampled").agg(
        rules=pl.len(), what=pl.col("what").unique().sort().head(3).str.join(", ")
    ).sort("group", "rules", "rows", descending=[False, True, False])  # fmt: skip
    chosen = counted.filter(~pl.col("sampled")).unique("group", keep="first", maintain_order=True)
    sampled = counted.filter("sampled").unique("group", keep="first", maintain_order=True)
    return chosen.select("group", "rows", "what").join(
        sampled.select("group", sampled="rows"), on="group", how="full", coalesce=True
    )


def phases(laid: pl.DataFrame, launches: pl.DataFrame) -> pl.DataFrame:
    """One row per pass: pass, rows, sampled, phase (null unknown)."""
    at = laid.select("index", "layer", group="pass")
    told = rows_of_passes(votes(launches).join(at, on="index"))
    kinds = phase_kinds(launches).join(at, on="index").group_by("group").agg(
        only_prefill=(pl.col("phase") == "prefill").all(), only_decode=(pl.col("phase") == "decode").all()
    )  # fmt: skip
    every = at.select("group").unique(maintain_order=True)
    table = every.join(told, on="group", how="left").join(kinds, on="group", how="left").sort("group")
    first = table.with_columns(phase=by_itself())
    return first.with_columns(phase=by_others().cast(pl.Enum(PHASES))).rename({"group": "pass"})


def by_itself() -> pl.Expr:
    """The phase that a pass tells by its own kernels and rows."""
    rows = pl.col("rows")
    return (
        pl.when("only_prefill").then(pl.lit("prefill"))
        .when("only_decode").then(pl.lit("decode"))
        .when(rows > pl.col("sampled")).then(pl.lit("prefill"))
        .when(rows == pl.col("sampled")).then(pl.lit("decode"))
        .when(rows <= LARGEST_DECODE).then(pl.lit("decode"))
        .when(rows >= SMALLEST_PREFILL).then(pl.lit("prefill"))
    )  # fmt: skip


def by_others() -> pl.Expr:
    """A pass with more than twice the rows of the usual decode step is a prefill, unless its kernels say decode."""
    decode_rows = pl.col("rows").filter(pl.col("phase") == "decode")
    usual = decode_rows.mode().min()
    more = (pl.col("rows") > 2 * usual) & ~pl.col("only_decode").fill_null(False) & (decode_rows.count() > 1)
    return pl.when(more & (pl.col("phase") == "decode")).then(pl.lit("prefill")).otherwise("phase")
