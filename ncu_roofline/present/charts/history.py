"""The history of a fleet: each series over its commits, with its band, and a mark where a role changed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.compare.sides import per
from ncu_roofline.analysis.fleet.history import Story
from ncu_roofline.analysis.fleet.series import METRICS
from ncu_roofline.present.charts.theme import in_unit
from ncu_roofline.present.documents.grammar import capital
from ncu_roofline.present.documents.history import name_of, role, sentence_of_changes, sentence_of_last, setting, size
from ncu_roofline.present.forms.text import clean

WIDTH, HEIGHT = 720, 190
MOST_SERIES, MOST_LABELS = 4, 3
TITLES = {"bytes": "DRAM bytes", "read_bytes": "DRAM bytes read", "seconds": "time", "flops": "FLOPs"}
UNITS = {"byte": "B", "s": "s", "FLOP": "FLOP"}
FEW = 10
"""Points that each have a tick of their own."""


def draw(stories: Sequence[Story]) -> alt.VConcatChart:
    """One panel a series and metric, the longest series first."""
    return alt.vconcat(*(panel(told, m, m == told.metrics[0]) for told in stories[:MOST_SERIES] for m in told.metrics))


def panel(told: Story, metric: str, first: bool) -> alt.LayerChart:
    """One metric of one series: points, the level with its band, and the change points with commit and role."""
    rows = marks(told, metric)
    least, most = (float(v or 0.0) for v in rows.select(pl.min("least"), pl.max("most")).row(0))
    room = (most - least or most or 1.0) * 0.12
    x = (
        alt.X("point:Q")
        .title("commits in order")
        .scale(domain=[0, max(told.series.points.height - 1, 1)], nice=False)
        .axis(format="d", grid=False, **whole(told.series.points.height))
    )
    y = (
        alt.Y("value:Q")
        .title(f"{TITLES[METRICS[metric][0]]} per {per(told.basis)}")
        .scale(domain=[max(least - room, 0.0), most + 3 * room], zero=False, nice=False)
        .axis(format="~s", tickCount=5, labelExpr=in_unit(UNITS[METRICS[metric][1]]))
    )
    tips = [alt.Tooltip("commit:N"), alt.Tooltip("when:N"), alt.Tooltip("value:Q", format=".4s"), alt.Tooltip("captures:Q")]
    levelled = rows.drop_nulls("level")
    band = alt.Chart(levelled).mark_area(style="history-band").encode(x, alt.Y("low:Q"), y2="high:Q", detail="part:N")
    level = alt.Chart(levelled).mark_line(style="capture").encode(x, alt.Y("level:Q"), detail="part:N")
    dots = alt.Chart(rows.drop_nulls("value")).mark_circle(size=16, opacity=0.75).encode(x, y, tooltip=tips)
    found = (sentence_of_last(told), sentence_of_changes(told)) if first else ()
    said = [wrapped for s in found for wrapped in textwrap.wrap(clean(capital(s)), 94, break_on_hyphens=False)]
    heading = alt.Title(clean(setting(told.series.workload)) if first else "", subtitle=said)
    return alt.layer(band, level, dots, *upright(told, metric, most + room)).properties(
        width=WIDTH, height=HEIGHT, title=heading
    )


def whole(points: int) -> dict[str, Any]:
    """Ticks at whole numbers alone."""
    return {"values": list(range(points))} if points <= FEW else {"tickMinStep": 1}


def marks(told: Story, metric: str) -> pl.DataFrame:
    """A row a point: its value, level and band, and the part between two change points that it lies in."""
    breaks = sorted({c.point for c in told.changes if c.metric == metric})
    commits = pl.Series([clean(c) if c else None for c in told.series.points["commit"]], dtype=pl.String)
    about = told.series.points.select("point", "captures", pl.col("when").dt.strftime("%Y-%m-%d %H:%M"), commit=commits)
    part = pl.sum_horizontal(pl.lit(0), *((pl.col("point") >= b).cast(pl.Int64) for b in breaks))
    return about.join(told.trends[metric], on="point", how="left", maintain_order="left").with_columns(
        part=part, least=pl.min_horizontal("value", "low"), most=pl.max_horizontal("value", "high")
    )


def upright(told: Story, metric: str, top: float) -> list[alt.Chart]:
    """A line at every change point, with its commit and what changed there."""
    found = sorted((c for c in told.changes if c.metric == metric), key=lambda c: c.point)
    if not found:
        return []
    rows = []
    for point, several in groupby(found, key=lambda c: c.point):
        each = list(several)
        more = f", {len(each) - MOST_LABELS} more" if len(each) > MOST_LABELS else ""
        what = ", ".join(f"{role(c)} {size(c)}" for c in each[:MOST_LABELS]) + more
        rows.append({"point": point, "label": clean(f"{name_of(each[0].commit)}: {what}"), "value": top})
    late = told.series.points.height * 0.6
    rule = alt.Chart(pl.DataFrame(rows)).mark_rule(style="flag").encode(alt.X("point:Q"))
    words = [
        alt.Chart(pl.DataFrame(some))
        .mark_text(style="label", **look)
        .encode(alt.X("point:Q"), alt.Y("value:Q"), text="label:N")
        for some, look in (
            ([r for r in rows if r["point"] < late], {"align": "left", "dx": 5}),
            ([r for r in rows if r["point"] >= late], {"align": "right", "dx": -5}),
        )
        if some
    ]
    return [rule, *words]
