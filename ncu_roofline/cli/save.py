"""`save` keeps one capture as a Parquet file, or many in an archive folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.notes import note, tally
from ncu_roofline.cli.options import OUTPUT, Captures, Force, Keep, ReaderKind, Workers
from ncu_roofline.errors import UnusableInput

ONE_FILE = ".parquet"
Target = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR|URL",
        help="A .parquet file for one capture, or the folder or URL of an archive.",
        rich_help_panel=OUTPUT,
    ),
]
Label = Annotated[str, typer.Option("--label", metavar="WORD", help="A label of yours for what goes into the archive.")]


@app.command()
def save(
    captures: Captures,
    output: Target,
    metrics: Keep = None,
    label: Label = "all",
    workers: Workers = None,
    reader: ReaderKind = "auto",
    force: Force = False,
) -> None:
    """Keep a capture as one Parquet file, or many captures as an archive.

    Example: ncu-roofline save decode.ncu-rep -o decode.parquet
    """
    from ncu_roofline.readers.fleet import tables
    from ncu_roofline.readers.fleet.store import at, is_url

    how: dict[str, Any] = {"reader": reader, "metrics": tuple(metrics or ())}
    at(output)
    if output.endswith(ONE_FILE) and not Path(output).is_dir():
        keep_one(captures, output, force=force, **how)
    elif is_url(output) or tables.is_fleet(at(output)):
        from ncu_roofline.cli.ingest import into

        into(captures, output, {} if label == "all" else {"label": label}, workers=workers, **how)
    else:
        keep_many(captures, Path(output), label=label, workers=workers, **how)


def keep_one(captures: list[str], output: str, *, reader: str, metrics: tuple[str, ...], force: bool) -> None:
    """One capture as a file or an object, whole, and not over another."""
    from ncu_roofline.cli.output import refuse_overwrite, write_file
    from ncu_roofline.cli.progress import progress
    from ncu_roofline.readers import read, saved
    from ncu_roofline.readers.fleet.store import at, is_url, shown

    if not is_url(output):
        refuse_overwrite(Path(output), force=force)
    with progress(f"reading {captures[0]}"):
        packed = saved.packed(read(captures, reader=reader, metrics=metrics))
    if not is_url(output):
        write_file(packed, Path(output), force=force)
        return
    folder, name = output.rsplit("/", 1)
    if force:
        at(folder).remove([name])
    if not at(folder).put(name, packed):
        raise UnusableInput(f"{shown(output)} exists already; add --force to overwrite it, or choose another with -o")
    note(f"Wrote {shown(output)}")


def keep_many(
    captures: list[str], target: Path, *, label: str, workers: int | None, reader: str, metrics: list[str] | tuple[str, ...]
) -> None:
    """Every capture into the archive; those already there are skipped, those that cannot be read are named."""
    from ncu_roofline.readers import archive

    try:
        kept = archive.save(captures, target, label=label, workers=workers, reader=reader, metrics=metrics)
        tally(kept, "Saved", str(target))
    except OSError as error:
        raise UnusableInput(f"{target} cannot be written ({error.strerror}); choose another with -o") from error
