"""Data types of weights and caches: bytes per element, and at which roof their work runs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import partial

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.toml import read_once


@dataclass(frozen=True, slots=True)
class Dtype:
    """A storage type: bytes per element with scales, and its compute precisions in order of preference."""

    name: str
    bytes: float
    compute: tuple[str, ...]


table = partial(read_once, "models/dtypes.toml")


def names() -> list[str]:
    """Names of all types, aliases left out."""
    return [name for name in table() if name != "aliases"]


def words() -> list[str]:
    """Every name and alias that `find` takes."""
    return [*names(), *table()["aliases"]]


def alias(word: str) -> str:
    """The name that this alias stands for; empty where it is none."""
    return str(table()["aliases"].get(word, ""))


def find(name: str, parameter: str = "`weights=`") -> Dtype:
    """The type of this name or alias; raises UnusableInput naming the parameter."""
    word = name.strip().lower().removeprefix("torch.")
    word = table()["aliases"].get(word, word)
    if word not in names():
        near = difflib.get_close_matches(word, names(), n=1)
        hint = f"nearest: {near[0]}; " if near else ""
        raise UnusableInput(f"{parameter} {name!r} is not a known data type; {hint}known: {', '.join(names())}")
    facts = table()[word]
    return Dtype(word, float(facts["bytes"]), tuple(facts["compute"]))
