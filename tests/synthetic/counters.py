"""What the profiler would count of a launch, by metric set, in base SI units."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from tests.synthetic.launches import Launch
from tests.synthetic.models import Plan

LEAST_SECONDS = 1.6e-6
"""No kernel is shorter: launch, scheduling, drain."""
L2_BYTES_PER_SECOND = 5.5e12
TENSOR_EFFICIENCY = 0.75
MARK = "ncu_roofline__synthetic"
TENSOR = "sm__ops_path_tensor_"
SCALAR = "sm__sass_thread_inst_executed_op_{}_pred_on.sum"
OPCODES = "sass__inst_executed_per_opcode_with_modifier_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One launch's bytes, FLOPs and duration as the hardware would see them."""

    launch: Launch
    read: float
    write: float
    l2: float
    seconds: float

    @property
    def dram(self) -> float:
        return self.read + self.write


def beyond(size: float, cache: float) -> float:
    """The part of an activation that the L2 cannot hold."""
    return max(0.0, size - cache)


def measured(launch: Launch, plan: Plan, rng: random.Random) -> Measured:
    """Bytes by the cache control of the capture, seconds by the slower roof; noise last."""
    l2 = float(plan.gpu.l2_bytes)
    activations = launch.reads if plan.cache == "all" else beyond(launch.reads, l2)
    read = launch.weight_bytes + launch.kv_bytes + activations
    write = beyond(launch.writes, l2)  # the rest is still dirty in L2 when the kernel ends
    traffic = launch.weight_bytes + launch.kv_bytes + launch.reads + launch.writes
    wobble = math.exp(rng.gauss(0, 1) * plan.noise / 10)
    seconds = duration(launch, plan, read + write, traffic) * math.exp(rng.gauss(0, 1) * plan.noise)
    return Measured(
        launch=launch,
        read=sectors(read * wobble),
        write=sectors(write * wobble),
        l2=sectors(traffic),
        seconds=round(seconds * 1e9) / 1e9,
    )


def sectors(size: float) -> float:
    """Whole sectors of 32 bytes."""
    return float(32 * math.ceil(size / 32))


def duration(launch: Launch, plan: Plan, dram: float, traffic: float) -> float:
    """The slowest of memory, L2 and tensor cores, after what every launch costs."""
    double = 2.0 if launch.precision == "fp8" or launch.sparse else 1.0
    half = 1.0 if launch.warpgroup else 2 / 3  # mma.sync reaches two thirds of wgmma on Hopper
    peak = plan.gpu.flops_per_second * double * half * TENSOR_EFFICIENCY
    return LEAST_SECONDS + max(
        dram / (plan.gpu.bandwidth * launch.efficiency), traffic / L2_BYTES_PER_SECOND, launch.tensor / peak
    )


def clocks(one: Measured, plan: Plan) -> dict[str, float]:
    """Cycles and rates of the SM and memory clocks."""
    return {
        "sm__cycles_elapsed.max": float(round(one.seconds * plan.gpu.clock)),
        "sm__cycles_elapsed.avg.per_second": plan.gpu.clock,
        "dram__cycles_elapsed.avg.per_second": plan.gpu.memory_hertz,
    }


def tensor_names(plan: Plan) -> dict[str, str]:
    """Source type -> counter name on this architecture."""
    blackwell = plan.gpu.major >= 12
    return {"bf16": f"{TENSOR}src_bf16_dst_fp32", "fp8": f"{TENSOR}src_fp8_dst_fp32" if blackwell else f"{TENSOR}src_fp8"}


def scalar(launch: Launch) -> dict[str, float]:
    """Thread instructions per scalar opcode class."""
    kinds = {"fadd": launch.fadd, "fmul": launch.fmul, "ffma": launch.ffma, "hfma": launch.hfma}
    kinds |= {"hadd": 0.0, "hmul": 0.0}
    return {kind: float(round(kinds[kind])) for kind in sorted(kinds)}


def dram(one: Measured, plan: Plan) -> dict[str, float]:
    """Bytes of device memory under the names of this architecture."""
    op = "op_" if plan.gpu.major >= 12 else ""
    return {
        f"dram__bytes_{op}read.sum": one.read,
        f"dram__bytes_{op}write.sum": one.write,
        "dram__bytes.sum.peak_sustained": 2.0 * plan.gpu.bus_bits / 8,
    }


def roofs(plan: Plan) -> dict[str, float]:
    """Dense FLOPs per clock of all SMs, where the recipe asks for them (Hopper's wgmma path)."""
    dense = float(plan.gpu.sms * plan.gpu.tensor_rate)
    peaks = {"op_hgmma_src_bf16_dst_fp32_sparsity_off": dense, "src_fp8_sparsity_off": 2 * dense}
    return {f"{TENSOR}{name}.sum.peak_sustained": peak for name, peak in peaks.items() if plan.gpu.major == 9}


