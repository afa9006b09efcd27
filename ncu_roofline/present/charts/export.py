"""A chart to bytes: PNG, SVG, JSON and self-contained HTML, the same bytes for the same chart."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import vl_convert

from ncu_roofline.present.charts.theme import THEMES, enabled
from ncu_roofline.present.html import Figure

SCALE = 2


def specification(chart: alt.TopLevelMixin, theme: str = "light") -> dict[str, Any]:
    """The Vega-Lite specification in this theme, with nothing in it that is not valid JSON."""
    with enabled(theme):
        spec: dict[str, Any] = chart.to_dict()
    return spec


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


def library() -> str:
    """The Vega libraries as one script, from the installed package: a page with it needs no network."""
    bundle: str = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its stub forgets the default
    return bundle.replace("</script", "<\\/script")


def figure(chart: alt.TopLevelMixin, heading: str, caption: str, mark: str = "") -> Figure:
    """A chart ready for a page, which has its title as text: the specification once, both configurations."""
    specs = {name: specification(chart, name) for name in THEMES}
    spec = {k: v for k, v in specs["light"].items() if k not in ("config", "title")}
    return Figure(heading=heading, caption=caption, spec=spec, config={n: s["config"] for n, s in specs.items()}, mark=mark)
