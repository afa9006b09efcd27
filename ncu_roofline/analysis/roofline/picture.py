"""A study -> everything that a roofline shows: marks with their places, roofs, ridges, families."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.model.theory import Theory, theory
from ncu_roofline.analysis.roofline import groups
from ncu_roofline.analysis.roofline.ceilings import Ceiling
from ncu_roofline.analysis.roofline.gains import glue
from ncu_roofline.analysis.roofline.roofs import ridges, roofs
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import share, total, weighted
from ncu_roofline.analysis.work.ladder import NOTHING, dram_hertz, sm_hertz
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.limits import THRESHOLDS

PLACES = ("useful", "counted", "upper", "partial", "bytes", "flops", "nowhere")
"""What a group's mark stands on: useful work; executed work that is no tensor work, so all of it is
useful; executed tensor work, an upper bound; an incomplete count, a lower bound; bytes alone; FLOPs
alone; nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Finished numbers of one roofline; frames are in base SI units."""

    marks: pl.DataFrame
    """groups.group() with `place`, `share` and the coordinates x, y, executed_x, executed_y."""
    families: pl.DataFrame
    """groups.group(by="family")."""
    roofs: pl.DataFrame
    """kind (datasheet, capture), what (dram, l2 or a path), value."""
    ridges: pl.DataFrame
    """kind, path, value (FLOP/byte), rate (FLOP/s)."""
    size_by: str
    """The share that sizes the marks: bytes or time."""
    by: str
    levels: tuple[str, ...]
    """Memory levels that were asked for."""
    ridge: str
    """Which ridge decides the side: capture or datasheet."""
    device: str | None
    sm_hertz: float | None
    dram_hertz: float | None
    run: Run
    name: str
    launches: int
    seconds: float | None
    theory: tuple[Theory, ...]
    latency_time: float | None
    """Part of the time in launches that reach neither roof; None where that is not known of half the time."""
    ceiling: Ceiling | None = None
    """The best bandwidth that a kernel was seen to reach, or that is stated; None where only the datasheet is known."""


def picture(study: Study, by: str = "kernel", *, ridge: str = "profiled", levels: tuple[str, ...] = ("dram",)) -> Picture:
    """The roofline of a study, grouped as asked."""
    launches = study.launches
    grouped = placed(groups.group(launches, by)).with_columns(l2_x=l2_intensity() if "l2" in levels else NOTHING)
    families = groups.group(launches, "family")
    lines = roofs(launches, study.gpu, levels)
    size_by = "bytes" if known_time(launches, "dram_bytes") >= THRESHOLDS.most_of_it else "time"
    return Picture(
        marks=grouped.with_columns(share=pl.col(f"{size_by}_share"), glue=glue()),
        families=families,
        roofs=lines,
        ridges=ridges(lines),
        size_by=size_by,
        by=by,
        levels=levels,
        ridge="datasheet" if ridge == "spec" or lines.filter(kind="capture").is_empty() else "capture",
        device=study.gpu.product if study.gpu else study.capture.device.name,
        sm_hertz=weighted(launches, sm_hertz(launches)),
        dram_hertz=weighted(launches, dram_hertz(launches)),
        run=study.run,
        name=study.capture.name,
        launches=launches.height,
        seconds=total(launches, "seconds"),
        theory=theory(launches, study.run, study.model),
        latency_time=latency_time(launches),
        ceiling=study.ceiling if study.ceiling and study.ceiling.kind != "datasheet" else None,
    )


def known_time(launches: pl.DataFrame, column: str) -> float:
    """Part of the time in launches whose value is known; 0 where no time is."""
    return share(launches, pl.col(column).is_not_null(), "seconds") or 0.0


def latency_time(launches: pl.DataFrame) -> float | None:
    """Part of the known time that is spent in launches limited by latency."""
    if known_time(launches, "limited_by") < THRESHOLDS.most_of_it:
        return None
    limited = launches.filter(pl.col("limited_by").is_not_null())
    return share(limited, pl.col("limited_by").cast(pl.String) == "latency", "seconds")


def l2_intensity() -> pl.Expr:
    """The mark's work over its L2 bytes; null where it has no place or either is unknown of a launch."""
    whole = (pl.col("dram_bytes_unknown") == 0) & (pl.col("l2_bytes_unknown") == 0)
    return pl.when(whole & (pl.col("l2_bytes") > 0)).then(pl.col("x") * pl.col("dram_bytes") / pl.col("l2_bytes"))


def placed(grouped: pl.DataFrame) -> pl.DataFrame:
    """Groups with the place of their marks; executed coordinates only where they differ."""
    useful = pl.col("place") == "useful"
    padded = useful & (pl.col("padding") > 1.02)
    on_plane = pl.col("place").cast(pl.String).is_in(["counted", "upper", "partial"])
    rate = pl.when(pl.col("seconds") > 0).then(pl.col("dram_bytes") / pl.col("seconds"))
    return grouped.with_columns(place=place()).with_columns(
        x=pl.when(useful).then("useful_intensity").when(on_plane).then("intensity"),
        y=pl.when(useful)
        .then("useful_flops_per_second")
        .when(on_plane)
        .then("flops_per_second")
        .when(pl.col("place") == "flops")
        .then("flops_per_second"),
        executed_x=pl.when(padded).then("intensity"),
        executed_y=pl.when(padded).then("flops_per_second"),
        bytes_per_second=rate,
    )


def place() -> pl.Expr:
    """What the group's mark stands on."""
    timed = pl.col("seconds") > 0
    left = (pl.col("intensity") < THRESHOLDS.least_intensity) | pl.col("flops").is_null() | (pl.col("flops") == 0)
    moved = (pl.col("dram_bytes") > 0) & timed
    return (
        pl.when(moved & (pl.col("useful_intensity") >= THRESHOLDS.least_intensity))
        .then(pl.lit("useful"))
        .when(moved & left)
        .then(pl.lit("bytes"))
        .when(moved & (pl.col("tensor_flops") > 0))
        .then(pl.lit("upper"))
        .when(moved & pl.col("intensity").is_not_null() & pl.col("flops_complete"))
        .then(pl.lit("counted"))
        .when(moved & pl.col("intensity").is_not_null())
        .then(pl.lit("partial"))
        .when(timed & (pl.col("flops") > 0))
        .then(pl.lit("flops"))
        .otherwise(pl.lit("nowhere"))
        .cast(pl.Enum(PLACES))
    )
