"""How each column is shown: heading, way of writing and alignment, from the column's own record in capture/."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from ncu_roofline.capture import units
from ncu_roofline.capture.frames import FRAMES
from ncu_roofline.capture.schema import Column
from ncu_roofline.capture.units import text as quantity
from ncu_roofline.present.forms.text import clean

MISSING = "–"
FAMILY_NAMES = {"fc": "FC", "attention": "attention", "other": "other"}
"""The families as pictures and pages call them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Heading and way of writing of one column."""

    heading: str
    write: Callable[[Any], str]
    right: bool = True


def unit(name: str) -> Callable[[Any], str]:
    """Writes a number with this unit, scaled for people, with three digits."""
    return lambda value: quantity(float(value), name)


def percent(value: Any) -> str:
    """0.123 -> 12.3 %; anything that would round to zero but is not says so."""
    return units.percent(float(value))


def count(value: Any) -> str:
    """A whole number with its thousands apart: 4991 -> 4,991."""
    return f"{value:,}"


def change(value: Any) -> str:
    """-0.5 -> -50.0 %, with its sign; what rounds to nothing has none; 14 -> 15x, from ten times on; three digits.

    >>> change(-0.287), change(3.474), change(-0.0001), change(14.04), change(-1.0)
    ('-28.7 %', '+347 %', '0.0 %', '15x', '-100 %')
    """
    if float(value) >= 9.995:
        return f"{units.three(float(value) + 1)}x"
    points = 100 * float(value)
    shown = f"{points:+.0f} %" if abs(points) >= 99.95 else f"{points:+.1f} %"
    return "0.0 %" if shown in ("+0.0 %", "-0.0 %") else shown


def plain(value: Any) -> str:
    """A word or whole number as it is."""
    return clean(str(value))


def shape(value: Any) -> str:
    """A grid or block: 5120x1x1 -> 5120."""
    sides = [int(v) for v in value]
    while len(sides) > 1 and sides[-1] == 1:
        sides.pop()
    return "×".join(map(str, sides))


def factor(value: Any) -> str:
    """A ratio: 8.0 -> 8x."""
    return f"{float(value):.3g}x"


def factor3(value: Any) -> str:
    """A ratio near 1, to its third decimal: 1.0527 -> 1.053x."""
    return f"{float(value):.3f}x"


def yes_or_no(value: Any) -> str:
    """True -> yes."""
    return "yes" if value else "no"


def word(heading: str) -> Shown:
    """A left-aligned column of words."""
    return Shown(heading, plain, right=False)


def span(value: Any) -> str:
    """A time with its spread, all in the unit of its middle.

    >>> span({"low": 0.00658, "value": 0.00763, "high": 0.01093})
    '7.63 ms (6.58 to 10.9)'
    """
    number, _, scale = unit("s")(value["value"]).partition(" ")
    low, high = (units.number(value[end] / units.SECONDS[scale]) for end in ("low", "high"))
    return f"{number} {scale} ({low} to {high})"


def times(value: Any) -> str:
    """A speedup with its spread.

    >>> times({"low": 1.4, "value": 1.672, "high": 1.9984})
    '1.67x (1.40 to 2.00)'
    """
    return f"{value['value']:.2f}x ({value['low']:.2f} to {value['high']:.2f})"


FORMS: dict[str, Callable[[Any], str]] = {
    "percent": percent,
    "count": count,
    "factor": factor,
    "factor3": factor3,
    "span": span,
    "times": times,
}
"""Ways of writing that a column's record may name."""


def by_record(column: Column) -> Shown:
    """How a column of the contract is shown: as its record says, else as its type and unit say."""
    heading = column.heading or column.name.replace("_", " ")
    if column.form:
        return Shown(heading, FORMS[column.form])
    if column.dtype == pl.Float64:
        return Shown(heading, unit(column.unit if column.unit in SCALED else ""))
    if column.dtype == pl.Boolean:
        return Shown(heading, yes_or_no, right=False)
    if isinstance(column.dtype, pl.Array):
        return Shown(heading, shape)
    return Shown(heading, plain, right=column.dtype == pl.Int64)


SCALED = ("byte", "s", "FLOP", "byte/s", "FLOP/s")
"""Units that are written beside the number; the others stand in the heading."""

ONLY_SHOWN: dict[str, Shown] = {
    "kernels": Shown("kernels", count),
    "tokens_per_second": Shown("token/s", lambda value: units.three(float(value))),
    "seconds_low": Shown("low", unit("s")),
    "seconds_high": Shown("high", unit("s")),
    "number": word("per"),
    "along": Shown("at", plain),
    "base": Shown("base", plain),
    "head": Shown("head", plain),
    "change": Shown("change", plain),
    "noise": Shown("noise", plain),
    "base_bytes": Shown("base", unit("byte")),
    "head_bytes": Shown("head", unit("byte")),
    "bytes_change": Shown("change", change),
    "seconds_change": Shown("time", change),
    "time_change": Shown("time", plain),
    "head_kernel": word("kernel"),
    "rule": word("rule"),
    "projected_bytes": Shown("projected DRAM", plain),
    "projected_seconds": Shown("projected time", plain),
    "fc_bytes": Shown("FC", unit("byte")),
    "attention_bytes": Shown("attention", unit("byte")),
    "fc_intensity": Shown("FC FLOP/B", unit("")),
    "attention_intensity": Shown("attn FLOP/B", unit("")),
    "cache_to_weights": Shown("KV/weights", factor),
    "measured": Shown("measured", plain),
    "outcome": word("outcome"),
    "peak_16bit": Shown("16-bit peak", unit("FLOP/s")),
    "ridge_16bit": Shown("ridge 16-bit", unit("")),
    "ridge_fp8": Shown("FP8", unit("")),
    "ridge_fp4": Shown("FP4", unit("")),
    "ridge_int8": Shown("INT8", unit("")),
    "doubtful": word(""),
    "place": word("where"),
    "gaps": Shown("gaps", count),
    "idle_share": Shown("of idle", percent),
    "profiled_seconds": Shown("profiled", unit("s")),
    "profiled_change": Shown("change", change),
    "reached": Shown("reaches", unit("byte/s")),
}
"""Columns that documents make for people alone, and members of a family whose headings differ."""

RECORDS = {c.name: c for part in reversed(FRAMES.values()) for c in reversed(part)}
COLUMNS = {**{name: by_record(c) for name, c in RECORDS.items()}, **ONLY_SHOWN}


SUFFIXES = {"_per_token": "", "_per_step": "", "_low": "low", "_median": "median", "_high": "high"}
"""Forms of a measure: per unit (the table's title says which), and its spread."""


def shown(name: str) -> Shown:
    """How to show a column; one that nobody described is shown as plain text."""
    for suffix, heading in SUFFIXES.items():
        base = COLUMNS.get(name.removesuffix(suffix))
        if name.endswith(suffix) and base is not None and name not in COLUMNS:
            return Shown(heading or base.heading, base.write, base.right)
    return COLUMNS.get(name, word(name.replace("_", " ")))


def filled(rows: pl.DataFrame, names: Iterable[str], always: Container[str] = ()) -> tuple[str, ...]:
    """Those of the columns that hold anything, and those that always stand there."""
    return tuple(n for n in names if n in rows.columns and (n in always or rows[n].count()))


def cell(name: str, value: Any) -> str:
    """One cell as text; null as a dash, and a kernel without a role as what it is."""
    if value is None and name == "role":
        return "unclassified"
    return MISSING if value is None else shown(name).write(value)
