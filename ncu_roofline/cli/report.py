"""`report`: a folder with everything that a pull request wants to show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ncu_roofline.cli import compare_options as its
from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import OUTPUT, Captures, CeilingRate, Force, GpuName, PhaseKind, ReaderKind, RidgeKind, RolesFile


@app.command()
def report(
    captures: Captures,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write.", rich_help_panel=OUTPUT)],
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
    phase: PhaseKind = None,
    gpu: GpuName = None,
    ridge: RidgeKind = "profiled",
    ceiling: CeilingRate = None,
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    theory: Annotated[bool, typer.Option("--theory", help="Show where FC and attention should stand.")] = False,
    image_base: Annotated[
        str, typer.Option("--image-base", metavar="URL", help="Where the pictures will lie, for comment.md.")
    ] = "",
    vary: its.Vary = None,
    anyway: its.Anyway = False,
    force: Force = False,
) -> None:
    """Write comment.md, charts, tables, summary.json and one HTML page for a pull request.

    Two captures are a base and a head: the report compares them. Quote a glob to report several files of one run.

    Example: ncu-roofline report decode.ncu-rep -o report/
    """
    stated = facts.stated(locals())
    from ncu_roofline.cli.output import refuse_folder, write_folder
    from ncu_roofline.present.charts import export

    image_base = of_pictures(image_base)
    refuse_folder(output, force=force)
    export.begin()
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.material import comparison_files, material
    from ncu_roofline.present.charts.bundle import files

    choices: dict[str, Any] = {"gpu": gpu, "ridge": ridge, "reader": reader, "roles": roles, "facts": stated}
    if len(captures) == 2:
        from ncu_roofline.cli.sides import refuse

        comparison, compared = comparison_files(captures, choices, vary=vary or [], anyway=anyway, image_base=image_base)
        write_folder(compared, output, force=force)
        refuse(comparison, ())
        return
    study = load(captures, **choices, ceiling=ceiling, phase=phase)
    write_folder(files(material(study, ridge, image_base), theory=theory), output, force=force)


def of_pictures(base: str) -> str:
    """Where pictures lie: https, http, or beside the comment; any other scheme is code or a file of whoever reads."""
    from ncu_roofline.present.forms.text import clean

    scheme = re.match(r"\s*([A-Za-z][\w+.-]*):", clean(base))
    if scheme is None or scheme[1].lower() in ("https", "http"):
        return base
    raise typer.BadParameter(
        f"{scheme[1][:20]}: is no place of pictures; give an https URL or a path", param_hint="--image-base"
    )
