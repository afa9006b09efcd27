"""Measured bytes of a decode step beside the least that its model must read: by family and by weight matrix."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ncu_roofline.analysis.model.captured import part
from ncu_roofline.analysis.model.footprint import Setting, check, dtype_of, held_here, kv_bytes, memory_batch, setting_of
from ncu_roofline.analysis.run.context import by_bytes_alone
from ncu_roofline.analysis.run.tokens import per_token, totals
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models.model import Model

FAMILIES = ("fc", "attention")


def check_possible(model: Model, run: Run, gpu: Gpu | None) -> None:
    """Raises UnusableInput where stated facts cannot be: heads that the GPUs do not divide, a context beyond memory."""
    how = setting_of(run)
    check(model, how)
    if gpu is not None and run.context.origin == "given":
        memory_batch(model, gpu, how)


def against_floor(launches: pl.DataFrame, run: Run, model: Model) -> pl.DataFrame:
    """Per family: what one step reads over all GPUs, the least that it must, and their quotient.

    Of experts the floor counts those that were measured, where they were: real routing is not even. In a window
    scaled by layers, embedding and LM head count on neither side; of a run of fewer layers the floor counts these. Null where
    bytes, steps, batch or (for attention) the context are unknown. A context told by the measured bytes gives a floor, but no
    quotient: it is no measure of them.
    """
    whole = totals(launches, run)
    roles = per_token(launches, run, "role").with_columns(pl.col("role").cast(pl.String))
    floors = least(
        model, as_read(launches, run, model), run, inside=whole.layers_only, experts=experts_measured(launches, run, model)
    )
    read = pl.coalesce("dram_read_bytes_per_step", "dram_bytes_per_step") * float(whole.tp)
    circular = (pl.col("role") == "attention") & pl.lit(by_bytes_alone(run))
    return (
        pl.DataFrame({"role": list(FAMILIES)})
        .join(roles.filter(pl.col("role").is_in(FAMILIES)).select("role", measured_bytes=read), on="role", how="left")
        .join(floors, on="role", how="left")
        .with_columns(
            over_floor=pl.when((pl.col("floor_bytes") > 0) & ~circular).then(pl.col("measured_bytes") / pl.col("floor_bytes"))
        )
    )


def as_read(launches: pl.DataFrame, run: Run, model: Model) -> Setting:
    """How the model was run, with the LM head in its published type where a weight type is stated and its kernel reads that."""
    how = setting_of(run)
    heads = [w for w in model.weights if w.matrix and w.name == "lm_head"]
    seen = launches.filter(pl.col("projection") == "lm_head")["matrix_bytes"].drop_nulls()
    if how.weights is None or how.head is not None or not heads or seen.is_empty():
        return how
    published = dtype_of(heads[0], model, replace(how, weights=None))
    whole = heads[0].elements * published.bytes * held_here(heads[0], how)
    return replace(how, head=published.name) if abs(seen[0] / whole - 1) < THRESHOLDS.same_matrix else how


def experts_measured(launches: pl.DataFrame, run: Run, model: Model) -> float | None:
    """Distinct experts per layer, by the mean over the expert matrices that were matched; None where none was."""
    told = per_token(launches, run, "projection")["experts_read"].mean() if model.experts else None
    return min(float(told), float(model.experts)) if isinstance(told, float) else None


def least(model: Model, how: Setting, run: Run, *, inside: bool, experts: float | None = None) -> pl.DataFrame:
    """Least bytes per step of the weight matrices and of the KV cache, over all GPUs."""
    held = part(run, model)
    if held is None:
        return pl.DataFrame({"role": list(FAMILIES)}).with_columns(floor_bytes=pl.lit(None, pl.Float64))
    weights = sum(
        elements * dtype_of(weight, model, how).bytes * (held if weight.layers else 1.0)
        for weight, elements in model.reads(how.batch, experts)
        if weight.matrix and (weight.layers or not inside)
    )
    known = run.batch.value is not None
    cache = how.batch * kv_bytes(model, how) * held if how.context else None
    return pl.DataFrame(
        {"role": list(FAMILIES), "floor_bytes": [float(weights) if known else None, cache if known else None]},
        schema={"role": pl.String, "floor_bytes": pl.Float64},
    )


def projections(launches: pl.DataFrame, run: Run, model: Model) -> pl.DataFrame:
    """Every weight matrix that a kernel streams: read amplification, what explains it, distinct experts."""
    table = per_token(launches, run, "projection")
    expected = model.expected_experts(run.batch.value) if run.batch.value else None
    return table.with_columns(experts_expected=pl.when(pl.col("experts_read").is_not_null()).then(pl.lit(expected, pl.Float64)))
