"""A dense model with nothing in it, for tests to fill in what they are about."""

from __future__ import annotations

from typing import Any

from ncu_roofline.knowledge.models.model import Cache, Model

NOTHING: dict[str, Any] = {
    "name": "tiny",
    "architecture": "tiny",
    "heads": 8,
    "longest_context": None,
    "experts": 0,
    "experts_per_token": 0,
    "layer_kinds": ("full",),
    "weights": (),
    "caches": (),
    "native": "bf16",
}


def small(**given: Any) -> Model:
    """The model with these facts."""
    return Model(**{**NOTHING, **given})


CACHE = Cache(kind="attention", elements=8, flops=48, split=4)
MODEL = small(name="small", architecture="Small", heads=4, layer_kinds=("attention", "attention"), caches=(CACHE, CACHE))
"""Two layers of plain attention."""
