"""`summary`: one capture in a few sentences, a table, and its doubts."""

from __future__ import annotations

from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import As, Captures, Force, Format, GpuName, Output, ReaderKind, Reader, Ridge, RidgeKind, RolesFile
from ncu_roofline.cli.options import OUTPUT


@app.command()
def summary(
    captures: Captures, gpu: GpuName = None, ridge: RidgeKind = Ridge.PROFILED, reader: ReaderKind = Reader.AUTO,
    roles: RolesFile = None, top: Annotated[int, typer.Option("--top", min=1, help="Kernels to show.", rich_help_panel=OUTPUT)] = 10,
    form: As = Format.TABLE, output: Output = None, force: Force = False,
) -> None:  # fmt: skip
    """Say where a capture's time and bytes go, and on which side of the ridge.

    Example: ncu-roofline summary decode.ncu-rep
    """
    from ncu_roofline.analysis.groups import group
    from ncu_roofline.analysis.health import health
    from ncu_roofline.analysis.overview import overview
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.present import summary as words

    study = load(captures, gpu=gpu, ridge=ridge.value, reader=reader.value, roles=roles)
    document = words.document(study, overview(study), group(study.launches), health(study), top=top)
    write(document, form, output, force)
