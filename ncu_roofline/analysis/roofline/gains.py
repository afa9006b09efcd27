"""What to fix first: each kernel's time above its ceiling, and what keeps it there; many small ones are one thing."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.roofline.ceilings import Ceiling, moved_bytes, times
from ncu_roofline.analysis.run.rows import satellite
from ncu_roofline.analysis.sums import known_sum, ratio
from ncu_roofline.analysis.work.ladder import NOTHING, measured
from ncu_roofline.capture.schema import GAIN_REASONS, PROMPTED
from ncu_roofline.knowledge.limits import THRESHOLDS

WAVES = ("launch__waves_per_multiprocessor",)
STREAM = ("capture", "process", "device", "stream")


def gained(placed: pl.DataFrame, ceiling: Ceiling | None) -> pl.DataFrame:
    """Placed launches with their least time at the ceiling, the time above it, and the reason for it."""
    best = NOTHING if ceiling is None else pl.lit(ceiling.bandwidth)
    waves = measured(placed, WAVES)
    return (
        placed.with_columns(
            waves=pl.when(waves > 0).then(waves),
            moved=moved_bytes(),
            excess=excess_bytes(),
            fusion_bytes=handed_over(),
            helper=satellite(placed),
            executed_seconds=pl.col("compute_share") * pl.col("seconds"),
        )
        .with_columns(least_seconds=least_seconds(best), ceiling_share=ratio(ratio("moved", "seconds"), best))
        .with_columns(gain_seconds=(pl.col("seconds") - pl.col("least_seconds")).clip(0.0))
        .with_columns(gain_reason=reason(best))
        .drop("moved", "excess", "helper", "executed_seconds")
    )


def least_seconds(best: pl.Expr) -> pl.Expr:
    """The longer of the bytes at the ceiling and the useful work at its peak, never above the time itself.

    Bytes that a known matrix did not need are left out. Null where neither is known, and where work that was not counted
    may be what takes the time.
    """
    work = pl.col("executed_seconds") * ratio("useful_flops", "flops").clip(0.0, 1.0).fill_null(1.0)
    needed = ratio(pl.col("moved") - pl.col("excess"), best)
    longer = pl.when(~untold_work(best)).then(pl.max_horizontal(needed, work))
    return pl.when(longer <= pl.col("seconds")).then(longer).when(longer.is_not_null()).then("seconds")


def untold_work(best: pl.Expr) -> pl.Expr:
    """Whether arithmetic that was not counted may hold a kernel: any product of a prompt; elsewhere what moves few bytes.

    In decode, and in kernels whose role is to move or to normalise, bytes take the time. A short kernel is held by neither,
    and one of a few blocks by the part of the GPU that it leaves empty.
    """
    role, phase = pl.col("role").cast(pl.String), pl.col("phase").cast(pl.String)
    main = role.is_in(["fc", "attention"]).fill_null(False)
    uncounted = pl.col("compute_share").is_null()
    prompt = main & phase.is_in(PROMPTED).fill_null(False) & (uncounted | pl.col("tensor_flops").is_null())
    slow = (ratio("moved", "seconds") < THRESHOLDS.surely_streaming * best).fill_null(False)
    long = (pl.col("seconds") / times() >= THRESHOLDS.short_kernel_seconds).fill_null(False)
    anything = (main | (role == "other") | role.is_null()) & (phase != "decode").fill_null(True)
    wide = (pl.col("waves") >= THRESHOLDS.main_cause).fill_null(True)
    partly = ~pl.col("flops_complete").fill_null(False) & (pl.col("compute_share") < THRESHOLDS.latency_share)
    return prompt | (anything & slow & long & wide & (uncounted | partly))


def excess_bytes() -> pl.Expr:
    """Bytes read beyond the whole matrix and its inputs; 0 where the matrix is not known."""
    read = pl.coalesce("dram_read_bytes", "dram_bytes")
    over = read - pl.col("matrix_bytes") - pl.col("activation_bytes").fill_null(0.0)
    return pl.when(pl.col("read_amplification").is_not_null()).then(over.clip(0.0)).otherwise(0.0).fill_null(0.0)


def handed_over() -> pl.Expr:
    """Bytes that a launch writes and the next one of its stream reads again, at most: a fusion of both would save them.

    The lesser of both, with the launch before and with the one after; null where its own were not measured.
    """
    write, read = pl.col("dram_write_bytes"), pl.col("dram_read_bytes")
    after = pl.min_horizontal(write, read.shift(-1, fill_value=0.0).over(STREAM).fill_null(0.0))
    before = pl.min_horizontal(write.shift(1, fill_value=0.0).over(STREAM).fill_null(0.0), read)
    return pl.when(write.is_not_null() & read.is_not_null()).then(after + before)


def reason(best: pl.Expr) -> pl.Expr:
    """What explains at least half of the gain, the surest first; null where there is no gain to explain."""
    gain, seconds, waves = pl.col("gain_seconds"), pl.col("seconds"), pl.col("waves")
    needs = gain * THRESHOLDS.main_cause
    tail = seconds * (1 - waves / waves.ceil())
    padded = pl.col("executed_seconds") - pl.col("least_seconds")
    return (
        pl.when(gain.is_null())
        .then(None)
        .when(gain <= THRESHOLDS.at_ceiling_share * seconds)
        .then(pl.lit(AT_CEILING))
        .when(pl.col("helper"))
        .then(pl.lit("helper"))
        .when(seconds / times() <= THRESHOLDS.launch_cost_seconds)
        .then(pl.lit("launch"))
        .when((pl.col("excess") > 0) & (pl.col("excess") / best >= needs))
        .then(pl.lit("reads"))
        .when(padded >= needs)
        .then(pl.lit("padding"))
        .when((pl.col("fusion_bytes") > 0) & (pl.col("fusion_bytes") / best >= needs))
        .then(pl.lit("fusion"))
        .when((waves > 1) & (tail >= needs))
        .then(pl.lit("tail"))
        .when((waves < 1) & (seconds * (1 - waves) >= needs))
        .then(pl.lit("part_wave"))
        .otherwise(pl.lit("share"))
        .cast(pl.Enum(GAIN_REASONS))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """What the launches take, and what they would take if every one reached its ceiling; seconds."""

    seconds: float
    least: float


def reachable(launches: pl.DataFrame) -> Reachable | None:
    """Kernel time less the sum of gains; None where the gain of a launch that took time is not known."""
    known = launches.select("seconds", "gain_seconds").filter(pl.col("seconds").is_not_null())
    if known.is_empty() or known["gain_seconds"].null_count():
        return None
    took = float(known["seconds"].sum())
    return Reachable(seconds=took, least=took - float(known["gain_seconds"].sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """The small kernels beside FC and attention: a CUDA graph or a fusion helps there, no saving of bytes."""

    launches: int
    gain: float
    """Their time above the ceiling, seconds."""


def small(groups: pl.DataFrame) -> Small:
    """All of them together, as `fix_first` counts them."""
    found = groups.filter(glue() & (pl.col("gain_seconds") > 0))
    return Small(launches=int(found["launches"].sum()), gain=float(found["gain_seconds"].sum()))


GLUE = "glue"
"""Stands for all kernels beside FC and attention that reach neither roof: fusing or graphs help there, one by one nothing."""
PADDING = "padding"
"""Stands for kernels at the roof of arithmetic whose useful work is left of the ridge: they compute rows that nobody needs."""
AT_CEILING = "at_ceiling"
UNKNOWN = "unknown"
"""Stands for kernels whose gain is not known: their bytes were not measured, or the work of a prompt was not counted."""
COLUMNS = (
    "kernel",
    "name",
    "grid",
    "role",
    "launches",
    "seconds",
    "time_share",
    "gain_seconds",
    "gain_reason",
    "waves",
    "bandwidth_share",
    "compute_share",
    "ceiling_share",
    "limited_by",
    "padding",
    "fusion_bytes",
)
SUMS = ("launches", "seconds", "time_share", "gain_seconds")
ONE = tuple(c for c in COLUMNS if c not in SUMS)
"""What a row has only where it stands for one group."""


def glue() -> pl.Expr:
    """Groups beside FC and attention that are short and reach neither roof, or are no longer than a launch costs.

    A long kernel that reaches neither is worth a row of its own.
    """
    main = pl.col("role").cast(pl.String).is_in(["fc", "attention"]).fill_null(False)
    short = pl.col("seconds") / pl.col("launches") < THRESHOLDS.short_kernel_seconds
    idle = (pl.col("limited_by").cast(pl.String) == "latency").fill_null(False) & short
    tiny = (pl.col("gain_reason").cast(pl.String) == "launch").fill_null(False)
    return (~main & (idle | tiny)).fill_null(False)


def fix_first(groups: pl.DataFrame, most: int = 3) -> pl.DataFrame:
    """Kernel groups by gain, the largest first, with `why`: glue, or the roof they come nearest to; nothing without gains.

    A group whose gain is not known stands where all of its time would put it: it is no smaller for not being measured.
    What is at its ceiling comes last, however much a few per cent of its time are.
    """
    unknown = pl.col("gain_seconds").is_null() & (pl.col("seconds") > 0)
    anything = (pl.col("gain_seconds") > 0).any()
    padded = (pl.col("limited_by").cast(pl.String) == "compute") & (pl.col("bound").cast(pl.String) == "memory")
    told = groups.filter((pl.col("gain_seconds") > 0) | (unknown & anything)).with_columns(
        why=pl.when(pl.col("gain_seconds").is_null())
        .then(pl.lit(UNKNOWN))
        .when(glue())
        .then(pl.lit(GLUE))
        .when(padded)
        .then(pl.lit(PADDING))
        .otherwise(pl.col("limited_by").cast(pl.String).fill_null("memory")),
        part=pl.when(glue()).then(None).otherwise(pl.col("group")),
    )
    return (
        told.group_by("why", "part", maintain_order=True)
        .agg(*(pl.when(pl.len() == 1).then(pl.col(c).first()).alias(c) for c in ONE), *(known_sum(c).alias(c) for c in SUMS))
        .sort(
            (pl.col("gain_reason").cast(pl.String) == AT_CEILING).fill_null(False),
            pl.col("gain_seconds").fill_null(pl.col("seconds")),
            descending=[False, True],
        )
        .head(most)
        .select(*COLUMNS, "why")
    )
