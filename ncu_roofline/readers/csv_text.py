"""The bytes of a file -> the one table of Nsight Compute's in it, freed of all that stands around it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from io import StringIO

import polars as pl
from polars.exceptions import PolarsError

from ncu_roofline.errors import UnreadableCapture

HEADER = re.compile(rb'("ID"|(?:(?<=\n)|\A)ID)([,;\t])[^\n]*?"?Kernel Name"?[,;\t\r\n]')
UTF16 = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
EXPORT = "export it with `ncu --import REPORT --csv --page raw`"
EXTRA = "c+"
"""Name of a column behind the last: anything in it is one field too many."""


@dataclass(frozen=True, slots=True)
class Page:
    """One CSV table: its column names, and its rows as clean CSV text without the header line."""

    file: str
    header: tuple[str, ...]
    separator: str
    rows: bytes
    dropped: int = 0
    """Lines of other text that stood between or behind the rows."""

    def index(self, name: str) -> int | None:
        """Position of a column, None where the file has no such column."""
        return self.header.index(name) if name in self.header else None


def decoded(content: bytes) -> bytes:
    """The content as UTF-8 with plain line ends and without a byte-order mark."""
    for mark, encoding in UTF16:
        if content.startswith(mark):
            content = content[2:].decode(encoding, "replace").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    return content.replace(b"\r\n", b"\n") if b"\r\n" in content else content


def page(content: bytes, file: str) -> Page:
    """The single table of a CSV file; raises UnreadableCapture where there is none, or two."""
    content = decoded(content)
    found = HEADER.search(content)
    if found is None:
        raise UnreadableCapture(
            f"{file}: no Nsight Compute table in it (no header line with ID and Kernel Name); {EXPORT}"
        )
    end = content.find(b"\n", found.end() - 1)
    end = len(content) if end < 0 else end
    header = content[found.start() : end].decode("utf-8", "replace")
    rows = content[end + 1 :]
    if found[1] + found[2] in rows and HEADER.search(rows):
        raise UnreadableCapture(
            f"{file}: two captures in one file (a second header line); give each capture its own file"
        )
    separator = found[2].decode()
    names = tuple(next(csv.reader(StringIO(header), delimiter=separator)))
    return Page(file, names, separator, rows)


def tidied(dirty: Page) -> Page:
    """The page without foreign lines; raises UnreadableCapture where a row is cut short."""
    separator = re.escape(dirty.separator)
    quoted = re.compile(rf'"\d+"{separator}"')
    row = re.compile(rf'"?\d+"?{separator}|(?:""{separator}){{4}}|{separator}{{4}}')
    kept: list[str] = []
    open_row, dropped = False, 0
    for line in dirty.rows.decode("utf-8", "replace").split("\n"):
        inside = quoted.search(line)
        if open_row and inside and inside.start() == 0:
            raise cut_short(dirty.file, kept[-1])
        if open_row:
            kept[-1] += "\n" + line
            open_row = line.count('"') % 2 == 0
            continue
        if not row.match(line) and inside:
            # application output that did not end its line before the profiler wrote a row
            line, dropped = line[inside.start() :], dropped + 1
        if row.match(line):
            kept.append(line)
            open_row = line.count('"') % 2 == 1
        else:
            dropped += bool(line.strip())
    if open_row:
        raise cut_short(dirty.file, kept[-1])
    rows = "\n".join([*kept, ""]).encode()
    return Page(dirty.file, dirty.header, dirty.separator, rows, dropped)


def cut_short(file: str, row: str) -> UnreadableCapture:
    """The error for a row that ends before its last field."""
    number = re.match(r'"?(\d+)"?', row)
    where = f"the row of launch {number[1]}" if number else "a row"
    return UnreadableCapture(f"{file}: {where} is cut short, so the file is incomplete; copy or export it again")


def frame(clean: Page, columns: list[int]) -> tuple[Page, pl.DataFrame]:
    """Those columns as text, named c0, c1, ... by position; a page found dirty comes back tidied.

    Raises UnreadableCapture where a row has more fields than the header.
    """
    lines = clean.rows.count(b"\n") + (not clean.rows.endswith(b"\n") and bool(clean.rows))
    quoted = clean.rows.count(b'\n"') + clean.rows.startswith(b'"')
    if not clean.dropped and (lines != quoted or clean.rows.count(b'"') % 2):
        clean = tidied(clean)
        lines = -1
    table = _parsed(clean, columns)
    if lines >= 0 and table.height != lines:
        clean = tidied(clean)
        table = _parsed(clean, columns)
    if table[EXTRA].is_not_null().any():
        raise UnreadableCapture(
            f"{clean.file}: a row has more fields than the header names; "
            f"kernel names lost their quotes when it was saved: {EXPORT}"
        )
    return clean, table.drop(EXTRA)


def _parsed(clean: Page, columns: list[int]) -> pl.DataFrame:
    names = [f"c{place}" for place in range(len(clean.header))] + [EXTRA]
    header = clean.separator.join(names).encode() + b"\n"
    try:
        return pl.read_csv(
            header + clean.rows,
            columns=[f"c{place}" for place in columns] + [EXTRA],
            separator=clean.separator,
            infer_schema=False,
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
        )
    except PolarsError as error:
        raise UnreadableCapture(
            f"{clean.file}: its rows cannot be told apart ({type(error).__name__}); {EXPORT}"
        ) from error
