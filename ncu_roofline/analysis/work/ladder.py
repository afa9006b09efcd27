"""Ladders: the first rung whose counters were all measured gives the number, and says its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Any

import polars as pl

from ncu_roofline.capture.schema import MEASURED, SOURCES
from ncu_roofline.knowledge.counters import table

NOTHING = pl.lit(None, pl.Float64)


def measured(launches: pl.DataFrame, names: Iterable[str]) -> pl.Expr:
    """The first of these counters that the launch has; null where it has none."""
    present = [pl.col(MEASURED + n) for n in names if MEASURED + n in launches.columns]
    return pl.coalesce(*present) if present else NOTHING


def added(parts: Sequence[pl.Expr]) -> pl.Expr:
    """Sum of the parts; null where any part is."""
    return reduce(add, parts) if parts else NOTHING


def sm_hertz(launches: pl.DataFrame) -> pl.Expr:
    """SM clock during the launch, as measured."""
    return measured(launches, table()["clocks"]["sm"])


def dram_hertz(launches: pl.DataFrame) -> pl.Expr:
    """Memory clock during the launch, as measured."""
    return measured(launches, table()["clocks"]["dram"])


def sm_cycles(launches: pl.DataFrame) -> pl.Expr:
    """Elapsed SM cycles: their mean as counted, else clock times duration, else the longest SM's."""
    clocks = table()["clocks"]
    mean = measured(launches, clocks["sm_cycles"])
    longest = measured(launches, clocks["sm_cycles_longest"])
    return pl.coalesce(mean, sm_hertz(launches) * pl.col("seconds"), longest)


def rung(launches: pl.DataFrame, spec: dict[str, Any]) -> pl.Expr | None:
    """One rung's number, or None where a counter of it is not in the capture at all."""
    columns = [MEASURED + name for name in spec["sum"]]
    if not set(columns) <= set(launches.columns):
        return None
    value = added([pl.col(c) for c in columns]) * float(spec.get("factor", 1))
    return value * pl.col("seconds") if spec.get("per") == "second" else value


def rungs(launches: pl.DataFrame, column: str) -> list[tuple[str, pl.Expr]]:
    """The ladder of a column in counters.toml, as far as this capture has it."""
    climbed = [(spec["source"], rung(launches, spec)) for spec in table()[column]["rungs"]]
    return [(source, value) for source, value in climbed if value is not None]


def climb(name: str, ladder: Sequence[tuple[str, pl.Expr]]) -> list[pl.Expr]:
    """The columns `name` and `name_source`: the first rung that is known, and what it is called."""
    values = [value for _, value in ladder] or [NOTHING]
    sources = [pl.when(value.is_not_null()).then(pl.lit(source)) for source, value in ladder]
    source = pl.coalesce(*sources) if sources else pl.lit(None, pl.String)
    return [pl.coalesce(*values).alias(name), source.cast(pl.Enum(SOURCES)).alias(f"{name}_source")]
