"""What a user states about a run, on the command line or in a TOML file beside the capture -> Run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.capture.units import SECONDS, factor
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.toml import load

MOST = 10**12
SHORTEST, LONGEST = 1e-7, 1e4
"""Seconds between which the time of a step is believed: no kernel is shorter."""
SLOWEST, FASTEST = 1e9, 1e15
"""Bytes per second between which the bandwidth of a GPU is believed."""
SIDECAR = ".run.toml"


def whole(name: str, value: Any) -> int:
    """A whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise UnusableInput(f"{name} {value!r} is impossible; give a whole number from 1 on")
    return value


def accepted(name: str, value: Any) -> float:
    """Tokens accepted per sequence and step: at least 1, since every step yields one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 1000:
        raise UnusableInput(f"{name} {value!r} is impossible; give the mean tokens per step and sequence, 1 or more")
    return float(value)


def dtype(name: str, value: Any) -> str:
    """The name of a known data type."""
    return dtypes.find(str(value), name).name


def word(name: str, value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str | Path) or not str(value).strip():
        raise UnusableInput(f"{name} {value!r} is not usable; give a name or a path")
    return str(value)


def part(name: str, value: Any) -> tuple[int, int]:
    """`2/48`: layers in the window, of all."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:/|of)\s*(\d{1,6})\s*", str(value))
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UnusableInput(f"{name} {value!r} is impossible; give the layers captured and all of them, as in 2/48")
    return int(found[1]), int(found[2])


def duration(name: str, value: Any) -> float:
    """Seconds of a time with its unit, `8.0ms`; a number of the library is in seconds."""
    number = scaled(value, r"(\d*\.?\d+(?:[eE][+-]?\d+)?)\s*(\D*?)", SECONDS.get)
    if number is None or not SHORTEST <= number <= LONGEST:
        raise UnusableInput(f"{name} {value!r} is no time of a step; give a number with its unit, as in 8.0ms")
    return float(f"{number:.12g}")


def byte_rate(name: str, value: Any) -> float:
    """Bytes per second of a bandwidth with its unit, `2.98TB/s`; a number of the library is in byte/s."""
    number = scaled(value, r"(\d{1,9}(?:\.\d{1,9})?)\s*([kKMGT]i?B/s)", factor)
    if number is None or not SLOWEST <= number <= FASTEST:
        raise UnusableInput(f"{name} {value!r} is no bandwidth; give a number with its unit, as in 2.98TB/s")
    return float(f"{number:.12g}")


def scaled(value: Any, pattern: str, unit_of: Callable[[str], float | None]) -> float | None:
    """A number with its unit in base units, or a bare number as it is; None for anything else."""
    found = re.fullmatch(rf"\s*{pattern}\s*", value) if isinstance(value, str) else None
    unit = unit_of(found[2]) if found else None
    number = float(found[1]) * unit if found and unit else value
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "tokens": whole,
    "batch": whole,
    "steps": whole,
    "context": whole,
    "accepted": accepted,
    "model": word,
    "weights": dtype,
    "head": dtype,
    "kv": dtype,
    "tp": whole,
    "ep": whole,
    "layers_captured": part,
    "step_time": duration,
    "tpot": duration,
}


ORIGIN = ("commit", "commit_time", "when", "branch", "label", "engine")
"""Whence a capture is: nothing that its analysis needs, and what an archive orders it by."""


def options(values: Mapping[str, Any]) -> dict[str, Fact[Any]]:
    """Facts stated on the command line; None is not stated."""
    if strange := [key for key in values if key not in CHECKS]:
        near = difflib.get_close_matches(strange[0], CHECKS, 1) or list(CHECKS)
        raise UnusableInput(
            f"{strange[0]!r} is not a fact of a run; {'nearest' if len(near) == 1 else 'known'}: {', '.join(near)}"
        )
    return {
        key: Fact(CHECKS[key](f"`{key}=`", value), "given", "stated on the command line")
        for key, value in values.items()
        if value is not None
    }


def beside(capture: Path) -> Path:
    """The file that says more of a capture: `NAME.run.toml`."""
    return capture.with_name(capture.name.split(".ncu-rep")[0].removesuffix(capture.suffix) + SIDECAR)


def sidecar(capture: Path) -> dict[str, Fact[Any]]:
    """Facts of `NAME.run.toml` beside the capture, where there is one; raises UnusableInput for others' keys."""
    file = beside(capture)
    if not file.is_file():
        return {}
    keys = load(file)
    strange = sorted(set(keys) - set(CHECKS) - set(ORIGIN))
    if strange:
        raise UnusableInput(f"{file.name}: key {strange[0]!r} is not known; known: {', '.join((*CHECKS, *ORIGIN))}")
    return {
        key: Fact(CHECKS[key](f"{file.name}: {key}", value), "given", f"stated in {file.name}")
        for key, value in keys.items()
        if key in CHECKS
    }


def stated(run: Run, captures: list[Path], values: Mapping[str, Any]) -> Run:
    """The run with what its sidecar files and then the command line state; the latter wins."""
    known: dict[str, Fact[Any]] = {}
    for capture in captures:
        known |= sidecar(capture)
    return replace(run, **(known | options(values)))
