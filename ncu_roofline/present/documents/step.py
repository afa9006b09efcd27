"""Words and table of `step`: how long the real step takes, and where its time goes."""

from __future__ import annotations

from typing import Any

import polars as pl

from ncu_roofline.analysis.timeline.match import Matched
from ncu_roofline.analysis.timeline.steps import Stepped, by_role, quantile
from ncu_roofline.capture.units import percent, text
from ncu_roofline.present.documents.grammar import sentence
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.json import told

COLUMNS = ("role", "launches", "seconds", "time_share")


def document(found: Stepped, pair: Matched | None = None) -> Document:
    """The answer, the time by role, and what cannot be trusted."""
    rows = by_role(found)
    per = "one step" if found.times else "the whole trace"
    return Document(
        answer=(first(found), *second(found), *third(found, pair)),
        tables=(Table(f"Time by role, of {per}", rows, COLUMNS),),
        doubts=tuple(sentence(n) for n in found.notes),
        footer=(f"{found.source}: {kernels(found.kernels.height)}, {seconds(found.kernel_seconds)} of kernel time.",),
        data=data(found, pair, rows),
    )


def seconds(value: float) -> str:
    """A time for people, with three digits."""
    return text(float(f"{value:.3g}"), "s")


def kernels(number: int) -> str:
    """1 kernel, 2 kernels."""
    return f"{number:,} {'kernel' if number == 1 else 'kernels'}"


def first(found: Stepped) -> str:
    """How long the step takes, or why that is not known."""
    busy = f"GPU busy {percent(found.busy)}" if found.busy is not None else "GPU share unknown"
    if found.median is None:
        why = found.steps.evidence or "the order of kernels does not tell"
        return f"No decode step is found ({why}): {seconds(found.span_seconds)} of trace, {busy}."
    number = len(found.times)
    low, high = quantile(found.times, 0.1), quantile(found.times, 0.9)
    spread = f"median of {number}; p10–p90 {seconds(low)}–{seconds(high)}" if number > 1 and low and high else "one step"
    gaps = f", {seconds(found.gap_seconds)} idle" if found.gap_seconds is not None else ""
    return f"The step takes {seconds(found.median)} ({spread}): {busy}{gaps}."


def second(found: Stepped) -> tuple[str, ...]:
    """Tokens per second, and what the time of a step is."""
    if found.median is None:
        return ()
    how = "start to start of the next" if found.to_next else "first kernel's start to last kernel's end"
    batch = found.study.run.batch.value
    rate = f", so {batch / found.median:.3g} tokens/s at batch {batch}" if batch else ""
    return (f"A step is timed from its {how}{rate}." if found.to_next else f"A step is timed from its {how}.",)


def third(found: Stepped, pair: Matched | None) -> tuple[str, ...]:
    """Bytes per second of the step, where a capture tells the bytes."""
    if pair is None:
        return ()
    value, low = pair.rate(found.median)
    joined = f"{percent(pair.share)} of the steps' kernels are in the capture"
    if value is None:
        return (
            (f"{joined}; their bytes alone make {text(low, 'byte/s')}, the whole step moves more.",) if low else (f"{joined}.",)
        )
    gpu = found.study.gpu
    share = f", {percent(value / gpu.bandwidth)} of the DRAM peak" if gpu else ""
    return (f"The step moves {text(value, 'byte/s')}{share}; {joined}.",)


def data(found: Stepped, pair: Matched | None, rows: pl.DataFrame) -> dict[str, Any]:
    """The JSON form."""
    value, low = pair.rate(found.median) if pair else (None, None)
    steps = told(found.steps)
    return {
        "rows": rows,
        "kernels": found.kernels.height,
        "kernel_seconds": found.kernel_seconds,
        "span_seconds": found.span_seconds,
        "steps": {key: steps[key] for key in ("value", "low", "high", "origin")},
        "measured_step_seconds": {"median": found.median, "p10": quantile(found.times, 0.1), "p90": quantile(found.times, 0.9)},
        "busy": found.busy,
        "overlapped_seconds": found.overlapped_seconds,
        "gap_seconds": found.gap_seconds,
        "matched": pair.share if pair else None,
        "achieved_bytes_per_second": value,
        "achieved_bytes_per_second_low": low,
        "notes": list(found.notes),
    }
