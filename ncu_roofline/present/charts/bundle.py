"""Everything for a pull request, of one capture or of two: file names and their bytes, all made before any is written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.compare.gate import Outcome
from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.analysis.run.role_bytes import Along, RoleBytes
from ncu_roofline.present.charts import bytes as bytes_chart
from ncu_roofline.present.charts import compare as compare_charts
from ncu_roofline.present.charts import export, moves
from ncu_roofline.present.charts.roofline import draw
from ncu_roofline.present.documents import comment
from ncu_roofline.present.documents import words_roofline as words
from ncu_roofline.present.documents.comment import Comment
from ncu_roofline.present.documents.compare import KERNEL_COLUMNS, document, spoken, strip
from ncu_roofline.present.forms import csv, html, json
from ncu_roofline.present.forms.columns import filled
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.html import Figure, Page
from ncu_roofline.present.forms.short import called

MOST_ALT = 300
"""Characters that stand for a picture."""
KERNELS = (
    "kernel",
    "role",
    "grid",
    "launches",
    "time_share",
    "bytes_share",
    "dram_bytes",
    "useful_intensity",
    "intensity",
    "bandwidth_share",
    "limited_by",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The finished numbers and words of a report."""

    picture: Picture
    roles: RoleBytes
    along: Along
    answer: tuple[str, ...]
    """What moves per token, what limits it, what to do first."""
    strip: tuple[tuple[str, str], ...]
    """The figures at the head of the page: what, how much."""
    summary: Document
    tokens: Document
    image_base: str = ""


def files(material: Material, *, theory: bool = False) -> Mapping[str, bytes]:
    """Name -> bytes of every file of the bundle."""
    roofline, roles = draw(material.picture, theory=theory), bytes_chart.draw(material.roles)
    marks = by_share(material.picture.marks).with_columns(pl.col(pl.Float64).round_sig_figs(json.DIGITS))
    with ThreadPoolExecutor() as pool:  # the renderer leaves Python alone, so both halves run at once
        specs = export.specifications(roofline)
        drawn = {**drawings("roofline", specs), **drawings("bytes", export.specifications(roles))}
        pixels = {name: pool.submit(export.pixels, drawing) for name, drawing in drawn.items()}
        return {
            "comment.md": comment.render(text(material, marks)).encode(),
            **{f"{name}.svg": drawing for name, drawing in drawn.items()},
            **{f"{name}.png": picture.result() for name, picture in pixels.items()},
            "roofline.json": (export.text(specs["light"]) + "\n").encode(),
            "summary.json": json.render(
                Document(answer=(), data={**material.summary.data, "tokens": material.tokens.data})
            ).encode(),
            "kernels.csv": csv.render(Document(answer=(), data={"rows": marks})).encode(),
            "kernels.parquet": parquet(marks),
            "index.html": html.render(page(material, roofline, roles, marks, theory=theory), export.library()).encode(),
        }


def drawings(stem: str, specs: Mapping[str, dict[str, Any]]) -> dict[str, bytes]:
    """The chart as SVG in every theme."""
    return {f"{stem}-{theme}": export.svg(spec) for theme, spec in specs.items()}


def parquet(marks: pl.DataFrame) -> bytes:
    """The groups with every number behind their marks."""
    packed = io.BytesIO()
    marks.write_parquet(packed)
    return packed.getvalue()


def kernel_table(marks: pl.DataFrame) -> Table:
    """The groups for the comment: columns that hold anything."""
    return Table("Kernels, largest first", called(marks), filled(marks, KERNELS, ("kernel", "launches")))


def text(material: Material, marks: pl.DataFrame) -> Comment:
    """The comment's parts."""
    said = (*words.finding(material.picture), "")[0]
    shown = [("roofline", f"Roofline. {said}"[:MOST_ALT])] + (
        [("bytes", bytes_chart.role_title(material.roles))] if material.roles.rows.height else []
    )
    # its tables are told by the tokens' by role, and by ours of kernels
    alone = Document(answer=material.summary.answer, doubts=material.summary.doubts)
    return Comment(
        name=f"Roofline of {material.picture.name}",
        answer=material.answer,
        documents=[alone, material.tokens],
        pictures=shown,
        kernels=kernel_table(marks),
        basis=words.basis(material.picture),
        image_base=material.image_base,
    )


