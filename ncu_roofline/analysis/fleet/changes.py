"""Where a series steps, beside what it drifts and what it scatters: the place of each step, its size, and both's reach.

At every place a level and a common slope are fitted to up to `WINDOWS` points on each side; the step is what the two
sides differ by there. Scatter is told by the differences of neighbours, which neither steps nor drift widen, and by
how much the fits themselves differ where no step is, which a drift that bends does widen; the window is taken that then
tells the smallest steps. So a drift is no step.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import sqrt
from statistics import median

import polars as pl

from ncu_roofline.analysis.compare.student import EFFICIENCY, quantile, robust_deviation
from ncu_roofline.knowledge.verdicts import limit

WINDOWS = (20, 10, 6)
"""Points on each side: the more the finer, as long as a drift is straight over so many commits."""
SHORTEST = 3
"""Points on each side without which a step cannot be told from a single odd capture."""
ODD = 6.0
"""Times the scatter from which on a single point is odd: it then tells nothing of its neighbours."""
NORMAL = 0.6745
"""Median of a normal deviate's size."""
FINEST = 1e-7
"""Scatter of numbers that do not scatter at all, as a part of the level: rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a series."""

    at: int
    """The first point after it."""
    first: int
    last: int
    """The earliest and the latest point at which it can be."""
    before: float
    """The level just before it."""
    size: float
    reach: float
    """How far `size` may be off by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Two levels with a common slope, and what they leave."""

    step: float
    spread: float
    """Standard error of the step, in units of the scatter."""
    before: float
    left: float
    """Sum of squares that is left."""


class Sums:
    """Sums of a series up to each point, so that every fit takes the same time."""

    def __init__(self, values: Sequence[float], window: int) -> None:
        self.window = window
        self.y = [0.0, *accumulate(values)]
        self.xy = [0.0, *accumulate(i * v for i, v in enumerate(values))]
        self.yy = [0.0, *accumulate(v * v for v in values)]

    def part(self, low: int, high: int) -> tuple[float, float, float, float, float]:
        """Of the points from low up to high: mean place, mean, and sums of squares and products around them."""
        n = high - low
        x, y = (low + high - 1) / 2, (self.y[high] - self.y[low]) / n
        xx = n * (n * n - 1) / 12
        xy = self.xy[high] - self.xy[low] - n * x * y
        return x, y, xx, xy, max(self.yy[high] - self.yy[low] - n * y * y, 0.0)

    def fit(self, low: int, at: int, high: int) -> Fit:
        """The step at a place, from the points between two others."""
        x1, y1, xx1, xy1, yy1 = self.part(low, at)
        x2, y2, xx2, xy2, yy2 = self.part(at, high)
        slope = (xy1 + xy2) / (xx1 + xx2)
        spread = sqrt(1 / (at - low) + 1 / (high - at) + (x2 - x1) ** 2 / (xx1 + xx2))
        before = y1 + slope * (at - x1)
        left = max(yy1 + yy2 - slope * (xy1 + xy2), 0.0)
        return Fit(step=y2 - y1 - slope * (x2 - x1), spread=spread, before=before, left=left)


def steps(values: Sequence[float], error: float, least: float) -> list[Step]:
    """Every step that chance makes in none of the places but with this probability, and that is `least` of its level."""
    if len(values) < 2 * SHORTEST:
        return []
    level = median(abs(v) for v in values) or max(abs(v) for v in values)
    if not level:
        return []
    # around a level of zero, sums of squares keep their digits
    middle = median(values)
    scatter = scatter_of(values, level)
    centred = [v - middle for v in calm(values, scatter)]
    bar = quantile(error / len(values), max(EFFICIENCY * (len(values) - 1), 2.0))
    tried = [searched(Sums(centred, window), len(values), scatter, bar) for window in WINDOWS]
    best = min(tried, key=lambda found: found.finest)
    found = [described(best, i, scatter, middle, bar) for i in range(1, len(best.places) - 1)]
    return [s for s in found if abs(s.size) >= least * max(abs(s.before), FINEST * level)]


def scatter_of(values: Sequence[float], level: float) -> float:
    """Standard deviation of a point beside steps and drift: from differences of neighbours."""
    apart = [b - a for a, b in pairwise(values)]
    found = robust_deviation(apart) / sqrt(2)
    # of two sorts of points in turns, as of two branches, each difference is one of two, and those have no spread
    bends = [abs(b - a) for a, b in pairwise(apart)]
    turns = median(bends) / (NORMAL * sqrt(6)) if len(bends) >= limit("fewest_bends") else 0.0
    return max(found, turns if turns > limit("far_turns") * found else 0.0, FINEST * level)


