"""The sweep on the roofline: one line for FC, climbing, one for attention, staying."""

from __future__ import annotations

import textwrap
from math import ceil, floor, log10

import altair as alt
import polars as pl

from ncu_roofline.analysis.sweep.sweep import Sweep
from ncu_roofline.present.charts.theme import COLOUR, SHAPE
from ncu_roofline.present.documents.grammar import invented
from ncu_roofline.present.documents.sweep import answer, crossing, families, place

WIDTH, HEIGHT = 620, 380
LINE = 100
"""Characters of a line under the title."""


def draw(sweep: Sweep) -> alt.LayerChart:
    """FC and attention against their ridge, one mark per capture, joined in the order of the sweep.

    Captures that hold other launches of a family each are not of one line.
    """
    marks = trajectories(sweep)
    if marks.is_empty():
        empty = (
            alt.Chart(pl.DataFrame({"text": ["No intensity is known of these captures."]}))
            .mark_text(style="label")
            .encode(text="text:N")
        )
        return alt.layer(empty).properties(width=WIDTH, height=HEIGHT, title=heading(sweep))
    x, y = axes(marks)
    colour = COLOUR.legend(alt.Legend(title=None, orient="top", values=["FC", "attention"]))
    shape = SHAPE.legend(None)
    tips = [
        alt.Tooltip("family:N"),
        alt.Tooltip("place:N", title=sweep.along),
        alt.Tooltip("intensity:Q", format=".3s"),
        alt.Tooltip("rate:Q", format=".3s"),
    ]
    base = alt.Chart(marks)
    joined = marks.filter(~pl.col("family").str.to_lowercase().is_in(list(sweep.apart)))
    line = alt.Chart(joined).mark_line(strokeWidth=2, opacity=0.55).encode(x, y, colour, order="order:Q")
    point = base.mark_point(filled=True, size=110, opacity=1).encode(x, y, colour, shape, tooltip=tips)
    return alt.layer(*roofs(marks), line, point, *words(marks)).properties(width=WIDTH, height=HEIGHT, title=heading(sweep))


def words(marks: pl.DataFrame) -> list[alt.Chart]:
    """Labels of FC to the right of its marks, of attention to the left, where nothing of the other stands."""
    sides = (("FC", {"align": "left", "dx": 11, "dy": 6}), ("attention", {"align": "right", "dx": -11, "dy": 0}))
    return [
        alt.Chart(marks.filter(pl.col("family") == family))
        .mark_text(style="label", baseline="middle", **look)
        .encode(alt.X("intensity:Q"), alt.Y("label_rate:Q"), text="label:N")
        for family, look in sides
    ]


def trajectories(sweep: Sweep) -> pl.DataFrame:
    """One row per family and capture that has a place: intensity, FLOP/s, label."""
    families = (
        ("FC", "fc", f"fc_{sweep.fc_measure}_intensity"),
        ("attention", "attention", f"attention_{sweep.attention_measure}_intensity"),
    )
    frames = [
        sweep.rows.with_row_index("order").select(
            pl.col("order").cast(pl.Int64),
            pl.lit(name).alias("family"),
            pl.col("along").map_elements(place, return_dtype=pl.String).alias("place"),
            pl.col(column).cast(pl.Float64).alias("intensity"),
            pl.col("ridge", "roof").cast(pl.Float64),
            (pl.col(f"{key}_bytes") / pl.col(f"{key}_seconds")).alias("bandwidth"),
        )
        for name, key, column in families
    ]
    marks = pl.concat(frames).with_columns(rate=pl.col("intensity") * pl.col("bandwidth"))
    shown = marks.filter((pl.col("intensity") > 0) & (pl.col("rate") > 0) & pl.col("rate").is_finite())
    word = pl.format("{} {}", pl.lit(sweep.along), "place")
    roof = pl.coalesce("roof", pl.col("bandwidth").max())
    placed = shown.with_columns(label=word, roof=roof).with_columns(pl.col(pl.Float64).round_sig_figs(5))
    return placed.with_columns(apart(placed)) if placed.height else placed


