"""The lines that marks are measured against: bandwidth slopes, compute ceilings, ridges, theory."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.capture.units import three
from ncu_roofline.present.charts.labels import LETTER, Box, Label, line_boxes, text_box
from ncu_roofline.present.documents.words_roofline import on_plane, precision
from ncu_roofline.present.forms.plane import Plane, ticks

CAPITALS = 1.1
"""Names of roofs are mostly capitals and figures, wider than letters."""
INTEGER = ("int8", "int4", "int1")
LEVELS = {"dram": "DRAM", "l2": "L2"}
SPAN = {"x": pl.Float64, "y": pl.Float64, "x2": pl.Float64, "y2": pl.Float64}


def axes(plane: Plane) -> tuple[alt.X, alt.Y]:
    """Both log axes with their domains fixed, so that pixels are known."""
    title = "FLOP per byte of DRAM traffic" if plane.narrow else "arithmetic intensity (FLOP per byte of DRAM traffic)"
    x = alt.X("x:Q").scale(type="log", domain=[rounded(v) for v in plane.x], nice=False).title(title)
    y = (
        alt.Y("y:Q")
        .scale(type="log", domain=[rounded(v) for v in plane.y], nice=False)
        .title("FLOP/s" if plane.narrow else "work per second (FLOP/s)")
    )
    inside = [t for t in ticks(plane.x) if plane.left <= t <= plane.right]
    above = {"titleAngle": 0, "titleAlign": "left", "titleX": 5, "titleY": 6} if plane.narrow else {}
    beside = alt.Axis(
        values=ticks(plane.y),
        format="~s",
        domain=False,
        grid=False,
        tickSize=4,
        zindex=1,
        offset=-round(plane.px(plane.left)),
        **above,
    )
    return (x.axis(values=inside, format="~g", domain=True, tickSize=4), y.axis(beside))


def grid(plane: Plane) -> alt.Chart:
    """Lines across, from the axis on: the band beside it has none of its numbers."""
    return rules([span(plane.left, t, plane.x[1], t) for t in ticks(plane.y)], "grid", plane)


def rounded(value: float) -> float:
    """A bound of an axis in six digits: a hundredth of a pixel."""
    return float(f"{value:.6g}")


def segments(picture: Picture, plane: Plane) -> list[dict[str, Any]]:
    """Every roof as a straight line: slopes end at the highest ceiling, ceilings begin at their slope."""
    lines: list[dict[str, Any]] = []
    for kind in ("datasheet", "capture"):
        of_kind = dict(picture.roofs.filter(kind=kind).select("what", "value").iter_rows())
        ceilings = {w: v for w, v in of_kind.items() if w not in LEVELS}
        slope = of_kind.get("dram") or dict(picture.roofs.filter(kind="datasheet").select("what", "value").iter_rows()).get(
            "dram"
        )
        top = max(ceilings.values(), default=plane.y[1])
        for level in LEVELS:
            if (speed := of_kind.get(level)) and speed * plane.left < top:
                if level == "dram" and plane.left > plane.x[0]:  # in the band: what the bandwidth allows at its edge
                    lines.append(
                        {
                            "what": level,
                            "kind": kind,
                            **span(plane.x[0], speed * plane.left, plane.band_end, speed * plane.left),
                        }
                    )
                lines.append(
                    {
                        "what": level,
                        "kind": kind,
                        **span(plane.left, speed * plane.left, min(top / speed, plane.right), min(top, speed * plane.right)),
                    }
                )
        for path, peak in ceilings.items():
            begin = max(peak / slope, plane.left) if slope else plane.left
            lines.append({"what": path, "kind": kind, **span(begin, peak, plane.x[1], peak)})
    return [*lines, *reached(picture, plane)]


def reached(picture: Picture, plane: Plane) -> list[dict[str, Any]]:
    """The slope that kernels were seen to reach, below that of the memory; it ends at the highest ceiling."""
    if picture.ceiling is None:
        return []
    speed, peaks = picture.ceiling.bandwidth, picture.roofs.filter(~pl.col("what").is_in(list(LEVELS)))
    top = float(peaks["value"].max() or plane.y[1])  # type: ignore[arg-type]
    if speed * plane.left >= top:
        return []
    end = min(top / speed, plane.right)
    return [{"what": "dram", "kind": "reached", **span(plane.left, speed * plane.left, end, speed * end)}]


def span(x: float, y: float, x2: float, y2: float) -> dict[str, float]:
    """A straight line between two points."""
    return {"x": x, "y": y, "x2": x2, "y2": y2}


def lines(picture: Picture, plane: Plane) -> list[alt.Chart]:
    """One layer per kind of roof: the datasheet's dashed, the capture's solid."""
    found, main = segments(picture, plane), (main_path(picture), *LEVELS)
    return [
        rules(
            [s for s in found if s["kind"] == kind and (s["what"] in main) == major], kind if major else f"minor-{kind}", plane
        )
        for major in (False, True)
        for kind in ("datasheet", "reached", "capture")
    ]


def rules(spans: list[dict[str, Any]], style: str, plane: Plane) -> alt.Chart:
    """Straight lines of one style."""
    x, y = axes(plane)
    frame = pl.DataFrame([{k: s[k] for k in SPAN} for s in spans], schema=SPAN)
    return alt.Chart(frame).mark_rule(style=style, clip=True).encode(x, y, x2="x2:Q", y2="y2:Q")


def corners(picture: Picture, plane: Plane) -> list[alt.Chart]:
    """The ridge of every precision as a dot where its roofs meet; the main one with a line down."""
    of_kind = picture.ridges.filter(kind=picture.ridge)
    if of_kind.is_empty():
        of_kind = picture.ridges
    x, y = axes(plane)
    points = of_kind.select(x="value", y="rate")
    main = of_kind.filter(path=main_path(picture) or "").select("value", "rate").rows()
    drops = [span(value, rate, value, plane.y[0]) for value, rate in main if on_plane(picture)]
    return [
        rules(drops, "drop", plane),
        alt.Chart(points).mark_point(style="corner", filled=True, size=34, opacity=1, stroke=None).encode(x, y),
    ]


def main_path(picture: Picture) -> str | None:
    """The path in which the largest part by share is done, of those with a ridge; None without any."""
    weights = picture.marks.drop_nulls("path").group_by("path").agg(pl.col("share").sum(), pl.col("flops").sum())
    order = weights.sort("share", "flops", descending=True, nulls_last=True)["path"].cast(pl.String).to_list()
    known = picture.ridges.filter(kind=picture.ridge)["path"].to_list()
    return next((p for p in [*order, *known] if p in known), None)


def both(picture: Picture, what: str, unit: str) -> str:
    """A roof's value: the capture's first, the datasheet's beside it."""
    known = dict(picture.roofs.filter(what=what).select("kind", "value").iter_rows())
    spec, here = known.get("datasheet"), known.get("capture")
    if here is None or spec is None:
        only = float(here if here is not None else spec)  # type: ignore[arg-type]
        return three(only, unit) + (" (datasheet)" if here is None else "")
    shown, beside = three(here, unit), three(spec, unit)
    same_unit = shown.split(" ")[1] == beside.split(" ")[1]
    return f"{shown} (datasheet {beside.split(' ')[0] if same_unit else beside})"