def calm(values: Sequence[float], scatter: float) -> list[float]:
    """The series with single odd points at the level of their neighbours; a step stays where it is."""
    kept = list(values)
    for i in range(len(values)):
        begin = min(max(i - 1, 0), len(values) - 3)
        three = sorted(values[begin : begin + 3])[1]
        if abs(values[i] - three) > ODD * scatter:
            kept[i] = three
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The ends of a series and the places of its steps, by one window."""

    sums: Sums
    places: list[int]
    finest: float
    """The standard error of a step: what this window can tell."""


def beside(sums: Sums, places: Sequence[int], at: int) -> tuple[int, int]:
    """The points around a place that no other step parts from it."""
    low, high = places[bisect_left(places, at) - 1], places[bisect_right(places, at)]
    return max(low, at - sums.window), min(high, at + sums.window)


def strength(sums: Sums, places: Sequence[int], at: int) -> float:
    """A step at a place in units of its standard error by scatter; 0 where too few points stand beside it."""
    low, high = beside(sums, places, at)
    if at - low < SHORTEST or high - at < SHORTEST:
        return 0.0
    fit = sums.fit(low, at, high)
    return abs(fit.step) / fit.spread


def strengths(sums: Sums, places: Sequence[int]) -> list[float]:
    """The strength of a step at every place at once; 0 at the ends, and where one is already."""
    ends = [pl.repeat(end, high - low, dtype=pl.Int64) for low, high in pairwise(places) for end in (low, high)]
    at, begin, end = pl.int_range(places[-1]), pl.concat(ends[::2]), pl.concat(ends[1::2])
    around = pl.select(at=at, low=pl.max_horizontal(begin, at - sums.window), high=pl.min_horizontal(end, at + sums.window))
    enough = (pl.col("at") - pl.col("low") >= SHORTEST) & (pl.col("high") - pl.col("at") >= SHORTEST)
    told = around.filter(enough).with_columns(
        pl.lit(pl.Series(added, dtype=pl.Float64)).gather(place).alias(f"{name}_{place}")
        for name, added in (("y", sums.y), ("xy", sums.xy))
        for place in ("low", "at", "high")
    )
    every = pl.repeat(0.0, places[-1], eager=True)
    return every.scatter(told["at"], told.select(stepped()).to_series()).to_list()


def stepped() -> pl.Expr:
    """The step of `Sums.fit` in units of its standard error by scatter, at a row's place."""
    x1, y1, xx1, xy1 = sides("low", "at")
    x2, y2, xx2, xy2 = sides("at", "high")
    slope = (xy1 + xy2) / (xx1 + xx2)
    counts = [pl.col(high) - pl.col(low) for low, high in (("low", "at"), ("at", "high"))]
    spread = (1 / counts[0] + 1 / counts[1] + (x2 - x1).pow(2) / (xx1 + xx2)).sqrt()
    return (y2 - y1 - slope * (x2 - x1)).abs() / spread


def sides(low: str, high: str) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """`Sums.part` of the points between two columns of places, without what no strength needs."""
    n = (pl.col(high) - pl.col(low)).cast(pl.Float64)
    x = (pl.col(low) + pl.col(high) - 1) / 2
    y = (pl.col(f"y_{high}") - pl.col(f"y_{low}")) / n
    return x, y, n * (n * n - 1) / 12, pl.col(f"xy_{high}") - pl.col(f"xy_{low}") - n * x * y


def searched(sums: Sums, length: int, scatter: float, bar: float) -> Found:
    """The places that stand out of the scatter, the clearest first; then without those that a bend makes."""
    places = [0, length]
    each = strengths(sums, places)
    while len(places) <= length // (2 * SHORTEST) and (strongest := max(each)) >= bar * scatter:
        places = moved(sums, sorted([*places, length - 1 - each[::-1].index(strongest)]))
        each = strengths(sums, places)
    return proven(sums, places, each, scatter, bar)


def moved(sums: Sums, places: list[int]) -> list[int]:
    """The places, each where it is clearest between its neighbours."""
    for i in range(1, len(places) - 1):
        rest = [*places[:i], *places[i + 1 :]]
        low, high = max(places[i - 1] + 1, places[i] - sums.window), min(places[i + 1], places[i] + sums.window)
        places[i] = max((strength(sums, rest, at), -at, at) for at in range(low, high))[2]
    return places


def proven(sums: Sums, places: list[int], every: list[float], scatter: float, bar: float) -> Found:
    """The places that also stand out of how the fits themselves wander; the weakest leaves first."""
    while True:
        quiet = [s for s in every if s]
        wander = max(median(quiet) / NORMAL if quiet else 0.0, scatter)
        each = [(strength(sums, [p for p in places if p != at], at), at) for at in places[1:-1]]
        if not each or min(each)[0] >= bar * wander:
            n = min(sums.window, places[-1] // 2)
            return Found(sums=sums, places=places, finest=wander * sums.fit(0, n, 2 * n).spread)
        places = moved(sums, [p for p in places if p != min(each)[1]])
        every = strengths(sums, places)


def described(found: Found, which: int, scatter: float, middle: float, bar: float) -> Step:
    """One step with where else it can be, and how large it is."""
    sums, at = found.sums, found.places[which]
    low, high = beside(sums, [*found.places[:which], *found.places[which + 1 :]], at)
    fit = sums.fit(low, at, high)
    most = fit.left + limit("as_good_place") * scatter**2
    as_good = [t for t in range(low + SHORTEST, high - SHORTEST + 1) if sums.fit(low, t, high).left <= most]
    return Step(
        at=at,
        first=min([*as_good, at]),
        last=max([*as_good, at]),
        before=fit.before + middle,
        size=fit.step,
        reach=bar * scatter * fit.spread,
    )