def apart(marks: pl.DataFrame) -> pl.Series:
    """Heights of the labels: those of their marks, moved down where two of a family would cover each other."""
    step = 10 ** (log10(20 * float(marks["rate"].max()) / float(marks["rate"].min())) * 15 / HEIGHT)  # type: ignore[arg-type]
    heights, last = [0.0] * marks.height, dict[str, float]()
    for row in marks.with_row_index("row").sort("rate", descending=True).iter_rows(named=True):
        family = row["family"]
        heights[row["row"]] = last[family] = min(row["rate"], last.get(family, row["rate"] * step) / step)
    return pl.Series("label_rate", heights, dtype=pl.Float64)


def axes(marks: pl.DataFrame) -> tuple[alt.X, alt.Y]:
    """Logarithmic axes with room around the marks and the ridge."""
    ridge = float(marks["ridge"].drop_nulls().max() or marks["intensity"].max())  # type: ignore[arg-type]
    left, right = float(marks["intensity"].min()) / 2, 3 * max(ridge, float(marks["intensity"].max()))  # type: ignore[arg-type]
    low, high = float(marks["rate"].min()) / 2.5, 2.5 * max(float(marks["rate"].max()), ridge * float(marks["roof"].max()))  # type: ignore[arg-type]
    x = (
        alt.X("intensity:Q")
        .scale(type="log", domain=[left, right], nice=False)
        .title("FLOPs per byte of DRAM traffic")
        .axis(format="~g", values=decades(left, right))
    )
    y = (
        alt.Y("rate:Q")
        .scale(type="log", domain=[low, high], nice=False)
        .title("FLOP/s")
        .axis(format="~s", values=decades(low, high))
    )
    return x, y


def decades(low: float, high: float) -> list[float]:
    """The powers of ten in a range.

    >>> decades(3.0, 900.0)
    [10.0, 100.0]
    """
    return [10.0**power for power in range(ceil(log10(low)), floor(log10(high)) + 1)]


def roofs(marks: pl.DataFrame) -> list[alt.Chart]:
    """The device's bandwidth as a slope up to the ridge, and the ridge as an upright line."""
    ridge, best = marks["ridge"].drop_nulls().max(), float(marks["roof"].max())  # type: ignore[arg-type]
    if ridge is None:
        return []
    at, left = float(ridge), float(marks["intensity"].min()) / 2  # type: ignore[arg-type]
    slope = pl.DataFrame({"intensity": [left, at, 3 * at], "rate": [left * best, at * best, at * best], "order": [0, 1, 2]})
    top = pl.DataFrame({"intensity": [at], "rate": [at * best], "label": [f"ridge {at:.0f}"]})
    line = alt.Chart(slope).mark_line(style="capture").encode(alt.X("intensity:Q"), alt.Y("rate:Q"), order="order:Q")
    upright = alt.Chart(top).mark_rule(style="drop").encode(alt.X("intensity:Q"))
    word = alt.Chart(top).mark_text(style="roof-text", dy=-8).encode(alt.X("intensity:Q"), alt.Y("rate:Q"), text="label:N")
    return [line, upright, word]


def heading(sweep: Sweep) -> alt.Title:
    """What the sweep found, in sentences."""
    said = [*families(sweep), *crossing(sweep)] if sweep.numeric else list(answer(sweep))[:1]
    found = [*invented(sweep.runs), *said]
    return alt.Title(
        title(sweep), subtitle=[wrapped for s in found for wrapped in textwrap.wrap(s, LINE, break_on_hyphens=False)]
    )


CLIMBS, STAYS = 0.5, 0.2
"""Exponents from which a family climbs, and below which it stays."""


def title(sweep: Sweep) -> str:
    """The finding where there is one: FC climbs, attention stays."""
    climbs = sweep.fc is not None and sweep.fc.exponent > CLIMBS
    stays = sweep.attention is not None and abs(sweep.attention.exponent) < STAYS
    return f"FC climbs with the {sweep.along}, attention stays" if climbs and stays else f"FC and attention along {sweep.along}"
