"""A CSV file -> the one table of Nsight Compute's in it, freed of all that stands around it."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from glob import has_magic
from io import StringIO
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from ncu_roofline.errors import UnreadableCapture

UTF16 = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
BOM = b"\xef\xbb\xbf"
HEAD = 1 << 20
"""Bytes in which the header is looked for first; the widest header seen has 0.1 MB."""
KERNEL = b"Kernel Name"
EXPORT = "export it with `ncu --import REPORT --csv --page raw`"
ID = r"^\d+(\.0)?$"
"""A launch's number; with a fraction where a table program saved the file."""
BEGUN = re.compile(r'"\d*"?')
"""A row of which only the beginning of its number is left, on a last line that does not end."""
EXTRA = "extra"
"""Name of a column behind the last: anything in it is one field too many."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where one CSV table stands in a file, and the names of its columns."""

    path: Path
    header: tuple[str, ...]
    separator: str
    skip: int | None
    """Lines before the header; None where the file cannot be read as it stands."""
    quoted: bool
    """Whether fields stand in quotes, empty ones too."""

    @property
    def file(self) -> str:
        """File name without folders."""
        return self.path.name

    def index(self, name: str) -> int | None:
        """Position of a column, None where the file has no such column."""
        return self.header.index(name) if name in self.header else None


def decoded(content: bytes) -> bytes:
    """The content as UTF-8 with plain line ends and without a byte-order mark."""
    for mark, encoding in UTF16:
        if content.startswith(mark):
            content = content[2:].decode(encoding, "replace").encode()
    content = content.removeprefix(BOM)
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content


def table_head(content: bytes) -> tuple[int, bytes] | None:
    """Where the header of a table begins and what separates its fields; None where there is none.

    Line by line, so that no content takes longer than its length: a header line has the fields ID and Kernel Name.
    """
    at, last = 0, content.rfind(KERNEL)
    while at <= last:
        end = content.find(b"\n", at)
        line = content[at:] if end < 0 else content[at:end]
        begin = 0 if line.startswith(b"ID") else line.find(b'"ID"')
        separator = line[begin + 2 + 2 * line.startswith(b'"', begin) :][:1] if begin >= 0 else b""
        if separator in (b",", b";", b"\t") and KERNEL in {field.strip(b'"') for field in line[begin:].split(separator)}:
            return at + begin, separator
        if end < 0:
            return None
        at = end + 1
    return None


def page(path: Path) -> Page:
    """The table of a CSV file; raises UnreadableCapture where there is none."""
    head = _bytes(path, HEAD)
    if not head:
        raise UnreadableCapture(f"{path.name}: an empty file; profile or export again")
    content = decoded(head)
    found = table_head(content)
    if len(head) == HEAD and (found is None or b"\n" not in content[found[0] :]):
        content = decoded(_bytes(path))
        found = table_head(content)
    if found is None:
        raise UnreadableCapture(f"{path.name}: {without_table(content)}")
    start, separated = found
    header = content[start:].partition(b"\n")[0].decode("utf-8", "replace")
    before = content[:start]
    whole_lines = before == b"" or before.endswith(b"\n")
    lone_returns = b"\r" in head.replace(b"\r\n", b"")
    as_it_stands = whole_lines and not lone_returns and not head.startswith(tuple(mark for mark, _ in UTF16))
    separator = separated.decode()
    try:
        names = tuple(next(csv.reader(StringIO(header), delimiter=separator)))
    except csv.Error as error:  # a field of more than 128 kB
        raise UnreadableCapture(f"{path.name}: a header line that is none ({error}); {EXPORT}") from error
    return Page(path, names, separator, before.count(b"\n") if as_it_stands else None, header.startswith('"'))


def without_table(content: bytes) -> str:
    """What a text is that holds no table of ncu, and what to do."""
    from ncu_roofline.readers import A_TIMELINE
    from ncu_roofline.readers.timeline.trace_csv import CHATTER, HEADING

    traced = content.lstrip()[:1] in (b"{", b"[") and b'"traceEvents"' in content
    if traced or HEADING.search(content[:CHATTER].decode("utf-8", "replace")):
        return A_TIMELINE
    return f"no Nsight Compute table in it (no header line with ID and Kernel Name); {EXPORT}"


