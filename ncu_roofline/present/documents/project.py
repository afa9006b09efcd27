"""A projection as a document: labelled so everywhere, a range in place of a point, every assumption listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from ncu_roofline.analysis.project.project import Projection
from ncu_roofline.analysis.project.scales import Scales
from ncu_roofline.capture.units import text, three
from ncu_roofline.knowledge.verdicts import limit
from ncu_roofline.present.documents.grammar import invented
from ncu_roofline.present.forms.columns import MISSING, percent
from ncu_roofline.present.forms.document import Document, Table


def document(projection: Projection, against: Mapping[str, float] | None = None, name: str = "") -> Document:
    """Everything there is to say of a projection, and its error where a capture tells it."""
    target = {
        "gpu": projection.target.gpu.name if projection.target.gpu else None,
        "weights": projection.target.weights,
        "head": projection.target.head,
        "kv": projection.target.kv,
        "batch": projection.target.batch,
        "tp": projection.target.tp,
        "ep": projection.target.ep,
    }
    return Document(
        answer=(*answer(projection), *invented([projection.run]), *error_words(against, name)),
        tables=(table(projection),),
        doubts=tuple(f"Assumed: {a}" for a in assumptions(projection)),
        data={
            "kind": "projection",
            "target": target,
            "device": projection.device,
            "basis": projection.basis,
            "total": projection.total,
            "speedup": {"low": projection.speedup[0], "high": projection.speedup[1]},
            "latency_share": projection.latency_share,
            "against": dict(against) if against else None,
            "assumptions": list(assumptions(projection)),
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
    if not projection.latency_share:
        return first, moves(total, per)
    small = f"{percent(projection.latency_share)} of the time goes to kernels too small for either roof"
    return first, moves(total, per), f"{small}, which take {as_long(projection)} per step as before."


def as_long(projection: Projection) -> str:
    """How long kernels too small for either roof are taken to last."""
    device = projection.target.gpu
    return "as long" if device is None or device.product == projection.device_before else "about as long"


def moves(total: Mapping[str, float | None], per: str) -> str:
    """The bytes it would move, or that nobody measured them."""
    if total["bytes"] is None:
        return "DRAM bytes were not measured: none are projected."
    now, then = text(total["bytes"], "byte"), span(total["bytes_low"], total["bytes_high"], "byte")
    return (
        f"DRAM bytes per {per} stay at {now}." if now == then else f"Projected DRAM bytes: {then} per {per} instead of {now}."
    )


def words(projection: Projection) -> list[str]:
    """What is changed, one word each."""
    target = projection.target
    types = (("weights", target.weights), ("LM head", target.head), ("cache", target.kv))
    named = (*types, ("batch", target.batch), ("TP", target.tp), ("EP", target.ep))
    return [f"{what} {value}" for what, value in named if value is not None]


def span(low: float | None, high: float | None, unit: str) -> str:
    """A range, or one figure where both ends read the same; a dash where neither is known."""
    if low is None or high is None:
        return MISSING
    ends = [three(v, unit) for v in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def error_words(against: Mapping[str, float] | None, name: str) -> tuple[str, ...]:
    """Whether a capture taken there lies in the range, and how far off it is."""
    if not against:
        return ()
    if against["below_low"] >= 0 >= against["above_high"]:
        return (f"Against {name}: measured {text(against['seconds'], 's')}, inside the projected range.",)
    off = against["below_low"] if against["below_low"] < 0 else against["above_high"]
    return (f"Against {name}: measured {text(against['seconds'], 's')}, {100 * off:+.1f} % from the nearer end of the range.",)


def realised(scales: Scales) -> str:
    """What other kernels make of fewer weight bytes, and which pair tells it."""
    if scales.sparse:
        return f"2:4 kernels take up to {limit('slower_sparse'):.3g} times as long, as our dense and 2:4 pair at batch 8 does"
    return f"other kernels realise between {limit('realised_least'):.2g} (a public FP8 pair) and all of that"


def assumptions(projection: Projection) -> Iterator[str]:
    """Everything that is taken for granted."""
    target, scales = projection.target, projection.scales
    yield (
        "Every kernel keeps its share of the roof that limits it; the far end gives each a fixed part as long as the capture's "
        "shortest launch, or as such kernels of the device typically have."
    )
    yield f"Kernels too small for either roof take {as_long(projection)} as before."
    if projection.untold_share:
        yield (
            f"What limits {percent(projection.untold_share)} of the time was not measured: such kernels may go with the "
            f"bandwidth or take {as_long(projection)} as before; the range holds both."
        )
    if target.gpu is not None and projection.device_before is not None:
        yield (
            f"Roofs scale as the datasheets of {projection.device_before} and {target.gpu.product} (bandwidth by "
            f"{1 / scales.bandwidth:.3g}); clocks, L2 and kernels chosen for the other device are not modelled: "
            f"each end is {percent(limit('other_device_roof'))} further out, {percent(limit('other_device_start'))} for ones "
            "too small for a roof: twice what our pair H100 and H200 was off."
        )
        for path, other in projection.taken_over.items():
            how = f"is taken to run as {other}" if other else "is left out of the projected arithmetic"
            yield f"{target.gpu.product} has no {path}: that work {how}, out of the same bytes."
    if target.weights is not None:
        head = "at the far end not those of the LM head" if target.head is None else "those of the LM head with its own"
        yield (
            f"All bytes of FC but activations scale with the weight type (by {scales.weights:.3g}, without scales and zero "
            f"points), {head}; {realised(scales)}; no quantise kernels are added; arithmetic "
            "stays in its type."
        )
    if scales.head is not None:
        yield f"Bytes of the LM head, the product outside of layers, scale with its type (by {scales.head:.3g})."
    if target.kv is not None:
        yield f"All bytes of attention and of the cache scale with the cache type (by {scales.kv:.3g})."
    if target.batch is not None:
        yield (
            f"Weights are read once per step at any batch, cache and activations scale with it (by {scales.batch:.3g}); of "
            "experts between as many are read as now and as many times more; context stays, and memory is taken to suffice."
        )
    if target.ep is not None:
        yield (
            f"Experts are dealt whole and evenly among {target.ep} GPUs (each reads {scales.experts:.3g} times what it read); "
            "routing is not even, and the exchange of tokens is left out, so the times are lower bounds."
        )
    if target.tp is not None:
        yield (
            f"Weights and cache are split over GPUs (by {1 / scales.tp:.3g}); the exchange between them is left out, so the "
            "times are lower bounds."
        )


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
