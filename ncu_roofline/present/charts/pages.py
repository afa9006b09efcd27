"""A picture written as a page, a PNG, an SVG or a specification."""

from __future__ import annotations

import altair as alt
import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.present.charts import export, script
from ncu_roofline.present.charts.roofline import draw
from ncu_roofline.present.documents import words_roofline as words
from ncu_roofline.present.forms import html
from ncu_roofline.present.forms.html import Figure, Page


def written(picture: Picture, form: str, *, theme: str = "light", theory: bool = False) -> bytes:
    """The roofline in this form."""
    chart = draw(picture, theory=theory)
    if form == "html":
        return html.render(page(picture, chart), script.library()).encode()
    spec = export.specifications(chart)[theme]
    if form == "png":
        return export.png(spec)
    if form == "svg":
        return export.svg(spec)
    return (export.text(spec) + "\n").encode()


def page(picture: Picture, chart: alt.LayerChart) -> Page:
    """The page of a chart alone: its finding, itself, and its kernels."""
    return Page(
        title=f"Roofline of {picture.name}",
        answer=words.finding(picture),
        figures=[roofline_figure(picture, chart)],
        kernels=by_share(picture.marks),
        basis=words.basis(picture),
    )


def roofline_figure(picture: Picture, chart: alt.LayerChart) -> Figure:
    """The roofline for a page, with what it shows in words."""
    caption = "Scroll to zoom, drag to move; click a family in the legend, point at a mark for its numbers."
    return export.figure(
        chart, f"Roofline on {picture.device or 'an unknown device'}", caption, str(chart.name).removeprefix("roofline_")
    )


def by_share(marks: pl.DataFrame) -> pl.DataFrame:
    """Groups, largest share first, as in the chart."""
    return marks.sort(pl.col("share").fill_null(0), "seconds", descending=True, nulls_last=True, maintain_order=True)
