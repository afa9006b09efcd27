"""The period of a sequence of launches: how soon it repeats itself exactly."""

from __future__ import annotations

import polars as pl

LEAST_OVERLAP = 3
"""Launches that must recur before a repetition is called a period."""
CANDIDATES = 64
ALIKE = 0.5
"""Share of a period that equals itself some launches on: then it holds several layers, and is that of a step."""


def symbols(rows: pl.DataFrame) -> pl.Series:
    """One number per distinct kernel and grid: equal names with different grids are different work."""
    sides = [pl.col("grid").arr.get(i).fill_null(-1).alias(f"side{i}") for i in range(3)]
    return rows.select(symbol=pl.struct("name", *sides).rank("dense"))["symbol"]


def period(rows: pl.DataFrame) -> int | None:
    """The smallest shift at which the sequence equals itself wherever both overlap; None where none does."""
    sequence = symbols(rows)
    again = (sequence == sequence[0]).arg_true()[1 : CANDIDATES + 1]
    for shift in again.to_list():
        overlap = sequence.len() - int(shift)
        head = sequence.head(overlap)
        if overlap >= LEAST_OVERLAP and head.n_unique() > 1 and bool((head == sequence.tail(overlap)).all()):
            return None if of_several(sequence.head(int(shift))) else int(shift)
    return None


def of_several(block: pl.Series) -> bool:
    """Whether a period nearly repeats something shorter: a step of equal layers with one LM head."""
    away = (block == block[len(block) // 2]).arg_true().cast(pl.Int64) - len(block) // 2
    for shift in away.filter(away != 0).abs().unique().sort().to_list():
        overlap = len(block) - int(shift)
        same = int((block.head(overlap) == block.tail(overlap)).sum())
        if 2 * shift <= len(block) and same >= ALIKE * overlap and block.head(int(shift)).n_unique() > 1:
            return True
    return False
