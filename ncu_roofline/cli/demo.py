"""`demo`: the summary and the report of a capture that ships with the project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import OUTPUT, Force
from ncu_roofline.errors import UnusableInput

REPOSITORY = Path(__file__).parents[2] / "fixtures"
INSTALLED = Path(__file__).parents[1] / "fixtures"
CAPTURE = Path("measured") / "h100-dense-b8.ncu-repz"


@app.command()
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the report.", rich_help_panel=OUTPUT)
    ] = Path("ncu-roofline-demo"),
    force: Force = False,
) -> None:
    """Summarise the capture that ships with the project, and write its report.

    Example: ncu-roofline demo
    """
    from ncu_roofline.cli.report import report
    from ncu_roofline.cli.summary import summary

    capture = [str(shipped())]
    summary(capture)
    report(capture, output, force=force or previous(output))


def shipped() -> Path:
    """The capture of one decode step on an H100; from the repository or the installed package."""
    for folder in (REPOSITORY, INSTALLED):
        if (folder / CAPTURE).is_file():
            return folder / CAPTURE
    raise UnusableInput("the demo capture is missing from this installation; install ncu-roofline again")


def previous(folder: Path) -> bool:
    """Whether the folder is an earlier demo's, which may be written again."""
    told = folder / "summary.json"
    return told.is_file() and CAPTURE.name in told.read_text(encoding="utf-8")[:2000]
