"""Useful work beside executed work: what the model needed, without the padding of tiles."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.model.matrices import match
from ncu_roofline.analysis.model.types import element_bytes
from ncu_roofline.analysis.run.rows import of_experts, satellite
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.model import Model


def useful(launches: pl.DataFrame, run: Run, model: Model | None = None) -> pl.DataFrame:
    """Launches with `useful_flops` and `useful_flops_source`, and for attention the bounds of its intensity.

    Sources: matrix (rows times the model's matrix), kv_bytes (KV bytes read times the model's FLOPs per
    byte), weight_bytes (rows times the weights that were read: a flagged estimate), none (a kernel that
    finishes another's work). Null where neither batch nor model tells, and in prefill passes.
    """
    matched = match(launches, run, model).with_columns(
        read=pl.coalesce("dram_read_bytes", "dram_bytes"), decode=in_decode(run), satellite=satellite(launches)
    )
    ladder = [
        ("none", pl.when(pl.col("satellite") & pl.col("decode")).then(0.0)),
        ("matrix", by_matrix(run)),
        ("kv_bytes", by_cache(run, model)),
        ("weight_bytes", by_weights(matched, run)),
    ]
    source = pl.coalesce(*[pl.when(value.is_not_null()).then(pl.lit(name)) for name, value in ladder])
    told = matched.with_columns(
        useful_flops=pl.coalesce(*[value for _, value in ladder]), useful_flops_source=source, **attention_bounds(run, model)
    )
    # zeros of helpers alone would read as an attention without work
    mains = pl.col("useful_flops").filter(~pl.col("satellite")).count().over("role") > 0
    alone = pl.col("satellite") & ~mains
    return told.with_columns(
        pl.when(~alone).then(pl.col(name)).alias(name) for name in ("useful_flops", "useful_flops_source")
    ).drop("read", "decode", "satellite")


def in_decode(run: Run) -> pl.Expr:
    """Launches of decode steps; where the phase is unknown, a batch that the user stated says so."""
    phase = pl.col("phase").cast(pl.String)
    return (phase.fill_null("decode") if run.batch.origin == "given" else phase) == "decode"


def is_role(role: str) -> pl.Expr:
    """Main launches of a role in decode steps."""
    return (pl.col("role").cast(pl.String) == role) & pl.col("decode") & ~pl.col("satellite")


def by_matrix(run: Run) -> pl.Expr:
    """2 x rows x N x K on one of the GPUs that share the matrix."""
    tp = float(run.tp.value or 1)
    shared = pl.when(pl.col("matrix_rows").is_not_null()).then(2.0 * pl.col("matrix_n") * pl.col("matrix_k"))
    return pl.when(is_role("fc")).then(shared * pl.col("matrix_rows") / tp)


def by_cache(run: Run, model: Model | None) -> pl.Expr:
    """KV bytes that were read, times FLOPs per cached byte: 2 x query heads per key/value head / width."""
    if model is None:
        return pl.lit(None, pl.Float64)
    width, tp = cache_width(run, model), int(run.tp.value or 1)
    # every GPU reads what cannot be split (MLA's latents), and computes its own heads of it
    by_layer = {i: c.flops / c.elements * min(tp, c.split) / tp for i, c in enumerate(model.caches) if c.elements}
    per_element = set(by_layer.values())
    if not per_element:
        return pl.lit(None, pl.Float64)
    known = (
        pl.lit(per_element.pop())
        if len(per_element) == 1
        else pl.when(numbered()).then(pl.col("layer").replace_strict(by_layer, default=None, return_dtype=pl.Float64))
    )
    return pl.when(is_role("attention")).then(at_most_executed(pl.col("read") / width * known))


def numbered() -> pl.Expr:
    """Whether the layer's number is the model's: in a window that cuts the step it counts from the cut."""
    return pl.col("step_whole").fill_null(False)


def cache_width(run: Run, model: Model | None) -> pl.Expr:
    """Bytes per cached element: as stated, else as the kernel's name says, else as the model computes."""
    if run.kv.value is not None:
        return pl.lit(dtypes.find(run.kv.value, "`kv=`").bytes)
    told = element_bytes("cache_dtype")
    return pl.coalesce(told, pl.lit(dtypes.find(model.native or "bf16").bytes)) if model else told


def by_weights(launches: pl.DataFrame, run: Run) -> pl.Expr:
    """2 x batch x weights, taken from the bytes that were read; experts are left out, they share no rows."""
    # a statement wins over the name, which may tell the type of the arithmetic: work must not be counted twice
    width = element_bytes("weight_dtype")
    if run.weights.value is not None:
        width = pl.lit(dtypes.find(run.weights.value).bytes)
    if run.batch.value is None:
        return pl.lit(None, pl.Float64)
    weights = pl.when(is_role("fc") & ~of_experts(launches)).then(pl.col("read") / width)
    return at_most_executed(2.0 * float(run.batch.value) * weights)


def at_most_executed(flops: pl.Expr) -> pl.Expr:
    """An estimate from bytes, cut at the executed work: a matrix or cache may be read more than once.

    Other families need no count where tensor work was counted: the product is in it.
    """
    counted = (pl.col("tensor_flops") > 0) & (pl.col("flops_source").cast(pl.String) != "instructions")
    executed = pl.when((pl.col("flops_complete") | counted) & (pl.col("flops") > 0)).then("flops")
    return pl.when(flops.is_not_null()).then(pl.min_horizontal(flops, executed))


def attention_bounds(run: Run, model: Model | None = None) -> dict[str, pl.Expr]:
    """Useful intensity of decode attention, whatever the batch: one query head per cached element, to the model's most."""
    width = cache_width(run, None)
    mine = is_role("attention")
    return {
        "useful_intensity_low": pl.when(mine).then(2.0 / width),
        "useful_intensity_high": pl.when(mine).then(most_per_element(model) / width),
    }


def most_per_element(model: Model | None) -> pl.Expr:
    """FLOPs per cached element, at most: of the model; without one, of published models, latent ones by the kernel's name."""
    told = [c.flops / c.elements for c in model.caches if c.elements and c.flops] if model else []
    if told:
        return pl.lit(max(told))
    latent = pl.col("kernel").cast(pl.String).str.contains("(?:^|[^A-Za-z]|[Ff]lash)(?:mla|Mla|MLA)").fill_null(False)
    return pl.when(latent).then(THRESHOLDS.latent_flops).otherwise(2.0 * THRESHOLDS.largest_group)
