"""A chart to bytes: PNG, SVG, JSON and self-contained HTML, the same bytes for the same chart."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import vl_convert

from ncu_roofline.present.charts.theme import enabled

SCALE = 2
VERSION = "6.4"


def specification(chart: alt.TopLevelMixin, theme: str = "light") -> dict[str, Any]:
    """The Vega-Lite specification in this theme, with nothing in it that is not valid JSON."""
    with enabled(theme):
        spec: dict[str, Any] = chart.to_dict()
    return spec


def text(spec: dict[str, Any]) -> str:
    """A specification as JSON, one way of writing it."""
    return json.dumps(spec, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


def png(spec: dict[str, Any]) -> bytes:
    """The picture at twice its size in pixels."""
    return bytes(vl_convert.vegalite_to_png(spec, scale=SCALE))


def svg(spec: dict[str, Any]) -> bytes:
    """The picture as SVG whose text is text."""
    return vl_convert.vegalite_to_svg(spec).encode()
