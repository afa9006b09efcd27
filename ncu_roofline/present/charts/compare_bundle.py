"""Everything that a pull request wants to show of a comparison: file names and their bytes."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.compare.gate import Outcome
from ncu_roofline.present.charts import compare, export, script
from ncu_roofline.present.documents import comment
from ncu_roofline.present.documents.comment import Comment
from ncu_roofline.present.documents.compare import KERNEL_COLUMNS, document, spoken
from ncu_roofline.present.forms import csv, html, json
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.html import Page

CHARTS = {"waterfall": compare.waterfall, "before-after": compare.roofline}
HEADINGS = {"waterfall": "Where the bytes changed", "before-after": "Before and after on the roofline"}
WORDS = {
    "waterfall": "Waterfall of DRAM bytes by role, from base to head",
    "before-after": "Roofline with each kernel's way from its old to its new place",
}


def files(
    comparison: Comparison, kernels: pl.DataFrame, *, outcomes: tuple[Outcome, ...] = (), image_base: str = ""
) -> Mapping[str, bytes]:
    """Name -> bytes of every file; of a pair that is not comparable the words alone."""
    said = document(comparison, outcomes=outcomes)
    rows = comparison.rows["kernel"]
    if comparison.verdict == "not_comparable":
        return {"comment.md": text(comparison, said, image_base, pictures=False), "summary.json": json.render(said).encode()}
    drawn = {name: draw(comparison) for name, draw in CHARTS.items()}
    pictures = {
        f"{name}-{theme}": spec for name, chart in drawn.items() for theme, spec in export.specifications(chart).items()
    }
    return {
        "comment.md": text(comparison, said, image_base),
        **{f"{name}.svg": export.svg(spec) for name, spec in pictures.items()},
        **{f"{name}.png": export.png(spec) for name, spec in pictures.items()},
        "summary.json": json.render(said).encode(),
        "kernels.csv": csv.render(Document(answer=(), data={"rows": rows})).encode(),
        "index.html": html.render(page(comparison, said, kernels), script.library()).encode(),
    }


def text(comparison: Comparison, said: Document, image_base: str, *, pictures: bool = True) -> bytes:
    """The comment, with the pictures in the reader's theme."""
    kernels = spoken(comparison.rows["kernel"]) if pictures else comparison.rows["kernel"].head(0)
    made = Comment(
        name=name_of(comparison),
        documents=[said],
        pictures=list(WORDS.items()) if pictures else [],
        kernels=Table("All kernels", kernels, KERNEL_COLUMNS),
        basis=(),
        image_base=image_base,
    )
    return comment.render(made).encode()


def name_of(comparison: Comparison) -> str:
    """What is set against what."""
    return f"{comparison.head.name} against {comparison.base.name}"


def page(comparison: Comparison, said: Document, kernels: pl.DataFrame) -> Page:
    """The page with both charts, all tables, and the head's kernels."""
    figures = [export.figure(draw(comparison), HEADINGS[name], f"{WORDS[name]}.") for name, draw in CHARTS.items()]
    return Page(
        title=name_of(comparison),
        answer=said.answer,
        figures=figures,
        kernels=kernels,
        kernels_title=f"Kernels of {comparison.head.name}",
        tables=said.tables,
        doubts=said.doubts,
    )
