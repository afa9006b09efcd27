"""Before and after: bytes per token by role as a waterfall, and kernels' way across the roofline."""

from __future__ import annotations

import altair as alt
import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.capture.units import text as quantity
from ncu_roofline.present.charts.theme import FAMILY_NAMES
from ncu_roofline.present.documents.grammar import invented
from ncu_roofline.present.documents.words_compare import TITLES, signed
from ncu_roofline.present.forms.plane import ticks
from ncu_roofline.present.forms.short import brief
from ncu_roofline.present.forms.text import clean

WIDTH, HEIGHT, ROW = 600, 360, 26
MOST_ROLES, MOST_KERNELS = 8, 8
WORTH = 0.001
"""Roles that changed by less than this part of all bytes are one bar together."""
KINDS = ("whole", "less", "more")
COLOURS = ("#8b949e", "#0072B2", "#D55E00")
"""Grey for wholes; blue and vermilion of Okabe and Ito, which stay apart without full colour vision."""
BARS = {"place": pl.String, "start": pl.Float64, "end": pl.Float64, "kind": pl.String, "text": pl.String}


def waterfall(comparison: Comparison) -> alt.LayerChart:
    """From the bytes of the base, role by role, to the bytes of the head."""
    bars = steps(comparison)
    order = bars["place"].to_list()
    most = max([*bars["start"], *bars["end"], 1.0])
    y = alt.Y("place:N").sort(order).scale(domain=order).title(None).axis(ticks=False, domain=False, labelPadding=6)
    x = alt.X("start:Q").scale(domain=[0, most * 1.3], nice=False).axis(format="~s", tickCount=5)
    colour = alt.Color("kind:N").scale(domain=list(KINDS), range=list(COLOURS)).legend(None)
    tips = [alt.Tooltip("place:N", title="role"), alt.Tooltip("text:N", title="DRAM")]
    bar = (
        alt.Chart(bars)
        .mark_bar(height=ROW * 0.6)
        .encode(x.title(f"DRAM bytes per {comparison.per}"), y, x2="end:Q", color=colour, tooltip=tips)
    )
    ends = bars.with_columns(right=pl.max_horizontal("start", "end"))
    words = (
        alt.Chart(ends)
        .mark_text(style="label", align="left", dx=6, baseline="middle")
        .encode(alt.X("right:Q"), y, text="text:N")
    )
    return alt.layer(bar, words).properties(
        width=WIDTH, height=ROW * max(len(order), 1), title=heading(comparison, "Where the bytes changed")
    )


def steps(comparison: Comparison) -> pl.DataFrame:
    """The bars: base, the roles that changed most, all others, head."""
    change = pl.col("head_bytes").fill_null(0.0) - pl.col("base_bytes").fill_null(0.0)
    roles = comparison.rows["role"].with_columns(delta=change).sort(pl.col("delta").abs(), descending=True)
    before, after = (float(roles[f"{side}_bytes"].fill_null(0.0).sum()) for side in ("base", "head"))
    worth = pl.col("delta").abs() > WORTH * max(before, after)
    told = [(r["role"], r["delta"]) for r in roles.filter(worth).head(MOST_ROLES).to_dicts()]
    rest = after - before - sum(d for _, d in told)
    found: list[tuple[str, float, float, str, str]] = [("base", 0.0, before, "whole", quantity(before, "byte"))]
    at = before
    for role, delta in [*told, *([("other roles", rest)] if abs(rest) > 1e-9 * max(before, after) else [])]:
        word = ("+" if delta > 0 else "-") + quantity(abs(delta), "byte")
        found.append((role, at, at + delta, "more" if delta > 0 else "less", word))
        at += delta
    percent = f" ({signed(after / before - 1)})" if before else ""
    found.append(("head", 0.0, after, "whole", quantity(after, "byte") + percent))
    return pl.DataFrame(found, schema=BARS, orient="row").with_columns(pl.col(pl.Float64).round_sig_figs(5))


