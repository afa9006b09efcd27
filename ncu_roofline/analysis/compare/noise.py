"""How far a total may be off by chance: from equal launches, and from repeated captures."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt

import polars as pl

from ncu_roofline.analysis.compare.spreads import Spread, spreads
from ncu_roofline.analysis.compare.student import effective, f_exceeds, quantile
from ncu_roofline.knowledge.verdicts import QUANTITIES, limit


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
        within = propagated(sides, quantity, spreads(*sides, quantity))
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


def propagated(sides: tuple[pl.DataFrame, pl.DataFrame], quantity: str, known: dict[int, Spread]) -> dict[object, Noise]:
    """Noise of each row's total, were launches independent: shares squared times spread over count."""
    parts: dict[object, list[tuple[float, float]]] = {}
    for row, pair, weights, counts in shares(sides, quantity):
        if (spread := known.get(pair)) is not None:
            parts.setdefault(row, []).append((variance_of(spread, weights, counts), spread.dof))
    return {row: Noise(variance=v, dof=d) for row, p in parts.items() for v, d in [effective(sorted(p))]}


def variance_of(spread: Spread, weights: tuple[float, float], counts: tuple[int, int]) -> float:
    """What the launches of one kind add to the variance of ln(head / base) of a total."""
    if spread.paired and counts[0] and counts[1]:
        mean = (weights[0] + weights[1]) / 2
        return mean**2 * (spread.base or 0.0) / min(counts)
    variance = 0.0
    for weight, count, own in zip(weights, counts, (spread.base, spread.head), strict=True):
        known = next((v for v in (own, spread.base, spread.head) if v is not None), 0.0)
        variance += weight**2 * known / count if count else 0.0
    return variance


def shares(
    sides: tuple[pl.DataFrame, pl.DataFrame], quantity: str
) -> list[tuple[object, int, tuple[float, float], tuple[int, int]]]:
    """Each kind's share of its row, and how many launches of it there are, on both sides."""
    frames = [
        side.group_by("row", "pair", maintain_order=True)
        .agg(pl.col(quantity).sum().alias("sum"), pl.col(quantity).count().alias("count"))
        .with_columns(weight=pl.col("sum") / pl.col("sum").sum().over("row"))
        .with_columns(pl.when(pl.col("weight").is_finite()).then("weight"))
        .select("row", "pair", "weight", "count")
        for side in sides
    ]
    keys = ["row", "pair"]
    both = frames[0].join(frames[1], on=keys, how="full", coalesce=True, suffix="_head", nulls_equal=True).fill_null(0)
    return [(r, p, (w, wh), (c, ch)) for r, p, w, c, wh, ch in both.iter_rows()]


def repeated(base: pl.DataFrame, head: pl.DataFrame, by: str, quantity: str) -> dict[object, Noise]:
    """Noise of each row's change from the spread of repeated captures, both sides pooled."""
    found: dict[object, list[tuple[float, int]]] = {}
    for side in (base, head):
        sums = side.group_by(by, "capture", maintain_order=True).agg(pl.col(quantity).sum())
        for row, values in sums.group_by(by, maintain_order=True).agg(quantity).iter_rows():
            known = [log(v) for v in values if v > 0]
            mean = sum(known) / max(len(known), 1)
            found.setdefault(row, []).append((sum((v - mean) ** 2 for v in known), len(known)))
    return {row: n for row, parts in found.items() if (n := from_repeats(parts)) is not None}


def from_repeats(parts: list[tuple[float, int]]) -> Noise | None:
    """Variance of the difference of two means of repeated captures; None without repeats."""
    dof = sum(n - 1 for _, n in parts)
    if dof < 1 or len(parts) < 2 or any(n == 0 for _, n in parts):
        return None
    each = sum(s for s, _ in parts) / dof
    return Noise(variance=each * sum(1 / n for _, n in parts), dof=dof)


def together(launches: Noise | None, captures: Noise | None, doubt: float) -> Noise:
    """Both estimates pooled, unless they contradict each other with this chance: then what captures show.

    Captures that differ by more than their launches explain drift; ones that differ by less have launches
    whose kinds were not as alike as they seemed.
    """
    if launches is None or captures is None:
        return launches or captures or Noise()
    ratio = captures.variance / launches.variance if launches.variance > 0 else inf if captures.variance > 0 else 1.0
    drift = f_exceeds(ratio, captures.dof, launches.dof) < doubt
    calm = ratio > 0 and f_exceeds(1 / ratio, launches.dof, captures.dof) < limit("calm")
    if drift or calm:
        return Noise(variance=captures.variance, dof=captures.dof, drift=drift)
    dof = launches.dof + captures.dof
    pooled = (launches.variance * launches.dof + captures.variance * captures.dof) / dof
    return Noise(variance=pooled, dof=dof)
