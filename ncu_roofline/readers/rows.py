"""Rows of cells -> Capture: the same for the project's own reader of reports and for NVIDIA's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import polars as pl

from ncu_roofline.capture import schema, units
from ncu_roofline.capture.capture import Device
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.knowledge import counters
from ncu_roofline.readers.report.plan import BLOCK, FIXED, GRID, KERNEL, NAME, NVTX, PROCESS, Cell

TIME_IN_NS = re.compile(r"\w+__time_\w+(?:\.(?:sum|avg|min|max))?|\w+_interval_time")
"""Names of times: in the corpus exactly the metrics whose unit NVIDIA's reader gives as ns."""

DURATIONS = tuple(f"gpu__time_duration.{part}" for part in ("sum", "avg", "max"))
STREAM, DEVICE_NUMBER = "launch__stream_id", "launch__device_id"
ATTRIBUTE = "device__attribute_"
ATTRIBUTES = (
    "display_name",
    "compute_capability_major",
    "compute_capability_minor",
    "multiprocessor_count",
    "fb_bus_width",
    "global_memory_bus_width",
    "chip",
    "integrated",
    "ecc_enabled",
    "max_gpu_frequency_khz",
    "clock_rate",
    "max_mem_frequency_khz",
    "memory_clock_rate",
    "total_memory",
    "l2_cache_size",
    "device_index",
)
STEADY = tuple(ATTRIBUTE + name for name in ATTRIBUTES if name != "device_index")
"""Metrics of the device, which are alike in every launch but for its number."""
SAME = 4
"""The first attributes tell devices apart; clocks and free memory may differ between twins."""

ROWS_AT_ONCE, ROWS_TURNED = 1 << 14, 1 << 8
MOST_WHOLE = 1 << 62
MOST_OF_A_DEVICE = 1e15
"""No size, clock or number of parts comes near."""
MOST_CELL_BYTES = 64 << 20
"""Plus the size of the file: a launch takes more bytes in a report than in the frame."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which metrics are kept, and in which cell of a row."""

    measured: tuple[str, ...]
    places: dict[str, int]
    times: frozenset[str]
    """Those that the profiler stores in nanoseconds."""

    @property
    def listed(self) -> tuple[str, ...]:
        """Metrics of which the value per opcode is kept."""
        return tuple(name for name in self.measured if "_per_opcode" in name)


def times(names: Iterable[str]) -> frozenset[str]:
    """Those of the names that are times, for a reader that is not told the units."""
    return frozenset(name for name in names if TIME_IN_NS.fullmatch(name))


def columns(names: Iterable[str], metrics: Iterable[str], times: frozenset[str]) -> Columns:
    """The columns for a file with these metric names: what the project uses and what is asked for."""
    known = {n for n in names if not n.startswith((ATTRIBUTE, "breakdown:", "group:", "regex:"))}
    measured = tuple(sorted(counters.wanted(known, metrics)))
    needed = [*measured, *DURATIONS, STREAM, DEVICE_NUMBER, *(ATTRIBUTE + a for a in ATTRIBUTES)]
    places = {name: FIXED + n for n, name in enumerate(dict.fromkeys(needed))}
    return Columns(measured, places, times)


@dataclass(slots=True)
class Table:
    """The frame of all launches, and the devices they ran on."""

    frame: pl.DataFrame
    devices: list[tuple[Any, ...]]
    cut: bool
    """Whether there were more launches than a file of this size can hold."""


