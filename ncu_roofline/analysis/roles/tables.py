"""Launches with roles -> totals by role and by rule, and the kernels that no rule knows."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.sums import known_sum

TOTALS = ("kernels", "launches", "seconds", "time_share", "dram_bytes", "bytes_share")


def by_role(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per role, longest first; role null is what was not recognised."""
    return totals(launches, ("role", "family"))


def by_rule(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per role, the source that decided and its rule, longest first."""
    return totals(launches, ("role", "role_source", "role_rule"))


def by_kernel(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per kernel name and what was decided on it, longest first."""
    return totals(launches, ("kernel", "name", "role", "role_source", "role_rule"))


def unknown(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per kernel name without a role, longest first."""
    shared = by_kernel(launches)
    return shared.filter(pl.col("role").is_null()).drop("role", "role_source", "role_rule")


def totals(launches: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Distinct kernels, launches, known time and known bytes with their shares; null where none is known."""
    summed = launches.group_by(keys, maintain_order=True).agg(
        pl.col("name").n_unique().cast(pl.Int64).alias("kernels"),
        pl.col("times").fill_null(1).sum().alias("launches"),
        known_sum("seconds"),
        known_sum("dram_bytes"),
    )
    shared = summed.with_columns(time_share=_share("seconds"), bytes_share=_share("dram_bytes"))
    return shared.sort("seconds", "launches", descending=True, nulls_last=True).select(*keys, *TOTALS)


def _share(column: str) -> pl.Expr:
    whole = pl.col(column).sum()
    return pl.when(whole > 0).then(pl.col(column) / whole)


def of_name(launches: pl.DataFrame, name: str) -> pl.DataFrame:
    """The kernels whose function or full name is, or else contains, this text."""
    kernels = by_kernel(launches)
    same = kernels.filter((pl.col("kernel") == name) | (pl.col("name") == name))
    if same.height:
        return same
    return kernels.filter(pl.col("name").str.contains(name, literal=True))


def full_name(kernels: pl.DataFrame, name: str) -> str:
    """The full name behind what was asked for, as the rules saw it; the text itself where there is none."""
    return str(kernels["name"][0]) if kernels.height else name
