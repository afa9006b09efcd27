"""Capture, Device and Run: the frozen values that travel with the frame."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import polars as pl

ORIGINS = ("given", "inferred", "command line", "version default", "report", "unknown")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about a run: its value, where it came from, and the evidence in one phrase."""

    value: Any = None
    origin: str = "unknown"
    evidence: str = ""


UNKNOWN = Fact()


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
    tokens: Fact = UNKNOWN
    batch: Fact = UNKNOWN
    steps: Fact = UNKNOWN
    prefill_passes: Fact = UNKNOWN
    layers: Fact = UNKNOWN
    context: Fact = UNKNOWN
    accepted: Fact = UNKNOWN
    model: Fact = UNKNOWN
    weights: Fact = UNKNOWN
    kv: Fact = UNKNOWN
    tp: Fact = UNKNOWN
    layers_captured: Fact = UNKNOWN
    # how it was measured
    synthetic: Fact = UNKNOWN
    profiler_version: Fact = UNKNOWN
    driver_version: Fact = UNKNOWN
    cuda_version: Fact = UNKNOWN
    cache_control: Fact = UNKNOWN
    clock_control: Fact = UNKNOWN
    replay_mode: Fact = UNKNOWN
    metric_set: Fact = UNKNOWN
    graph_profiling: Fact = UNKNOWN
    launch_filter: Fact = UNKNOWN

    def known(self) -> dict[str, Fact]:
        """Facts that have a value, in the order of declaration."""
        return {f.name: fact for f in fields(self) if (fact := getattr(self, f.name)).value is not None}

    def given(self, **values: Any) -> Run:
        """The run with these facts stated by the user; None leaves a fact as it is."""
        stated = {k: Fact(v, "given", "stated by the user") for k, v in values.items() if v is not None}
        return replace(self, **stated)


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

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from ncu_roofline.capture import notebook

        return notebook.html(self)
