"""A capture taken through every analysis in turn: the value that each command starts from."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from ncu_roofline.analysis.model import useful
from ncu_roofline.analysis.model.captured import with_part
from ncu_roofline.analysis.notes import Note
from ncu_roofline.analysis.roles import behaviour, roles
from ncu_roofline.analysis.roofline import roofline
from ncu_roofline.analysis.roofline.ceilings import Ceiling, ceiling
from ncu_roofline.analysis.roofline.gains import gained
from ncu_roofline.analysis.run import files, sequence
from ncu_roofline.analysis.run.basis import Selected, selected
from ncu_roofline.analysis.run.batch import with_tiles
from ncu_roofline.analysis.run.context import with_context
from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Capture, Run
from ncu_roofline.capture.frames import ARCHIVED, STUDIED
from ncu_roofline.capture.schema import complete, thin, whole_result
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.kernels.roles import Rules
from ncu_roofline.knowledge.models.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the user chose beyond the capture itself."""

    gpu: str | None = None
    rules: Rules | None = None
    ridge: str = "profiled"
    latency_share: float | None = None
    model: Model | None = None
    phase: str | None = None
    """decode, prefill or all; None is decode where decode is told."""
    ceiling: float | None = None
    """The bandwidth that gains are measured against, byte/s; None is the best that is known of the device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A capture with all that is known of every launch."""

    capture: Capture
    launches: pl.DataFrame
    """One row per launch of the phase with every column of `STUDIED` (capture/frames.py), then the measured counters."""
    gpu: Gpu | None
    run: Run
    notes: tuple[str | Note, ...]
    """What the reader and the device table say, and what the analyses found as facts."""
    every: pl.DataFrame = field(default_factory=pl.DataFrame)
    """The same of all launches, whatever their phase."""
    model: Model | None = None
    """The model that the user named."""
    phase: str = "decode"
    """What figures per token are of: decode, prefill, or all launches, as the user says."""
    ceiling: Ceiling | None = None
    """What gains are measured against; None where the device is unknown."""


def study(capture: Capture, choices: Choices | None = None) -> Study:
    """The capture with role, work, step, useful work and place of every launch."""
    chosen = choices or Choices()
    gpu, notes = device_of(capture, chosen.gpu)
    named = thin(roles.assign(thin(complete(capture.launches, ARCHIVED)), chosen.rules))
    worked = thin(with_behaviour(named, gpu, capture, chosen))
    drafts = (capture.run.accepted.value or 1) > 1
    segmented = followed(worked, capture, drafts=drafts)
    run, doubts = sequence.facts(segmented, capture.run, chosen.model)
    worked_out = thin(useful.useful(segmented.launches, run, chosen.model))
    run = with_tiles(worked_out, run)
    run, other = with_part(worked_out, run, chosen.model)
    run, more = with_context(worked_out, run, chosen.model)
    placed = thin(roofline.place(worked_out, gpu, capture.device, ridge=chosen.ridge, latency_share=chosen.latency_share))
    best = ceiling(placed, gpu, capture.device, chosen.ceiling)
    every = complete(gained(placed, best), STUDIED)
    kept = selected(every, run, chosen.phase)
    return Study(
        capture=capture,
        launches=kept.launches,
        gpu=gpu,
        run=run,
        notes=(*capture.notes, *notes, *doubts, *other, *more, *left_out(kept, every)),
        every=every,
        model=chosen.model,
        phase=chosen.phase or "decode",
        ceiling=best,
    )


def followed(worked: pl.DataFrame, capture: Capture, *, drafts: bool) -> sequence.Segmented:
    """The launches with their places, where they are in order; raises UnusableInput where files must not be added up."""
    if not in_order(worked):
        return sequence.unfollowed(worked)
    segmented = sequence.segment(worked, drafts=drafts, borders=files.borders(capture.files))
    files.check(segmented.launches, capture.files)
    return segmented


def left_out(kept: Selected, every: pl.DataFrame) -> tuple[Note, ...]:
    """A note where launches do not count."""
    results = every.select(whole_result().sum()).item() - kept.launches.select(whole_result().sum()).item()
    if kept.left_out <= results:
        return ()  # results of whole steps check the others
    number, of = kept.left_out - results, every.height - results
    return (Note("left_out", {"launches": number, "of": of, "phase": kept.phase}),)


def with_behaviour(named: pl.DataFrame, gpu: Gpu | None, capture: Capture, chosen: Choices) -> pl.DataFrame:
    """Launches with their work, and with roles that also stand on what they read; a new role is a new reading of FLOPs."""
    worked = work(named, gpu, capture.device)
    if not in_order(worked):
        return worked
    behaved = behaviour.decide(worked, capture.run, chosen.model, chosen.rules)
    return worked if behaved is worked else work(named.with_columns(behaved.select(behaviour.DECIDED)), gpu, capture.device)


def in_order(launches: pl.DataFrame) -> bool:
    """Whether the launches are one run in its order: not several captures, and not added up."""
    return not launches["times"].count() and launches["capture"].n_unique() <= 1


def device_of(capture: Capture, name: str | None) -> tuple[Gpu | None, tuple[str | Note, ...]]:
    """The device the user named, else the one the capture tells of, with what is doubtful about it."""
    told, doubts = gpus.identify(capture.device)
    if name is None:
        return told, doubts if told else ()  # health says what an unknown device costs
    chosen = gpus.found(name)
    if told is not None and told.product != chosen.product:
        return chosen, (*chosen.told(), Note("other_gpu", {"capture": told.product, "gpu": chosen.product}))
    if capture.device.compute_capability not in (None, chosen.compute_capability):
        of = {"capture": capture.device.compute_capability, "gpu": chosen.product, "its": chosen.compute_capability}
        return chosen, (*chosen.told(), Note("other_capability", of))
    return chosen, chosen.told()
