"""Options of `compare` and `baseline`, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ncu_roofline.cli import complete
from ncu_roofline.cli.command import Command
from ncu_roofline.cli.options import OUTPUT, RUN

SIDES = "Base and head"
JUDGING = "Judging"
GATE = "Gate"
MANY = ("--base", "--head")
HOME = Path(".ncu-roofline/baselines")


class Repeats(Command):
    """Lets `--base A1 A2 A3` take every capture up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Each capture after the first gets its option's name too."""
        spread: list[str] = []
        current = None
        for arg in args:
            if arg.startswith("-"):
                current = arg if arg in MANY else None
            elif current and spread[-1] != current:
                spread.append(current)
            spread.append(arg)
        return super().parse_args(ctx, spread)


Words = list[str] | None
Pair = Annotated[Words, typer.Argument(metavar="[BASE] HEAD", help="Capture before and after.", show_default=False)]
Base = Annotated[
    Words, typer.Option("--base", metavar="CAPTURE...", help="Repeated captures of the base.", rich_help_panel=SIDES)
]
Head = Annotated[
    Words, typer.Option("--head", metavar="CAPTURE...", help="Repeated captures of the head.", rich_help_panel=SIDES)
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", metavar="NAME", help="A stored baseline as the base.", rich_help_panel=SIDES)
]
Folder = Annotated[Path, typer.Option("--folder", metavar="PATH", help="Where baselines are stored.", rich_help_panel=SIDES)]
BothRuns = Annotated[
    Words,
    typer.Option("--run", metavar="KEY=VALUE", help="Fact of the run: batch=8, tokens=64 (repeatable).", rich_help_panel=RUN),
]
BaseRun = Annotated[
    Words, typer.Option("--base-run", metavar="KEY=VALUE", help="Fact of the base alone.", rich_help_panel=SIDES)
]
HeadRun = Annotated[
    Words, typer.Option("--head-run", metavar="KEY=VALUE", help="Fact of the head alone.", rich_help_panel=SIDES)
]
Rows = Annotated[
    Literal["role", "layer", "kernel"], typer.Option("--by", help="What a row stands for.", rich_help_panel=OUTPUT)
]
Vary = Annotated[
    Words,
    typer.Option(
        "--vary",
        autocompletion=complete.varied,
        metavar="WHAT[,WHAT]",
        rich_help_panel=JUDGING,
        help="What is changed on purpose: batch, weights, kv, context, kernel, model, layers, tp, accepted, device, clocks.",
    ),
]
CommentFile = Annotated[
    Path | None,
    typer.Option("--comment", metavar="FILE", help="Write the answer as Markdown too, for a comment.", rich_help_panel=OUTPUT),
]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Show numbers of a pair that is not comparable.", rich_help_panel=JUDGING)
]
StepTime = Annotated[
    str | None,
    typer.Option(
        "--step-time",
        metavar="BASE,HEAD",
        help="Time of one step of both without a profiler, as in 8.0ms,6.1ms.",
        rich_help_panel=RUN,
    ),
]
Tpot = Annotated[
    str | None,
    typer.Option(
        "--tpot",
        metavar="BASE,HEAD",
        help="The same as an engine reports it: time per token of a sequence.",
        rich_help_panel=RUN,
    ),
]
BaseTrace = Annotated[
    Path | None,
    typer.Option(
        "--base-trace", metavar="TRACE", help="Timeline of the base, for the time of its real steps.", rich_help_panel=SIDES
    ),
]
HeadTrace = Annotated[
    Path | None, typer.Option("--head-trace", metavar="TRACE", help="Timeline of the head, likewise.", rich_help_panel=SIDES)
]
FailIf = Annotated[
    Words,
    typer.Option(
        "--fail-if",
        metavar="RULE",
        rich_help_panel=GATE,
        help="Exit 1 where it holds: 'bytes_per_token > +2%', 'bytes_per_token[fc] > 12 GB' (repeatable).",
    ),
]
AllowCannotTell = Annotated[
    bool, typer.Option("--allow-cannot-tell", help="A rule that cannot be told passes.", rich_help_panel=GATE)
]
Repeated = Annotated[
    list[str], typer.Argument(metavar="CAPTURE...", help="Capture, or several repeated ones.", show_default=False)
]
