"""Saved captures: one Parquet file whose footer carries device, run facts and notes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from ncu_roofline.capture.capture import Capture
from ncu_roofline.capture.schema import LAUNCHES, MEASURED, OPCODES, conform, numbered
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import footer, pages, seal
from ncu_roofline.readers.footer import SCHEMA_VERSION

__all__ = ["ARCHIVED", "KEY", "SCHEMA_VERSION", "facts_of", "ours", "packed", "read"]

KEY = "ncu_roofline"
ARCHIVED = "device_number"
"""The column `device` of a file that lies in an archive, where `device` is the folder."""
SPARED_CELLS, CELLS_PER_BYTE = 50_000_000, 200
"""Rows times columns that a file may unpack to: 0.4 GB, or this many per byte (captures have under 5)."""


SPARED_ENTRIES, ENTRIES_PER_BYTE = 3_000_000, 20
"""Entries of lists that any file may unpack to, 0.5 GB of work, or this many per byte (captures have under 1)."""


def packed(capture: Capture) -> bytes:
    """The capture as the bytes of one Parquet file with one row group."""
    target = BytesIO()
    launches = numbered(capture.launches)
    told = {KEY: footer.written(capture), **seal.OPEN}
    launches.write_parquet(target, metadata=told, row_group_size=max(launches.height, 1), statistics=True)
    return seal.sealed(target.getvalue())


def read(path: Path) -> Capture:
    """The capture as it was saved, from a file of its own or from one of an archive."""
    facts = facts_of(path)
    short(path)
    with undamaged(path):
        launches = frame(pl.scan_parquet(path, hive_partitioning=False, glob=False), path)
    # files of earlier versions hold the system's numbers, which the same process has in all of them
    processes = launches["process"].drop_nulls()
    return Capture(launches=launches, own_processes=processes.max() == processes.n_unique() - 1, **facts)


def checked(path: Path) -> dict[str, Any]:
    """The footer of a capture in an archive, whose rows passed the same checks as those of a file of its own."""
    facts = facts_of(path)
    short(path)
    with undamaged(path):
        rows = bounded(pl.scan_parquet(path, hive_partitioning=False, glob=False), path)
        sound(rows.select("index", "kernel", "name").collect(), path)
    return facts


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """One sentence for whatever polars, or what lies below it, says of a damaged file."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableCapture(f"{path.name}: a damaged Parquet file; save the capture again") from error


def facts_of(path: Path) -> dict[str, Any]:
    """The footer of a saved capture; refuses other people's Parquet and other versions of ours."""
    with undamaged(path), path.open("rb") as file:  # a path would be taken for a pattern
        if seal.broken_file(path):
            raise OSError("other bytes than were written")
        text = pl.read_parquet_metadata(file).get(KEY)
    if text is None:
        raise UnreadableCapture(
            f"{path.name}: a Parquet file, but not one of ncu-roofline's; make one with `ncu-roofline save REPORT -o X.parquet`"
        )
    return footer.parsed(text, path.name)


def ours(path: Path) -> bool:
    """Whether a Parquet file is a saved capture; one that cannot be read may be."""
    try:
        with undamaged(path), path.open("rb") as file:
            return KEY in pl.read_parquet_metadata(file)
    except UnreadableCapture:
        return True


def frame(rows: pl.LazyFrame, path: Path) -> pl.DataFrame:
    """The launches, as the schema wants them."""
    return conform(sound(bounded(rows, path).collect(), path), LAUNCHES, source=path.name)


def bounded(rows: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """The launches, once the file has shown that it holds nothing else and no more than it can."""
    schema = rows.collect_schema()
    if ARCHIVED in schema and schema.get("device") != pl.Int64:
        rows, schema = rows.rename({ARCHIVED: "device"}), rows.rename({ARCHIVED: "device"}).collect_schema()
    measured = {name: kind for name, kind in schema.items() if name.startswith(MEASURED)}
    foreign = [c.name for c in LAUNCHES if schema.get(c.name) != c.dtype]
    foreign += [name for name, kind in measured.items() if kind not in (pl.Float64(), OPCODES)]
    if foreign:
        raise UnreadableCapture(f"{path.name}: its columns are not those of a capture ({foreign[0]}); save the capture again")
    height = rows.select(pl.len()).collect().item()
    if not height:
        raise UnreadableCapture(f"{path.name}: a saved capture without any launch; save the capture again")
    if height * len(schema) > max(SPARED_CELLS, CELLS_PER_BYTE * path.stat().st_size):
        raise UnreadableCapture(f"{path.name}: unpacks to {height:,} rows, which no capture of its size does; save it again")
    letters = rows.select(pl.sum_horizontal(pl.col("kernel", "name").str.len_bytes().sum())).collect().item()
    if letters > max(SPARED_CELLS * 8, CELLS_PER_BYTE * 8 * path.stat().st_size):
        raise UnreadableCapture(
            f"{path.name}: unpacks to {letters:,} letters, which no capture of its size does; save it again"
        )
    return rows.select(*(c.name for c in LAUNCHES), *measured)


def short(path: Path) -> None:
    """Refuses lists that unpack to more than a capture has, by what the headers of their pages say."""
    with path.open("rb") as file:
        short_file(file, path.name)


def short_file(file: BinaryIO, name: str) -> None:
    """The same of an open file."""
    try:
        entries = pages.listed(file)
    except pages.BROKEN as error:
        raise UnreadableCapture(f"{name}: a damaged Parquet file; save the capture again") from error
    if entries > max(SPARED_ENTRIES, ENTRIES_PER_BYTE * file.seek(0, os.SEEK_END)):
        raise UnreadableCapture(
            f"{name}: unpacks to {entries:,} entries of lists, which no capture of its size does; save it again"
        )


def sound(launches: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The launches, numbered from 0 and named."""
    numbered = (launches["index"] == pl.int_range(launches.height, eager=True)).fill_null(False).all()
    if not numbered or launches["kernel"].null_count() or launches["name"].null_count():
        raise UnreadableCapture(f"{path.name}: its launches are not numbered from 0 or have no name; save the capture again")
    return launches
