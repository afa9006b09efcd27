"""Work -> place: intensity, ridge, bound, share of both roofs, per launch or per group of launches."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.sums import ratio
from ncu_roofline.analysis.work.ladder import NOTHING, dram_hertz, measured, sm_hertz
from ncu_roofline.analysis.work.rates import RATES, flops_of_own_path, profiled_bandwidth, profiled_share
from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.schema import BOUND_SOURCES, BOUNDS, LIMITS, PATHS
from ncu_roofline.knowledge.counters import table
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.devices.rates import dense_rates
from ncu_roofline.knowledge.limits import THRESHOLDS

MOST = "useful_intensity_high"
"""What the useful intensity is at the most, where no more is known of it."""


def by_path(values: dict[str, float] | None) -> pl.Expr:
    """A figure of the launch's own path; null where the launch has none or the table has not."""
    if not values:
        return NOTHING
    return pl.col("path").cast(pl.String).replace_strict(values, default=None, return_dtype=pl.Float64)


def roofs(worked: pl.DataFrame, gpu: Gpu | None, device: Device) -> list[pl.Expr]:
    """Both roofs at the clocks of the capture: `peak` in FLOP/s of the path, `bandwidth` in byte/s."""
    if gpu is None:
        unknown = [NOTHING.alias(n) for n in ("peak", "bandwidth", "peak_at_clock")]
        return [*unknown, profiled_bandwidth(worked).alias("bandwidth_at_clock")]
    sms, bus = device.sms or gpu.sms, device.bus_bits or gpu.bus_bits
    # the clocks of one chip say nothing of another, which --gpu may have named
    other = device.compute_capability not in (None, gpu.compute_capability)
    per_cycle = {p: rate * sms for p, rate in dense_rates(gpu).items()} if sms and not other else {}
    # a slice has a part of the bus whose whole the attribute tells
    shared = device.integrated or device.mig or other
    memory = dram_hertz(worked) * (2 * bus / 8) if bus and not shared else NOTHING
    peaks = {p: peak for p in PATHS if (peak := gpu.peaks.get(p))}
    return [
        by_path(peaks).alias("peak"),
        pl.lit(gpu.bandwidth, pl.Float64).alias("bandwidth"),
        (by_path(per_cycle) * sm_hertz(worked)).alias("peak_at_clock"),
        memory.alias("bandwidth_at_clock"),
    ]


def place(
    worked: pl.DataFrame, gpu: Gpu | None, device: Device, *, ridge: str = "profiled", latency_share: float | None = None
) -> pl.DataFrame:
    """Launches against their roofs; ridge, bound and shares are null where the device is unknown."""
    threshold = THRESHOLDS.latency_share if latency_share is None else latency_share
    untold = [NOTHING.alias(name) for name in (*RATES, MOST) if name not in worked.columns]
    with_roofs = worked.with_columns(*roofs(worked, gpu, device), *untold).with_columns(
        ridge_spec=ratio("peak", "bandwidth"),
        ridge_profiled=ratio("peak_at_clock", pl.coalesce("bandwidth_at_clock", "bandwidth")),
    )
    first, second = ("ridge_profiled", "ridge_spec") if ridge == "profiled" else ("ridge_spec", "ridge_profiled")
    return (
        with_roofs.with_columns(
            ridge=pl.coalesce(first, second) if ridge == "profiled" else pl.col(first),
            intensity=pl.coalesce(ratio("flops", "dram_bytes"), ratio("flop_rate", "byte_rate")),
            useful_intensity=ratio("useful_flops", "dram_bytes"),
            padding=ratio("flops", "useful_flops"),
            bandwidth_share=pl.coalesce(
                ratio(pl.coalesce(ratio("dram_bytes", "seconds"), "byte_rate"), pl.coalesce("bandwidth_at_clock", "bandwidth")),
                profiled_share(worked, device.compute_capability or (gpu.compute_capability if gpu else None)),
            ),
            compute_share=compute_share(),
        )
        .with_columns(bound=pl.coalesce(bound(), below_every_ridge(gpu), by_reads(), by_instructions(worked, gpu)))
        .with_columns(bound_source=bound_source(), limited_by=limited_by(threshold), suspect=suspect())
        .drop(*RATES, *(() if MOST in worked.columns else (MOST,)))
    )


