"""The floor taken apart per weight matrix, to set measured kernels beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from ncu_roofline.analysis.model.footprint import Setting, dtype_of
from ncu_roofline.analysis.model.typical import Span, halved, matrices
from ncu_roofline.capture.tables import SPAN
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models.model import Model


def matrix_floors(model: Model, setting: Setting, gpu: Gpu | None = None) -> pl.DataFrame:
    """Per weight matrix the bytes and useful FLOPs of one step, over its layers and all GPUs; its typical time on one."""
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
    nothing = [None] * frame.height
    typical = nothing if gpu is None else [part.seconds for part in matrices(model, gpu, setting)]
    narrow = nothing if gpu is None else halved(model, gpu, setting)
    frame = frame.with_columns(spans("typical_seconds", typical), spans("halved_speedup", narrow))
    return frame.with_columns(useful_intensity=pl.col("useful_flops") / pl.col("weight_bytes"))


def spans(name: str, values: Sequence[Span | None]) -> pl.Series:
    """A column of figures with their spread."""
    return pl.Series(name, [asdict(span) if span else None for span in values], dtype=SPAN)


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
