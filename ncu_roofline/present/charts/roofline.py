"""The roofline: every kernel group under the roofs of its device, FC apart from attention."""

from __future__ import annotations

import hashlib
import textwrap
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.picture import Picture
from ncu_roofline.present import words_roofline as words
from ncu_roofline.present.charts import labels, roofs
from ncu_roofline.present.charts.labels import Box
from ncu_roofline.present.charts.marks import AREA, covered, drawn, named, tooltip
from ncu_roofline.present.plane import Plane, plane
from ncu_roofline.present.charts.theme import FAMILY_NAMES
from ncu_roofline.present.charts.theory import layers as theory_lines
from ncu_roofline.present.columns import percent

SENTENCE = 122
"""Characters of a line under the title."""


def draw(picture: Picture, *, theory: bool = False) -> alt.LayerChart:
    """The whole chart as an ordinary layered Altair chart."""
    on = plane(picture)
    marks = drawn(picture, on)
    mark = digest(marks)
    choice = Choice(mark, sorted(set(marks["family"]), key=list(FAMILY_NAMES.values()).index))
    layers = [
        *bands(on), *(theory_lines(picture, on) if theory else []), *roofs.lines(picture, on), *roofs.corners(picture, on),
        *points(picture, marks, on, choice), *roofs.names(picture, on), *name_layers(picture, marks, on),
        *nothing(picture, marks, on), *foot(picture, marks, on),
    ]  # fmt: skip
    shown = alt.layer(*layers).properties(width=on.width, height=on.height, name=f"roofline_{mark}", title=title(picture))
    return shown.resolve_scale(size="shared")


def digest(marks: pl.DataFrame) -> str:
    """A short name that two different charts do not share, so that they can stand side by side."""
    return hashlib.sha256(marks.write_csv().encode()).hexdigest()[:8]


def title(picture: Picture) -> alt.Title:
    """Device and capture, and the finding as sentences."""
    lines = [line for sentence in words.finding(picture) for line in textwrap.wrap(sentence, SENTENCE, break_on_hyphens=False)]
    warning = "SYNTHETIC, not measured: r" if picture.run.synthetic.value else "R"
    return alt.Title(f"{warning}oofline on {picture.device or 'an unknown device'}, one mark per {ONE[picture.by]}", subtitle=lines)


ONE = {"kernel": "kernel and launch shape", "launch": "launch", "role": "role", "layer": "layer and family", "family": "family"}


class Choice:
    """The chart's selections: families by the legend, a kernel by hovering, the view by dragging."""

    def __init__(self, mark: str, families: list[str]) -> None:
        self.mark, self.families = mark, families
        self.family = alt.selection_point(name=f"family_{mark}", fields=["family"], bind="legend")
        self.kernel = alt.selection_point(name=f"kernel_{mark}", fields=["full"], on="pointerover", clear="pointerout", empty=False)
        self.view = alt.selection_interval(name=f"view_{mark}", bind="scales")

    @property
    def opacity(self) -> Any:
        """Families not chosen in the legend fade."""
        return alt.condition(self.family, alt.value(0.92), alt.value(0.07))

    def colour(self) -> alt.Color:
        """Colour by family."""
        return alt.Color("family:N").scale(domain=list(FAMILY_NAMES.values()))

    def stroke(self) -> alt.Stroke:
        """Outline in the family's colour, which hovering makes strong."""
        return alt.Stroke("family:N").scale(domain=list(FAMILY_NAMES.values()))

    def shape(self) -> alt.Shape:
        """Shape by family, so that it can be read without colour."""
        return alt.Shape("family:N").scale(domain=list(FAMILY_NAMES.values()))

    def legend(self, base: alt.Chart) -> alt.Chart:
        """A layer without marks that owns the legend: a selection binds to it only in the first layer that has it."""
        look = alt.Legend(title=None, orient="top", values=self.families, symbolSize=130, symbolOpacity=1)
        empty = base.transform_filter("false").mark_point(filled=True).properties(name=f"legend_{self.mark}")
        return empty.encode(color=self.colour().legend(look), shape=self.shape().legend(look)).add_params(self.family)

    def width(self) -> Any:
        """All groups of the kernel under the pointer get a strong outline."""
        return alt.condition(self.kernel, alt.value(3.5), alt.value(1.4))


