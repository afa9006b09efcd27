"""`step`: how long the real step takes, from a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import RUN, As, Force, GpuName, Output, Phase, RolesFile

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
    from ncu_roofline.cli.timelines import followed, least
    from ncu_roofline.present.documents.step import document

    capture = load([with_], gpu=gpu, roles=roles, facts=stated, phase=phase) if with_ else None
    found = followed(trace, stated, gpu=gpu, roles=roles, phase=phase, beside=capture)
    pair = matched(found, capture) if capture else None
    write(document(found, gaps(found), pair, least(found, capture, stated) if model else None), form, output, force)
