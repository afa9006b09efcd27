"""The same capture on another GPU, at another width, batch or TP: a range per kernel, never a measurement.

Per launch, with bytes and FLOPs scaled to the target and roofs as the ratio of two datasheets:

    seconds' = fixed + (seconds - fixed) * max(bytes'/bytes * bandwidth/bandwidth', limits of arithmetic)

The two ends of the range differ in `fixed` (nothing, or the shortest launch of the capture, which no roof
explains) and in how much of a change of weights other kernels realise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.sides import basis_of, footings, latency
from ncu_roofline.analysis.project.scales import Scales, Target, scales_of, stand_in, taken_over
from ncu_roofline.analysis.run.rows import of_experts
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import known_sum, ratio
from ncu_roofline.capture.capture import Run
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.verdicts import limit

ENDS = ("low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """A range of what the capture would be elsewhere. Not a measurement."""

    target: Target
    device: str
    basis: str
    rows: pl.DataFrame
    """By role: measured and projected bytes and seconds per basis."""
    total: dict[str, Any]
    """seconds, seconds_low, seconds_high per basis; bytes, bytes_low, bytes_high, None where they were not measured."""
    scales: Scales
    taken_over: dict[str, str | None]
    """Paths that the target has not, and what runs their work there."""
    device_before: str | None
    latency_share: float | None
    untold_share: float
    """Share of the time in kernels of which nothing tells what limits them."""
    run: Run

    @property
    def speedup(self) -> tuple[float, float]:
        """Lowest and highest, per token."""
        return self.total["seconds"] / self.total["seconds_high"], self.total["seconds"] / self.total["seconds_low"]


def project(study: Study, target: Target) -> Projection:
    """The projection of a capture; raises UnusableInput where what it starts from is not known."""
    basis = basis_of([study])
    footing = footings(study)[basis]
    measured = footing.launches.filter(pl.col("seconds").is_not_null())
    if not measured.height:
        raise UnusableInput(f"{study.capture.name}: no launch has a duration; nothing can be projected")
    if target.ep is not None and not measured.select(of_experts(measured).any()).item():
        raise UnusableInput(f"{study.capture.name}: `ep=` {target.ep}: no kernel of experts is in the capture")
    scales = scales_of(study, target)
    placed = moved(measured, scales).with_columns(**times(measured, study, target, scales))
    divided = per_basis(placed, footing.divisor, scales.batch if basis in ("token", "part") else 1.0)
    rows = divided.group_by("role", maintain_order=True).agg(*sums()).sort("seconds", descending=True)
    device = (target.gpu or study.gpu).product if target.gpu or study.gpu else "the same device"  # type: ignore[union-attr]
    return Projection(
        target=target,
        device=device,
        basis=basis,
        rows=rows,
        total=divided.select(*sums()).row(0, named=True),
        scales=scales,
        taken_over=taken_over(study, target.gpu),
        device_before=study.gpu.product if study.gpu else None,
        latency_share=measured.select(latency()).item(),
        untold_share=measured.select(untold_share()).item() or 0.0,
        run=study.run,
    )


def untold_share() -> pl.Expr:
    """Share of the time in launches of which nothing tells what limits them."""
    untold = pl.when(pl.col("limited_by").is_null()).then("seconds").otherwise(0.0)
    return ratio(untold.sum(), pl.col("seconds").sum())


def moved(launches: pl.DataFrame, scales: Scales) -> pl.DataFrame:
    """Launches with the bytes and FLOPs they would have: `bytes_low`, `bytes_high`, `work`."""
    role = pl.col("role").cast(pl.String).fill_null("")
    weights, cache = role == "fc", role.is_in(["attention", "kv-cache"])
    beside = activations()
    own = pl.col("dram_bytes")
    # another batch reads other experts: at most as many times the bytes as there are times the sequences
    experts = of_experts(launches) | pl.col("experts_read").is_not_null()
    part = pl.when(experts.fill_null(False)).then(scales.experts).otherwise(scales.tp)
    matrix = (own - beside) * scales.weights * part + beside * scales.batch
    others = own * scales.batch
    kept = own * scales.kv * scales.batch * scales.tp
    low = pl.when(weights).then(matrix).when(cache).then(kept).otherwise(others)
    head = weights & pl.col("layer").is_null()
    if scales.head is not None:
        named = (own - beside) * scales.head * scales.tp + beside * scales.batch
        low = pl.when(head & pl.lit(launches["layer"].count() > 0)).then(named).otherwise(low)
    # engines often leave the LM head in its own type
    whole = (own - beside) * scales.tp + beside * scales.batch
    kept_head = head & pl.lit(scales.weights < 1 and scales.head is None)
    high = pl.when(kept_head).then(whole).when(weights & experts).then(matrix * max(scales.batch, 1.0)).otherwise(low)
    shared = pl.when(weights).then(part).when(cache).then(scales.tp).otherwise(1.0)
    return launches.with_columns(
        bytes_low=pl.min_horizontal(low, high), bytes_high=pl.max_horizontal(low, high), work=executed(scales) * shared
    )


def activations() -> pl.Expr:
    """Bytes of an FC launch that are inputs and outputs, not weights; 0 where the matrix is not known."""
    beside = pl.col("activation_bytes").fill_null(0.0) + pl.col("output_bytes").fill_null(0.0)
    return pl.min_horizontal(beside, pl.col("dram_bytes") * 0.5)


def executed(scales: Scales) -> pl.Expr:
    """FLOPs at the other batch: tiles that are padded now fill up before there are more of them."""
    if scales.batch == 1.0:
        return pl.col("flops")
    grown = pl.coalesce("useful_flops", "flops") * scales.batch
    return pl.when(pl.col("useful_flops").is_not_null()).then(pl.max_horizontal(grown, "flops")).otherwise(grown)


def times(launches: pl.DataFrame, study: Study, target: Target, scales: Scales) -> dict[str, pl.Expr]:
    """Both ends of the time of each launch; kernels too small for either roof are kept as they are, and so at one end
    are those of which nothing tells what limits them.

    Another device runs a kernel at another share of its roof, and starts it in another time: by as much as measured pairs did.
    """
    small, untold = pl.col("limited_by").cast(pl.String) == "latency", pl.col("limited_by").is_null()
    ends: list[pl.Expr] = []
    for end in ENDS:
        factor = pl.max_horizontal(by_bytes(end, scales), by_work(study, target))
        ends += [fixed + (pl.col("seconds") - fixed) * factor for fixed in starts(launches, study)]
    elsewhere = target.gpu is not None and study.gpu is not None and target.gpu.product != study.gpu.product
    roof, start = (limit(f"other_device_{what}") if elsewhere else 0.0 for what in ("roof", "start"))
    least, most = pl.min_horizontal(ends) * (1 - roof), pl.max_horizontal(ends) * (1 + roof)
    low, high = pl.col("seconds") * (1 - start), pl.col("seconds") * (1 + start)
    return {
        "seconds_low": pl.when(small).then(low).when(untold).then(pl.min_horizontal(least, low)).otherwise(least),
        "seconds_high": pl.when(small).then(high).when(untold).then(pl.max_horizontal(most, high)).otherwise(most),
    }


def starts(launches: pl.DataFrame, study: Study) -> list[pl.Expr]:
    """What may be fixed in a launch's time: nothing, the shortest launch, or what such kernels of the device typically take."""
    shortest = float(launches["seconds"].min())  # type: ignore[arg-type]
    found = [pl.lit(0.0), pl.lit(shortest)]
    kinds = {kind: fit.start for (kind, _), fit in study.gpu.achieved.fits.items()} if study.gpu else {}
    if kinds:
        typical = pl.col("role").cast(pl.String).replace_strict(kinds, default=0.0, return_dtype=pl.Float64)
        # never more than half: what scales is then at least as much as what does not
        found.append(pl.min_horizontal(typical, pl.col("seconds") / 2))
    return found