def page(
    material: Material, roofline: alt.LayerChart, roles: alt.LayerChart, marks: pl.DataFrame, *, theory: bool = False
) -> Page:
    """The page with all of it."""
    summary, tokens = material.summary, material.tokens
    title = bytes_chart.role_title(material.roles)
    figures = [
        roofline_figure(material.picture, roofline, theory=theory),
        export.figure(
            roles, bytes_chart.draw(material.roles, width=bytes_chart.NARROW), title, "One bar of all roles, then one per role."
        ),
        export.figure(
            bytes_chart.along(material.along),
            bytes_chart.along(material.along, bytes_chart.NARROW),
            bytes_chart.along_title(material.along),
            f"One bar per {material.along.places}; {bytes_chart.OUTSIDE} is what belongs to none.",
        ),
    ]
    return Page(
        title=f"Roofline of {material.picture.name}",
        answer=material.answer,
        strip=material.strip,
        more=[*words.finding(material.picture), *summary.answer, *tokens.answer],
        figures=figures if material.roles.rows.height else figures[:1],
        kernels=marks,
        tables=tokens.tables,
        doubts=list(dict.fromkeys([*summary.doubts, *tokens.doubts])),
        basis=words.basis(material.picture),
    )


def roofline(picture: Picture, form: str, *, theme: str = "light", theory: bool = False) -> bytes:
    """The roofline alone in this form; as HTML the page with its kernels."""
    chart = draw(picture, theory=theory)
    if form != "html":
        return export.written(chart, form, theme)
    page = Page(
        title=f"Roofline of {picture.name}",
        answer=words.finding(picture),
        figures=[roofline_figure(picture, chart, theory=theory)],
        kernels=by_share(picture.marks),
        basis=words.basis(picture),
    )
    return html.render(page, export.library()).encode()


def roofline_figure(picture: Picture, chart: alt.LayerChart, *, theory: bool) -> Figure:
    """The roofline for a page, with what it shows in words."""
    caption = "Scroll to zoom, drag to move; click a family in the legend, point at a mark for its numbers."
    slim = draw(picture, theory=theory, narrow=True)
    device = f"Roofline on {picture.device or 'an unknown device'}"
    return export.figure(chart, slim, words.headline(picture) or device, caption)


def by_share(marks: pl.DataFrame) -> pl.DataFrame:
    """Groups, largest share first, as in the chart."""
    return marks.sort(pl.col("share").fill_null(0), "seconds", descending=True, nulls_last=True, maintain_order=True)


CHARTS = {"waterfall": compare_charts.waterfall, "before-after": moves.draw}
NARROW = {"waterfall": compare_charts.NARROW, "before-after": moves.NARROW[0]}
HEADINGS = {"waterfall": "Where the bytes changed", "before-after": "Before and after on the roofline"}
WORDS = {
    "waterfall": "Waterfall of DRAM bytes by role, from base to head",
    "before-after": "Roofline with each kernel's way from its old to its new place",
}


def comparison_files(
    comparison: Comparison, kernels: pl.DataFrame, *, outcomes: tuple[Outcome, ...] = (), image_base: str = ""
) -> Mapping[str, bytes]:
    """Name -> bytes of every file; of a pair that is not comparable the words alone."""
    said = document(comparison, outcomes=outcomes)
    rows = comparison.rows["kernel"]
    if comparison.verdict == "not_comparable":
        return {
            "comment.md": comparison_text(comparison, said, image_base, pictures=False),
            "summary.json": json.render(said).encode(),
        }
    drawn = {name: draw(comparison) for name, draw in CHARTS.items()}
    pictures = {
        f"{name}-{theme}": spec for name, chart in drawn.items() for theme, spec in export.specifications(chart).items()
    }
    return {
        "comment.md": comparison_text(comparison, said, image_base),
        **{f"{name}.svg": export.svg(spec) for name, spec in pictures.items()},
        **{f"{name}.png": export.png(spec) for name, spec in pictures.items()},
        "summary.json": json.render(said).encode(),
        "kernels.csv": csv.render(Document(answer=(), data={"rows": rows})).encode(),
        "index.html": html.render(comparison_page(comparison, said, kernels), export.library()).encode(),
    }


def comparison_text(comparison: Comparison, said: Document, image_base: str, *, pictures: bool = True) -> bytes:
    """The comment, with the pictures in the reader's theme."""
    kernels = spoken(comparison.rows["kernel"]) if pictures else comparison.rows["kernel"].head(0)
    made = Comment(
        name=name_of(comparison),
        answer=said.answer,
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


def comparison_page(comparison: Comparison, said: Document, kernels: pl.DataFrame) -> Page:
    """The page with both charts, all tables, and the head's kernels."""
    figures = [
        export.figure(draw(comparison), draw(comparison, width=NARROW[name]), HEADINGS[name], f"{WORDS[name]}.")
        for name, draw in CHARTS.items()
    ]
    return Page(
        title=name_of(comparison),
        strip=strip(comparison),
        answer=said.answer,
        figures=figures,
        kernels=kernels,
        kernels_title=f"Kernels of {comparison.head.name}",
        tables=said.tables,
        doubts=said.doubts,
    )
