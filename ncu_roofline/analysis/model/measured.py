"""Measured bytes of a decode step beside the least that its model must read: by family and by weight matrix."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ncu_roofline.analysis.model.footprint import Setting, check, dtype_of, kv_bytes, memory_batch, setting_of
from ncu_roofline.analysis.run.tokens import per_token, totals
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models.model import Model

FAMILIES = ("fc", "attention")


def check_possible(model: Model, run: Run, gpu: Gpu | None) -> None:
    """Raises UnusableInput where stated facts cannot be: heads that the GPUs do not divide, a context beyond memory."""
    how = setting_of(run)
    check(model, how)
    if gpu is not None and run.context.origin == "given":
        memory_batch(model, gpu, how)


def against_floor(launches: pl.DataFrame, run: Run, model: Model) -> pl.DataFrame:
    """Per family: measured and least bytes of one step over all GPUs, and their quotient.

    Of experts the floor counts those that were measured, where they were: real routing is not even. In a window
    scaled by layers, embedding and LM head count on neither side. Null where bytes, steps,
    batch or (for attention) the context are unknown; a context told by the measured bytes is no measure of them.
    """
    whole = totals(launches, run)
    roles = per_token(launches, run, "role").with_columns(pl.col("role").cast(pl.String))
    how = setting_of(run) if run.context.origin != "inferred" else replace(setting_of(run), context=None)
    floors = least(model, how, run, inside=whole.layers_only, experts=experts_measured(launches, run, model))
    share = float(whole.tp)
    measured = roles.filter(pl.col("role").is_in(FAMILIES)).select("role", measured_bytes=pl.col("dram_bytes_per_step") * share)
    return (
        pl.DataFrame({"role": list(FAMILIES)})
        .join(measured, on="role", how="left")
        .join(floors, on="role", how="left")
        .with_columns(over_floor=pl.when(pl.col("floor_bytes") > 0).then(pl.col("measured_bytes") / pl.col("floor_bytes")))
    )


def experts_measured(launches: pl.DataFrame, run: Run, model: Model) -> float | None:
    """Distinct experts per layer, by the mean over the expert matrices that were matched; None where none was."""
    told = per_token(launches, run, "projection")["experts_read"].mean() if model.experts else None
    return min(float(told), float(model.experts)) if isinstance(told, float) else None


def least(model: Model, how: Setting, run: Run, *, inside: bool, experts: float | None = None) -> pl.DataFrame:
    """Least bytes per step of the weight matrices and of the KV cache, over all GPUs."""
    weights = sum(
        elements * dtype_of(weight, model, how).bytes
        for weight, elements in model.reads(how.batch, experts)
        if weight.matrix and (weight.layers or not inside)
    )
    known = run.batch.value is not None
    cache = how.batch * kv_bytes(model, how) if how.context else None
    return pl.DataFrame(
        {"role": list(FAMILIES), "floor_bytes": [float(weights) if known else None, cache if known else None]},
        schema={"role": pl.String, "floor_bytes": pl.Float64},
    )


def projections(launches: pl.DataFrame, run: Run, model: Model) -> pl.DataFrame:
    """Every weight matrix that a kernel streams: read amplification, what explains it, distinct experts."""
    table = per_token(launches, run, "projection")
    expected = model.expected_experts(run.batch.value) if run.batch.value else None
    return table.with_columns(experts_expected=pl.when(pl.col("experts_read").is_not_null()).then(pl.lit(expected, pl.Float64)))
