"""The floor taken apart: per weight matrix and per role, to set measured kernels beside."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.footprint import Setting, dtype_of, kv_bytes
from ncu_roofline.knowledge.model import STATE_WIDTH, Model

ROLE_OF = {"fc": "fc", "router": "moe-routing", "embedding": "embedding", "conv": "ssm", "vector": "norm"}
"""Role of the kernels that read a tensor; norms and biases are read by many, norms by most."""


def matrix_floors(model: Model, setting: Setting) -> pl.DataFrame:
    """Per weight matrix the bytes and useful FLOPs of one step, over all its layers and all GPUs."""
    rows = [
        (
            w.name,
            w.kind,
            w.n,
            w.k,
            max(1, len(w.layers)),
            dtype_of(w, model, setting).name,
            elements * dtype_of(w, model, setting).bytes,
            2.0 * setting.batch * alone,
        )
        for (w, elements), (_, alone) in zip(model.reads(setting.batch), model.reads(1), strict=True)
        if w.matrix
    ]
    frame = pl.DataFrame(rows, schema=MATRIX_FLOORS, orient="row")
    return frame.with_columns(useful_intensity=pl.col("useful_flops") / pl.col("weight_bytes"))


MATRIX_FLOORS: dict[str, type[pl.DataType]] = {
    "name": pl.String,
    "layer_kind": pl.String,
    "N": pl.Int64,
    "K": pl.Int64,
    "count": pl.Int64,
    "weight_dtype": pl.String,
    "weight_bytes": pl.Float64,
    "useful_flops": pl.Float64,
}


def role_floors(model: Model, setting: Setting) -> pl.DataFrame:
    """Per role the least bytes and the useful FLOPs of one step, over all GPUs."""
    bytes_of: dict[str, float] = {}
    flops_of: dict[str, float] = {}
    alone = dict(model.reads(1))
    for weight, elements in model.reads(setting.batch):
        role = ROLE_OF[weight.role]
        size = elements * dtype_of(weight, model, setting).bytes
        bytes_of[role] = bytes_of.get(role, 0.0) + size
        work = 2.0 * setting.batch * alone[weight] if weight.matrix else 0.0
        flops_of[role] = flops_of.get(role, 0.0) + work
    if setting.context is not None:
        states = setting.batch * setting.tp * STATE_WIDTH * sum(c.state for c in model.caches)
        bytes_of["ssm"] = bytes_of.get("ssm", 0.0) + states
        bytes_of["attention"] = setting.batch * kv_bytes(model, setting) - states
        flops_of["attention"] = float(setting.batch * model.attention_flops(setting.context))
    rows = [(role, bytes_of[role], flops_of.get(role, 0.0)) for role in bytes_of]
    columns = ("role", "floor_bytes", "useful_flops")
    return pl.DataFrame(rows, schema=list(columns), orient="row")
