"""One launch's bytes -> a row of cells; metrics that nobody asked for are skipped undecoded.

Field numbers: Nsight Compute Customization Guide, "Report File Format".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ncu_roofline.readers.report.plan import (
    BLOCK,
    GRID,
    KERNEL,
    MANGLED,
    METRIC_KEY,
    NAME,
    NAME_KEY,
    NVTX,
    PROCESS,
    Cell,
    Opcodes,
    Plan,
)
from ncu_roofline.readers.report.wire import (
    DOUBLE,
    SIZED,
    VARINT,
    DamagedError,
    Value,
    field,
    message,
    part,
    text,
    value,
    varint,
    whole,
)

VALUE_KEY, DOUBLE_KEY, UINT64_KEY = 2 << 3 | 2, 3 << 3 | 1, 5 << 3

MOST_INSTANCES = 100_000
"""Of a kept metric; the longest seen, one value per opcode, has some hundred."""
MOST_RANGES = 1_000


def row(data: bytes, wanted: Plan) -> list[Cell]:
    """The cells of one launch; raises one of wire.BROKEN where the bytes are no launch."""
    cells: list[Cell] = [None] * wanted.width
    at, end = 0, len(data)
    while at < end:
        at = _metrics(data, at, wanted, cells) if data[at] == METRIC_KEY else _others(data, at, end, cells)
    if at != end:
        raise DamagedError("a launch that ends inside a field")
    return named(cells)


def graph_row(data: bytes, wanted: Plan) -> list[Cell]:
    """The cells of one result of a whole graph: named as NVIDIA's reader names it, without a grid."""
    fields = list(message(data))
    process = b"".join(encoded(1 << 3) + encoded(whole(content)) for number, content in fields if number == 1)
    same = [(GRAPH_FIELDS[number], part(content)) for number, content in fields if number in GRAPH_FIELDS]
    return row(process + b"".join(sized(number, content) for number, content in [(6, b"graph"), *same]), wanted)


GRAPH_FIELDS = {4: METRIC_KEY >> 3, 10: 21}
"""Fields of a graph's result -> those of a launch that hold the same: metrics, NVTX ranges."""


def sized(number: int, content: bytes) -> bytes:
    """A field of bytes, encoded."""
    return encoded(number << 3 | SIZED) + encoded(len(content)) + content


def encoded(number: int) -> bytes:
    """A whole number as a varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _metrics(data: bytes, at: int, wanted: Plan, cells: list[Cell]) -> int:
    # A launch has some thousand metrics of which some fifty are wanted: this loop is the reader's speed.
    # Numbers of one and two bytes are decoded in place.
    places, end, step_over = wanted.places, len(data), wanted.unwanted.match
    while at < end and data[at] == METRIC_KEY:
        if (run := step_over(data, at)) and run.end() > at:
            at = run.end()
            continue
        size, at = data[at + 1], at + 2
        if size > 127:
            if (high := data[at]) < 128:
                size, at = size + (high << 7) - 128, at + 1
            else:
                size, at = varint(data, at - 1)
        stop = at + size
        if data[at] != NAME_KEY:
            raise DamagedError("a metric that does not begin with its name")
        index, at = data[at + 1], at + 2
        if index > 127:
            if (high := data[at]) < 128:
                index, at = index + (high << 7) - 128, at + 1
            else:
                index, at = varint(data, at - 1)
        if (place := places[index]) is not None:
            _keep(data, at, stop, place, wanted, cells)
        at = stop
    return at


def _keep(data: bytes, at: int, stop: int, place: int, wanted: Plan, cells: list[Cell]) -> None:
    if place in wanted.listed:
        cells[place] = instances(data[at:stop])
    elif at == stop:
        return
    # nearly every value is a double or a whole number: told apart by three bytes, without a message
    elif data[at] == VALUE_KEY and data[at + 1] == 9 and data[at + 2] == DOUBLE_KEY:
        cells[place] = DOUBLE(data, at + 3)[0]
    elif data[at] == VALUE_KEY and 2 <= data[at + 1] <= 11 and data[at + 2] == UINT64_KEY:
        cells[place] = varint(data, at + 3)[0]
    elif (found := _value(data, at, stop)) is not None:
        cells[place] = found


def _value(data: bytes, at: int, stop: int) -> Value:
    while at < stop:
        number, _, start, at = field(data, at)
        if number == 2:
            return value(data[start:at])
    return None


def instances(metric: bytes) -> Opcodes | None:
    """Identifier and value of each instance of a metric; None where it has none."""
    found: Opcodes = []
    at, end = 0, len(metric)
    while at < end:
        number, _, start, at = field(metric, at)
        if number == 3:
            found.append(_instance(metric[start:at]))
            if len(found) > MOST_INSTANCES:
                raise DamagedError("more instances than any metric has")
    return found or None


@lru_cache(maxsize=1 << 14)
def _instance(data: bytes) -> tuple[Value, Value]:
    pair = {number: value(part(content)) for number, content in message(data) if number in (1, 2)}
    return pair.get(1), pair.get(2)


def _others(data: bytes, at: int, end: int, cells: list[Cell]) -> int:
    while at < end and (key := data[at]) != METRIC_KEY:
        # a sized field of less than 128 bytes with a number up to 15: the most frequent kind, decoded in place
        if key & 0x87 == SIZED and data[at + 1] < 128:
            number, kind, start, at = key >> 3, SIZED, at + 2, at + 2 + data[at + 1]
        else:
            number, kind, start, at = field(data, at)
        if kind == SIZED and number in PARTS:
            if at > end:
                raise DamagedError("a field that ends after its launch")
            place, decoded = PARTS[number]
            cells[place] = decoded(data[start:at])
        elif number == 1 and kind == VARINT:
            process, _ = varint(data, start)
            cells[PROCESS] = process if process < 1 << 62 else None
    return at


@lru_cache(maxsize=1 << 12)
def extent(data: bytes) -> tuple[int, ...] | None:
    """x, y, z of a grid or block; None where the profiler stored zeros because the launch failed."""
    sides = {number: whole(content) for number, content in message(data) if number in (1, 2, 3)}
    found = tuple(sides.get(number, 0) for number in (1, 2, 3))
    return found if all(0 < side < 1 << 32 for side in found) else None


@lru_cache(maxsize=1 << 12)
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


def named(cells: list[Cell]) -> list[Cell]:
    """The row with its names, each from the one that stands for it; raises DamagedError where there is none."""
    # kernels that were not mangled have no demangled name; NVIDIA's reader then gives the plain one
    cells[KERNEL] = cells[KERNEL] or cells[MANGLED]
    cells[NAME] = cells[NAME] or cells[MANGLED] or cells[KERNEL]
    if not cells[KERNEL]:
        raise DamagedError("a launch without a name")
    return cells
