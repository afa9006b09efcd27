"""Any unit spelling of Nsight Compute to base SI, and numbers to text for people."""

from __future__ import annotations

import math
import re
from functools import cache

import polars as pl

SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "msec": 1e-3,
    "msecond": 1e-3,
    "millisecond": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "usec": 1e-6,
    "usecond": 1e-6,
    "microsecond": 1e-6,
    "ns": 1e-9,
    "nsec": 1e-9,
    "nsecond": 1e-9,
    "nanosecond": 1e-9,
    "ps": 1e-12,
    "psecond": 1e-12,
    "minute": 60.0,
    "hour": 3600.0,
}

SCALES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
"""Nsight Compute's prefixes are powers of 1000 (docs/evidence/counters.md)."""

BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

SCALED = frozenset(
    {
        "byte",
        "bytes",
        "b",
        "hz",
        "inst",
        "cycle",
        "cycles",
        "flop",
        "flops",
        "op",
        "ops",
        "math_ops",
        "bit",
        "bits",
        "thread",
        "sector",
        "request",
        "warp",
        "block",
    }
)
"""What a prefix may stand before."""

COUNTED = SCALED | {
    "%",
    "branch",
    "branches",
    "cluster",
    "count",
    "cta",
    "elements",
    "instruction",
    "instructions",
    "item",
    "items",
    "kernel",
    "pass",
    "passes",
    "percent",
    "pct",
    "quad",
    "quads",
    "query",
    "queries",
    "ratio",
    "register",
    "registers",
    "requests",
    "sample",
    "samples",
    "sectors",
    "sm",
    "tag",
    "tags",
    "texel",
    "texels",
    "thread_inst",
    "threads",
    "tpc",
    "transaction",
    "transactions",
    "wave",
    "waves",
    "wavefront",
    "wavefronts",
    "warps",
    "blocks",
    "barrier",
    "barriers",
    "group",
    "groups",
    "gpc",
    "degc",
    "w",
    "j",
    "packet",
    "packets",
    "slot",
    "slots",
}
"""What is counted one by one (percentages too: they stay 0 to 100)."""


@cache
def factor(unit: str) -> float | None:
    """What a number in this unit is multiplied with to be in base SI; None for an unknown unit.

    >>> factor("usecond"), factor("Gbyte/s"), factor("cycle/nsecond"), factor("%")
    (1e-06, 1000000000.0, 1000000000.0, 1.0)
    >>> factor("furlong") is None
    True
    """
    parts = [_part(part.strip()) for part in unit.strip().split("/")]
    if unit.strip() == "":
        return 1.0
    product = 1.0
    for place, part in enumerate(parts):
        if part is None:
            return None
        product = product * part if place == 0 else product / part
    # 1 / 1e-9 is 999999999.9999999 in binary floating point; a unit's factor is a power of ten
    return float(f"{product:.15g}")


def to_base(numbers: pl.Series, unit: str) -> pl.Series:
    """Numbers in this unit as base SI; null for an unknown unit.

    Divided by powers of ten rather than multiplied by their inverse, which is one binary digit off.
    """
    scale = factor(unit)
    if scale is None or scale == 1:
        return numbers if scale else pl.Series(numbers.name, [None] * numbers.len(), pl.Float64)
    if scale > 1:
        return numbers * scale
    return numbers / pl.repeat(round(1 / scale), numbers.len(), dtype=pl.Float64, eager=True)


def _part(word: str) -> float | None:
    if word in SECONDS:
        return SECONDS[word]
    if word.lower() in COUNTED:
        return 1.0
    if word in ("B", "Hz", "HZ"):
        return 1.0
    found = re.fullmatch(r"(Ki|Mi|Gi|Ti|[kKMGTP])([A-Za-z_]+)", word)
    if found and found[2].lower() in SCALED:
        return BINARY.get(found[1]) or SCALES[found[1]]
    return None


PEOPLE = {
    "byte": ("B", True),
    "byte/s": ("B/s", True),
    "hz": ("Hz", True),
    "flop": ("FLOP", True),
    "flop/s": ("FLOP/s", True),
    "op": ("OP", True),
    "op/s": ("OP/s", True),
    "flop/byte": ("FLOP/B", False),
    "op/byte": ("OP/B", False),
    "%": ("%", False),
    "token/s": ("token/s", False),
    "token": ("token", False),
    "byte/token": ("B/token", True),
    "flop/token": ("FLOP/token", True),
    "j": ("J", True),
}
"""Unit in lower case -> how people write it, and whether it takes a prefix."""

STEPS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
ABSENT = "–"


def text(value: float | None, unit: str = "") -> str:
    """The value for people: scaled, three significant digits.

    >>> text(20_970_000, "byte"), text(0.0042, "s"), text(3.35e12, "byte/s"), text(295.2, "FLOP/byte")
    ('21 MB', '4.2 ms', '3.35 TB/s', '295 FLOP/B')
    >>> text(999_999, "byte"), text(0, "s"), text(0.00123, "FLOP/byte"), text(167_772_160)
    ('1 MB', '0 s', '0.00123 FLOP/B', '167,772,160')
    >>> text(None, "s"), text(55.71e-6, "s"), text(None)
    ('–', '55.7 µs', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    if unit.lower() == "s":
        return _scaled(value, TIMES, "")
    people, prefixed = PEOPLE.get(unit.lower(), (unit, False))
    if prefixed:
        return _scaled(value, STEPS, people)
    return f"{number(value)} {people}".rstrip()


def three(value: float, unit: str = "") -> str:
    """A quantity with three digits: more of them only crowd a sentence.

    >>> three(12621234.0, "byte"), three(396_700_000.0, "byte"), three(0.000059624, "s"), three(29.04)
    ('12.6 MB', '397 MB', '59.6 µs', '29')
    """
    return text(float(f"{value:.3g}"), unit)


def counted(number: int, noun: str) -> str:
    """So many of a thing, in grammar.

    >>> counted(1, "kernel"), counted(4991, "launch"), counted(2, "pass")
    ('1 kernel', '4,991 launches', '2 passes')
    """
    plural = "es" if noun.endswith(("ch", "ss")) else "s"
    return f"{number:,} {noun}{plural * (number != 1)}"


def percent(share: float) -> str:
    """A share of one in per cent; what would round to zero but is not says so.

    >>> percent(0.1234), percent(0.9999), percent(0.0001), percent(0)
    ('12.3 %', '100 %', '<0.1 %', '0.0 %')
    """
    value = 100 * share
    if 0 < abs(value) < 0.05:
        return "<0.1 %"
    return f"{value:.0f} %" if abs(value) >= 99.95 else f"{value:.1f} %"


def number(value: float) -> str:
    """Digits alone: three significant ones, whole numbers from 100 on, thousands grouped.

    >>> number(0.12345), number(4.2), number(20.97), number(99.999), number(1234.5), number(1e300)
    ('0.123', '4.2', '21', '100', '1,234', '1e+300')
    """
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e15:
        return f"{value:.3g}"
    if size >= 99.95:
        return f"{value:,.0f}"
    decimals = 2 - math.floor(math.log10(size))
    shown = f"{value:.{decimals}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _scaled(value: float, steps: tuple[tuple[float, str], ...], unit: str) -> str:
    if value == 0:
        return f"0 {unit or 's'}"
    # the first step at which the number, as it will be printed, is at least 1
    step, prefix = next((s for s in steps if float(f"{abs(value) / s[0]:.3g}") >= 1), steps[-1])
    return f"{number(value / step)} {prefix}{unit}"
