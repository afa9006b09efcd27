"""Any chart as the bytes of a file, by the file's name."""

from __future__ import annotations

from pathlib import Path

import altair as alt

from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.charts import export, script

FORMS = (".png", ".svg", ".json", ".html")


def written(chart: alt.TopLevelMixin, target: Path, theme: str = "light") -> bytes:
    """The chart as PNG, SVG, specification or page without network."""
    form = target.suffix.lower()
    if form not in FORMS:
        raise UnusableInput(f"{target.name}: a chart is written as {', '.join(FORMS)}; name the file so")
    spec = export.specifications(chart)[theme]
    if form == ".png":
        return export.png(spec)
    if form == ".svg":
        return export.svg(spec)
    if form == ".json":
        return (export.text(spec) + "\n").encode()
    return page(export.text(spec)).encode()


def page(spec: str) -> str:
    """A page with the chart and the libraries that draw it."""
    safe = spec.replace("</", "<\\/")
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>ncu-roofline</title>\n<div id="chart"></div>\n'
        f"<script>{script.library()}</script>\n<script>vegaEmbed('#chart', {safe}, {{actions: false}})</script></html>\n"
    )
