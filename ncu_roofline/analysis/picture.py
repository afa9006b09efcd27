"""A study -> everything that a roofline shows: marks with their places, roofs, ridges, families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import polars as pl

from ncu_roofline.analysis import groups
from ncu_roofline.analysis.flops import PATHS
from ncu_roofline.analysis.ladder import dram_hertz, sm_hertz
from ncu_roofline.capture.capture import Capture, Run
from ncu_roofline.knowledge.gpu import Gpu

PLACES = ("useful", "counted", "upper", "partial", "bytes", "flops", "nowhere")
"""What a group's mark stands on: useful work; executed work that is no tensor work, so all of it is
useful; executed tensor work, an upper bound; an incomplete count, a lower bound; bytes alone; FLOPs
alone; nothing."""

LEAST_LEFT = 1e-3
"""FLOP/byte below which a kernel counts as one without FLOPs: a handful per page of memory."""


class Studied(Protocol):
    """What a picture is made from."""

    @property
    def capture(self) -> Capture: ...
    @property
    def launches(self) -> pl.DataFrame: ...
    @property
    def gpu(self) -> Gpu | None: ...
    @property
    def run(self) -> Run: ...


@dataclass(frozen=True, slots=True)
class Theory:
    """Where a formula puts a family: FLOP per byte, and the formula in words."""

    family: str
    intensity: float
    text: str


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


def picture(study: Studied, by: str = "kernel", *, ridge: str = "profiled", levels: tuple[str, ...] = ("dram",)) -> Picture:
    """The roofline of a study, grouped as asked."""
    launches = study.launches
    grouped = placed(groups.group(launches, by))
    families = groups.group(launches, "family")
    lines = roofs(groups.completed(launches), study.gpu, levels)
    known = families.select(bytes=pl.col("dram_bytes").is_not_null().any()).item() if families.height else False
    size_by = "bytes" if known and known_time(launches, "dram_bytes") >= 0.5 else "time"
    return Picture(
        marks=grouped.with_columns(share=pl.col(f"{size_by}_share")), families=families, roofs=lines,
        ridges=ridges(lines), size_by=size_by, by=by,
        ridge="datasheet" if ridge == "spec" or lines.filter(kind="capture").is_empty() else "capture",
        device=study.gpu.product if study.gpu else study.capture.device.name,
        sm_hertz=weighted(launches, sm_hertz(launches)), dram_hertz=weighted(launches, dram_hertz(launches)),
        run=study.run, name=study.capture.name, launches=launches.height,
        seconds=launches["seconds"].sum() if launches["seconds"].count() else None,
        theory=theory(launches, study.run), latency_time=latency_time(launches),
    )  # fmt: skip


WIDTHS = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp6": 0.75, "fp4": 0.5, "int4": 0.5}
"""Bytes per element."""


def theory(launches: pl.DataFrame, run: Run) -> tuple[Theory, ...]:
    """FC at 2 x batch / bytes per weight; attention at 2 / bytes per cache element, times GQA's sharing."""
    told: list[Theory] = []
    weight = run.weights.value if run.weights.value in WIDTHS else usual(launches, "weight_dtype", "fc")
    cache = run.kv.value if run.kv.value in WIDTHS else usual(launches, "cache_dtype", "attention")
    if weight and isinstance(run.batch.value, int | float):
        told.append(Theory("fc", 2 * run.batch.value / WIDTHS[weight], f"theory, FC: 2 × batch {run.batch.value:g} / {WIDTHS[weight]:g} B ({weight})"))
    if cache:
        told.append(Theory("attention", 2 / WIDTHS[cache], f"theory, attention: 2 / {WIDTHS[cache]:g} B ({cache}), times query heads per KV head"))
    return tuple(told)


def usual(launches: pl.DataFrame, column: str, family: str) -> str | None:
    """The number format that most bytes of a family are in: by name, else its activations', else its work's."""
    for name in (column, "activation_dtype", "precision"):
        if {name, "family"} <= set(launches.columns):
            mine = launches.filter(pl.col("family").cast(pl.String) == family, pl.col(name).cast(pl.String).is_in(list(WIDTHS)))
            known = mine.group_by(name).agg(pl.col("dram_bytes").sum()).sort("dram_bytes", name)
            if known.height:
                return str(known[name][-1])
    return None


def known_time(launches: pl.DataFrame, column: str) -> float:
    """Part of the time in launches whose value is known; 0 where no time is."""
    time = launches["seconds"].sum()
    known = launches.filter(pl.col(column).is_not_null())["seconds"].sum()
    return float(known / time) if time else 0.0


def latency_time(launches: pl.DataFrame) -> float | None:
    """Part of the known time that is spent in launches limited by latency."""
    if known_time(launches, "limited_by") < 0.5:
        return None
    limited = launches.filter(pl.col("limited_by").is_not_null())
    idle = limited.filter(pl.col("limited_by").cast(pl.String) == "latency")
    return float(idle["seconds"].sum() / limited["seconds"].sum())


