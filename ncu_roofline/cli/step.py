"""`step`: how long the real step takes, from a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import RUN, As, Force, GpuName, Output, Phase, RolesFile
from ncu_roofline.errors import UnusableInput

if TYPE_CHECKING:
    from ncu_roofline.analysis.model.floor import Floor
    from ncu_roofline.analysis.study import Study
    from ncu_roofline.analysis.timeline.steps import Stepped

Trace = Annotated[
    Path,
    typer.Argument(
        metavar="TRACE",
        help="Trace of PyTorch's profiler, or export of Nsight Systems (.sqlite, cuda_gpu_trace CSV); .gz and .zst too.",
        show_default=False,
    ),
]
Pass = Annotated[
    Phase | None,
    typer.Option(
        "--phase",
        help="What a step is: a decode step, a pass with tokens of prompts (prefill), or nothing: the whole trace (all).",
        show_default="decode",
        rich_help_panel=RUN,
    ),
]
With = Annotated[
    str | None, typer.Option("--with", metavar="CAPTURE", help="Capture of the same run, for its bytes.", rich_help_panel=RUN)
]


@app.command()
def step(
    trace: Trace,
    with_: With = None,
    batch: facts.Batch = None,
    context: facts.Context = None,
    accepted: facts.Accepted = None,
    model: facts.ModelName = None,
    weights: facts.Weights = None,
    head: facts.Head = None,
    kv: facts.Kv = None,
    tp: facts.Tp = None,
    ep: facts.Ep = None,
    gpu: GpuName = None,
    roles: RolesFile = None,
    phase: Pass = None,
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Time of the real step: how long it takes, how busy the GPU is, where the time goes.

    Example: ncu-roofline step trace.json.gz --with decode.ncu-rep
    """
    stated = facts.stated(locals())
    from ncu_roofline.analysis.timeline.gaps import gaps
    from ncu_roofline.analysis.timeline.match import matched
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.cli.timelines import followed
    from ncu_roofline.present.documents.step import document

    capture = load([with_], gpu=gpu, roles=roles, facts=stated, phase=phase) if with_ else None
    found = followed(trace, stated, gpu=gpu, roles=roles, phase=phase, beside=capture)
    pair = matched(found, capture) if capture else None
    write(document(found, gaps(found), pair, least(found, capture, stated) if model else None), form, output, force)


def least(found: Stepped, capture: Study | None, stated: dict[str, Any]) -> Floor:
    """The floor of a step of the trace: batch and context as stated, else as the trace or the capture tells them."""
    from ncu_roofline.analysis.model.floor import floor
    from ncu_roofline.analysis.model.footprint import Setting
    from ncu_roofline.knowledge.models import models

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
    return floor(models.load(stated["model"]), device, setting)