def recipe(one: Measured, plan: Plan) -> dict[str, Any]:
    """What `ncu-roofline recipe --dtypes bf16,fp8` asks for."""
    tensor = {
        f"{name}.sum": one.launch.tensor if one.launch.precision == kind else 0.0 for kind, name in tensor_names(plan).items()
    }
    work = {SCALAR.format(kind): count for kind, count in scalar(one.launch).items()}
    memory = dram(one, plan) | {"lts__t_bytes.sum": one.l2}
    return clocks(one, plan) | memory | work | tensor | roofs(plan)


def basic(one: Measured, plan: Plan) -> dict[str, Any]:
    """The default set: no bytes, no FLOPs, but the cycles in which memory was active."""
    cycles = one.dram / (2 * plan.gpu.bus_bits / 8)
    sm = one.seconds * plan.gpu.sms * plan.gpu.clock * plan.gpu.tensor_rate
    return clocks(one, plan) | {
        "dram__cycles_active.avg": cycles,
        "dram__cycles_active.avg.pct_of_peak_sustained_elapsed": 100 * cycles / (one.seconds * plan.gpu.memory_hertz),
        "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed": 100 * one.launch.tensor / sm,
        "launch__waves_per_multiprocessor": math.prod(one.launch.grid) / plan.gpu.sms,
    }


def opcodes(launch: Launch) -> list[dict[str, Any]]:
    """Warp instructions per opcode; a warpgroup instruction counts once for each of its 4 warps."""
    kind = "E4M3" if launch.precision == "fp8" else "BF16"
    depth = 32 if launch.precision == "fp8" else 16
    wide = f"{'Q' if kind == 'E4M3' else 'H'}GMMA.64x8x{depth}.F32.{kind}"
    tensor = (
        (wide, 4 * launch.tensor / (2 * 64 * 8 * depth)) if launch.warpgroup else ("HMMA.16816.F32.BF16", launch.tensor / 4096)
    )
    warps = math.prod(launch.grid) * math.ceil(math.prod(launch.block) / 32)
    scalars = [(k.upper(), n / 32) for k, n in scalar(launch).items() if k[0] == "f"]
    found = [("EXIT", float(warps)), tensor, *scalars]
    return [{"id": name, "value": float(round(n))} for name, n in found if n]


def full(one: Measured, plan: Plan) -> dict[str, Any]:
    """Much of `--set full`: every tensor name, overlapping parts and all; scalar work as rates."""
    launch, cycles = one.launch, max(1, round(one.seconds * plan.gpu.clock))
    bf16, fp8 = (launch.tensor if launch.precision == k else 0.0 for k in ("bf16", "fp8"))
    sparse, dense = (bf16, 0.0) if launch.sparse else (0.0, bf16)
    wide = launch.warpgroup
    parts = {
        "src_bf16_dst_fp32": bf16,
        "src_fp16": 0.0,
        "src_tf32_dst_fp32": 0.0,
        "src_fp64": 0.0,
        "src_int8": 0.0,
        "src_int1": 0.0,
        "src_fp8": fp8,
        "src_fp8_sparsity_off": fp8,
        "src_fp8_sparsity_on": 0.0,
        "op_hgmma_src_bf16_dst_fp32": bf16 if wide else 0.0,
        "op_hgmma_src_bf16_dst_fp32_sparsity_off": dense if wide else 0.0,
        "op_hgmma_src_bf16_dst_fp32_sparsity_on": sparse if wide else 0.0,
        "op_hmma_src_bf16_dst_fp32": 0.0 if wide else bf16,
        "op_hmma_src_bf16_dst_fp32_sparsity_off": 0.0 if wide else dense,
        "op_hmma_src_bf16_dst_fp32_sparsity_on": 0.0 if wide else sparse,
    }
    rates = {k: v / cycles for k, v in scalar(launch).items()} | {"dadd": 0.0, "dmul": 0.0, "dfma": 0.0}
    tensor = {f"{TENSOR}{name}.sum": value for name, value in parts.items()}
    work = {f"smsp__sass_thread_inst_executed_op_{k}_pred_on.sum.per_cycle_elapsed": v for k, v in rates.items()}
    bytes_ = dram(one, plan) | {"lts__t_sectors.sum": one.l2 / 32}
    return basic(one, plan) | bytes_ | work | tensor | {OPCODES: opcodes(launch)}


def counted(one: Measured, plan: Plan) -> dict[str, Any]:
    """All counters of the launch in the plan's metric set, with the mark of the synthetic."""
    sets = {"recipe": recipe, "full": full, "basic": basic}
    asked = sets[plan.counters](one, plan) if plan.counters in sets else {}
    return {"gpu__time_duration.sum": one.seconds, MARK: 1.0} | asked
