"""The laws over the batch: useful FLOP/byte of FC and attention as measured, theory through the points, the ridge above."""

from __future__ import annotations

from math import log10
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.sweep.sweep import Sweep
from ncu_roofline.present.charts import sweep as on_roofline
from ncu_roofline.present.charts.theme import COLOUR, SHAPE, occurring
from ncu_roofline.present.forms.columns import FAMILY_NAMES
from ncu_roofline.present.forms.plane import ticks

WIDTH, HEIGHT = 620, 360
POINTS = {"batch": pl.Float64, "intensity": pl.Float64, "family": pl.String, "label": pl.String}
LINES = {"batch": pl.Float64, "intensity": pl.Float64, "family": pl.String}


def of(found: Sweep) -> alt.LayerChart:
    """The laws for a sweep over the batch, the way across the roofline for any other."""
    over = found.along == "batch" and found.numeric and not points(found).is_empty()
    return draw(found) if over else on_roofline.draw(found)


def draw(found: Sweep) -> alt.LayerChart:
    """Points as measured, lines as the formulas say, a line for the ridge."""
    marks = points(found)
    if marks.is_empty():
        return on_roofline.draw(found)
    x, y = axes(found, marks)
    legend = alt.Legend(title=None, orient="top", values=occurring(marks["family"]))
    colour, shape = COLOUR.legend(legend), SHAPE.legend(legend)
    ends = [float(marks["batch"].min()) / 1.3, float(marks["batch"].max()) * 1.3]  # type: ignore[arg-type]
    theory, ridge = lines(found, ends), ridges(found, ends)
    said = theory.group_by("family", maintain_order=True).last().with_columns(text=pl.Series(words(found, theory)))
    return alt.layer(
        alt.Chart(ridge).mark_line(style="capture").encode(x, y),
        alt.Chart(ridge.tail(1))
        .mark_text(style="roof-text", align="right", dy=-9)
        .encode(x, y, text=alt.value(f"ridge {ridge['intensity'][0]:.0f}" if ridge.height else "")),
        alt.Chart(theory).mark_line(strokeWidth=1.6, strokeDash=[6, 3], opacity=0.8).encode(x, y, color=colour),
        alt.Chart(said).mark_text(style="label", align="right", dy=-11).encode(x, y, text="text:N"),
        alt.Chart(marks).mark_point(filled=True, size=110, opacity=1).encode(x, y, color=colour, shape=shape, tooltip=tips()),
        alt.Chart(labels(marks)).mark_text(style="label", baseline="top", dy=10).encode(x, y, text="label:N"),
    ).properties(width=WIDTH, height=HEIGHT, title=heading(found))


def tips() -> list[alt.Tooltip]:
    """What a point tells."""
    return [alt.Tooltip("family:N"), alt.Tooltip("batch:Q"), alt.Tooltip("label:N", title="FLOP/byte")]


def points(found: Sweep) -> pl.DataFrame:
    """One row per family and batch: as useful work where known, else as executed."""
    columns = {"fc": f"fc_{found.fc_measure}_intensity", "attention": f"attention_{found.attention_measure}_intensity"}
    rows: list[tuple[Any, ...]] = [
        (float(batch), value, FAMILY_NAMES[family], f"{value:.3g}")
        for family, column in columns.items()
        for batch, value in found.rows.select("along", column).iter_rows()
        if isinstance(batch, int | float) and batch > 0 and value
    ]
    return pl.DataFrame(rows, schema=POINTS, orient="row").with_columns(pl.col(pl.Float64).round_sig_figs(5))


def labels(marks: pl.DataFrame) -> pl.DataFrame:
    """One text for each family and batch, below its lowest point: the values of several captures as a span."""
    ends = marks.group_by("family", "batch", maintain_order=True).agg(intensity=pl.min("intensity"), high=pl.max("intensity"))
    spans = [" to ".join(dict.fromkeys(f"{v:.3g}" for v in pair)) for pair in ends.select("intensity", "high").iter_rows()]
    return ends.select("batch", "intensity", label=pl.Series(spans, dtype=pl.String))


def lines(found: Sweep, ends: list[float]) -> pl.DataFrame:
    """Both laws from the least to the largest batch; none where its type is not known."""
    slope, flat = found.fc_expected, found.attention_expected
    rows = [(b, slope * b, FAMILY_NAMES["fc"]) for b in ends] if slope else []
    rows += [(b, flat, FAMILY_NAMES["attention"]) for b in ends] if flat else []
    return pl.DataFrame(rows, schema=LINES, orient="row").with_columns(pl.col(pl.Float64).round_sig_figs(5))


def words(found: Sweep, theory: pl.DataFrame) -> list[str]:
    """What each line is."""
    known = {
        FAMILY_NAMES["fc"]: f"theory: {found.fc_expected or 0:.3g} × batch",
        FAMILY_NAMES["attention"]: f"theory: {found.attention_expected or 0:.3g}, whatever the batch",
    }
    return [known[name] for name in theory["family"].unique(maintain_order=True)]


def ridges(found: Sweep, ends: list[float]) -> pl.DataFrame:
    """The highest ridge as a level line; empty where the device is not known."""
    ridge = found.rows["ridge"].drop_nulls().max()
    rows = [(b, float(ridge), "") for b in ends] if ridge else []  # type: ignore[arg-type]
    return pl.DataFrame(rows, schema=LINES, orient="row").with_columns(pl.col(pl.Float64).round_sig_figs(5))


def axes(found: Sweep, marks: pl.DataFrame) -> tuple[alt.X, alt.Y]:
    """Two log axes: the batches that were measured, and FLOP per byte up to the ridge."""
    batches = sorted(set(marks["batch"]))
    tops = [
        *marks["intensity"],
        *found.rows["ridge"].drop_nulls(),
        *([found.attention_expected] if found.attention_expected else []),
    ]
    low, high = min(tops) / 2.2, max(tops) * 1.9
    x = alt.X("batch:Q").scale(type="log", domain=[batches[0] / 1.35, batches[-1] * 1.35], nice=False)
    y = alt.Y("intensity:Q").scale(type="log", domain=[low, high], nice=False).title("FLOP per byte of DRAM traffic")
    inside = [t for d in ticks((low / 10, high)) for t in (d, 2 * d, 5 * d) if low <= t <= high]
    every = inside if log10(high / low) < 2.5 else ticks((low, high))
    return x.title("batch: sequences per step").axis(values=batches, format="~g"), y.axis(values=every, format="~g")


def heading(found: Sweep) -> alt.Title:
    """The finding as the title, in sentences under it."""
    told = on_roofline.heading(found)
    return alt.Title(on_roofline.title(found), subtitle=[*told["subtitle"], "Points: measured. Dashed: theory."])