def size(picture: Picture, marks: pl.DataFrame) -> alt.Size:
    """Area by share, with a legend that says of what."""
    most = float(marks["share"].max() or 1.0)  # type: ignore[arg-type]
    values = [v for v in (0.01, 0.1, 0.3, 0.6, 0.9) if v <= most * 1.05][-3:]
    legend = alt.Legend(title=f"share of {picture.size_by}", orient="top", values=values, format=".0%", titleOrient="left", symbolType="circle") if values else None
    return alt.Size("share:Q").scale(domain=[0, most], range=list(AREA)).legend(legend)


def points(picture: Picture, marks: pl.DataFrame, on: Plane, choice: Choice) -> list[alt.Chart]:
    """Thin lines to executed work, hollow marks there, arrows of bounds, then the marks themselves."""
    if marks.is_empty():
        return []
    x, y = roofs.axes(on)
    base = alt.Chart(marks)
    looks = {"opacity": choice.opacity, "tooltip": tooltip(picture), "size": size(picture, marks), "shape": choice.shape(), "color": choice.colour()}
    thin = base.mark_rule(strokeWidth=1, clip=True).encode(x, y, opacity=choice.opacity, color=choice.colour())
    point = base.encode(**looks)
    executed = point.transform_filter("isValid(datum.executed_x)").mark_point(filled=False, clip=True, strokeWidth=1.4)
    bounded = point.transform_filter("datum.look != 'solid'").mark_point(filled=False, clip=True)
    solid = point.transform_filter("datum.look == 'solid'").mark_point(filled=True, clip=True)
    far = (alt.X("executed_x:Q"), alt.Y("executed_y:Q"))
    return [
        choice.legend(base),
        thin.transform_filter("isValid(datum.executed_x)").encode(x2="executed_x:Q", y2="executed_y:Q"),
        executed.encode(*far, strokeWidth=choice.width()),
        thin.transform_filter("isValid(datum.tip_x)").encode(x2="tip_x:Q", y2="tip_y:Q"),
        *ranges(base, choice),
        *arrows(base, on, choice),
        bounded.encode(x, y, strokeWidth=choice.width()),
        solid.encode(x, y, stroke=choice.stroke(), strokeWidth=choice.width()).properties(name=f"marks_{choice.mark}").add_params(choice.kernel, choice.view),
        flags(base, x, y),
    ]  # fmt: skip


def ranges(base: alt.Chart, choice: Choice) -> list[alt.Chart]:
    """Where the useful work must lie, as a broad pale bar."""
    known = base.transform_filter("isValid(datum.low_x)")
    bar = known.mark_rule(strokeWidth=7, strokeCap="round", opacity=0.35, clip=True)
    return [bar.encode(alt.X("tip_x:Q"), alt.Y("tip_y:Q"), x2="low_x:Q", y2="low_y:Q", color=choice.colour())]


def arrows(base: alt.Chart, on: Plane, choice: Choice) -> list[alt.Chart]:
    """Heads of the arrows: left for upper bounds, right for lower ones."""
    heads = {"upper": "triangle-left", "partial": "triangle-right"}
    return [
        base.transform_filter(f"datum.look == '{look}'")
        .mark_point(shape=head, filled=True, size=45, angle=on.slope % 360, clip=True)
        .encode(alt.X("tip_x:Q"), alt.Y("tip_y:Q"), color=choice.colour(), opacity=choice.opacity)
        for look, head in heads.items()
    ]  # fmt: skip


def flags(base: alt.Chart, x: alt.X, y: alt.Y) -> alt.Chart:
    """A ring round every mark above its roof."""
    ring = base.transform_filter("datum.suspect").mark_point(style="flag", shape="circle", filled=False, size=alt.expr("datum.size * 1.6 + 130"), clip=True)
    return ring.encode(x, y)


