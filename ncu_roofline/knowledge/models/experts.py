"""The tensors of a mixture-of-experts layer: router, routed experts, shared experts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ncu_roofline.knowledge.models.architectures import Traits
from ncu_roofline.knowledge.models.layers import fc, vector
from ncu_roofline.knowledge.models.model import Weight


def expert_counts(traits: Traits) -> tuple[int, int]:
    """Experts per layer and experts per token."""
    config, key = traits.config, traits.word("per_token")
    experts = config.whole(traits.word("experts"))
    per_token = config.whole(key)
    if per_token > experts:
        raise config.wrong(key, f"is {per_token}, more than the {experts} experts")
    return experts, per_token


def moe(traits: Traits) -> list[Weight]:
    """Everything that stands in place of (or beside) a dense feed-forward part."""
    config = traits.config
    experts, _ = expert_counts(traits)
    hidden, inner = config.whole("hidden_size"), config.whole(traits.word("expert_width"))
    weights = [Weight(name="router", n=experts, k=hidden, role="router")]
    if traits.flag("router_bias"):
        weights.append(vector("router.bias", experts))
    weights += [replace(w, copies=experts, read="experts") for w in _expert(traits, hidden, inner)]
    weights += _shared(traits, hidden, inner)
    if traits.flag("moe_beside_mlp"):  # Gemma 4: three more norms, a scale per channel and per expert
        weights += [vector(f"moe_norm_{n}", hidden) for n in range(3)]
        weights += [vector("router.scale", hidden), vector("router.per_expert_scale", experts)]
    return weights


def _expert(traits: Traits, hidden: int, inner: int) -> Iterator[Weight]:
    fused = "experts.gate_up_proj"
    yield fc(f"experts.{traits.name('gate')}", inner, hidden, fused)
    yield fc(f"experts.{traits.name('up')}", inner, hidden, fused)
    yield fc(f"experts.{traits.name('down')}", hidden, inner)
    if traits.flag("expert_bias"):
        yield vector("experts.gate_up_proj.bias", 2 * inner)
        yield vector("experts.down_proj.bias", hidden)


def _shared(traits: Traits, hidden: int, inner: int) -> Iterator[Weight]:
    """Experts that every token passes, stored as one wide one."""
    config, width = traits.config, 0
    if traits.word("shared_count"):
        width = inner * config.whole(traits.word("shared_count"), 0, least=0)
    elif traits.word("shared_width"):
        width = config.whole(traits.word("shared_width"), 0, least=0)
    if not width:
        return
    fused = "shared_expert.gate_up_proj"
    yield fc(f"shared_expert.{traits.name('gate')}", width, hidden, fused)
    yield fc(f"shared_expert.{traits.name('up')}", width, hidden, fused)
    yield fc(f"shared_expert.{traits.name('down')}", hidden, width)
    if traits.flag("shared_gate"):
        yield fc("shared_expert_gate", 1, hidden)
