"""Studies with planted truth: a synthetic decode run whose roles, steps and useful work are given, not inferred."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline.roofline import place
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Capture, Fact, Run
from ncu_roofline.capture.schema import FAMILIES, PHASES, enum
from ncu_roofline.knowledge.devices import gpus
from tests.kernels import full
from tests.synthetic import Plan, as_capture, decode_run, truth


@lru_cache(maxsize=64)
def study(**options: Any) -> Study:
    """The study of `Plan(**options)`, with roles, phase, step, layer, position and useful FLOPs as planted."""
    plan = Plan(**options)
    capture = as_capture(decode_run(plan), gpu=plan.gpu, cache=plan.cache, name=f"{plan.weights}-b{plan.batch}-{plan.seed}")
    known = truth(plan)
    gpu, _ = gpus.identify(capture.device)
    roles = known["role"].cast(pl.String)
    placed = pl.Series([{"fc": "fc", "attention": "attention"}.get(r, "other") for r in roles], dtype=enum(FAMILIES))
    frame = work(full(capture.launches), gpu, capture.device).with_columns(
        known["role"],
        placed.alias("family"),
        known["phase"].cast(enum(PHASES)),
        known["step"],
        known["layer"],
        known["useful_flops"],
        position=positions(known),
    )
    facts = {
        "batch": plan.batch,
        "steps": plan.steps,
        "tokens": plan.batch * plan.steps,
        "context": plan.context,
        "layers": plan.depth,
    }
    told: dict[str, Any] = {k: Fact(v, "given", "planted") for k, v in facts.items()}
    run = replace(capture.run, **told)
    return Study(capture=capture, launches=place(frame, gpu, capture.device), gpu=gpu, run=run, notes=())


def positions(known: pl.DataFrame) -> pl.Series:
    """Place of each launch inside its layer."""
    inside = known.with_columns(place=pl.int_range(pl.len()).over("phase", "step", "layer"))
    return inside.select(pl.when(pl.col("layer").is_not_null()).then("place").alias("position").cast(pl.Int64)).to_series()


def with_times(study: Study, factor: float) -> Study:
    """The same launches, each taking `factor` times as long."""
    scaled = study.launches.with_columns(
        pl.col("seconds") * factor, pl.col("bandwidth_share") / factor, pl.col("compute_share") / factor
    )
    return replace(study, launches=scaled)


def plain(*kernels: dict[str, Any], name: str = "plain", **facts: Any) -> Study:
    """A study of a few kernels stated by hand: `count` equal launches of each; bytes, FLOPs and seconds of one launch.

    tokens is 1 unless stated; facts left out are unknown.
    """
    rows = [row for kernel in kernels for row in launches_of(**kernel)]
    stated = pl.DataFrame(rows, schema=PLAIN, orient="row").with_columns(
        pl.int_range(pl.len()).alias("index"),
        intensity=pl.col("flops") / pl.col("dram_bytes"),
        position=pl.lit(None, pl.Int64),
        step=pl.lit(0, pl.Int64),
    )
    frame = full(stated)
    run = Run(**{key: Fact(value, "given", "planted") for key, value in {"tokens": 1, **facts}.items()})
    return Study(capture=Capture(launches=frame, name=name), launches=frame, gpu=None, run=run, notes=())


PLAIN: dict[str, Any] = {
    "kernel": pl.String,
    "name": pl.String,
    "role": pl.String,
    "family": enum(FAMILIES),
    "phase": enum(PHASES),
    "layer": pl.Int64,
    "grid": pl.Array(pl.Int64, 3),
    "block": pl.Array(pl.Int64, 3),
    "dram_bytes": pl.Float64,
    "seconds": pl.Float64,
    "flops": pl.Float64,
    "flops_complete": pl.Boolean,
    "tensor_flops": pl.Float64,
    "ridge": pl.Float64,
    "bandwidth": pl.Float64,
    "peak": pl.Float64,
    "bandwidth_share": pl.Float64,
    "limited_by": pl.String,
}


def launches_of(
    kernel: str = "gemm",
    role: str = "fc",
    *,
    count: int = 4,
    dram_bytes: Any = 1e8,
    seconds: Any = 1e-4,
    flops: Any = 2e8,
    ridge: float = 300.0,
    share: float | None = 0.8,
    limited_by: str | None = "memory",
    grid: int = 132,
    bandwidth: float | None = None,
    flops_complete: bool = True,
    tensor_flops: float | None = 0.0,
) -> list[dict[str, Any]]:
    """Equal launches of one kernel, one a layer; a list gives each launch its own number."""

    def each(value: Any, n: int) -> Any:
        return value[n] if isinstance(value, list) else value

    return [
        {
            "kernel": kernel,
            "name": kernel,
            "role": role,
            "family": role if role in ("fc", "attention") else "other",
            "phase": "decode",
            "layer": n,
            "grid": [grid, 1, 1],
            "block": [256, 1, 1],
            "dram_bytes": each(dram_bytes, n),
            "seconds": each(seconds, n),
            "flops": each(flops, n),
            "flops_complete": flops_complete,
            "tensor_flops": tensor_flops,
            "ridge": ridge,
            "bandwidth": bandwidth,
            "peak": None,
            "bandwidth_share": share,
            "limited_by": limited_by,
        }
        for n in range(count)
    ]
