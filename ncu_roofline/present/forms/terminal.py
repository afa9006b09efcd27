"""A document as plain text for a terminal: answer, tables, doubts."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

import polars as pl

from ncu_roofline.present.forms.columns import cell, shown
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.text import clean, shorten, shortened, width

GAP = "  "
LEAST_NAME, LAST = 22, 14
"""Columns that words keep while other columns can still go, and when none can."""


BOLD, PLAIN = "\x1b[1m", "\x1b[0m"
ROLES = {"fc": "\x1b[38;5;25m", "attention": "\x1b[38;5;166m"}
"""The colours of the charts, where the terminal shows colours."""


def render(document: Document, columns: int = 80, *, colour: bool = False) -> str:
    """The document in at most this many columns where its tables allow it; the answer bold, roles in their chart's colour."""
    strong = (BOLD, PLAIN) if colour else ("", "")
    parts = [strong[0] + paragraph(sentence, columns) + strong[1] for sentence in document.answer]
    parts += ["", *(p for t in document.tables for p in (table(t, columns, colour=colour), ""))] if document.tables else [""]
    if document.doubts:
        parts += ["What cannot be trusted", *(paragraph(d, columns, "- ") for d in document.doubts), ""]
    if document.command:
        parts += ["To mend it", document.command, ""]
    parts += [paragraph(sentence, columns) for sentence in document.footer]
    return "\n".join(parts).rstrip("\n") + "\n"


def paragraph(sentence: str, columns: int, mark: str = "") -> str:
    """One sentence, wrapped, a number never apart from its unit; later lines stand under the first letter."""
    joined = re.sub(r"(\d) (%|[kMGTP]?(?:B|FLOP)|[mµn]?s)(?!\w)", "\\1\u00a0\\2", clean(sentence))
    return textwrap.fill(
        joined, columns, initial_indent=mark, subsequent_indent=" " * len(mark), break_long_words=False, break_on_hyphens=False
    ).replace("\u00a0", " ")


def table(data: Table, columns: int, *, colour: bool = False) -> str:
    """Title, headings and rows; spare columns go and words are cut where the room is short."""
    names = list(data.columns)
    spare = [n for n in data.spare if n in names]
    cells = {n: [cell(n, v) for v in data.rows[n]] for n in names}
    while True:
        widths = [max(map(width, [clean(shown(n).heading), *cells[n]])) for n in names]
        right = [shown(n).right for n in names]
        if give_way(widths, right, columns) or not spare:
            break
        names.remove(spare.pop(0))
    give_way(widths, right, columns, least=LAST)
    fitted = [cells[n] if shown(n).right else shortened(cells[n], room) for n, room in zip(names, widths, strict=True)]
    rows = zip(*fitted, strict=True)
    lines = [line(row, widths, names) for row in [[clean(shown(n).heading) for n in names], *rows]]
    if colour and "role" in names:
        tints = ["", *(ROLES.get(role or "", "") for role in data.rows["role"].cast(pl.String))]
        lines = [f"{tint}{text}{PLAIN}" if tint else text for tint, text in zip(tints, lines, strict=True)]
    return "\n".join([clean(data.title), *lines] if data.title else lines)


def give_way(widths: list[int], right: list[bool], columns: int, least: int = LEAST_NAME) -> bool:
    """Narrow the widest column of words until the row fits, but not to nothing; says whether it fits."""
    over = sum(widths) + len(GAP) * (len(widths) - 1) - columns
    words = [i for i, numeric in enumerate(right) if not numeric]
    if over > 0 and words:
        widest = max(words, key=lambda i: widths[i])
        narrowed = max(min(least, widths[widest]), widths[widest] - over)
        over -= widths[widest] - narrowed
        widths[widest] = narrowed
    return over <= 0


def line(row: Sequence[str], widths: list[int], names: list[str]) -> str:
    """One row, numbers to the right, words to the left."""
    out = []
    for text, room, name in zip(row, widths, names, strict=True):
        short = shorten(text, room)
        pad = " " * (room - width(short))
        out.append(pad + short if shown(name).right else short + pad)
    return GAP.join(out).rstrip()
