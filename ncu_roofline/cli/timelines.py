"""A timeline named on the command line -> its steps, with every choice of the user applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ncu_roofline.analysis.compare.clocks import Clocks
from ncu_roofline.analysis.model.floor import Floor, floor
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.analysis.study import Choices, Study
from ncu_roofline.analysis.timeline.match import matched
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.capture.capture import Run
from ncu_roofline.cli.progress import progress
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.kernels.roles import load_rules
from ncu_roofline.knowledge.models.models import load
from ncu_roofline.readers.facts import options
from ncu_roofline.readers.timeline.timeline import read

TIMES = ("step_time", "tpot")
"""What a user states of a step's time: a trace tells it itself."""


def clocks_of_traces(
    traces: tuple[Path | None, Path | None],
    captures: tuple[Study, Study],
    stated: tuple[Mapping[str, Any], Mapping[str, Any]],
    **choices: Any,
) -> Clocks:
    """The real steps of both sides, each of a run whose capture stands beside it."""
    base, head = traces
    if base is None or head is None:
        raise UnusableInput("a trace is needed of both sides: --base-trace and --head-trace; one alone compares with nothing")
    found = [
        followed(trace, {k: v for k, v in facts.items() if k not in TIMES}, beside=capture, **choices)
        for trace, capture, facts in zip((base, head), captures, stated, strict=True)
    ]
    shares = [matched(steps, capture).both for steps, capture in zip(found, captures, strict=True)]
    return Clocks(base=found[0].times, head=found[1].times, matched=(shares[0], shares[1]))


def followed(
    trace: Path, stated: Mapping[str, Any], *, roles: Path | None = None, beside: Study | None = None, **chosen: Any
) -> Stepped:
    """The steps of a trace; `beside` is a capture of the same run, `chosen` the device and the phase."""
    with progress(f"reading {trace}"):
        run = Run(**options(stated))
        model = load(run.model.value) if run.model.value else None
        if model:
            run = replace(run, model=replace(run.model, value=model.name))
        return stepped(read(trace), Choices(rules=load_rules(roles), model=model, **chosen), beside=beside, run=run)


def least(found: Stepped, capture: Study | None, stated: dict[str, Any]) -> Floor:
    """The floor of a step of the trace: batch and context as stated, else as the trace or the capture tells them."""
    runs = [found.study.run, *([capture.run] if capture else [])]
    batch, context = (next((v for run in runs if (v := getattr(run, f).value)), None) for f in ("batch", "context"))
    device = found.study.gpu or (capture.gpu if capture else None)
    if batch is None or device is None:
        raise UnusableInput(
            f"the floor needs the {'batch' if batch is None else 'GPU'} of the trace, which it does not tell; "
            f"state `{'batch' if batch is None else 'gpu'}=`"
        )
    types = {name: stated[name] for name in ("weights", "head", "kv")}
    setting = Setting(batch=batch, context=context, tp=stated["tp"] or 1, ep=stated["ep"] or 1, **types)
    return floor(load(stated["model"]), device, setting)