def one(picture: Picture, what: str) -> float:
    """A roof's value where one alone is told: of the kind whose ridges stand beside it, else the other's."""
    known = dict(picture.roofs.filter(what=what).select("kind", "value").iter_rows())
    return float(known.get(picture.ridge, next(iter(known.values()))))


def best(picture: Picture) -> str:
    """What kernels reach of the bandwidth, or what is stated, beside the roof's own value."""
    if picture.ceiling is None:
        return ""
    word = picture.ceiling.kind if picture.ceiling.kind in ("stated", "reported") else "reached"
    return f", {word} {three(picture.ceiling.bandwidth, 'byte/s').removesuffix(' TB/s')}"


def ridge_text(picture: Picture, path: str) -> str:
    """A ridge by name and value, both values where they differ."""
    known = dict(picture.ridges.filter(path=path).select("kind", "value").iter_rows())
    first = known.get(picture.ridge, next(iter(known.values())))
    spec = known.get("datasheet")
    return f"ridge {three(first)} FLOP/byte" + (f" (datasheet {three(spec)})" if spec and three(spec) != three(first) else "")


def texts(picture: Picture, plane: Plane) -> list[dict[str, Any]]:
    """Names of roofs and ridges: x and y in pixels, alignment, angle."""
    found = ceiling_texts(picture, plane)
    for row in picture.ridges.filter(kind=picture.ridge, path=main_path(picture) or "").iter_rows(named=True):
        text = f"ridge {three(row['value'])}" if plane.narrow else ridge_text(picture, row["path"])
        found.append(
            {"text": text, "px": plane.px(row["value"]) - 7, "py": plane.py(row["rate"]) - 6, "align": "right", "angle": 0.0}
        )
    return spread(found) + slope_texts(picture, plane)


