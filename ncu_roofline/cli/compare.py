"""`compare`, with its gate, and `baseline`: captures stored under a name."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import (
    OUTPUT, As, Force, Format, GpuName, Output, Reader, ReaderKind, Ridge, RidgeKind, RolesFile,
)  # fmt: skip

if TYPE_CHECKING:
    from ncu_roofline.analysis.study import Study

SIDES = "Base and head"
JUDGING = "Judging"
GATE = "Gate"
MANY = ("--base", "--head")


class By(str, Enum):
    """What a row of the table stands for."""

    ROLE = "role"
    LAYER = "layer"
    KERNEL = "kernel"


class Repeats(TyperCommand):
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


Folder = Annotated[Path, typer.Option("--folder", help="Where baselines are stored.", rich_help_panel=SIDES)]
HOME = Path(".ncu-roofline/baselines")


@app.command(cls=Repeats)
def compare(
    captures: Annotated[list[str] | None, typer.Argument(metavar="[BASE] HEAD", help="Capture before and after.", show_default=False)] = None,
    base: Annotated[list[str] | None, typer.Option("--base", metavar="CAPTURE...", help="Repeated captures of the base.", rich_help_panel=SIDES)] = None,
    head: Annotated[list[str] | None, typer.Option("--head", metavar="CAPTURE...", help="Repeated captures of the head.", rich_help_panel=SIDES)] = None,
    baseline_name: Annotated[str | None, typer.Option("--baseline", metavar="NAME", help="A stored baseline as the base.", rich_help_panel=SIDES)] = None,
    folder: Folder = HOME,
    by: Annotated[By, typer.Option("--by", help="What a row stands for.", rich_help_panel=OUTPUT)] = By.ROLE,
    vary: Annotated[list[str] | None, typer.Option("--vary", metavar="WHAT[,WHAT]", help="What is changed on purpose: batch, weights, kv, context, kernel, model, layers, tp, accepted, device, clocks.", rich_help_panel=JUDGING)] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Show numbers of a pair that is not comparable.", rich_help_panel=JUDGING)] = False,
    fail_if: Annotated[list[str] | None, typer.Option("--fail-if", metavar="RULE", help="Exit 1 where it holds: 'bytes_per_token > +2%', 'bytes_per_token[fc] > 12 GB' (repeatable).", rich_help_panel=GATE)] = None,
    allow_cannot_tell: Annotated[bool, typer.Option("--allow-cannot-tell", help="A rule that cannot be told passes.", rich_help_panel=GATE)] = False,
    both_facts: Annotated[list[str] | None, typer.Option("--run", metavar="KEY=VALUE", help="Fact of both runs: tokens=64, batch=8, context=2048 (repeatable).", rich_help_panel=SIDES)] = None,
    base_facts: Annotated[list[str] | None, typer.Option("--base-run", metavar="KEY=VALUE", help="Fact of the base alone.", rich_help_panel=SIDES)] = None,
    head_facts: Annotated[list[str] | None, typer.Option("--head-run", metavar="KEY=VALUE", help="Fact of the head alone.", rich_help_panel=SIDES)] = None,
    gpu: GpuName = None, ridge: RidgeKind = Ridge.PROFILED, reader: ReaderKind = Reader.AUTO, roles: RolesFile = None,
    form: As = Format.TABLE, output: Output = None, force: Force = False,
) -> None:  # fmt: skip
    """Judge a change by two captures: fewer bytes per token, or a FLOP mirage.

    Example: ncu-roofline compare before.ncu-rep after.ncu-rep --fail-if 'bytes_per_token > +2%'
    """
    from ncu_roofline.analysis import gate
    from ncu_roofline.analysis.comparability import vary_of
    from ncu_roofline.analysis.compare import compare as compared
    from ncu_roofline.cli.output import write
    from ncu_roofline.cli.sides import chosen, facts_of, refuse
    from ncu_roofline.present.compare import document

    rules = gate.rules(fail_if or []) if fail_if or allow_cannot_tell else ()
    wanted = vary_of(vary or [])
    before, after = chosen(captures or [], base or [], head or [], baseline_name, folder)
    choices: dict[str, Any] = {"gpu": gpu, "ridge": ridge.value, "reader": reader.value, "roles": roles}
    sides = (
        studies(before, {**facts_of(both_facts), **facts_of(base_facts)}, choices),
        studies(after, {**facts_of(both_facts), **facts_of(head_facts)}, choices),
    )
    comparison = compared(*sides, vary=wanted, anyway=anyway)
    outcomes = gate.outcomes(comparison, rules, allow_cannot_tell=allow_cannot_tell) if comparison.verdict != "not_comparable" else ()
    write(document(comparison, by.value, outcomes), form, output, force)
    refuse(comparison, outcomes)


def studies(captures: list[str], facts: dict[str, Any], choices: dict[str, Any]) -> list[Study]:
    """One study per capture."""
    from ncu_roofline.cli.load import load

    return [load([capture], facts=facts, **choices) for capture in captures]


baselines = typer.Typer(help="Store captures under a name, to compare later ones with.", no_args_is_help=True)
app.add_typer(baselines, name="baseline")


@baselines.command("save")
def save_baseline(
    name: Annotated[str, typer.Argument(help="Name of the baseline.")],
    captures: Annotated[list[str], typer.Argument(metavar="CAPTURE...", help="Capture, or several repeated ones.", show_default=False)],
    facts: Annotated[list[str] | None, typer.Option("--run", metavar="KEY=VALUE", help="Fact of the run: tokens=64, batch=8 (repeatable).", rich_help_panel=SIDES)] = None,
    folder: Folder = HOME, reader: ReaderKind = Reader.AUTO, force: Force = False,
) -> None:  # fmt: skip
    """Store one or more captures of a run as a baseline.

    Example: ncu-roofline baseline save main decode.ncu-rep
    """
    from ncu_roofline.cli.sides import facts_of, save

    save(name, captures, folder, reader=reader.value, facts=facts_of(facts), force=force)


@baselines.command("list")
def list_baselines(folder: Folder = HOME) -> None:
    """List the stored baselines.

    Example: ncu-roofline baseline list
    """
    from ncu_roofline.cli.sides import stored

    for name, count in stored(folder):
        typer.echo(f"{name}  {count} capture{'s' if count > 1 else ''}")
