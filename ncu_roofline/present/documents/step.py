"""Words and tables of `step`: how long the real step takes, where its time goes, what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from ncu_roofline.analysis.model.floor import Floor
from ncu_roofline.analysis.run.speculation import per_sequence
from ncu_roofline.analysis.timeline.gaps import Gaps
from ncu_roofline.analysis.timeline.match import Matched
from ncu_roofline.analysis.timeline.steps import Stepped, by, quantile
from ncu_roofline.capture.units import counted, percent, text, three
from ncu_roofline.present.documents.grammar import options, sentence
from ncu_roofline.present.documents.words_notes import note
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.json import told
from ncu_roofline.present.forms.short import called
from ncu_roofline.present.forms.text import clean

COLUMNS = ("role", "launches", "seconds", "time_share")
KERNELS = ("kernel", "role", "launches", "seconds", "time_share")
PLACES = ("place", "gaps", "seconds", "idle_share")
CHANGED = ("kernel", "role", "seconds", "profiled_seconds", "profiled_change", "reached")
MOST = 8
WORTH = 0.02
"""Gaps and changes below this part of the step are not listed."""
NOUNS = {"decode": "decode step", "prefill": "prefill pass"}
APART = 0.05
"""Shares that differ by more than this are both said."""


def document(found: Stepped, idle: Gaps, pair: Matched | None = None, least: Floor | None = None) -> Document:
    """The answer, the time by role and kernel, the gaps, and what cannot be trusted.

    A capture beside it tells its bytes, a model its floor.
    """
    rows = by(found, "role").drop("name")
    return Document(
        answer=(*first(found), *second(found), *waiting(found, idle), *third(found, pair), *against(found, least)),
        tables=tuple(tables(found, idle, pair, rows)),
        doubts=tuple(doubts(found, pair, least)),
        footer=(
            f"{clean(found.source)}: {counted(found.kernels.height, 'kernel')}, "
            f"{three(found.kernel_seconds, 's')} of kernel time.",
        ),
        data=data(found, idle, pair, least, rows),
    )


def first(found: Stepped) -> Iterator[str]:
    """How long the step takes, or why that is not known."""
    busy, idle = found.busy_median, found.gap_median
    if found.median is None or busy is None or idle is None:
        why = found.steps.evidence or "the order of kernels does not tell"
        whole = f"GPU busy {percent(found.busy)}" if found.busy is not None else "GPU share unknown"
        if found.phase == "all":
            yield f"The trace lasts {three(found.span_seconds, 's')}: {whole}."
            return
        yield f"No {NOUNS[found.phase]} is found ({clean(why)}): {three(found.span_seconds, 's')} of trace, {whole}."
        return
    number = len(found.times)
    what = "step" if found.phase == "decode" else NOUNS[found.phase]
    took = f"{what} takes {three(found.median, 's')} ({spread(found.times)})"
    yield f"The {took}: GPU busy {percent(busy)}, {three(max(idle, 0.0), 's')} idle."
    if found.busy is not None and abs(found.busy - busy) > APART:
        yield f"Over all {number} steps it is busy {percent(found.busy)}: some take far longer than the others."


MANY = 10
"""Steps of which two in ten may be left aside."""


def spread(times: Sequence[float]) -> str:
    """How far the steps' times lie apart, of many without the tenth at each end.

    >>> spread([0.001]), spread([0.001, 0.003]), spread([n / 1000 for n in range(11)])
    ('one alone', 'median of 2: 1 ms to 3 ms', 'median of 11, eight in ten 1 ms to 9 ms')
    """
    if len(times) == 1:
        return "one alone"
    many = len(times) >= MANY
    low, high = (quantile(tuple(times), end) or 0.0 for end in ((0.1, 0.9) if many else (0.0, 1.0)))
    return f"median of {len(times)}{', eight in ten' if many else ':'} {three(low, 's')} to {three(high, 's')}"


def second(found: Stepped) -> Iterator[str]:
    """Tokens per second, and what the time of a step is."""
    if found.median is None:
        return
    how = "start to the start of the next" if found.to_next else "first kernel's start to its last kernel's end"
    batch, each = found.study.run.batch, per_sequence(found.study.run)
    rate = (
        f"That is {three(batch.value * each / found.median, 'token/s')} at batch {batch.value:,}. "
        if batch.value and each
        else ""
    )
    if found.phase == "prefill":
        rate = worked(found)
    yield f"{rate}A {'step' if found.phase == 'decode' else 'pass'} is timed from its {how}."


def worked(found: Stepped) -> str:
    """Token rows per second of the passes, prompt tokens and the rows that decode beside them."""
    if not found.rows:
        return ""
    least, most = min(found.rows), max(found.rows)
    sizes = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    each = "a pass" if len(found.rows) > 1 else "the pass"
    return f"It works on {three(sum(found.rows) / sum(found.times), 'token/s')}, {sizes} {each}. "


def waiting(found: Stepped, idle: Gaps) -> Iterator[str]:
    """Where the GPU waits, and whether for the host."""
    worth = idle.places.head(1)
    whole = found.gap_seconds if found.table.height else None
    if worth.is_empty() or (whole is not None and found.median and whole < WORTH * found.median):
        return
    place, share = worth["place"][0], worth["idle_share"][0]
    kernels = " kernels" * place.startswith("before ")
    late = (
        ""
        if idle.waits is None
        else " The host launches too late for " + (f"{percent(idle.waits)} of it." if idle.waits else "none of it.")
    )
    yield f"The GPU idles longest {place}{kernels}: {percent(share)} of the idle time.{late}"
    if idle.launch_bound:
        yield f"It is launch-bound: the host costs {percent(idle.step_share)} of the time. A CUDA graph or fewer kernels help."


def third(found: Stepped, pair: Matched | None) -> Iterator[str]:
    """Bytes per second of the step, where a capture tells the bytes."""
    if pair is None:
        return
    value, low = pair.rate(found.median)
    whose = "the steps' kernels" if found.times else "the trace's kernels"
    joined = f"{percent(pair.share)} of {whose} are measured in the capture"
    if pair.covered is not None and pair.covered < 1:
        joined += f", and {percent(pair.covered)} of the capture's step is in the trace"
    if pair.other_batch is not None:
        here, there = pair.other_batch
        joined += f"; the trace is of batch {here:,} and the capture of {there:,}, so no bytes are set over its time"
    elif pair.varies:
        joined += "; the batch changes from step to step, so no bytes are set over the time of one"
    gpu = found.study.gpu
    moved = value if value is not None else low
    if moved is None:
        yield f"{joined}."
        return
    share = f", {percent(moved / gpu.bandwidth)} of the DRAM peak" if gpu else ""
    if value is None:
        yield f"{joined}; their bytes alone make {text(moved, 'byte/s')}{share}: the whole step moves more."
        return
    best = gpu.achieved.ceiling if gpu else None
    seen = "reported" if gpu and gpu.achieved.reported else "seen"
    typical = f" ({percent(moved / best)} of the best that a kernel was {seen} to reach)" if best else ""
    yield f"The step moves {text(moved, 'byte/s')}{share}{typical}; {joined}."


def against(found: Stepped, least: Floor | None) -> Iterator[str]:
    """The floor's bytes over the real time, and how far the step is from its floor."""
    if least is None or found.median is None:
        return
    setting = least.setting
    context = f", context {setting.context:,}" if setting.context is not None else ", no cache (--context)"
    times = least.slowdown(found.median)
    yield (
        f"The least bytes ({text(least.bytes, 'byte')} at batch {setting.batch:,}{context}) pass at "
        f"{percent(least.bandwidth_share(found.median))} of the DRAM peak: the step takes {times:.2f} times its floor of "
        f"{three(least.step_seconds, 's')}."
    )
    if times < 1:
        yield "No run can be below its floor: the weights or the cache are narrower, or the batch or context smaller."


