"""`summary`: one capture in a few sentences, a table, and its doubts."""

from __future__ import annotations

from typing import Annotated

import typer

from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import (
    MOST_ROWS,
    OUTPUT,
    Captures,
    CeilingRate,
    Force,
    GpuName,
    Output,
    PhaseKind,
    ReaderKind,
    RidgeKind,
    RolesFile,
    Told,
)


@app.command()
def summary(
    captures: Captures,
    full: Annotated[
        bool, typer.Option("--full", help="All there is to say, not a screen of it.", rich_help_panel=OUTPUT)
    ] = False,
    top: Annotated[
        int,
        typer.Option("--top", metavar="N", min=1, max=MOST_ROWS, help="Kernels to show with --full.", rich_help_panel=OUTPUT),
    ] = 10,
    tokens: facts.Tokens = None,
    batch: facts.Batch = None,
    steps: facts.Steps = None,
    context: facts.Context = None,
    accepted: facts.Accepted = None,
    model: facts.ModelName = None,
    weights: facts.Weights = None,
    head: facts.Head = None,
    kv: facts.Kv = None,
    tp: facts.Tp = None,
    layers_captured: facts.LayersCaptured = None,
    step_time: facts.StepTime = None,
    tpot: facts.Tpot = None,
    phase: PhaseKind = None,
    gpu: GpuName = None,
    ridge: RidgeKind = "profiled",
    ceiling: CeilingRate = None,
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    form: Told = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Say in a screen what moves per token, what limits it, and what to fix first.

    Example: ncu-roofline summary decode.ncu-rep
    """
    stated = facts.stated(locals())
    from ncu_roofline.analysis.health.health import health
    from ncu_roofline.analysis.roofline.groups import group
    from ncu_roofline.analysis.roofline.overview import overview
    from ncu_roofline.analysis.run.tokens import of_shown
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.present.documents import summary as words

    study = load(captures, gpu=gpu, facts=stated, ceiling=ceiling, ridge=ridge, reader=reader, roles=roles, phase=phase)
    whole, numbers, groups, findings = (
        of_shown(study.launches, study.run, study.phase),
        overview(study),
        group(study.launches),
        health(study),
    )
    document = (
        words.document(study, numbers, groups, findings, top=top, whole=whole)
        if full
        else words.short(study, numbers, groups, findings, whole)
    )
    write(document, form, output, force)