def _bytes(path: Path, size: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise UnreadableCapture(f"{path.name}: cannot be read ({error.strerror}); check the path") from error


def frame(page: Page, columns: Sequence[int], *, few: Collection[int] = ()) -> pl.DataFrame:
    """Those columns (in rising order) as text, named c0, c1, ... by position; `few` of them with each different text once.

    Every row is a launch's or has an empty ID (the units row). A file in which anything else
    follows the header is read line by line. Raises UnreadableCapture.
    """
    table = _straight(page, columns, few)
    if table is None:
        table = _patient(page, columns)
    return table.with_columns(pl.col([f"c{place}" for place in few]).cast(pl.Categorical))


def _straight(page: Page, columns: Sequence[int], few: Collection[int]) -> pl.DataFrame | None:
    """The table as polars reads it; None where a closer look is needed."""
    if page.skip is None:
        return None
    # older polars refuse positions beside a name with brackets, though told that it is no pattern
    source = page.path.read_bytes() if has_magic(str(page.path)) else page.path
    try:
        table = pl.read_csv(
            source,
            skip_lines=page.skip,
            columns=list(columns),
            separator=page.separator,
            infer_schema=False,
            schema_overrides={page.header[place]: pl.Categorical for place in few},
            glob=False,
        )
    except PolarsError:
        return None
    table.columns = [f"c{place}" for place in columns]
    # the first row may be the units row; a line break in a name means that a row swallowed others
    ids = table["c0"].slice(1) if table.height and table["c0"][0] in ("", None) else table["c0"]
    swallowed = table[f"c{page.index('Kernel Name')}"].unique().cast(pl.String).str.contains("\n").any()
    sound = ids.str.contains(ID).fill_null(False).all() and not swallowed
    return table if sound and not _shifted(page, table).any() else None


def _shifted(page: Page, table: pl.DataFrame) -> pl.Series:
    """Where the stream is no number: a comma in an unquoted kernel name moved the fields along."""
    place = page.index("Stream")
    if place is None or f"c{place}" not in table.columns:
        return pl.Series([], dtype=pl.Boolean)
    streams: pl.Series = table[f"c{place}"].cast(pl.String).fill_null("")
    return ~streams.str.contains(r"^[\d,]*$")


def _patient(page: Page, columns: Sequence[int]) -> pl.DataFrame:
    """The table from the lines that are its rows; raises where rows are cut, too long or of two captures."""
    content = decoded(_bytes(page.path))
    found = table_head(content)
    body = content[found[0] :].partition(b"\n")[2] if found else b""
    if table_head(body):
        raise UnreadableCapture(f"{page.file}: two captures in one file (a second header line); give each capture its own file")
    names = [f"c{place}" for place in range(len(page.header))] + [EXTRA]
    text = "\n".join([page.separator.join(names), *rows(page, body.decode("utf-8", "replace")), ""])
    try:
        table = pl.read_csv(
            text.encode(),
            columns=[*(f"c{place}" for place in columns), EXTRA],
            separator=page.separator,
            infer_schema=False,
            truncate_ragged_lines=True,
        )
    except PolarsError as error:
        raise UnreadableCapture(f"{page.file}: its rows cannot be told apart ({type(error).__name__}); {EXPORT}") from error
    if table[EXTRA].is_not_null().any() or _shifted(page, table).any():
        raise UnreadableCapture(
            f"{page.file}: fields do not stand under their names, as when kernel names lost their quotes; {EXPORT}"
        )
    return table.drop(EXTRA)


def rows(page: Page, text: str) -> list[str]:
    """The rows of the table, one string each, without foreign lines between or behind them."""
    separator = re.escape(page.separator)
    quoted = re.compile(rf'"\d+"{separator}"')
    row = re.compile(rf'"?\d+(?:\.0)?"?{separator}|(?:""{separator}){{4}}|{separator}{{4}}')
    rows: list[list[str]] = []
    is_open = False
    for line in text.split("\n"):
        inside = quoted.search(line)
        if is_open and inside and inside.start() == 0:
            break
        if is_open:
            rows[-1].append(line)
            is_open = line.count('"') % 2 == 0
            continue
        # application output that did not end its line stands before a row
        own = line[inside.start() :] if inside and not row.match(line) else line
        if row.match(own):
            rows.append([own])
            is_open = own.count('"') % 2 == 1
    if is_open:
        raise cut_short(page.file, rows[-1][0])
    if page.quoted and BEGUN.fullmatch(last := text.rpartition("\n")[2]):
        raise cut_short(page.file, last)
    return ["\n".join(lines) for lines in rows]


def whole(page: Page, rows: pl.DataFrame) -> None:
    """Raises UnreadableCapture where a row (its `id`, its `last` field) ends too early.

    Without quotes an empty field looks like a missing one, so there only a last line counts
    that does not end.
    """
    if not page.quoted:
        rows = rows.tail(0 if decoded(_bytes(page.path)).endswith(b"\n") else 1)
    cut = rows.filter(pl.col("last").is_null())
    if cut.height:
        raise cut_short(page.file, cut["id"][0])


def cut_short(file: str, row: str) -> UnreadableCapture:
    """The error for a row that ends before its last field."""
    number = re.match(r'"?(\d{1,20})', row)
    where = f"the row of launch {number[1]}" if number else "a row"
    return UnreadableCapture(f"{file}: {where} is cut short, so the file is incomplete; copy or export it again")
