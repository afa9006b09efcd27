"""A generated run on the clock: the same launches with known gaps, overlaps and step times, as traces that profilers write.

The trace is of the undisturbed run (times are not those of the capture, gaps are between the kernels); the capture beside
it is of some of the same steps. Variants take away what joins the two: streams shuffled, kernels missing, kernels fused.
"""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from ncu_roofline.capture.names import function_name
from tests.generator.kernels import Pass
from tests.generator.plans import Plan, contexts_of, decoding, plan
from tests.generator.runs import Generated, Stretch, generated, ranges, sequence

VARIANTS = ("plain", "shuffled streams", "missing kernels", "fused kernels", "late launches")
BETWEEN_KERNELS, BETWEEN_STEPS = (400, 2500), (20_000, 200_000)
"""Nanoseconds of the least and the widest gap."""
FUSED = "triton_poi_fused_generated_{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One kernel on the clock, in whole nanoseconds."""

    name: str
    start: int
    end: int
    launched: int
    """When the host asked for it."""
    stream: int
    grid: tuple[int, int, int]
    threads: int
    number: int
    """Number of its pass."""
    ranges: tuple[str, ...] = ()
    parts: int = 1
    """Launches of the capture that it stands for."""
    device: int = 0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Events in order of their start, and what is so of them."""

    seed: int
    variant: str
    events: list[Event]
    capture: Generated
    """The same run under the profiler of counters."""
    shown: Generated | None = None
    """The launches that the trace holds, and what is so of them."""

    @cached_property
    def kernel_seconds(self) -> float:
        """Sum of the durations, overlaps twice."""
        return sum(e.end - e.start for e in self.events) / 1e9

    @cached_property
    def span_seconds(self) -> float:
        """First start to last end."""
        return (max(e.end for e in self.events) - self.events[0].start) / 1e9

    @cached_property
    def busy_seconds(self) -> float:
        """Time in which some kernel ran."""
        return sum(union([e for e in self.events if e.device == d]) for d in {e.device for e in self.events}) / 1e9

    @cached_property
    def steps(self) -> list[list[Event]]:
        """The events of each pass."""
        numbers = sorted({e.number for e in self.events})
        return [[e for e in self.events if e.number == n] for n in numbers]

    @cached_property
    def step_seconds(self) -> list[float]:
        """Of each pass, from its first start to its last end."""
        return [(max(e.end for e in s) - min(e.start for e in s)) / 1e9 for s in self.steps]

    @cached_property
    def periods(self) -> list[float]:
        """From the start of each pass to the start of the next."""
        starts = [min(e.start for e in s) for s in self.steps]
        return [(b - a) / 1e9 for a, b in pairwise(starts)]

    @cached_property
    def matched(self) -> float:
        """Share of the kernels that have a launch of the same name and grid in a whole run."""
        return sum(e.parts == 1 for e in self.events) / len(self.events)


def union(events: Sequence[Event]) -> int:
    """Nanoseconds in which some event ran."""
    total, until = 0, 0
    for one in sorted(events, key=lambda e: e.start):
        total += max(0, one.end - max(one.start, until))
        until = max(until, one.end)
    return total


def timeline(seed: int, variant: str | None = None, kind: str | None = None, *, window: str = "whole") -> Timeline:
    """The timeline of this seed; variants take turns. `window` is how the trace is cut, `planned` as its kind is."""
    rng = random.Random(f"timeline {seed}")
    chosen = variant or VARIANTS[seed % len(VARIANTS)]
    made = plan(seed, kind or "constant batch")
    if kind is None:
        contexts = contexts_of(rng, len(made.passes[-1].contexts))
        made = replace(made, passes=tuple(decoding(made.shape, contexts, rng.choice((4, 6, 9)))))
    made = made if window == "planned" else replace(made, window=window)
    shown = generated(made)
    events = on_the_clock(rng, made, shown.window, late=chosen == "late launches")
    altered = {"shuffled streams": shuffled, "missing kernels": thinned, "fused kernels": fused}.get(chosen)
    capture = generated(replace(made, window="steps"))
    return Timeline(seed=seed, variant=chosen, events=altered(rng, events) if altered else events, capture=capture, shown=shown)


def on_the_clock(rng: random.Random, made: Plan, window: tuple[int, int], late: bool) -> list[Event]:
    """Every launch of the window with its time, on each rank by a clock of its own."""
    whole = sequence(made)
    events = [e for device in made.ranks for e in on_a_device(rng, made, whole, late, device)[slice(*window)]]
    return sorted(events, key=lambda e: e.start)


def on_a_device(rng: random.Random, made: Plan, whole: Stretch, late: bool, device: int) -> list[Event]:
    """Gaps within a step and between steps, overlap where a second stream works."""
    from tests.generator import counters

    *_, seconds = counters.measured(whole.kernels, rng)
    marks = list(ranges(made, whole)) if made.nvtx else [[]] * len(whole.kernels)
    if made.engine.nvtx == "vllm" and made.nvtx and made.seed % 4 == 1:
        marks = [earlier(made.passes[number]) for number in whole.passes]
    undisturbed = rng.uniform(0.8, 0.95)
    clock, previous = 1_000_000_000, -1
    events: list[Event] = []
    for at, (kernel, number) in enumerate(zip(whole.kernels, whole.passes, strict=True)):
        gap = rng.randint(*(BETWEEN_KERNELS if number == previous else BETWEEN_STEPS)) * (
            8 if late and number == previous else 1
        )
        previous = number
        size = max(900, round(1e9 * seconds[at] * undisturbed))
        # the second of two streams starts while the first still runs
        start = clock + gap if not kernel.stream else max(clock - size // 2, events[-1].start + 100)
        clock = max(clock, start + size)
        events.append(
            Event(
                name=kernel.name,
                start=start,
                end=start + size,
                launched=start - (1500 if late else rng.randint(20_000, 90_000)),
                stream=21 if kernel.stream else 7,
                grid=kernel.grid,
                threads=kernel.threads,
                number=number,
                ranges=tuple(marks[at]),
                device=device if len(made.ranks) > 1 else 0,
            )
        )
    return events


def earlier(one: Pass) -> list[str]:
    """The ranges of earlier versions of vLLM: requests that are new, and those seen before, prompts in pieces among them."""
    new = sum(cached == 0 for _, cached in one.chunks)
    return [f"execute_new_{new}_cached_{len(one.contexts) + len(one.chunks) - new}"]


def shuffled(rng: random.Random, events: list[Event]) -> list[Event]:
    """The same on streams drawn for each kernel."""
    return [replace(e, stream=rng.choice((7, 13, 21, 29))) for e in events]


def thinned(rng: random.Random, events: list[Event]) -> list[Event]:
    """One in twenty lost, as where a buffer of the profiler overflowed."""
    return [e for e in events if rng.random() >= 0.05]


def fused(rng: random.Random, events: list[Event]) -> list[Event]:
    """Some neighbours as one kernel of another name, which takes both times."""
    kept: list[Event] = []
    for one in events:
        before = kept[-1] if kept else None
        small = before is not None and before.number == one.number and before.parts == 1 and one.end - one.start < 5000
        if before is not None and small and rng.random() < 0.15:
            name = FUSED.format(len(kept) % 7)
            kept[-1] = replace(before, name=name, end=max(before.end, one.end), parts=2)
        else:
            kept.append(one)
    return kept


def kineto(made: Timeline) -> dict[str, Any]:
    """The trace as PyTorch's profiler writes it: microseconds, a launch of the host beside each kernel."""
    rows: list[dict[str, Any]] = []
    for correlation, e in enumerate(made.events, start=1):
        args = {"External id": correlation, "correlation": correlation}
        host = {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 851, "tid": 851}
        rows.append({**host, "ts": e.launched / 1e3, "dur": 4.0, "args": {**args, "cbid": 211}})
        device = {
            "queued": 0,
            "device": e.device,
            "context": 1,
            "stream": e.stream,
            "registers per thread": 64,
            "shared memory": 0,
        }
        shape = {"grid": list(e.grid), "block": [e.threads, 1, 1], "est. achieved occupancy %": 0}
        kernel = {"ph": "X", "cat": "kernel", "name": e.name, "pid": e.device, "tid": e.stream}
        rows.append({**kernel, "ts": e.start / 1e3, "dur": (e.end - e.start) / 1e3, "args": {**args, **device, **shape}})
    for name, first, last, rank in opened(made):
        mark = {"ph": "X", "cat": "gpu_user_annotation", "name": name, "pid": rank, "tid": 7}
        rows.append({**mark, "ts": first / 1e3, "dur": (last - first) / 1e3, "args": {"External id": 0}})
    gpu = {
        "id": 0,
        "name": "NVIDIA H100 80GB HBM3",
        "totalGlobalMem": 85029158912,
        "computeMajor": 9,
        "computeMinor": 0,
        "numSms": 132,
    }
    return {"schemaVersion": 1, "deviceProperties": [gpu], "traceEvents": rows, "traceName": f"generated-{made.seed}.json"}


