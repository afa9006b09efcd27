"""Kernels' way across the roofline: from their place in the base to their place in the head, under the roofs of both."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.roofline.picture import Picture, picture
from ncu_roofline.present.charts import labels, roofs
from ncu_roofline.present.charts.compare import heading
from ncu_roofline.present.charts.labels import Box, Named, heaped, line_boxes
from ncu_roofline.present.charts.theme import COLOUR, SHAPE, occurring
from ncu_roofline.present.forms.columns import FAMILY_NAMES, percent
from ncu_roofline.present.forms.plane import Plane
from ncu_roofline.present.forms.short import brief
from ncu_roofline.present.forms.text import clean

WIDTH, HEIGHT = 690, 400
NARROW = (318, 320)
MOST, LEAST = 12, 0.002
"""Kernels with an arrow, and the least part of the bytes that one moves."""
SHORTEST = 16.0
"""Pixels from which a way has room for its arrow head."""


def draw(comparison: Comparison, *, width: int = WIDTH) -> alt.LayerChart:
    """Hollow where a kernel stood, solid where it stands now, an arrow between; where nothing has a place, that."""
    ways = arrows(comparison)
    pictures = [framed(picture(side.studies[0])) for side in (comparison.base, comparison.head)]
    on = field(ways, pictures, width)
    note = heading(comparison, *key(comparison, ways, pictures))
    if ways.is_empty():
        nothing = [{"px": on.width * 0.3, "py": on.height * 0.75, "text": "No kernel has bytes, FLOPs and time on both sides."}]
        layers = [roofs.grid(on), *under(pictures, on), roofs.texts_at(nothing, on, "label")]
    else:
        layers = [
            roofs.grid(on),
            *under(pictures, on),
            *marks(ways, on),
            *roofs.names(pictures[1], on),
            *names(ways, pictures, on),
        ]
    return alt.layer(*layers).properties(width=on.width, height=on.height, title=note)


def framed(found: Picture) -> Picture:
    """The picture with the one kind of roof that decides: two kinds on two sides would be four lines of a sort."""
    return replace(found, roofs=found.roofs.filter(kind=found.ridge), ridges=found.ridges.filter(kind=found.ridge))


def key(comparison: Comparison, ways: pl.DataFrame, pictures: list[Picture]) -> list[str]:
    """How to read it, and what has no place on it."""
    base, head = pictures
    said = [f"Hollow: before. Solid: after. {measure(ways)}. Size: share of the bytes."] if ways.height else []
    left = comparison.rows["kernel"].height - ways.height
    moved = 1 - float(ways["share"].sum())
    if ways.height and left and moved >= 0.005:
        said.append(f"Not shown: {left} kernels with {percent(moved)} of the bytes, added, removed, small or without FLOPs.")
    if base.device != head.device:
        said.append(f"Dashed: the roofs of the base, {base.device or 'an unknown device'}.")
    return said


def measure(ways: pl.DataFrame) -> str:
    """What the places stand on."""
    executed = occurring(ways.filter(~pl.col("useful"))["family"])
    if not executed:
        return "Useful work"
    if not ways["useful"].any():
        return "Executed work, which counts whole tiles"
    return f"Useful work; of {' and '.join(executed)} executed work, an upper bound"


def arrows(comparison: Comparison) -> pl.DataFrame:
    """One row per pair of kernels that has a place on both sides, those with most bytes first."""
    kernels = comparison.rows["kernel"]
    useful = pl.col("base_useful_flops").is_not_null() & pl.col("head_useful_flops").is_not_null()
    moved = pl.col("base_bytes").fill_null(0.0) + pl.col("head_bytes").fill_null(0.0)
    base, head = (pl.when("useful").then(f"{side}_useful_flops").otherwise(f"{side}_flops") for side in ("base", "head"))
    placed = kernels.with_columns(useful=useful, share=moved / moved.sum()).with_columns(
        x=base / pl.col("base_bytes"),
        y=base / pl.col("base_seconds"),
        x2=head / pl.col("head_bytes"),
        y2=head / pl.col("head_seconds"),
    )
    known = placed.filter(pl.all_horizontal((pl.col(c) > 0) & pl.col(c).is_finite() for c in ("x", "y", "x2", "y2")))
    largest = known.filter(pl.col("share") >= LEAST).sort("share", descending=True, maintain_order=True).head(MOST)
    called = [brief(str(r["head_kernel"]), str(r["head_name"])) for r in largest.iter_rows(named=True)]
    return largest.select(
        pl.Series("name", [clean(str(n)) for n in largest["head_kernel"]], dtype=pl.String),
        pl.Series("family", [FAMILY_NAMES.get(r, "other") for r in largest["role"]], dtype=pl.String),
        pl.Series("label", called, dtype=pl.String),
        pl.col("what").cast(pl.String),
        "x",
        "y",
        "x2",
        "y2",
        "share",
        "useful",
        pl.format("{} FLOP/byte", pl.col("x").round_sig_figs(3)).alias("old"),
        pl.format("{} FLOP/byte", pl.col("x2").round_sig_figs(3)).alias("new"),
    ).with_columns(pl.col(pl.Float64).round_sig_figs(5))


def field(ways: pl.DataFrame, pictures: list[Picture], width: int) -> Plane:
    """Axes around all places and ridges."""
    corners = pl.concat([p.ridges for p in pictures])
    slopes = [v for p in pictures for v in p.roofs.filter(what="dram")["value"]]
    xs = [*ways["x"], *ways["x2"], *corners["value"]] or [1.0, 300.0]
    x = (min(*xs, 2.0) / 2.5, max(xs) * 6)
    ys = [*ways["y"], *ways["y2"], *corners["rate"], *(s * x[0] for s in slopes)] or [1e11, 1e15]
    height = HEIGHT if width == WIDTH else NARROW[1]
    return Plane(x=x, y=(min(ys) / 3, max(ys) * 4), left=x[0], right=x[1], width=width, height=height)


def under(pictures: list[Picture], on: Plane) -> list[alt.Chart]:
    """The roofs of the head with their ridges; those of the base dashed, where they are another device's."""
    base, head = pictures
    other = roofs.segments(base, on) if base.device != head.device else []
    return [roofs.rules(other, "minor-datasheet", on), *roofs.lines(head, on), *roofs.corners(head, on)]


