"""In which data type a published model stores its weights: `torch_dtype` and `quantization_config`."""

from __future__ import annotations

from typing import Any

from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.config import Config


def native(config: Config) -> str:
    """Data type of the weights that are not quantised; empty where the config does not say."""
    word = config.keys.get("torch_dtype", config.keys.get("dtype"))
    return dtypes.alias(str(word).removeprefix("torch."))


def stored(config: Config) -> tuple[tuple[str, str], ...]:
    """Which weights (`experts`, or `layers`: every matrix inside the layers but the router) are quantised, to what.

    An unknown method is `unknown`: the floor then asks for `--weights`.
    """
    said = config.keys.get("quantization_config")
    if not isinstance(said, dict):
        return ()
    method = str(said.get("quant_method", "")).lower()
    if method == "mxfp4":  # gpt-oss: only the experts (modules_to_not_convert lists the rest)
        return (("experts", "mxfp4"),)
    return (("layers", _dtype(method, said)),)


def _dtype(method: str, said: dict[str, Any]) -> str:
    bits = said.get("bits", said.get("num_bits"))
    match method:
        case "fp8" | "fbgemm_fp8":
            return "fp8"
        case "gptq" | "awq" if bits in (4, 8):
            return method if bits == 4 else "int8"
        case "bitsandbytes" if said.get("load_in_4bit") or said.get("_load_in_4bit"):
            return "nf4"
        case "bitsandbytes" if said.get("load_in_8bit") or said.get("_load_in_8bit"):
            return "int8"
        case "compressed-tensors":
            return _compressed(said)
    return "unknown"


def _compressed(said: dict[str, Any]) -> str:
    """The weight type of the first group of a compressed-tensors config."""
    groups = said.get("config_groups")
    first = next(iter(groups.values()), None) if isinstance(groups, dict) else None
    weights = first.get("weights") if isinstance(first, dict) else None
    if not isinstance(weights, dict):
        return "unknown"
    known = {("float", 8): "fp8", ("int", 8): "int8", ("int", 4): "gptq", ("float", 4): "nvfp4"}
    kind, bits = str(weights.get("type")), weights.get("num_bits")
    return known.get((kind, bits), "unknown") if isinstance(bits, int) else "unknown"
