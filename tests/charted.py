"""Pictures of launches stated by hand: a row says only what a test is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline import picture as pictures
from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.capture.frames import STUDIED
from ncu_roofline.knowledge.devices import gpus

PEAK, BANDWIDTH = 100e12, 1e12
"""Roofs of the hand-made device: a ridge at 100 FLOP/byte."""

TYPES = {c.name: c.dtype for c in STUDIED}


def launch(**stated: Any) -> dict[str, Any]:
    """A bf16 matrix kernel of 10 µs that moves 1 MB at 8 executed FLOP/byte; anything can be stated otherwise."""
    usual: dict[str, Any] = {
        "kernel": "gemm",
        "grid": [8, 1, 1],
        "block": [128, 1, 1],
        "seconds": 1e-5,
        "dram_bytes": 1e6,
        "flops": 8e6,
        "tensor_flops": 8e6,
        "flops_complete": True,
        "family": "fc",
        "role": "fc",
        "path": "bf16",
        "precision": "bf16",
        "peak": PEAK,
        "bandwidth": BANDWIDTH,
        "ridge": PEAK / BANDWIDTH,
        "ridge_spec": PEAK / BANDWIDTH,
        "dram_bytes_source": "counter",
        "flops_source": "counter",
    }
    row = {**usual, **stated}
    return {"name": row["kernel"], **row}


def study(*rows: dict[str, Any], name: str = "planted.ncu-rep", gpu: str | None = "H100 SXM", **facts: Any) -> Study:
    """The launches as a study on a device whose roofs the rows state."""
    frame = pl.DataFrame([{"index": i, **row} for i, row in enumerate(rows)], schema=TYPES)
    run = replace(Run(), **{k: Fact(v, "given", "stated by the test") for k, v in facts.items()})
    return Study(
        capture=Capture(launches=frame, device=Device(), name=name),
        launches=frame,
        gpu=gpus.find(gpu) if gpu else None,
        run=run,
        notes=(),
    )


def picture(*rows: dict[str, Any], by: str = "kernel", **how: Any) -> Picture:
    """The picture of such launches."""
    return pictures.picture(study(*rows, **how), by)
