"""One light and one dark theme; colours and shapes of the families, the same in every chart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import altair as alt

from ncu_roofline.present.forms.columns import FAMILY_NAMES

NAMES = list(FAMILY_NAMES.values())
COLOUR = alt.Color("family:N").scale(domain=NAMES)
SHAPE = alt.Shape("family:N").scale(domain=NAMES)
"""Colour by family, and shape, so that it can be read without colour."""
THEMES = ("light", "dark")
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

# Okabe and Ito's colours, which stay apart in every common kind of colour blindness; shapes carry
# the family without colour.
SHAPES = ("circle", "diamond", "square")
PALETTES: dict[str, dict[str, Any]] = {
    "light": {
        "background": "#ffffff",
        "text": "#1f2328",
        "quiet": "#59636e",
        "grid": "#e6eaef",
        "line": "#3d444d",
        "band": "#f3f5f8",
        "flag": "#a40e26",
        "theory": "#7a4fb5",
        "families": ["#0072B2", "#D55E00", "#767676"],
    },
    "dark": {
        "background": "#0d1117",
        "text": "#e6edf3",
        "quiet": "#9198a1",
        "grid": "#20262e",
        "line": "#c0c8d2",
        "band": "#161b22",
        "flag": "#ff7b72",
        "theory": "#c4a3f5",
        "families": ["#56B4E9", "#F0A030", "#9aa4af"],
    },
}


def occurring(families: Iterable[str]) -> list[str]:
    """The families among these, each once, in their order."""
    found = set(families)
    return [name for name in NAMES if name in found]


def in_unit(unit: str) -> str:
    """What writes the numbers of an axis with their unit: `300 MB`, and zero without one."""
    return f"datum.value === 0 ? '0' : replace(datum.label, /[a-zA-Zµ]?$/, ' $&{unit}')"


def theme(name: str) -> alt.theme.ThemeConfig:
    """The configuration that a chart takes on when it is written."""
    colours = PALETTES[name]
    axis = {
        "labelColor": colours["quiet"],
        "titleColor": colours["text"],
        "gridColor": colours["grid"],
        "domainColor": colours["quiet"],
        "tickColor": colours["quiet"],
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    }
    return {
        "config": {
            "background": colours["background"],
            "font": FONT,
            "padding": 10,
            "view": {"stroke": None},
            "axis": axis,
            "legend": {
                "labelColor": colours["text"],
                "titleColor": colours["quiet"],
                "labelFontSize": 11.5,
                "titleFontSize": 11.5,
                "titleFontWeight": "normal",
                "symbolFillColor": colours["quiet"],
                "symbolStrokeColor": colours["quiet"],
            },
            "title": {
                "color": colours["text"],
                "subtitleColor": colours["text"],
                "anchor": "start",
                "frame": "group",
                "fontSize": 16,
                "subtitleFontSize": 12.5,
                "subtitleLineHeight": 17,
                "offset": 12,
                "subtitlePadding": 6,
            },
            "range": {"category": colours["families"], "symbol": list(SHAPES)},
            "style": styles(colours),
        }
    }


def styles(colours: dict[str, Any]) -> dict[str, Any]:
    """Named looks, so that a chart says what a mark is and the theme how it looks."""
    text = {"fontSize": 11, "color": colours["text"]}
    return {
        "datasheet": {"color": colours["line"], "strokeWidth": 1.2, "strokeDash": [5, 4]},
        "capture": {"color": colours["line"], "strokeWidth": 1.8},
        "reached": {"color": colours["line"], "strokeWidth": 1.6, "strokeDash": [1.5, 2.5]},
        "minor-datasheet": {"color": colours["quiet"], "strokeWidth": 0.8, "strokeDash": [4, 4], "opacity": 0.8},
        "minor-capture": {"color": colours["quiet"], "strokeWidth": 1, "opacity": 0.8},
        "minor-reached": {"color": colours["quiet"], "strokeWidth": 1, "strokeDash": [1.5, 2.5]},
        "drop": {"color": colours["quiet"], "strokeWidth": 1, "strokeDash": [2, 3]},
        "corner": {"color": colours["line"]},
        "roof-text": {**text, "color": colours["line"]},
        "halo": {"fontSize": 11, "stroke": colours["background"], "strokeWidth": 3.5, "color": colours["background"]},
        "label": text,
        "quiet": {**text, "color": colours["quiet"]},
        "leader": {"color": colours["quiet"], "strokeWidth": 0.8},
        "footer": {"fontSize": 10.5, "color": colours["quiet"]},
        "band": {"color": colours["band"]},
        "grid": {"color": colours["grid"], "strokeWidth": 1},
        "band-text": {"fontSize": 10, "color": colours["quiet"]},
        "flag": {"color": colours["flag"], "strokeWidth": 1.5},
        "theory": {"color": colours["theory"], "strokeWidth": 1.4, "strokeDash": [7, 3]},
        "theory-text": {**text, "color": colours["theory"]},
        "bar": {"color": colours["quiet"]},
        "history-band": {"color": colours["families"][0], "opacity": 0.16},
    }
