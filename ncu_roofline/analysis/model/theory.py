"""Where the formulas put FC and attention: FLOP per byte from batch and number formats."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.model.types import named, stored
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.model import Model


@dataclass(frozen=True, slots=True)
class Theory:
    """Where a formula puts a family: FLOP per byte, and the formula in words."""

    family: str
    intensity: float
    text: str


def theory(launches: pl.DataFrame, run: Run, model: Model | None = None) -> tuple[Theory, ...]:
    """FC at 2 x batch / bytes per weight; attention at 2 / bytes per cache element, times the query heads that share it."""
    told: list[Theory] = []
    weights, cache = (stored(launches, run, what) for what in ("weights", "kv"))
    if weights and run.batch.value is not None:
        said = f"theory, FC: 2 × batch {run.batch.value:g} / {weights.bytes:.3g} B ({weights.name})"
        told.append(Theory("fc", 2 * run.batch.value / weights.bytes, said))
    if model and not named(launches, run, "kv"):
        cache = dtypes.find(model.native or "bf16")
    if cache:
        told.append(attention(cache, model))
    return tuple(told)


def attention(cache: dtypes.Dtype, model: Model | None) -> Theory:
    """Attention's law with the model's own query heads per KV head; without one model-wide number, for one head."""
    per_element = {c.flops / c.elements for c in model.caches if c.elements and c.flops} if model else set()
    width = f"{cache.bytes:.3g} B ({cache.name})"
    if len(per_element) != 1:
        said = f"theory, attention: 2 / {width}, times query heads per KV head"
        return Theory("attention", 2 / cache.bytes, said)
    flops = per_element.pop()
    said = f"theory, attention: 2 × GQA {flops / 2:.3g} / {width}"
    return Theory("attention", flops / cache.bytes, said)
