"""Every frame's columns: type, unit, what null means; the closed sets; conform()."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ncu_roofline.errors import UnreadableCapture

MEASURED = "m:"
"""Prefix of a counter that the profiler measured; the rest of the name is the profiler's own."""

OPCODES = pl.List(pl.Struct({"id": pl.String, "value": pl.Float64}))
"""An instanced counter: one value per opcode."""

SOURCES = ("counter", "rate", "cycles", "opcodes", "instructions", "pipe", "l2_miss")
ROLES = (
    "fc",
    "attention",
    "kv-cache",
    "norm",
    "rope",
    "activation",
    "quantize",
    "moe-routing",
    "comm",
    "sampling",
    "embedding",
    "ssm",
    "copy",
    "elementwise",
    "fused-step",
    "other",
)
ROLE_SOURCES = ("user", "nvtx", "name", "likely", "context", "behaviour")
FAMILIES = ("fc", "attention", "other")
PRECISIONS = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp6", "fp4", "int8", "int4", "int1")
SCALAR_PATHS = ("fp64", "fp32", "fp16_scalar")
TENSOR_PATHS = (
    "fp64_tensor",
    "tf32",
    "fp16",
    "fp16_fp16acc",
    "bf16",
    "fp8",
    "fp8_fp16acc",
    "fp6",
    "fp4",
    "int8",
    "int4",
    "int1",
)
PATHS = SCALAR_PATHS + TENSOR_PATHS
BOUNDS = ("memory", "compute")
LIMITS = ("memory", "compute", "latency")
GAIN_REASONS = ("share", "part_wave", "tail", "fusion", "padding", "reads", "launch", "helper", "at_ceiling")
BOUND_SOURCES = ("useful", "executed", "partial")
PHASES = ("decode", "prefill", "mixed")
"""A mixed step works on tokens of a prompt beside sequences that decode."""
PROMPTED = ("prefill", "mixed")
"""Phases in which tokens of prompts share what is read: no bytes per token of decode."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a frame: its type, its unit, what a null in it means, and how people see it."""

    name: str
    dtype: pl.DataType
    unit: str
    meaning: str
    null: str
    heading: str = ""
    """Above the column where a person sees it; the name where it says enough."""
    form: str = ""
    """How a value is written (present/forms/columns.py), where type and unit do not say it."""


def enum(values: Iterable[str]) -> pl.Enum:
    """A closed set of words as a column type."""
    return pl.Enum(list(values))


I64, F64, STR, BOOL = pl.Int64(), pl.Float64(), pl.String(), pl.Boolean()
TRIPLE = pl.Array(pl.Int64, 3)

WHOLE = ("graph", "range")
"""Names under which the profiler gives one result for everything in a CUDA graph or a range."""


def whole_result() -> pl.Expr:
    """Whether a row is one result for a whole graph or range: it has such a name, and no grid."""
    return pl.col("kernel").is_in(WHOLE) & pl.col("grid").is_null()


LAUNCHES = (
    Column("index", I64, "", "position of the launch in the capture, from 0", "never", heading="#"),
    Column("profiler_id", I64, "", "the profiler's own number of the launch", "not in the file"),
    Column("kernel", STR, "", "function name", "never"),
    Column("name", STR, "", "demangled name with template arguments and parameters", "never"),
    Column("device", I64, "", "number of the device in its machine", "not in the file"),
    Column("stream", I64, "", "CUDA stream", "not in the file"),
    Column("process", I64, "", "number of the process in the capture, from 0: not the system's own", "not in the file"),
    Column("grid", TRIPLE, "blocks", "grid, x y z", "not in the file"),
    Column("block", TRIPLE, "threads", "block, x y z", "not in the file"),
    Column("nvtx", pl.List(pl.String), "", "names of the open NVTX ranges, outermost first", "NVTX was not captured"),
    Column("seconds", F64, "s", "duration on the device", "not measured", heading="time"),
)
"""One row per kernel launch. Measured counters follow as `m:<profiler name>` in base SI units."""


def complete(frame: pl.DataFrame, columns: Iterable[Column]) -> pl.DataFrame:
    """The frame with every one of these columns: those that it lacks are null, of their type."""
    absent = [pl.lit(None, c.dtype).alias(c.name) for c in columns if c.name not in frame.columns]
    return frame.with_columns(absent)


def with_found(frame: pl.DataFrame, found: pl.DataFrame, on: str | Sequence[str]) -> pl.DataFrame:
    """The frame with what is found for each of its rows beside it: a left join that copies no column of the frame."""
    keys = [on] if isinstance(on, str) else list(on)
    told = frame.select(keys).join(found, on=keys, how="left", nulls_equal=True, maintain_order="left", validate="m:1")
    return frame.hstack(told.drop(keys))


def thin(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with each column of one value, or of none, kept as that value: a million rows of it take no memory."""
    if frame.height < MANY:
        return frame
    told = frame.select(pl.col(c).eq_missing(pl.col(c).first()).all() for c in flat(frame)).row(0, named=True)
    return frame.with_columns(pl.lit(frame[c][0], frame.schema[c]).alias(c) for c, same in told.items() if same)


def flat(frame: pl.DataFrame) -> list[str]:
    """Columns without lists, which are not compared."""
    return [c for c, kind in frame.schema.items() if not kind.is_nested()]


SMALLEST, LARGEST = 1e-24, 1e24
"""No counter, time or rate comes near: a GPU does some 1e15 of anything in a second."""
MANY = 100_000
"""Rows from which on memory counts."""


def numbered(launches: pl.DataFrame) -> pl.DataFrame:
    """The launches with their processes numbered from 0: which is which is all that the system's numbers are for."""
    return launches.with_columns(process=(pl.col("process").rank("dense").cast(pl.Int64) - 1))


def believable(number: pl.Expr) -> pl.Expr:
    """Whether a number can be a measurement: zero, or between bounds from which nothing that is computed overflows."""
    return (number == 0) | number.abs().is_between(SMALLEST, LARGEST)


def cleaned(kinds: Mapping[str, pl.DataType]) -> Iterator[pl.Expr]:
    """Every number that can be a measurement, null in place of the others; a time or a sum is not below zero."""
    for name in (name for name, kind in kinds.items() if kind == pl.Float64):
        number = pl.col(name)
        summed = name == "seconds" or name.endswith(".sum")
        yield pl.when(believable(number) & (number >= 0) if summed else believable(number)).then(number).alias(name)


def conform(frame: pl.DataFrame, columns: Iterable[Column], *, source: str) -> pl.DataFrame:
    """The frame with these columns first, in order and type; then its `m:` columns; no others.

    Not-a-number, infinity, what no GPU counts, and times and sums below zero become null: none is a measurement.
    """
    missing = sorted(c.name for c in columns if c.name not in frame.columns)
    if missing:
        raise UnreadableCapture(f"{source}: the reader left out {', '.join(missing)}")
    measured = [c for c in frame.columns if c.startswith(MEASURED)]
    shaped = frame.select(*[pl.col(c.name).cast(c.dtype) for c in columns], *measured)
    # no step takes the time of a whole result (2.2 to 2.4 times the kernels' sum on an H200)
    timed = shaped.with_columns(seconds=pl.when(~whole_result()).then("seconds"))
    return timed.with_columns(cleaned(timed.schema))
