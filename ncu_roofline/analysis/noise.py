"""How far a total may be off by chance: from equal launches, and from repeated captures.

Launches that stand for each other in base and head differ by chance or by an effect common to their
kind, so the spread of ln(head / base) within a kind is noise: it leaves out what differs from layer to
layer on both sides alike. Where the two sides have no like launches, each side's own spread is taken.
The robust scale keeps a change in some of the layers from being called noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt

import polars as pl

from ncu_roofline.analysis.student import EFFICIENCY, effective, f_exceeds, quantile, robust_deviation
from ncu_roofline.knowledge.verdicts import QUANTITIES, limit

PRIOR = 4.0
"""Degrees of freedom that the spread of all kinds is worth for the spread of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Variance of one launch's ln(value), per side or of the difference of the two, and its weight."""

    paired: bool
    base: float | None
    head: float | None
    dof: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Variance of ln(head / base) of a total; `dof` 0 where nothing could be measured."""

    variance: float = 0.0
    dof: float = 0.0
    drift: bool = False
    """Repeated captures differ by more than their launches explain."""

    def reach(self, error: float) -> float | None:
        """|ln ratio| that chance exceeds with this probability; None where noise was not measured."""
        return quantile(error, self.dof) * sqrt(self.variance) if self.dof > 0 else None


def noise(base: pl.DataFrame, head: pl.DataFrame, by: str) -> dict[tuple[object, str], Noise]:
    """Noise of each row's change in each quantity; launches carry `pair`, equal for kernels that are each other."""
    sides = (slots(base, by), slots(head, by))
    found: dict[tuple[object, str], Noise] = {}
    for quantity in QUANTITIES:
        spreads, pooled = launch_spreads(sides, quantity)
        within = propagated(sides, quantity, spreads, pooled)
        between = repeated(base, head, by, quantity)
        for row in {*within, *between}:
            found[(row, quantity)] = together(within.get(row), between.get(row), limit(f"drift_{quantity}"))
    return found


def slots(launches: pl.DataFrame, by: str) -> pl.DataFrame:
    """One row per place of a launch in its kind, the mean over captures."""
    ordered = launches.sort("capture", "index").with_columns(
        slot=pl.int_range(pl.len()).over("capture", "pair", order_by="index")
    )
    keys = ["pair", "slot"]
    return ordered.group_by(keys, maintain_order=True).agg(
        pl.col(by).first().alias("row"), *(pl.col(q).sum() for q in QUANTITIES)
    )


def launch_spreads(sides: tuple[pl.DataFrame, pl.DataFrame], quantity: str) -> tuple[dict[int, Spread], Spread | None]:
    """Spread of each kind of launch, and the pooled one for kinds that occur once."""
    base, head = (logs(side, quantity) for side in sides)
    spreads: dict[int, Spread] = {}
    for pair in {*base, *head}:
        one, other = base.get(pair, {}), head.get(pair, {})
        if one.keys() == other.keys() and len(one) > 1:
            apart = [other[slot] - one[slot] for slot in sorted(one)]
            spreads[pair] = Spread(paired=True, base=squared(apart), head=None, dof=worth(len(apart)))
        elif max(len(one), len(other)) > 1:
            own, theirs = list(one.values()), list(other.values())
            spreads[pair] = Spread(
                paired=False, base=squared(own) if len(own) > 1 else None,
                head=squared(theirs) if len(theirs) > 1 else None, dof=worth(max(len(own), len(theirs))),
            )  # fmt: skip
    pooled = pool(list(spreads.values()))
    return {pair: moderated(spread, pooled) for pair, spread in spreads.items()}, pooled


def moderated(spread: Spread, pooled: Spread | None) -> Spread:
    """A kind's own variance, held towards that of all kinds: two launches alone tell next to nothing.

    The weighted mean of both, as limma does for few replicates (Smyth 2004), with the weight of PRIOR.
    """
    if pooled is None or pooled.base is None:
        return spread
    weight = min(PRIOR, pooled.dof)
    dof = spread.dof + weight
    prior = pooled.base * (2 if spread.paired else 1)

    def held(own: float | None) -> float | None:
        return None if own is None else (own * spread.dof + prior * weight) / dof

    return Spread(paired=spread.paired, base=held(spread.base), head=held(spread.head), dof=dof)


def logs(side: pl.DataFrame, quantity: str) -> dict[int, dict[int, float]]:
    """Pair -> slot -> ln(value), of values above zero."""
    found: dict[int, dict[int, float]] = {}
    for pair, slot, value in side.filter(pl.col(quantity) > 0).select("pair", "slot", quantity).iter_rows():
        found.setdefault(pair, {})[slot] = log(value)
    return found


