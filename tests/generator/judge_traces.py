"""How often `step` is right, wrong or silent about generated traces: kernels, steps, their time, gaps, batch, bytes."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from ncu_roofline.analysis.study import study
from ncu_roofline.analysis.timeline.match import Matched, matched
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.readers.timeline.timeline import read
from tests.generator.judge import Judged, Range, crashed, held, table
from tests.generator.plans import KINDS
from tests.generator.runs import Generated
from tests.generator.timelines import Timeline, timeline, union, write_kineto, write_nsys
from tests.generator.truths import Told, Unit, units_in

ROOM, LOST = 0.02, 0.1
"""Of a time, and of the number of kernels where some are lost: a step may be cut at another kernel than the generator's."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is so of the steps of a trace."""

    made: Timeline
    run: Generated

    @cached_property
    def units(self) -> list[Unit]:
        """The steps that the trace touches."""
        return units_in(self.run.plan, self.run.whole, self.run.window)

    @cached_property
    def unit_of(self) -> dict[int, int]:
        """The step of each pass."""
        return {number: at for at, unit in enumerate(self.units) for number in unit.numbers}

    @cached_property
    def spans(self) -> dict[tuple[int, int], tuple[int, int]]:
        """First start and last end of each step on each device."""
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for e in self.made.events:
            key = e.device, self.unit_of[e.number]
            first, last = found.get(key, (e.start, e.end))
            found[key] = min(first, e.start), max(last, e.end)
        return found

    @cached_property
    def sizes(self) -> Counter[tuple[int, int]]:
        """Kernels of each step on each device."""
        return Counter((e.device, self.unit_of[e.number]) for e in self.made.events)

    @cached_property
    def pure(self) -> set[int]:
        """Steps of decode alone: no piece of a prompt beside it."""
        return {at for at, unit in enumerate(self.units) if unit.main.kind in ("decode", "verify")}

    def counts(self) -> set[float]:
        """Whole decode steps of one device, with or without bookkeeping at the edges of the window."""
        if self.run.plan.kind != "mixed steps":
            return {low for low, _ in self.run.truth.facts["steps"].accepted}
        pure = [self.units[at] for at in self.pure]
        return {float(sum(u.core for u in pure)), float(sum(u.whole for u in pure))}

    def times(self, device: int, unit: int) -> list[int]:
        """What a step may be said to take: to the next one's start or to its own end."""
        start, end = self.spans[device, unit]
        following = self.spans.get((device, unit + 1))
        return [end - start, *([following[0] - start] if following else [])]


