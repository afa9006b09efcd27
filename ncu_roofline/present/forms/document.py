"""What a command has to say, before it takes a form: sentences, tables, doubts, and data for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to show: finished numbers, and which of their columns a person sees, in this order."""

    title: str
    rows: pl.DataFrame
    columns: tuple[str, ...]
    spare: tuple[str, ...] = ()
    """Columns that a narrow screen leaves out, the first one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Answer first, then tables, then what cannot be trusted."""

    answer: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    doubts: tuple[str, ...] = ()
    command: str = ""
    """A command to copy, as it is."""
    footer: tuple[str, ...] = ()
    """Bookkeeping, shown last: what this is of."""
    brief: Callable[[], Mapping[str, Any]] = dict
    """Makes the form for agents, where it is asked for: at most 4 KB, always the same keys (docs/schemas/brief.json)."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The JSON form: an object whose `rows` are the first table's."""
