"""Kernel groups as marks: where each stands, how it looks, what its tooltip says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.present.charts.labels import Box, Named, heaped, line_boxes
from ncu_roofline.present.forms.columns import FAMILY_NAMES, cell, percent, shape
from ncu_roofline.present.forms.plane import Plane
from ncu_roofline.present.forms.short import brief
from ncu_roofline.present.forms.text import clean, shorten

MOST = 500
"""Marks in one chart; the smallest beyond it stay in the tables."""
AREA = (34.0, 800.0)
LEAST = 0.02
"""The least share of a mark that is named."""
FULL_NAME = 240
DIGITS = 5
BASIS = {
    "useful": "useful work",
    "counted": "all work counted",
    "upper": "executed tensor work, an upper bound",
    "partial": "some FLOPs not counted, a lower bound",
    "bytes": "no FLOPs known: placed by its bandwidth alone",
    "flops": "bytes not counted: placed by its FLOP/s alone",
}
ENCODED = (
    "group",
    "label",
    "full",
    "role",
    "family",
    "launches",
    "shape",
    "seconds",
    "time_share",
    "dram_bytes",
    "bytes_share",
    "share",
    "size",
    "x",
    "y",
    "executed_x",
    "executed_y",
    "tip_x",
    "tip_y",
    "low_x",
    "low_y",
    "l2_x",
    "look",
    "basis",
    "intensity",
    "useful_intensity",
    "limited_by",
    "bandwidth_share",
    "ceiling_share",
    "compute_share",
    "suspect",
    "glue",
)


def drawn(picture: Picture, plane: Plane) -> pl.DataFrame:
    """The marks of the chart: exactly the columns that are encoded, largest share first."""
    marks = picture.marks.filter(pl.col("place").cast(pl.String) != "nowhere")
    largest = marks.sort(pl.col("share").fill_null(0), "seconds", descending=True, nulls_last=True, maintain_order=True).head(
        MOST
    )
    in_band = (largest["place"].cast(pl.String) == "bytes") | (largest["x"] < plane.left).fill_null(False)
    placed = largest.with_columns(in_band.alias("in_band")).with_columns(positions(plane))
    return (
        placed.with_columns(words(placed, picture.by))
        .with_columns(size(placed))
        .with_columns(tips(plane))
        .select(ENCODED)
        .with_columns(pl.col(pl.Float64).round_sig_figs(DIGITS))
    )


def positions(plane: Plane) -> list[pl.Expr]:
    """Coordinates as drawn: bands take those without one; nothing leaves the frame."""
    middle_right = plane.x_at((plane.px(plane.right) + plane.width) / 2)
    step = pl.lit((plane.band_end / plane.x[0]) ** 0.125)
    low, high = plane.y[0] * 1.15, plane.y[1] / 1.15
    by_bandwidth = (pl.col("bytes_per_second") * plane.left).clip(low, high)
    kept = pl.when(~pl.col("in_band"))
    return [
        # side by side by turns, so that kernels of the same speed do not hide each other
        pl.when("in_band")
        .then(plane.x[0] * step ** (2 + 2 * (pl.int_range(pl.len()).over("in_band") % 3)))
        .when(pl.col("x").is_null())
        .then(middle_right)
        .otherwise("x")
        .alias("x"),
        pl.when("in_band").then(by_bandwidth).otherwise(pl.col("y").clip(low, high)).alias("y"),
        kept.then("executed_x").alias("executed_x"),
        kept.then("executed_y").alias("executed_y"),
        # beyond the plane's own edge a cross would stand on the axis or in the band
        pl.when(~pl.col("in_band") & (pl.col("l2_x") >= plane.left)).then("l2_x").alias("l2_x"),
        pl.when("in_band")
        .then(pl.lit("solid"))
        .when(pl.col("place").cast(pl.String).is_in(["upper", "partial"]))
        .then(pl.col("place").cast(pl.String))
        .otherwise(pl.lit("solid"))
        .alias("look"),
    ]


def size(placed: pl.DataFrame) -> pl.Expr:
    """Area of a mark in square pixels, in proportion to its share above a least area."""
    most = placed["share"].max() or 1.0
    return (AREA[0] + (AREA[1] - AREA[0]) * pl.col("share").fill_null(0) / most).alias("size")


def tips(plane: Plane) -> list[pl.Expr]:
    """Ends of the arrows of bounds: along the line on which work alone moves a mark.

    Where the useful intensity is known to lie in a range, the arrow ends at its upper end, and the
    range goes on to `low`.
    """
    reach = pl.col("size").sqrt() * 0.6 + 15
    angle = math.radians(-plane.slope)
    per_x = math.log10(plane.x[1] / plane.x[0]) / plane.width * math.cos(angle)
    per_y = math.log10(plane.y[1] / plane.y[0]) / plane.height * math.sin(angle)
    way = pl.when("glue").then(None).when(pl.col("look") == "upper").then(-1.0).when(pl.col("look") == "partial").then(1.0)
    high, low = (ranged(name) for name in ("useful_intensity_high", "useful_intensity_low"))
    low_x = pl.when(high.is_not_null()).then(pl.max_horizontal(low, pl.lit(plane.left)))
    return [
        pl.coalesce(high, pl.col("x") * pl.lit(10.0).pow(way * reach * per_x)).alias("tip_x"),
        pl.coalesce(high * pl.col("y") / pl.col("x"), pl.col("y") * pl.lit(10.0).pow(way * reach * per_y)).alias("tip_y"),
        low_x.alias("low_x"),
        (low_x * pl.col("y") / pl.col("x")).alias("low_y"),
    ]


def cloud(marks: pl.DataFrame, plane: Plane) -> list[Named]:
    """One quiet name for all of them, with their part of the time; no mark of its own."""
    found = marks.filter(pl.col("glue") & pl.col("x").is_between(plane.left, plane.right))
    time = marks.filter("glue")["time_share"].sum()
    if found.height < 3 or not time:
        return []
    count = int(marks.filter("glue")["launches"].sum())
    x, y = (float(v) for v in (found["x"].log10().mean(), found["y"].log10().mean()))  # type: ignore[arg-type]
    return [Named(plane.px(10**x), plane.py(10**y), 0.0, f"{count:,} small kernels, {percent(time)} of the time")]


def ranged(name: str) -> pl.Expr:
    """An end of the range of useful intensity, for marks at an executed one beyond it."""
    beyond = (pl.col("look") == "upper") & (pl.col("x") > pl.col("useful_intensity_high"))
    return pl.when(beyond).then(name)


def words(placed: pl.DataFrame, by: str) -> list[pl.Series]:
    """Names made short and harmless, and the basis of each place."""
    rows = placed.select("kernel", "name", "role", "family", "layer", "launches", "grid", "block", "place").rows(named=True)
    return [
        pl.Series("label", [title(r, by) for r in rows], dtype=pl.String),
        pl.Series("full", [shorten(clean(r["name"] or title(r, by)), FULL_NAME) for r in rows], dtype=pl.String),
        pl.Series("family", [FAMILY_NAMES[r["family"]] for r in rows], dtype=pl.String),
        pl.Series(
            "shape",
            [f"{shape(r['grid'])} × {shape(r['block'])}" if r["grid"] and r["block"] else None for r in rows],
            dtype=pl.String,
        ),
        pl.Series("basis", [BASIS[r["place"]] for r in rows], dtype=pl.String),
    ]


def title(row: Mapping[str, Any], by: str = "kernel") -> str:
    """The name in the chart: of the kernel, or of what the launches have in common."""
    if by == "layer":
        layer = "no layer" if row["layer"] is None else f"layer {row['layer']}"
        return f"{layer}, {FAMILY_NAMES[row['family']]}"
    if by == "role" or not row["kernel"]:
        return FAMILY_NAMES.get(row["role"], row["role"]) if row["role"] else "unknown role"
    return brief(row["kernel"], row["name"] or "")


TOLD = {
    "seconds": "time",
    "time_share": "of time",
    "dram_bytes": "DRAM",
    "bytes_share": "of bytes",
    "useful_intensity": "useful FLOP/B",
    "intensity": "executed FLOP/B",
    "bandwidth_share": "of DRAM peak",
    "ceiling_share": "of ceiling",
    "compute_share": "of compute",
}
"""What a tooltip tells in people's units. As text: a number that is null would be written as a zero there."""


