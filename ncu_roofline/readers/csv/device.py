"""Device attributes as texts -> Device; several devices in one capture -> refused."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.units import factor
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv.numbers import number
from ncu_roofline.readers.rows import ATTRIBUTE

SPLIT = "profile or export each device on its own"

ATTRIBUTES = frozenset(
    ATTRIBUTE + name
    for name in (
        "display_name",
        "compute_capability_major",
        "compute_capability_minor",
        "chip",
        "multiprocessor_count",
        "max_gpu_frequency_khz",
        "clock_rate",
        "max_mem_frequency_khz",
        "memory_clock_rate",
        "fb_bus_width",
        "global_memory_bus_width",
        "total_memory",
        "l2_cache_size",
        "integrated",
        "ecc_enabled",
    )
)
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
    return Device(
        name=name,
        compute_capability=_capability(found) or (capabilities[0] if capabilities.len() else None),
        chip=_whole_text(found, "chip"),
        sms=_whole(found, "multiprocessor_count"),
        sm_hertz=_hertz(found, "max_gpu_frequency_khz", "clock_rate"),
        memory_hertz=_hertz(found, "max_mem_frequency_khz", "memory_clock_rate"),
        bus_bits=_whole(found, "fb_bus_width") or _whole(found, "global_memory_bus_width"),
        memory_bytes=_number(found, "total_memory"),
        l2_bytes=_number(found, "l2_cache_size"),
        integrated=_flag(found, "integrated"),
        mig=" MIG " in name if name else None,
        ecc=_flag(found, "ecc_enabled"),
    )


def _number(found: Attributes, name: str) -> float | None:
    value = found.get(name, ("", float("nan")))[1]
    return None if math.isnan(value) else value


def _whole(found: Attributes, name: str) -> int | None:
    value = _number(found, name)
    return None if value is None else int(value)


def _whole_text(found: Attributes, name: str) -> str | None:
    value = _whole(found, name)
    return None if value is None else str(value)


def _flag(found: Attributes, name: str) -> bool | None:
    value = _number(found, name)
    return None if value is None else value != 0


def _hertz(found: Attributes, *names: str) -> float | None:
    kilohertz = next((v for name in names if (v := _number(found, name))), None)
    return None if kilohertz is None else kilohertz * 1e3


def _capability(found: Attributes) -> str | None:
    major, minor = _whole(found, "compute_capability_major"), _whole(found, "compute_capability_minor")
    return None if major is None or minor is None else f"{major}.{minor}"
