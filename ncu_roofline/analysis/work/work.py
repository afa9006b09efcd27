"""Counters -> work: FLOPs by precision and bytes by memory level, each with the rung it stands on."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.work.flops import Family, from_opcodes, idle, scalar, tensor
from ncu_roofline.analysis.work.ladder import NOTHING, climb, measured, sm_cycles
from ncu_roofline.analysis.work.opcodes import has_integer_dots
from ncu_roofline.analysis.work.rates import of_a_second, with_rates
from ncu_roofline.analysis.work.traffic import bytes_moved
from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.schema import PATHS, PRECISIONS, SCALAR_PATHS, SOURCES, TENSOR_PATHS
from ncu_roofline.knowledge.counters import table
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.devices.rates import pipe_rates

HINTS = {"bf16": "bf16", "fp16": "fp16", "fp8": "fp8", "int8": "int8", "tf32": "tf32", "fp4": "fp4"}


def work(launches: pl.DataFrame, gpu: Gpu | None, device: Device) -> pl.DataFrame:
    """Launches with FLOPs and bytes, rates where only those are told; what nothing tells is null, never zero."""
    second = of_a_second(launches)
    rated = with_rates(counted(launches, gpu, device), None if second is None else counted(second, gpu, device))
    return rated.with_columns(precision())


def counted(launches: pl.DataFrame, gpu: Gpu | None, device: Device) -> pl.DataFrame:
    """Launches with FLOPs and bytes over their duration."""
    capability = device.compute_capability or (gpu.compute_capability if gpu else None)
    by_opcode = from_opcodes(launches)
    families = [*scalar(launches, capability), *tensor(launches, capability)]
    by_path = by_opcode.with_columns(e for path in PATHS for e in of_path(path, families))
    by_path = without_uncounted(by_path.drop([f"opcodes:{p}" for p in PATHS]), capability)
    estimated = estimate(by_path, gpu, device)
    added = estimated.with_columns(sums(estimated, capability))
    uncounted = pl.col("issued") & pl.col("tensor_flops").is_null()
    told = ~(has_integer_dots(launches) | unseen() | uncounted)
    summed = added.with_columns(pl.when(told).then("flops").alias("flops"), flops_complete=pl.col("flops_complete") & told)
    return summed.drop("issued", *(f"whole:{p}" for p in PATHS)).with_columns(
        pl.when(pl.col("flops").is_not_null()).then(pl.col("flops_source")).alias("flops_source"),
        pl.when(pl.col("flops").is_not_null()).then(slowest_path(gpu)).alias("path"),
        tensor_high(launches, capability).alias("tensor_flops_high"),
        *bytes_moved(launches, gpu, device),
    )


def unseen() -> pl.Expr:
    """Matrix products and attention of which no FLOP was seen where FP32 or all tensor work was not counted."""
    uncounted = pl.col("flops_fp32").is_null() | pl.col("tensor_flops").is_null()
    return pl.col("role").cast(pl.String).is_in(["fc", "attention"]).fill_null(False) & (pl.col("flops") == 0) & uncounted


def without_uncounted(by_path: pl.DataFrame, capability: str | None) -> pl.DataFrame:
    """Tensor work is null, not zero, where the pipe was busy though no operation was counted; `issued` says where."""
    facts = table()["issued"]
    busy = measured(by_path, table()["pipe"]["percent"]) > table()["pipe"]["least_percent"]
    alone = capability in facts["compute_capabilities"]
    ran = busy.fill_null(False) | ((measured(by_path, facts["sum"]) > 0).fill_null(False) & alone)
    issued = (over_paths(TENSOR_PATHS) == 0).fill_null(False) & ran
    kept = [f"flops_{p}{part}" for p in TENSOR_PATHS for part in ("", "_source")]
    return by_path.with_columns(
        issued.alias("issued"),
        *(pl.when(~issued).then(name).alias(name) for name in kept),
        *((pl.col(f"whole:{p}") & ~issued).alias(f"whole:{p}") for p in TENSOR_PATHS),
    )


def of_path(path: str, families: list[Family]) -> list[pl.Expr]:
    """FLOPs of one path, their source, and whether that is all: counters, rates, opcodes, then partial counts."""
    mine = [f for f in families if f.path == path]
    whole = [*((f.source, f.flops) for f in mine if f.whole), ("opcodes", pl.col(f"opcodes:{path}"))]
    partial = [(f.source, f.flops) for f in mine if not f.whole]
    is_whole = pl.coalesce(value for _, value in whole).is_not_null()
    return [*climb(f"flops_{path}", [*whole, *partial]), is_whole.alias(f"whole:{path}")]


def estimate(by_path: pl.DataFrame, gpu: Gpu | None, device: Device) -> pl.DataFrame:
    """Tensor FLOPs where nothing counted them: pipe utilisation, else pipe instructions.

    Both need the precision, so both need a readable hint in the kernel's name.
    """
    uncounted = pl.all_horizontal(pl.col(f"flops_{p}").is_null() for p in TENSOR_PATHS)
    frame = by_path.with_columns(uncounted.alias("uncounted"))
    capability = device.compute_capability or (gpu.compute_capability if gpu else None)
    for hint, path in HINTS.items():
        mine = pl.col("uncounted") & (pl.col("activation_dtype") == hint)
        ladder = [("pipe", pipe_flops(by_path, gpu, path)), ("instructions", instruction_flops(by_path, capability, path))]
        value, source = climb(f"flops_{path}", ladder)
        frame = frame.with_columns(
            pl.when(mine).then(value).otherwise(pl.col(f"flops_{path}")).alias(f"flops_{path}"),
            pl.when(mine).then(source).otherwise(pl.col(f"flops_{path}_source")).alias(f"flops_{path}_source"),
        )
    return frame.drop("uncounted")


def pipe_flops(launches: pl.DataFrame, gpu: Gpu | None, path: str) -> pl.Expr:
    """Share of the tensor pipe's full rate, times the cycles; null below the noise of register moves."""
    rate = pipe_rates(gpu).get(path) if gpu else None
    if gpu is None or rate is None or gpu.sms is None:
        return NOTHING
    percent = measured(launches, table()["pipe"]["percent"])
    flops = percent / 100 * rate * gpu.sms * sm_cycles(launches)
    return pl.when(percent > table()["pipe"]["least_percent"]).then(flops)


