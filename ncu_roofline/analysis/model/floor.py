"""What a decode step must move at least on a device: bytes, time, tokens per second, and the batches that matter."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

import polars as pl

from ncu_roofline.analysis.model.footprint import (
    MOST_BATCH,
    Setting,
    check,
    dtype_of,
    held_here,
    kv_bytes,
    kv_per_gpu,
    memory_batch,
    weight_bytes_per_gpu,
)
from ncu_roofline.analysis.model.typical import Part, Span, parts_of, step
from ncu_roofline.analysis.notes import Note
from ncu_roofline.capture.tables import SPAN
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The least a step can cost; bytes over all GPUs, seconds of the slowest; None is not known."""

    setting: Setting
    weight_bytes: float
    kv_bytes: float
    flops: float
    gpu_bytes: float
    """Bytes that one GPU reads."""
    memory_seconds: float
    compute_seconds: float
    crossover_batch: float | None
    """Batch at which the FC kernels reach the ridge."""
    memory_batch: int | None
    """Batch whose KV cache fits beside the weights; None without context or memory size."""
    resident_bytes: float
    """Weights that the memory must hold, all experts and the embedding, over all GPUs."""
    experts_read: float
    """Distinct experts per MoE layer; 0 for dense models."""
    fc_precision: str
    """Precision at whose roof most of the FC work runs."""
    ceiling: float | None = None
    """Bandwidth that a real kernel was seen to reach, or that is stated; None where nobody saw one."""
    typical_parts: tuple[Part, ...] = ()
    """What the matrices and attention of a step typically take, part by part."""
    doubts: tuple[Note, ...] = ()

    @property
    def ceiling_seconds(self) -> float | None:
        """The step if its bytes moved at the ceiling; None without one."""
        if self.ceiling is None:
            return None
        return max(self.gpu_bytes / self.ceiling, self.compute_seconds)

    @property
    def typical(self) -> Span | None:
        """What its matrices and attention typically take, glue left out; None where nothing typical is known of a part."""
        return step(list(self.typical_parts), self.step_seconds)

    @property
    def bytes(self) -> float:
        """Least bytes of a step."""
        return self.weight_bytes + self.kv_bytes

    @property
    def bytes_per_token(self) -> float:
        """Least bytes per generated token."""
        return self.bytes / self.setting.batch

    @property
    def step_seconds(self) -> float:
        """The longer of both terms."""
        return max(self.memory_seconds, self.compute_seconds)

    @property
    def tokens_per_second(self) -> float:
        """Upper bound over the whole batch."""
        return self.setting.batch / self.step_seconds

    @property
    def bound(self) -> str:
        """memory or compute: the longer of both terms."""
        return "memory" if self.memory_seconds >= self.compute_seconds else "compute"

    def slowdown(self, seconds: float) -> float:
        """How many times the floor a step of this time takes."""
        return seconds / self.step_seconds

    def bandwidth_share(self, seconds: float) -> float:
        """Of the bandwidth: what the least bytes reach in a step of this time."""
        return self.memory_seconds / seconds

    @property
    def fits(self) -> bool | None:
        """Whether weights and caches of this batch fit into memory."""
        return None if self.memory_batch is None else self.setting.batch <= self.memory_batch

    @property
    def first(self) -> str | None:
        """Which limit a growing batch meets first: memory or crossover; None if either is not known."""
        if self.memory_batch is None or self.crossover_batch is None:
            return None
        return "memory" if self.memory_batch < self.crossover_batch else "crossover"


def floor(model: Model, gpu: Gpu, setting: Setting) -> Floor:
    """The floor of one decode step; raises UnusableInput naming the option that is impossible."""
    check(model, setting)
    allowed, resident = memory_batch(model, gpu, setting)
    read = sum(b for b, _ in weight_bytes_per_gpu(model, setting)) + setting.batch * kv_per_gpu(model, setting)
    fc, attention = _compute_seconds(model, gpu, setting)
    return Floor(
        setting=setting,
        weight_bytes=sum(b for _, b in weight_bytes_per_gpu(model, setting)),
        kv_bytes=setting.batch * kv_bytes(model, setting),
        flops=setting.batch * (2 * model.matmul_parameters + model.attention_flops(setting.context or 0)),
        gpu_bytes=read,
        memory_seconds=read / gpu.bandwidth,
        compute_seconds=fc + attention,
        crossover_batch=_crossover(model, gpu, setting),
        memory_batch=allowed,
        resident_bytes=resident,
        experts_read=model.expected_experts(setting.batch),
        fc_precision=_fc_precision(model, gpu, setting),
        ceiling=gpu.achieved.ceiling,
        typical_parts=tuple(parts_of(model, gpu, setting)),
        doubts=tuple(_doubts(model, gpu, setting, resident)),
    )


def batches(model: Model, gpu: Gpu, setting: Setting) -> list[int]:
    """Powers of two up to the first one beyond the crossover, at most 4096; and the batch that memory allows."""
    check(model, setting)
    last = min(_crossover(model, gpu, setting), 4096)
    powers = [2**n for n in range(math.ceil(math.log2(max(last, 1))) + 1)]
    allowed, _ = memory_batch(model, gpu, setting)
    extra = {allowed} if allowed and allowed < powers[-1] else set()
    return sorted({*powers} | extra)


