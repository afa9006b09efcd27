"""A projection as a document: labelled so everywhere, a range in place of a point, every assumption listed."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ncu_roofline.analysis.project.project import Projection
from ncu_roofline.capture.units import number, text
from ncu_roofline.present.forms.columns import MISSING, percent
from ncu_roofline.present.forms.document import Document, Table


def document(projection: Projection, against: Mapping[str, float] | None = None, name: str = "") -> Document:
    """Everything there is to say of a projection, and its error where a capture tells it."""
    target = {
        "gpu": projection.target.gpu.name if projection.target.gpu else None,
        "weights": projection.target.weights,
        "kv": projection.target.kv,
        "batch": projection.target.batch,
        "tp": projection.target.tp,
    }
    return Document(
        answer=(*answer(projection), *projection.notes, *error_words(against, name)),
        tables=(table(projection),),
        doubts=tuple(f"Assumed: {a}" for a in projection.assumptions),
        data={
            "kind": "projection",
            "target": target,
            "device": projection.device,
            "basis": projection.basis,
            "total": projection.total,
            "speedup": {"low": projection.speedup[0], "high": projection.speedup[1]},
            "latency_share": projection.latency_share,
            "against": dict(against) if against else None,
            "assumptions": list(projection.assumptions),
            "rows": projection.rows,
        },
    )


def answer(projection: Projection) -> tuple[str, ...]:
    """Time first, then bytes, then what is kept."""
    per, total = "token" if projection.basis == "part" else projection.basis, projection.total
    where = ", ".join(words(projection)) or "the same run"
    times = span(total["seconds_low"], total["seconds_high"], "s")
    faster = span(*projection.speedup, "")
    first = (
        f"Projection, not a measurement: on {projection.device} ({where}) {times} per {per} instead of "
        f"{text(total['seconds'], 's')}: {faster} times as fast."
    )
    share = projection.latency_share
    kept = (
        (f"{percent(share)} of the time is in latency-bound kernels, which take as long per step as before.",) if share else ()
    )
    return (first, moves(total, per), *kept)


def moves(total: Mapping[str, float | None], per: str) -> str:
    """The bytes it would move, or that nobody measured them."""
    if total["bytes"] is None:
        return "DRAM bytes were not measured: the time is scaled as if bytes alone decided."
    now, then = text(total["bytes"], "byte"), span(total["bytes_low"], total["bytes_high"], "byte")
    return (
        f"DRAM bytes per {per} stay at {now}." if now == then else f"Projected DRAM bytes: {then} per {per} instead of {now}."
    )


def words(projection: Projection) -> list[str]:
    """What is changed, one word each."""
    target = projection.target
    named = (("weights", target.weights), ("cache", target.kv), ("batch", target.batch), ("TP", target.tp))
    return [f"{what} {value}" for what, value in named if value is not None]


def span(low: float | None, high: float | None, unit: str) -> str:
    """A range, or one figure where both ends read the same; a dash where neither is known."""
    if low is None or high is None:
        return MISSING
    ends = [text(v, unit) if unit else number(v) for v in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def error_words(against: Mapping[str, float] | None, name: str) -> tuple[str, ...]:
    """Whether a capture taken there lies in the range, and how far off it is."""
    if not against:
        return ()
    if against["below_low"] >= 0 >= against["above_high"]:
        return (f"Against {name}: measured {text(against['seconds'], 's')}, inside the projected range.",)
    off = against["below_low"] if against["below_low"] < 0 else against["above_high"]
    return (f"Against {name}: measured {text(against['seconds'], 's')}, {100 * off:+.1f} % from the nearer end of the range.",)


def table(projection: Projection) -> Table:
    """Measured and projected by role."""
    shown = projection.rows.with_columns(
        pl.struct("bytes_low", "bytes_high")
        .map_elements(lambda r: span(r["bytes_low"], r["bytes_high"], "byte"), return_dtype=pl.String)
        .alias("projected_bytes"),
        pl.struct("seconds_low", "seconds_high")
        .map_elements(lambda r: span(r["seconds_low"], r["seconds_high"], "s"), return_dtype=pl.String)
        .alias("projected_seconds"),
    ).rename({"bytes": "dram_bytes"})
    per = "token" if projection.basis == "part" else projection.basis
    return Table(
        f"Projection per {per} by role", shown, ("role", "dram_bytes", "projected_bytes", "seconds", "projected_seconds")
    )
