"""`kernels`: lists launches or kernel groups."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ncu_roofline.cli import complete, facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import (
    MOST_ROWS,
    OUTPUT,
    As,
    Captures,
    CeilingRate,
    Force,
    GpuName,
    Output,
    PhaseKind,
    ReaderKind,
    RidgeKind,
    RolesFile,
)

Sort = Annotated[
    str,
    typer.Option(
        "--sort",
        metavar="COLUMN",
        help="Largest first (time, gain, bytes or a column); '-COLUMN' for smallest first.",
        autocompletion=complete.columns,
    ),
]
Only = Annotated[str | None, typer.Option("--filter", metavar="TEXT", help="Rows whose kernel, name or role contains this.")]
Rows = Annotated[
    int, typer.Option("--top", metavar="N", min=0, max=MOST_ROWS, help="Rows to show; 0 for all.", rich_help_panel=OUTPUT)
]


@app.command()
def kernels(
    captures: Captures,
    by: Annotated[
        Literal["launch", "kernel"] | None,
        typer.Option("--by", help="A row per kernel and launch shape, or per launch (as in JSON and CSV).", show_default=False),
    ] = None,
    sort: Sort = "seconds",
    only: Only = None,
    top: Rows = 50,
    batch: facts.Batch = None,
    model: facts.ModelName = None,
    weights: facts.Weights = None,
    head: facts.Head = None,
    kv: facts.Kv = None,
    tp: facts.Tp = None,
    phase: PhaseKind = None,
    gpu: GpuName = None,
    ridge: RidgeKind = "profiled",
    ceiling: CeilingRate = None,
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """List kernels with their work, bytes, side of the ridge and share of the roofs.

    Example: ncu-roofline kernels decode.ncu-rep --sort gain --filter gemm
    """
    stated = facts.stated(locals())
    from ncu_roofline.analysis.health.health import health
    from ncu_roofline.analysis.roofline.groups import group
    from ncu_roofline.analysis.roofline.listing import listing
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.present.documents import kernels as words

    study = load(captures, gpu=gpu, facts=stated, ceiling=ceiling, ridge=ridge, reader=reader, roles=roles, phase=phase)
    grouped = (by or ("kernel" if form in ("table", "markdown") else "launch")) == "kernel"
    rows = group(study.launches) if grouped else study.launches
    chosen = listing(rows, sort=sort, only=only)
    shown = chosen.head(top) if top else chosen
    ranked = sort.lstrip("-") in ("gain", "gain_seconds")
    document = words.document(
        study, shown, chosen.height, health(study), grouped=grouped, filtered=only is not None, ranked=ranked
    )
    write(document, form, output, force)
