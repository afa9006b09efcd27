"""How much one launch of each kind varies by chance, from launches that are alike.

Launches that stand for each other in base and head differ by chance or by an effect common to their
kind, so the spread of ln(head / base) within a kind is noise: it leaves out what differs from layer to
layer on both sides alike. Where the two sides have no like launches, each side's own spread is taken.
The robust scale keeps a change in some of the layers from being called noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import polars as pl

from ncu_roofline.analysis.compare.student import EFFICIENCY, robust_deviation
from ncu_roofline.knowledge.verdicts import limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Variance of one launch's ln(value), per side or of the difference of the two, and its weight."""

    paired: bool
    base: float | None
    head: float | None
    dof: float


Logs = dict[int, dict[int, float]]


def spreads(base: pl.DataFrame, head: pl.DataFrame, quantity: str) -> dict[int, Spread]:
    """Spread of every kind of launch; empty where no kind has two launches."""
    sides = (logs(base, quantity), logs(head, quantity))
    pairs = sorted({*sides[0], *sides[1]})
    own = {pair: found for pair in pairs if (found := spread(sides[0].get(pair, {}), sides[1].get(pair, {})))}
    if not own:
        return {}
    sizes = {pair: size(*(side.get(pair, {}) for side in sides)) for pair in pairs}
    pooled = pool(own, sizes)
    return {pair: moderated(own.get(pair), pooled[sizes[pair]]) for pair in pairs}


def logs(side: pl.DataFrame, quantity: str) -> Logs:
    """Pair -> slot -> ln(value), of values above zero."""
    found: Logs = {}
    for pair, slot, value in side.filter(pl.col(quantity) > 0).select("pair", "slot", quantity).iter_rows():
        found.setdefault(pair, {})[slot] = log(value)
    return found


def spread(base: dict[int, float], head: dict[int, float]) -> Spread | None:
    """A kind's own spread; None where it has one launch."""
    if base.keys() == head.keys() and len(base) > 1:
        apart = [head[slot] - base[slot] for slot in sorted(base)]
        return Spread(paired=True, base=variance(apart), head=None, dof=worth(len(apart)))
    if max(len(base), len(head)) < 2:
        return None
    one, other = (variance(list(side.values())) if len(side) > 1 else None for side in (base, head))
    return Spread(paired=False, base=one, head=other, dof=worth(max(len(base), len(head))))


def variance(values: list[float]) -> float:
    """Robust variance."""
    return robust_deviation(values) ** 2


def worth(count: int) -> float:
    """Degrees of freedom of the robust scale of this many values."""
    return max(EFFICIENCY * (min(count, 100) - 1), 0.5)


def size(base: dict[int, float], head: dict[int, float]) -> int:
    """The power of ten nearest to a launch of this kind."""
    values = [*base.values(), *head.values()]
    return round(sum(values) / len(values) / log(10))


def pool(own: dict[int, Spread], sizes: dict[int, int]) -> dict[int, Spread]:
    """Variance of one launch on one side at each size, over the kinds that occur more than once."""
    told: dict[int, list[float]] = {}
    for pair, found in own.items():
        parts = told.setdefault(sizes[pair], [0.0, 0.0])
        for value in (found.base, found.head):
            if value is not None:
                parts[0] += value / (2 if found.paired else 1) * found.dof
                parts[1] += found.dof
    return {here: of_size(here, told) for here in set(sizes.values())}


def of_size(here: int, told: dict[int, list[float]]) -> Spread:
    """The pooled variance of kinds of this size, joined by the next sizes until there are enough."""
    total = dof = 0.0
    for distance in sorted({abs(there - here) for there in told}):
        near = [parts for there, parts in told.items() if abs(there - here) == distance]
        total, dof = total + sum(part for part, _ in near), dof + sum(part for _, part in near)
        if dof >= limit("enough_dof"):
            break
    return Spread(paired=False, base=total / dof, head=total / dof, dof=dof)


def moderated(own: Spread | None, pooled: Spread) -> Spread:
    """A kind's own variance, held towards that of kinds of its size: two launches alone tell next to nothing.

    The weighted mean of both, as limma does for few replicates (Smyth 2004), with the weight of `prior_dof`.
    """
    if own is None:
        return pooled
    weight = min(limit("prior_dof"), pooled.dof)
    dof = own.dof + weight
    prior = pooled.base * (2 if own.paired else 1)  # type: ignore[operator]

    def held(value: float | None) -> float | None:
        return None if value is None else (value * own.dof + prior * weight) / dof

    return Spread(paired=own.paired, base=held(own.base), head=held(own.head), dof=dof)