def tables(found: Stepped, idle: Gaps, pair: Matched | None, rows: pl.DataFrame) -> Iterator[Table]:
    """By role, by kernel, the gaps, and what the profiler timed otherwise."""
    per = ("one step" if found.phase == "decode" else "one pass") if found.times else "the whole trace"
    yield Table(f"Time by role, of {per}", rows, COLUMNS)
    each = called(by(found, "kernel", "role").head(MOST))
    yield Table(f"Time by kernel, of {per}", each, KERNELS, spare=("launches", "role"))
    whole = found.median or found.span_seconds
    places = idle.places.filter(pl.col("seconds") > WORTH * whole).head(MOST)
    if places.height:
        yield Table(f"Idle time, {'mean of the steps' if found.times else 'of ' + per}", places, PLACES)
    if pair is not None and found.times:
        apart = (pl.col("seconds") - pl.col("profiled_seconds")).abs() > WORTH * whole
        changed = pair.kernels.filter(apart).head(MOST)
        if changed.height:
            yield Table("Slower or faster than under the profiler, of one step", called(changed), CHANGED, spare=("role",))


def doubts(found: Stepped, pair: Matched | None, least: Floor | None) -> Iterator[str]:
    """What cannot be trusted."""
    if found.steps.value is None and found.steps.low is not None:
        number = f"{found.steps.low:g} {'is' if found.steps.low == 1 else 'are'}"
        most = "" if found.steps.high is None else f", at most {found.steps.high:g} can be"
        yield f"How many steps the trace holds is not known: {number} found whole{most} ({clean(found.steps.evidence)})."
    prompts = found.study.run.prefill_passes.value
    if prompts and found.times and found.steps.value is not None and found.phase == "decode":
        yield f"{prompts:,} prefill {'pass is' if prompts == 1 else 'passes are'} left out of every figure of a step."
    if pair is not None and pair.other_grid > 0 and pair.other_batch is None:
        yield (
            f"{percent(pair.other_grid)} of the matched kernels have another grid in the capture and are told by "
            "their place in the layer: their bytes are of the context that the capture had."
        )
    overlap = found.overlapped_seconds / found.kernel_seconds if found.kernel_seconds else 0.0
    if overlap > WORTH:
        yield f"Kernels overlap for {percent(overlap)} of their time: their times add up to more than the GPU is busy."
    yield from (sentence(options(note(n))) for n in found.notes)
    if least is not None:
        yield from (sentence(options(note(n))) for n in least.doubts)


