"""The roofs of a capture: bandwidths, ceilings and ridges, by datasheet and at the capture's clocks."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.sums import weighted
from ncu_roofline.capture.schema import PATHS
from ncu_roofline.knowledge.devices.gpu import Gpu


def roofs(launches: pl.DataFrame, gpu: Gpu | None, levels: tuple[str, ...]) -> pl.DataFrame:
    """Bandwidth per level and a ceiling per path that did work, by datasheet and at the capture's clocks.

    Where no path did any, the ceiling of the launches' own number format stands for orientation.
    """
    columns = {"datasheet": ("bandwidth", "peak"), "capture": ("bandwidth_at_clock", "peak_at_clock")}
    found: list[tuple[str, str, float | None]] = []
    worked = [p for p in PATHS if p in set(launches["path"].drop_nulls().cast(pl.String))]
    for kind, (bandwidth, peak) in columns.items():
        found.append((kind, "dram", weighted(launches, bandwidth)))
        for path in worked:
            of_path = pl.when(pl.col("path").cast(pl.String) == path).then(peak)
            found.append((kind, path, weighted(launches, of_path)))
    if not worked and gpu:
        found += [("datasheet", path, gpu.peaks.get(path)) for path in usual_paths(launches)]
    if "l2" in levels:
        found.append(("capture", "l2", l2_bandwidth(launches)))
    rows = [row for row in found if row[2] is not None]
    return pl.DataFrame(rows, schema={"kind": pl.String, "what": pl.String, "value": pl.Float64}, orient="row")


def usual_paths(launches: pl.DataFrame) -> tuple[str, ...]:
    """The number format that most launches read from their names, else bf16."""
    told = launches["activation_dtype"].drop_nulls()
    known = told.filter(told.is_in(PATHS)).value_counts(sort=True)
    return (str(known.row(0)[0]),) if known.height else ("bf16",)


def l2_bandwidth(launches: pl.DataFrame) -> float | None:
    """Bytes per second of L2 at its full rate, from launches that counted bytes and share; null without."""
    percent = next(
        (
            c
            for c in (
                "m:lts__t_bytes.sum.pct_of_peak_sustained_elapsed",
                "m:lts__t_sectors.avg.pct_of_peak_sustained_elapsed",
                "m:lts__t_sectors.sum.pct_of_peak_sustained_elapsed",
            )
            if c in launches.columns
        ),
        None,
    )
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