def opened(made: Timeline) -> list[tuple[str, int, int, int]]:
    """Each range of the run with its first start and last end on each device."""
    found: dict[tuple[int, str, int], tuple[int, int]] = {}
    for e in made.events:
        for name in e.ranges:
            first, last = found.get((e.number, name, e.device), (e.start, e.end))
            found[e.number, name, e.device] = min(first, e.start), max(last, e.end)
    return [(name, first, last, device) for (_, name, device), (first, last) in found.items()]


def write_kineto(made: Timeline, path: Path) -> Path:
    """The trace in a file, packed where its name says so."""
    text = json.dumps(kineto(made)).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


TABLES = """
CREATE TABLE StringIds (id INTEGER NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE META_DATA_EXPORT (name TEXT NOT NULL, value TEXT);
CREATE TABLE TARGET_INFO_GPU (id INTEGER NOT NULL PRIMARY KEY, name TEXT, smCount INTEGER, computeMajor INTEGER, computeMinor INTEGER);
CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (
    start INTEGER NOT NULL, end INTEGER NOT NULL, deviceId INTEGER NOT NULL, contextId INTEGER NOT NULL, greenContextId INTEGER,
    streamId INTEGER NOT NULL, correlationId INTEGER, globalPid INTEGER, demangledName INTEGER NOT NULL, shortName INTEGER NOT NULL,
    mangledName INTEGER, launchType INTEGER, cacheConfig INTEGER, registersPerThread INTEGER NOT NULL,
    gridX INTEGER NOT NULL, gridY INTEGER NOT NULL, gridZ INTEGER NOT NULL,
    blockX INTEGER NOT NULL, blockY INTEGER NOT NULL, blockZ INTEGER NOT NULL, graphNodeId INTEGER, graphId INTEGER);
CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (
    start INTEGER NOT NULL, end INTEGER NOT NULL, eventClass INTEGER NOT NULL, globalTid INTEGER, correlationId INTEGER,
    nameId INTEGER NOT NULL, returnValue INTEGER NOT NULL, callchainId INTEGER);
CREATE TABLE NVTX_EVENTS (
    start INTEGER NOT NULL, end INTEGER, eventType INTEGER NOT NULL, rangeId INTEGER, text TEXT, globalTid INTEGER,
    textId INTEGER, domainId INTEGER);
"""
PROCESS, THREAD = 281476838981632, 281476838981743
NEXT = 2**24
"""From the number of a process, or of its thread, to that of the next."""


