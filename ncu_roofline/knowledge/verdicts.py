"""How two captures are judged: limits, conditions and words, from verdicts.toml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ncu_roofline.knowledge.toml import read_once

VERDICTS = (
    "not_comparable",
    "cannot_tell",
    "outside_regime",
    "no_change",
    "same_bytes",
    "moves_more",
    "flop_mirage",
    "same_bytes_faster",
    "same_bytes_slower",
    "bytes_cut_slower",
    "bytes_cut_time_kept",
    "cuts_bytes",
)
"""The closed set, in the order in which it is judged."""

VARY = ("batch", "weights", "kv", "context", "kernel", "model", "layers", "tp", "accepted", "device", "clocks")
"""What an experiment may change on purpose."""

QUANTITIES = ("bytes", "flops", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A fact that must agree on both sides, what it touches, and what allows it to differ."""

    fact: str
    vary: tuple[str, ...]
    numbers: tuple[str, ...]
    effect: str


_facts = partial(read_once, "verdicts.toml")


def limit(name: str) -> float:
    """One limit by its name in verdicts.toml."""
    return float(_facts()["limits"][name])


def conditions() -> tuple[Condition, ...]:
    """Every condition of comparability."""
    return tuple(
        Condition(fact=c["fact"], vary=tuple(c["vary"]), numbers=tuple(c["numbers"]), effect=c["effect"])
        for c in _facts()["condition"]
    )


def rung_class(source: str | None) -> str | None:
    """Which class of sources this one belongs to; null for no source."""
    classes = _facts()["rungs"]
    return next((name for name, sources in classes.items() if source in sources), None)


def fused_words() -> dict[str, str]:
    """Role -> pattern of the words that tell of its work in another kernel's name."""
    return dict(_facts()["fused"])