def over_batches(model: Model, gpu: Gpu, setting: Setting, sizes: Iterable[int]) -> pl.DataFrame:
    """One row per batch: the floor's bytes, times, rate, side and whether it fits."""
    floors = [floor(model, gpu, replace(setting, batch=size)) for size in sizes]
    return pl.DataFrame([_row(f) for f in floors], schema=FLOORS, orient="row")


FLOORS: dict[str, pl.DataType | type[pl.DataType]] = {
    "batch": pl.Int64,
    "weight_bytes": pl.Float64,
    "kv_bytes": pl.Float64,
    "bytes_per_token": pl.Float64,
    "memory_seconds": pl.Float64,
    "compute_seconds": pl.Float64,
    "step_seconds": pl.Float64,
    "ceiling_seconds": pl.Float64,
    "typical_seconds": SPAN,
    "tokens_per_second": pl.Float64,
    "useful_intensity": pl.Float64,
    "bound": pl.String,
    "experts_read": pl.Float64,
    "fits": pl.Boolean,
}


def _row(f: Floor) -> tuple[object, ...]:
    return (
        f.setting.batch,
        f.weight_bytes,
        None if f.setting.context is None else f.kv_bytes,  # what was not stated is not zero
        f.bytes_per_token,
        f.memory_seconds,
        f.compute_seconds,
        f.step_seconds,
        f.ceiling_seconds,
        None if f.typical is None else asdict(f.typical),
        f.tokens_per_second,
        f.flops / f.bytes,
        f.bound,
        f.experts_read or None,
        f.fits,
    )


def _peak(gpu: Gpu, dtype: dtypes.Dtype) -> tuple[str, float]:
    """The roof at which work on this type runs; raises where the device has none."""
    for precision in dtype.compute:
        peak = gpu.peak(precision)
        if peak:
            return precision, peak
    raise UnusableInput(f"{gpu.name} has no known peak for {dtype.name}; choose another `weights=` or `gpu=`")


def _compute_seconds(model: Model, gpu: Gpu, setting: Setting) -> tuple[float, float]:
    """Arithmetic of a step on one GPU: FC (2 per weight and sequence), attention in 16 bits."""
    fc = sum(
        2 * elements / _peak(gpu, dtype_of(weight, model, setting))[1] * held_here(weight, setting)
        for weight, elements in model.reads(1)
        if weight.matrix
    )
    flops = model.attention_flops(setting.context or 0) / setting.tp
    attention = flops / _peak(gpu, dtypes.find("bf16"))[1]
    return setting.batch * fc, setting.batch * attention


def _crossover(model: Model, gpu: Gpu, setting: Setting) -> float:
    """Batch at which the FC arithmetic takes as long as reading its weights; with experts, by bisection."""
    per_sequence, _ = _compute_seconds(model, gpu, replace(setting, batch=1, context=None))

    def surplus(batch: float) -> float:
        read = sum(
            elements * dtype_of(w, model, setting).bytes * held_here(w, setting)
            for w, elements in model.reads(batch)
            if w.matrix
        )
        return read / gpu.bandwidth - batch * per_sequence

    if not model.experts:
        return 1 + surplus(1) / per_sequence
    low, high = 0.0, float(MOST_BATCH)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if surplus(middle) > 0 else (low, middle)
    return high


def _fc_precision(model: Model, gpu: Gpu, setting: Setting) -> str:
    work: defaultdict[str, float] = defaultdict(float)
    for weight, elements in model.reads(1):
        if weight.matrix:
            precision, _ = _peak(gpu, dtype_of(weight, model, setting))
            work[precision] += elements
    return max(work, key=lambda p: work[p])


def _narrowed_head(model: Model, setting: Setting) -> Iterator[Note]:
    """That a stated weight type was taken to hold for the LM head, where the model publishes it wider."""
    wide = model.native or "bf16"
    for weight in (w for w in model.weights if w.matrix and w.name == "lm_head"):
        more = weight.elements * (dtypes.find(wide).bytes - dtype_of(weight, model, setting).bytes)
        if more > 0:
            yield Note("narrowed_head", {"weights": setting.weights, "wide": wide, "bytes": more})


def _doubts(model: Model, gpu: Gpu, setting: Setting, resident: float) -> Iterator[Note]:
    if not model.native and setting.weights is None:
        yield Note("assumed_type", {"model": model.name, "dtype": "bf16"})
    if setting.context is None:
        yield Note("no_context")
    elif model.longest_context and setting.context > model.longest_context:
        yield Note("long_context", {"model": model.name, "context": setting.context, "longest": model.longest_context})
    if gpu.memory_bytes and resident > gpu.memory_bytes * setting.tp:
        yield Note("too_large", {"bytes": resident, "gpus": setting.tp, "memory": gpu.memory_bytes})
    if setting.weights is not None and setting.head is None:
        yield from _narrowed_head(model, setting)
    if model.experts:
        yield Note("even_routing")
    yield from (Note("device", {"told": told}) for told in gpu.told())
