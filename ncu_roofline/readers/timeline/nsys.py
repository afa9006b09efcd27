"""Exports of Nsight Systems to SQLite, schemas 2.9 (2022) to 3.25 (2026)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from ncu_roofline.capture.timeline import (
    CALLS,
    FARTHEST,
    LONGEST,
    MARKS,
    SCHEMA,
    Timeline,
    finished,
    on_device,
    untimed,
    with_calls,
)
from ncu_roofline.errors import UnreadableCapture

KERNELS, GRAPHS = "CUPTI_ACTIVITY_KIND_KERNEL", "CUPTI_ACTIVITY_KIND_GRAPH_TRACE"
MEMORY = {"copy": "CUPTI_ACTIVITY_KIND_MEMCPY", "set": "CUPTI_ACTIVITY_KIND_MEMSET"}
DIAGNOSTICS = "DIAGNOSTIC_EVENT"
RUNTIME, NVTX = "CUPTI_ACTIVITY_KIND_RUNTIME", "NVTX_EVENTS"
MOST_ROWS, BATCH = 20_000_000, 2**16
BELIEVED = f"k.end - k.start BETWEEN 0 AND {LONGEST} AND abs(k.start) <= {FARTHEST}"
MOST_MARKS = 2_000_000
STRINGS = "(SELECT id, min(value) AS value FROM StringIds GROUP BY id)"
"""Each number with one text: where a stranger's has thousands, every kernel would come as often."""
PROCESS = 2**24
"""A process's share of the numbers of threads: what is above it is the process."""
TOLD = ("kind", "name", "start", "nanoseconds", "device", "stream", "correlation", "process", "graph", "grid", "block")
WORK = {column: SCHEMA.get(column, pl.Int64()) for column in TOLD}
CALLED = {**CALLS, "process": pl.Int64()}


