"""One self-contained page: sentences, charts, and the table of kernels linked to them; no network, no eval."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape as html_escape
from importlib.resources import files
from typing import Any

import polars as pl

from ncu_roofline.present.forms.columns import FAMILY_NAMES, cell, filled, shown
from ncu_roofline.present.forms.document import Table
from ncu_roofline.present.forms.short import brief
from ncu_roofline.present.forms.text import clean, shorten

MOST = 400
"""Rows of the kernel table; all of them are in kernels.csv."""
FULL_NAME = 240
COLUMNS = (
    "kernel",
    "role",
    "time_share",
    "bytes_share",
    "gain_seconds",
    "useful_intensity",
    "bandwidth_share",
    "limited_by",
    "grid",
    "launches",
    "seconds",
    "dram_bytes",
    "intensity",
    "compute_share",
    "bound",
    "ridge",
)
ABOUT = {True: "tells all numbers of its kernel and lights its marks in the chart", False: "tells all numbers of its kernel"}
WIDE = 12
"""Columns that a wide screen shows; a click on a kernel's name tells the others."""
PHONE = 4
"""Columns that a phone shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One chart: its specification, and what replaces its config in either theme."""

    heading: str
    caption: str
    spec: Mapping[str, Any]
    config: Mapping[str, Any]
    narrow: Mapping[str, Any]
    """What a phone changes in the specification."""
    mark: str = ""
    """Ending of the names of the chart's selections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the page shows."""

    title: str
    answer: Sequence[str]
    strip: Sequence[tuple[str, str]] = ()
    """Figures at the head: what, how much."""
    more: Sequence[str] = ()
    """Further sentences, folded."""
    figures: Sequence[Figure]
    kernels: pl.DataFrame
    """groups.group() rows, largest first."""
    kernels_title: str = "Kernels"
    tables: Sequence[Table] = ()
    doubts: Sequence[str] = ()
    basis: Sequence[str] = ()


