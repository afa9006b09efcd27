"""The roofline: every kernel group under the roofs of its device, FC apart from attention."""

from __future__ import annotations

import hashlib
import textwrap

import altair as alt
import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.present.charts import labels, roofs
from ncu_roofline.present.charts.choice import Choice, size
from ncu_roofline.present.charts.frame import bands, foot, nothing
from ncu_roofline.present.charts.labels import Box
from ncu_roofline.present.charts.marks import cloud, covered, drawn, named, told, tooltip
from ncu_roofline.present.charts.theme import COLOUR, NAMES, SHAPE, occurring
from ncu_roofline.present.documents import words_roofline as words
from ncu_roofline.present.forms.plane import GAP, NARROW, Plane, plane

SENTENCE = 122
"""Characters of a line under the title."""


def draw(picture: Picture, *, theory: bool = False, narrow: bool = False) -> alt.LayerChart:
    """The whole chart as an ordinary layered Altair chart; narrow for a phone."""
    on = plane(picture, *NARROW) if narrow else plane(picture, gap=GAP)
    marks = drawn(picture, on)
    mark = digest(marks.select("label", "full", "shape", "launches", "seconds", "dram_bytes", "intensity", "useful_intensity"))
    choice = Choice(mark, occurring(marks["family"]))
    layers = [
        *bands(picture, on),
        roofs.grid(on),
        *(roofs.theory_lines(picture, on) if theory else []),
        *roofs.lines(picture, on),
        *roofs.corners(picture, on),
        *points(picture, marks, on, choice),
        *roofs.names(picture, on),
        *name_layers(picture, marks, on),
        *nothing(picture, marks, on),
        *foot(picture, marks, on),
    ]
    shown = alt.layer(*layers).properties(width=on.width, height=on.height, name=f"roofline_{mark}", title=title(picture))
    return shown.resolve_scale(size="shared")


def digest(marks: pl.DataFrame) -> str:
    """A short name that two different charts do not share, so that they can stand side by side."""
    return hashlib.sha256(marks.write_csv().encode()).hexdigest()[:8]


def title(picture: Picture) -> alt.Title:
    """The finding, short as a title and in sentences under it."""
    lines = [line for sentence in words.finding(picture) for line in textwrap.wrap(sentence, SENTENCE, break_on_hyphens=False)]
    warning = "SYNTHETIC, not measured: " if picture.run.synthetic.value else ""
    device = f"roofline on {picture.device or 'an unknown device'}"
    found = f"{warning}{words.headline(picture) or device}"
    return alt.Title(found[:1].upper() + found[1:], subtitle=lines)


def points(picture: Picture, marks: pl.DataFrame, on: Plane, choice: Choice) -> list[alt.Chart]:
    """Thin lines to executed work, hollow marks there, arrows of bounds, then the marks themselves."""
    if marks.is_empty():
        return []
    x, y = roofs.axes(on)
    base = alt.Chart(told(marks))
    looks = {"opacity": choice.opacity, "tooltip": tooltip(), "size": size(picture, marks), "shape": SHAPE, "color": COLOUR}
    thin = base.mark_rule(strokeWidth=1, clip=True).encode(x, y, opacity=choice.opacity, color=COLOUR)
    point = base.encode(**looks)
    executed = point.transform_filter("isValid(datum.executed_x)").mark_point(filled=False, clip=True, strokeWidth=1.4)
    bounded = point.transform_filter("datum.look != 'solid'").mark_point(filled=False, clip=True)
    solid = point.transform_filter("datum.look == 'solid'").mark_point(filled=True, clip=True)
    far = (alt.X("executed_x:Q"), alt.Y("executed_y:Q"))
    return [
        choice.owner(base, x, y),
        thin.transform_filter("isValid(datum.executed_x)").encode(x2="executed_x:Q", y2="executed_y:Q"),
        executed.encode(*far, strokeWidth=choice.width()),
        thin.transform_filter("isValid(datum.tip_x)").encode(x2="tip_x:Q", y2="tip_y:Q"),
        *ranges(base),
        l2_marks(base, choice),
        *arrows(base, on, choice),
        bounded.encode(x, y, strokeWidth=choice.width()),
        solid.encode(x, y, stroke=alt.Stroke("family:N").scale(domain=NAMES), strokeWidth=choice.width()),
        flags(base, x, y),
    ]


def ranges(base: alt.Chart) -> list[alt.Chart]:
    """Where the useful work must lie, as a broad pale bar."""
    known = base.transform_filter("isValid(datum.low_x)")
    bar = known.mark_rule(strokeWidth=7, strokeCap="round", opacity=0.35, clip=True)
    return [bar.encode(alt.X("tip_x:Q"), alt.Y("tip_y:Q"), x2="low_x:Q", y2="low_y:Q", color=COLOUR)]


def l2_marks(base: alt.Chart, choice: Choice) -> alt.Chart:
    """A cross where the same work stands over the bytes of L2."""
    cross = base.transform_filter("isValid(datum.l2_x)").mark_point(shape="cross", filled=True, size=40, clip=True)
    return cross.encode(alt.X("l2_x:Q"), alt.Y("y:Q"), color=COLOUR, opacity=choice.opacity)


def arrows(base: alt.Chart, on: Plane, choice: Choice) -> list[alt.Chart]:
    """Heads of the arrows: left for upper bounds, right for lower ones."""
    heads = {"upper": "triangle-left", "partial": "triangle-right"}
    return [
        base.transform_filter(f"datum.look == '{look}' && isValid(datum.tip_x)")
        .mark_point(shape=head, filled=True, size=45, angle=on.slope % 360, clip=True)
        .encode(alt.X("tip_x:Q"), alt.Y("tip_y:Q"), color=COLOUR, opacity=choice.opacity)
        for look, head in heads.items()
    ]


def flags(base: alt.Chart, x: alt.X, y: alt.Y) -> alt.Chart:
    """A ring round every mark above its roof."""
    ring = base.transform_filter("datum.suspect").mark_point(
        style="flag", shape="circle", filled=False, size=alt.expr("datum.size * 1.6 + 130"), clip=True
    )
    return ring.encode(x, y)


def name_layers(picture: Picture, marks: pl.DataFrame, on: Plane) -> list[alt.Chart]:
    """Names of the marks that matter, with thin lines where a name stands apart."""
    frame = Box(2, 2, on.width - 2, on.height - 2)
    few = [*named(marks, on, picture.by, most=3 if on.narrow else 6), *cloud(marks, on)]
    placed = labels.place(few, [*covered(marks, on), *roofs.obstacles(picture, on)], frame)
    items, together = (
        [{"px": p.x, "py": p.y, "text": p.text} for p in placed if bool(p.mark.radius) == single] for single in (True, False)
    )
    leaders = [roofs.leader(p, on) for p in placed if p.leads and p.mark.radius]
    return [
        roofs.rules(leaders, "leader", on),
        roofs.texts_at([*items, *together], on, "halo"),
        roofs.texts_at(items, on, "label"),
        roofs.texts_at(together, on, "quiet"),
    ]
