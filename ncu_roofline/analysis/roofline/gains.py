"""What to fix first: kernels by the time above their roof; many small ones are one thing."""

from __future__ import annotations

import polars as pl

GLUE = "glue"
"""Stands for all kernels beside FC and attention that reach neither roof: fusing or graphs help there, one by one nothing."""
PADDING = "padding"
"""Stands for kernels at the roof of arithmetic whose useful work is left of the ridge: they compute rows that nobody needs."""
KINDS = (GLUE, PADDING, "memory", "compute", "latency")
COLUMNS = ("kernel", "name", "grid", "role", "launches", "seconds", "time_share", "gain_seconds", "bandwidth_share")


def fix_first(groups: pl.DataFrame, most: int = 3) -> pl.DataFrame:
    """Kernel groups by gain, the largest first, with `why`: glue, or the roof they come nearest to; nothing without gains."""
    main = pl.col("role").cast(pl.String).is_in(["fc", "attention"]).fill_null(False)
    glue = (pl.col("limited_by").cast(pl.String) == "latency") & ~main
    padded = (pl.col("limited_by").cast(pl.String) == "compute") & (pl.col("bound").cast(pl.String) == "memory")
    told = groups.filter(pl.col("gain_seconds") > 0).with_columns(
        why=pl.when(glue)
        .then(pl.lit(GLUE))
        .when(padded)
        .then(pl.lit(PADDING))
        .otherwise(pl.col("limited_by").cast(pl.String).fill_null("memory")),
        part=pl.when(glue).then(None).otherwise(pl.col("group")),
    )
    return (
        told.group_by("why", "part", maintain_order=True)
        .agg(
            *(pl.when(pl.len() == 1).then(pl.col(c).first()).alias(c) for c in ("kernel", "name", "grid", "role")),
            pl.col("launches", "seconds", "time_share", "gain_seconds").sum(),
            pl.when(pl.len() == 1).then(pl.col("bandwidth_share").first()).alias("bandwidth_share"),
        )
        .sort("gain_seconds", descending=True)
        .head(most)
        .select(*COLUMNS, "why")
    )
