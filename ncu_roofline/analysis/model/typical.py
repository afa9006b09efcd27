"""What weight matrices and attention typically take on a device: a start each, then bytes at what such kernels reach.

Glue (norms, activations, sampling and the like) has no part in it: between typical and a measured step stands the glue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import exp, hypot, log

import polars as pl

from ncu_roofline.analysis.model.footprint import Setting, dtype_of, held_here, kv_dtype
from ncu_roofline.analysis.model.types import of_launch
from ncu_roofline.analysis.run.rows import of_experts, satellite
from ncu_roofline.analysis.work.ladder import NOTHING
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.devices.achieved import Fit
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models.model import Model, Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A figure with its spread: a typical time in seconds, or how many times as long as another it is."""

    low: float
    value: float
    high: float

    def over(self, other: Span) -> Span:
        """The quotient of two figures; the spreads of both are taken to be independent."""
        value = self.value / other.value
        lower = hypot(log(self.value / self.low), log(other.high / other.value))
        higher = hypot(log(self.high / self.value), log(other.value / other.low))
        return Span(low=value * exp(-lower), value=value, high=value * exp(higher))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One kind of kernel of a step: so many launches with so many bytes together, on one GPU."""

    kind: str
    """fc, experts or attention; or a mixer of which nothing is known (mla, mamba, linear)."""
    dtype: str
    name: str
    launches: float
    """Part of a launch, for one matrix of several that servers multiply at once."""
    bytes: float
    fit: Fit | None

    @property
    def seconds(self) -> Span | None:
        """Its typical time; None where nothing is known of such kernels on the device."""
        if self.fit is None:
            return None
        value = self.launches * self.fit.start + self.bytes / self.fit.bandwidth
        return Span(low=value * self.fit.low, value=value, high=value * self.fit.high)


def step(parts: list[Part], least: float) -> Span | None:
    """The typical time of all parts, never below the least; None where one of them is not known."""
    each = [part.seconds for part in parts]
    known = [span for span in each if span is not None]
    if not parts or len(known) < len(each):
        return None
    low, value, high = (sum(getattr(span, end) for span in known) for end in ("low", "value", "high"))
    return Span(low=max(low, least), value=max(value, least), high=max(high, least))


def parts_of(model: Model, gpu: Gpu, setting: Setting) -> list[Part]:
    """Every weight matrix of a step, then its attention where a context is stated."""
    return [*matrices(model, gpu, setting), *attention(model, gpu, setting)]


def untold(parts: list[Part]) -> list[tuple[str, str]]:
    """Kinds and types of which nothing typical is known on the device, each once."""
    return list(dict.fromkeys((part.kind, part.dtype) for part in parts if part.fit is None))


def fit(gpu: Gpu, kind: str, dtype: str, batch: int) -> Fit | None:
    """The fit of a kind of kernel; None beyond the rows that it was made for."""
    return gpu.achieved.fit(kind, dtype) if batch <= THRESHOLDS.fitted_rows else None


def matrices(model: Model, gpu: Gpu, setting: Setting) -> Iterator[Part]:
    """Weight matrices; those that servers fuse share one start, and a layer's experts are one grouped product."""
    read = [(w, elements) for w, elements in model.reads(setting.batch) if w.matrix]
    together: dict[tuple[str, str], int] = {}
    for weight, _ in read:
        together[group(weight)] = together.get(group(weight), 0) + 1
    for weight, elements in read:
        dtype = dtype_of(weight, model, setting)
        kind = "experts" if weight.copies > 1 else "fc"
        yield Part(
            kind=kind,
            dtype=dtype.name,
            name=weight.name,
            launches=max(1, len(weight.layers)) / together[group(weight)],
            bytes=elements * dtype.bytes * held_here(weight, setting),
            fit=fit(gpu, kind, dtype.name, setting.batch),
        )


WIDE, NARROW = ("bf16", "fp16"), "fp8"
"""Types of which the second has half the bytes of the first, and both typical times."""


