"""`tokens`: bytes, work and time per token, and where they go."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import Captures, Force, GpuName, Output, PhaseKind, ReaderKind, RolesFile, Told


@app.command()
def tokens(
    captures: Captures,
    by: Annotated[
        Literal["role", "layer", "kernel", "step", "projection"], typer.Option("--by", help="What a row of the first table is.")
    ] = "role",
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
    ep: facts.Ep = None,
    layers_captured: facts.LayersCaptured = None,
    step_time: facts.StepTime = None,
    tpot: facts.Tpot = None,
    phase: PhaseKind = None,
    gpu: GpuName = None,
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    form: Told = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Say how many bytes a token moves, where, and how that was found.

    Example: ncu-roofline tokens decode.ncu-rep --model llama-3.1-8b
    """
    stated = facts.stated(locals())
    from ncu_roofline.analysis.model.captured import of_all_layers
    from ncu_roofline.analysis.model.measured import against_floor, check_possible, projections
    from ncu_roofline.analysis.run.tokens import per_token, totals
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.present.documents import tokens as words

    study = load(captures, gpu=gpu, reader=reader, roles=roles, facts=stated, phase=phase)
    run = study.run
    launches = study.every if study.phase == "decode" else study.launches
    decode = study.phase == "decode"
    known = study.model
    if known:
        check_possible(known, run, study.gpu)
    tables = words.Tables(
        main=per_token(launches, run, by, study.phase),
        by=by,
        steps=per_token(launches, run, "step", study.phase),
        layers=per_token(launches, run, "layer", study.phase),
        floor=against_floor(launches, run, known) if known and decode else None,
        projections=projections(launches, run, known) if known and decode else None,
        all_layers=of_all_layers(launches, run, known) if known and decode else None,
    )
    write(words.document(study, totals(launches, run, study.phase), tables), form, output, force)
