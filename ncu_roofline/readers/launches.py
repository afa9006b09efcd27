"""One launch's bytes -> a row of cells; metrics that nobody asked for are skipped undecoded.

Field numbers: Nsight Compute Customization Guide, "Report File Format".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ncu_roofline.readers.wire import (
    DOUBLE,
    SIZED,
    VARINT,
    Damaged,
    Value,
    field,
    message,
    part,
    text,
    value,
    varint,
    whole,
)

PROCESS, KERNEL, NAME, GRID, BLOCK, NVTX, MANGLED = range(7)
FIXED = 7
"""Cells that every row begins with; the metrics of the plan follow."""

METRIC_KEY, NAME_KEY, VALUE_KEY, DOUBLE_KEY = 13 << 3 | 2, 1 << 3, 2 << 3 | 2, 3 << 3 | 1
"""Keys as the encoded bytes in which they begin: field number times eight plus wire type."""

MOST_INSTANCES = 100_000
"""Of a kept metric; the longest seen, one value per opcode, has some hundred."""
MOST_RANGES = 1_000

Opcodes = list[dict[str, Any]]
Cell = Any
"""int, float, str, list or None: what a column of the frame is built from."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which metrics a row keeps, by place in the file's name table."""

    places: list[int | None]
    listed: frozenset[int]
    """Places that keep the instances of a metric instead of its value."""
    width: int


def plan(names: Iterable[str], kept: dict[str, int], listed: Iterable[str]) -> Plan:
    """The plan that puts each kept metric into its place."""
    places = [kept.get(name) for name in names]
    return Plan(places, frozenset(kept[n] for n in listed if n in kept), FIXED + len(kept))


def row(data: bytes, wanted: Plan) -> list[Cell]:
    """The cells of one launch; raises one of wire.BROKEN where the bytes are no launch."""
    cells: list[Cell] = [None] * wanted.width
    places = wanted.places
    at, end = 0, len(data)
    while at < end:
        if data[at] != METRIC_KEY:
            at = _other(data, at, cells)
            continue
        size, at = varint(data, at + 1) if data[at + 1] > 127 else (data[at + 1], at + 2)
        stop = at + size
        # nearly every metric begins with its name; the rest is decoded only if it is wanted
        if data[at] == NAME_KEY:
            index, at = varint(data, at + 1) if data[at + 1] > 127 else (data[at + 1], at + 2)
            place = places[index]
            if place is not None:
                _keep(data, at, stop, place, wanted, cells)
        elif size:
            raise Damaged("a metric that does not begin with its name")
        at = stop
    if at != end:
        raise Damaged("a launch that ends inside a field")
    return _named(cells)


def _keep(data: bytes, at: int, stop: int, place: int, wanted: Plan, cells: list[Cell]) -> None:
    if place in wanted.listed:
        cells[place] = instances(data[at:stop])
    elif at == stop:
        return
    elif data[at] == VALUE_KEY and data[at + 1] == 9 and data[at + 2] == DOUBLE_KEY:
        cells[place] = DOUBLE(data, at + 3)[0]
    elif (found := _value(data[at:stop])) is not None:
        cells[place] = found


def _value(metric: bytes) -> Value:
    found = None
    for number, content in message(metric):
        if number == 2:
            found = value(part(content))
    return found


def instances(metric: bytes) -> Opcodes | None:
    """Identifier and value of each instance of a metric; None where it has none."""
    found: Opcodes = []
    for number, content in message(metric):
        if number == 3:
            pair = {n: value(part(c)) for n, c in message(part(content)) if n in (1, 2)}
            found.append({"id": pair.get(1), "value": pair.get(2)})
            if len(found) > MOST_INSTANCES:
                raise Damaged("more instances than any metric has")
    return found or None


def _other(data: bytes, at: int, cells: list[Cell]) -> int:
    number, kind, start, stop = field(data, at)
    if stop > len(data):
        raise Damaged("a field that ends after its launch")
    if kind == VARINT and number == 1:
        cells[PROCESS] = _small(varint(data, start)[0])
    elif kind == SIZED and number in PARTS:
        place, decoded = PARTS[number]
        cells[place] = decoded(data[start:stop])
    return stop


def _small(number: int) -> int | None:
    return number if number < 1 << 62 else None


def extent(data: bytes) -> list[int] | None:
    """x, y, z of a grid or block; None where the profiler stored zeros because the launch failed."""
    sides = {number: whole(content) for number, content in message(data) if number in (1, 2, 3)}
    found = [sides.get(number, 0) for number in (1, 2, 3)]
    return found if all(0 < side < 1 << 32 for side in found) else None


def ranges(data: bytes) -> list[str]:
    """Names of the open push/pop ranges, outermost first, by domain number."""
    stacks: dict[int, list[str]] = {}
    for number, thread in message(data):
        if number == 2:
            for inner, stack in message(part(thread)):
                if inner == 2:
                    _stack(part(stack), stacks)
    return [name for domain in sorted(stacks) for name in stacks[domain]][:MOST_RANGES]


def _stack(data: bytes, stacks: dict[int, list[str]]) -> None:
    domain, names = 0, []
    for number, content in message(data):
        if number == 1:
            domain = whole(content)
        elif number == 3:
            names += [text(c) for n, c in message(part(content)) if n == 1]
    stacks.setdefault(domain, []).extend(names)


PARTS: dict[int, tuple[int, Callable[[bytes], Any]]] = {
    5: (MANGLED, text),
    6: (KERNEL, text),
    7: (NAME, text),
    10: (GRID, extent),
    11: (BLOCK, extent),
    21: (NVTX, ranges),
}


def _named(cells: list[Cell]) -> list[Cell]:
    # kernels that were not mangled have no demangled name; NVIDIA's reader then gives the plain one
    cells[KERNEL] = cells[KERNEL] or cells[MANGLED]
    cells[NAME] = cells[NAME] or cells[MANGLED] or cells[KERNEL]
    if not cells[KERNEL]:
        raise Damaged("a launch without a name")
    return cells
