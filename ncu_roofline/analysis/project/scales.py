"""From a capture to where it is projected: the factors, and everything that they take for granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.model.types import stored
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Run
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.devices.rates import table
from ncu_roofline.knowledge.models import dtypes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to project to; None leaves a thing as it is."""

    gpu: Gpu | None = None
    weights: str | None = None
    head: str | None = None
    """Type of the LM head there, if not that of the weights."""
    kv: str | None = None
    batch: int | None = None
    tp: int | None = None
    ep: int | None = None
    """GPUs among which whole experts are dealt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Factors from the capture to the target."""

    weights: float = 1.0
    head: float | None = None
    """Of the LM head; None where nobody states its type there."""
    kv: float = 1.0
    batch: float = 1.0
    tp: float = 1.0
    experts: float = 1.0
    """Of the experts' matrices: dealt whole among GPUs, or divided with the others."""
    sparse: bool = False
    """Whether the target's weights are 2:4 and the capture's are not: kernels of another kind."""
    bandwidth: float = 1.0
    """Bandwidth of the capture's device over the target's."""


def stand_in(path: str, peaks: Mapping[str, float]) -> str | None:
    """The path itself where the device has it, else the nearest that it has; None where it has none of them."""
    while path not in peaks:
        if path not in table()["stands_in"]:
            return None
        path = table()["stands_in"][path]
    return path


def taken_over(study: Study, gpu: Gpu | None) -> dict[str, str | None]:
    """Each path of the capture's work that the target's GPU has not, and the one that takes it over; None where none does."""
    if gpu is None:
        return {}
    paths = study.launches["path"].drop_nulls().cast(pl.String).unique().sort()
    return {path: stand_in(path, gpu.peaks) for path in paths if path not in gpu.peaks}


def scales_of(study: Study, target: Target) -> Scales:
    """The factors; each needs what the capture itself was."""
    bandwidth = 1.0
    if target.gpu is not None:
        if study.gpu is None:
            raise UnusableInput(f"{study.capture.name}: its own device is not known; name it with `study(..., gpu=NAME)`")
        bandwidth = study.gpu.bandwidth / target.gpu.bandwidth
    run = study.run
    return Scales(
        weights=width(target.weights, stored(study.launches, run, "weights"), "weights"),
        head=None if target.head is None else width(target.head, own_head(study), "head"),
        sparse=target.weights is not None and dtypes.find(target.weights).name == dtypes.find("2:4").name,
        kv=width(target.kv, stored(study.launches, run, "kv"), "kv"),
        batch=times_as_many(target.batch, run.batch.value, "batch"),
        tp=1 / times_as_many(target.tp, run.tp.value or 1, "tp"),
        experts=dealt(run, target),
        bandwidth=bandwidth,
    )


def own_head(study: Study) -> dtypes.Dtype | None:
    """The type of the capture's LM head: as stated, else that of its weights."""
    told = study.run.head.value
    return dtypes.find(told, "`head=`") if told is not None else stored(study.launches, study.run, "weights")


def dealt(run: Run, target: Target) -> float:
    """A GPU's part of the experts over the part that it had: one of `ep` where they are dealt, else one of `tp`."""
    own = run.ep.value or run.tp.value or 1
    wanted = target.ep if target.ep is not None else None if run.ep.value else target.tp
    return 1 / times_as_many(wanted, own, "ep" if target.ep is not None else "tp")


def width(wanted: str | None, own: dtypes.Dtype | None, fact: str) -> float:
    """Bytes per element wanted over what the capture has."""
    if wanted is None:
        return 1.0
    if own is None:
        advice = f"state it with `read(..., {fact}=DTYPE)`"
        raise UnusableInput(f"`{fact}=` {wanted}: the capture's own {fact} type is not known; {advice}")
    return dtypes.find(wanted, f"`{fact}=`").bytes / own.bytes


def times_as_many(wanted: int | None, own: int | None, fact: str) -> float:
    """Wanted over what the capture has."""
    if wanted is None:
        return 1.0
    if wanted < 1:
        raise UnusableInput(f"`{fact}=` {wanted} is impossible; give a whole number from 1 on")
    if own is None:
        raise UnusableInput(f"`{fact}=` {wanted}: the capture's own {fact} is not known; state it with `read(..., {fact}=N)`")
    return wanted / own
