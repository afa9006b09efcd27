"""A document as GitHub Markdown; names from strangers stay text."""

from __future__ import annotations

import re

from ncu_roofline.present.forms.columns import cell, shown
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.text import clean, shorten

LONGEST_NAME = 80
WWW = re.compile("www(?=[.])", re.IGNORECASE)
"""GitHub makes a link of what begins so, with or without a scheme."""
NAMES = {"kernel", "name", "role_rule", "base_kernel", "head_kernel"}


def render(document: Document) -> str:
    """Answer, tables, and the doubts as a list."""
    parts = [*(escape(s) for s in document.answer), *(table(t) for t in document.tables)]
    if document.doubts:
        parts.append("\n".join(["**What cannot be trusted**", "", *(f"- {escape(d)}" for d in document.doubts)]))
    if document.command:
        parts.append(f"**To mend it**\n\n```sh\n{document.command}\n```")
    parts += [f"<sub>{escape(sentence)}</sub>" for sentence in document.footer]
    return "\n\n".join(parts) + "\n"


def table(data: Table) -> str:
    """Title and a pipe table; kernel names in code spans."""
    headings = [escape(shown(n).heading) for n in data.columns]
    rule = ["--:" if shown(n).right else ":--" for n in data.columns]
    rows = [[value(n, row[n]) for n in data.columns] for row in data.rows.iter_rows(named=True)]
    lines = ["| " + " | ".join(row) + " |" for row in [headings, rule, *rows]]
    return "\n".join([f"**{escape(data.title)}**", "", *lines] if data.title else lines)


def value(name: str, content: object) -> str:
    """One cell: names as code, other text escaped."""
    text = cell(name, content)
    return code(text) if name in NAMES and content is not None else escape(text)


def code(text: str) -> str:
    """A code span that holds any text, inside a table cell too."""
    inner = shorten(clean(text), LONGEST_NAME).replace("|", "\\|")
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in inner).split()), default=0)
    fence = "`" * (longest + 1)
    pad = " " if inner.startswith("`") or inner.endswith("`") or not inner else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def escape(text: str) -> str:
    """Text in which nothing is markup; GitHub's mentions, issue numbers and addresses do not fire either."""
    out = clean(text)
    for character in "\\`*_[]<>|~":
        out = out.replace(character, "\\" + character if character not in "<>" else {"<": "&lt;", ">": "&gt;"}[character])
    quiet = out.replace("@", "@\u2060").replace("#", "#\u2060").replace("://", ":\u2060//")
    return WWW.sub(lambda found: found[0] + "\u2060", quiet)
