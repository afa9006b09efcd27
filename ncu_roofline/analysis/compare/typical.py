"""What a change typically gives on matrices and attention of these sizes, beside what it gave; glue is apart."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import polars as pl

from ncu_roofline.analysis.compare.sides import Side, footings
from ncu_roofline.analysis.model.typical import Span, of_launches
from ncu_roofline.analysis.roofline.gains import reachable
from ncu_roofline.analysis.run.rows import of_experts, satellite
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.limits import THRESHOLDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """One side per token, step or whatever the comparison is per: seconds of kernel time."""

    typical: Span
    """Of weight matrices and attention."""
    took: float
    """What those took, their helpers included."""
    glue: float
    """What all other kernels took."""
    borrowed: tuple[tuple[str, str, str], ...] = ()
    """Family and GPU whose typical time was not fitted on that device, and what it was derived from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Base and head, and what follows."""

    base: Amounts
    head: Amounts

    @property
    def speedup(self) -> Span:
        """What is typical of matrices and attention of these sizes; the spreads of both sides are taken to be independent."""
        return self.base.typical.over(self.head.typical)

    @property
    def seen(self) -> float:
        """How many times as fast they became."""
        return self.base.took / self.head.took

    @property
    def realised(self) -> float | None:
        """ln(seen) / ln(typical): the part of the typical gain that was seen; None where none is typical."""
        usual = log(self.speedup.value)
        return None if abs(usual) < THRESHOLDS.no_typical_change else log(self.seen) / usual


def expected(base: Side, head: Side) -> Expected | None:
    """Both sides; None where nothing typical is known of a matrix or an attention that took time."""
    one, other = amounts(base), amounts(head)
    return None if one is None or other is None else Expected(base=one, head=other)


def amounts(side: Side) -> Amounts | None:
    """The mean over the captures of a side."""
    each = [of_capture(side, number) for number in range(side.captures)]
    known = [a for a in each if a is not None]
    if not known or len(known) < len(each):
        return None
    typical, count = [a.typical for a in known], len(known)
    return Amounts(
        typical=Span(**{end: sum(getattr(t, end) for t in typical) / count for end in ("low", "value", "high")}),
        took=sum(a.took for a in known) / count,
        glue=sum(a.glue for a in known) / count,
        borrowed=tuple(dict.fromkeys(b for a in known for b in a.borrowed)),
    )


def of_capture(side: Side, number: int) -> Amounts | None:
    """One capture's kernel time, typical and measured."""
    study = side.studies[number]
    footing = footings(study)[side.basis]
    rows = of_launches(footing.launches, study.gpu, study.run)
    main = pl.col("family").cast(pl.String).is_in(["fc", "attention"])
    ours = rows.filter(main)
    lacking = ours.filter(~satellite(ours) & pl.col("typical_seconds").is_null())
    if ours.is_empty() or lacking.height or rows["seconds"].null_count():
        return None
    columns = ("typical_seconds_low", "typical_seconds", "typical_seconds_high")
    low, value, high = (float(ours[c].sum()) / footing.divisor for c in columns)
    took, glue = (float(rows.filter(which)["seconds"].sum()) / footing.divisor for which in (main, ~main))
    if not value or not took:
        return None
    return Amounts(typical=Span(low=low, value=value, high=high), took=took, glue=glue, borrowed=borrowed(ours, study.gpu))


def borrowed(rows: pl.DataFrame, gpu: Gpu | None) -> tuple[tuple[str, str, str], ...]:
    """Families whose typical time was not fitted on this device, each with what it was derived from."""
    derived = rows.filter(pl.col("typical_borrowed").is_not_null(), pl.col("typical_seconds").is_not_null())
    each = derived.select(of_experts(derived).fill_null(False), pl.col("family").cast(pl.String), "typical_borrowed").unique(
        maintain_order=True
    )
    return tuple(
        ("experts" if grouped and family == "fc" else family, gpu.name if gpu else "", whence)
        for grouped, family, whence in each.iter_rows()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AtCeiling:
    """One side per token, step or whatever the comparison is per: kernel time, and what it would be at the ceiling."""

    bandwidth: float
    kind: str
    """What says so: stated, table, reported, capture, datasheet; of several captures the first."""
    seconds: float
    least: float


def at_ceiling(side: Side) -> AtCeiling | None:
    """What the kernels of a side would take if every one reached its ceiling; None where a gain is not known."""
    each = []
    for study in side.studies:
        footing = footings(study)[side.basis]
        found = reachable(footing.launches)
        if found is None or study.ceiling is None:
            return None
        each.append((found.seconds / footing.divisor, found.least / footing.divisor))
    best = side.studies[0].ceiling
    if best is None:
        return None
    seconds, least = (sum(values) / len(each) for values in zip(*each, strict=True))
    return AtCeiling(bandwidth=best.bandwidth, kind=best.kind, seconds=seconds, least=least)
