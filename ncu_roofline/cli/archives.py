"""An archive named on the command line -> the rows that are meant, and what a gate says of its last points."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from ncu_roofline import api
from ncu_roofline.analysis.compare.gate import Outcome
from ncu_roofline.analysis.fleet.history import Story
from ncu_roofline.analysis.fleet.series import of_kernels
from ncu_roofline.capture.fleet import MOMENT, RUNS
from ncu_roofline.cli.notes import note
from ncu_roofline.cli.progress import progress
from ncu_roofline.cli.sides import fail
from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.documents.history import setting
from ncu_roofline.present.documents.words_gate import sentence
from ncu_roofline.readers import archive as archives
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet.captures import moment
from ncu_roofline.readers.fleet.store import at, is_url, shown

CONDITION = re.compile(r"\s*([a-z_]+)\s*(>=|<=|!=|=)\s*(.*?)\s*")


def rows(archive: str, where: list[str], by: str) -> pl.DataFrame:
    """The rows of the captures that are meant, of roles or of kernels; raises UnusableInput where there is none."""
    store = at(archive)
    older = Path(archive)
    if not is_url(archive) and archives.is_archive(older):
        return of_older(older, where, by)
    with progress(f"reading {shown(archive)}"):
        found = tables.runs(store, [condition(word) for word in where])
        if by == "kernel" and found.height:
            found = tables.settled(store, lambda: of_kernels(found, tables.launches(store)))
    if not found.height or found["role"].null_count() == found.height:
        raise UnusableInput(f"{shown(archive)}: no capture that could be read fits; check --where")
    return found


def of_older(folder: Path, where: list[str], by: str) -> pl.DataFrame:
    """The same of an archive that `save` made, read capture by capture."""
    note(f"{folder.name}: an archive of the older form, read capture by capture; `ncu-roofline ingest` makes one that is quick")
    every = [api.ingest(file, meta=labelled(file)) for file in archives.files(folder)]
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
    broken = [(told, o) for told, outcomes in gates for o in outcomes if o.fails]
    fail([(o, f"{setting(told.series.workload)}: {sentence(o, told.basis)}") for told, o in broken])
