"""Charts for notebooks: a capture or study in, an ordinary Altair chart out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ncu_roofline.analysis.picture import picture
from ncu_roofline.analysis.study import Study, study
from ncu_roofline.capture.capture import Capture

if TYPE_CHECKING:
    import altair as alt


def roofline(
    capture: Capture | Study, *, by: str = "kernel", levels: tuple[str, ...] = ("dram",), theory: bool = False
) -> alt.LayerChart:
    """The roofline of a capture, one mark per kernel group, launch, role or layer."""
    from ncu_roofline.present.charts.roofline import draw

    studied = capture if isinstance(capture, Study) else study(capture)
    return draw(picture(studied, by, levels=levels), theory=theory)
