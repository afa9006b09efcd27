"""The bandwidth ceiling that gains are measured against: stated, the best that real kernels reached, or the datasheet's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.sums import weighted
from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.units import text
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.limits import THRESHOLDS

KINDS = ("stated", "table", "reported", "capture", "datasheet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The best bandwidth that a kernel can be hoped to reach, byte/s, and what says so."""

    bandwidth: float
    kind: str
    """stated by the user, table (a real kernel reached it), reported (others say that one did), capture (one of this capture
    did), datasheet."""
    table: float | None = None
    """The table's figure, where a kernel of the capture beats it."""
    kernel: str | None = None
    """That kernel."""


def ceiling(launches: pl.DataFrame, gpu: Gpu | None, device: Device, stated: float | None = None) -> Ceiling | None:
    """The ceiling of these placed launches; None where the device is unknown and nothing was stated."""
    if stated is not None:
        check(stated, gpu)
        return Ceiling(bandwidth=stated, kind="stated")
    if gpu is None:
        return None
    slope = weighted(launches, pl.coalesce("bandwidth_at_clock", "bandwidth")) or gpu.bandwidth
    if gpu.achieved.ceiling is None:
        return Ceiling(bandwidth=slope, kind="datasheet")
    clock = slope / gpu.bandwidth
    known = gpu.achieved.ceiling * (clock if clock < THRESHOLDS.slow_memory_clock else 1.0)
    best = fastest(launches, gpu) if same(gpu, device) else None
    if best is not None and best[1] > known:
        return Ceiling(bandwidth=best[1], kind="capture", table=known, kernel=best[0])
    return Ceiling(bandwidth=known, kind="reported" if gpu.achieved.reported else "table")


def check(stated: float, gpu: Gpu | None) -> None:
    """Raises UnusableInput where a stated ceiling is above what the memory of the device can do."""
    if gpu is not None and stated > THRESHOLDS.suspect_share * gpu.bandwidth:
        peak = text(gpu.bandwidth, "byte/s")
        raise UnusableInput(
            f"`ceiling=` {text(stated, 'byte/s')} is above the {peak} of {gpu.name}; give what its kernels reach"
        )


def with_ceiling(gpu: Gpu, stated: float) -> Gpu:
    """The device with this ceiling; raises UnusableInput where it cannot be."""
    check(stated, gpu)
    return replace(gpu, achieved=replace(gpu.achieved, ceiling=stated, reported=False))


def moved_bytes() -> pl.Expr:
    """Bytes that a kernel needs time for: of products and attention in decode what they read, of others all that they move.

    What decode's large kernels write is a small part of what they read, and under kernel replay the counters of writes
    hold lines that earlier passes left dirty (8 MB at an LM head that writes 2).
    """
    reads = pl.col("family").cast(pl.String).is_in(["fc", "attention"]) & (
        pl.col("phase").cast(pl.String).fill_null("decode") == "decode"
    )
    return pl.when(reads).then(pl.coalesce("dram_read_bytes", "dram_bytes")).otherwise("dram_bytes")


def times() -> pl.Expr:
    """Launches that a row stands for: one, but in archives that added them up."""
    return pl.col("times").fill_null(1)


def same(gpu: Gpu, device: Device) -> bool:
    """Whether the launches ran on this GPU, as far as their device tells."""
    told, _ = gpus.identify(device)
    return told is None or told.name == gpu.name


def fastest(launches: pl.DataFrame, gpu: Gpu) -> tuple[str, float] | None:
    """The kernel that moved its bytes fastest, of those that read more than the L2 holds and last long enough to be told."""
    long = pl.col("seconds") / times() >= THRESHOLDS.short_kernel_seconds
    beyond = pl.col("dram_read_bytes") / times() > (gpu.l2_bytes or 0.0)
    believed = launches.filter(long & beyond & ~pl.col("suspect"))
    rates = believed.select("kernel", rate=moved_bytes() / pl.col("seconds")).drop_nulls().sort("rate")
    return None if rates.is_empty() else (str(rates["kernel"][-1]), float(rates["rate"][-1]))
