"""The device table as a frame: one row per GPU, ridges and peaks by precision."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from ncu_roofline.knowledge.devices.gpu import Gpu

PRECISIONS = (
    "fp64",
    "fp64_tensor",
    "fp32",
    "fp16_scalar",
    "tf32",
    "bf16",
    "fp16",
    "fp16_fp16acc",
    "fp8",
    "fp8_fp16acc",
    "fp6",
    "fp4",
    "int8",
    "int4",
)
BY_PRECISION = pl.Struct(dict.fromkeys(PRECISIONS, pl.Float64))

DEVICES: dict[str, type[pl.DataType] | pl.DataType] = {
    "name": pl.String,
    "product": pl.String,
    "chip": pl.String,
    "compute_capability": pl.String,
    "sms": pl.Int64,
    "memory_bytes": pl.Float64,
    "l2_bytes": pl.Float64,
    "bandwidth": pl.Float64,
    "peaks": BY_PRECISION,
    "ridge_spec": BY_PRECISION,
    "doubts": pl.String,
    "source": pl.String,
    "notes": pl.String,
}


def devices(gpus: Iterable[Gpu]) -> pl.DataFrame:
    """One row per GPU; a null ridge means that the part has no such unit, or that nobody knows."""
    rows = [
        {
            **{name: getattr(gpu, name) for name in DEVICES if name not in ("peaks", "ridge_spec", "doubts")},
            "peaks": {p: gpu.peak(p) for p in PRECISIONS},
            "ridge_spec": {p: gpu.ridge(p) for p in PRECISIONS},
            "doubts": "; ".join(gpu.doubts) or None,
        }
        for gpu in gpus
    ]
    return pl.DataFrame(rows, schema=DEVICES)


def shown(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with the precisions of language models as columns of their own."""
    ridge, peak = pl.col("ridge_spec").struct.field, pl.col("peaks").struct.field
    return frame.with_columns(
        peak_16bit=pl.coalesce(peak("bf16"), peak("fp16")),
        ridge_16bit=pl.coalesce(ridge("bf16"), ridge("fp16")),
        ridge_fp8=ridge("fp8"),
        ridge_fp4=ridge("fp4"),
        ridge_int8=ridge("int8"),
        doubtful=pl.when(pl.col("doubts").is_not_null()).then(pl.lit("*")).otherwise(pl.lit("")),
    )