def told(marks: pl.DataFrame) -> pl.DataFrame:
    """The marks as the chart holds them: numbers that are only told as text, what nothing shows left out."""
    texts = [pl.Series(c, [cell(c, v) for v in marks[c]], dtype=pl.String) for c in TOLD]
    return marks.with_columns(texts).drop("group", "label", "glue")


def tooltip() -> list[alt.Tooltip]:
    """Everything about a group."""
    plain = [("full:N", "kernel"), ("role:N", "role"), ("shape:N", "grid × block"), ("launches:Q", "launches")]
    texts = [(f"{column}:N", name) for column, name in TOLD.items()]
    last = [("limited_by:N", "limited by"), ("basis:N", "basis")]
    return [alt.Tooltip(field, title=name) for field, name in [*plain, *texts, *last]]


def named(marks: pl.DataFrame, plane: Plane, by: str = "kernel", most: int = 6, least: float = LEAST) -> list[Named]:
    """The few that matter, as pixels: the largest shares, and the largest above a roof; marks that coincide share a name."""
    matter = pl.concat([marks.filter(pl.col("share") >= least).head(most), marks.filter("suspect").head(2)]).unique(
        "group", maintain_order=True
    )
    seen = matter["label"].value_counts().filter(pl.col("count") > 1)["label"].to_list()
    heaps = together(matter, plane)
    beyond = plane.px(plane.left) + 6
    return [
        Named(
            *place(max(heap, key=lambda row: row["x"]) if in_band(heap[0], plane) else heap[0], plane),
            text(heap[0], seen) if len(heap) == 1 else shared(heap, by),
            beyond if in_band(heap[0], plane) else None,
        )
        for heap in heaps
    ]


