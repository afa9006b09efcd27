"""Exports of Nsight Systems to SQLite, schemas 2.9 (2022) to 3.25 (2026)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl

from ncu_roofline.capture.timeline import FARTHEST, LONGEST, RANGES, SCHEMA, Timeline
from ncu_roofline.errors import UnreadableCapture

KERNELS, GRAPHS = "CUPTI_ACTIVITY_KIND_KERNEL", "CUPTI_ACTIVITY_KIND_GRAPH_TRACE"
MEMORY = {"copy": "CUPTI_ACTIVITY_KIND_MEMCPY", "set": "CUPTI_ACTIVITY_KIND_MEMSET"}
MOST_ROWS = 20_000_000
BELIEVED = f"k.end - k.start BETWEEN 0 AND {LONGEST} AND abs(k.start) <= {FARTHEST}"
WHO = "k.deviceId, k.streamId, k.correlationId"


def read(path: Path, name: str) -> Timeline:
    """The kernels, copies and sets of an export."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as base:
            # one value of the oldest exports is no UTF-8
            base.text_factory = lambda raw: raw.decode("utf-8", "replace")
            base.execute("PRAGMA trusted_schema = OFF")
            return taken(base, name)
    except (sqlite3.Error, TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise UnreadableCapture(f"{name}: a damaged SQLite file, or no export of Nsight Systems; export it again") from error


def taken(base: sqlite3.Connection, name: str) -> Timeline:
    """The timeline that an open export holds."""
    # views are left alone: a stranger's could run for ever
    tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if KERNELS not in tables or "StringIds" not in tables:
        raise UnreadableCapture(f"{name}: an SQLite file without kernels of the GPU; export a run that traced CUDA")
    rows = kernels(base)
    if not rows:
        raise UnreadableCapture(f"{name}: a trace without GPU kernels; record CUDA too")
    for kind, table in MEMORY.items():
        if table in tables:
            rows += [(kind, f"[{kind}]", *row) for row in base.execute(memory(table)).fetchmany(MOST_ROWS)]
    notes = hidden(base) if GRAPHS in tables else ()
    return Timeline(
        source=name,
        events=pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("start", maintain_order=True),
        ranges=pl.DataFrame([], schema=RANGES),
        gpu=only_gpu(base) if "TARGET_INFO_GPU" in tables else None,
        notes=notes,
    )


def kernels(base: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Every kernel with its full name."""
    columns = {row[1] for row in base.execute(f"PRAGMA table_info({KERNELS})")}
    graph = "k.graphNodeId" if "graphNodeId" in columns else "NULL"
    query = (
        f"SELECT s.value, k.start, k.end - k.start, {WHO}, {graph}, k.gridX, k.gridY, k.gridZ, k.blockX, k.blockY, k.blockZ "
        f"FROM {KERNELS} k LEFT JOIN StringIds s ON s.id = k.demangledName WHERE {BELIEVED}"
    )
    found = base.execute(query).fetchmany(MOST_ROWS)
    return [("kernel", r[0] or "", *r[1:7], list(r[7:10]), list(r[10:13])) for r in found]


def memory(table: str) -> str:
    """The query of copies or sets."""
    return f"SELECT k.start, k.end - k.start, {WHO}, NULL, NULL, NULL FROM {table} k WHERE {BELIEVED}"


def hidden(base: sqlite3.Connection) -> tuple[str, ...]:
    """A sentence where whole graphs were traced and not their kernels."""
    number = base.execute(f"SELECT COUNT(*) FROM {GRAPHS}").fetchone()[0]
    said = f"{number:,} launches of CUDA graphs were traced whole, so their kernels are missing; use --cuda-graph-trace=node."
    return (said,) if number else ()


def only_gpu(base: sqlite3.Connection) -> str | None:
    """The NVIDIA GPU, where there is one kind of it."""
    names = {str(row[0]) for row in base.execute("SELECT name FROM TARGET_INFO_GPU")}
    ours = sorted(n for n in names if "NVIDIA" in n or "GeForce" in n)
    return ours[0] if len(ours) == 1 else None