def data(found: Stepped, idle: Gaps, pair: Matched | None, least: Floor | None, rows: pl.DataFrame) -> dict[str, Any]:
    """The JSON form."""
    value, low = pair.rate(found.median) if pair else (None, None)
    steps = told(found.steps)
    return {
        "rows": rows,
        "phase": found.phase,
        "kernels": found.kernels.height,
        "kernel_seconds": found.kernel_seconds,
        "span_seconds": found.span_seconds,
        "steps": {key: steps[key] for key in ("value", "low", "high", "origin")},
        "measured_step_seconds": {"median": found.median, "p10": quantile(found.times, 0.1), "p90": quantile(found.times, 0.9)},
        "tokens_per_second": sum(found.rows) / sum(found.times) if found.rows else None,
        "busy": found.busy,
        "busy_median": found.busy_median,
        "overlapped_seconds": found.overlapped_seconds,
        "gap_seconds": found.gap_seconds,
        "gap_seconds_median": found.gap_median,
        "gaps": idle.places,
        "waits_for_host": idle.waits,
        "launch_bound": None if idle.waits is None else idle.launch_bound,
        "by_kernel": by(found, "kernel", "role").head(40),
        "matched": pair.both if pair else None,
        "measured": pair.share if pair else None,
        "matched_by_place": pair.other_grid if pair else None,
        "covered": pair.covered if pair else None,
        "achieved_bytes_per_second": value,
        "achieved_bytes_per_second_low": low,
        "beside_profiler": pair.kernels.head(40) if pair else None,
        "floor": floor_data(found, least),
        "notes": list(doubts(found, pair, least)),
    }


def floor_data(found: Stepped, least: Floor | None) -> dict[str, float] | None:
    """The floor beside the step for programs; null without a model or a step."""
    if least is None or found.median is None:
        return None
    return {
        "bytes": least.bytes,
        "seconds": least.step_seconds,
        "over_floor": least.slowdown(found.median),
        "bandwidth_share": least.bandwidth_share(found.median),
    }
