"""`slim` makes captures fit to be attached: results alone, without host, user, folders and modules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import OUTPUT, Force
from ncu_roofline.errors import UnusableInput

Given = Annotated[
    list[str],
    typer.Argument(
        metavar="CAPTURE...", help="Reports (.ncu-rep, .ncu-repz) and CSV exports of ncu (.gz too), globs.", show_default=False
    ),
]
Target = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR",
        help="A .ncu-repz for a report, a .csv for a CSV; for several a folder.",
        rich_help_panel=OUTPUT,
    ),
]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help="Only launches in this NVTX range or of this kernel (or glob), of phase:decode, or of step:0.",
    ),
]

ASKED = re.compile(r"(phase|step):(\w{1,20})")
REPORT_END, CSV_END = ".ncu-repz", ".csv"


@app.command()
def slim(captures: Given, output: Target, only: Only = None, force: Force = False) -> None:
    """Make captures small and free of host, user and folders, with every result as it was.

    Example: ncu-roofline slim decode.ncu-rep -o decode.ncu-repz
    """
    from ncu_roofline.cli.output import refuse_overwrite, write_file
    from ncu_roofline.readers import expand
    from ncu_roofline.readers.spool import plain

    paths = expand(captures)
    folder = len(paths) > 1 or output.is_dir()
    if folder and not output.is_dir() and (output.suffix or output.exists()):
        raise UnusableInput(f"{output}: several captures go into a folder; name one with -o")
    ready: dict[Path, bytes] = {}
    for path in paths:
        with plain(path) as here:
            target = place(here, output, folder)
            if target in ready:
                raise UnusableInput(f"{path.name}: the second capture of that name; give them in two calls")
            refuse_overwrite(target, force=force)
            ready[target] = made(here, only)
    if folder:
        make_folder(output)
    for target, content in ready.items():  # all of them or none
        write_file(content, target, force=force)


def place(path: Path, output: Path, folder: bool) -> Path:
    """Where a slim capture goes: the file that was named, or one of its own name in the folder."""
    end = ending(path)
    target = output / (re.sub(r"\.(ncu-repz?|csv)$", "", path.name) + end) if folder else output
    if not target.name.endswith(end):
        kind = "report" if end == REPORT_END else "CSV"
        raise UnusableInput(f"{target}: a slim {kind} is named {end}; or name a folder that exists")
    return target


def ending(path: Path) -> str:
    """How a slim capture of this kind is named: a report is compressed, a table stays one."""
    from ncu_roofline.readers import COMPRESSED, PARQUET, REPORT, first_bytes, refuse

    head = first_bytes(path)
    if head.startswith((REPORT, COMPRESSED)):
        return REPORT_END
    if head.startswith(PARQUET):
        raise UnusableInput(f"{path.name}: neither a report nor a CSV; what `save` keeps has no host, user and folders in it")
    refuse(path, head)
    return CSV_END


def make_folder(folder: Path) -> None:
    """The folder for several captures, where there is none yet."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UnusableInput(
            f"{folder}: no folder can be made there ({error.strerror}); name one for several captures"
        ) from error


def made(path: Path, only: str | None) -> bytes:
    """The slim capture, and a note of what it is without."""
    from ncu_roofline.cli.notes import note

    asked = ASKED.fullmatch(only or "")
    kept = numbers(path, *asked.groups()) if asked else None
    content, said = (report if ending(path) == REPORT_END else table)(path, None if asked else only, kept)
    note(f"{path.name}: {said} Names of kernels and ranges stand as they were, but for folders in them.")
    return content


def report(path: Path, only: str | None, kept: set[int] | None) -> tuple[bytes, str]:
    """A slim report, compressed, and what was taken out of it."""
    import zstandard

    from ncu_roofline.readers.report.slim import slim as made_slim

    found = made_slim(path, only, kept)
    packed = zstandard.ZstdCompressor(level=19).compress(found.content)
    gone = [
        went(found.modules, "module"),
        "the host's name and the machine's details",
        "the program with its folder and options",
        went(found.stacks, "call stack"),
        went(found.texts, "result", "folders in the texts of {}"),
        went(found.left_out, "launch", "{} not asked for"),
    ]
    return packed, summary(found.results, gone, found.before, len(packed))


def table(path: Path, only: str | None, kept: set[int] | None) -> tuple[bytes, str]:
    """A slim table, and what was taken out of it."""
    from ncu_roofline.readers.csv.slim import slim as made_slim

    found = made_slim(path, only, kept)
    gone = [
        went(found.hosts, "row", "the host's name in {}"),
        went(found.lines, "line", "{} around the table"),
        went(found.texts, "field", "folders in {}"),
        went(found.left_out, "launch", "{} not asked for"),
    ]
    return found.content, summary(found.results, gone, found.before, len(found.content))


def went(count: int, noun: str, phrase: str = "{}") -> str:
    """A number of things in a phrase; nothing where there are none."""
    from ncu_roofline.capture.units import counted

    return phrase.format(counted(count, noun)) if count else ""


def summary(results: int, gone: list[str], before: int, after: int) -> str:
    """What was kept and what was taken out, in two sentences."""
    told = ", ".join(filter(None, gone)) or "nothing"
    return f"Kept {went(results, 'result')}; took out {told}. {before:,} bytes became {after:,}."


def numbers(path: Path, what: str, which: str) -> set[int]:
    """The launches of a phase or a step, as the analysis tells them."""
    import polars as pl

    from ncu_roofline.cli.load import load

    every = load([str(path)], facts={}).every
    return set(every.filter(pl.col(what).cast(pl.String) == which)["index"])