def marks(ways: pl.DataFrame, on: Plane) -> list[alt.Chart]:
    """Old places, ways with their heads, new places."""
    x, y = roofs.axes(on)
    look = alt.Legend(title=None, orient="top", values=occurring(ways["family"]), symbolOpacity=1)
    colour, shape = COLOUR.legend(look), SHAPE.legend(look)
    size = alt.Size("share:Q").scale(range=[50, 420], domain=[0, 1]).legend(None)
    tips = [
        alt.Tooltip(c, title=t) for c, t in (("name:N", "kernel"), ("what:N", "is"), ("old:N", "before"), ("new:N", "after"))
    ]
    base, heads = alt.Chart(ways), alt.Chart(tips_of(ways, on))
    return [
        base.mark_rule(strokeWidth=1.6, opacity=0.75).encode(x, y, x2="x2:Q", y2="y2:Q", color=colour),
        base.mark_point(filled=False, strokeWidth=1.6).encode(x, y, size=size, color=colour, shape=shape, tooltip=tips),
        base.mark_point(filled=True, opacity=1).encode(
            alt.X("x2:Q"), alt.Y("y2:Q"), size=size, color=colour, shape=shape, tooltip=tips
        ),
        heads.mark_point(shape="wedge", filled=True, size=140, opacity=1).encode(
            x, y, color=colour, angle=alt.Angle("angle:Q").scale(None)
        ),
    ]


def tips_of(ways: pl.DataFrame, on: Plane) -> pl.DataFrame:
    """Arrow heads in the middle of ways that are long enough, turned along them."""
    found = []
    for row in ways.iter_rows(named=True):
        across, down = on.px(row["x2"]) - on.px(row["x"]), on.py(row["y2"]) - on.py(row["y"])
        if math.hypot(across, down) >= SHORTEST:
            middle = math.sqrt(row["x"] * row["x2"]), math.sqrt(row["y"] * row["y2"])
            found.append((*middle, row["family"], round(math.degrees(math.atan2(down, across))) + 90.0))
    schema = {"x": pl.Float64, "y": pl.Float64, "family": pl.String, "angle": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row").with_columns(pl.col("x", "y").round_sig_figs(5))


def names(ways: pl.DataFrame, pictures: list[Picture], on: Plane) -> list[alt.Chart]:
    """Names at the new places; marks of a family that coincide share one."""
    taken = roofs.obstacles(pictures[1], on)
    for row in ways.iter_rows(named=True):
        (x, y), (x2, y2) = ((on.px(row[a]), on.py(row[b])) for a, b in (("x", "y"), ("x2", "y2")))
        taken += [Box(px - 7, py - 7, px + 7, py + 7) for px, py in ((x, y), (x2, y2))] + line_boxes((x, y), (x2, y2))
    wanted = [named(heap, on) for heap in heaps(ways, on)]
    placed = labels.place(wanted[: 6 if on.width == WIDTH else 3], taken, Box(2, 2, on.width - 2, on.height - 2))
    items = [{"px": p.x, "py": p.y, "text": p.text} for p in placed]
    leaders = [roofs.leader(p, on) for p in placed if p.leads]
    return [roofs.rules(leaders, "leader", on), roofs.texts_at(items, on, "halo"), roofs.texts_at(items, on, "label")]


def heaps(ways: pl.DataFrame, on: Plane) -> list[list[dict[str, Any]]]:
    """New places of one family within a mark's size of each other."""

    def near(first: dict[str, Any], row: dict[str, Any]) -> bool:
        apart = math.hypot(on.px(row["x2"]) - on.px(first["x2"]), on.py(row["y2"]) - on.py(first["y2"]))
        return bool(first["family"] == row["family"] and apart <= 14)

    return heaped(ways.to_dicts(), near)


def named(heap: list[dict[str, Any]], on: Plane) -> Named:
    """What a heap is called."""
    first, share = heap[0], sum(row["share"] for row in heap)
    name = first["label"] if len(heap) == 1 else f"{first['family']}, {len(heap)} kernels,"
    return Named(on.px(first["x2"]), on.py(first["y2"]), 7.0, f"{name} {percent(share)}")
