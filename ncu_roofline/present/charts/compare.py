"""Before and after: bytes per token by role as a waterfall."""

from __future__ import annotations

import altair as alt
import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.capture.units import three
from ncu_roofline.present.charts.theme import in_unit
from ncu_roofline.present.documents.grammar import invented
from ncu_roofline.present.documents.words_compare import TITLES, signed
from ncu_roofline.present.forms.columns import FAMILY_NAMES

WIDTH, NARROW, ROW = 620, 270, 26
MOST_ROLES = 8
WORTH = 0.001
"""Roles that changed by less than this part of all bytes are one bar together."""
KINDS = ("whole", "less", "more")
COLOURS = ("#8b949e", "#0072B2", "#D55E00")
"""Grey for wholes; blue and vermilion of Okabe and Ito, which stay apart without full colour vision."""
BARS = {"place": pl.String, "start": pl.Float64, "end": pl.Float64, "kind": pl.String, "text": pl.String}


def waterfall(comparison: Comparison, *, width: int = WIDTH) -> alt.LayerChart:
    """From the bytes of the base, role by role, to the bytes of the head."""
    bars = steps(comparison)
    order = bars["place"].to_list()
    most = max([*bars["start"], *bars["end"], 1.0])
    y = alt.Y("place:N").sort(order).scale(domain=order).title(None).axis(ticks=False, domain=False, labelPadding=6)
    x = alt.X("start:Q").scale(domain=[0, most * (1.3 if width == WIDTH else 1.75)], nice=False)
    colour = alt.Color("kind:N").scale(domain=list(KINDS), range=list(COLOURS)).legend(None)
    tips = [alt.Tooltip("place:N", title="role"), alt.Tooltip("text:N", title="DRAM")]
    bar = (
        alt.Chart(bars)
        .mark_bar(height=ROW * 0.6)
        .encode(
            x.title(f"DRAM bytes per {comparison.per}").axis(
                format="~s", tickCount=5 if width == WIDTH else 3, labelExpr=in_unit("B")
            ),
            y,
            x2="end:Q",
            color=colour,
            tooltip=tips,
        )
    )
    ends = bars.with_columns(right=pl.max_horizontal("start", "end"))
    words = (
        alt.Chart(ends)
        .mark_text(style="label", align="left", dx=6, baseline="middle")
        .encode(alt.X("right:Q"), y, text="text:N")
    )
    return alt.layer(bar, words).properties(
        width=width,
        height=ROW * max(len(order), 1),
        title=heading(comparison, f"DRAM bytes per {comparison.per}, role by role"),
    )


def steps(comparison: Comparison) -> pl.DataFrame:
    """The bars: base, the roles that changed most, all others, head."""
    change = pl.col("head_bytes").fill_null(0.0) - pl.col("base_bytes").fill_null(0.0)
    roles = comparison.rows["role"].with_columns(delta=change).sort(pl.col("delta").abs(), descending=True)
    before, after = (float(roles[f"{side}_bytes"].fill_null(0.0).sum()) for side in ("base", "head"))
    worth = pl.col("delta").abs() > WORTH * max(before, after)
    told = [(r["role"], r["delta"]) for r in roles.filter(worth).head(MOST_ROLES).to_dicts()]
    rest = after - before - sum(d for _, d in told)
    found: list[tuple[str, float, float, str, str]] = [("base", 0.0, before, "whole", three(before, "byte"))]
    at = before
    for role, delta in [*told, *([("other roles", rest)] if abs(rest) > 1e-9 * max(before, after) else [])]:
        word = ("+" if delta > 0 else "-") + three(abs(delta), "byte")
        found.append((FAMILY_NAMES.get(role, role), at, at + delta, "more" if delta > 0 else "less", word))
        at += delta
    percent = f" ({signed(after / before - 1)})" if before else ""
    found.append(("head", 0.0, after, "whole", three(after, "byte") + percent))
    return pl.DataFrame(found, schema=BARS, orient="row").with_columns(pl.col(pl.Float64).round_sig_figs(5))


def heading(comparison: Comparison, *under: str) -> alt.Title:
    """The verdict as the title; under it what is shown, and whether no GPU measured it."""
    sides = (comparison.base, comparison.head)
    made_up = invented([s.run for side in sides for s in side.studies])
    caveat = ", not comparable" if comparison.anyway and comparison.blocking else ""
    found = (
        f"{TITLES[comparison.verdict]}{caveat}: bytes {signed(comparison.judged.bytes.part)}, "
        f"time {signed(comparison.judged.seconds.part)}"
    )
    return alt.Title(found, subtitle=[*under, *made_up])
