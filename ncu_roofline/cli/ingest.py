"""`ingest` brings captures into an archive of a fleet, on this machine or on a cluster; `compact` merges what is there."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Annotated, Any

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.notes import note, tally
from ncu_roofline.cli.options import Archive, Keep, ReaderKind, Workers
from ncu_roofline.errors import UnusableInput

GIT_SECONDS = 10
OFFLINE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
"""A repository may say that what it lacks is fetched by a command: the working folder may be a stranger's."""

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Captures, folders and globs of them, of this machine or s3://, gs://, az://.",
        show_default=False,
    ),
]
To = Annotated[str, typer.Option("--to", metavar="ARCHIVE", help="Folder or URL of the archive; made where there is none.")]
On = Annotated[
    str | None, typer.Option("--on", metavar="dask://HOST:PORT", help="A Dask cluster that reads; without it, this machine.")
]
Meta = Annotated[
    list[str] | None,
    typer.Option(
        "--meta",
        metavar="KEY=VALUE",
        help="What holds for all of them: commit, commit_time, when, branch, label, engine, or a fact of the run (repeatable).",
    ),
]
Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="Merge the launches of this day alone.")]


@app.command()
def ingest(
    sources: Sources,
    to: To,
    on: On = None,
    meta: Meta = None,
    metrics: Keep = None,
    workers: Workers = None,
    reader: ReaderKind = "auto",
) -> None:
    """Bring captures into an archive that answers in milliseconds: once each by content, whoever else writes.

    Example: ncu-roofline ingest nightly/ --to s3://bucket/archive --meta commit=1a2b3c4 --meta branch=main
    """
    into(sources, to, meta_of(meta), on=on, workers=workers, reader=reader, metrics=tuple(metrics or ()))


def into(sources: list[str], to: str, meta: dict[str, Any], **how: Any) -> None:
    """Every capture into the archive, with a note on each that could not be read, and on all."""
    from ncu_roofline.cli.workers import ingested
    from ncu_roofline.readers.fleet.store import shown

    tally(ingested(sources, to, meta, **how), "Ingested", shown(to))


@app.command()
def compact(archive: Archive, day: Day = None) -> None:
    """Merge the small objects of an archive into few large ones, so that questions take milliseconds.

    Example: ncu-roofline compact s3://bucket/archive
    """
    from ncu_roofline.cli.progress import progress
    from ncu_roofline.readers.fleet import tables
    from ncu_roofline.readers.fleet.compact import compact as compacted
    from ncu_roofline.readers.fleet.store import at, shown

    if day is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        raise UnusableInput(f"--day {day!r} is no day; write it as 2026-11-27")
    store = at(archive)
    if not tables.is_fleet(store):
        raise UnusableInput(f"{shown(archive)}: no archive of runs; make one with `ncu-roofline ingest CAPTURES --to ARCHIVE`")
    with progress("merging"):
        done = compacted(store, day)
    note("; ".join(f"{table}: {m.before:,} objects are {m.after:,}" for table, m in done.items()) + f": {shown(archive)}")


def meta_of(words: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE words; a commit that the repository here knows gets its time."""
    from ncu_roofline.cli.sides import number_of
    from ncu_roofline.readers import facts

    told: dict[str, Any] = {}
    for word in words or []:
        key, mark, value = word.partition("=")
        if not mark or not key or not value:
            raise UnusableInput(f"--meta {word!r} is not KEY=VALUE; write for example commit=1a2b3c4")
        told[key] = number_of(value) if key in facts.CHECKS else value
    if "commit" in told and "commit_time" not in told:
        told |= of_git(told["commit"])
    return told


def of_git(commit: str) -> dict[str, str]:
    """The commit's full name and time, from the repository of the working folder; nothing where that knows no such commit."""
    if not re.fullmatch(r"\w[\w./@^~-]{0,199}", commit):
        return {}
    command = ["git", "show", "--no-patch", "--no-show-signature", "--format=%H %cI", f"{commit}^{{commit}}", "--"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False, env={**os.environ, **OFFLINE}
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    found = re.fullmatch(r"([0-9a-f]{40,64}) (\S+)\s*", done.stdout)
    if done.returncode or not found:
        return {}
    # a hash stays as it was written; a name such as HEAD would mean another commit tomorrow
    return {"commit": commit if found[1].startswith(commit) else found[1], "commit_time": found[2]}
