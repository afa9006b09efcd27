"""How many bytes a model's weights and caches take as it is run: types, tensor parallelism, what memory allows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ncu_roofline.capture.capture import Run
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.model import Model, Weight

MOST_BATCH, MOST_CONTEXT, MOST_TP = 1_000_000, 100_000_000, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a model is run; None of weights, head and kv means as the model publishes them."""

    batch: int = 1
    context: int | None = None
    """Cached tokens per sequence; None leaves the KV cache out."""
    weights: str | None = None
    head: str | None = None
    """Type of LM head and router where it is not that of the weights."""
    kv: str | None = None
    tp: int = 1
    ep: int = 1
    """GPUs among which whole experts are dealt; 1 divides them like any other matrix."""


def setting_of(run: Run) -> Setting:
    """How the model was run, as far as the run's facts tell."""
    return Setting(
        batch=int(run.batch.value or 1),
        context=run.context.value,
        weights=run.weights.value,
        head=run.head.value,
        kv=run.kv.value,
        tp=int(run.tp.value or 1),
        ep=int(run.ep.value or 1),
    )


def check(model: Model, setting: Setting) -> None:
    ranges = (("batch", setting.batch, MOST_BATCH), ("context", setting.context, MOST_CONTEXT))
    for name, value, most in (*ranges, ("tp", setting.tp, MOST_TP), ("ep", setting.ep, MOST_TP)):
        if value is not None and not 1 <= value <= most:
            raise UnusableInput(f"`{name}=` {value} is impossible; give a whole number from 1 to {most}")
    if model.heads % setting.tp:
        raise UnusableInput(f"`tp=` {setting.tp} does not divide the {model.heads} attention heads of {model.name}")
    if setting.ep > 1 and (not model.experts or model.experts % setting.ep):
        raise UnusableInput(f"`ep=` {setting.ep} does not divide the {model.experts or 0} experts of {model.name}")
    if setting.weights is None and any(dtype == "unknown" for _, dtype in model.stored):
        raise UnusableInput(
            f"{model.name}: key 'quantization_config' names a method that is not known; "
            f"say the type with `weights=` ({', '.join(dtypes.names())})"
        )


def dtype_of(weight: Weight, model: Model, setting: Setting) -> dtypes.Dtype:
    """The type in which this tensor is stored: as stated, else as published; 16 bits where neither says."""
    head = weight.role == "router" or weight.name == "lm_head"
    if setting.head is not None and head:
        return dtypes.find(setting.head, "`head=`")
    if setting.weights is not None and weight.matrix:
        return dtypes.find(setting.weights)
    for scope, dtype in model.stored:
        inside = weight.role == "fc" and weight.layers
        if inside and (scope == "layers" or weight.read == "experts"):
            return dtypes.find(dtype)
    return dtypes.find(model.native or "bf16")


def kv_dtype(model: Model, setting: Setting) -> dtypes.Dtype:
    """The type of the KV cache: as stated, else the 16 bits in which the model computes."""
    return dtypes.find(setting.kv or model.native or "bf16", "`kv=`")


def held_here(weight: Weight, setting: Setting) -> float:
    """What one GPU holds of a tensor: matrices are divided, experts too or dealt whole, norms, router and rows repeated."""
    if weight.copies > 1 and setting.ep > 1:
        return 1 / setting.ep
    return 1 / setting.tp if weight.role == "fc" else 1.0


def streamed(weight: Weight, setting: Setting) -> tuple[float, int]:
    """What a launch reads of one matrix, as a share, and of how many experts: those dealt to a GPU are whole."""
    if weight.copies > 1 and setting.ep > 1:
        return 1.0, weight.copies // setting.ep
    return held_here(weight, setting), weight.copies


def weight_bytes_per_gpu(model: Model, setting: Setting) -> Iterator[tuple[float, float]]:
    """Per tensor the bytes that a step reads: on one GPU, and over all."""
    for weight, elements in model.reads(setting.batch):
        size = elements * dtype_of(weight, model, setting).bytes
        part = held_here(weight, setting)
        yield size * part, size * part * setting.tp


def kv_bytes(model: Model, setting: Setting, *, held: bool = False) -> float:
    """Bytes of one sequence's caches, over all GPUs."""
    return setting.tp * kv_per_gpu(model, setting, held=held)


def kv_per_gpu(model: Model, setting: Setting, *, held: bool = False) -> float:
    """Bytes of one sequence's caches on one GPU: key/value heads are divided as far as they go."""
    if setting.context is None:
        return 0.0
    width = kv_dtype(model, setting).bytes
    return model.kv_bytes(setting.context, width, held=held, tp=setting.tp)


def memory_batch(model: Model, gpu: Gpu, setting: Setting) -> tuple[int | None, float]:
    """The batch that memory allows, and the bytes of all weights; raises where not one sequence fits."""
    held = [(w.elements * dtype_of(w, model, setting).bytes * held_here(w, setting)) for w in model.weights if w.counted]
    resident = sum(held)
    if gpu.memory_bytes is None:
        return None, resident * setting.tp
    per_sequence = kv_per_gpu(model, setting, held=True)
    beside = resident if resident < gpu.memory_bytes else 0.0
    if per_sequence > gpu.memory_bytes - beside:
        raise UnusableInput(
            f"`context=` {setting.context} is beyond memory: one sequence's KV cache takes "
            f"{per_sequence / 1e9:,.1f} GB per GPU, {gpu.name} leaves {(gpu.memory_bytes - beside) / 1e9:,.1f} GB"
        )
    if not per_sequence:
        return None, resident * setting.tp
    return math.floor((gpu.memory_bytes - beside) / per_sequence) if beside else 0, resident * setting.tp
