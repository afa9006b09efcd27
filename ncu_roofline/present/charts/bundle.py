"""Everything for a pull request: file names and their bytes, all made before any is written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.analysis.run.role_bytes import RoleBytes
from ncu_roofline.present.charts import bytes as bytes_chart
from ncu_roofline.present.charts import export, script
from ncu_roofline.present.charts.pages import by_share, roofline_figure
from ncu_roofline.present.charts.roofline import draw
from ncu_roofline.present.documents import comment
from ncu_roofline.present.documents import words_roofline as words
from ncu_roofline.present.documents.comment import Comment
from ncu_roofline.present.forms import csv, html, json
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.html import Page
from ncu_roofline.present.forms.short import called

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
    summary: Document
    tokens: Document
    image_base: str = ""


def files(material: Material, *, theory: bool = False) -> Mapping[str, bytes]:
    """Name -> bytes of every file of the bundle."""
    roofline, roles = draw(material.picture, theory=theory), bytes_chart.draw(material.roles, title=role_title(material.roles))
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
            "index.html": html.render(page(material, roofline, roles, marks), script.library()).encode(),
        }


def role_title(roles: RoleBytes) -> str:
    """Title of the chart of bytes."""
    return {"token": "Where the bytes of a token go", "step": "Where the bytes of a step go"}.get(
        roles.basis, "Where the bytes go"
    )


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
    columns = tuple(c for c in KERNELS if c in ("kernel", "launches") or marks[c].drop_nulls().len())
    return Table("Kernels, largest first", called(marks), columns)


def text(material: Material, marks: pl.DataFrame) -> Comment:
    """The comment's parts."""
    said = " ".join(words.finding(material.picture))
    shown = [("roofline", f"Roofline. {said}")] + (
        [("bytes", f"{role_title(material.roles)}, by role")] if material.roles.rows.height else []
    )
    # its tables are told by the tokens' by role, and by ours of kernels
    alone = Document(answer=material.summary.answer, doubts=material.summary.doubts)
    return Comment(
        name=f"Roofline of {material.picture.name}",
        documents=[alone, material.tokens],
        pictures=shown,
        kernels=kernel_table(marks),
        basis=words.basis(material.picture),
        image_base=material.image_base,
    )


def page(material: Material, roofline: alt.LayerChart, roles: alt.LayerChart, marks: pl.DataFrame) -> Page:
    """The page with all of it."""
    summary, tokens = material.summary, material.tokens
    title = role_title(material.roles)
    figures = [
        roofline_figure(material.picture, roofline),
        export.figure(roles, title, "One bar of all roles, then one per role."),
    ]
    return Page(
        title=f"Roofline of {material.picture.name}",
        answer=[*words.finding(material.picture), *summary.answer, *tokens.answer],
        figures=figures if material.roles.rows.height else figures[:1],
        kernels=marks,
        tables=tokens.tables,
        doubts=list(dict.fromkeys([*summary.doubts, *tokens.doubts])),
        basis=words.basis(material.picture),
    )