def write_nsys(made: Timeline, path: Path) -> Path:
    """The trace as Nsight Systems exports it to SQLite; ranges are on the host, around the launches.

    Each rank is a process of its own, which sees its GPU as device 0 and numbers its calls from one.
    """
    words: dict[str, int] = {}

    def word(text: str) -> int:
        return words.setdefault(text, len(words) + 1)

    kernels, calls = [], []
    for at, e in enumerate(made.events, start=1):
        own = e.device * NEXT
        whom = (0, 1, None, e.stream, at, PROCESS + own, word(e.name), word(function_name(e.name)), word(e.name))
        kernels.append((e.start, e.end, *whom, None, None, 64, *e.grid, e.threads, 1, 1, None, None))
        calls.append((e.launched, e.launched + 4000, 0, THREAD + own, at, word("cudaLaunchKernel_v7000"), 0, None))
    marks = [(first, last, 59, None, text, THREAD + d * NEXT, None, 0) for text, first, last, d in asked(made)]
    with sqlite3.connect(path) as base:
        base.executescript(TABLES)
        insert(base, "META_DATA_EXPORT", [("EXPORT_SCHEMA_VERSION", "3.25.0")])
        insert(base, "TARGET_INFO_GPU", [(0, "NVIDIA H100 80GB HBM3", 132, 9, 0)])
        insert(base, "CUPTI_ACTIVITY_KIND_KERNEL", kernels)
        insert(base, "CUPTI_ACTIVITY_KIND_RUNTIME", calls)
        insert(base, "NVTX_EVENTS", marks)
        insert(base, "StringIds", [(number, text) for text, number in words.items()])
    base.close()
    return path


def insert(base: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """All rows of a table."""
    if rows:
        base.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def asked(made: Timeline) -> list[tuple[str, int, int, int]]:
    """Each range of the run as the host of each rank held it: around the launches."""
    found: dict[tuple[int, str, int], tuple[int, int]] = {}
    for e in made.events:
        for name in e.ranges:
            first, last = found.get((e.number, name, e.device), (e.launched, e.launched))
            found[e.number, name, e.device] = min(first, e.launched), max(last, e.launched)
    return [(name, first - 500, last + 5000, device) for (_, name, device), (first, last) in found.items()]
