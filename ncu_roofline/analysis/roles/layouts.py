"""A model -> the bytes that one layer reads, matrix after matrix, in every layout that engines use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from ncu_roofline.analysis.model.footprint import Setting, dtype_of, setting_of, streamed
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.model import MIXER_OUTPUTS, Model, Weight

MIXING = ("full", "sliding", "window", "chunked")
"""Caches of keys and values; latent caches and states are read beside products that resemble them."""
SPARSE = (THRESHOLDS.sparse_part_16_bit, THRESHOLDS.sparse_part_8_bit)
"""Bytes of a matrix with 2 of 4 values kept over those of the whole one."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One matrix of a layer as one launch reads it; of several experts the bytes of one."""

    name: str
    bytes: float
    experts: int = 1
    after: bool | None = None
    """Whether it follows attention; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The matrices of one kind of layer in order, and whether a cache of keys and values is read among them."""

    kind: str
    slots: tuple[Slot, ...]
    mixes: bool
    factor: float

    @property
    def mixer(self) -> int | None:
        """The slot before which attention stands; None where no attention is looked for."""
        return next((at for at, slot in enumerate(self.slots) if slot.after), None) if self.mixes else None


def layouts(model: Model, run: Run) -> list[Layout]:
    """Every distinct layout of the model's layers, in every type that its weights may have."""
    how = setting_of(run)
    made: dict[tuple[Slot, ...], Layout] = {}
    for kind, cache in dict(zip(model.layer_kinds, model.caches, strict=True)).items():
        weights = [w for w in model.weights if w.role == "fc" and w.kind == kind and w.name != "kv_b_proj"]
        for factor, group in product(factors(model, how), separations(weights)):
            sized = (slot(ws, model, how, factor) for ws in group)
            slots = tuple(with_sides([s for s in sized if s.bytes >= THRESHOLDS.least_matrix_bytes]))
            if len(slots) >= THRESHOLDS.fewest_matrices:
                made.setdefault(slots, Layout(kind, slots, cache.kind in MIXING, factor))
    return list(made.values())


def factors(model: Model, setting: Setting) -> list[float]:
    """Possible sizes of the weights over those that the model publishes, distinct ones; 1 where the user says the type."""
    if setting.weights is not None:
        return [1.0, *SPARSE]
    native = dtypes.find(model.native or "bf16").bytes
    return sorted({1.0, *SPARSE, *(b / native for name in dtypes.names() if (b := dtypes.find(name).bytes) < native)})


def separations(weights: list[Weight]) -> Iterator[list[list[Weight]]]:
    """The matrices, with each group that servers fuse either fused or not."""
    groups = list(dict.fromkeys(w.fused for w in weights if w.fused))
    for choice in product((True, False), repeat=len(groups)):
        fused = dict(zip(groups, choice, strict=True))
        joined: dict[str, list[Weight]] = {}
        for weight in weights:
            joined.setdefault(weight.fused if fused.get(weight.fused) else weight.name, []).append(weight)
        yield list(joined.values())


def slot(weights: list[Weight], model: Model, setting: Setting, factor: float) -> Slot:
    """One launch's matrix out of those that it holds."""
    size = sum(w.n * w.k * dtype_of(w, model, setting).bytes * streamed(w, setting)[0] for w in weights)
    name = weights[0].name if len(weights) == 1 else weights[0].fused
    return Slot(name, size * factor, streamed(weights[0], setting)[1])


def with_sides(slots: list[Slot]) -> list[Slot]:
    """The slots with the side of attention on which they stand, where a projection of its output is among them."""
    closing = next((at for at, s in enumerate(slots) if s.name.endswith(MIXER_OUTPUTS)), None)
    return slots if not closing else [Slot(s.name, s.bytes, s.experts, at >= closing) for at, s in enumerate(slots)]


def head_bytes(model: Model, run: Run, factor: float) -> list[float]:
    """What the LM head may take: in its own type, or in that of the layers."""
    how = setting_of(run)
    heads = [w for w in model.weights if w.matrix and w.name == "lm_head"]
    return [slot([w], model, how, f).bytes for w in heads for f in {1.0, factor}]
