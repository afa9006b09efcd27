"""What a run looked like on the clock: one row per kernel, copy or set on the device, undisturbed by counters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

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
    "rank": pl.Int64(),
    "range": pl.String(),
}
"""Whole nanoseconds, so that sums are exact; every column but kind, name, start and nanoseconds may be null.

`launched` is when the host began the call that launches it, on the same clock; `range` is the innermost one around it.
"""
RANGES = {"name": pl.String(), "start": pl.Int64(), "end": pl.Int64(), "device": pl.Int64()}
"""Ranges on the device, from the first start of their work to its last end: null device where the profiler does not tell."""
MARKS = {"name": pl.String(), "start": pl.Int64(), "end": pl.Int64(), "lane": pl.Int64()}
"""Ranges on the host; `lane` is the thread that opened them."""
CALLS = {"correlation": pl.Int64(), "launched": pl.Int64(), "lane": pl.Int64()}
"""Calls of the host that launch, by the thread that made them."""
DEEPEST = 32
"""Ranges inside of one another, as far as they are followed."""


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
    lost: bool = False
    """Whether the profiler says that kernels are missing."""


def untimed(number: int) -> tuple[str, ...]:
    """A sentence where events of the device have no possible time."""
    said = f"{number:,} {'event of the device has' if number == 1 else 'events of the device have'} no possible time"
    return (f"{said} and {'is' if number == 1 else 'are'} left out.",) if number else ()


def with_calls(work: pl.DataFrame, calls: pl.DataFrame, *also: str) -> pl.DataFrame:
    """Work of the device with the time and lane of the host's call; null where two calls share what they are joined by."""
    keys = ["correlation", *also]
    alone = calls.filter(pl.struct(keys).is_unique())
    return work.join(alone, on=keys, how="left", nulls_equal=True, maintain_order="left")


def finished(work: pl.DataFrame, ranges: pl.DataFrame, rank: int | None = None) -> pl.DataFrame:
    """Columns of SCHEMA in order of start, each event with its rank and its innermost range."""
    ordered = work.sort("start", maintain_order=True).with_columns(rank=pl.lit(rank, pl.Int64))
    found = pl.Series("range", [None] * ordered.height, dtype=pl.String)
    points = ordered.select(pl.int_range(pl.len()).alias("row"), lane="device", at="start")
    for level in levels(points, ranges.rename({"device": "lane"})):
        inner = points.select("row").join(level, on="row", how="left", maintain_order="left")["name"]
        found = inner.zip_with(inner.is_not_null(), found)
    return ordered.with_columns(range=found).select(pl.col(c).cast(kind) for c, kind in SCHEMA.items())


def levels(points: pl.DataFrame, ranges: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The points (row, lane, at) inside of a range (lane, start, end) of the same lane, the outermost ranges first.

    Ranges of one level do not overlap, so that each level is one search.
    """
    leveled = ranges.with_row_index("mark").with_columns(level=depths(ranges)).sort("start")
    known = points.filter(pl.col("at").is_not_null()).sort("at")
    for level in sorted(leveled["level"].unique().to_list())[:DEEPEST]:
        one = leveled.filter(pl.col("level") == level).drop("level")
        joined = join_last(known, one)
        yield joined.filter(pl.col("at") < pl.col("end")).select("row", "mark", "name", "start", "end")


def join_last(points: pl.DataFrame, ranges: pl.DataFrame) -> pl.DataFrame:
    """Each point with the last range of its lane that began before; a lane that is not told is every lane."""
    if ranges["lane"].null_count() or points["lane"].null_count():
        return points.join_asof(ranges.drop("lane"), left_on="at", right_on="start", coalesce=False)
    keys = {"left_on": "at", "right_on": "start", "by": "lane", "coalesce": False, "check_sortedness": False}
    return points.join_asof(ranges, **keys)  # type: ignore[arg-type]


def depths(ranges: pl.DataFrame) -> pl.Series:
    """How many ranges of its lane are open around each, so that none of one depth overlap."""
    ordered = ranges.with_row_index("mark").sort("lane", "start", "end", descending=[False, False, True])
    found = [0] * ranges.height
    still: list[tuple[int, int]] = []
    free: list[int] = []
    deep, before = 0, None
    for mark, lane, start, end in ordered.select("mark", "lane", "start", "end").iter_rows():
        if lane != before:
            still, free, deep, before = [], [], 0, lane
        while still and still[0][0] <= start:
            heappush(free, heappop(still)[1])
        if free:
            level = heappop(free)
        else:
            level, deep = deep, deep + 1
        found[mark] = level
        heappush(still, (end, level))
    return pl.Series("level", found, dtype=pl.Int64)


def on_device(marks: pl.DataFrame, work: pl.DataFrame) -> pl.DataFrame:
    """Ranges of the host (MARKS) as the time in which the work runs that they launch, on each device."""
    points = work.select(pl.int_range(pl.len()).alias("row"), "lane", "start", "nanoseconds", "device", at="launched")
    told = points.filter(pl.col("lane").is_not_null())
    found = [pl.DataFrame(schema={"mark": pl.UInt32(), **RANGES})]
    for level in levels(told.select("row", "lane", "at"), marks):
        ran = level.select("row", "mark", "name").join(told.drop("at", "lane"), on="row")
        end = (pl.col("start") + pl.col("nanoseconds")).max()
        found.append(ran.group_by("mark", "name", "device").agg(pl.col("start").min(), end=end).select(found[0].columns))
    return pl.concat(found).sort("start", "mark").drop("mark")


def opened(ranges: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    """The ranges in which each event begins, outermost first; null where the trace has none."""
    if ranges.is_empty():
        return pl.Series("nvtx", [None] * events.height, dtype=pl.List(pl.String))
    points = events.select(pl.int_range(pl.len()).alias("row"), lane="device", at="start")
    frame = points.select("row")
    for at, level in enumerate(levels(points, ranges.rename({"device": "lane"}))):
        frame = frame.join(level.select("row", pl.col("name").alias(f"{at}")), on="row", how="left", maintain_order="left")
    names = pl.concat_list(pl.exclude("row")) if frame.width > 1 else pl.lit([], dtype=pl.List(pl.String))
    return frame.select(names.list.drop_nulls().alias("nvtx")).to_series()