def ceiling_texts(picture: Picture, plane: Plane) -> list[dict[str, Any]]:
    """One text per ceiling, at the right end, above the higher of its lines."""
    main = main_path(picture)
    found: list[dict[str, Any]] = []
    ceilings = picture.roofs.filter(~pl.col("what").is_in(list(LEVELS)))
    for path in ceilings["what"].unique(maintain_order=True):
        value = ceilings.filter(what=path)["value"].max()
        unit = "op/s" if path in INTEGER else "flop/s"
        if plane.narrow or path != main:
            text = minor(picture, path, unit, short=plane.narrow)
        else:
            text = f"{precision(path)} {both(picture, path, unit)}"
        found.append({"text": text, "px": plane.width - 4.0, "py": plane.py(float(value)) - 7, "align": "right", "angle": 0.0})  # type: ignore[arg-type]
    heights = [float(t["py"]) for t in found]
    return [below(item, heights) for item in found]


CLOSE, UNDER = 26, 15
"""Pixels between two ceilings that leave no room for a text moved up between them, and how far down it goes then."""


def below(item: dict[str, Any], heights: list[float]) -> dict[str, Any]:
    """A text without its second value, which may stand under its own line, where another ceiling close above would cross it."""
    tight = any(0 < item["py"] - above < CLOSE for above in heights)
    return {**item, "tight": tight, "text": item["text"].partition(" (datasheet ")[0] if tight else item["text"]}


def minor(picture: Picture, path: str, unit: str, *, short: bool = False) -> str:
    """A ceiling that is not the main one, in fewer words; short without its ridge."""
    ridge = picture.ridges.filter(kind=picture.ridge, path=path)["value"].to_list()
    return f"{precision(path)} {three(one(picture, path), unit)}" + (
        f", ridge {three(ridge[0])}" if ridge and not short else ""
    )


