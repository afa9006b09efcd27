"""Which marks are named in the chart itself, and where their names stand without covering anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
LETTER, LINE = 5.7, 13
"""Pixels of an average letter and of a line at 11 px."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """Area that both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across * down if across > 0 and down > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Named:
    """A mark that wants a name: its centre and radius in pixels."""

    x: float
    y: float
    radius: float
    text: str
    beyond: float | None = None
    """Where a text may start that has no room beside its mark."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name with the left middle of its text, in pixels; `leads` if a line should tie it to its mark."""

    x: float
    y: float
    text: str
    mark: Named
    leads: bool


def text_box(x: float, y: float, text: str) -> Box:
    """The box of a text whose left middle is here."""
    return Box(x, y - LINE / 2, x + LETTER * len(text), y + LINE / 2)


def line_boxes(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """A line as a string of small boxes."""
    (x0, y0), (x1, y1) = start, end
    count = max(1, int(max(abs(x1 - x0), abs(y1 - y0)) / 8))
    points = [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(count + 1)]
    return [Box(x - 2, y - 2, x + 2, y + 2) for x, y in points]


def heaped(
    rows: Iterable[dict[str, Any]], near: Callable[[dict[str, Any], dict[str, Any]], bool]
) -> list[list[dict[str, Any]]]:
    """Marks in heaps: each joins the first heap to whose first mark it is near, else it begins one."""
    heaps: list[list[Row]] = []
    for row in rows:
        heap = next((heap for heap in heaps if near(heap[0], row)), None)
        if heap is None:
            heaps.append([row])
        else:
            heap.append(row)
    return heaps


def place(marks: list[Named], taken: list[Box], frame: Box) -> list[Label]:
    """Names in the order given, each where it covers least; one that finds no room is left out."""
    labels: list[Label] = []
    occupied = list(taken)
    for mark in marks:
        others = [m for m in marks if m is not mark]
        choices = [
            (cost(box, occupied, frame) + far + mistaken(box, others), x, y, far, box) for x, y, far, box in around(mark)
        ]
        best = min(choices, key=lambda c: c[0])
        if best[0] < 60:
            labels.append(Label(best[1], best[2], mark.text, mark, best[3] >= 6))
            occupied.append(best[4])
    return labels


def cost(box: Box, taken: list[Box], frame: Box) -> float:
    """How much the text would cover, and far too much if it leaves the frame."""
    outside = box.left < frame.left or box.right > frame.right or box.top < frame.top or box.bottom > frame.bottom
    return sum(box.overlap(other) for other in taken) + (1e6 if outside else 0)


def mistaken(box: Box, others: list[Named]) -> float:
    """A penalty for a text so near another mark that it seems to name that one."""
    return sum(20.0 for m in others if gap(box, m) < 9)


def gap(box: Box, mark: Named) -> float:
    """Pixels between a box and the rim of a mark."""
    across = max(box.left - mark.x, mark.x - box.right, 0)
    down = max(box.top - mark.y, mark.y - box.bottom, 0)
    return math.hypot(across, down) - mark.radius


def around(mark: Named) -> list[tuple[float, float, float, Box]]:
    """Places for a name: right, left, below, above, then further out; each with its penalty."""
    length, found = LETTER * len(mark.text), []
    for far, distance in ((0, 5.0), (6, 16.0), (9, 30.0), (13, 48.0), (18, 70.0)):
        out = mark.radius + distance
        spots = [
            (mark.x + out, mark.y),
            (mark.x + out * 0.8, mark.y + out * 0.7),
            (mark.x - length / 2, mark.y + out + 4),
            (mark.x + out * 0.8, mark.y - out * 0.7),
            (mark.x - length / 2, mark.y - out - 4),
            (mark.x - out - length, mark.y),
            (mark.x - out * 0.8 - length, mark.y + out * 0.7),
            (mark.x - out * 0.8 - length, mark.y - out * 0.7),
        ]
        found += [(x, y, far + 0.5 * turn, text_box(x, y, mark.text)) for turn, (x, y) in enumerate(spots)]
    if mark.beyond is not None:
        heights = (mark.y + turn * LINE for turn in (0, -1, 1, -2, 2, -3, 3))
        found += [(mark.beyond, y, 8 + turn, text_box(mark.beyond, y, mark.text)) for turn, y in enumerate(heights)]
    return found