def heading(comparison: Comparison, title: str) -> alt.Title:
    """The title with the verdict under it, and whether no GPU measured it."""
    sides = (comparison.base, comparison.head)
    made_up = invented([s.run for side in sides for s in side.studies])
    caveat = ", not comparable" if comparison.anyway and comparison.blocking else ""
    return alt.Title(
        title,
        subtitle=[
            f"{TITLES[comparison.verdict]}{caveat}: bytes {signed(comparison.judged.bytes.part)}, "
            f"time {signed(comparison.judged.seconds.part)}",
            *made_up,
        ],
    )


def roofline(comparison: Comparison) -> alt.LayerChart:
    """Kernels from their old place, hollow, to their new one, solid, under the roof of the head's device."""
    ways = arrows(comparison)
    if ways.is_empty():
        nothing = (
            alt.Chart(pl.DataFrame({"text": ["No kernel has bytes, FLOPs and time on both sides."]}))
            .mark_text(style="label")
            .encode(text="text:N")
        )
        return alt.layer(nothing).properties(
            width=WIDTH, height=HEIGHT, title=heading(comparison, "Before and after on the roofline")
        )
    ridge, bandwidth = roof(comparison)
    x, y = axes(ways, ridge, bandwidth)
    base = alt.Chart(ways)
    families = (
        alt.Color("family:N")
        .scale(domain=list(FAMILY_NAMES.values()))
        .legend(alt.Legend(title=None, orient="top", values=sorted(set(ways["family"]))))
    )
    size = alt.Size("share:Q").scale(range=[40, 420], domain=[0, 1]).legend(None)
    tips = [
        alt.Tooltip(c, title=t) for c, t in (("name:N", "kernel"), ("what:N", "is"), ("old:N", "before"), ("new:N", "after"))
    ]
    line = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(x, y, x2="x2:Q", y2="y2:Q", color=families)
    old = base.mark_point(filled=False, strokeWidth=1.8).encode(x, y, size=size, color=families, tooltip=tips)
    new = base.mark_point(filled=True, opacity=1).encode(alt.X("x2:Q"), alt.Y("y2:Q"), size=size, color=families, tooltip=tips)
    words = base.mark_text(style="label", align="left", dx=10, dy=9).encode(alt.X("x2:Q"), alt.Y("y2:Q"), text="label:N")
    note = heading(comparison, "Before and after on the roofline")
    note["subtitle"] = [*note["subtitle"], f"Hollow: before; solid: after; {measure(ways)}; size: share of the bytes."]
    return alt.layer(*ceiling(ridge, bandwidth, ways), line, old, new, words).properties(width=WIDTH, height=HEIGHT, title=note)


def measure(ways: pl.DataFrame) -> str:
    """What the places stand on."""
    return "useful work" if ways["useful"].all() else "executed work, which counts whole tiles"