def by_bytes(end: str, scales: Scales) -> pl.Expr:
    """Factor on the time of a launch that its bytes explain; 1 times the bandwidths where they are not known."""
    factor = ratio(f"bytes_{end}", "dram_bytes").fill_null(1.0)
    if end == "high" and (scales.weights != 1.0 or scales.head not in (None, 1.0)):
        # other weights are other kernels: measured pairs realise from a third to all of the bytes saved
        fc = pl.col("role").cast(pl.String).fill_null("") == "fc"
        worst = pl.lit(limit("slower_sparse")) if scales.sparse else factor.pow(limit("realised_least"))
        factor = pl.when(fc & (factor < 1)).then(worst).otherwise(factor)
    return factor * scales.bandwidth


def by_work(study: Study, target: Target) -> pl.Expr:
    """Factor below which arithmetic does not let the time fall; nothing for launches without FLOPs."""
    before, after = peaks(study.gpu), peaks(target.gpu or study.gpu)
    path = pl.col("path").cast(pl.String)
    quotient = {p: before[p] / after[other] for p in before if (other := stand_in(p, after))}
    if not quotient:
        return pl.lit(0.0)
    slower = path.replace_strict(quotient, default=None, return_dtype=pl.Float64)
    growth = ratio("work", "flops")
    # a launch limited by arithmetic keeps its share of the roof; any other may climb up to the roof
    bound = pl.col("limited_by").cast(pl.String).fill_null("") == "compute"
    share = pl.when(bound).then(1.0).otherwise(pl.col("compute_share").clip(0.0, 1.0))
    return (growth * slower * share).fill_null(0.0)


def peaks(gpu: Gpu | None) -> dict[str, float]:
    """Datasheet peaks by path."""
    return {p: v for p, v in gpu.peaks.items() if v} if gpu else {}


def per_basis(placed: pl.DataFrame, divisor: float, batch: float) -> pl.DataFrame:
    """Measured numbers per token of the capture, projected ones per token of the target's batch."""
    after = [pl.col(c) / divisor / batch for c in ("bytes_low", "bytes_high", "seconds_low", "seconds_high")]
    return placed.select(
        pl.col("role").cast(pl.String).fill_null("unclassified"),
        (pl.col("dram_bytes") / divisor).alias("bytes"),
        pl.col("seconds") / divisor,
        *after,
    )


def sums() -> list[pl.Expr]:
    """Totals of all measured and projected columns; null where nothing is known."""
    return [known_sum(c) for c in ("bytes", "bytes_low", "bytes_high", "seconds", "seconds_low", "seconds_high")]


def error(projection: Projection, measured: Study) -> dict[str, float]:
    """The projection against a capture taken there: measured seconds over both ends, less one."""
    footing = footings(measured).get(projection.basis)
    if footing is None:
        advice = "state its tokens or batch beside it"
        raise UnusableInput(f"{measured.capture.name}: numbers per {projection.basis} are not known of it; {advice}")
    seconds = float(footing.launches["seconds"].sum()) / footing.divisor
    return {
        "seconds": seconds,
        "below_low": seconds / projection.total["seconds_low"] - 1,
        "above_high": seconds / projection.total["seconds_high"] - 1,
    }
