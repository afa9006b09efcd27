"""Capture, Device and Run: the frozen values that travel with the frame."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Generic, NoReturn, TypeVar

import polars as pl

ORIGINS = ("given", "inferred", "command line", "version default", "report", "unknown")
RANKS = ("told", "nvtx", "strong", "weak", "bound")
"""How far a witness is believed: what a user told, what the engine's own ranges say, what tells by construction,
what tells by habit (two of them must agree), and what only limits."""

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What one sign says about a fact: a value (low is high) or an interval, and whether the fact agrees with it."""

    says: str
    """What it is, in a phrase: `norm grids`."""
    low: float | None = None
    high: float | None = None
    rank: str = "strong"
    agrees: bool | None = None
    """None where the fact stays unknown."""


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One fact about a run: its value, where it came from, and the evidence in one phrase."""

    value: T | None = None
    origin: str = "unknown"
    evidence: str = ""
    low: float | None = None
    """Where the value is unknown or varies: the least that it can be."""
    high: float | None = None
    witnesses: tuple[Witness, ...] = field(default=(), compare=False)
    """Who spoke for the value and who against it."""

    @property
    def span(self) -> tuple[float | None, float | None]:
        """The least and the greatest that it can be: the value twice, where that is known."""
        known = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        value = float(self.value) if known else None  # type: ignore[arg-type]
        return (self.low if self.low is not None else value, self.high if self.high is not None else value)


UNKNOWN: Fact[NoReturn] = Fact()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The GPU as the report describes it, base SI units; None where the report is silent."""

    name: str | None = None
    compute_capability: str | None = None
    chip: str | None = None
    sms: int | None = None
    sm_hertz: float | None = None
    """Highest SM clock by attribute (not the clock during the capture)."""
    memory_hertz: float | None = None
    """Highest memory clock by attribute."""
    bus_bits: int | None = None
    memory_bytes: float | None = None
    l2_bytes: float | None = None
    integrated: bool | None = None
    mig: bool | None = None
    ecc: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What was run and how it was measured; every fact carries its origin."""

    # what was run
    tokens: Fact[int] = UNKNOWN
    batch: Fact[int] = UNKNOWN
    steps: Fact[int] = UNKNOWN
    prefill_passes: Fact[int] = UNKNOWN
    layers: Fact[int] = UNKNOWN
    context: Fact[int] = UNKNOWN
    accepted: Fact[float] = UNKNOWN
    model: Fact[str] = UNKNOWN
    weights: Fact[str] = UNKNOWN
    head: Fact[str] = UNKNOWN
    """Type of the LM head where it is not that of the weights."""
    kv: Fact[str] = UNKNOWN
    tp: Fact[int] = UNKNOWN
    ep: Fact[int] = UNKNOWN
    layers_captured: Fact[tuple[int, int]] = UNKNOWN
    step_time: Fact[float] = UNKNOWN
    """Seconds of one step that no profiler disturbed."""
    tpot: Fact[float] = UNKNOWN
    """Seconds from one token of a sequence to its next, as engines report them."""
    # how it was measured
    synthetic: Fact[bool] = UNKNOWN
    profiler_version: Fact[str] = UNKNOWN
    driver_version: Fact[str] = UNKNOWN
    cuda_version: Fact[str] = UNKNOWN
    cache_control: Fact[str] = UNKNOWN
    clock_control: Fact[str] = UNKNOWN
    replay_mode: Fact[str] = UNKNOWN
    metric_set: Fact[str] = UNKNOWN
    graph_profiling: Fact[str] = UNKNOWN
    launch_filter: Fact[str] = UNKNOWN

    def known(self) -> dict[str, Fact[object]]:
        """Facts that have a value, in the order of declaration."""
        return {f.name: fact for f in fields(self) if (fact := getattr(self, f.name)).value is not None}

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from ncu_roofline.capture import notebook

        return notebook.run_line(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One of several files that were read as one capture."""

    name: str
    launches: int
    run: Run
    """What it says by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One or several reports of one run on one device."""

    launches: pl.DataFrame
    device: Device = field(default_factory=Device)
    run: Run = field(default_factory=Run)
    notes: tuple[str, ...] = ()
    """What the reader could not read or had to assume, a sentence each."""
    name: str = "capture"
    """File name without folders: fit to be shown."""
    taken: float | None = None
    """When the profiler began, in seconds since 1970; None where the file does not tell."""
    own_processes: bool = False
    """Whether processes are numbered in this file alone, so that those of another file are others."""
    files: tuple[File, ...] = ()
    """The files in their order, where there are several: the border of a file ends a step."""

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from ncu_roofline.capture import notebook

        return notebook.html(self)