def placed(grouped: pl.DataFrame) -> pl.DataFrame:
    """Groups with the place of their marks; executed coordinates only where they differ."""
    useful = pl.col("place") == "useful"
    padded = useful & (pl.col("padding") > 1.02)
    on_plane = pl.col("place").cast(pl.String).is_in(["counted", "upper", "partial"])
    rate = pl.when(pl.col("seconds") > 0).then(pl.col("dram_bytes") / pl.col("seconds"))
    return (
        grouped.with_columns(place=place())
        .with_columns(
            x=pl.when(useful).then("useful_intensity").when(on_plane).then("intensity"),
            y=pl.when(useful).then("useful_flops_per_second").when(on_plane).then("flops_per_second")
            .when(pl.col("place") == "flops").then("flops_per_second"),
            executed_x=pl.when(padded).then("intensity"),
            executed_y=pl.when(padded).then("flops_per_second"),
            bytes_per_second=rate,
        )
    )  # fmt: skip


def place() -> pl.Expr:
    """What the group's mark stands on."""
    timed = pl.col("seconds") > 0
    left = (pl.col("intensity") < LEAST_LEFT) | pl.col("flops").is_null() | (pl.col("flops") == 0)
    moved = (pl.col("dram_bytes") > 0) & timed
    return (
        pl.when(moved & (pl.col("useful_intensity") >= LEAST_LEFT)).then(pl.lit("useful"))
        .when(moved & left).then(pl.lit("bytes"))
        .when(moved & (pl.col("tensor_flops") > 0)).then(pl.lit("upper"))
        .when(moved & pl.col("intensity").is_not_null() & pl.col("flops_complete")).then(pl.lit("counted"))
        .when(moved & pl.col("intensity").is_not_null()).then(pl.lit("partial"))
        .when(timed & (pl.col("flops") > 0)).then(pl.lit("flops"))
        .otherwise(pl.lit("nowhere"))
        .cast(pl.Enum(PLACES))
    )  # fmt: skip


def weighted(launches: pl.DataFrame, value: pl.Expr) -> float | None:
    """Mean over time; null where no launch has both."""
    known = launches.select(value.alias("value"), "seconds").drop_nulls()
    time = known["seconds"].sum()
    return float((known["value"] * known["seconds"]).sum() / time) if time else None


def roofs(launches: pl.DataFrame, gpu: Gpu | None, levels: tuple[str, ...]) -> pl.DataFrame:
    """Bandwidth per level and a ceiling per path that did work, by datasheet and at the capture's clocks.

    Where no path did any, the ceiling of the launches' own number format stands for orientation.
    """
    columns = {"datasheet": ("bandwidth", "peak"), "capture": ("bandwidth_at_clock", "peak_at_clock")}
    found: list[tuple[str, str, float | None]] = []
    worked = [p for p in PATHS if p in set(launches["path"].drop_nulls().cast(pl.String))]
    for kind, (bandwidth, peak) in columns.items():
        found.append((kind, "dram", weighted(launches, pl.col(bandwidth))))
        for path in worked:
            of_path = launches.filter(pl.col("path").cast(pl.String) == path)
            found.append((kind, path, weighted(of_path, pl.col(peak))))
    if not worked and gpu:
        found += [("datasheet", path, gpu.peaks.get(path)) for path in usual_paths(launches)]
    if "l2" in levels:
        found.append(("capture", "l2", l2_bandwidth(launches)))
    rows = [row for row in found if row[2] is not None]
    return pl.DataFrame(rows, schema={"kind": pl.String, "what": pl.String, "value": pl.Float64}, orient="row")


def usual_paths(launches: pl.DataFrame) -> tuple[str, ...]:
    """The number format that most launches read from their names, else bf16."""
    if "activation_dtype" not in launches.columns:
        return ("bf16",)
    told = launches["activation_dtype"].drop_nulls()
    known = told.filter(told.is_in(PATHS)).value_counts(sort=True)
    return (str(known.row(0)[0]),) if known.height else ("bf16",)


def l2_bandwidth(launches: pl.DataFrame) -> float | None:
    """Bytes per second of L2 at its full rate, from launches that counted bytes and share; null without."""
    percent = next(
        (c for c in ("m:lts__t_bytes.sum.pct_of_peak_sustained_elapsed", "m:lts__t_sectors.avg.pct_of_peak_sustained_elapsed",
                     "m:lts__t_sectors.sum.pct_of_peak_sustained_elapsed") if c in launches.columns), None
    )  # fmt: skip
    if percent is None:
        return None
    busy = launches.filter(pl.col(percent) > 5)
    return weighted(busy, pl.col("l2_bytes") / pl.col("seconds") / (pl.col(percent) / 100))


def ridges(lines: pl.DataFrame) -> pl.DataFrame:
    """Ridge of every path: its ceiling over the DRAM bandwidth of the same kind."""
    slope = lines.filter(what="dram").select("kind", bandwidth="value")
    ceilings = lines.filter(~pl.col("what").is_in(["dram", "l2"]))
    # where the capture's memory clock is unknown, its bandwidth is the datasheet's
    spec = slope.filter(kind="datasheet")["bandwidth"].to_list() or [None]
    return (
        ceilings.join(slope, on="kind", how="left", maintain_order="left")
        .with_columns(pl.col("bandwidth").fill_null(pl.lit(spec[0], pl.Float64)))
        .select("kind", path="what", value=pl.col("value") / pl.col("bandwidth"), rate="value")
        .drop_nulls()
    )
