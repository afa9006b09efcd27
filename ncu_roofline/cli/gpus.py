"""`gpus`: the devices that the project knows, with their ridges."""

from __future__ import annotations

from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import As, Force, Output

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One device; all without it.")]


@app.command()
def gpus(name: Name = None, form: As = "table", output: Output = None, force: Force = False) -> None:
    """List the known GPUs with bandwidth, peak and ridge.

    Example: ncu-roofline gpus h100
    """
    from ncu_roofline.analysis.roofline.devices import devices, shown
    from ncu_roofline.cli.output import write
    from ncu_roofline.knowledge.devices.gpus import find, table
    from ncu_roofline.present.documents import gpus as words

    rows = devices(table() if name is None else [find(name)])
    write(words.document(rows, shown(rows)), form, output, force)
