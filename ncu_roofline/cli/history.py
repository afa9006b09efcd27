"""`history`: what changed over commits in an archive of a fleet, and whether the last one did."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.compare_options import GATE, AllowCannotTell
from ncu_roofline.cli.options import Archive, As, Chart, Force, Output


class Metric(str, Enum):
    """What is followed; typer takes a list of an enumeration, and none of literals."""

    BYTES = "bytes_per_token"
    READ = "read_bytes_per_token"
    SECONDS = "seconds_per_token"
    FLOPS = "flops_per_token"


Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="COLUMN=VALUE",
        help="Captures that are meant: branch=main, 'when>=2026-11-01' (=, !=, >=, <=; repeatable).",
    ),
]
Metrics = Annotated[
    list[Metric] | None,
    typer.Option(
        "--metric",
        metavar="|".join(Metric),
        help="What is followed, repeatable; bytes and seconds per token by default.",
        show_default=False,
    ),
]
Rows = Annotated[Literal["role", "kernel"], typer.Option("--by", help="What a change is looked for in.")]
FailIf = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-if",
        metavar="RULE",
        rich_help_panel=GATE,
        help="Exit 1 where a last point breaks it: 'bytes_per_token > +2%', 'bytes_per_token[fc] > 12 GB' (repeatable).",
    ),
]


@app.command()
def history(
    archive: Archive,
    where: Where = None,
    by: Rows = "role",
    metric: Metrics = None,
    fail_if: FailIf = None,
    allow_cannot_tell: AllowCannotTell = False,
    chart: Chart = None,
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Follow bytes and time per token over commits: what changed, since which commit, in which role.

    Example: ncu-roofline history s3://bucket/archive --where branch=main --fail-if 'bytes_per_token > +2%'
    """
    from ncu_roofline.analysis.compare import gate
    from ncu_roofline.analysis.fleet import history as histories
    from ncu_roofline.cli.archives import refuse, rows
    from ncu_roofline.cli.output import refuse_overwrite, write, write_file
    from ncu_roofline.present.documents.history import document

    rules = gate.rules(fail_if or []) if fail_if is not None or allow_cannot_tell else ()
    if chart is not None:
        refuse_overwrite(chart, force=force)
    stories = histories.history(rows(archive, where or [], by), [m.value for m in metric or []] or histories.DEFAULT)
    gates = [(told, tuple(histories.outcome(told, rule, allowed=allow_cannot_tell) for rule in rules)) for told in stories]
    if chart is not None:
        from ncu_roofline.present.charts.export import form_of, written
        from ncu_roofline.present.charts.history import draw

        write_file(written(draw(stories), form_of(chart)), chart, force=force)
    write(document(stories, gates, by), form, output, force)
    refuse(gates)
