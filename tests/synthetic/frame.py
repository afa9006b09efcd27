"""A plan -> the launches frame of a capture, the truth beside it, and the Capture itself."""

from __future__ import annotations

import random
from typing import Any

import polars as pl

from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.capture.schema import LAUNCHES, MEASURED, OPCODES, ROLES, conform, enum
from tests.synthetic import counters
from tests.synthetic.counters import Measured, counted, measured
from tests.synthetic.launches import Launch, launches
from tests.synthetic.models import H100, Plan, SyntheticGpu

TRUTH: dict[str, Any] = {
    "index": pl.Int64,
    "role": enum(ROLES),
    "phase": pl.String,
    "step": pl.Int64,
    "layer": pl.Int64,
    "useful_flops": pl.Float64,
    "tensor_flops": pl.Float64,
    "scalar_flops": pl.Float64,
    "dram_bytes": pl.Float64,
    "weight_bytes": pl.Float64,
    "kv_bytes": pl.Float64,
    "seconds": pl.Float64,
}
"""What is so, whatever the profiler was asked for; FLOPs as executed, useful ones beside them."""


def nvtx(launch: Launch, plan: Plan) -> list[str] | None:
    """Open ranges of the launch as the workload marks them, outermost first."""
    if not plan.nvtx:
        return None
    layer = f"layer.{launch.layer}" if launch.layer is not None else ""
    step = f"step.{launch.step}" if launch.phase == "decode" else ""
    return [part for part in (launch.phase, step, layer, launch.module) if part]


def run_of(plan: Plan) -> list[Measured]:
    """The measured launches of the plan."""
    rng = random.Random(f"noise {plan.seed}")
    return [measured(launch, plan, rng) for launch in launches(plan)]


def decode_run(plan: Plan | None = None, **options: Any) -> pl.DataFrame:
    """The launches frame of `Plan(**options)`, as a reader would give it."""
    plan = plan or Plan(**options)
    rows = [
        {
            "index": index,
            "profiler_id": index,
            "kernel": one.launch.name[0],
            "name": one.launch.name[1],
            "device": 0,
            "stream": 7,
            "process": 4242,
            "grid": one.launch.grid,
            "block": one.launch.block,
            "nvtx": nvtx(one.launch, plan),
            "seconds": one.seconds,
            **{MEASURED + name: value for name, value in counted(one, plan).items()},
        }
        for index, one in enumerate(run_of(plan))
    ]
    types: dict[str, Any] = {column.name: column.dtype for column in LAUNCHES}
    for name in rows[0] if rows else ():
        types.setdefault(name, OPCODES if name == MEASURED + counters.OPCODES else pl.Float64)
    return conform(pl.DataFrame(rows, schema=types, orient="row"), LAUNCHES, source="synthetic")


def truth(plan: Plan | None = None, **options: Any) -> pl.DataFrame:
    """The known bytes, FLOPs, roles and places of the same launches, row for row."""
    plan = plan or Plan(**options)
    rows = [
        {
            "index": index,
            "role": one.launch.role,
            "phase": one.launch.phase or None,
            "step": one.launch.step,
            "layer": one.launch.layer,
            "useful_flops": one.launch.useful,
            "tensor_flops": one.launch.tensor,
            "scalar_flops": scalar_flops(one.launch),
            "dram_bytes": one.dram,
            "weight_bytes": one.launch.weight_bytes,
            "kv_bytes": one.launch.kv_bytes,
            "seconds": one.seconds,
        }
        for index, one in enumerate(run_of(plan))
    ]
    return pl.DataFrame(rows, schema=TRUTH, orient="row")


def scalar_flops(launch: Launch) -> float:
    """1, 1 and 2 per FP32 add, multiply, fused; 4 per packed half-precision fused."""
    return float(round(launch.fadd) + round(launch.fmul) + 2 * round(launch.ffma) + 4 * round(launch.hfma))


def device_of(gpu: SyntheticGpu) -> Device:
    """The GPU as a reader would describe it."""
    return Device(
        name=gpu.name,
        compute_capability=f"{gpu.major}.{gpu.minor}",
        chip=str(gpu.chip),
        sms=gpu.sms,
        sm_hertz=gpu.sm_hertz,
        memory_hertz=gpu.memory_hertz,
        bus_bits=gpu.bus_bits,
        memory_bytes=float(gpu.memory_bytes),
        l2_bytes=float(gpu.l2_bytes),
        integrated=False,
        mig=None,
        ecc=True,
    )


def as_capture(
    frame: pl.DataFrame, *, gpu: SyntheticGpu = H100, cache: str = "none", name: str = "synthetic.ncu-rep"
) -> Capture:
    """The frame as a capture that says it is synthetic and how it was measured."""
    typed = "command line"
    run = Run(
        synthetic=Fact(True, "report", f"the metric {counters.MARK}"),
        profiler_version=Fact("2026.1.0", "report", "Nsight Compute Target"),
        cache_control=Fact(cache, typed, f"--cache-control {cache}"),
        clock_control=Fact("none", typed, "--clock-control none"),
        replay_mode=Fact("kernel", typed, "--replay-mode kernel"),
        graph_profiling=Fact("node", typed, "--graph-profiling node"),
    )
    return Capture(launches=frame, device=device_of(gpu), run=run, name=name)


def capture(**options: Any) -> Capture:
    """`as_capture(decode_run(...))` with the GPU and cache control of the plan."""
    plan = Plan(**options)
    return as_capture(decode_run(plan), gpu=plan.gpu, cache=plan.cache)
