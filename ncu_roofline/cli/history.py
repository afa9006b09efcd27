"""`history`: what changed over commits in an archive of a fleet, and whether the last one did."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.compare_options import GATE, AllowCannotTell
from ncu_roofline.cli.options import Archive, As, Chart, Force, Output
from ncu_roofline.errors import UnusableInput

if TYPE_CHECKING:
    import polars as pl

    from ncu_roofline.analysis.compare.gate import Outcome
    from ncu_roofline.analysis.fleet.history import Story

CONDITION = re.compile(r"\s*([a-z_]+)\s*(>=|<=|!=|=)\s*(.*?)\s*")


By = Literal["role", "kernel"]
"""What a change is looked for in."""


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
    typer.Option("--metric", help="What is followed, repeatable; bytes and seconds per token by default.", show_default=False),
]
Rows = Annotated[By, typer.Option("--by", help="What a change is looked for in.")]
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
    from ncu_roofline.cli.output import refuse_overwrite, write, write_file
    from ncu_roofline.present.documents.history import document

    rules = gate.rules(fail_if or []) if fail_if is not None or allow_cannot_tell else ()
    if chart is not None:
        refuse_overwrite(chart, force=force)
    stories = histories.history(rows(archive, where or [], by), [m.value for m in metric or []] or histories.DEFAULT)
    gates = [(told, histories.outcomes(told, rules, allow_cannot_tell=allow_cannot_tell)) for told in stories]
    if chart is not None:
        from ncu_roofline.present.charts.export import form_of, written
        from ncu_roofline.present.charts.history import draw

        write_file(written(draw(stories), form_of(chart)), chart, force=force)
    write(document(stories, gates, by), form, output, force)
    refuse(gates)


def rows(archive: str, where: list[str], by: By) -> pl.DataFrame:
    """The rows of the captures that are meant, of roles or of kernels; raises UnusableInput where there is none."""
    from ncu_roofline.analysis.fleet.series import of_kernels
    from ncu_roofline.cli.progress import progress
    from ncu_roofline.readers import archive as saved
    from ncu_roofline.readers.fleet import tables
    from ncu_roofline.readers.fleet.store import at, is_url, shown

    store = at(archive)
    older = Path(archive)
    if not is_url(archive) and saved.is_archive(older):
        return of_older(older, where, by)
    with progress(f"reading {shown(archive)}"):
        found = tables.runs(store, [condition(word) for word in where])
        if by == "kernel" and found.height:
            found = tables.settled(store, lambda: of_kernels(found, tables.launches(store)))
    if not found.height or found["role"].null_count() == found.height:
        raise UnusableInput(f"{shown(archive)}: no capture that could be read fits; check --where")
    return found


def of_older(folder: Path, where: list[str], by: By) -> pl.DataFrame:
    """The same of an archive that `save` made, read capture by capture."""
    import polars as pl

    from ncu_roofline.analysis.fleet.series import of_kernels
    from ncu_roofline.api import ingest
    from ncu_roofline.cli.notes import note
    from ncu_roofline.readers.archive import files

    note(f"{folder.name}: an archive of the older form, read capture by capture; `ncu-roofline ingest` makes one that is quick")
    every = [ingest(file, meta=labelled(file)) for file in files(folder)]
    runs = pl.concat([rows.runs for rows in every]).filter(*[condition(word) for word in where])
    if by == "role":
        return runs
    days = [rows.launches.with_columns(date=pl.lit(rows.partition[0])) for rows in every if rows.launches is not None]
    return of_kernels(runs, pl.concat(days, how="diagonal").lazy())


def labelled(file: Path) -> dict[str, str]:
    """The label under which a capture was saved."""
    label = file.parent.name.removeprefix("label=")
    return {} if label == "all" else {"label": label}


def condition(word: str) -> pl.Expr:
    """COLUMN=VALUE as an expression on `runs`; raises UnusableInput for what is none."""
    import polars as pl

    from ncu_roofline.capture.fleet import MOMENT, RUNS
    from ncu_roofline.readers.fleet.captures import moment

    found = CONDITION.fullmatch(word)
    kinds = {c.name: c.dtype for c in RUNS}
    if not found or found[1] not in kinds:
        raise UnusableInput(f"--where {word!r} is no condition; write COLUMN=VALUE, columns: {', '.join(kinds)}")
    name, sign, value = found.groups()
    try:
        wanted = moment(name, value) if kinds[name] == MOMENT else pl.Series([value]).cast(kinds[name]).item()
    except (pl.exceptions.InvalidOperationError, pl.exceptions.ComputeError) as error:
        raise UnusableInput(f"--where {word!r}: {name} is {kinds[name]}, and {value!r} is not") from error
    column = pl.col(name)
    return {"=": column == wanted, "!=": column.ne_missing(wanted), ">=": column >= wanted, "<=": column <= wanted}[sign]


def refuse(gates: list[tuple[Story, tuple[Outcome, ...]]]) -> None:
    """Exit 1 where a rule fails in a series, 5 where none does and one cannot be told; after the document was written."""
    from ncu_roofline.cli.sides import fail
    from ncu_roofline.present.documents.history import setting
    from ncu_roofline.present.documents.words_gate import sentence

    broken = [(told, o) for told, outcomes in gates for o in outcomes if o.fails]
    fail([(o, f"{setting(told.series.workload)}: {sentence(o, told.basis)}") for told, o in broken])
