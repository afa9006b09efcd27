"""A document as plain text for a terminal: answer, tables, doubts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ncu_roofline.present.forms.columns import cell, shown
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.text import clean, shorten, width

GAP = "  "
LEAST_NAME = 22


def render(document: Document, columns: int = 80) -> str:
    """The document in at most this many columns where its tables allow it."""
    parts = [paragraph(sentence, columns) for sentence in document.answer]
    parts += ["", *(p for t in document.tables for p in (table(t, columns), ""))] if document.tables else [""]
    if document.doubts:
        parts += ["What cannot be trusted", *(paragraph(d, columns, "- ") for d in document.doubts), ""]
    if document.command:
        parts += ["To mend it", document.command]
    return "\n".join(parts).rstrip("\n") + "\n"


def paragraph(sentence: str, columns: int, mark: str = "") -> str:
    """One sentence, wrapped; later lines stand under the first letter."""
    return textwrap.fill(
        clean(sentence),
        columns,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(data: Table, columns: int) -> str:
    """Title, headings and rows; spare columns go and words are cut where the room is short."""
    names = list(data.columns)
    spare = [n for n in data.spare if n in names]
    cells = {n: [cell(n, v) for v in data.rows[n]] for n in names}
    while True:
        widths = [max(map(width, [shown(n).heading, *cells[n]])) for n in names]
        if give_way(widths, [shown(n).right for n in names], columns) or not spare:
            break
        names.remove(spare.pop(0))
    rows = zip(*(cells[n] for n in names), strict=True)
    lines = [line(row, widths, names) for row in [[shown(n).heading for n in names], *rows]]
    return "\n".join([clean(data.title), *lines] if data.title else lines)


def give_way(widths: list[int], right: list[bool], columns: int) -> bool:
    """Narrow the widest column of words until the row fits, but not to nothing; says whether it fits."""
    over = sum(widths) + len(GAP) * (len(widths) - 1) - columns
    words = [i for i, numeric in enumerate(right) if not numeric]
    if over > 0 and words:
        widest = max(words, key=lambda i: widths[i])
        narrowed = max(min(LEAST_NAME, widths[widest]), widths[widest] - over)
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
