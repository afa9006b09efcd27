"""A Hugging Face config.json, read with care: every key that is missing or impossible is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.toml import Readable, text

MOST = 100_000_000
MOST_LAYERS = 2_000
MOST_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Config:
    """The keys of one config with the name to show in errors; null counts as absent."""

    name: str
    keys: Mapping[str, Any]

    def wrong(self, key: str, what: str) -> UnusableInput:
        """The error for this key."""
        return UnusableInput(f"{self.name}: key {key!r} {what}")

    def whole(self, key: str, default: int | None = None, *, least: int = 1, most: int = MOST) -> int:
        """A whole number; raises UnusableInput where it is absent without default, or impossible."""
        value = self.keys.get(key)
        if value is None:
            if default is None:
                raise self.wrong(key, "is missing; give the config.json as the model's page has it")
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            shown = repr(value)[:40]
            raise self.wrong(key, f"is {shown}, but must be a whole number from {least} to {most}")
        return value

    def maybe(self, key: str, *, least: int = 1) -> int | None:
        """A whole number, or None where the key is absent or null."""
        return None if self.keys.get(key) is None else self.whole(key, least=least)

    def factor(self, key: str) -> float:
        """A positive number that need not be whole."""
        value = self.keys.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST:
            raise self.wrong(key, f"is {repr(value)[:40]}, but must be a positive number")
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self.keys.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, f"is {repr(value)[:40]}, but must be true or false")
        return value

    def words(self, key: str, known: Mapping[str, str], count: int) -> list[str] | None:
        """A list of so many known words, translated; None where the key is absent."""
        value = self.keys.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != count:
            raise self.wrong(key, f"must be a list of {count} entries, one per layer")
        strange = [v for v in value if not isinstance(v, str) or v not in known]
        if strange:
            raise self.wrong(key, f"holds {repr(strange[0])[:40]}; known: {', '.join(known)}")
        return [known[v] for v in value]

    def positions(self, key: str, count: int) -> frozenset[int]:
        """A list of layer numbers; empty where the key is absent."""
        value = self.keys.get(key)
        if value is None:
            return frozenset()
        if not isinstance(value, list) or not all(isinstance(v, int) and 0 <= v < count for v in value):
            raise self.wrong(key, f"must be a list of layer numbers from 0 to {count - 1}")
        return frozenset(value)

    @property
    def layers(self) -> int:
        """Decoder layers."""
        return self.whole("num_hidden_layers", most=MOST_LAYERS)


def parse(file: Readable | Path) -> dict[str, Any]:
    """The JSON object of a config file; raises UnusableInput for anything else."""
    if isinstance(file, Path) and file.is_file() and file.stat().st_size > MOST_BYTES:
        raise UnusableInput(f"{file.name}: too large for a config.json")
    try:
        found = json.loads(text(file), parse_constant=lambda word: word)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UnusableInput(f"{file.name}{where}: not valid JSON; give a model's config.json") from error
    if not isinstance(found, dict):
        raise UnusableInput(f"{file.name}: not a model's config.json (no JSON object)")
    return found
