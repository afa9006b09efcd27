"""Launches with roles -> totals by role and by rule, and the kernels that no rule knows."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.sums import known_sum, ratio

KEYS = {
    "role": ("role", "family"),
    "rule": ("role", "role_source", "role_rule"),
    "kernel": ("kernel", "name", "role", "role_source", "role_rule"),
}
"""What a row is of; the role is null where none was recognised."""
TOTALS = ("kernels", "launches", "seconds", "time_share", "dram_bytes", "bytes_share")


def unknown(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per kernel name without a role, longest first."""
    return totals(launches, "kernel").filter(pl.col("role").is_null()).drop("role", "role_source", "role_rule")


def totals(launches: pl.DataFrame, by: str) -> pl.DataFrame:
    """Rows per role, rule or kernel, longest first: kernels, launches, time, bytes and shares; null where none is known."""
    summed = launches.group_by(KEYS[by], maintain_order=True).agg(
        pl.col("name").n_unique().cast(pl.Int64).alias("kernels"),
        pl.col("times").fill_null(1).sum().alias("launches"),
        known_sum("seconds"),
        known_sum("dram_bytes"),
    )
    shared = summed.with_columns(
        time_share=ratio("seconds", pl.col("seconds").sum()), bytes_share=ratio("dram_bytes", pl.col("dram_bytes").sum())
    )
    return shared.sort("seconds", "launches", descending=True, nulls_last=True).select(*KEYS[by], *TOTALS)


def of_name(launches: pl.DataFrame, name: str) -> pl.DataFrame:
    """The kernels whose function or full name is, or else contains, this text."""
    kernels = totals(launches, "kernel")
    same = kernels.filter((pl.col("kernel") == name) | (pl.col("name") == name))
    if same.height:
        return same
    return kernels.filter(pl.col("name").str.contains(name, literal=True))


def full_name(kernels: pl.DataFrame, name: str) -> str:
    """The full name behind what was asked for, as the rules saw it; the text itself where there is none."""
    return str(kernels["name"][0]) if kernels.height else name