def bands(on: Plane) -> list[alt.Chart]:
    """The bands of kernels without a place along the axis, each with its name."""
    x, y = roofs.axes(on)
    known = [(on.x[0], on.left, "no FLOPs"), (on.right, on.x[1], "no bytes")]
    rows = [{"x": a, "x2": b, "y": on.y[0], "y2": on.y[1], "text": text} for a, b, text in known if b > a * 1.001]
    if not rows:
        return []
    frame = pl.DataFrame(rows)
    return [
        alt.Chart(frame).mark_rect(style="band").encode(x, y, x2="x2:Q", y2="y2:Q"),
        roofs.written([{"px": (on.px(r["x"]) + on.px(r["x2"])) / 2, "py": 12.0, "text": r["text"]} for r in rows], on, "band-text", align="center"),
    ]  # fmt: skip


def name_layers(picture: Picture, marks: pl.DataFrame, on: Plane) -> list[alt.Chart]:
    """Names of the marks that matter, with thin lines where a name stands apart."""
    frame = Box(2, 2, on.width - 2, on.height - 2)
    placed = labels.place(named(marks, on), [*covered(marks, on), *roofs.obstacles(picture, on)], frame)
    items = [{"px": p.x, "py": p.y, "text": p.text} for p in placed]
    leaders = [leader(p, on) for p in placed if p.leads]
    return [roofs.rules(leaders, "leader", on), roofs.written(items, on, "halo"), roofs.written(items, on, "label")]


def leader(label: labels.Label, on: Plane) -> dict[str, float]:
    """From the rim of the mark to the near end of its name."""
    box = labels.text_box(label.x, label.y, label.text)
    end_x = min(max(label.mark.x, box.left), box.right)
    end_y = min(max(label.mark.y, box.top + 2), box.bottom - 2)
    return roofs.span(on.x_at(label.mark.x), on.y_at(label.mark.y), on.x_at(end_x), on.y_at(end_y))


def nothing(picture: Picture, marks: pl.DataFrame, on: Plane) -> list[alt.Chart]:
    """What can still be shown when no mark can: where the time goes."""
    if not marks.is_empty():
        return []
    longest = picture.marks.drop_nulls("time_share").sort("time_share", descending=True).head(5)
    left, top = on.width * 0.38, on.height * 0.5
    rows = [{"label": t, "share": s} for t, s in zip((item for item in titles(longest)), longest["time_share"], strict=True)]
    bars = [roofs.span(on.x_at(left), on.y_at(top + 26 * i + 8), on.x_at(left + max(2.0, 260 * r["share"])), on.y_at(top + 26 * i + 12)) for i, r in enumerate(rows)]
    said = [{"px": left, "py": top + 26 * i, "text": f"{r['label']}  {percent(r['share'])} of the time"} for i, r in enumerate(rows)]
    head = [{"px": left, "py": top - 24, "text": "Where the time goes, which this capture does tell:" if rows else ""}]
    x, y = roofs.axes(on)
    frame = pl.DataFrame(bars, schema=roofs.SPAN)
    return [roofs.written(head + said, on, "label"), alt.Chart(frame).mark_rect(style="bar").encode(x, y, x2="x2:Q", y2="y2:Q")]


def titles(groups: pl.DataFrame) -> list[str]:
    """Names of groups, as on their marks."""
    from ncu_roofline.present.charts.marks import title as name

    return [name(row) for row in groups.iter_rows(named=True)]


def foot(picture: Picture, marks: pl.DataFrame, on: Plane) -> list[alt.Chart]:
    """How to read the marks, and what the numbers stand on."""
    below = int((marks["y"] <= on.y[0] * 1.16).sum())
    lines = [*words.key(picture, below), *words.basis(picture)]
    return [
        alt.Chart(pl.DataFrame({"text": [line]})).mark_text(style="footer", align="left", baseline="top", clip=False)
        .encode(text="text:N", x=alt.value(0), y=alt.value(on.height + 52 + 16 * i))
        for i, line in enumerate(lines)
    ]  # fmt: skip