def table(rows: Iterable[list[Cell]], kept: Columns, file_bytes: int) -> Table:
    """The frame of these rows, built piece by piece so that only finished columns stay in memory."""
    pieces: list[pl.DataFrame] = []
    devices: dict[tuple[Any, ...], None] = {}
    count, most = 0, (MOST_CELL_BYTES + file_bytes) // (8 * (FIXED + len(kept.places)))
    for cells in _turned(rows, FIXED + len(kept.places)):
        count += len(cells[KERNEL])
        pieces.append(_piece(cells, kept))
        devices.update(dict.fromkeys(_devices([cells[kept.places[ATTRIBUTE + name]] for name in ATTRIBUTES])))
        if count > most:
            break
    frame = pl.concat(pieces or [_piece([[]] * (FIXED + len(kept.places)), kept)])
    return Table(frame.with_columns(pl.col("kernel", "name").cast(pl.String)), list(devices), count > most)


def _turned(rows: Iterable[list[Cell]], width: int) -> Iterator[list[list[Cell]]]:
    """The rows as columns, so many at once; turned by few rows at a time, which stay in the processor's cache."""
    remaining = iter(rows)
    while few := list(islice(remaining, min(ROWS_TURNED, ROWS_AT_ONCE))):
        cells: list[list[Cell]] = [[] for _ in range(width)]
        while few:
            for column, part in zip(cells, zip(*few, strict=True), strict=True):
                column.extend(part)
            few = list(islice(remaining, min(ROWS_TURNED, ROWS_AT_ONCE - len(cells[0]))))
        yield cells


def _devices(attributes: Sequence[Sequence[Cell]]) -> Iterable[tuple[Cell, ...]]:
    # one device is the rule, and counting is quicker than a tuple for every launch
    alike = all(cells.count(cells[0]) == len(cells) for cells in attributes)
    return [tuple(cells[0] for cells in attributes)] if alike else zip(*attributes, strict=True)


def _piece(cells: Sequence[Sequence[Cell]], kept: Columns) -> pl.DataFrame:
    def of(metric: str) -> Any:
        return cells[kept.places[metric]]

    index = cells[kept.places[ATTRIBUTE + "device_index"]]
    fixed = {
        # each different name is kept once: a million launches have some hundred
        "kernel": pl.Series(cells[KERNEL], dtype=pl.Categorical),
        "name": pl.Series(cells[NAME], dtype=pl.Categorical),
        "device": _integers(a if a is not None else b for a, b in zip(of(DEVICE_NUMBER), index, strict=True)),
        "stream": _integers(of(STREAM)),
        "process": _integers(cells[PROCESS]),
        "grid": _triples(cells[GRID]),
        "block": _triples(cells[BLOCK]),
        "nvtx": pl.Series(cells[NVTX], dtype=pl.List(pl.String)),
        "seconds": pl.select(pl.coalesce(_floats(of(name), name in kept.times) for name in DURATIONS)).to_series(),
    }
    measured = {
        schema.MEASURED + name: _opcodes(of(name)) if name in kept.listed else _floats(of(name), name in kept.times)
        for name in kept.measured
    }
    return pl.DataFrame({**fixed, **measured})


def _integers(cells: Iterable[Cell]) -> pl.Series:
    listed = list(cells)
    if set(map(type, listed)) == {int} and min(listed) > -MOST_WHOLE and max(listed) < MOST_WHOLE:
        return pl.Series(listed, dtype=pl.Int64)
    return pl.Series([_integer(cell) for cell in listed], dtype=pl.Int64)


def _integer(cell: Cell) -> int | None:
    if isinstance(cell, int | float) and math.isfinite(cell) and abs(cell) < MOST_WHOLE:
        return int(cell)
    return None


def _triples(cells: Sequence[Cell]) -> pl.Series:
    # from one flat list: a list of lists costs polars a series for every row
    known = [cell is not None for cell in cells]
    flat = pl.Series(list(chain.from_iterable(cell or (0, 0, 0) for cell in cells)), dtype=pl.Int64)
    sides = flat.reshape((len(cells), 3))
    return sides if all(known) else pl.select(pl.when(pl.Series(known, dtype=pl.Boolean)).then(sides)).to_series()