def judged_traces(seeds: Iterable[int], kind: str | None = None) -> Iterator[Judged]:
    """Every statement on every trace: kinds and variants take turns, formats too."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            chosen = kind or KINDS[seed % len(KINDS)]
            yield from judged(timeline(seed, kind=chosen, window="planned"), Path(folder))


def judged(made: Timeline, folder: Path) -> Iterator[Judged]:
    """Every statement on one trace; a crash is a false statement of everything."""
    run = made.shown
    assert run is not None
    common: dict[str, Any] = {"seed": made.seed, "kind": run.plan.kind, "engine": made.variant}
    path = folder / ("t.sqlite" if made.seed % 3 == 2 else "t.json")
    path.unlink(missing_ok=True)
    try:
        capture = study(made.capture.capture)
        beside = capture if made.seed % 2 else None
        found = stepped(read((write_nsys if path.suffix == ".sqlite" else write_kineto)(made, path)), beside=beside)
        pair = matched(found, capture)
    except Exception as error:  # a crash of what is judged must not end the judging
        yield crashed(error, common)
        return
    truth = Truth(made=made, run=run)
    for fact, told, said in statements(truth, found, pair):
        yield held(fact, told, said, common)


def statements(truth: Truth, found: Stepped, pair: Matched) -> Iterator[tuple[str, Told, Range | None]]:
    """Each fact with what may be said of it and what was."""
    yield from sums(truth.made, found)
    facts = truth.run.truth.facts
    counts = truth.counts()
    sure = len(counts) == 1 and facts["steps"].determined and truth.made.variant not in ("missing kernels", "fused kernels")
    told = facts["steps"] if facts["steps"].loose else Told(accepted=tuple((c, c) for c in sorted(counts)), determined=sure)
    yield "steps", told, steps_said(found)
    prompts = found.study.run.prefill_passes.value
    if found.times and prompts and found.steps.value is not None:
        yield "prefill passes", truth.run.truth.facts["prefill_passes"], (float(prompts), float(prompts))
    if not facts["steps"].loose:
        yield from of_steps(truth, found, pair)


def sums(made: Timeline, found: Stepped) -> Iterator[tuple[str, Told, Range | None]]:
    """Kernels and seconds of the whole trace."""
    devices = len({e.device for e in made.events})
    exact = {
        "kernels": (len(made.events), found.kernels.height, 0.0),
        "kernel seconds": (made.kernel_seconds, found.kernel_seconds, 1e-9),
        "span": (made.span_seconds, found.span_seconds, 1e-9),
        "overlap": (made.kernel_seconds - made.busy_seconds, found.overlapped_seconds, 1e-6),
    }
    if not found.times:
        exact["busy"] = (made.busy_seconds / made.span_seconds / devices, found.busy or 0.0, 1e-6)
    for fact, (true, said, room) in exact.items():
        slack = room * made.kernel_seconds if fact == "overlap" else 0.0
        near = abs(true - said) <= slack
        yield fact, Told(accepted=((float(true),) * 2,), determined=True, tolerance=room), (float(true if near else said),) * 2


def steps_said(found: Stepped) -> Range | None:
    """The number of steps, or what is left open of it."""
    fact = found.steps
    if fact.value is not None:
        return float(fact.value), float(fact.value)
    if fact.low is None and fact.high is None:
        return None
    return float(fact.low or 0), float("inf") if fact.high is None else float(fact.high)


def of_steps(truth: Truth, found: Stepped, pair: Matched) -> Iterator[tuple[str, Told, Range | None]]:
    """What is said of the steps that have a time."""
    ours = timed(truth, found)
    if not ours:
        return
    wrong = [at for _, at, *_ in ours if at not in truth.pure]
    yield "decode steps timed", Told(accepted=((0.0, 0.0),), determined=True), (float(len(wrong)),) * 2
    off = [at for device, at, size, _, kernels in ours if not plausible(truth, device, at, size, kernels)]
    yield "step time", Told(accepted=((0.0, 0.0),), determined=True), (float(len(off)),) * 2
    active = sum(ran for *_, ran, _ in ours)
    every = sum(size for _, _, size, *_ in ours)
    said = found.busy or 0.0
    yield "busy", Told(accepted=((active / every,) * 2,), determined=True, tolerance=1e-6), (said, said)
    batch = found.study.run.batch.value
    if batch is not None:
        sizes = {float(len(truth.units[at].main.contexts)) for _, at, *_ in ours}
        yield "batch", Told(accepted=((min(sizes), max(sizes)),)), (float(batch),) * 2
    value, _ = pair.rate(found.median)
    if value is not None and found.median:
        moved = bytes_of(truth, ours)
        yield "bytes of a step", Told(accepted=((moved, moved),), tolerance=ROOM), (value * found.median,) * 2


def timed(truth: Truth, found: Stepped) -> list[tuple[int, int, int, int, int]]:
    """Each timed step: device, the generator's step that most of its kernels are of, nanoseconds, those in which one ran, kernels."""
    kernels = found.kernels.with_columns(
        unit=pl.Series([truth.unit_of[e.number] for e in truth.made.events], dtype=pl.Int64),
        rank=pl.Series([e.device for e in truth.made.events], dtype=pl.Int64),
    )
    rows = []
    for (device, number), group in kernels.drop_nulls("number").group_by("device", "number"):
        same = found.table.filter((pl.col("device") == device) & (pl.col("number") == number))
        if same.height:
            inside = [
                e
                for e, n, d in zip(truth.made.events, kernels["number"], kernels["device"], strict=True)
                if (n, d) == (number, device)
            ]
            [unit] = Counter(group["unit"]).most_common(1)
            rows.append((group["rank"][0], unit[0], same["nanoseconds"][0], union(inside), len(inside)))
    return rows


def plausible(truth: Truth, device: int, at: int, size: int, kernels: int) -> bool:
    """Whether a step's time is its own, or, where it is cut elsewhere, that of as many kernels of its own and a neighbour."""
    near = [n for n in (at - 1, at, at + 1) if n in truth.pure and (device, n) in truth.spans]
    times = [t for n in near for t in truth.times(device, n)]
    sizes = [truth.sizes[device, n] for n in near]
    if not near:
        return False
    own = min(times) * (1 - ROOM) <= size <= max(times) * (1 + ROOM)
    return own or min(sizes) * (1 - LOST) <= kernels <= max(sizes) * (1 + LOST)


def bytes_of(truth: Truth, ours: list[tuple[int, int, int, int, int]]) -> float:
    """Mean bytes of the timed steps, from the generator's own kernels."""
    run = truth.run
    totals: Counter[int] = Counter()
    for kernel, number in zip(run.whole.kernels, run.whole.passes, strict=True):
        if number in truth.unit_of:
            totals[truth.unit_of[number]] += int(kernel.reads + kernel.writes)
    return sum(totals[at] for _, at, *_ in ours) / len(ours)


def traces_page(found: list[Judged]) -> str:
    """The tables by kind, by statement and by variant."""
    seeds = {(j.kind, j.seed) for j in found}
    wrong = [j for j in found if j.outcome == "false"]
    sure = [j for j in found if j.determined]
    known = sum(j.outcome == "right" for j in sure)
    lines = [
        "## Traces",
        "",
        f"{len(seeds):,} traces, {sum(j.outcome in ('right', 'false') for j in found):,} statements of `step`: {len(wrong):,} false; "
        f"{100 * known / max(1, len(sure)):.1f} % known of the {len(sure):,} facts that the traces determine. Variants stand as engines.",
        "",
        *table("kind", found),
        "",
        *table("fact", found),
        "",
        *table("engine", found),
        "",
    ]
    return "\n".join(lines)
