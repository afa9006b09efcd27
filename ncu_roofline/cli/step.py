"""`step`: how long the real step takes, from a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import RUN, As, Force, Format, GpuName, Output, RolesFile

Trace = Annotated[
    Path,
    typer.Argument(
        metavar="TRACE",
        help="Trace of PyTorch's profiler, or export of Nsight Systems (.sqlite, cuda_gpu_trace CSV); .gz and .zst too.",
        show_default=False,
    ),
]
With = Annotated[
    str | None, typer.Option("--with", metavar="CAPTURE", help="Capture of the same run, for its bytes.", rich_help_panel=RUN)
]


@app.command()
def step(
    trace: Trace,
    with_: With = None,
    gpu: GpuName = None,
    roles: RolesFile = None,
    form: As = Format.TABLE,
    output: Output = None,
    force: Force = False,
) -> None:
    """Time of the real step: how long it takes, how busy the GPU is, where the time goes.

    Example: ncu-roofline step trace.json.gz --with decode.ncu-rep
    """
    from ncu_roofline.analysis.study import Choices
    from ncu_roofline.analysis.timeline.match import matched
    from ncu_roofline.analysis.timeline.steps import stepped
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.cli.progress import progress
    from ncu_roofline.knowledge.kernels.roles import load_rules
    from ncu_roofline.present.documents.step import document
    from ncu_roofline.readers.timeline.timeline import read

    with progress(f"reading {trace}"):
        found = stepped(read(trace), Choices(gpu=gpu, rules=load_rules(roles)))
    pair = matched(found, load([with_], gpu=gpu, roles=roles)) if with_ else None
    write(document(found, pair), form, output, force)
