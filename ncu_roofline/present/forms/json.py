"""A document's data as JSON: valid everywhere, one key a line, no not-a-number."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, is_dataclass
from typing import Any

import polars as pl

from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.present.forms.document import Document
from ncu_roofline.present.forms.text import clean

SCHEMA_VERSION = 2
DIGITS = 12
"""Significant digits: further ones differ from run to run, by the order in which memory is summed."""


def render(document: Document) -> str:
    """The data with its schema version, then a line break."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **plain(dict(document.data))}, indent=1, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Frames become lists of rows, facts become objects, text becomes visible text."""
    if isinstance(value, pl.DataFrame):
        return [plain(row) for row in value.iter_rows(named=True)]
    if isinstance(value, Run):
        return {name: plain(told(getattr(value, name))) for name in value.__dataclass_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else None
    return clean(value) if isinstance(value, str) else value


def rounded(value: float) -> float:
    """Counts as they are; quotients to the digits that do not depend on the order of a sum."""
    return value if value.is_integer() else float(f"{value:.{DIGITS}g}")


def told(fact: Fact[Any]) -> dict[str, Any]:
    """A fact as an object: its value, the interval that is left of it, and who says so."""
    low, high = fact.span
    return asdict(fact) | {"low": low, "high": high}
