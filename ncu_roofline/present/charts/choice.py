"""What a reader chooses in the chart: families by the legend, a kernel by pointing, the view by dragging."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.present.charts.marks import AREA
from ncu_roofline.present.charts.theme import COLOUR, SHAPE


class Choice:
    """The chart's selections: families by the legend, a kernel by hovering, the view by dragging."""

    def __init__(self, mark: str, families: list[str]) -> None:
        self.mark, self.families = mark, families
        self.family = alt.selection_point(name=f"family_{mark}", fields=["family"], bind="legend")
        self.kernel = alt.selection_point(
            name=f"kernel_{mark}", fields=["full"], on="pointerover", clear="pointerout", empty=False
        )
        self.view = alt.selection_interval(name=f"view_{mark}", bind="scales")

    @property
    def opacity(self) -> Any:
        """Families not chosen in the legend fade."""
        return alt.condition(self.family, alt.value(0.92), alt.value(0.07))

    def owner(self, base: alt.Chart, x: alt.X, y: alt.Y) -> alt.Chart:
        """A layer without marks that owns legend and selections.

        A selection binds to a legend only in the first layer that has it, and charts with selections in
        one layer can be set side by side.
        """
        look = alt.Legend(title=None, orient="top", values=self.families, symbolSize=130, symbolOpacity=1, padding=7, offset=4)
        empty = base.transform_filter("false").mark_point(filled=True).properties(name=f"marks_{self.mark}")
        own = empty.encode(x, y, color=COLOUR.legend(look), shape=SHAPE.legend(look))
        return own.add_params(self.family, self.kernel, self.view)

    def width(self) -> Any:
        """All groups of the kernel under the pointer get a strong outline."""
        return alt.condition(self.kernel, alt.value(3.5), alt.value(1.4))


def size(picture: Picture, marks: pl.DataFrame) -> alt.Size:
    """Area by share, with a legend that says of what."""
    most = float(marks["share"].max() or 1.0)  # type: ignore[arg-type]
    values = [v for v in (0.01, 0.1, 0.3, 0.6, 0.9) if v <= most * 1.05][-3:]
    legend = (
        alt.Legend(
            title=f"share of {picture.size_by}",
            orient="top",
            values=values,
            format=".0%",
            titleOrient="left",
            symbolType="circle",
            offset=4,
        )
        if values
        else None
    )
    return alt.Size("share:Q").scale(domain=[0, most], range=list(AREA)).legend(legend)
