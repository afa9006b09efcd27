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
    "launched": pl.Int64(),
}
"""Whole nanoseconds, so that sums are exact; every column but kind, name, start and nanoseconds may be null.

`launched` is when the host began the call that launches it, on the same clock.
"""
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


def with_calls(work: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
    """Work of the device in order of start, with the time of the host's call; null where two calls share a correlation."""
    alone = calls.filter(pl.col("correlation").is_unique())
    joined = work.join(alone, on="correlation", how="left", maintain_order="left")
    return joined.select(SCHEMA.keys()).sort("start", maintain_order=True)