def squared(values: list[float]) -> float:
    """Robust variance."""
    return robust_deviation(values) ** 2


def worth(count: int) -> float:
    """Degrees of freedom of the robust scale of this many values."""
    return max(EFFICIENCY * (min(count, 100) - 1), 0.5)


def pool(spreads: list[Spread]) -> Spread | None:
    """Variance of one launch on one side, over all kinds that occur more than once, by their weight."""
    each = [
        (v / 2 if s.paired else v, s.dof) for s in spreads for v in (s.base, s.head) if v is not None
    ]  # fmt: skip
    weight = sum(dof for _, dof in each)
    if not weight:
        return None
    mean = sum(v * dof for v, dof in each) / weight
    return Spread(paired=False, base=mean, head=mean, dof=weight)


def propagated(
    sides: tuple[pl.DataFrame, pl.DataFrame], quantity: str, spreads: dict[int, Spread], pooled: Spread | None
) -> dict[object, Noise]:
    """Noise of each row's total, were launches independent: shares squared times spread over count."""
    if pooled is None:
        return {}
    parts: dict[object, list[tuple[float, float]]] = {}
    for row, pair, weights, counts in shares(sides, quantity):
        spread = spreads.get(pair, pooled)
        variance = 0.0
        if spread.paired and counts[0] and counts[1]:
            mean = (weights[0] + weights[1]) / 2
            variance = mean**2 * (spread.base or 0.0) / min(counts)
        else:
            for weight, count, own in zip(weights, counts, (spread.base, spread.head), strict=True):
                known = next((v for v in (own, spread.base, spread.head) if v is not None), 0.0)
                variance += weight**2 * known / count if count else 0.0
        parts.setdefault(row, []).append((variance, spread.dof))
    return {row: Noise(variance=v, dof=d) for row, p in parts.items() for v, d in [effective(sorted(p))]}


def shares(
    sides: tuple[pl.DataFrame, pl.DataFrame], quantity: str
) -> list[tuple[object, int, tuple[float, float], tuple[int, int]]]:
    """Each kind's share of its row, and how many launches of it there are, on both sides."""
    frames = [
        side.group_by("row", "pair", maintain_order=True)
        .agg(pl.col(quantity).sum().alias("sum"), pl.col(quantity).count().alias("count"))
        .with_columns(weight=pl.col("sum") / pl.col("sum").sum().over("row"))
        .with_columns(pl.when(pl.col("weight").is_finite()).then("weight").otherwise(0.0))
        .select("row", "pair", "weight", "count")
        for side in sides
    ]  # fmt: skip
    keys = ["row", "pair"]
    both = frames[0].join(frames[1], on=keys, how="full", coalesce=True, suffix="_head", nulls_equal=True).fill_null(0)
    return [(r, p, (w, wh), (c, ch)) for r, p, w, c, wh, ch in both.iter_rows()]


def repeated(base: pl.DataFrame, head: pl.DataFrame, by: str, quantity: str) -> dict[object, Noise]:
    """Noise of each row's change from the spread of repeated captures, both sides pooled."""
    found: dict[object, list[tuple[float, int]]] = {}
    for side in (base, head):
        sums = side.group_by(by, "capture", maintain_order=True).agg(pl.col(quantity).sum())
        for row, values in sums.group_by(by, maintain_order=True).agg(quantity).iter_rows():
            known = [log(v) for v in values if v and v > 0]
            mean = sum(known) / len(known) if known else 0.0
            found.setdefault(row, []).append((sum((v - mean) ** 2 for v in known), len(known)))
    return {row: n for row, parts in found.items() if (n := from_repeats(parts)) is not None}


def from_repeats(parts: list[tuple[float, int]]) -> Noise | None:
    """Variance of the difference of two means of repeated captures; None without repeats."""
    dof = sum(n - 1 for _, n in parts if n > 0)
    if dof < 1 or len(parts) < 2 or any(n == 0 for _, n in parts):
        return None
    each = sum(s for s, _ in parts) / dof
    return Noise(variance=each * sum(1 / n for _, n in parts), dof=dof)


def together(launches: Noise | None, captures: Noise | None, doubt: float) -> Noise:
    """Both estimates pooled, unless captures differ by more than their launches explain with this chance."""
    if launches is None or captures is None:
        return launches or captures or Noise()
    ratio = captures.variance / launches.variance if launches.variance > 0 else inf if captures.variance > 0 else 0.0
    if f_exceeds(ratio, captures.dof, launches.dof) < doubt:
        return Noise(variance=captures.variance, dof=captures.dof, drift=True)
    dof = launches.dof + captures.dof
    pooled = (launches.variance * launches.dof + captures.variance * captures.dof) / dof
    return Noise(variance=pooled, dof=dof)
