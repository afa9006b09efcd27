"""Any chart to bytes: PNG, SVG, JSON and HTML without a network; the same bytes for the same chart."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.charts.theme import THEMES, theme
from ncu_roofline.present.forms.html import Figure, digest, embedded
from ncu_roofline.present.forms.text import UNSAFE

SCALE = 2
FORMS = (".png", ".svg", ".json", ".html")


def specifications(chart: alt.TopLevelMixin) -> dict[str, dict[str, Any]]:
    """The Vega-Lite specification in each theme. Altair's check of it takes longer than all else: the tests do it."""
    bare = plain(chart)
    return {name: alt.utils.update_nested(theme(name), bare, copy=True) for name in THEMES}


def plain(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """The specification without a theme."""
    with alt.theme.enable("none"):
        spec: dict[str, Any] = visible(chart.to_dict(validate=False))
    return spec


def visible(value: Any) -> Any:
    """The same value with a space where no drawing can hold a letter: on a control character the engine ends the process."""
    if isinstance(value, str):
        return UNSAFE.sub(" ", value)
    if isinstance(value, dict):
        return {key: visible(each) for key, each in value.items()}
    return [visible(each) for each in value] if isinstance(value, list) else value


def text(spec: dict[str, Any]) -> str:
    """A specification as JSON, one way of writing it."""
    return json.dumps(spec, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)


CLIP = re.compile(r'(?<=clip-path="url\(#clip)\d+|(?<=<clipPath id="clip)\d+')


def svg(spec: dict[str, Any]) -> bytes:
    """The picture as SVG whose text is text, and the same for the same chart: the engine counts through all it ever drew."""
    turns: dict[str, int] = {}
    drawn: str = vl_convert.vegalite_to_svg(spec)
    return CLIP.sub(lambda found: str(turns.setdefault(found[0], len(turns) + 1)), drawn).encode()


def png(spec: dict[str, Any]) -> bytes:
    """The picture at twice its size in pixels."""
    return pixels(svg(spec))


def pixels(drawing: bytes) -> bytes:
    """An SVG of ours as PNG, at twice its size."""
    return bytes(vl_convert.svg_to_png(drawing.decode(), scale=SCALE))


def figure(chart: alt.TopLevelMixin, narrow: alt.TopLevelMixin, heading: str, caption: str) -> Figure:
    """A chart ready for a page, which has its title as text: the specification once, and what a phone and a theme change."""
    specs = specifications(chart)
    wide, slim = (
        numbered({k: v for k, v in s.items() if k not in ("$schema", "config", "title")})
        for s in (specs["light"], plain(narrow))
    )
    return Figure(
        heading=heading,
        caption=caption,
        spec=wide,
        narrow=changes(wide, slim) or {},
        config={n: s["config"] for n, s in specs.items()},
        mark=str(wide.get("name", "")).removeprefix("roofline_"),
    )


def numbered(spec: dict[str, Any]) -> dict[str, Any]:
    """The specification with its data sets named by their turn, so that two charts of one kind name them alike."""
    names = list(dict.fromkeys(layer["data"]["name"] for layer in layers(spec)))
    turn = {name: f"d{i}" for i, name in enumerate(names)}
    for layer in layers(spec):
        layer["data"]["name"] = turn.get(layer["data"]["name"], layer["data"]["name"])
    rows = {turn[n]: [{k: v for k, v in row.items() if v is not None} for row in spec["datasets"][n]] for n in names}
    return {**spec, "datasets": rows}


def layers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of a chart with data of its own."""
    if "name" in spec.get("data", {}):
        yield spec
    for inner in spec.get("layer", ()):
        yield from layers(inner)


def changes(old: Any, new: Any) -> Any:
    """What makes `new` of `old`: changed members of objects and of lists of one length, null where one goes."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = {k: changes(old.get(k), v) for k, v in new.items() if k not in old or old[k] != v}
        return {**found, **dict.fromkeys(old.keys() - new.keys())}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return {str(i): changes(a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b}
    return new


def written(chart: alt.TopLevelMixin, form: str, theme: str = "light") -> bytes:
    """The chart as png, svg, json, or html: a page with the libraries that draw it."""
    spec = specifications(chart)[theme]
    if form == "png":
        return png(spec)
    if form == "svg":
        return svg(spec)
    if form == "json":
        return (text(spec) + "\n").encode()
    return page(spec).encode()


def form_of(target: Path) -> str:
    """The form that a file's name asks for."""
    if target.suffix.lower() not in FORMS:
        raise UnusableInput(f"{target.name}: a chart is written as {', '.join(FORMS)}; name the file so")
    return target.suffix.lower()[1:]


DRAW = (
    "vegaEmbed('#chart', JSON.parse(document.getElementById('spec').textContent), "
    "{mode: 'vega-lite', ast: true, actions: false, renderer: 'svg', defaultStyle: false})"
)


def page(spec: dict[str, Any]) -> str:
    """A page with the chart and the libraries that draw it; its policy lets nothing else run, whatever a label says."""
    drawing = library()
    policy = (
        f"default-src 'none'; script-src {digest(drawing)} {digest(DRAW)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<title>ncu-roofline</title>\n<div id="chart"></div>\n'
        f'<script type="application/json" id="spec">{embedded(spec)}</script>\n'
        f"<script>{drawing}</script>\n<script>{DRAW}</script></html>\n"
    )


BUNDLE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle(None).encode())"


@lru_cache(maxsize=1)
def begin() -> subprocess.Popen[bytes]:
    """Bundles them in a process of its own: it takes over a second, in which a capture can be read."""
    return subprocess.Popen([sys.executable, "-I", "-c", BUNDLE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@lru_cache(maxsize=1)
def library() -> str:
    """The script, from the installed package; made here where no other process can."""
    made, _ = begin().communicate()
    return (made.decode() or bundled()).replace("</script", "<\\/script")


def bundled() -> str:
    """The script, in this process."""
    bundle: str = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its stub forgets the default
    return bundle
