"""How an architecture builds its layers: the traits of architectures.toml beside one model's config."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models.config import Config
from ncu_roofline.knowledge.toml import read_once

LAYER_TYPES = {
    "full_attention": "full",
    "attention": "full",
    "sliding_attention": "sliding",
    "conv": "conv",
    "mamba": "mamba",
    "linear_attention": "linear",
}


table = partial(read_once, "models/architectures.toml")


def known() -> list[str]:
    """Names of all architectures."""
    return [name for name in table() if name not in ("base", "model_types")]


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of an architecture; those that name a config key are looked up there."""

    architecture: str
    values: Mapping[str, Any]
    config: Config

    def flag(self, trait: str) -> bool:
        """A trait that is true, false, or the config key that says."""
        value = self.values[trait]
        return self.config.flag(value) if isinstance(value, str) and value else bool(value)

    def word(self, trait: str) -> str:
        """A trait that is a word or a config key's name."""
        return str(self.values[trait])

    def name(self, part: str) -> str:
        """What this architecture calls a projection: `o` -> `o_proj` or its own name."""
        return str(self.values["names"].get(part, f"{part}_proj"))


def traits(config: Config) -> Traits:
    """The traits of a config's architecture, the config completed by what that class assumes."""
    name = _architecture(config)
    values = {**table()["base"], **table()[name]}
    given = {key: value for key, value in config.keys.items() if value is not None}
    return Traits(name, values, Config(config.name, {**values["defaults"], **given}))


def _architecture(config: Config) -> str:
    listed = config.keys.get("architectures")
    named = [a for a in listed if isinstance(a, str)] if isinstance(listed, list) else []
    by_type = table()["model_types"].get(str(config.keys.get("model_type")))
    for name in (*named, by_type):
        if name in known():
            return str(name)
    if not named and "model_type" not in config.keys:
        raise config.wrong("architectures", "is missing; give the config.json as the model's page has it")
    shown = named[0][:60] if named else str(config.keys.get("model_type"))[:60]
    near = difflib.get_close_matches(shown, known(), n=1, cutoff=0.0)
    raise UnusableInput(
        f"{config.name}: key 'architectures' is {shown!r}, which is not known (nearest: {near[0]}); known: {', '.join(known())}"
    )


def mixers(traits: Traits) -> list[tuple[str, int | None]]:
    """Per layer the kind of its mixer (full, sliding, mla, conv, mamba, linear) and its attention window."""
    config = traits.config
    kinds = _listed(config) or _by_rule(traits)
    if "Gemma4" in traits.architecture:  # its class forces the last layer to full attention
        kinds[-1] = "full"
    window = config.whole("sliding_window") if "sliding" in kinds else None
    return [(kind, window if kind == "sliding" else None) for kind in kinds]


def _listed(config: Config) -> list[str] | None:
    """Kinds as the config lists them, per layer or as numbers of the attention layers."""
    listed = config.words("layer_types", LAYER_TYPES, config.layers)
    if listed is not None:
        return listed
    for key, others in (("full_attn_idxs", "conv"), ("attn_layer_indices", "mamba")):
        if config.keys.get(key) is not None:
            attention = config.positions(key, config.layers)
            return ["full" if n in attention else others for n in range(config.layers)]
    return None


def _by_rule(traits: Traits) -> list[str]:
    config, rule = traits.config, traits.word("window")
    numbers = range(config.layers)
    if traits.word("mixer") == "mla":
        return ["mla" for _ in numbers]
    if traits.word("hybrid"):
        raise config.wrong(traits.word("hybrid"), "is missing; give the config.json as the model's page has it")
    if rule == "interval":
        every = config.whole("full_attention_interval", 4)
        return ["linear" if (n + 1) % every else "full" for n in numbers]
    if config.keys.get("sliding_window") is None and rule != "pattern":
        return ["full" for _ in numbers]
    match rule:
        case "all":
            return ["sliding" for _ in numbers]
        case "alternate":
            return ["full" if n % 2 else "sliding" for n in numbers]
        case "pattern":
            every = config.whole("sliding_window_pattern", 6)
            return ["sliding" if (n + 1) % every else "full" for n in numbers]
        case "late" if config.flag("use_sliding_window"):
            first = config.whole("max_window_layers", least=0)
            return ["sliding" if n >= first else "full" for n in numbers]
    return ["full" for _ in numbers]


def moe_layers(traits: Traits) -> frozenset[int]:
    """Numbers of the layers that have experts."""
    config, rule = traits.config, traits.word("moe")
    numbers = range(config.layers)
    match rule:
        case "":
            return frozenset()
        case "all":
            return frozenset(numbers)
        case "sparse_step":
            step = config.whole("decoder_sparse_step", 1)
            dense = config.positions("mlp_only_layers", config.layers)
            return frozenset(n for n in numbers if (n + 1) % step == 0 and n not in dense)
        case "first_dense":
            first = config.whole(traits.word("dense_layers"), least=0)
            step = config.whole("moe_layer_freq", 1)
            return frozenset(n for n in numbers if n >= first and n % step == 0)
    return frozenset(numbers) if config.flag(rule) else frozenset()
