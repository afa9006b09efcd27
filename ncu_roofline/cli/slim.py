"""`slim` makes a report fit to be attached: results alone, without host, user, folders and modules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import OUTPUT, Force

Report = Annotated[str, typer.Argument(metavar="REPORT", help="A .ncu-rep or .ncu-repz.")]
Target = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The slim report, a .ncu-repz.", rich_help_panel=OUTPUT)
]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help="Only launches in this NVTX range or of this kernel (or glob), of phase:decode, or of step:0.",
    ),
]


PLACE = re.compile(r"(phase|step):(\w{1,20})")


@app.command()
def slim(report: Report, output: Target, only: Only = None, force: Force = False) -> None:
    """Make a report small and free of host, user and folders, with every result as it was.

    Example: ncu-roofline slim decode.ncu-rep -o decode.ncu-repz
    """
    import zstandard

    from ncu_roofline.cli.notes import note
    from ncu_roofline.cli.output import refuse_overwrite, write_file
    from ncu_roofline.errors import UnusableInput
    from ncu_roofline.readers import COMPRESSED, REPORT, first_bytes
    from ncu_roofline.readers.report.slim import slim as made_slim

    path = Path(report)
    if not first_bytes(path).startswith((REPORT, COMPRESSED)):
        raise UnusableInput(f"{path.name}: no report; `save` keeps any capture without host and folders, as a .parquet")
    if output.suffix != ".ncu-repz":
        raise UnusableInput(f"{output}: a slim report is compressed; name it .ncu-repz")
    refuse_overwrite(output, force=force)
    place = PLACE.fullmatch(only or "")
    found = made_slim(path, kept=numbers(report, *place.groups())) if place else made_slim(path, only)
    packed = zstandard.ZstdCompressor(level=19).compress(found.content)
    write_file(packed, output, force=force)
    left = f", {found.left_out:,} launches that were not asked for" if found.left_out else ""
    note(
        f"Kept {found.results:,} results; took out {found.modules:,} modules, the host's name, folders, the application{left}: "
        f"{found.before:,} bytes became {len(packed):,}. Names of kernels and NVTX ranges stand as they were."
    )


def numbers(report: str, what: str, which: str) -> set[int]:
    """The launches of a phase or a step, as the analysis tells them."""
    import polars as pl

    from ncu_roofline.cli.load import load

    every = load([report], facts={}).every
    return set(every.filter(pl.col(what).cast(pl.String) == which)["index"])
