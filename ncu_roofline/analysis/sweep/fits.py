"""Straight lines through few points, in logarithms, with the interval that so few points leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

from ncu_roofline.analysis.compare.student import quantile
from ncu_roofline.knowledge.verdicts import limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLaw:
    """y = factor * x ** exponent through the points; the interval is null below three points."""

    exponent: float
    exponent_low: float | None
    exponent_high: float | None
    factor: float
    points: int


def power_law(points: Sequence[tuple[float, float]]) -> PowerLaw | None:
    """The fit by least squares of the logarithms; None for fewer than two different x."""
    logs = [(log(x), log(y)) for x, y in points if x > 0 and y > 0]
    if len({x for x, _ in logs}) < 2:
        return None
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    slope = sum((x - mean_x) * y for x, y in logs) / spread
    dof = len(logs) - 2
    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in logs)
    reach = quantile(limit("error_fit"), dof) * sqrt(left / dof / spread) if dof > 0 else None
    return PowerLaw(
        exponent=slope,
        exponent_low=None if reach is None else slope - reach,
        exponent_high=None if reach is None else slope + reach,
        factor=exp(mean_y - slope * mean_x),
        points=len(logs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """y = value * x: one factor for all points, in logarithms; the interval is null for one point."""

    value: float
    low: float | None
    high: float | None
    points: int


def proportional(points: Sequence[tuple[float, float]]) -> Slope | None:
    """The factor between y and x; None without a point."""
    ratios = [log(y / x) for x, y in points if x > 0 and y > 0]
    if not ratios:
        return None
    mean = sum(ratios) / len(ratios)
    dof = len(ratios) - 1
    reach = quantile(limit("error_fit"), dof) * sqrt(sum((r - mean) ** 2 for r in ratios) / dof / len(ratios)) if dof else None
    return Slope(
        value=exp(mean),
        low=None if reach is None else exp(mean - reach),
        high=None if reach is None else exp(mean + reach),
        points=len(ratios),
    )
