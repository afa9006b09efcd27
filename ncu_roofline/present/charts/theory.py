"""Where FC and attention should stand by the formulas: lines across the roofline."""

from __future__ import annotations

import altair as alt

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.present.charts import roofs
from ncu_roofline.present.charts.labels import LETTER
from ncu_roofline.present.forms.plane import Plane


def layers(picture: Picture, on: Plane) -> list[alt.Chart]:
    """One line per formula, named in the empty corner above the roofs, the rightmost on top."""
    known = sorted((t for t in picture.theory if on.left < t.intensity < on.x[1]), key=lambda t: -t.intensity)
    start = on.px(on.left) + 8
    lines, items = [], []
    for row, t in enumerate(known):
        height, end, at = 16.0 + 18 * row, start + LETTER * len(t.text) + 6, on.px(t.intensity)
        top = height if at > end else height + 9
        lines.append(roofs.span(t.intensity, on.y[0], t.intensity, on.y_at(top)))
        if at > end:
            lines.append(roofs.span(on.x_at(end), on.y_at(height), t.intensity, on.y_at(height)))
        items.append({"px": start, "py": height, "text": t.text})
    return [roofs.rules(lines, "theory", on), roofs.written(items, on, "halo"), roofs.written(items, on, "theory-text")]
