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
    per_cycle = bytes_per_cycle(gpu, device)
    if per_cycle is None:
        return every
    hertz = pl.coalesce(dram_hertz(launches), pl.lit(device.memory_hertz, pl.Float64))
    told = facts["percent"][:1] if capability in facts["other_throughput"] else facts["percent"]
    share = measured(launches, told) / 100
    return [
        *every,
        ("cycles", measured(launches, facts["cycles"]) * per_cycle),
        ("cycles", share * per_cycle * hertz * pl.col("seconds")),
    ]


def bytes_per_unit(gpu: Gpu | None) -> float | None:
    """Bytes that one memory unit moves in an active cycle, by the type of memory; None where that is not known."""
    kind = gpu.memory_type if gpu else ""
    return next((float(size) for name, size in table()["activity"]["bytes_per_unit"].items() if kind.startswith(name)), None)


def bytes_per_cycle(gpu: Gpu | None, device: Device) -> float | None:
    """Bytes of a cycle in which every memory unit is active: by their number where it is known, else by the bus."""
    per_unit = bytes_per_unit(gpu)
    if gpu is not None and gpu.memory_units and per_unit:
        return gpu.memory_units * per_unit
    bus = device.bus_bits or (gpu.bus_bits if gpu else None)
    return None if bus is None else 2 * bus / 8  # two transfers a cycle
