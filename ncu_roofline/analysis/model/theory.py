"""Where the formulas put FC and attention: FLOP per byte from batch and number formats."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.model.types import stored
from ncu_roofline.capture.capture import Run


@dataclass(frozen=True, slots=True)
class Theory:
    """Where a formula puts a family: FLOP per byte, and the formula in words."""

    family: str
    intensity: float
    text: str


def theory(launches: pl.DataFrame, run: Run) -> tuple[Theory, ...]:
    """FC at 2 x batch / bytes per weight; attention at 2 / bytes per cache element, times GQA's sharing."""
    told: list[Theory] = []
    weights, cache = (stored(launches, run, what) for what in ("weights", "kv"))
    if weights and run.batch.value is not None:
        said = f"theory, FC: 2 × batch {run.batch.value:g} / {weights.bytes:.3g} B ({weights.name})"
        told.append(Theory("fc", 2 * run.batch.value / weights.bytes, said))
    if cache:
        said = f"theory, attention: 2 / {cache.bytes:.3g} B ({cache.name}), times query heads per KV head"
        told.append(Theory("attention", 2 / cache.bytes, said))
    return tuple(told)
