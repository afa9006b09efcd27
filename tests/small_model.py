"""A dense model with nothing in it, for tests to fill in what they are about."""

from __future__ import annotations

from typing import Any

from ncu_roofline.knowledge.models.model import Model

NOTHING: dict[str, Any] = {
    "name": "tiny",
    "architecture": "tiny",
    "hidden": 100,
    "vocab": 50,
    "heads": 8,
    "kv_heads": 8,
    "head_dim": 16,
    "tied": False,
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
