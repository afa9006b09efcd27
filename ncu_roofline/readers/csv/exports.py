"""Tables that `ncu --csv` does not print as pages -> the page that they stand for.

The interface exports its raw page with units behind the names (`dram__bytes_read.sum [Mbyte]`), upright or turned: a
launch per column. `--print-summary per-kernel` prints a kernel's average, how often it ran beside it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv import text as csv_text

MOST = 16 * 2**20
"""Bytes of such a table: it is turned in memory, and those seen have under 1 MB."""
NAMES = ("Demangled Name", "Kernel Name", "Function Name")
"""What the interface calls a kernel, the fullest first."""
SUMMARY = {"Kernel Name", "Invocations", "Metric Name", "Average"}
UNIT = re.compile(r"^(?P<name>.*?)(?: \[(?P<unit>[^\]\[]*)\])?$")
KNOWN = {"Device Name": "device__attribute_display_name", "Duration": "gpu__time_duration.sum"}
"""Labels of the interface that are no counter's name."""
WHO = ("Process ID", "Kernel Name", "Block Size", "Grid Size", "Device", "CC")
METRIC = ("Section Name", "Metric Name", "Metric Unit")

Rows = list[list[str]]


@dataclass(frozen=True, slots=True)
class Export:
    """The rows of an ordinary page, header first, and how many launches each of its launches stands for."""

    rows: Rows
    times: tuple[int, ...] = ()


@contextmanager
def page_of(path: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """The file, or where it holds such a table one with the page in its place; and `times`."""
    export = found(path)
    if export is None:
        yield path, ()
        return
    with TemporaryDirectory(prefix="ncu-roofline-") as folder:
        page = Path(folder) / path.name
        with page.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(export.rows)
        yield page, export.times


def found(path: Path) -> Export | None:
    """The page for which this table stands; None where it is an ordinary one, or none at all."""
    try:
        with path.open("rb") as file:
            content = csv_text.decoded(file.read(csv_text.HEAD))
            if is_page(content):
                return None
            file.seek(0)
            content = csv_text.decoded(file.read(MOST + 1))
    except OSError:
        return None  # the reader of pages says why
    if len(content) > MOST or not any(name.encode() in content for name in NAMES):
        return None
    rows = parsed(content.decode("utf-8", "replace"), path.name)
    return summarised(rows) or exported(rows) or exported(turned(rows))


def table(text: str, file: str) -> Rows:
    """The rows of such a table as they stand, without the lines around them."""
    rows = parsed(text, file)
    start, width = next(((at, len(row)) for at, row in enumerate(rows) if set(map(str.strip, row)) & set(NAMES)), (0, 0))
    return [row for row in rows[0 if rows[start][0].strip() in NAMES else start :] if len(row) == width]


def is_page(content: bytes) -> bool:
    """Whether an ordinary page begins here, and no summary."""
    page = csv_text.table_head(content)
    return page is not None and b"Invocations" not in content[page[0] :].partition(b"\n")[0]


def parsed(text: str, file: str) -> Rows:
    """The fields of every line, whichever sign separates them."""
    head = text[: text.find("\n")] if "\n" in text else text
    separator = max(",;\t", key=head.count)
    try:
        return [row for row in csv.reader(StringIO(text), delimiter=separator) if row]
    except csv.Error as error:
        raise UnreadableCapture(f"{file}: its rows cannot be told apart ({error}); {csv_text.EXPORT}") from error


def turned(rows: Rows) -> Rows:
    """Columns as rows, of the rows that are as long as the one that names kernels; none without such a row."""
    width = next((len(row) for row in rows if row[0].strip() in NAMES), 0)
    return [list(column) for column in zip(*(row for row in rows if len(row) == width), strict=True)] if width > 1 else []


def summarised(rows: Rows) -> Export | None:
    """The page of a summary over kernels: averages as the metrics of one launch that stands for all."""
    start = next((at for at, row in enumerate(rows) if set(row) >= SUMMARY), None)
    if start is None:
        return None
    place = {name: at for at, name in enumerate(rows[start])}
    who, metric = [place[n] for n in WHO if n in place], [place.get(n) for n in METRIC]
    body = [row for row in rows[start + 1 :] if len(row) == len(rows[start])]
    kernels = list(dict.fromkeys((*(row[at] for at in who), row[place["Invocations"]]) for row in body))
    number = {kernel: str(at) for at, kernel in enumerate(kernels)}
    made = [["ID", *(n for n in WHO if n in place), *METRIC, "Metric Value"]]
    for row in body:
        kernel = (*(row[at] for at in who), row[place["Invocations"]])
        made.append([number[kernel], *kernel[:-1], *("" if at is None else row[at] for at in metric), row[place["Average"]]])
    return Export(made, tuple(whole(kernel[-1]) for kernel in kernels))


def whole(text: str) -> int:
    """A number of launches; one where it is none."""
    digits = text.replace(",", "")
    return max(1, int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 1


def exported(rows: Rows) -> Export | None:
    """The page of an export of the interface that stands upright: names in its first row that tells a kernel and a counter."""
    start = next((at for at, row in enumerate(rows) if is_header(row)), None)
    if start is None:
        return None
    names, units = split(rows[start])
    kernel = next(names.index(name) for name in NAMES if name in names)
    body = [row for row in rows[start + 1 :] if len(row) == len(names) and row[kernel] not in ("", names[kernel])]
    numbered = "ID" in names and all(row[names.index("ID")].isdigit() for row in body)
    firsts = {name: at for at, name in reversed(list(enumerate(names)))}
    kept = [at for name, at in firsts.items() if name not in (*NAMES, "ID")][::-1]
    header = ["ID", "Kernel Name", *(names[at] for at in kept)]
    made = [header, ["", "", *(units[at] for at in kept)]]
    for at, row in enumerate(body):
        number = row[names.index("ID")] if numbered else str(at)
        made.append([number, row[kernel].strip(), *(row[place].strip() for place in kept)])
    return Export(made)


def is_header(row: Sequence[str]) -> bool:
    """Whether a row names a kernel and a counter, with units behind the names."""
    told = any(field.strip() in NAMES for field in row)
    return told and any("__" in field and (" [" in field or ".sum" in field) for field in chain(row))


def split(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names and units of a header whose names carry their units."""
    hits = [UNIT.match(" ".join(field.split())) for field in header]
    told = [(hit["name"], hit["unit"] or "") if hit else ("", "") for hit in hits]
    return [KNOWN.get(name, name) for name, _ in told], [unit for _, unit in told]
