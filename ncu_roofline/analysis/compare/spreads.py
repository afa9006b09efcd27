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

PRIOR = 4.0
"""Degrees of freedom that the spread of all kinds is worth for the spread of one."""


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
    pooled = pool(own)
    return {pair: moderated(own.get(pair), pooled) for pair in pairs}


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


def pool(own: dict[int, Spread]) -> Spread:
    """Variance of one launch on one side, over all kinds that occur more than once."""
    each = [(v / 2 if s.paired else v, s.dof) for s in own.values() for v in (s.base, s.head) if v is not None]
    weight = sum(dof for _, dof in each)
    mean = sum(v * dof for v, dof in each) / weight
    return Spread(paired=False, base=mean, head=mean, dof=weight)


def moderated(own: Spread | None, pooled: Spread) -> Spread:
    """A kind's own variance, held towards that of all kinds: two launches alone tell next to nothing.

    The weighted mean of both, as limma does for few replicates (Smyth 2004), with the weight of PRIOR.
    """
    if own is None:
        return pooled
    weight = min(PRIOR, pooled.dof)
    dof = own.dof + weight
    prior = pooled.base * (2 if own.paired else 1)  # type: ignore[operator]

    def held(value: float | None) -> float | None:
        return None if value is None else (value * own.dof + prior * weight) / dof

    return Spread(paired=own.paired, base=held(own.base), head=held(own.head), dof=dof)
