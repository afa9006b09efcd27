"""Arguments and options that commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ncu_roofline.cli import complete

Format = Literal["table", "json", "csv", "markdown"]
"""The forms in which a command can answer."""


Answer = Literal["table", "json", "csv", "markdown", "brief"]
"""The forms of commands that can also be brief."""


Phase = Literal["decode", "prefill", "all"]
"""Which launches a question is about."""


MOST_ROWS = 10**9
"""More than any table has; what lies beyond, the engine under the tables cannot count."""
DEVICE = "Device"
RUN = "Run facts"
OUTPUT = "Output"

Captures = Annotated[
    list[str],
    typer.Argument(
        metavar="CAPTURE...",
        help="Reports (.ncu-rep, .ncu-repz), CSV exports of ncu (.gz too), saved .parquet, an archive, globs; - for input.",
        show_default=False,
    ),
]
GpuName = Annotated[
    str | None,
    typer.Option(
        "--gpu",
        metavar="NAME",
        help="Device, where the capture does not tell.",
        rich_help_panel=DEVICE,
        autocompletion=complete.gpus,
    ),
]
CeilingRate = Annotated[
    str | None,
    typer.Option(
        "--ceiling",
        metavar="RATE",
        help="Bandwidth that gains are measured against, as in 2.98TB/s; without it the best that kernels reached.",
        rich_help_panel=DEVICE,
    ),
]
RidgeKind = Annotated[
    Literal["profiled", "spec"],
    typer.Option("--ridge", help="Ridge at the clocks of the capture, or of the datasheet.", rich_help_panel=DEVICE),
]
ReaderKind = Annotated[
    Literal["auto", "native", "vendor"], typer.Option("--reader", help="Reader of .ncu-rep files.", rich_help_panel=DEVICE)
]
RolesFile = Annotated[
    Path | None, typer.Option("--roles", metavar="FILE", help="Your own role rules, matched first.", rich_help_panel=RUN)
]
PhaseKind = Annotated[
    Phase | None,
    typer.Option(
        "--phase",
        help="Launches that count; by default those of decode where decode is told, else all.",
        show_default=False,
        rich_help_panel=RUN,
    ),
]
As = Annotated[Format, typer.Option("--format", help="Form of the answer.", rich_help_panel=OUTPUT)]
Told = Annotated[
    Answer, typer.Option("--format", help="Form of the answer; brief is small JSON for agents.", rich_help_panel=OUTPUT)
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write here instead of to the screen.", rich_help_panel=OUTPUT),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.", rich_help_panel=OUTPUT)]
Chart = Annotated[
    Path | None,
    typer.Option("--chart", metavar="FILE", help="Draw it too: .png, .svg, .html or .json.", rich_help_panel=OUTPUT),
]
Keep = Annotated[
    list[str] | None, typer.Option("--metrics", metavar="NAME", help="Keep this counter too (name or glob; repeatable).")
]
Workers = Annotated[int | None, typer.Option("--workers", metavar="N", min=1, help="Processes that read at a time.")]
Archive = Annotated[str, typer.Argument(metavar="ARCHIVE", help="Folder or URL of an archive.", show_default=False)]
