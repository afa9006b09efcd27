"""Builders of launch frames: a test states only what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.frames import ARCHIVED, ROLE, STUDIED
from ncu_roofline.capture.schema import LAUNCHES, PHASES, ROLES, complete, conform, enum
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.gpu import Gpu

H100 = Device(
    name="NVIDIA H100 80GB HBM3", compute_capability="9.0", sms=132, sm_hertz=1.98e9, memory_hertz=2.619e9, bus_bits=5120
)
TENSOR = "sm__ops_path_tensor_src_"
SASS = "sm__sass_thread_inst_executed_op_{}_pred_on.sum"
EVERY_SCALAR = {SASS.format(op): 0.0 for op in ("dadd", "dmul", "dfma", "fadd", "fmul", "ffma", "hadd", "hmul", "hfma")}
EVERY_TENSOR = {f"{TENSOR}{t}.sum": 0.0 for t in ("bf16_dst_fp32", "fp16", "tf32_dst_fp32", "fp64", "fp8", "int8", "int1")}


def h100() -> Gpu:
    return gpus.find("h100")


def launch(name: str = "gemm", seconds: float | None = 1e-4, **given: Any) -> dict[str, Any]:
    """One launch; `m={...}` are its measured counters by their own names."""
    counters = {f"m:{k}": v for k, v in given.pop("m", {}).items()}
    base = {"kernel": name, "name": name, "seconds": seconds, "grid": [1, 1, 1], "block": [128, 1, 1]}
    return {**{c.name: None for c in LAUNCHES}, **base, **given, **counters}


def launches(*rows: dict[str, Any]) -> pl.DataFrame:
    """A frame as a reader would return it."""
    names = dict.fromkeys(k for row in rows for k in row)
    columns = {n: [row.get(n) for row in rows] for n in names}
    columns["index"] = list(range(len(rows)))
    measured = {n: pl.Float64 for n in names if n.startswith("m:") and "opcode" not in n}
    types = {c.name: c.dtype for c in LAUNCHES}
    frame = pl.DataFrame([pl.Series(n, v, dtype=types.get(n) or measured.get(n), strict=False) for n, v in columns.items()])
    return complete(conform(frame, LAUNCHES, source="test"), (*ARCHIVED, *ROLE))


def full(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame with every column that a study guarantees, null where the test states none."""
    return complete(frame, STUDIED)


def placed(
    rows: Sequence[tuple[str, int | None, float | None]],
    phase: str = "decode",
    whole: bool = True,
    seconds: float | None = None,
) -> pl.DataFrame:
    """Launches of a role, a layer and so many bytes, all in decode step 0."""
    count = len(rows)
    known = {m: [None] * count for m in ("dram_read_bytes", "dram_write_bytes", "flops", "useful_flops")}
    stated = pl.DataFrame(
        {
            "index": range(count),
            "role": [r for r, _, _ in rows],
            "layer": [at for _, at, _ in rows],
            "dram_bytes": [b for _, _, b in rows],
            "kernel": [r for r, _, _ in rows],
            "phase": [phase] * count,
            "step": [0] * count,
            "step_whole": [whole] * count,
            "layer_whole": [at is not None for _, at, _ in rows],
            "process": [1] * count,
            "device": [0] * count,
            "seconds": [seconds] * count,
            **known,
        },
        schema_overrides=dict.fromkeys(known, pl.Float64)
        | {"role": enum(ROLES), "phase": enum(PHASES), "layer": pl.Int64, "dram_bytes": pl.Float64, "seconds": pl.Float64},
    )
    return full(stated)