def halved(model: Model, gpu: Gpu, setting: Setting) -> list[Span | None]:
    """Matrix by matrix, how many times as fast half of its bytes typically make it: FP8 where it has 16 bits.

    Matrices that servers fuse gain together. None where the matrix has another type, is too small for the fits, or nothing
    typical is known of one side.
    """
    read = [w for w, _ in model.reads(setting.batch) if w.matrix]
    fused: dict[tuple[str, str], Part] = {}
    for weight, part in zip(read, matrices(model, gpu, setting), strict=True):
        beside = fused.get(group(weight))
        more = (beside.launches, beside.bytes) if beside else (0.0, 0.0)
        fused[group(weight)] = replace(part, launches=part.launches + more[0], bytes=part.bytes + more[1])
    told = {which: in_half(part, gpu, setting.batch) for which, part in fused.items()}
    return [told[group(weight)] for weight in read]


def in_half(wide: Part, gpu: Gpu, batch: int) -> Span | None:
    """How many times as fast half of its bytes make all launches of a matrix."""
    narrow = replace(wide, bytes=wide.bytes / 2, fit=fit(gpu, wide.kind, NARROW, batch))
    small = wide.bytes < THRESHOLDS.least_fitted_part * (gpu.l2_bytes or 0.0) * wide.launches
    if small or wide.dtype not in WIDE or wide.seconds is None or narrow.seconds is None:
        return None
    return wide.seconds.over(narrow.seconds)


def group(weight: Weight) -> tuple[str, str]:
    """What is multiplied in one launch."""
    return weight.kind, weight.fused or weight.name


def attention(model: Model, gpu: Gpu, setting: Setting) -> Iterator[Part]:
    """What reads the caches of a layer, one launch each: attention, and other mixers, of which nothing typical is known."""
    if setting.context is None:
        return
    dtype = kv_dtype(model, setting)
    for kind in dict.fromkeys(READER.get(cache.kind, cache.kind) for cache in model.caches):
        mine = [cache for cache in model.caches if READER.get(cache.kind, cache.kind) == kind]
        if kind == "conv":  # a few kilobytes: glue
            continue
        elements = sum((c.elements * c.tokens(setting.context) + c.state) / min(setting.tp, c.split) for c in mine)
        yield Part(
            kind=kind,
            dtype=dtype.name,
            name=kind,
            launches=len(mine),
            bytes=setting.batch * elements * dtype.bytes,
            fit=fit(gpu, kind, dtype.name, setting.batch),
        )


READER = {"full": "attention", "sliding": "attention"}
"""What reads a kind of cache; the others (latents, recurrent states) are read by mixers of their own."""


def of_launches(launches: pl.DataFrame, gpu: Gpu | None, run: Run) -> pl.DataFrame:
    """Launches with `typical_seconds`, `_low`, `_high`, by the bytes that they read and their type, and `typical_borrowed`.

    The last says from what a fit was derived that was not made on this device.
    Null for glue, for helpers that finish another kernel's work, and where nothing is known of such kernels.
    """
    fits = {} if gpu is None else gpu.achieved.fits
    table = pl.DataFrame(
        [(kind, dtype, f.start, f.bandwidth, f.low, f.high, f.borrowed or None) for (kind, dtype), f in fits.items()],
        schema={
            **dict.fromkeys(("fit_kind", "fit_dtype"), pl.String),
            **dict.fromkeys(("start", "rate", "least", "most"), pl.Float64),
            "typical_borrowed": pl.String,
        },
        orient="row",
    )
    few = pl.col("step_rows").is_null() | (pl.col("step_rows") <= THRESHOLDS.fitted_rows)
    decode = pl.col("phase").cast(pl.String).fill_null("decode") == "decode"
    family = pl.col("family").cast(pl.String)
    kind = pl.when(of_experts(launches) & (family == "fc")).then(pl.lit("experts")).otherwise(family)
    cache, weights = of_launch(run.kv.value, "cache_dtype"), of_launch(run.weights.value, "weight_dtype")
    marked = launches.with_columns(
        fit_kind=pl.when(few & decode & ~satellite(launches)).then(kind),
        fit_dtype=pl.when(family == "attention").then(cache).otherwise(weights),
    )
    read = pl.coalesce("dram_read_bytes", "dram_bytes")
    value = pl.col("start") * pl.col("times").fill_null(1) + read / pl.col("rate")
    return (
        marked.join(table, on=["fit_kind", "fit_dtype"], how="left", maintain_order="left")
        .with_columns(
            typical_seconds=value if fits else NOTHING,
            typical_seconds_low=value * pl.col("least"),
            typical_seconds_high=value * pl.col("most"),
        )
        .drop("fit_kind", "fit_dtype", "start", "rate", "least", "most")
    )