def arrows(comparison: Comparison) -> pl.DataFrame:
    """One row per pair of kernels that has a place on both sides, those with most bytes first."""
    kernels = comparison.rows["kernel"]
    useful = bool(
        kernels.filter((pl.col("base_flops") > 0) & (pl.col("role").is_in(["fc", "attention"])))
        .select((pl.col("base_useful_flops").is_not_null() & pl.col("head_useful_flops").is_not_null()).all())
        .item()
    )
    work = "useful_flops" if useful else "flops"
    moved = pl.col("base_bytes") + pl.col("head_bytes")
    placed = kernels.with_columns(
        x=pl.col(f"base_{work}") / pl.col("base_bytes"),
        y=pl.col(f"base_{work}") / pl.col("base_seconds"),
        x2=pl.col(f"head_{work}") / pl.col("head_bytes"),
        y2=pl.col(f"head_{work}") / pl.col("head_seconds"),
        share=moved / moved.sum(),
    )
    known = placed.filter(pl.all_horizontal((pl.col(c) > 0) & pl.col(c).is_finite() for c in ("x", "y", "x2", "y2")))
    largest = known.sort("share", descending=True).head(MOST_KERNELS)
    families = [FAMILY_NAMES.get(r, "other") for r in largest["role"]]
    first = [families.index(f) == n for n, f in enumerate(families)]
    called = [brief(str(r["head_kernel"]), str(r["head_name"])) for r in largest.iter_rows(named=True)]
    names = [name if told else "" for name, told in zip(called, first, strict=True)]
    return largest.select(
        pl.Series("name", [clean(str(n)) for n in largest["head_kernel"]], dtype=pl.String),
        pl.Series("family", families, dtype=pl.String),
        pl.Series("label", names, dtype=pl.String),
        pl.col("what").cast(pl.String),
        "x",
        "y",
        "x2",
        "y2",
        "share",
        pl.lit(useful).alias("useful"),
        pl.format("{} FLOP/byte", pl.col("x").round_sig_figs(3)).alias("old"),
        pl.format("{} FLOP/byte", pl.col("x2").round_sig_figs(3)).alias("new"),
    ).with_columns(pl.col(pl.Float64).round_sig_figs(5))


def roof(comparison: Comparison) -> tuple[float | None, float | None]:
    """Highest ridge and the bandwidth of the head's device; null where it is not known."""
    launches = comparison.head.studies[0].launches
    columns = [c for c in ("bandwidth_at_clock", "bandwidth") if c in launches.columns]
    bandwidth = launches.select(pl.coalesce(columns).max()).item() if columns else None
    ridge = launches.filter(pl.col("family").cast(pl.String) == "fc")["ridge"].max()
    return (float(ridge) if ridge is not None else None, float(bandwidth) if bandwidth is not None else None)  # type: ignore[arg-type]


def axes(ways: pl.DataFrame, ridge: float | None, bandwidth: float | None) -> tuple[alt.X, alt.Y]:
    """Logarithmic axes around all places and the ridge."""
    xs = [*ways["x"], *ways["x2"], *([ridge] if ridge else [])]
    ys = [*ways["y"], *ways["y2"], *([ridge * bandwidth] if ridge and bandwidth else [])]
    left, right, low, high = min(xs) / 2, max(xs) * 3, min(ys) / 3, max(ys) * 2.5
    x = (
        alt.X("x:Q")
        .scale(type="log", domain=[left, right], nice=False)
        .title("arithmetic intensity (FLOP per byte of DRAM traffic)")
    )
    y = alt.Y("y:Q").scale(type="log", domain=[low, high], nice=False).title("work per second (FLOP/s)")
    return x.axis(values=ticks((left, right)), format="~g"), y.axis(values=ticks((low, high)), format="~s")


def ceiling(ridge: float | None, bandwidth: float | None, ways: pl.DataFrame) -> list[alt.Chart]:
    """Both roofs and the ridge; nothing where the device is not known."""
    if ridge is None or bandwidth is None:
        return []
    left = min(*ways["x"], *ways["x2"], ridge) / 2
    corners = pl.DataFrame(
        {"x": [left, ridge, 3 * ridge], "y": [left * bandwidth, ridge * bandwidth, ridge * bandwidth], "order": [0, 1, 2]}
    )
    top = pl.DataFrame({"x": [ridge], "y": [ridge * bandwidth], "label": [f"ridge {ridge:.0f}"]})
    line = alt.Chart(corners).mark_line(style="capture", clip=True).encode(alt.X("x:Q"), alt.Y("y:Q"), order="order:Q")
    word = alt.Chart(top).mark_text(style="roof-text", dy=-8).encode(alt.X("x:Q"), alt.Y("y:Q"), text="label:N")
    return [line, alt.Chart(top).mark_rule(style="drop").encode(alt.X("x:Q")), word]
