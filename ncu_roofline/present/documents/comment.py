"""The text for a pull request: a headline, three lines, one chart, the rest folded, under GitHub's limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ncu_roofline.present.documents.grammar import sentence
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.markdown import escape, table
from ncu_roofline.present.forms.text import clean

LIMIT = 60_000
"""Characters; GitHub takes 65,536."""
SHORT, LONG, MOST_DOUBTS = 10, 60, 25
LINES, NEW_LINE = 4, "<br>\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What goes into the comment."""

    name: str
    answer: Sequence[str]
    """The headline, then at most three lines; what is beyond them is folded."""
    documents: Sequence[Document]
    """What is folded: their sentences, tables and doubts."""
    pictures: Sequence[tuple[str, str]]
    """Stem of the file and the words that stand for it."""
    kernels: Table
    basis: Sequence[str]
    """What the numbers stand on, the capture's name among it; empty where the name says all."""
    image_base: str = ""


def render(comment: Comment) -> str:
    """The comment as GitHub Markdown; long tables give way until it fits."""
    for longest in (LONG, 30, SHORT, 3, 0):
        body = composed(comment, longest)
        if len(body) <= LIMIT:
            return body
    return body[:LIMIT]


def composed(comment: Comment, longest: int) -> str:
    """The comment with tables of at most so many rows."""
    answers = [s for d in comment.documents for s in d.answer if s not in comment.answer]
    doubts = list(dict.fromkeys(sentence(d) for document in comment.documents for d in document.doubts))
    tables = [t for d in comment.documents for t in d.tables]
    parts = [
        f"### {escape(comment.answer[0] if comment.answer else comment.name)}",
        *([NEW_LINE.join(escape(s) for s in comment.answer[1:LINES])] if len(comment.answer) > 1 else []),
        *(picture(comment, *p) for p in comment.pictures[:1]),
        *(folded(words, picture(comment, stem, words)) for stem, words in comment.pictures[1:]),
        *([folded("In sentences", "\n\n".join(escape(s) for s in (*comment.answer[LINES:], *answers)))] if answers else []),
        *(
            folded(t.title or "Totals", short(replace(t, title=""), longest))
            for t in [*tables, comment.kernels]
            if not t.rows.is_empty()
        ),
    ]
    if doubts:
        shown = [f"- {escape(d)}" for d in doubts[:MOST_DOUBTS]] + (
            [f"- and {len(doubts) - MOST_DOUBTS} more"] if len(doubts) > MOST_DOUBTS else []
        )
        parts.append(folded(f"What cannot be trusted ({len(doubts)})", "\n".join(shown)))
    return "\n\n".join([*parts, f"<sub>{escape(' · '.join(comment.basis or (comment.name,)))}</sub>"]) + "\n"


def short(data: Table, rows: int) -> str:
    """At most so many rows, and how many there are."""
    cut = replace(data, rows=data.rows.head(rows))
    more = f"\n\n{data.rows.height - rows:,} more rows in kernels.csv" if data.rows.height > rows else ""
    return table(cut) + more


def folded(title: str, body: str) -> str:
    """A part that opens on a click; blank lines let Markdown be Markdown inside HTML."""
    return f"<details><summary>{escape(title)}</summary>\n\n{body}\n\n</details>"


def picture(comment: Comment, stem: str, words: str) -> str:
    """The picture in the reader's theme."""
    base = attribute(comment.image_base.rstrip("/") + "/" if comment.image_base else "")
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{base}{stem}-dark.png">'
        f'<img alt="{attribute(words)}" src="{base}{stem}-light.png" width="820"></picture>'
    )


def attribute(text: str) -> str:
    """Text inside quotes of an HTML attribute, in which Markdown finds nothing either."""
    plain = clean(text).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("`", "&#96;").replace("|", "&#124;").replace("\\", "&#92;")
