"""What a run looked like on the clock: one row per kernel, copy or set on the device, undisturbed by counters."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

LONGEST, FARTHEST = 2**53, 2**62
"""Nanoseconds beyond which no duration and no moment is believed: what stays can be added up."""
KINDS = ("kernel", "copy", "set")
SCHEMA = {
    "kind": pl.Enum(KINDS),
    "name": pl.String(),
    "start": pl.Int64(),
    "nanoseconds": pl.Int64(),
    "device": pl.Int64(),
    "stream": pl.Int64(),
    "correlation": pl.Int64(),
    "graph": pl.Int64(),
    "grid": pl.List(pl.Int64),
    "block": pl.List(pl.Int64),
}
"""Whole nanoseconds, so that sums are exact; every column but kind, name, start and nanoseconds may be null."""
RANGES = {"name": pl.String(), "start": pl.Int64(), "end": pl.Int64(), "device": pl.Int64()}
"""Ranges on the device: null device where the profiler does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One trace in memory."""

    source: str
    events: pl.DataFrame
    """Columns of SCHEMA, in order of start."""
    ranges: pl.DataFrame
    """Columns of RANGES, in order of start."""
    gpu: str | None = None
    rank: int | None = None
    notes: tuple[str, ...] = ()
