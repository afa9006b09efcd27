"""Where the formulas put FC and attention: FLOP per byte from batch and number formats."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.capture.capture import Run

WIDTHS = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp6": 0.75, "fp4": 0.5, "int4": 0.5}
"""Bytes per element."""


@dataclass(frozen=True, slots=True)
class Theory:
    """Where a formula puts a family: FLOP per byte, and the formula in words."""

    family: str
    intensity: float
    text: str


def theory(launches: pl.DataFrame, run: Run) -> tuple[Theory, ...]:
    """FC at 2 x batch / bytes per weight; attention at 2 / bytes per cache element, times GQA's sharing."""
    told: list[Theory] = []
    weight = run.weights.value if run.weights.value in WIDTHS else usual(launches, "weight_dtype", "fc")
    cache = run.kv.value if run.kv.value in WIDTHS else usual(launches, "cache_dtype", "attention")
    if weight and isinstance(run.batch.value, int | float):
        told.append(
            Theory(
                "fc",
                2 * run.batch.value / WIDTHS[weight],
                f"theory, FC: 2 × batch {run.batch.value:g} / {WIDTHS[weight]:g} B ({weight})",
            )
        )
    if cache:
        told.append(
            Theory(
                "attention",
                2 / WIDTHS[cache],
                f"theory, attention: 2 / {WIDTHS[cache]:g} B ({cache}), times query heads per KV head",
            )
        )
    return tuple(told)


def usual(launches: pl.DataFrame, column: str, family: str) -> str | None:
    """The number format that most bytes of a family are in: by name, else its activations', else its work's."""
    for name in (column, "activation_dtype", "precision"):
        mine = launches.filter(pl.col("family").cast(pl.String) == family, pl.col(name).cast(pl.String).is_in(list(WIDTHS)))
        known = mine.group_by(name).agg(pl.col("dram_bytes").sum()).sort("dram_bytes", name)
        if known.height:
            return str(known[name][-1])
    return None
