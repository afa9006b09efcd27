"""A chart to bytes: PNG, SVG, JSON and self-contained HTML, the same bytes for the same chart."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import vl_convert

from ncu_roofline.present.charts.theme import THEMES, theme
from ncu_roofline.present.forms.html import Figure

SCALE = 2


def specifications(chart: alt.TopLevelMixin) -> dict[str, dict[str, Any]]:
    """The Vega-Lite specification in each theme. Altair's check of it takes longer than all else: the tests do it."""
    with alt.theme.enable("none"):
        plain = chart.to_dict(validate=False)
    return {name: alt.utils.update_nested(theme(name), plain, copy=True) for name in THEMES}


def text(spec: dict[str, Any]) -> str:
    """A specification as JSON, one way of writing it."""
    return json.dumps(spec, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def svg(spec: dict[str, Any]) -> bytes:
    """The picture as SVG whose text is text."""
    return vl_convert.vegalite_to_svg(spec).encode()


def png(spec: dict[str, Any]) -> bytes:
    """The picture at twice its size in pixels."""
    return pixels(svg(spec))


def pixels(drawing: bytes) -> bytes:
    """An SVG of ours as PNG, at twice its size."""
    return bytes(vl_convert.svg_to_png(drawing.decode(), scale=SCALE))


def figure(chart: alt.TopLevelMixin, heading: str, caption: str, mark: str = "") -> Figure:
    """A chart ready for a page, which has its title as text: the specification once, both configurations."""
    specs = specifications(chart)
    spec = {k: v for k, v in specs["light"].items() if k not in ("config", "title")}
    return Figure(heading=heading, caption=caption, spec=spec, config={n: s["config"] for n, s in specs.items()}, mark=mark)
