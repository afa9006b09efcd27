"""The rows table: which kernels tell by their launch how many token rows they worked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from ncu_roofline.knowledge.toml import read_once


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRule:
    """Kernels by function name or by a part of the demangled one, of one role."""

    kernel: str | None = None
    name: str | None = None
    role: str | None = None

    @property
    def patterns(self) -> dict[str, str]:
        """By column what the texts of a kernel must hold: the whole function name, a part of the demangled one."""
        stated = {"kernel": self.kernel and f"^(?:{self.kernel})$", "name": self.name}
        return {column: pattern for column, pattern in stated.items() if pattern is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule(NamedRule):
    """One kind of kernel whose grid, or name, counts token rows."""

    what: str
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
class PhaseRule(NamedRule):
    """One kind of kernel that runs in one phase only."""

    phase: str
    what: str
    axis: str | None = None
    over: int = 0
    """Only launches with more blocks than this along the axis tell."""
    verifies: bool = False
    """Whether it closes a step whose drafts it accepts or refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRule:
    """NVTX ranges by which an engine says what a step is."""

    nvtx: str
    """With the groups `batch` (sequences), `rows` and `cached` (tokens of all sequences), where the range tells them; of a
    mixed step `batch` and `rows` are of sequences that decode, and `prompt` tokens of prompts."""
    what: str
    phase: str | None = None
    """None where the range of a decode step may be one of a piece of a prompt."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule(NamedRule):
    """One kind of attention kernel whose launch tells the shape of the cache that it reads."""

    heads: str
    """Axis of the grid that counts key/value heads."""
    sequences: str
    """Axis of the grid that counts sequences."""
    width: str
    """Where the name has the width of a head: a group."""


Rule = TypeVar("Rule", RowRule, PhaseRule, RangeRule, CountRule, CacheRule, NamedRule)


def rules(kind: type[Rule], table: str) -> tuple[Rule, ...]:
    """The rules of one table of rows.toml, in order."""
    return tuple(kind(**entry) for entry in read_once("kernels/rows.toml")[table])
