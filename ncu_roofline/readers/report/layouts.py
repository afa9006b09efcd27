"""Launches whose bytes lie alike: what was learned from one decodes the next in one step.

The profiler writes launch after launch with the same fields in the same places; only the numbers differ.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from ncu_roofline.readers.report.launches import DOUBLE_KEY, PARTS, UINT64_KEY, VALUE_KEY, named, row
from ncu_roofline.readers.report.plan import METRIC_KEY, Cell, Plan
from ncu_roofline.readers.report.wire import BROKEN, SIZED, varint
from ncu_roofline.readers.report.wire import field as wire_field

SAME, NUMBER, COUNT, PART, SKIPPED = "same", "number", "count", "part", "skipped"
"""Kinds of pieces: bytes that must be the same, a double, a whole number, a name or size or range, what nobody asked for."""
Piece = tuple[str, int, int]
"""Kind, bytes, place of its cell (of a part: its field)."""
MOST_OF_A_LENGTH = 16
MOST_PAIRS = 1 << 16
FREE, PER_HIT = 1 << 20, 16
"""Bytes of launches that may be learned from before that is of use; decoded bytes for each further one that must have been."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers of a launch lie, and everything around them."""

    unpack: Callable[[bytes], tuple[Any, ...]]
    same: Callable[[tuple[Any, ...]], Any]
    bytes: Any
    """What `same` picks, where a launch lies so."""
    numbers: tuple[tuple[int, int], ...]
    """Place in the unpacked launch, and in the row."""
    counts: tuple[tuple[int, int, bytes], ...]
    """The same, and the bytes that it was learned from: attributes of the device never change."""
    parts: tuple[tuple[int, int, bytes, Callable[[bytes], Any]], ...]
    """The same, and what decodes it."""
    cells: tuple[Cell, ...]
    """The row of the launch from which it was learned."""

    def row(self, data: bytes) -> list[Cell] | None:
        """The cells of a launch of this length; None where it lies otherwise."""
        found = self.unpack(data)
        if self.same(found) != self.bytes:
            return None
        cells = list(self.cells)
        for at, place in self.numbers:  # this loop is the reader's speed for large captures
            cells[place] = found[at]
        for at, place, known in self.counts:
            if (coded := found[at]) != known:
                number, end = varint(coded, 0)
                if end != len(coded):
                    return None
                cells[place] = number
        for at, place, known, decoded in self.parts:
            if (coded := found[at]) != known:
                cells[place] = decoded(coded)
        return named(cells)


@dataclass(slots=True)
class Layouts:
    """Decodes launches by the layouts that it learns on the way; else one by one."""

    wanted: Plan
    known: dict[int, list[Layout]] = field(default_factory=dict)
    """By the length of a launch, the one used last first."""
    after: dict[tuple[int, int], Layout] = field(default_factory=dict)
    """By the layout before, and the length: kernels come in turns."""
    last: int = 0
    learned: int = 0
    used: int = 0

    def row(self, data: bytes, wanted: Plan) -> list[Cell]:
        """The cells of one launch, as launches.row() gives them; raises one of wire.BROKEN."""
        turn = self.last, len(data)
        expected = self.after.get(turn)
        if expected and (cells := fitting(expected, data)):
            self.used += len(data)
            self.last = id(expected)
            return cells
        layouts = self.known.get(len(data))
        if layouts is None:  # what comes once may come never again
            self.known[len(data)] = []
            return row(data, wanted)
        for layout in layouts:
            if cells := fitting(layout, data):
                self.used += len(data)
                self.turn(turn, layout)
                return cells
        cells = row(data, wanted)
        if self.learned < FREE + self.used // PER_HIT:
            self.learned += len(data)
            with suppress(*BROKEN):  # in what nobody asked for
                layouts.insert(0, layout_of(data, cells, wanted))
                del layouts[MOST_OF_A_LENGTH:]
                self.turn(turn, layouts[0])
        return cells

    def turn(self, turn: tuple[int, int], layout: Layout) -> None:
        """Keeps which layout came after which."""
        if len(self.after) > MOST_PAIRS:
            self.after.clear()
        self.after[turn] = layout
        self.last = id(layout)


def fitting(layout: Layout, data: bytes) -> list[Cell] | None:
    """The row by this layout; None where the launch lies otherwise, or is damaged."""
    try:
        return layout.row(data)
    except BROKEN:
        return None


def layout_of(data: bytes, cells: list[Cell], wanted: Plan) -> Layout:
    """What can be learned from a launch that was decoded."""
    found = merged(list(pieces(data, wanted)))
    codes = {SAME: "{}s", NUMBER: "d", COUNT: "{}s", PART: "{}s", SKIPPED: "{}x"}
    form = struct.Struct("<" + "".join(codes[kind].format(size) for kind, size, _ in found))
    told = [piece for piece in found if piece[0] != SKIPPED]
    same = [n for n, (kind, *_) in enumerate(told) if kind == SAME]
    values = form.unpack(data)
    pick = itemgetter(*same)  # a launch begins with a key, so there is one
    return Layout(
        form.unpack,
        pick,
        pick(values),
        tuple((n, place) for n, (kind, _, place) in enumerate(told) if kind == NUMBER),
        tuple((n, place, values[n]) for n, (kind, _, place) in enumerate(told) if kind == COUNT),
        tuple((n, PARTS[number][0], values[n], PARTS[number][1]) for n, (kind, _, number) in enumerate(told) if kind == PART),
        tuple(cells),
    )


def merged(found: list[Piece]) -> list[Piece]:
    """The pieces with neighbours of one kind in one, where they hold no number."""
    kept: list[Piece] = []
    for kind, size, place in found:
        if kept and kept[-1][0] == kind and kind in (SAME, SKIPPED):
            kept[-1] = (kind, kept[-1][1] + size, place)
        else:
            kept.append((kind, size, place))
    return kept


def pieces(data: bytes, wanted: Plan) -> Iterator[Piece]:
    """The launch from its first byte to its last."""
    at = 0
    while at < len(data):
        number, kind, start, end = wire_field(data, at)
        if data[at] == METRIC_KEY:
            yield SAME, start - at, 0
            yield from metric(data, start, end, wanted)
        elif kind == SIZED:
            yield SAME, start - at, 0
            yield PART if number in PARTS else SKIPPED, end - start, number
        else:
            yield SAME, end - at, 0
        at = end


def metric(data: bytes, start: int, end: int, wanted: Plan) -> Iterator[Piece]:
    """A metric: its name must be the same, its value is a number, or nobody asked for it."""
    index, at = varint(data, start + 1)  # behind NAME_KEY: the launch was decoded
    yield SAME, at - start, 0
    place = wanted.places[index]
    if place is None:
        yield SKIPPED, end - at, 0
    elif place in wanted.listed or end - at < 4 or data[at] != VALUE_KEY:
        yield SAME, end - at, 0
    elif data[at + 1] == 9 and data[at + 2] == DOUBLE_KEY and end - at >= 11:
        yield SAME, 3, 0
        yield NUMBER, 8, place
        yield SKIPPED, end - at - 11, 0
    elif data[at + 2] == UINT64_KEY and 2 <= data[at + 1] <= 11 and varint(data, at + 3)[1] == at + 2 + data[at + 1] <= end:
        yield SAME, 3, 0
        yield COUNT, data[at + 1] - 1, place
        yield SKIPPED, end - at - 2 - data[at + 1], 0
    else:
        yield SAME, end - at, 0
