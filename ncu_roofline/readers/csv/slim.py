"""A CSV of Nsight Compute's without what is private: the table alone, no host's name, no folders; every value as printed."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.asked import fits, nothing
from ncu_roofline.readers.csv import csv as csv_reader
from ncu_roofline.readers.csv import exports as csv_exports
from ncu_roofline.readers.csv import text as csv_text
from ncu_roofline.readers.private import without_folders

HOST, PROGRAM = "Host Name", "Process Name"
LONG = {"Metric Name", "Metric Value"}
"""Columns of a page that has a row per metric of a launch."""


@dataclass(slots=True, kw_only=True)
class Slim:
    """A table without its private parts, and what went."""

    content: bytes = b""
    results: int
    left_out: int = 0
    """Launches that were not asked for."""
    lines: int = 0
    """Lines around the table: of the profiler, with the program's folder, and of the program itself."""
    hosts: int = 0
    """Fields with the host's name."""
    texts: int = 0
    """Fields that named a folder."""
    before: int


def slim(path: Path, only: str | None = None, kept: Container[int] | None = None) -> Slim:
    """The table at `path`, slim; with `only` the launches in a range, or of a kernel, of that name (or glob).

    With `kept` the launches of these numbers, as `index` counts them.
    """
    capture = csv_reader.read(path)  # whatever cannot be read is refused as ever
    content = csv_text.decoded(path.read_bytes()).decode("utf-8", "replace")
    made = Slim(results=capture.launches.height, before=path.stat().st_size)
    wanted = matching(capture, only) if only else kept
    try:
        separator, quoted, rows = _table(path, content, wanted, made)
    except csv.Error as error:  # a field of more than 128 kB
        raise UnreadableCapture(f"{path.name}: its rows cannot be told apart ({error}); {csv_text.EXPORT}") from error
    if not made.results:
        raise nothing(path.name, only)
    written = StringIO()
    writer = csv.writer(
        written, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator="\n", delimiter=separator
    )
    writer.writerows(_public(rows, made))
    made.content = written.getvalue().encode()
    return made


def matching(capture: Capture, only: str) -> set[int]:
    """The numbers of the launches of such a kernel or in such a range."""
    rows = capture.launches.select("index", "kernel", "nvtx").iter_rows()
    return {index for index, kernel, ranges in rows if fits(only, kernel, ranges)}


def _table(path: Path, content: str, wanted: Container[int] | None, made: Slim) -> tuple[str, bool, list[list[str]]]:
    """What separates the fields, whether they stand in quotes, and the rows that are wanted, names first."""
    if csv_exports.found(path) is None:
        page = csv_text.page(path)
        return page.separator, page.quoted, _page(page, content, wanted, made)
    if wanted is None:
        return ",", True, csv_exports.table(content, path.name)
    raise UnreadableCapture(f"{path.name}: no page with a row per launch, so none can be left out; {csv_text.EXPORT}")


def _page(page: csv_text.Page, content: str, wanted: Container[int] | None, made: Slim) -> list[list[str]]:
    """Header and rows of the launches that are wanted; every other line of the file is left behind."""
    found = csv_text.table_head(content.encode())
    body = content.encode()[found[0] :].decode().partition("\n")[2] if found else ""
    lines = csv_text.rows(page, body)
    made.lines = sum(map(bool, content.split("\n"))) - 1 - sum(1 + line.count("\n") for line in lines)
    rows = [list(page.header)]
    numbers: dict[tuple[str, ...], int] = {}
    for at, row in enumerate(csv.reader(lines, delimiter=page.separator)):
        number = numbers.setdefault(_launch(page, row, at), len(numbers)) if row and row[0] else None
        if number is None or wanted is None or number in wanted:
            rows.append(row)
    made.left_out = 0 if wanted is None else sum(number not in wanted for number in numbers.values())
    made.results -= made.left_out
    return rows


def _launch(page: csv_text.Page, row: Sequence[str], at: int) -> tuple[str, ...]:
    """What tells a row's launch from others: its number and process where a launch has several rows, else its place."""
    if not set(page.header) >= LONG:
        return (str(at),)
    return tuple(row[place] for name in ("ID", "Process ID") if (place := page.index(name)) is not None)


def _public(rows: Sequence[Sequence[str]], made: Slim) -> Iterator[list[str]]:
    """The rows without the host's name and without folders; a table on its side has names in its first column."""
    names = [name.strip() for name in rows[0]]
    for row in rows:
        aside = row[0].strip()
        yield [
            _shown(cell, aside if aside in (HOST, PROGRAM) and at else name, made)
            for at, (cell, name) in enumerate(zip(row, [*names, *[""] * len(row)], strict=False))
        ]


def _shown(cell: str, name: str, made: Slim) -> str:
    if not cell or cell == name:
        return cell
    if name == HOST:
        made.hosts += 1
        return "host"
    if name == PROGRAM:
        return cell.replace("\\", "/").rsplit("/", 1)[-1]
    plain = without_folders(cell.encode()).decode()
    made.texts += plain != cell
    return plain
