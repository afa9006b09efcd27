"""The tensors of one decoder layer: its attention (grouped-query or latent) and its feed-forward part."""

from __future__ import annotations

from collections.abc import Iterator

from ncu_roofline.knowledge.models.architectures import Traits
from ncu_roofline.knowledge.models.config import Config
from ncu_roofline.knowledge.models.model import Cache, Weight


def fc(name: str, n: int, k: int, fused: str = "") -> Weight:
    """A weight matrix [n, k] that every step reads whole."""
    return Weight(name=name, n=n, k=k, role="fc", fused=fused)


def vector(name: str, elements: int) -> Weight:
    """A norm, a bias or another small tensor."""
    return Weight(name=name, n=elements)


def biased(matrix: Weight, bias: bool) -> Iterator[Weight]:
    """The matrix, and its bias if it has one."""
    yield matrix
    if bias:
        yield vector(f"{matrix.name}.bias", matrix.n)


def head_shape(config: Config, *, full: bool) -> tuple[int, int, int]:
    """Query heads, key/value heads and head width of a layer; they differ by kind in Gemma 4."""
    heads = config.whole("num_attention_heads")
    kv_heads = config.whole("num_key_value_heads", heads)
    if full and config.flag("attention_k_eq_v"):
        kv_heads = config.whole("num_global_key_value_heads", kv_heads)
    if heads % kv_heads:
        raise config.wrong("num_key_value_heads", f"is {kv_heads}, which does not divide {heads} heads")
    width = config.maybe("global_head_dim") if full else None
    width = width or config.maybe("head_dim")
    if width is None:
        hidden = config.whole("hidden_size")
        if hidden % heads:
            raise config.wrong("head_dim", f"is missing, and {hidden} is no multiple of {heads} heads")
        width = hidden // heads
    return heads, kv_heads, width


def shares_cache(config: Config, layer: int) -> bool:
    """Whether the layer reads the cache of an earlier one (Gemma 4, `num_kv_shared_layers`)."""
    shared = config.whole("num_kv_shared_layers", 0, least=0)
    return shared > 0 and layer >= config.layers - shared


def attention(traits: Traits, layer: int, window: int | None) -> tuple[list[Weight], Cache]:
    """Grouped-query attention (MHA and MQA are its ends): q, k, v, o, and 2 x kv heads x width per token."""
    config = traits.config
    hidden = config.whole("hidden_size")
    heads, kv_heads, width = head_shape(config, full=window is None)
    own = not shares_cache(config, layer)
    bias, fused = traits.flag("qkv_bias"), "qkv_proj" if own else ""
    # Qwen3-Next: the query projection yields a gate as wide as the queries
    queries = heads * width * (2 if traits.flag("gated_query") else 1)
    weights = list(biased(fc("q_proj", queries, hidden, fused), bias))
    if own:
        weights += biased(fc("k_proj", kv_heads * width, hidden, fused), bias)
        if not (config.flag("attention_k_eq_v") and window is None):
            weights += biased(fc("v_proj", kv_heads * width, hidden, fused), bias)
    weights += biased(fc(traits.name("o"), hidden, heads * width), traits.flag("o_bias"))
    if traits.flag("qk_norm"):
        weights += [vector("q_norm", width), *([vector("k_norm", width)] if own else [])]
    if traits.flag("sinks"):
        weights.append(vector("sinks", heads))
    cache = Cache(
        kind="full" if window is None else "sliding",
        elements=2 * kv_heads * width,
        window=window,
        flops=4 * heads * width,
        split=kv_heads,
        owned=own,
    )
    return weights, cache


def latent_attention(traits: Traits) -> tuple[list[Weight], Cache]:
    """Multi-head latent attention: one latent and one rotary key per token, shared by all heads."""
    config = traits.config
    hidden, heads = config.whole("hidden_size"), config.whole("num_attention_heads")
    latent, rope = config.whole("kv_lora_rank"), config.whole("qk_rope_head_dim")
    nope, value = config.whole("qk_nope_head_dim"), config.whole("v_head_dim")
    bias, rank = config.flag("attention_bias"), config.maybe("q_lora_rank")
    fused = "fused_qkv_a_proj" if rank else ""
    if rank is None:
        weights = [fc("q_proj", heads * (nope + rope), hidden)]
    else:
        weights = list(biased(fc("q_a_proj", rank, hidden, fused), bias))
        weights += [vector("q_a_layernorm", rank), fc("q_b_proj", heads * (nope + rope), rank)]
    weights += biased(fc("kv_a_proj_with_mqa", latent + rope, hidden, fused), bias)
    weights += [vector("kv_a_layernorm", latent), fc("kv_b_proj", heads * (nope + value), latent)]
    weights += biased(fc("o_proj", hidden, heads * value), bias)
    # decode multiplies in the latent space: scores over latent + rope, values over latent
    flops = heads * (2 * (latent + rope) + 2 * latent)
    return weights, Cache(kind="mla", elements=latent + rope, flops=flops)


def mlp(traits: Traits, layer: int) -> list[Weight]:
    """The dense feed-forward part: gate, up, down."""
    config = traits.config
    inner = config.whole("intermediate_size", config.maybe("block_ff_dim"))
    if config.flag("block_auto_adjust_ff_dim"):
        inner = _adjusted(config, inner)
    if config.flag("use_double_wide_mlp") and shares_cache(config, layer):
        inner *= 2
    return list(_feed_forward(traits, "", inner))


def _adjusted(config: Config, inner: int) -> int:
    """LFM2: two thirds, times a factor, rounded up to a multiple."""
    multiple = config.whole("block_multiple_of")
    scaled = int(config.factor("block_ffn_dim_multiplier") * (2 * inner // 3))
    return -(-scaled // multiple) * multiple


def _feed_forward(traits: Traits, prefix: str, inner: int) -> Iterator[Weight]:
    hidden, bias = traits.config.whole("hidden_size"), traits.flag("mlp_bias")
    fused = f"{prefix}gate_up_proj" if traits.flag("gated") else ""
    if traits.flag("gated"):
        yield from biased(fc(prefix + traits.name("gate"), inner, hidden, fused), bias)
    yield from biased(fc(prefix + traits.name("up"), inner, hidden, fused), bias)
    yield from biased(fc(prefix + traits.name("down"), hidden, inner), bias)
