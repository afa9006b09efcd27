"""Counters -> bytes by memory level, each with the rung it stands on."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.work.ladder import climb, dram_hertz, measured, rungs
from ncu_roofline.capture.capture import Device
from ncu_roofline.knowledge.counters import table
from ncu_roofline.knowledge.devices.gpu import Gpu


def bytes_moved(launches: pl.DataFrame, gpu: Gpu | None, device: Device) -> list[pl.Expr]:
    """DRAM bytes (total, read, written) and L2 bytes, each with its source."""
    dram = [*rungs(launches, "dram_bytes"), *activity(launches, gpu, device)]
    return [
        *climb("dram_bytes", dram),
        *climb("dram_read_bytes", rungs(launches, "dram_read_bytes"))[:1],
        *climb("dram_write_bytes", rungs(launches, "dram_write_bytes"))[:1],
        *climb("l2_bytes", rungs(launches, "l2_bytes")),
    ]


def at_nominal_clock(launches: pl.DataFrame) -> pl.Expr:
    """Whether the clock of the device's attributes stands in for one that nobody measured."""
    return measured(launches, table()["activity"]["cycles"]).is_null() & dram_hertz(launches).is_null()


def activity(launches: pl.DataFrame, gpu: Gpu | None, device: Device) -> list[tuple[str, pl.Expr]]:
    """Bytes rebuilt from active memory cycles; L2 misses where the part has no DRAM counters."""
    facts = table()["activity"]
    capability = device.compute_capability or (gpu.compute_capability if gpu else None)
    if device.integrated or capability in facts["no_dram_counters"]:
        return [("l2_miss", measured(launches, facts["l2_miss_sectors"]) * 32)]
    bus = device.bus_bits or (gpu.bus_bits if gpu else None)
    if bus is None:
        return []
    per_cycle = 2 * bus / 8  # two transfers a cycle
    hertz = pl.coalesce(dram_hertz(launches), pl.lit(device.memory_hertz, pl.Float64))
    share = measured(launches, facts["percent"]) / 100
    return [
        ("cycles", measured(launches, facts["cycles"]) * per_cycle),
        ("cycles", share * per_cycle * hertz * pl.col("seconds")),
    ]
