"""Launches whose bytes lie alike: what was learned from one decodes the next in one step.

The profiler writes launch after launch with the same fields in the same places; only the numbers differ.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from ncu_roofline.readers.report.launches import DOUBLE_KEY, PARTS, UINT64_KEY, VALUE_KEY, named, row
from ncu_roofline.readers.report.plan import METRIC_KEY, Cell, Plan
from ncu_roofline.readers.report.wire import BROKEN, SIZED, varint
from ncu_roofline.readers.report.wire import field as wire_field

MOST_OF_A_LENGTH = 16
MOST_PAIRS = 1 << 16
PATIENCE = 8
"""Launches of a length that no layout fits, before one is learned from."""
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
    """The same, and the bytes that it was learned from."""
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
    """By the length of a launch, the one learned last first."""
    missed: dict[int, int] = field(default_factory=dict)
    """By the length, launches that none of them fitted."""
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
        layouts = self.known.setdefault(len(data), [])
        for layout in layouts:
            if cells := fitting(layout, data):
                self.used += len(data)
                self.turn(turn, layout)
                return cells
        cells = row(data, wanted)
        missed = self.missed[len(data)] = self.missed.get(len(data), 0) + 1
        # to learn takes as long as to decode some: what comes once may come never again
        if not missed % PATIENCE and self.learned < FREE + self.used // PER_HIT:
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
    form = formed(data, wanted)
    codes = struct.Struct("<" + "".join(form.codes))
    values = codes.unpack(data)
    taken = {at for at, *_ in (*form.numbers, *form.counts, *form.parts)}
    pick = itemgetter(*(n for n in range(len(values)) if n not in taken))  # a launch begins with a key, so there is one
    return Layout(
        codes.unpack,
        pick,
        pick(values),
        tuple(form.numbers),
        tuple((at, place, values[at]) for at, place in form.counts),
        tuple((at, PARTS[number][0], values[at], PARTS[number][1]) for at, number in form.parts),
        tuple(cells),
    )


@dataclass(slots=True)
class Form:
    """The bytes of a launch as the codes of a struct: what must be the same, a number, a text, or what nobody asked for."""

    codes: list[str] = field(default_factory=list)
    told: int = 0
    """Codes that give a value."""
    open: int = 0
    """Bytes of the last code, where they must be the same and what follows may be added to them."""
    numbers: list[tuple[int, int]] = field(default_factory=list)
    """Of each double: which value it is, and the place of its cell."""
    counts: list[tuple[int, int]] = field(default_factory=list)
    """The same of a whole number."""
    parts: list[tuple[int, int]] = field(default_factory=list)
    """The same of a name, a size or a range, with its field in place of the cell."""

    def same(self, size: int, skipped: int = 0) -> None:
        """Bytes that must be the same, and behind them such as nobody asked for."""
        if self.open:
            self.codes[-1] = over(self.open + size, skipped)
        else:
            self.codes.append(over(size, skipped))
            self.told += 1
        self.open = 0 if skipped else self.open + size

    def take(self, values: list[tuple[int, int]], code: str, place: int) -> None:
        """A value of this code, and where it goes."""
        self.codes.append(code)
        values.append((self.told, place))
        self.told += 1
        self.open = 0


@lru_cache(maxsize=1 << 12)
def over(size: int, skipped: int) -> str:
    """The codes of bytes that are a value, and of such as are none."""
    return f"{size}s{skipped}x"


def formed(data: bytes, wanted: Plan) -> Form:
    """The launch from its first byte to its last."""
    form, at, end = Form(), 0, len(data)
    while at < end:
        if data[at] == METRIC_KEY:
            at = metrics(data, at, wanted, form)
            continue
        number, kind, start, stop = wire_field(data, at)
        if kind != SIZED:
            form.same(stop - at)
        elif number in PARTS:
            form.same(start - at)
            form.take(form.parts, f"{stop - start}s", number)
        else:
            form.same(start - at, stop - start)
        at = stop
    return form


def metrics(data: bytes, at: int, wanted: Plan, form: Form) -> int:
    """A run of metrics: of one that nobody asked for the name must be the same, and its size."""
    places, end, codes = wanted.places, len(data), form.codes
    while at < end and data[at] == METRIC_KEY:
        start, stop = at + 2, at + 2 + data[at + 1]
        if stop - start > 127:
            _, _, start, stop = wire_field(data, at)
        index, name = data[start + 1], start + 2  # behind NAME_KEY: the launch was decoded
        if index > 127:
            index, name = varint(data, start + 1)
        if (place := places[index]) is None:  # form.same(), without the call: most are such
            if form.open:
                codes[-1], form.open = over(form.open + name - at, stop - name), 0
            else:
                codes.append(over(name - at, stop - name))
                form.told += 1
        elif place in wanted.listed or place in wanted.steady:
            form.same(stop - at)
        else:
            metric(data, at, name, stop, place, form)
        at = stop
    return at


def metric(data: bytes, at: int, value: int, stop: int, place: int, form: Form) -> None:
    """A metric that is kept: its name must be the same, its value is a number; else all of it is the same."""
    kind = data[value + 2] if stop - value >= 4 and data[value] == VALUE_KEY else None
    size = data[value + 1] if kind is not None else 0
    if kind == DOUBLE_KEY and size == 9 and stop - value >= 11:
        form.same(value + 3 - at)
        form.take(form.numbers, f"d{stop - value - 11}x", place)
    elif kind == UINT64_KEY and 2 <= size <= 11 and varint(data, value + 3)[1] == value + 2 + size <= stop:
        form.same(value + 3 - at)
        form.take(form.counts, f"{size - 1}s{stop - value - 2 - size}x", place)
    else:
        form.same(stop - at)