def instruction_flops(launches: pl.DataFrame, capability: str | None, path: str) -> pl.Expr:
    """Tensor pipe instructions times the usual shape of the products: of 16 bits up to 2x off, of FP4 unconfirmed."""
    facts = table()["instructions"]
    usual = {"bf16": facts["flops"], "fp16": facts["flops"], "fp4": facts["fp4_flops"]}
    each = usual.get(path, {}).get(capability)
    if each is None:
        return NOTHING
    count = measured(launches, table()["instructions"]["sum"])
    return pl.when(count > 0).then(count * each)


def tensor_high(launches: pl.DataFrame, capability: str | None) -> pl.Expr:
    """Upper bound of uncounted tensor work: instructions times the largest product that one of them can be."""
    facts = table()["instructions"]
    most = facts["most"].get(capability)
    count = measured(launches, facts["sum"]) if most else NOTHING
    return pl.when(pl.col("tensor_flops").is_null() & (count > 0)).then(count * (most or 0))


def sums(frame: pl.DataFrame, capability: str | None) -> list[pl.Expr]:
    """Totals over the paths; a sum of what is known, with `flops_complete` saying whether that is all."""
    return [
        over_paths(PATHS).alias("flops"),
        over_paths(TENSOR_PATHS).alias("tensor_flops"),
        over_paths(SCALAR_PATHS).alias("scalar_flops"),
        least_exact().alias("flops_source"),
        complete(frame, capability).alias("flops_complete"),
    ]


def over_paths(paths: tuple[str, ...]) -> pl.Expr:
    """Sum over the paths that are known; null where none is."""
    columns = [f"flops_{p}" for p in paths]
    return pl.when(pl.any_horizontal(pl.col(c).is_not_null() for c in columns)).then(pl.sum_horizontal(*columns))


def least_exact() -> pl.Expr:
    """The least exact rung among the paths that did work; of all known ones where none did."""
    kinds = pl.Enum(SOURCES)
    working = [pl.when(pl.col(f"flops_{p}") > 0).then(pl.col(f"flops_{p}_source").to_physical()) for p in PATHS]
    known = [pl.col(f"flops_{p}_source").to_physical() for p in PATHS]
    rank = pl.coalesce(pl.max_horizontal(*working), pl.min_horizontal(*known))
    return rank.replace_strict(dict(enumerate(SOURCES)), default=None, return_dtype=kinds)


def complete(frame: pl.DataFrame, capability: str | None) -> pl.Expr:
    """Whether every family that could have run was counted, or is proven idle."""
    scalar_known = [pl.col(f"whole:{p}") | idle(frame, p).fill_null(False) for p in SCALAR_PATHS]
    types = table()["tensor_types"].get(capability)
    counted = [pl.col(f"whole:{p}") for p in types] if types else [pl.lit(False)]
    tensor_known = pl.all_horizontal(counted) | idle(frame, "tensor").fill_null(False)
    return pl.all_horizontal(*scalar_known, tensor_known)


def peak_of(gpu: Gpu | None, path: str) -> float | None:
    """Dense peak of a path, or its relative speed where no peak of the device is known."""
    return gpu.peaks.get(path) if gpu and gpu.peaks else table()["nominal"].get(path)


def slowest_path(gpu: Gpu | None) -> pl.Expr:
    """The path whose work takes longest at its own roof; null where no path did any."""
    roofs = {p: peak for p in PATHS if (peak := peak_of(gpu, p))}
    times = {p: pl.col(f"flops_{p}") / peak for p, peak in roofs.items()}
    longest = pl.max_horizontal(*times.values())
    chosen = [pl.when((time == longest) & (longest > 0)).then(pl.lit(p)) for p, time in times.items()]
    return pl.coalesce(*chosen).cast(pl.Enum(PATHS))


def precision() -> pl.Expr:
    """The path's number format, without the kind of unit or of accumulation."""
    return pl.col("path").cast(pl.String).str.replace("_.*$", "").cast(pl.Enum(PRECISIONS)).alias("precision")
