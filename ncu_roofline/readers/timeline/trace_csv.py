"""The CSV that `nsys stats -r cuda_gpu_trace` writes: one row per kernel, copy or set."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from ncu_roofline.capture.timeline import FARTHEST, LONGEST, RANGES, SCHEMA, Timeline, finished
from ncu_roofline.errors import UnreadableCapture

UNITS = {"ns": 1, "us": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
HEADING = re.compile(rb"Start ?\(\w+\),Duration ?\(")
"""How the first line of every version begins."""
CHATTER = 2**16
"""Where the header must stand at the latest: nsys may write lines of its own before it."""


def read(path: Path, name: str) -> Timeline:
    """The rows of a trace; a summary is refused, for it holds no launches."""
    with path.open("rb") as file:
        body = file.read(CHATTER)
    top = body.decode("utf-8", "replace")
    if "Instances" in top and "Total Time (" in top:
        raise UnreadableCapture(f"{name}: sums per kernel hold no launches; export cuda_gpu_trace instead of cuda_gpu_kern_sum")
    heading = HEADING.search(body)
    if heading is None:
        raise UnreadableCapture(f"{name}: no timeline; name a trace of PyTorch's profiler or an export of Nsight Systems")
    try:
        # lines of nsys itself may stand before the header
        rows = pl.scan_csv(path, infer_schema=False, skip_lines=body.count(b"\n", 0, heading.start()))
        events = shaped(rows)
        devices = rows.select(pl.col("^Device$").unique()).collect(engine="streaming")
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise UnreadableCapture(f"{name}: a damaged CSV of cuda_gpu_trace; export it again") from error
    if not (events["kind"] == "kernel").any():
        raise UnreadableCapture(f"{name}: a trace without GPU kernels; record CUDA too")
    named = devices.to_series().drop_nulls() if devices.width else pl.Series([], dtype=pl.String)
    gpu = named[0].rpartition(" (")[0] if len(named) == 1 else None
    ranges = pl.DataFrame([], schema=RANGES)
    return Timeline(source=name, events=finished(events, ranges), ranges=ranges, gpu=gpu or None)


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
    believed = pl.col("start").abs().le(FARTHEST) & pl.col("nanoseconds").is_between(0, LONGEST)
    return found.filter(believed).collect(engine="streaming")


def time(heading: str) -> pl.Expr:
    """A time in whole nanoseconds, by the unit in its heading."""
    unit = UNITS.get(heading.rpartition("(")[2].rstrip(")"), 1)
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
