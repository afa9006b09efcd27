"""Mixers with a state in place of a cache: short convolution, Mamba-2, gated delta rule."""

from __future__ import annotations

from ncu_roofline.knowledge.models.architectures import Traits
from ncu_roofline.knowledge.models.layers import biased, fc, vector
from ncu_roofline.knowledge.models.model import Cache, Weight


def convolution(traits: Traits) -> tuple[list[Weight], Cache]:
    """The gated short convolution of LFM2: three streams in, one out, a state of a few tokens."""
    config = traits.config
    hidden, taps, bias = (config.whole("hidden_size"), config.whole("conv_L_cache"), config.flag("conv_bias"))
    kernel = Weight(name="conv.conv", n=hidden, k=taps, role="conv")
    weights = [
        *biased(fc("conv.in_proj", 3 * hidden, hidden), bias),
        *biased(kernel, bias),
        *biased(fc("conv.out_proj", hidden, hidden), bias),
    ]
    return weights, Cache(kind="conv", state=hidden * taps)


def mamba(traits: Traits) -> tuple[list[Weight], Cache]:
    """Mamba-2: gate, input, B, C and step size in one projection, a short convolution, a state per head."""
    config = traits.config
    hidden, taps = config.whole("hidden_size"), config.whole("mamba_d_conv", 4)
    heads, state = config.whole("mamba_n_heads"), config.whole("mamba_d_state")
    groups = config.whole("mamba_n_groups", 1)
    inner = hidden * config.whole("mamba_expand", 2)
    if inner % heads:
        raise config.wrong("mamba_n_heads", f"is {heads}, which does not divide the inner width {inner}")
    mixed = inner + 2 * groups * state
    bias = config.flag("mamba_proj_bias")
    kernel = Weight(name="mamba.conv1d", n=mixed, k=taps, role="conv")
    weights = [
        *biased(fc("mamba.in_proj", inner + mixed + heads, hidden), bias),
        *biased(kernel, config.flag("mamba_conv_bias", True)),
        *(vector(f"mamba.{name}", heads) for name in ("A_log", "D", "dt_bias")),
        vector("mamba.norm", inner),
        *biased(fc("mamba.out_proj", hidden, inner), bias),
    ]
    return weights, Cache(kind="mamba", state=mixed * taps + inner * state)


def gated_delta(traits: Traits) -> tuple[list[Weight], Cache]:
    """Gated delta rule (Qwen3-Next): query, key, value and gate in one projection, a matrix state per head."""
    config = traits.config
    hidden, taps = config.whole("hidden_size"), config.whole("linear_conv_kernel_dim", 4)
    keys = config.whole("linear_num_key_heads") * config.whole("linear_key_head_dim")
    heads, width = config.whole("linear_num_value_heads"), config.whole("linear_value_head_dim")
    values, mixed = heads * width, 2 * keys + heads * width
    weights = [
        fc("linear_attn.in_proj_qkvz", mixed + values, hidden),
        fc("linear_attn.in_proj_ba", 2 * heads, hidden),
        Weight(name="linear_attn.conv1d", n=mixed, k=taps, role="conv"),
        vector("linear_attn.dt_bias", heads),
        vector("linear_attn.A_log", heads),
        vector("linear_attn.norm", width),
        fc("linear_attn.out_proj", hidden, values),
    ]
    matrix = heads * config.whole("linear_key_head_dim") * width
    return weights, Cache(kind="linear", state=mixed * taps + matrix)