def spread(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Texts moved upwards until none lies on another; one without room above goes under its line."""
    settled: list[dict[str, Any]] = []
    for item in sorted(found, key=lambda t: -t["py"]):
        while any(box(item).overlap(box(other)) > 0 for other in settled):
            item["py"] += UNDER if item.pop("tight", False) else -3
        settled.append(item)
    return settled


def box(item: dict[str, Any]) -> Box:
    """Where a level text stands."""
    length = CAPITALS * LETTER * len(item["text"])
    return text_box(item["px"] - (length if item["align"] == "right" else 0), item["py"], item["text"])


def slope_texts(picture: Picture, plane: Plane) -> list[dict[str, Any]]:
    """Names of the bandwidth roofs, along their slopes."""
    found = []
    for level, name in LEVELS.items():
        values = picture.roofs.filter(what=level)["value"]
        if values.is_empty():
            continue
        speed = float(values.max())  # type: ignore[arg-type]
        angle = math.radians(-plane.slope)
        px = plane.px(plane.left) + 10
        py = plane.py(speed * plane.x_at(px))
        found.append(
            {
                "text": f"{name} {three(one(picture, level), 'byte/s')}"
                if plane.narrow
                else f"{name} {both(picture, level, 'byte/s')}{best(picture) if level == 'dram' else ''}",
                "px": px - 8 * math.sin(angle),
                "py": py - 8 * math.cos(angle),
                "align": "left",
                "angle": plane.slope,
            }
        )
    return found


def names(picture: Picture, plane: Plane) -> list[alt.Chart]:
    """The texts as layers, one per alignment and angle."""
    return [
        texts_at(
            [t for t in texts(picture, plane) if (t["align"], t["angle"] == 0) == (align, level)],
            plane,
            "roof-text",
            align=align,
            angle=0 if level else plane.slope % 360,
        )
        for align, level in (("right", True), ("left", False))
    ]


def texts_at(items: list[dict[str, Any]], plane: Plane, style: str, *, align: str = "left", angle: float = 0) -> alt.Chart:
    """Texts at pixels, as data, so that they move with the plane."""
    x, y = axes(plane)
    rows = [{"x": plane.x_at(t["px"]), "y": plane.y_at(t["py"]), "text": t["text"]} for t in items]
    frame = pl.DataFrame(rows, schema={"x": pl.Float64, "y": pl.Float64, "text": pl.String})
    look = alt.Chart(frame).mark_text(style=style, align=align, baseline="middle", angle=angle)
    return look.encode(x, y, text="text:N")


def leader(label: Label, on: Plane) -> dict[str, float]:
    """From the middle of a mark to the near end of its name."""
    box = text_box(label.x, label.y, label.text)
    end_x = min(max(label.mark.x, box.left), box.right)
    end_y = min(max(label.mark.y, box.top + 2), box.bottom - 2)
    return span(on.x_at(label.mark.x), on.y_at(label.mark.y), on.x_at(end_x), on.y_at(end_y))


def obstacles(picture: Picture, plane: Plane) -> list[Box]:
    """Pixels that names of marks should keep away from."""
    boxes = [box(t) for t in texts(picture, plane) if t["angle"] == 0]
    boxes.append(Box(plane.px(plane.band_end), 0, plane.px(plane.left), plane.height))  # numbers of the axis
    for line in segments(picture, plane):
        boxes += line_boxes((plane.px(line["x"]), plane.py(line["y"])), (plane.px(line["x2"]), plane.py(line["y2"])))
    for item in texts(picture, plane):
        if item["angle"] != 0:
            angle, length = math.radians(-item["angle"]), LETTER * len(item["text"])
            end = (item["px"] + length * math.cos(angle), item["py"] - length * math.sin(angle))
            boxes += [Box(b.left - 4, b.top - 4, b.right + 4, b.bottom + 4) for b in line_boxes((item["px"], item["py"]), end)]
    return boxes


def theory_lines(picture: Picture, on: Plane) -> list[alt.Chart]:
    """One line per formula, named in the empty corner above the roofs, the rightmost on top."""
    known = sorted((t for t in picture.theory if on.left < t.intensity < on.x[1]), key=lambda t: -t.intensity)
    start = on.px(on.left) + 8
    lines, items = [], []
    for row, t in enumerate(known):
        height, end, at = 9.0 + 14 * row, start + LETTER * len(t.text) + 6, on.px(t.intensity)
        top = height if at > end else height + 9
        lines.append(span(t.intensity, on.y[0], t.intensity, on.y_at(top)))
        if at > end:
            lines.append(span(on.x_at(end), on.y_at(height), t.intensity, on.y_at(height)))
        items.append({"px": start, "py": height, "text": t.text})
    return [rules(lines, "theory", on), texts_at(items, on, "halo"), texts_at(items, on, "theory-text")]
