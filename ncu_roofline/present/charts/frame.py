"""What stands round the marks: bands at the edges, the empty state, the lines at the foot."""

from __future__ import annotations

import textwrap

import altair as alt
import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.present.charts import roofs
from ncu_roofline.present.charts.marks import title
from ncu_roofline.present.documents import words_roofline as words
from ncu_roofline.present.forms.columns import percent
from ncu_roofline.present.forms.plane import Plane

BREAK = "\u2003\u2003"
"""Between the lines at the foot: no control character, on which the engine ends the process."""
PHONE = 60
"""Characters of a line at the foot of a narrow chart."""


def bands(picture: Picture, on: Plane) -> list[alt.Chart]:
    """The bands of kernels without a place along the axis, each with its name."""
    x, y = roofs.axes(on)
    known = [(on.x[0], on.band_end, words.band(picture)), (on.right, on.x[1], "no bytes")]
    wide = [(a, b, text) for a, b, text in known if b > a * 1.001]
    if not wide:
        return []
    frame = pl.DataFrame([roofs.span(a, on.y[0], b, on.y[1]) for a, b, _ in wide])
    return [
        alt.Chart(frame).mark_rect(style="band").encode(x, y, x2="x2:Q", y2="y2:Q"),
        roofs.texts_at(
            [{"px": (on.px(a) + on.px(b)) / 2, "py": 12.0, "text": text} for a, b, text in wide],
            on,
            "band-text",
            align="center",
        ),
    ]


def nothing(picture: Picture, marks: pl.DataFrame, on: Plane) -> list[alt.Chart]:
    """What can still be shown when no mark can: where the time goes."""
    if not marks.is_empty():
        return []
    longest = picture.marks.drop_nulls("time_share").sort("time_share", descending=True).head(5)
    left, top = on.width * 0.38, on.height * 0.5
    rows = [{"label": title(r, picture.by), "share": r["time_share"]} for r in longest.iter_rows(named=True)]
    bars = [
        roofs.span(
            on.x_at(left), on.y_at(top + 26 * i + 8), on.x_at(left + max(2.0, 260 * r["share"])), on.y_at(top + 26 * i + 12)
        )
        for i, r in enumerate(rows)
    ]
    said = [
        {"px": left, "py": top + 26 * i, "text": f"{r['label']}  {percent(r['share'])} of the time"} for i, r in enumerate(rows)
    ]
    head = [{"px": left, "py": top - 24, "text": "Where the time goes, which this capture does tell:" if rows else ""}]
    x, y = roofs.axes(on)
    frame = pl.DataFrame(bars, schema=roofs.SPAN)
    return [
        roofs.texts_at(head + said, on, "label"),
        alt.Chart(frame).mark_rect(style="bar").encode(x, y, x2="x2:Q", y2="y2:Q"),
    ]


def foot(picture: Picture, marks: pl.DataFrame, on: Plane) -> list[alt.Chart]:
    """How to read the marks, and what the numbers stand on."""
    below = int((marks["y"] <= on.y[0] * 1.16).sum())
    lines = [*words.key(picture, below), *words.basis(picture)]
    if on.narrow:
        lines = [part for line in lines for part in textwrap.wrap(line, PHONE, break_on_hyphens=False)]
    said = alt.Chart(pl.DataFrame({"text": [BREAK.join(lines)]}))
    look = said.mark_text(style="footer", align="left", baseline="top", clip=False, lineBreak=BREAK, lineHeight=16)
    return [look.encode(text="text:N", x=alt.value(0), y=alt.value(on.height + 52))]
