"""Where FC and attention should stand by the formulas: lines across the roofline."""

from __future__ import annotations

import altair as alt

from ncu_roofline.analysis.picture import Picture
from ncu_roofline.present.charts import roofs
from ncu_roofline.present.plane import Plane


def layers(picture: Picture, on: Plane) -> list[alt.Chart]:
    """One vertical line per formula, named at its lower end."""
    known = [t for t in picture.theory if on.left < t.intensity < on.x[1]]
    lines = [roofs.span(t.intensity, on.y[0], t.intensity, min(t.intensity * ceiling(picture, on), on.y[1])) for t in known]
    items = [{"px": on.px(t.intensity) + 5, "py": on.height - 14.0 - 15 * i, "text": t.text} for i, t in enumerate(known)]
    return [roofs.rules(lines, "theory", on), roofs.written(items, on, "halo"), roofs.written(items, on, "theory-text")]


def ceiling(picture: Picture, on: Plane) -> float:
    """Bandwidth up to which the lines reach; the frame's top where it is unknown."""
    speeds = picture.roofs.filter(what="dram")["value"]
    return float(speeds.max()) if speeds.len() else on.y[1]  # type: ignore[arg-type]
