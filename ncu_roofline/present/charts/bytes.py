"""Where the bytes go: one stacked bar of all roles, one bar per role, the floor as a line in each."""

from __future__ import annotations

import altair as alt
import polars as pl

from ncu_roofline.analysis.run.role_bytes import Along, RoleBytes
from ncu_roofline.capture.units import three
from ncu_roofline.present.charts.theme import COLOUR, NAMES, in_unit, occurring
from ncu_roofline.present.documents.grammar import capital
from ncu_roofline.present.forms.columns import FAMILY_NAMES, percent

MOST = 9
"""Bars of single roles; the smallest beyond it are one bar together."""
WIDTH, NARROW, ROW = 620, 280, 26
HEIGHT = 240
ALL = "all roles"
SCHEMA = {
    "role": pl.String,
    "bar": pl.String,
    "family": pl.String,
    "start": pl.Float64,
    "end": pl.Float64,
    "text": pl.String,
    "floor": pl.Float64,
}


def draw(found: RoleBytes, title: str = "", width: int = WIDTH) -> alt.LayerChart:
    """The chart of bytes by role; an empty one says so in its title."""
    bars, ends = bars_and_ends(found)
    order = ends["bar"].to_list()
    most = max([*ends["end"], *ends["floor"].drop_nulls(), 1.0])
    y = alt.Y("bar:N").sort(order).scale(domain=order).title(None).axis(ticks=False, domain=False, labelPadding=6)
    x = (
        alt.X("start:Q")
        .scale(domain=[0, most * (1.25 if width == WIDTH else 1.65)], nice=False)
        .title(f"DRAM bytes per {found.basis}" if found.basis != "capture" else "DRAM bytes in the capture")
    )
    # a legend without entries has no finite size
    legend = (
        alt.Legend(title=None, orient="top", values=occurring(bars["family"]), symbolType="square") if bars.height else None
    )
    tips = [alt.Tooltip("role:N"), alt.Tooltip("text:N", title="DRAM")]
    bar = (
        alt.Chart(bars)
        .mark_bar(height=ROW * 0.6)
        .encode(
            x.axis(format="~s", tickCount=5 if width == WIDTH else 3, labelExpr=in_unit("B")),
            y,
            x2="end:Q",
            color=COLOUR.legend(legend),
            tooltip=tips,
        )
    )
    words = (
        alt.Chart(ends).mark_text(style="label", align="left", dx=6, baseline="middle").encode(alt.X("end:Q"), y, text="text:N")
    )
    floor = (
        alt.Chart(ends.drop_nulls("floor"))
        .mark_tick(style="theory", thickness=2.5, height=ROW * 0.85)
        .encode(alt.X("floor:Q"), y)
    )
    return alt.layer(bar, words, floor).properties(
        width=width, height=ROW * max(len(order), 1), title=heading(found, title or role_title(found))
    )


OUTSIDE = "outside"
"""Name of what belongs to no layer: embedding, LM head, sampling."""


def along(found: Along, width: int = WIDTH) -> alt.LayerChart:
    """Stacked bars of roles, one per step or layer, the total above each."""
    named_rows = found.rows.with_columns(
        bar=pl.col("place").cast(pl.String).fill_null(OUTSIDE),
        family=pl.col("family").replace(FAMILY_NAMES),
        text=pl.Series([three(v, "byte") for v in found.rows["bytes"]], dtype=pl.String),
        order=pl.col("family").replace_strict({f: i for i, f in enumerate(FAMILY_NAMES)}, default=2, return_dtype=pl.Int64),
    )
    bars = named_rows.select("bar", "role", "family", "text", "order", pl.col("bytes").round_sig_figs(5))
    bars = bars.with_columns(family=pl.when(pl.col("family").is_in(NAMES)).then("family").otherwise(pl.lit("other")))
    order = list(dict.fromkeys(bars["bar"]))
    totals = bars.group_by("bar", maintain_order=True).agg(pl.col("bytes").sum())
    totals = totals.with_columns(text=pl.Series([three(v, "byte") for v in totals["bytes"]], dtype=pl.String))
    x = alt.X("bar:N").sort(order).scale(domain=order).title(found.places).axis(labelAngle=0, ticks=False, labelOverlap=True)
    y = alt.Y("bytes:Q").title(f"DRAM bytes per {found.basis}" if found.basis == "token" else "DRAM bytes")
    legend = (
        alt.Legend(title=None, orient="top", values=occurring(bars["family"]), symbolType="square") if bars.height else None
    )
    tips = [alt.Tooltip("bar:N", title=found.places), alt.Tooltip("role:N"), alt.Tooltip("text:N", title="DRAM")]
    bar = (
        alt.Chart(bars)
        .mark_bar()
        .encode(
            x,
            y.stack("zero").axis(format="~s", tickCount=5, labelExpr=in_unit("B")),
            color=COLOUR.legend(legend),
            order="order:Q",
            tooltip=tips,
        )
    )
    few = len(order) * (64 if width == WIDTH else 48) <= width
    words = (
        alt.Chart(totals if few else totals.head(0)).mark_text(style="label", dy=-7).encode(x, alt.Y("bytes:Q"), text="text:N")
    )
    return alt.layer(bar, words).properties(width=width, height=HEIGHT, title=alt.Title(along_title(found)))


