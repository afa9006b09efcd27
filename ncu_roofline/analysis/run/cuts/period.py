"""The period of a sequence of launches: how soon it repeats itself exactly."""

from __future__ import annotations

import polars as pl

from ncu_roofline.knowledge.limits import THRESHOLDS

CANDIDATES = 64


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
        if overlap >= THRESHOLDS.least_overlap and head.n_unique() > 1 and bool((head == sequence.tail(overlap)).all()):
            return None if of_several(sequence.head(int(shift))) else int(shift)
    return None


def of_several(block: pl.Series) -> bool:
    """Whether a period nearly repeats something shorter: a step of equal layers with one LM head."""
    middle = len(block) // 2
    shifts = ((block == block[middle]).arg_true().cast(pl.Int64) - middle).abs().unique()
    return any(recurs(block, shift) for shift in shifts.to_list())


def recurs(block: pl.Series, shift: int) -> bool:
    """Whether about half of what a shift leaves to compare is equal, and is not one kernel only."""
    overlap = len(block) - shift
    same = int((block.head(overlap) == block.tail(overlap)).sum())
    return same >= THRESHOLDS.alike_period * overlap and block.head(shift).n_unique() > 1