def in_band(row: dict[str, Any], plane: Plane) -> bool:
    """Whether a mark stands in the band on the left, where only its height tells."""
    return bool(row["x"] < plane.left)


def place(row: dict[str, Any], plane: Plane) -> tuple[float, float, float]:
    """Centre and radius of a mark in pixels."""
    return plane.px(row["x"]), plane.py(row["y"]), math.sqrt(row["size"] / math.pi)


def together(rows: pl.DataFrame, plane: Plane) -> list[list[dict[str, Any]]]:
    """Marks of one family that cover the centre of a larger one, each heap with its largest first; in the band by height."""

    def covers(first: dict[str, Any], row: dict[str, Any]) -> bool:
        (at_x, at_y, radius), (x, y, _) = place(first, plane), place(row, plane)
        across = 0.0 if in_band(row, plane) and in_band(first, plane) else x - at_x
        return bool(first["family"] == row["family"] and math.hypot(across, y - at_y) <= radius)

    return heaped(rows.sort("size", descending=True, maintain_order=True).to_dicts(), covers)


MANY = {"kernel": "kernels", "launch": "launches", "role": "roles", "layer": "layers"}


def shared(heap: list[dict[str, Any]], by: str) -> str:
    """`FC, 4 kernels, 72 %`."""
    return f"{heap[0]['family']}, {len(heap)} {MANY.get(by, 'groups')}, {percent(sum(row['share'] for row in heap))}"


def text(row: dict[str, object], seen: list[str]) -> str:
    """Name and share; the grid where the name alone is not one mark's."""
    grid = f" [{str(row['shape']).split(' × ')[0]}]" if row["label"] in seen and row["shape"] else ""
    return f"{row['label']}{grid} {percent(row['share'])}"


def covered(marks: pl.DataFrame, plane: Plane) -> list[Box]:
    """Pixels under marks and the lines to their executed work."""
    boxes: list[Box] = []
    for row in marks.iter_rows(named=True):
        half = math.sqrt(row["size"]) / 2
        here = (plane.px(row["x"]), plane.py(row["y"]))
        boxes.append(Box(here[0] - half, here[1] - half, here[0] + half, here[1] + half))
        if row["low_x"] is not None:
            boxes += line_boxes(here, (plane.px(row["low_x"]), plane.py(row["low_y"])))
        if row["executed_x"] is not None:
            there = (plane.px(row["executed_x"]), plane.py(row["executed_y"]))
            boxes += line_boxes(here, there)
            boxes.append(Box(there[0] - half, there[1] - half, there[0] + half, there[1] + half))
    return boxes
