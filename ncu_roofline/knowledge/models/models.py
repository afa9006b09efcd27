"""A config.json, or the name of a shipped one, -> Model."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models.architectures import Traits, mixers, moe_layers, traits
from ncu_roofline.knowledge.models.config import Config, parse
from ncu_roofline.knowledge.models.experts import expert_counts, moe
from ncu_roofline.knowledge.models.layers import attention, fc, head_shape, latent_attention, mlp, vector
from ncu_roofline.knowledge.models.model import Cache, Model, Weight
from ncu_roofline.knowledge.models.quantised import native, stored
from ncu_roofline.knowledge.models.recurrent import convolution, gated_delta, mamba

CONFIGS = files(__package__) / "configs"
OUTER = ("architectures", "model_type", "torch_dtype", "dtype", "tie_word_embeddings", "quantization_config", "vocab_size")
"""What a multimodal config says outside its text half and the text half may leave out."""


def shipped() -> list[str]:
    """Short names of the configs inside the package."""
    return sorted(f.name.removesuffix(".json") for f in CONFIGS.iterdir() if f.name.endswith(".json"))


def portable(source: str) -> str | None:
    """The name of a model as every installation knows it; None for a path, which is of one machine and may name a person."""
    short = short_of(source)
    if Path(source).exists():
        return None
    if short in shipped():
        return short
    return None if re.search(r"[/\\]", source) else source


def short_of(source: str | Path) -> str:
    """The last part of a path or name, as configs are called."""
    return str(source).rsplit("/", 1)[-1].lower().removesuffix(".json")


def load(source: str | Path) -> Model:
    """The model of a config.json (or of its folder), or of a shipped config's short name."""
    short, path = short_of(source), Path(source)
    if path.is_dir():
        path = path / "config.json"
    if path.is_file():
        return from_config(parse(path), path.parent.name if path.stem == "config" else path.stem, path.name)
    if short in shipped():
        return from_config(parse(CONFIGS / f"{short}.json"), short, f"{short}.json")
    if path.suffix == ".json":
        raise UnusableInput(f"`model=` {str(source)!r}: no such file; check the name and the folder")
    near = difflib.get_close_matches(short, shipped(), n=3, cutoff=0.3)
    raise UnusableInput(
        f"`model=` {str(source)!r} is neither a config.json nor a known name; "
        f"{'nearest: ' + ', '.join(near) if near else 'known: ' + ', '.join(shipped())}"
    )


def from_config(keys: dict[str, Any], name: str, file: str = "config.json") -> Model:
    """The model that these config keys describe; raises UnusableInput naming the key that is wrong."""
    nested = keys.get("text_config")
    if isinstance(nested, dict):
        keys = {
            **{k: keys[k] for k in OUTER if k in keys},
            **nested,
            **({"architectures": keys["architectures"]} if "architectures" in keys else {}),
        }
    known = traits(Config(file, keys))
    config, experts = known.config, (0, 0)
    layers = list(_layers(known))
    if moe_layers(known):
        experts = expert_counts(known)
    heads, _, _ = head_shape(config, full=False)
    return Model(
        name=name,
        architecture=known.architecture,
        heads=heads,
        longest_context=config.maybe("max_position_embeddings"),
        experts=experts[0],
        experts_per_token=experts[1],
        layer_kinds=tuple(kind for kind, _, _ in layers),
        weights=tuple(_merged([*_outside(known), *_numbered(layers)])),
        caches=tuple(cache for _, _, cache in layers),
        native=native(config),
        stored=stored(config),
    )


def _layers(known: Traits) -> Iterator[tuple[str, list[Weight], Cache]]:
    experts = moe_layers(known)
    for number, (kind, window) in enumerate(mixers(known)):
        match kind:
            case "conv":
                weights, cache = convolution(known)
            case "mamba":
                weights, cache = mamba(known)
            case "linear":
                weights, cache = gated_delta(known)
            case "mla":
                weights, cache = latent_attention(known)
            case _:
                weights, cache = attention(known, number, window)
        if number in experts:
            weights += moe(known)
        if number not in experts or known.flag("moe_beside_mlp"):
            weights += mlp(known, number)
        weights += [*_norms(known), *_per_layer_input(known)]
        yield f"{kind}+{'moe' if number in experts else 'mlp'}", weights, cache


def _norms(known: Traits) -> Iterator[Weight]:
    hidden = known.config.whole("hidden_size")
    for number in range(int(known.values["norms"])):
        yield vector(f"norm_{number}", hidden)
        if known.flag("norm_bias"):
            yield vector(f"norm_{number}.bias", hidden)


def _per_layer_input(known: Traits) -> Iterator[Weight]:
    """Gemma 4: every layer mixes in an embedding of its own."""
    config = known.config
    width, hidden = (config.whole("hidden_size_per_layer_input", 0, least=0), config.whole("hidden_size"))
    if width:
        yield fc("per_layer_input_gate", width, hidden)
        yield fc("per_layer_projection", hidden, width)
        yield vector("post_per_layer_input_norm", hidden)


def _outside(known: Traits) -> Iterator[Weight]:
    """Embedding, last norm and LM head."""
    config = known.config
    hidden, vocab = config.whole("hidden_size"), config.whole("vocab_size")
    yield Weight(name="embed_tokens", n=vocab, k=hidden, role="embedding", read="rows")
    width = config.whole("hidden_size_per_layer_input", 0, least=0)
    if width:
        rows, every = config.whole("vocab_size_per_layer_input", vocab), config.layers * width
        yield Weight(name="embed_tokens_per_layer", n=rows, k=every, role="embedding", read="rows")
        yield fc("per_layer_model_projection", every, hidden)
        yield vector("per_layer_projection_norm", width)
    yield vector("norm", hidden)
    if known.flag("norm_bias"):
        yield vector("norm.bias", hidden)
    tied = config.flag("tie_word_embeddings", known.flag("tied"))
    yield replace(fc("lm_head", vocab, hidden), counted=not tied)
    if known.flag("head_bias"):
        yield vector("lm_head.bias", vocab)


def _numbered(layers: Iterable[tuple[str, list[Weight], Cache]]) -> Iterator[Weight]:
    for number, (kind, weights, _) in enumerate(layers):
        for weight in weights:
            yield replace(weight, kind=kind, layers=(number,))


def _merged(weights: Iterable[Weight]) -> list[Weight]:
    """Equal tensors of equal layers as one, with all their layer numbers."""
    found: dict[Weight, list[int]] = {}
    for weight in weights:
        found.setdefault(replace(weight, layers=()), []).extend(weight.layers)
    return [replace(weight, layers=tuple(layers)) for weight, layers in found.items()]