def compute_share() -> pl.Expr:
    """FLOP/s of the launch's path over that path's roof; 0 where it did none, with FP32 among what was counted.

    Nearly every kernel does some FP32 work, so that tensor counters alone prove no kernel idle.
    """
    reached = pl.coalesce(ratio(flops_of_own_path(), "seconds"), "path_rate")
    roof = pl.coalesce("peak_at_clock", "peak")
    idle = (pl.col("flops") == 0) & pl.col("flops_fp32").is_not_null() & pl.col("bandwidth").is_not_null()
    return pl.when(idle).then(0.0).otherwise(ratio(reached, roof))


def deciding_intensity() -> pl.Expr:
    """The intensity that decides the side: useful where known, else executed."""
    return pl.coalesce("useful_intensity", "intensity")


def surely_left() -> pl.Expr:
    """Whether the most that the useful work can be lies left of the ridge, however much was executed."""
    return pl.col("useful_intensity").is_null() & (pl.col(MOST) < pl.col("ridge")).fill_null(False)


def bound() -> pl.Expr:
    """memory left of the ridge or without FLOPs, compute from the ridge on; null where unknown."""
    intensity = deciding_intensity()
    known = pl.col("bandwidth").is_not_null()
    return (
        pl.when((known & (intensity == 0)) | surely_left())
        .then(pl.lit("memory"))
        .when(intensity < pl.col("ridge"))
        .then(pl.lit("memory"))
        .when(intensity >= pl.col("ridge"))
        .then(pl.lit("compute"))
        .cast(pl.Enum(BOUNDS))
    )


def below_every_ridge(gpu: Gpu | None) -> pl.Expr:
    """memory where no path is known but the useful work is left of every ridge that decode could meet."""
    ridges = {} if gpu is None else gpu.ridges()
    least = min((ridge for path, ridge in ridges.items() if not path.startswith("fp64")), default=0.0)
    unplaced = pl.col("path").is_null() & (pl.col("useful_intensity") < least)
    return pl.when(unplaced).then(pl.lit("memory")).cast(pl.Enum(BOUNDS))


def by_reads() -> pl.Expr:
    """memory where only reads are known and the work over them is left of the ridge: more bytes would stand further left."""
    most = pl.coalesce("useful_flops", pl.when("flops_complete").then("flops"))
    left = pl.col("dram_bytes").is_null() & (ratio(most, "dram_read_bytes") < pl.col("ridge"))
    return pl.when(left).then(pl.lit("memory")).cast(pl.Enum(BOUNDS))


def by_instructions(worked: pl.DataFrame, gpu: Gpu | None) -> pl.Expr:
    """memory where tensor instructions whose type is not known would stand left of the 16-bit ridge as 16-bit products.

    A narrower type does more operations in an instruction, and as much faster: the pipe is busy no longer.
    """
    facts = table()["instructions"]
    each = facts["flops"].get(gpu.compute_capability) if gpu else None
    ridges = [ridge for path, ridge in (gpu.ridges() if gpu else {}).items() if path in ("bf16", "fp16")]
    if each is None or not ridges:
        return pl.lit(None, pl.Enum(BOUNDS))
    intensity = ratio(measured(worked, facts["sum"]) * each, "dram_bytes")
    left = pl.col("flops").is_null() & (intensity > 0) & (intensity < min(ridges))
    return pl.when(left).then(pl.lit("memory")).cast(pl.Enum(BOUNDS))


def bound_source() -> pl.Expr:
    """What decided the side: useful work, executed work (an upper bound), or a partial count."""
    return (
        pl.when(pl.col("bound").is_null())
        .then(None)
        .when(pl.col("useful_flops").is_not_null() | surely_left())
        .then(pl.lit("useful"))
        .when(pl.col("flops_complete"))
        .then(pl.lit("executed"))
        .otherwise(pl.lit("partial"))
        .cast(pl.Enum(BOUND_SOURCES))
    )


def limited_by(threshold: float) -> pl.Expr:
    """The larger share if it reaches the threshold, else latency; null where a share is unknown."""
    memory, compute = pl.col("bandwidth_share"), pl.col("compute_share")
    both = memory.is_not_null() & compute.is_not_null()
    return (
        pl.when(both & (memory < threshold) & (compute < threshold))
        .then(pl.lit("latency"))
        .when(both & (memory >= compute))
        .then(pl.lit("memory"))
        .when(both)
        .then(pl.lit("compute"))
        .cast(pl.Enum(LIMITS))
    )


def suspect() -> pl.Expr:
    """True where a share of a roof is above what rounding explains; false for unknown shares."""
    limit = THRESHOLDS.suspect_share
    return ((pl.col("bandwidth_share") > limit) | (pl.col("compute_share") > limit)).fill_null(False)
