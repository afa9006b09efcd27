"""`plot`: the roofline as a picture, a page, a specification, or characters on the terminal."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import (
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
)


@app.command()
def plot(
    captures: Captures,
    phase: PhaseKind = None,
    gpu: GpuName = None,
    ceiling: CeilingRate = None,
    ridge: RidgeKind = "profiled",
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
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
    by: Annotated[
        Literal["kernel", "launch", "role", "layer"],
        typer.Option("--by", help="A mark per name, grid and block; per launch, role or layer."),
    ] = "kernel",
    levels: Annotated[
        str, typer.Option("--levels", metavar="dram,l2", help="Memory levels whose bandwidth is drawn.")
    ] = "dram",
    theory: Annotated[
        bool, typer.Option("--theory", help="Show where FC and attention should stand at this batch and these widths.")
    ] = False,
    theme: Annotated[Literal["light", "dark"], typer.Option("--theme", help="Colours.", rich_help_panel=OUTPUT)] = "light",
    form: Annotated[
        Literal["terminal", "html", "png", "svg", "json"] | None,
        typer.Option("--format", help="Form; by default that of the output's name.", rich_help_panel=OUTPUT),
    ] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Terminal plot in plain ASCII.", rich_help_panel=OUTPUT)] = False,
    output: Output = None,
    force: Force = False,
) -> None:
    """Draw the roofline: FC apart from attention, useful work solid, executed work hollow.

    Example: ncu-roofline plot decode.ncu-rep -o roofline.png
    """
    stated = facts.stated(locals())
    from ncu_roofline.analysis.roofline.picture import picture
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.pictures import form_of, levels_of, show

    wanted = form_of(form, output)
    chosen = levels_of(levels)
    study = load(captures, gpu=gpu, facts=stated, ceiling=ceiling, ridge=ridge, reader=reader, roles=roles, phase=phase)
    drawn = picture(study, by, ridge=ridge, levels=chosen)
    show(drawn, wanted, output, theme=theme, theory=theory, ascii_only=ascii_only, force=force)
