"""`project`: the same capture on another GPU, at another width, batch or TP."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.compare_options import BothRuns
from ncu_roofline.cli.options import As, Captures, Force, Output, PhaseKind, ReaderKind, RolesFile
from ncu_roofline.errors import UnusableInput

TARGET = "Where to"
Gpu = Annotated[str | None, typer.Option("--gpu", metavar="NAME", help="The other GPU.", rich_help_panel=TARGET)]
Weights = Annotated[str | None, typer.Option("--weights", metavar="DTYPE", help="Another weight type.", rich_help_panel=TARGET)]
Head = Annotated[
    str | None, typer.Option("--head", metavar="DTYPE", help="Another type of the LM head.", rich_help_panel=TARGET)
]
Kv = Annotated[str | None, typer.Option("--kv", metavar="DTYPE", help="Another cache type.", rich_help_panel=TARGET)]
Batch = Annotated[int | None, typer.Option("--batch", metavar="N", help="Another batch.", rich_help_panel=TARGET)]
Tp = Annotated[int | None, typer.Option("--tp", metavar="N", help="Another number of GPUs.", rich_help_panel=TARGET)]
Ep = Annotated[
    int | None, typer.Option("--ep", metavar="N", help="Another number of GPUs for whole experts.", rich_help_panel=TARGET)
]
FromGpu = Annotated[
    str | None, typer.Option("--from-gpu", metavar="NAME", help="Device of the capture, where it does not tell.")
]
Against = Annotated[str | None, typer.Option("--against", metavar="CAPTURE", help="A capture taken there: says how far off.")]


@app.command()
def project(
    captures: Captures,
    gpu: Gpu = None,
    weights: Weights = None,
    head: Head = None,
    kv: Kv = None,
    batch: Batch = None,
    tp: Tp = None,
    ep: Ep = None,
    from_gpu: FromGpu = None,
    run: BothRuns = None,
    phase: PhaseKind = None,
    against: Against = None,
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Project a capture to another GPU, width, batch or TP: a range, with every assumption.

    Example: ncu-roofline project decode.ncu-rep --gpu b200 --weights fp8 --batch 32
    """
    from ncu_roofline.analysis.project.project import error
    from ncu_roofline.analysis.project.project import project as projected
    from ncu_roofline.analysis.project.scales import Target
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.cli.sides import facts_of
    from ncu_roofline.knowledge.devices import gpus
    from ncu_roofline.present.documents.project import document

    target = Target(gpu=gpus.find(gpu) if gpu else None, weights=weights, head=head, kv=kv, batch=batch, tp=tp, ep=ep)
    if target == Target():
        raise UnusableInput("a projection needs a target; name --gpu, --weights, --head, --kv, --batch, --tp or --ep")
    choices: dict[str, Any] = {"reader": reader, "roles": roles, "phase": phase}
    found = projected(load(captures, gpu=from_gpu, facts=facts_of(run), **choices), target)
    measured = load([against], **choices) if against else None
    off = error(found, measured) if measured else None
    write(document(found, off, measured.capture.name if measured else ""), form, output, force)
