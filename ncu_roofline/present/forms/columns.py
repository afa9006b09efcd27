"""How each column is shown: heading, formatter and alignment, decided once for every output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ncu_roofline.capture import units
from ncu_roofline.capture.units import text as quantity
from ncu_roofline.present.forms.text import clean

MISSING = "–"


@dataclass(frozen=True, slots=True)
class Shown:
    """Heading and way of writing of one column."""

    heading: str
    write: Callable[[Any], str]
    right: bool = True


def unit(name: str) -> Callable[[Any], str]:
    """Writes a number with this unit, scaled for people."""
    return lambda value: quantity(float(value), name)


def percent(value: Any) -> str:
    """0.123 -> 12.3 %; anything that would round to zero but is not says so."""
    return units.percent(float(value))


def count(value: Any) -> str:
    """A whole number with its thousands apart: 4991 -> 4,991."""
    return f"{value:,}"


def change(value: Any) -> str:
    """-0.5 -> -50.0 %, with its sign; what rounds to nothing has none; 14 -> 15x, from ten times on."""
    if float(value) >= 9.995:
        return f"{quantity(float(value) + 1)}x"
    shown = f"{100 * float(value):+,.1f} %"
    return "0.0 %" if shown in ("+0.0 %", "-0.0 %") else shown


def plain(value: Any) -> str:
    """A word or whole number as it is."""
    return clean(str(value))


def shape(value: Any) -> str:
    """A grid or block: 5120x1x1 -> 5120."""
    sides = [int(v) for v in value]
    while len(sides) > 1 and sides[-1] == 1:
        sides.pop()
    return "×".join(map(str, sides))


def factor(value: Any) -> str:
    """A ratio: 8.0 -> 8.00x."""
    return f"{float(value):.3g}x"


def factor3(value: Any) -> str:
    """A ratio near 1, to its third decimal: 1.0527 -> 1.053x."""
    return f"{float(value):.3f}x"


def yes_or_no(value: Any) -> str:
    """True -> yes."""
    return "yes" if value else "no"


def word(heading: str) -> Shown:
    """A left-aligned column of words."""
    return Shown(heading, plain, right=False)


COLUMNS: dict[str, Shown] = {
    "index": Shown("#", plain),
    "kernel": word("kernel"),
    "name": word("name"),
    "role": word("role"),
    "family": word("family"),
    "grid": Shown("grid", shape),
    "block": Shown("block", shape),
    "launches": Shown("launches", count),
    "kernels": Shown("kernels", count),
    "seconds": Shown("time", unit("s")),
    "time_share": Shown("of time", percent),
    "bytes_share": Shown("of bytes", percent),
    "dram_bytes": Shown("DRAM", unit("byte")),
    "dram_bytes_source": word("bytes by"),
    "l2_bytes": Shown("L2", unit("byte")),
    "flops": Shown("work", unit("FLOP")),
    "flops_source": word("work by"),
    "precision": word("type"),
    "intensity": Shown("FLOP/B", unit("")),
    "useful_intensity": Shown("useful FLOP/B", unit("")),
    "padding": Shown("padding", factor),
    "ridge": Shown("ridge", unit("")),
    "bound": word("side"),
    "limited_by": word("limited by"),
    "bandwidth_share": Shown("of bandwidth", percent),
    "compute_share": Shown("of compute", percent),
    "number": word("per"),
    "base": Shown("base", plain),
    "head": Shown("head", plain),
    "change": Shown("change", plain),
    "noise": Shown("noise", plain),
    "base_bytes": Shown("base", unit("byte")),
    "head_bytes": Shown("head", unit("byte")),
    "bytes_change": Shown("change", change),
    "seconds_change": Shown("time", change),
    "time_change": Shown("time", plain),
    "head_kernel": word("kernel"),
    "verdict": word("verdict"),
    "what": word("is"),
    "rule": word("rule"),
    "along": Shown("at", plain),
    "projected_bytes": Shown("projected DRAM", plain),
    "projected_seconds": Shown("projected time", plain),
    "fc_bytes": Shown("FC", unit("byte")),
    "attention_bytes": Shown("attention", unit("byte")),
    "fc_intensity": Shown("FC FLOP/B", unit("")),
    "attention_intensity": Shown("attn FLOP/B", unit("")),
    "latency_share": Shown("latency", percent),
    "cache_to_weights": Shown("KV/weights", factor),
    "measured": Shown("measured", plain),
    "outcome": word("outcome"),
    "N": Shown("N", plain),
    "K": Shown("K", plain),
    "count": Shown("layers", plain),
    "layer_kind": word("layer kind"),
    "weight_dtype": word("type"),
    "batch": Shown("batch", count),
    "weight_bytes": Shown("weights", unit("byte")),
    "kv_bytes": Shown("KV cache", unit("byte")),
    "bytes_per_token": Shown("per token", unit("byte")),
    "step_seconds": Shown("step", unit("s")),
    "tokens_per_second": Shown("token/s", unit("")),
    "experts_read": Shown("experts", unit("")),
    "fits": Shown("fits", yes_or_no, right=False),
    "sms": Shown("SMs", plain),
    "memory_bytes": Shown("memory", unit("byte")),
    "bandwidth": Shown("bandwidth", unit("byte/s")),
    "peak_16bit": Shown("16-bit peak", unit("FLOP/s")),
    "ridge_16bit": Shown("ridge 16-bit", unit("")),
    "ridge_fp8": Shown("FP8", unit("")),
    "ridge_fp4": Shown("FP4", unit("")),
    "ridge_int8": Shown("INT8", unit("")),
    "doubtful": word(""),
    "dram_read_bytes": Shown("read", unit("byte")),
    "dram_write_bytes": Shown("written", unit("byte")),
    "useful_flops": Shown("useful work", unit("FLOP")),
    "step": Shown("step", plain),
    "layer": Shown("layer", plain),
    "projection": word("matrix"),
    "matrix_n": Shown("N", plain),
    "matrix_k": Shown("K", plain),
    "matrix_bytes": Shown("bytes", unit("byte")),
    "read_amplification": Shown("read", factor3),
    "unexplained": Shown("unexplained", percent),
    "experts_expected": Shown("if even", unit("")),
    "measured_bytes": Shown("measured", unit("byte")),
    "floor_bytes": Shown("floor", unit("byte")),
    "over_floor": Shown("over floor", factor3),
}


SUFFIXES = {"_per_token": "", "_per_step": "", "_low": "low", "_median": "median", "_high": "high"}
"""Forms of a measure: per unit (the table's title says which), and its spread."""


def shown(name: str) -> Shown:
    """How to show a column; one that nobody described is shown as plain text."""
    for suffix, heading in SUFFIXES.items():
        base = COLUMNS.get(name.removesuffix(suffix))
        if name.endswith(suffix) and base is not None and name not in COLUMNS:
            return Shown(heading or base.heading, base.write, base.right)
    return COLUMNS.get(name, word(name.replace("_", " ")))


def cell(name: str, value: Any) -> str:
    """One cell as text; null as a dash, and a kernel without a role as what it is."""
    if value is None and name == "role":
        return "unclassified"
    return MISSING if value is None else shown(name).write(value)