def render(page: Page, library: str) -> str:
    """The page as HTML; `library` is the Vega script that is put into it."""
    style, script, loader = part("page.css"), part("page.js"), part("loader.js")
    allowed = f"script-src {digest(loader)} {digest(library)} {digest(script)}; style-src {digest(style)}; img-src data:"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    charts = [{"id": f"chart{i}", "mark": f.mark, "spec": f.spec, "narrow": f.narrow} for i, f in enumerate(page.figures)]
    drawn = {"charts": charts, "config": page.figures[0].config}
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{text(page.title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body(page),
            "</main>",
            '<div id="tip" aria-hidden="true" hidden></div>',
            f'<script type="application/json" id="charts">{embedded(drawn)}</script>',
            *(f'<script type="text/plain" class="packed">{packed(code)}</script>' for code in (library, script)),
            f"<script>{loader}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def part(name: str) -> str:
    """A file of the page as it lies in the package, without what only its writers read."""
    lines = (files(__package__) / "page" / name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line.strip() for line in lines if not line.strip().startswith("//"))


def packed(code: str) -> str:
    """A script under gzip, as text: the library is a megabyte, a third of one so."""
    return base64.b64encode(gzip.compress(code.encode(), mtime=0)).decode()


def digest(content: str) -> str:
    """The hash by which the page's own policy lets exactly this script or style run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def embedded(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    return written.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def text(value: object) -> str:
    """Visible text in which nothing is markup."""
    return html_escape(clean(str(value)), quote=True)


def body(page: Page) -> list[str]:
    """Figures and answer, the chart over the full width, the kernels; everything else opens on a click."""
    linked = bool(page.figures[0].mark)
    kernels, first = kernel_section(page.kernels, page.kernels_title, linked), figure(page.figures[0], 0)
    strip = ["<dl class='strip'>", *(f"<div><dt>{text(t)}</dt><dd>{text(v)}</dd></div>" for t, v in page.strip), "</dl>"]
    doubts = ["<ul>", *(f"<li>{text(d)}</li>" for d in page.doubts), "</ul>"]
    return [
        f"<h1>{text(page.title)}</h1>",
        *(strip if page.strip else []),
        *(f'<p class="answer">{text(s)}</p>' for s in page.answer),
        f"<h2>{text(page.figures[0].heading)}</h2>",
        *first,
        *kernels,
        *(line for i, f in enumerate(page.figures[1:], 1) for line in folded(f.heading, figure(f, i))),
        *(line for t in page.tables for line in folded(t.title or "Totals", plain_table(t))),
        *(folded("In sentences", [f"<p>{text(s)}</p>" for s in page.more]) if page.more else []),
        *(folded(f"What cannot be trusted ({len(page.doubts)})", doubts) if page.doubts else []),
        *(f'<p class="quiet">{text(b)}</p>' for b in page.basis),
    ]


def folded(title: str, lines: list[str]) -> list[str]:
    """A part that opens on a click."""
    return [f"<details><summary>{text(title)}</summary>", *lines, "</details>"]


def figure(data: Figure, number: int) -> list[str]:
    """The place of a chart; its caption says the same in words."""
    return [
        f'<figure aria-label="{text(data.heading)}">',
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(data.heading)}, chart">',
        f'<div id="chart{number}"></div>',
        "</div>",
        f'<p class="quiet">Save as <button type="button" data-save="png" data-chart="{number}">PNG</button> '
        f'<button type="button" data-save="svg" data-chart="{number}">SVG</button></p>',
        f'<figcaption class="quiet">{text(data.caption)}</figcaption>',
        "<noscript><p>The chart needs JavaScript; the table holds the same numbers.</p></noscript>",
        "</figure>",
    ]


def kernel_section(kernels: pl.DataFrame, title: str, linked: bool) -> list[str]:
    """The table of kernels with its filter and the families' switches."""
    present = [f for f in FAMILY_NAMES if f in set(kernels["family"].cast(pl.String))]
    switches = [
        f'<button type="button" aria-pressed="true" data-family="{FAMILY_NAMES[f]}">{FAMILY_NAMES[f]}</button>' for f in present
    ]
    most = kernels.head(MOST)
    left = f"The {MOST} largest of {kernels.height:,}. " if kernels.height > MOST else ""
    columns = filled(most, COLUMNS, ("kernel", "launches"))
    heads = [head(c, hidden(i)) for i, c in enumerate(columns)]
    return [
        '<section aria-labelledby="kernels-title">',
        f'<h2 id="kernels-title">{text(title)}</h2>',
        '<div class="tools">',
        '<label>Filter <input type="search" id="filter" autocomplete="off"></label>',
        f'<span class="families" role="group" aria-label="Families">{" ".join(switches)}</span>',
        '<button type="button" id="reset">Reset</button>',
        '<span id="count" class="quiet" role="status"></span>',
        "</div>",
        '<div class="scroll tall" tabindex="0" role="region" aria-label="Kernels, table">',
        '<table id="kernels">',
        f"<caption>{left}A name {ABOUT[linked]}. A heading sorts.</caption>",
        f"<thead><tr>{''.join(heads)}</tr></thead>",
        "<tbody>",
        *(row(r, columns) for r in most.iter_rows(named=True)),
        "</tbody>",
        "</table>",
        "</div>",
        '<dl id="kernel" class="quiet" aria-live="polite" hidden></dl>',
        "</section>",
    ]


def hidden(place: int) -> str:
    """The class of a column that a screen has no room for."""
    return "more" if place >= WIDE else "less" if place >= PHONE else ""


def head(column: str, hides: str) -> str:
    """A heading that sorts."""
    right = "n" if shown(column).right and column != "grid" else ""
    return f'<th scope="col"{classed(right, hides)}><button type="button">{text(shown(column).heading)}</button></th>'


def classed(*names: str) -> str:
    """The attribute for the classes that there are."""
    kept = " ".join(filter(None, names))
    return f' class="{kept}"' if kept else ""


def row(data: Mapping[str, Any], columns: Sequence[str]) -> str:
    """A kernel group; the attributes are what the page filters and links by."""
    full = shorten(clean(data["name"] or data["role"] or "unknown"), FULL_NAME)
    cells = "".join(value(data, c, hidden(i)) for i, c in enumerate(columns))
    family = FAMILY_NAMES[data["family"]]
    doubts = f' data-told="{text(told(data))}"' if told(data) else ""
    return f'<tr data-full="{text(full)}" data-family="{family}"{doubts}>{cells}</tr>'


def told(data: Mapping[str, Any]) -> str:
    """What is doubtful of a kernel's numbers; empty where nothing is."""
    rungs = (("dram_bytes_source", "bytes"), ("flops_source", "work"))
    doubts = [f"{what}: {data[c] or 'not measured'}" for c, what in rungs if data[c] != "counter"]
    partial = ["work: a lower bound"] if data["flops_source"] and not data["flops_complete"] else []
    return "; ".join([*doubts, *partial, *(["above a roof: suspect"] if data["suspect"] else [])])


def value(data: Mapping[str, Any], column: str, hides: str) -> str:
    """One cell; numbers carry their value for sorting."""
    if column == "kernel":
        name = brief(data["kernel"], data["name"] or "", 48) if data["kernel"] else str(data["role"] or "unknown role")
        return f'<th scope="row"><button aria-pressed="false">{text(name)}</button></th>'
    content = data[column]
    if shown(column).right and column != "grid":
        sorts = "" if content is None else f"{content:.6g}"
        return f'<td{classed("n", hides)} data-v="{sorts}">{text(cell(column, content))}</td>'
    return f"<td{classed(hides)}>{text(cell(column, content))}</td>"


def plain_table(table: Table) -> list[str]:
    """A table without ado."""
    heads = "".join(f'<th scope="col"{align(n)}>{text(shown(n).heading)}</th>' for n in table.columns)
    rows = [
        "<tr>" + "".join(f"<td{align(n)}>{text(cell(n, r[n]))}</td>" for n in table.columns) + "</tr>"
        for r in table.rows.iter_rows(named=True)
    ]
    label = text(table.title or "Table")
    return [
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">',
        "<table>",
        f"<thead><tr>{heads}</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody>",
        "</table>",
        "</div>",
    ]


def align(column: str) -> str:
    """Numbers to the right."""
    return ' class="n"' if shown(column).right else ""