def _floats(cells: Sequence[Cell], in_ns: bool) -> pl.Series:
    if not in_ns and set(map(type, cells)) <= {float}:
        return pl.Series(cells, dtype=pl.Float64)
    scale = 1e9 if in_ns else 1.0  # divided here: polars multiplies by the inverse, one digit off
    numbers = [c / scale if isinstance(c, int | float) else None for c in cells]
    return pl.Series(numbers, dtype=pl.Float64)


def _opcodes(cells: Iterable[Cell]) -> pl.Series:
    return pl.Series([_numeric(cell) for cell in cells], dtype=schema.OPCODES)


def _numeric(cell: Cell) -> list[dict[str, Any]] | None:
    if not isinstance(cell, list):
        return None
    return [
        {"id": str(opcode), "value": float(count)}
        for opcode, count in cell
        if opcode is not None and isinstance(count, int | float)
    ]


def launches(found: Table, source: str) -> tuple[pl.DataFrame, list[str]]:
    """The conforming frame without counters that no launch has, and a note on values that are none."""
    absent = [c.name for c in found.frame if c.name.startswith(schema.MEASURED) and c.null_count() == len(c)]
    frame = found.frame.drop(absent).with_row_index("index")
    strange = frame.select(pl.sum_horizontal((~schema.believable(pl.col(pl.Float64))).fill_null(False)).alias("n"))
    notes = list(not_numbers(strange["n"]))
    whole = frame.with_columns(profiler_id=pl.col("index"))
    return schema.conform(whole, schema.LAUNCHES, source=source), notes


def not_numbers(strange: pl.Series) -> Iterator[str]:
    """A sentence where launches have so many values that no measurement gives."""
    if total := int(strange.sum()):
        count = int((strange > 0).sum())
        yield (
            f"{total:,} counter values of {units.counted(count, 'launch')} are not a number, or none that a GPU counts, "
            "in the report; they are read as not measured."
        )


def device(devices: list[tuple[Any, ...]], source: str) -> Device:
    """The one device of a report; raises UnreadableCapture where the launches ran on different ones."""
    known = [dict(zip(ATTRIBUTES, cells, strict=True)) for cells in devices if cells[0] is not None]
    kinds = sorted({str(facts["display_name"]) for facts in known})
    if len({tuple(facts[name] for name in ATTRIBUTES[:SAME]) for facts in known}) > 1:
        raise UnreadableCapture(
            f"{source}: mixed devices ({', '.join(kinds)}); capture each kind of device into its own report"
        )
    if not known:
        return Device()
    major, minor = (_integer(known[0][f"compute_capability_{part}"]) for part in ("major", "minor"))
    return described(known[0], None if major is None else f"{major}.{minor or 0}")


def described(facts: Mapping[str, Cell], capability: str | None) -> Device:
    """The device of these attributes, by their names without the prefix; one that is not told is unknown."""

    def first(*names: str, scale: float = 1) -> float | None:
        values = (facts.get(name) for name in names)
        return next((float(v) * scale for v in values if isinstance(v, int | float) and 0 < v < MOST_OF_A_DEVICE), None)

    name, chip = (None if facts.get(word) is None else str(facts[word]) for word in ("display_name", "chip"))
    return Device(
        name=name,
        compute_capability=capability,
        chip=chip,
        sms=_integer(first("multiprocessor_count")),
        sm_hertz=first("max_gpu_frequency_khz", "clock_rate", scale=1e3),
        memory_hertz=first("max_mem_frequency_khz", "memory_clock_rate", scale=1e3),
        bus_bits=_integer(first("fb_bus_width", "global_memory_bus_width")),
        memory_bytes=first("total_memory"),
        l2_bytes=first("l2_cache_size"),
        integrated=_flag(facts.get("integrated")),
        mig=None if name is None else " MIG " in name,
        ecc=_flag(facts.get("ecc_enabled")),
    )


def _flag(cell: Cell) -> bool | None:
    return bool(cell) if isinstance(cell, int | float) else None