def read(path: Path, name: str) -> Timeline:
    """The kernels, copies and sets of an export."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as base:
            # one value of the oldest exports is no UTF-8
            base.text_factory = lambda raw: raw.decode("utf-8", "replace")
            base.execute("PRAGMA trusted_schema = OFF")
            return taken(base, name)
    except (sqlite3.Error, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise UnreadableCapture(f"{name}: a damaged SQLite file, or no export of Nsight Systems; export it again") from error


def taken(base: sqlite3.Connection, name: str) -> Timeline:
    """The timeline that an open export holds."""
    # views are left alone: a stranger's could run for ever
    tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if KERNELS not in tables or "StringIds" not in tables:
        whole = "; its CUDA graphs were traced whole, use --cuda-graph-trace=node" if GRAPHS in tables else ""
        said = whole or "; export a run that traced CUDA"
        raise UnreadableCapture(f"{name}: an SQLite file without kernels of the GPU{said}")
    work = frame(kernels(base), WORK)
    if work.is_empty():
        raise UnreadableCapture(f"{name}: a trace without GPU kernels; record CUDA too")
    others = [frame(memory(base, kind, table), WORK) for kind, table in MEMORY.items() if table in tables]
    work = of_processes(pl.concat([work, *others]))
    called = with_calls(work, frame(calls(base, tables), CALLED), "process")
    ranges = on_device(frame(marks(base, tables), MARKS), called)
    tables_of_work = [t for t in (KERNELS, *MEMORY.values()) if t in tables]
    notes = (
        *untimed(sum(unbelieved(base, t) for t in tables_of_work)),
        *(hidden(base) if GRAPHS in tables else ()),
        *(lost(base) if DIAGNOSTICS in tables else ()),
    )
    return Timeline(
        source=name,
        events=finished(called, ranges),
        ranges=ranges,
        gpu=only_gpu(base) if "TARGET_INFO_GPU" in tables else None,
        notes=notes,
        lost=bool(notes),
    )


def of_processes(work: pl.DataFrame) -> pl.DataFrame:
    """The work with a device per process where several number theirs alike: each rank of a job may see its GPU as the first."""
    seen = work.select("process", "device").unique()
    if seen["device"].is_unique().all():
        return work
    numbered = seen.sort("process", "device").with_columns(number=pl.int_range(pl.len(), dtype=pl.Int64))
    joined = work.join(numbered, on=["process", "device"], how="left", nulls_equal=True, maintain_order="left")
    return joined.with_columns(device="number").drop("number")


def frame(rows: Iterator[tuple[object, ...]], schema: dict[str, Any]) -> pl.DataFrame:
    """Rows as one frame, few of them at a time as Python objects."""
    frames = [pl.DataFrame([], schema=schema)]
    while batch := list(islice(rows, BATCH)):
        frames.append(pl.DataFrame(batch, schema=schema, orient="row"))
    return pl.concat(frames, rechunk=True)


def kernels(base: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    """Every kernel with its full name."""
    columns = columns_of(base, KERNELS)
    named = "demangledName" if "demangledName" in columns else "shortName"
    graph = first(columns, "graphId", "graphNodeId")
    shape = ", ".join(first(columns, f"{of}{axis}") for of in ("grid", "block") for axis in "XYZ")
    query = (
        f"SELECT s.value, k.start, k.end - k.start, {who(columns)}, {graph}, {shape} "
        f"FROM {KERNELS} k LEFT JOIN {STRINGS} s ON s.id = k.{named} WHERE {BELIEVED} LIMIT {MOST_ROWS}"
    )
    for row in base.execute(query):
        sides = row[8:11], row[11:14]
        yield ("kernel", row[0] or "", *row[1:8], *(None if None in three else list(three) for three in sides))


def memory(base: sqlite3.Connection, kind: str, table: str) -> Iterator[tuple[object, ...]]:
    """Every copy or set."""
    about = who(columns_of(base, table))
    query = f"SELECT k.start, k.end - k.start, {about}, NULL, NULL, NULL FROM {table} k WHERE {BELIEVED} LIMIT {MOST_ROWS}"
    for row in base.execute(query):
        yield (kind, f"[{kind}]", *row)


def who(columns: set[str]) -> str:
    """Device, stream, correlation and process of work on the device: processes number their calls each from one."""
    return ", ".join(first(columns, name) for name in ("deviceId", "streamId", "correlationId", "globalPid"))


def first(columns: set[str], *names: str, of: str = "k") -> str:
    """The first of these columns that this version of a table has."""
    return next((f"{of}.{name}" for name in names if name in columns), "NULL")


def columns_of(base: sqlite3.Connection, table: str) -> set[str]:
    """The columns that this version of a table has."""
    return {row[1] for row in base.execute(f"PRAGMA table_info({table})")}


def calls(base: sqlite3.Connection, tables: set[str]) -> Iterator[tuple[object, ...]]:
    """Every call of the host that launches, with its correlation, its thread and its process."""
    columns = columns_of(base, RUNTIME) if RUNTIME in tables else set()
    if not {"correlationId", "nameId", "start"} <= columns:
        return
    thread = first(columns, "globalTid")
    process = f"{thread} / {PROCESS} * {PROCESS}" if "globalPid" in columns_of(base, KERNELS) else "NULL"
    launching = "SELECT id FROM StringIds WHERE value LIKE '%Launch%'"
    yield from base.execute(
        f"SELECT k.correlationId, k.start, {thread}, {process} FROM {RUNTIME} k WHERE k.nameId IN ({launching}) "
        f"AND k.correlationId IS NOT NULL AND abs(k.start) <= {FARTHEST} LIMIT {MOST_ROWS}"
    )


def marks(base: sqlite3.Connection, tables: set[str]) -> Iterator[tuple[object, ...]]:
    """Every range of NVTX that a thread opened and closed."""
    columns = columns_of(base, NVTX) if NVTX in tables else set()
    if not {"start", "end", "text"} <= columns:
        return
    text = "coalesce(k.text, s.value)" if "textId" in columns else "k.text"
    joined = f"LEFT JOIN {STRINGS} s ON s.id = k.textId" if "textId" in columns else ""
    yield from base.execute(
        f"SELECT {text}, k.start, k.end, {first(columns, 'globalTid')} FROM {NVTX} k {joined} "
        f"WHERE {BELIEVED} AND {text} IS NOT NULL LIMIT {MOST_MARKS}"
    )


def unbelieved(base: sqlite3.Connection, table: str) -> int:
    """Rows whose times are not possible."""
    return int(base.execute(f"SELECT COUNT(*) FROM {table} k WHERE NOT coalesce({BELIEVED}, 0)").fetchone()[0])


def hidden(base: sqlite3.Connection) -> tuple[str, ...]:
    """A sentence where whole graphs were traced and not their kernels."""
    number = base.execute(f"SELECT COUNT(*) FROM {GRAPHS}").fetchone()[0]
    said = f"{number:,} launches of CUDA graphs were traced whole, so their kernels are missing; use --cuda-graph-trace=node."
    return (said,) if number else ()


def lost(base: sqlite3.Connection) -> tuple[str, ...]:
    """A sentence where the profiler says that it dropped events of the GPU."""
    rows = base.execute(f"SELECT text FROM {DIAGNOSTICS} WHERE text LIKE '%CUPTI events dropped: %'").fetchmany(100)
    found = [re.search(r"CUPTI events dropped: (\d{1,15})", str(text)) for (text,) in rows]
    number = sum(int(match[1]) for match in found if match)
    said = f"Nsight Systems dropped {number:,} events of the GPU: kernels are missing, so no sum is whole."
    return (said,) if number else ()


def only_gpu(base: sqlite3.Connection) -> str | None:
    """The NVIDIA GPU, where there is one kind of it."""
    if "name" not in columns_of(base, "TARGET_INFO_GPU"):
        return None
    names = {str(row[0]) for row in base.execute("SELECT name FROM TARGET_INFO_GPU")}
    ours = sorted(n for n in names if "NVIDIA" in n or "GeForce" in n)
    return ours[0] if len(ours) == 1 else None
