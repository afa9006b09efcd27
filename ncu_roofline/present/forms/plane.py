"""The log-log plane: its domains and ticks, and data to pixels and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture

WIDTH, HEIGHT = 730, 430
BAND = 64
"""Pixels of the band at an edge in which kernels stand that have no place along the axis."""
GAP = 62
"""Pixels between that band and the axis of the rate, whose numbers stand in it: they say nothing of the band."""
NARROW = (328, 330, 48, 36)
"""Width, height, band and gap of the chart on a phone."""
LEFTMOST = 0.1
"""FLOP/byte: small kernels further left go into the band, lest they stretch the axis by decades."""

DEEPEST = 5.2
"""Decades below the highest ceiling; what is slower stands on the lower edge, and the key says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Domains of both axes, and where the bands at the edges begin (equal to the edge: no band)."""

    x: tuple[float, float]
    y: tuple[float, float]
    left: float
    right: float
    width: int = WIDTH
    height: int = HEIGHT
    gap: int = 0

    @property
    def narrow(self) -> bool:
        """Whether it is drawn for a phone."""
        return self.width < WIDTH / 2

    @property
    def band_end(self) -> float:
        """The value at which the band on the left ends; the axis of the rate stands at `left`."""
        return self.x_at(max(self.px(self.left) - self.gap, 0.0))

    def px(self, x: float) -> float:
        """Pixels from the left edge."""
        low, high = map(math.log10, self.x)
        return (math.log10(x) - low) / (high - low) * self.width

    def py(self, y: float) -> float:
        """Pixels from the upper edge."""
        low, high = map(math.log10, self.y)
        return (high - math.log10(y)) / (high - low) * self.height

    def x_at(self, pixels: float) -> float:
        """The value at so many pixels from the left edge."""
        low, high = map(math.log10, self.x)
        return float(10 ** (low + pixels / self.width * (high - low)))

    def y_at(self, pixels: float) -> float:
        """The value at so many pixels from the upper edge."""
        low, high = map(math.log10, self.y)
        return float(10 ** (high - pixels / self.height * (high - low)))

    @property
    def slope(self) -> float:
        """Angle of a bandwidth roof in degrees, as text is turned."""
        rise = self.height / math.log10(self.y[1] / self.y[0])
        run = self.width / math.log10(self.x[1] / self.x[0])
        return -math.degrees(math.atan2(rise, run))


def plane(picture: Picture, width: int = WIDTH, height: int = HEIGHT, band: int = BAND, gap: int = 0) -> Plane:
    """Domains that hold every mark that matters, every ridge, and room above the roofs."""
    marks = picture.marks
    heavy = marks.filter(pl.col("share") >= 0.005)
    xs = [v for c in ("x", "executed_x") for v in marks[c].drop_nulls() if v >= LEFTMOST]
    xs += heavy["x"].drop_nulls().to_list() + heavy["l2_x"].drop_nulls().to_list()
    corners = picture.ridges["value"].to_list()
    left = min([*xs, *(c / 20 for c in corners), 1.0]) / 1.8
    right = max([*(x * 3 for x in xs), *(c * 9 for c in corners), left * 1e3])
    in_band = not marks.filter((pl.col("place") == "bytes") | (pl.col("x") < left)).is_empty()
    flops_only = not marks.filter(place="flops").is_empty()
    decades = math.log10(right / left)
    room = width - (band + gap) * in_band - band * flops_only
    wide, beside = (10 ** (decades * pixels / room) for pixels in (band, band + gap))
    x = (left / beside if in_band else left, right * wide if flops_only else right)
    kept = gap if in_band else 0
    return Plane(x=x, y=heights(picture, left, right), left=left, right=right, width=width, height=height, gap=kept)


def heights(picture: Picture, left: float, right: float) -> tuple[float, float]:
    """Domain of the rate."""
    marks, roofs = picture.marks, picture.roofs
    shown = marks.filter((pl.col("x") >= left) | (pl.col("place") == "flops"))
    ys = [v for c in ("y", "executed_y") for v in shown[c].drop_nulls() if v > 0]
    ceilings = roofs.filter(~pl.col("what").is_in(["dram", "l2"]))["value"].to_list()
    slopes = roofs.filter(what="dram")["value"].to_list()
    top = max([*ceilings, *ys, *(s * right for s in slopes if not ceilings)] or [1e12])
    bottom = min([*ys, *(s * left / 4 for s in slopes), top / 1e4])
    return (max(bottom / 2, top / 10**DEEPEST), top * 4)


def ticks(domain: tuple[float, float]) -> list[float]:
    """Powers of ten inside a domain."""
    low, high = math.ceil(math.log10(domain[0])), math.floor(math.log10(domain[1]))
    return [float(f"1e{n}") for n in range(low, high + 1)]
