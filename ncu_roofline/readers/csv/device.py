"""Device attributes as texts -> Device; several devices in one capture -> refused."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.units import factor
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv.numbers import number
from ncu_roofline.readers.rows import ATTRIBUTE, STEADY, described

SPLIT = "profile or export each device on its own"

ATTRIBUTES = frozenset(STEADY)
"""The attributes that make a Device."""

TELLING = ("compute_capability_major", "compute_capability_minor", "multiprocessor_count", "fb_bus_width")
"""Attributes that twins share."""

Attributes = Mapping[str, tuple[str, float]]
"""Attribute without its prefix -> its text, and its number in base units (NaN for none)."""


def attributes(rows: pl.DataFrame, file: str, *, comma: bool = False) -> Attributes:
    """The device's attributes from rows of name, text, unit; raises where devices differ."""
    distinct = rows.unique(maintain_order=True).filter(pl.col("text").fill_null("") != "")
    names = distinct.filter(pl.col("name") == f"{ATTRIBUTE}display_name")["text"].unique().sort()
    if names.len() > 1:
        raise UnreadableCapture(f"{file}: mixed devices in one capture ({', '.join(names)}); {SPLIT}")
    parts = distinct.filter(pl.col("name").is_in([ATTRIBUTE + part for part in TELLING]))
    if parts["name"].is_duplicated().any():
        raise UnreadableCapture(f"{file}: mixed devices in one capture (of different size); {SPLIT}")
    found: dict[str, tuple[str, float]] = {}
    for name, text, unit in distinct.iter_rows():
        value, scale = number(text, comma=comma), factor(unit or "")
        base = float("nan") if value is None or scale is None else value * scale
        found.setdefault(name.removeprefix(ATTRIBUTE), (text, base))
    return found


def device(found: Attributes, launches: pl.DataFrame, file: str) -> Device:
    """The one device of these launches; raises where they ran on different ones."""
    capabilities = launches["capability"].drop_nulls().unique().sort()
    if capabilities.len() > 1:
        raise UnreadableCapture(
            f"{file}: mixed devices in one capture (compute capabilities {', '.join(capabilities)}); {SPLIT}"
        )
    name = found["display_name"][0] if "display_name" in found else None
    numbers = launches["device"].drop_nulls().unique().sort()
    if numbers.len() > 1 and name is None:
        raise UnreadableCapture(
            f"{file}: mixed devices in one capture (devices {', '.join(map(str, numbers))}, "
            f"and no names that show them to be alike); {SPLIT}"
        )
    told = {part: int(value) if value.is_integer() else value for part, (_, value) in found.items() if math.isfinite(value)}
    major, minor = (told.get(f"compute_capability_{part}") for part in ("major", "minor"))
    own = None if major is None or minor is None else f"{major}.{minor}"
    return described({**told, "display_name": name}, own or (capabilities[0] if capabilities.len() else None))
