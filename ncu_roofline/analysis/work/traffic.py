"""Counters -> bytes by memory level, each with the rung it stands on."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.work.ladder import climb, dram_hertz, measured, rungs
from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.schema import MEASURED
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
    per_unit = bytes_per_unit(gpu)
    summed = per_unit and {MEASURED + name for name in facts["sums"]} & set(launches.columns)
    every = [("cycles", measured(launches, facts["sums"]) * per_unit)] if summed else []
    bus = device.bus_bits or (gpu.bus_bits if gpu else None)
    if bus is None:
        return every
    per_cycle = 2 * bus / 8  # two transfers a cycle
    units = gpu.memory_units if gpu else None
    hertz = pl.coalesce(dram_hertz(launches), pl.lit(device.memory_hertz, pl.Float64))
    told = facts["percent"][:1] if capability in facts["other_throughput"] else facts["percent"]
    share = measured(launches, told) / 100
    return [
        *every,
        ("cycles", measured(launches, facts["cycles"]) * (units * per_unit if units and per_unit else per_cycle)),
        # a share is of the whole bus: 1,504 bytes a cycle on an H200, where its 48 units would say 1,536
        ("cycles", share * per_cycle * hertz * pl.col("seconds")),
    ]


def bytes_per_unit(gpu: Gpu | None) -> float | None:
    """Bytes that one memory unit moves in an active cycle, by the type of memory; None where that is not known."""
    kind = gpu.memory_type if gpu else ""
    return next((float(size) for name, size in table()["activity"]["bytes_per_unit"].items() if kind.startswith(name)), None)
