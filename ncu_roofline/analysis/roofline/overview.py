"""A study in a handful of numbers: where time and bytes go, on which side of the ridge."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import known_sum, share, total, weighted


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Totals and shares of one capture; None where nothing measured them."""

    launches: int
    kernels: int
    seconds: float | None
    dram_bytes: float | None
    flops: float | None
    seconds_known: int
    bytes_known: int
    """Launches whose bytes are known."""
    reads_known: int
    """Launches whose bytes read are known."""
    flops_known: int
    roles: pl.DataFrame
    """One row per role, longest first."""
    families: pl.DataFrame
    """family, seconds, dram_bytes, time_share, bytes_share."""
    memory_bytes_share: float | None
    """Of the bytes whose side is known: those moved by kernels left of their ridge."""
    latency_time_share: float | None
    """Of the time whose limit is known: that of kernels near neither roof."""
    limit_known_time_share: float | None
    side_known_bytes_share: float | None
    partial_bytes_share: float | None
    """Of the bytes left of the ridge: those of kernels of which a main kind of work was not counted."""
    flops_partial: int
    """Launches of which a main kind of work was not counted: a lower bound that may be far off."""
    main_path: str | None
    """The path that did most FLOPs."""
    ridge_spec: float | None
    ridge_profiled: float | None
    bandwidth_share: float | None
    """Bytes over time against the bandwidth roof, over launches that have both; of a launch without duration its own."""
    left_launches: int
    """Launches left of the ridge."""
    sided_launches: int
    """Launches whose side is known for certain: left of the ridge by a partial count of the work is not."""


SEEN = (
    *("name", "times", "seconds", "dram_bytes", "dram_read_bytes", "flops", "flops_complete", "flops_fp32", "tensor_flops"),
    *("role", "family", "path", "bound", "bound_source", "limited_by", "bandwidth_share", "bandwidth", "bandwidth_at_clock"),
    *("peak_at_clock", "ridge_spec", "ridge_profiled"),
)
"""What the first sentences are made of."""


def overview(study: Study) -> Overview:
    """The numbers that the first sentences are made of."""
    launches = study.launches.select(SEEN)
    sided, memory = pl.col("bound").is_not_null(), (pl.col("bound") == "memory").fill_null(False)
    limited = pl.col("limited_by").is_not_null()
    by_part = (pl.col("bound_source") == "partial") & lacking()
    certain = sided & ~(by_part & memory)
    path, spec, profiled = main_ridge(launches)
    return Overview(
        launches=launch_count(launches),
        kernels=launches["name"].n_unique(),
        seconds=total(launches, "seconds"),
        dram_bytes=total(launches, "dram_bytes"),
        flops=total(launches, "flops"),
        seconds_known=launch_count(launches, pl.col("seconds").is_not_null()),
        bytes_known=launch_count(launches, pl.col("dram_bytes").is_not_null()),
        reads_known=launch_count(launches, pl.col("dram_read_bytes").is_not_null()),
        flops_known=launch_count(launches, pl.col("flops").is_not_null()),
        roles=group(study.launches, "role"),
        families=families(launches),
        memory_bytes_share=share(launches, memory, "dram_bytes", sided),
        latency_time_share=share(launches, pl.col("limited_by") == "latency", "seconds", limited),
        limit_known_time_share=share(launches, limited, "seconds"),
        partial_bytes_share=share(launches, by_part & memory, "dram_bytes", memory),
        flops_partial=launch_count(launches, pl.col("flops").is_not_null() & lacking()),
        side_known_bytes_share=share(launches, sided, "dram_bytes"),
        main_path=path,
        ridge_spec=spec,
        ridge_profiled=profiled,
        bandwidth_share=launches["bandwidth_share"][0] if launches.height == 1 else weighted(launches, "bandwidth_share"),
        left_launches=launch_count(launches, certain & memory),
        sided_launches=launch_count(launches, certain),
    )


def lacking() -> pl.Expr:
    """Whether FP32 or all tensor work was not counted; other kinds are rare in language models."""
    return ~pl.col("flops_complete") & (pl.col("flops_fp32").is_null() | pl.col("tensor_flops").is_null())


def launch_count(launches: pl.DataFrame, which: pl.Expr | None = None) -> int:
    """How many launches the rows stand for, or those of them that fit."""
    number = pl.col("times").fill_null(1)
    return int(launches.select(number.sum() if which is None else number.filter(which).sum()).item())


def families(launches: pl.DataFrame) -> pl.DataFrame:
    """FC, attention, the cache beside it, the rest, and what nobody recognised: time, bytes, shares."""
    role = pl.col("role").cast(pl.String)
    apart = pl.when(role.is_null()).then(pl.lit("unclassified")).when(role == "kv-cache").then(role)
    sums = launches.group_by(family=apart.otherwise(pl.col("family").cast(pl.String))).agg(
        launches=pl.col("times").fill_null(1).sum(), seconds=known_sum("seconds"), dram_bytes=known_sum("dram_bytes")
    )
    return sums.with_columns(
        time_share=pl.col("seconds") / pl.when(pl.col("seconds").sum() > 0).then(pl.col("seconds").sum()),
        bytes_share=pl.col("dram_bytes") / pl.when(pl.col("dram_bytes").sum() > 0).then(pl.col("dram_bytes").sum()),
    ).sort("family")


def main_ridge(launches: pl.DataFrame) -> tuple[str | None, float | None, float | None]:
    """The path of the kernels with most bytes, FLOPs where those are unknown, and both ridges of its heaviest kernel."""
    looked_at = ("path", "dram_bytes", "flops", "seconds", "peak_at_clock", "ridge_spec", "ridge_profiled")
    working = launches.select(looked_at).filter(pl.col("path").is_not_null())  # filtering copies
    if working.is_empty():
        return None, None, None
    weights = ("dram_bytes", "flops")
    path = working.group_by("path").agg(pl.col(*weights).sum()).sort(*weights, "path")["path"][-1]
    mine = working.filter(pl.col("path") == path)
    heavy = mine.sort("flops", descending=True, nulls_last=True, maintain_order=True).head(1)
    # as the chart draws it: the path's mean ceiling over the mean slope of all launches
    peak, slope = weighted(mine, pl.col("peak_at_clock")), weighted(launches, pl.coalesce("bandwidth_at_clock", "bandwidth"))
    return path, heavy["ridge_spec"][0], peak / slope if peak and slope else heavy["ridge_profiled"][0]
