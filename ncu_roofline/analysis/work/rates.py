"""Launches without a duration: FLOP/s and byte/s from the profiler's own rates, which need none."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.work.ladder import NOTHING, dram_hertz, measured
from ncu_roofline.capture.schema import MEASURED, PATHS
from ncu_roofline.knowledge.counters import table

RATES = ("flop_rate", "path_rate", "byte_rate")
"""FLOP/s of all paths and of the launch's own one, byte/s: of launches without a duration alone."""


def of_a_second(launches: pl.DataFrame) -> pl.DataFrame | None:
    """The launches as if each took a second, in which all rates are counts; None where no launch lacks its duration."""
    rated = any(".per_" in c for c in launches.columns if c.startswith(MEASURED))
    if not rated or not launches["seconds"].null_count():
        return None
    # cycles that were counted would make a sum of a rate, and the seconds are not known
    counts = {MEASURED + name for kind in ("sm_cycles", "sm_cycles_longest") for name in table()["clocks"][kind]}
    return launches.drop(counts & set(launches.columns)).with_columns(seconds=pl.lit(1.0))


def with_rates(worked: pl.DataFrame, second: pl.DataFrame | None) -> pl.DataFrame:
    """Launches with `RATES` and the path of those whose work is known by its rate alone, from the work of a second."""
    if second is None:
        return worked.with_columns(NOTHING.alias(rate) for rate in RATES)
    rates = second.select(
        flop_rate=pl.when(all_rates()).then("flops"),
        path_rate=pl.when(all_rates()).then(flops_of_own_path()),
        byte_rate=pl.when(pl.col("dram_bytes_source") == "rate").then("dram_bytes"),
        rate_path="path",
        rate_complete="flops_complete",
    )
    untimed = pl.col("seconds").is_null()
    both = worked.hstack(rates).with_columns(pl.when(untimed).then(rate).alias(rate) for rate in RATES)
    ran = pl.col("flop_rate").is_not_null() & pl.col("flops").is_null()
    return both.with_columns(
        path=pl.when(ran).then("rate_path").otherwise("path"),
        flops_complete=pl.when(ran).then("rate_complete").otherwise("flops_complete"),
    ).drop("rate_path", "rate_complete")


def all_rates() -> pl.Expr:
    """Whether every path that did work was counted as a rate: counts beside rates add up to nothing."""
    return pl.all_horizontal(
        (pl.col(f"flops_{p}").fill_null(0) == 0) | (pl.col(f"flops_{p}_source") == "rate").fill_null(False) for p in PATHS
    )


def flops_of_own_path() -> pl.Expr:
    """The FLOPs of the launch's own path."""
    return pl.coalesce(*[pl.when(pl.col("path").cast(pl.String) == p).then(pl.col(f"flops_{p}")) for p in PATHS])


def profiled_bandwidth(launches: pl.DataFrame) -> pl.Expr:
    """The bandwidth roof at the memory clock of the capture, by the peak that the roofline section states per cycle."""
    return measured(launches, table()["share"]["bytes_per_cycle"]) * dram_hertz(launches)


def profiled_share(launches: pl.DataFrame, capability: str | None) -> pl.Expr:
    """The share of the bandwidth as the profiler states it; null where its counter is another one than the active share."""
    facts = table()["share"]
    other = (None, *table()["activity"]["other_throughput"])
    names = facts["percent"][:1] if capability in other else facts["percent"]
    return measured(launches, names) / 100
