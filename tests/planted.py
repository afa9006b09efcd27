"""Studies with planted truth: a synthetic decode run whose roles, steps and useful work are given, not inferred."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline import place
from ncu_roofline.analysis.work import work
from ncu_roofline.capture.capture import Capture, Fact, Run
from ncu_roofline.capture.schema import FAMILIES, PHASES, enum
from ncu_roofline.knowledge import gpus
from ncu_roofline.knowledge.gpus import Gpu
from tests.synthetic import Plan, as_capture, decode_run, truth


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedStudy:
    """The same shape as a Study."""

    capture: Capture
    launches: pl.DataFrame
    gpu: Gpu | None
    run: Run
    notes: tuple[str, ...] = ()


def study(**options: Any) -> PlantedStudy:
    """The study of `Plan(**options)`, with roles, phase, step, layer, position and useful FLOPs as planted."""
    plan = Plan(**options)
    capture = as_capture(decode_run(plan), gpu=plan.gpu, cache=plan.cache, name=f"{plan.weights}-b{plan.batch}-{plan.seed}")
    known = truth(plan)
    gpu, _ = gpus.identify(capture.device)
    roles = known["role"].cast(pl.String)
    placed = pl.Series([{"fc": "fc", "attention": "attention"}.get(r, "other") for r in roles], dtype=enum(FAMILIES))
    frame = work(capture.launches, gpu, capture.device).with_columns(
        known["role"], placed.alias("family"), known["phase"].cast(enum(PHASES)), known["step"], known["layer"], known["useful_flops"],
        position=positions(known),
    )
    facts = {"batch": plan.batch, "steps": plan.steps, "tokens": plan.batch * plan.steps, "context": plan.context, "layers": plan.depth}
    run = replace(capture.run, **{k: Fact(v, "given", "planted") for k, v in facts.items()})
    return PlantedStudy(capture=capture, launches=place(frame, gpu, capture.device), gpu=gpu, run=run)


def positions(known: pl.DataFrame) -> pl.Series:
    """Place of each launch inside its layer."""
    inside = known.with_columns(place=pl.int_range(pl.len()).over("phase", "step", "layer"))
    return inside.select(pl.when(pl.col("layer").is_not_null()).then("place").alias("position").cast(pl.Int64)).to_series()


def with_times(study: PlantedStudy, factor: float) -> PlantedStudy:
    """The same launches, each taking `factor` times as long."""
    scaled = study.launches.with_columns(pl.col("seconds") * factor, pl.col("bandwidth_share") / factor, pl.col("compute_share") / factor)
    return replace(study, launches=scaled)