OF = {"token": "bytes per token", "step": "bytes per step"}


def role_title(found: RoleBytes) -> str:
    """The finding: the role that moves most, and its share.

    >>> role_title(RoleBytes(rows=pl.DataFrame({"role": ["fc"], "share": [0.909]}), basis="token"))
    'FC moves 91 % of the bytes per token'
    """
    of = OF.get(found.basis, "bytes")
    if found.rows.is_empty():
        return f"Where the {of} go"
    return f"{capital(named(found.rows['role'][0]))} moves {100 * found.rows['share'][0]:.0f} % of the {of}"


def along_title(found: Along) -> str:
    """The finding: what a step or layer moves at least and at most, and what is outside of layers."""
    of = OF.get(found.basis, "bytes")
    each = found.rows.group_by("place").agg(pl.col("bytes").sum())
    inside = [float(moved) for moved in each.drop_nulls("place")["bytes"]]
    outside = float(each.filter(pl.col("place").is_null())["bytes"].sum())
    if not inside:
        return f"{capital(of)}, {found.places} by {found.places}"
    low, high = (three(v, "byte") for v in (min(inside), max(inside)))
    beside = f", {three(outside, 'byte')} {OUTSIDE} of layers" if outside else ""
    span = low if low == high else f"{low} to {high}"
    return f"A {found.places} moves {span}{' per token' * (found.basis == 'token')}{beside}"


def heading(found: RoleBytes, title: str) -> alt.Title:
    """The title, and what the lines are."""
    lines = ["No DRAM bytes are known of any role."] if found.rows.is_empty() else []
    if found.rows["floor"].drop_nulls().len():
        lines.append("Upright line: the least that the model has to move.")
    return alt.Title(title, subtitle=lines)


def bars_and_ends(found: RoleBytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars with start and end, and one row per bar with the words at its end and its floor."""
    kept = MOST if found.rows.height > MOST + 1 else MOST + 1  # one row is not worth a bar called "1 more roles"
    told = [
        (named(r["role"]), FAMILY_NAMES[r["family"]], r["bytes"], r["share"], r["floor"])
        for r in found.rows.head(kept).iter_rows(named=True)
    ]
    rest = found.rows.slice(kept)
    if rest.height:
        told.append((f"{rest.height} more roles", "other", rest["bytes"].sum(), rest["share"].sum(), None))
    single = [
        (role, role, family, 0.0, size, f"{three(size, 'byte')}, {percent(share)}", least)
        for role, family, size, share, least in told
    ]
    total, stacked = 0.0, []
    for role, family, size, share, _ in told:
        stacked.append((role, ALL, family, total, total + size, f"{three(size, 'byte')}, {percent(share)}", None))
        total += size
    least = [f for *_, f in told if f is not None]
    amount = three(total, "byte") if told else "unknown"
    whole = [(ALL, ALL, "other", 0.0, total, amount, sum(least) if least else None)]
    return frame([*stacked, *single]), frame([*whole, *single])


def named(role: str | None) -> str:
    """A role as people write it."""
    return FAMILY_NAMES.get(role, role) if role else "unknown role"


def frame(told: list[tuple[object, ...]]) -> pl.DataFrame:
    """Rows as a frame, five digits each."""
    return pl.DataFrame(told, schema=SCHEMA, orient="row").with_columns(pl.col(pl.Float64).round_sig_figs(5))
