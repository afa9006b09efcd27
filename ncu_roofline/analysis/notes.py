"""What an answer rests on beside its numbers, as a fact: the sentences are in present/documents/words_notes.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Note:
    """A doubt, a default or a contradiction: which one, and what its sentence speaks of."""

    what: str
    of: Mapping[str, Any] = field(default_factory=dict)
