"""What to keep of a launch: the cells of a row, and how to step over everything else."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ncu_roofline.readers.report.wire import Value

PROCESS, KERNEL, NAME, GRID, BLOCK, NVTX, MANGLED = range(7)
FIXED = 7
"""Cells that every row begins with; the metrics of the plan follow."""

Opcodes = list[tuple[Value, Value]]
Cell = Any
"""int, float, str, list or None: what a column of the frame is built from."""

METRIC_KEY, NAME_KEY = 13 << 3 | 2, 1 << 3
"""The bytes in which a launch's metric and a metric's name begin: field number times eight plus wire type."""

SHORT_SIZES = (16, 15, 9, 8, 10, 11, 14, 18, 13, 12, 17, 20, 32, 22)
"""Of metrics without instances, the most frequent in the public reports first."""
MOST_STEPS = 200
"""In one match, which keeps a note of each step."""


def never_back(version: tuple[int, ...]) -> bytes:
    """Possessive repetition is a little faster; before Python 3.11.5 it is missing or matches wrongly (gh-106052)."""
    return b"+" if version >= (3, 11, 5) else b""


NEVER_BACK = never_back(sys.version_info[:3])


@dataclass(frozen=True, slots=True)
class Plan:
    """Which metrics a row keeps, by place in the file's name table."""

    places: list[int | None]
    listed: frozenset[int]
    """Places that keep the instances of a metric instead of its value."""
    width: int
    unwanted: re.Pattern[bytes]
    """Matches a run of short metrics of which none is kept."""
    steady: frozenset[int] = frozenset()
    """Places of what is the same in nearly every launch."""


def plan(names: Sequence[str], kept: dict[str, int], listed: Iterable[str], steady: Iterable[str] = ()) -> Plan:
    """The plan that puts each kept metric into its place."""
    places = [kept.get(name) for name in names]
    indices = [index for index, place in enumerate(places) if place is not None]
    return Plan(
        places=places,
        listed=frozenset(kept[name] for name in listed if name in kept),
        width=FIXED + len(kept),
        unwanted=unwanted(indices, len(set(names))),
        steady=frozenset(kept[name] for name in steady if name in kept),
    )


def unwanted(kept: Iterable[int], below: int) -> re.Pattern[bytes]:
    """Matches a run of whole metrics of common sizes, none of them with a kept index, all below a limit.

    The regular expression engine steps over a metric in a fraction of the time that Python takes. What it
    does not match is no error: the loop looks at it byte by byte.
    """
    highest = min(below, 1 << 14) - 1 >> 7
    taken = dict.fromkeys(range(highest + 1), b"")
    for index in kept:
        if index >> 7 <= highest:
            taken[index >> 7] += _literal(index & 127 | (128 if index > 127 else 0))
    # an index below 128 is one byte; a larger one is two, 200 for instance the bytes 200 and 1
    indices = [
        (b"[^%b%b]%b" % (b"\\0-\x7f" if high else b"\x80-\xff", firsts, _literal(high) if high else b""), 2 if high else 1)
        for high, firsts in taken.items()
    ]
    sized = [
        b"%b%b(?:%b)" % (_literal(size), _literal(NAME_KEY), b"|".join(b"%b.{%d}" % (i, size - 1 - n) for i, n in indices))
        for size in SHORT_SIZES
    ]
    steps = b"{0,%d}%b" % (MOST_STEPS, NEVER_BACK)
    return re.compile(b"(?:%b(?:%b))%b" % (_literal(METRIC_KEY), b"|".join(sized), steps), re.DOTALL)


def _literal(byte: int) -> bytes:
    return re.escape(bytes([byte]))
