"""Which part of a model the steps of a capture hold: some of its layers, told by their matrices, and what all would move."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ncu_roofline.analysis.notes import Note
from ncu_roofline.analysis.run.basis import basis
from ncu_roofline.analysis.sums import share, total
from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models.model import Model


def with_part(launches: pl.DataFrame, run: Run, model: Model | None) -> tuple[Run, tuple[Note, ...]]:
    """The run with the part of the model's layers that its steps hold; a doubt where the matrices are not the model's."""
    seen = run.layers
    if model is None or seen.origin != "inferred" or seen.value in (None, model.layers):
        return run, ()
    if seen.value < model.layers and recognised(launches):
        if run.layers_captured.value is not None:
            return run, ()
        how = f"steps of {seen.value} layers, whose matrices are those of {model.name}"
        return replace(run, layers_captured=Fact((seen.value, model.layers), "inferred", how)), ()
    of = {"model": model.name, "layers": model.layers, "seen": seen.value, "evidence": seen.evidence}
    return run, (Note("another_model", of),)


def recognised(launches: pl.DataFrame) -> bool:
    """Whether nearly all that weight kernels read was read by kernels that stream a matrix of the model."""
    weights = launches.filter(
        (pl.col("family").cast(pl.String) == "fc").fill_null(False) & pl.col("step_whole").fill_null(False)
    )
    return (share(weights, pl.col("projection").is_not_null(), "dram_read_bytes") or 0.0) >= THRESHOLDS.recognised_part


def part(run: Run, model: Model) -> float | None:
    """Which part of the model's layers whole steps hold: 1 where all; null where layers differ and some are missing."""
    if run.layers_captured.origin != "inferred":
        return 1.0
    held, every = run.layers_captured.value or (1, 1)
    return held / every if len(set(model.layer_kinds)) == 1 else None


def of_all_layers(launches: pl.DataFrame, run: Run, model: Model) -> float | None:
    """DRAM bytes per token of the model with all its layers: those of a layer as often as it has them; null where unknown."""
    held, counted = part(run, model), basis(launches, run)
    if held is None or held == 1 or counted.kind != "token" or not counted.tokens:
        return None
    sides = (pl.col("layer").is_not_null(), pl.col("layer").is_null())
    inside, around = (total(counted.launches.filter(side), "dram_bytes") for side in sides)
    return None if inside is None or around is None else (inside / held + around) / counted.tokens
