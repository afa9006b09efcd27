"""The CSV that `nsys stats -r cuda_gpu_trace` writes: one row per kernel, copy or set."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from ncu_roofline.capture.timeline import FARTHEST, LONGEST, RANGES, SCHEMA, Timeline, finished, untimed
from ncu_roofline.errors import UnreadableCapture

UNITS = {"n": 1, "u": 1_000, "µ": 1_000, "μ": 1_000, "m": 1_000_000, "s": 1_000_000_000}
"""Nanoseconds by the first letter of a unit: ns or nsec, both signs of micro, ms, s."""
HEADING = re.compile(r'(?m)^\ufeff?"?Start ?\((\w{1,5})\)"?(,|;|\t)"?Duration ?\((\w{1,5})\)')
"""How the first line of every version begins; nsys writes it with commas or tabs."""
CHATTER = 2**16
"""Where the header must stand at the latest: nsys may write lines of its own before it."""


def read(path: Path, name: str) -> Timeline:
    """The rows of a trace; a summary is refused, for it holds no launches."""
    with path.open("rb") as file:
        body = file.read(CHATTER)
    top = body.decode("utf-8", "replace")
    if "Instances" in top and "Total Time (" in top:
        raise UnreadableCapture(f"{name}: sums per kernel hold no launches; export cuda_gpu_trace instead of cuda_gpu_kern_sum")
    heading = HEADING.search(top)
    if heading is None or not {heading[1][0], heading[3][0]} <= UNITS.keys():
        raise UnreadableCapture(f"{name}: no timeline; name a trace of PyTorch's profiler or an export of Nsight Systems")
    try:
        # lines of nsys itself may stand before the header
        before = top.count("\n", 0, heading.start())
        rows = pl.scan_csv(path, infer_schema=False, skip_lines=before, separator=heading[2])
        events = shaped(rows)
        devices = rows.select(pl.col("^Device$").unique()).collect(engine="streaming")
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise UnreadableCapture(f"{name}: a damaged CSV of cuda_gpu_trace; export it again") from error
    return timed(name, events, devices)


def timed(name: str, events: pl.DataFrame, devices: pl.DataFrame) -> Timeline:
    """The timeline of the rows that have a possible time; the others are counted."""
    believed = events.filter(pl.col("start").abs().le(FARTHEST) & pl.col("nanoseconds").is_between(0, LONGEST))
    if not (events["kind"] == "kernel").any():
        raise UnreadableCapture(f"{name}: a trace without GPU kernels; record CUDA too")
    if not (believed["kind"] == "kernel").any():
        raise UnreadableCapture(f"{name}: its times are no plain numbers; export cuda_gpu_trace again as nsys writes it")
    named = devices.to_series().drop_nulls() if devices.width else pl.Series([], dtype=pl.String)
    gpu = named[0].rpartition(" (")[0] if len(named) == 1 else None
    ranges = pl.DataFrame([], schema=RANGES)
    notes = untimed(events.height - believed.height)
    return Timeline(
        source=name, events=finished(believed, ranges), ranges=ranges, gpu=gpu or None, notes=notes, lost=bool(notes)
    )


def shaped(rows: pl.LazyFrame) -> pl.DataFrame:
    """The rows as events; `GrdX` is empty for copies and sets."""
    columns = rows.collect_schema().names()
    start, size = columns[:2]
    name = pl.col("Name").fill_null("")
    memory = pl.when(name.str.contains("(?i)memset")).then(pl.lit("set")).otherwise(pl.lit("copy"))
    kind = pl.when(pl.col("GrdX").is_not_null()).then(pl.lit("kernel")).otherwise(memory)
    known = {
        "kind": kind,
        "name": name,
        "start": time(start),
        "nanoseconds": time(size),
        "device": number(columns, "Device"),
        "stream": number(columns, "Strm"),
        "correlation": number(columns, "CorrId"),
        "graph": pl.lit(None),
        "grid": sides("GrdX", "GrdY", "GrdZ"),
        "block": sides("BlkX", "BlkY", "BlkZ"),
        "launched": pl.lit(None),
    }
    found = rows.select(expression.cast(SCHEMA[c]).alias(c) for c, expression in known.items())
    return found.collect(engine="streaming")


def time(heading: str) -> pl.Expr:
    """A time in whole nanoseconds, by the unit in its heading; raises ValueError where damage put something else there."""
    _, told, unit_of = heading.rpartition("(")
    if not told or unit_of[:1] not in UNITS:
        raise ValueError(heading)
    unit = UNITS[unit_of[0]]
    whole = pl.col(heading).cast(pl.Int64, strict=False)
    scaled = (pl.col(heading).cast(pl.Float64, strict=False) * unit).round().cast(pl.Int64, strict=False)
    return whole if unit == 1 else scaled


def number(columns: list[str], heading: str) -> pl.Expr:
    """A whole number; that of a device stands in brackets after its name."""
    if heading not in columns:
        return pl.lit(None)
    return pl.col(heading).str.extract(r"(\d+)\)?$").cast(pl.Int64, strict=False)


def sides(*headings: str) -> pl.Expr:
    """A grid or block; null for what has none."""
    together = pl.concat_list(pl.col(h).cast(pl.Int64, strict=False) for h in headings)
    return pl.when(pl.col(headings[0]).is_not_null()).then(together)
