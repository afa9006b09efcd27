"""The rows table: which kernels tell by their launch how many token rows they worked on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ncu_roofline.knowledge.toml import load


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule:
    """One kind of kernel whose grid, or name, counts token rows."""

    what: str
    kernel: str | None = None
    name: str | None = None
    role: str | None = None
    axis: str | None = None
    value: int | None = None
    least: bool = False
    flat: bool = False
    sampled: bool = False
    sequences: bool = False
    planned: bool = False
    """Whether these are the sequences that a step is planned for: as many as it has, or more, as a CUDA graph holds."""
    over: int = 0
    """Only launches with more blocks than this along the axis tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRule:
    """One kind of kernel that runs in one phase only."""

    kernel: str
    phase: str
    what: str
    axis: str | None = None
    over: int = 0
    """Only launches with more blocks than this along the axis tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRule:
    """NVTX ranges by which an engine says what a step is."""

    nvtx: str
    """With the groups `batch` (sequences), `rows` and `cached` (tokens of all sequences), where the range tells them."""
    phase: str
    what: str
    drafts: bool = False
    loop: bool = False
    """Whether one such range may hold many steps: it tells what they are, and not how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRule:
    """NVTX ranges that number the steps of a run or the layers of a step."""

    of: str
    nvtx: str
    """With the group `number`."""
    what: str


@cache
def tables() -> dict[str, Any]:
    """rows.toml, read once for all that its tables tell."""
    return load(files(__package__) / "rows.toml")


@cache
def range_rules() -> tuple[RangeRule, ...]:
    """The rules of rows.toml that read NVTX ranges, in order."""
    return tuple(RangeRule(**entry) for entry in tables()["range"])


@cache
def count_rules(of: str) -> tuple[CountRule, ...]:
    """The rules of rows.toml that read numbers of steps, or of layers, off NVTX ranges, in order."""
    return tuple(CountRule(**entry) for entry in tables()["count"] if entry["of"] == of)


@cache
def row_rules() -> tuple[RowRule, ...]:
    """The rules of rows.toml that count rows, in order."""
    return tuple(RowRule(**entry) for entry in tables()["rows"])


@cache
def phase_rules() -> tuple[PhaseRule, ...]:
    """The rules of rows.toml that tell the phase, in order."""
    return tuple(PhaseRule(**entry) for entry in tables()["phase"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule:
    """One kind of attention kernel whose launch tells the shape of the cache that it reads."""

    kernel: str
    heads: str
    """Axis of the grid that counts key/value heads."""
    sequences: str
    """Axis of the grid that counts sequences."""
    width: str
    """Where the name has the width of a head: a group."""


@cache
def cache_rules() -> tuple[CacheRule, ...]:
    """The rules of rows.toml that tell the cache's shape, in order."""
    return tuple(CacheRule(**entry) for entry in tables()["cache"])


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRule:
    """Kernels by function name or by a part of the demangled one, of one role."""

    kernel: str | None = None
    name: str | None = None
    role: str | None = None


@cache
def satellites() -> tuple[NamedRule, ...]:
    """Launches that belong to the work of a neighbour."""
    return tuple(NamedRule(**entry) for entry in tables()["satellite"])


@cache
def expert_kernels() -> NamedRule:
    """Launches that stream the matrices of several experts."""
    return NamedRule(**tables()["experts"])


@cache
def opening_kernels() -> NamedRule:
    """Gathers that open a step where they come before any norm or product."""
    return NamedRule(**tables()["opening"])


@cache
def embedding_fusions() -> NamedRule:
    """Launches that look up the tokens and do more: a step begins with them."""
    return NamedRule(**tables()["embeds"])


@cache
def residual_norms() -> NamedRule:
    """Norms that also add the residual stream: those of a layer's beginning and of its second half."""
    return NamedRule(**tables()["residual"])


@cache
def speculation_kernels() -> NamedRule:
    """Kernels that make or verify drafts."""
    return NamedRule(**tables()["speculation"])


@cache
def rank_rules() -> tuple[NamedRule, ...]:
    """Collectives whose names tell how many GPUs take part: a group in the name."""
    return tuple(NamedRule(**entry) for entry in tables()["ranks"])
