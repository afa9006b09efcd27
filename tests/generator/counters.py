"""What the profiler was asked for: the counters of every launch as columns."""

from __future__ import annotations

import random
from collections.abc import Sequence

import polars as pl

from ncu_roofline.capture.schema import MEASURED
from tests.generator.kernels import Kernel

BANDWIDTH, MEMORY_HERTZ, SM_HERTZ, BUS = 3.35e12, 2.619e9, 1.755e9, 5120
SCALARS = ("fadd", "fmul", "ffma", "hadd", "hmul", "hfma")
PEAKS = {
    "sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32_sparsity_off.sum.peak_sustained": 132 * 4096.0,
    "sm__ops_path_tensor_src_fp8_sparsity_off.sum.peak_sustained": 132 * 8192.0,
    "dram__bytes.sum.peak_sustained": 2.0 * BUS / 8,
}
Columns = dict[str, list[float | None]]


def measured(
    launches: Sequence[Kernel], rng: random.Random, noise: float = 1.0
) -> tuple[list[float], list[float], list[float]]:
    """Bytes read, bytes written and seconds of each launch, with a noise of 0.1 % in bytes and 1 % in time."""
    gauss = rng.gauss
    reads = [k.reads * (1 + gauss(0, 0.001 * noise)) // 32 * 32 for k in launches]
    writes = [k.writes * (1 + gauss(0, 0.02 * noise)) // 32 * 32 for k in launches]
    seconds = [
        (2.2e-6 + max((k.reads + k.writes) / (0.85 * BANDWIDTH), k.flops / 7e14)) * (1 + gauss(0, 0.01 * noise))
        for k in launches
    ]
    return reads, writes, seconds


def counted(
    launches: Sequence[Kernel], taken: tuple[list[float], list[float], list[float]], kind: str, seed: int
) -> pl.DataFrame:
    """The `m:` columns of a set of counters."""
    reads, writes, seconds = taken
    columns: Columns = {"gpu__time_duration.sum": [*seconds]}
    columns["sm__cycles_elapsed.max"] = [float(round(s * SM_HERTZ)) for s in seconds]
    columns["sm__cycles_elapsed.avg.per_second"] = [SM_HERTZ] * len(seconds)
    columns["dram__cycles_elapsed.avg.per_second"] = [MEMORY_HERTZ] * len(seconds)
    if kind == "time":
        columns = {"gpu__time_duration.sum": [*seconds]}
    elif kind == "rates":
        both = [r + w for r, w in zip(reads, writes, strict=True)]
        columns["dram__bytes_read.sum.per_second"] = [r / s for r, s in zip(reads, seconds, strict=True)]
        columns["dram__bytes.sum.per_second"] = [b / s for b, s in zip(both, seconds, strict=True)]
    else:
        columns["dram__bytes_read.sum"] = [*reads]
        if kind != "reads":
            columns["dram__bytes_write.sum"] = [*writes]
        columns |= work(launches)
    frame = pl.DataFrame({MEASURED + name: values for name, values in columns.items()})
    return holed(frame, seed) if kind == "holes" else frame


def work(launches: Sequence[Kernel]) -> Columns:
    """Tensor work, scalar work and the roofs."""
    columns: Columns = {"sm__ops_path_tensor_src_bf16_dst_fp32.sum": [k.flops for k in launches]}
    columns["sm__ops_path_tensor_src_fp8.sum"] = [0.0] * len(launches)
    columns["lts__t_bytes.sum"] = [1.2 * (k.reads + k.writes) for k in launches]
    for op in SCALARS:
        values = [float(k.reads // 64) if op == "ffma" and k.role != "fc" else 0.0 for k in launches]
        columns[f"sm__sass_thread_inst_executed_op_{op}_pred_on.sum"] = [*values]
    for name, peak in PEAKS.items():
        columns[name] = [peak] * len(launches)
    return columns


def holed(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same with counters lost: one kind wholly, some values of another."""
    rng = random.Random(f"holes {seed}")
    lost = rng.choice(("sm__ops_path_tensor_src_bf16_dst_fp32.sum", "dram__bytes_write.sum", "sm__ops_path_tensor_src_fp8.sum"))
    thinned = rng.choice(("dram__bytes_read.sum", "sm__ops_path_tensor_src_bf16_dst_fp32.sum", "gpu__time_duration.sum"))
    gaps = [rng.random() < 0.03 for _ in range(frame.height)]
    return frame.drop(MEASURED + lost, strict=False).with_columns(
        pl.when(~pl.Series(gaps, dtype=pl.Boolean)).then(MEASURED + thinned).alias(MEASURED + thinned)
        if MEASURED + thinned in frame.columns and thinned != lost
        else pl.lit(None, pl.Float64).alias("m:launch__waves_per_multiprocessor")
    )
