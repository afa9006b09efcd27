"""`save` keeps one capture as a Parquet file, or many in an archive folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import OUTPUT, Captures, Force, Reader, ReaderKind

ONE_FILE = ".parquet"
Target = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR",
        help="A .parquet file for one capture, or the folder of an archive.",
        rich_help_panel=OUTPUT,
    ),
]
Metrics = Annotated[
    list[str] | None, typer.Option("--metrics", metavar="NAME", help="Keep this counter too (name or glob; repeatable).")
]
Label = Annotated[str, typer.Option("--label", metavar="WORD", help="A label of yours for what goes into the archive.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes that read at a time.")]


@app.command()
def save(
    captures: Captures,
    output: Target,
    metrics: Metrics = None,
    label: Label = "all",
    workers: Workers = None,
    reader: ReaderKind = Reader.AUTO,
    force: Force = False,
) -> None:
    """Keep a capture as one Parquet file, or many captures as an archive.

    Example: ncu-roofline save decode.ncu-rep -o decode.parquet
    """
    from ncu_roofline.cli.output import refuse_overwrite, write_file
    from ncu_roofline.cli.progress import progress
    from ncu_roofline.readers import read, saved

    if output.suffix != ONE_FILE or output.is_dir():
        keep_many(captures, output, label=label, workers=workers, reader=reader.value, metrics=metrics or ())
        return
    refuse_overwrite(output, force=force)
    with progress(f"reading {captures[0]}"):
        packed = saved.packed(read(captures, reader=reader.value, metrics=metrics or ()))
    write_file(packed, output, force=force)


def keep_many(
    captures: list[str], target: Path, *, label: str, workers: int | None, reader: str, metrics: list[str] | tuple[str, ...]
) -> None:
    """Every capture into the archive; those already there are skipped, those that cannot be read are named."""
    from ncu_roofline.cli.notes import note
    from ncu_roofline.errors import UnreadableCapture, UnusableInput
    from ncu_roofline.readers import archive

    counts = {"saved": 0, "present": 0, "refused": 0}
    try:
        for kept in archive.save(captures, target, label=label, workers=workers, reader=reader, metrics=metrics):
            counts[kept.outcome] += 1
            if kept.outcome == "refused":
                note(kept.told)
    except OSError as error:
        raise UnusableInput(f"{target} cannot be written ({error.strerror}); choose another with -o") from error
    note(f"Saved {counts['saved']}, {counts['present']} were there already, {counts['refused']} could not be read: {target}")
    if counts["refused"] and not counts["saved"] + counts["present"]:
        raise UnreadableCapture("none of the captures could be read; the reasons stand above")
