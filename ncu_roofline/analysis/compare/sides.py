"""One side of a comparison: captures of one run, their launches scaled to one token (or step)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.roofline.overview import lacking
from ncu_roofline.analysis.run.basis import basis
from ncu_roofline.analysis.run.basis import decode_launches as in_decode
from ncu_roofline.analysis.study import Study
from ncu_roofline.knowledge.verdicts import QUANTITIES, limit

BASES = ("token", "step", "layer", "part", "capture")
"""What numbers are divided by; `part` is a token's share of a window that is less than a step and has no whole layer."""
COLUMNS = {"bytes": "dram_bytes", "flops": "flops", "seconds": "seconds"}
UNITS = {"bytes": "byte", "flops": "FLOP", "seconds": "s"}
UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Launches of all captures of one side; `bytes`, `flops` and `seconds` are per `basis`."""

    studies: tuple[Study, ...]
    launches: pl.DataFrame
    basis: str

    @property
    def captures(self) -> int:
        """How many captures this side has."""
        return len(self.studies)

    @property
    def name(self) -> str:
        """Their names, for people."""
        return ", ".join(s.capture.name for s in self.studies)


def per(basis: str) -> str:
    """What numbers on a basis are divided by, in a word."""
    return "token" if basis == "part" else basis


def decode_launches(study: Study) -> pl.DataFrame:
    """Launches of decode steps; all of them where none is known to be one."""
    decode = in_decode(study.launches)
    return decode if decode.height else study.launches


def only_prefill(study: Study) -> bool:
    """Whether every launch belongs to a prefill pass, or stands beside nothing else."""
    return not study.launches.is_empty() and in_decode(study.launches).is_empty()


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """Which launches count on a basis, and by how much they are divided."""

    launches: pl.DataFrame
    divisor: float
    scaled: bool = False
    """Whether layers that were captured stand for others."""


def footings(study: Study) -> dict[str, Footing]:
    """Every basis that a capture supports."""
    decode = decode_launches(study)
    found = {"capture": Footing(launches=decode, divisor=1.0)}
    layers = whole_layers(decode)
    if layers is not None:
        found["layer"] = layers
    batch, steps = study.run.batch.value, begun(decode)
    if batch and steps == 1:
        found["part"] = Footing(launches=decode, divisor=float(batch) * float(study.run.accepted.value or 1))
    counted = basis(study.launches, study.run)
    for kind, number in (("step", counted.steps), ("token", counted.tokens)):
        if number and counted.launches.height:  # of a prompt alone no token of decode is told
            found[kind] = Footing(
                launches=counted.launches, divisor=number * counted.gpus / counted.scale, scaled=counted.scale != 1
            )
    return found


def whole_layers(launches: pl.DataFrame) -> Footing | None:
    """The whole layers of a window that is less than a step; None where it has none."""
    whole = launches.filter(pl.col("layer_whole").fill_null(False) & pl.col("layer").is_not_null())
    count = whole.select("process", "device", "step", "layer").n_unique()
    return Footing(launches=whole, divisor=float(count)) if whole.height else None


def covered(study: Study) -> int:
    """Launches of attention on a capture that does not tell what it stands for: one a layer, as a rule."""
    return decode_launches(study).filter(pl.col("role").cast(pl.String) == "attention").height


def begun(decode: pl.DataFrame) -> int:
    """How many steps the launches belong to, whole or not."""
    return decode["step"].drop_nulls().n_unique()


def basis_of(studies: Sequence[Study]) -> str:
    """The finest basis that every capture supports."""
    each = [footings(s) for s in studies]
    return next(b for b in BASES if all(b in f for f in each))


def side(studies: Sequence[Study], kind: str) -> Side:
    """One side on this basis: every capture counts 1/n, so that sums are means over captures."""
    frames = [scaled(study, number, kind, len(studies)) for number, study in enumerate(studies)]
    return Side(studies=tuple(studies), launches=pl.concat(frames, how="vertical"), basis=kind)


def scaled(study: Study, number: int, kind: str, captures: int) -> pl.DataFrame:
    """The launches of one capture in the columns that comparing needs."""
    footing = footings(study)[kind]
    counted = shared(footing.launches, 1 / (footing.divisor * captures))
    return counted.select(pl.lit(number, pl.Int64).alias("capture"), pl.all())


def shared(launches: pl.DataFrame, share: float) -> pl.DataFrame:
    """This part of every launch, in the columns that comparing needs."""
    return launches.select(
        "index",
        "kernel",
        "name",
        shape("grid"),
        shape("block"),
        pl.col("role").cast(pl.String).fill_null(UNCLASSIFIED),
        pl.col("family").cast(pl.String).fill_null("other"),
        "layer",
        "position",
        "step",
        *((pl.col(c) * share).alias(q) for q, c in COLUMNS.items()),
        pl.lit(share).alias("share"),
        pl.col("useful_flops") * share,
        (pl.col("seconds") * pl.coalesce("bandwidth", "bandwidth_at_clock") * share).alias("bytes_most"),
        (pl.col("seconds") * pl.coalesce("peak", "peak_at_clock") * share).alias("flops_most"),
        (pl.col("dram_bytes") / pl.coalesce("bandwidth", "bandwidth_at_clock") * share).alias("seconds_least"),
        lacking().alias("flops_lacking"),
        "intensity",
        "useful_intensity",
        "useful_intensity_low",
        "useful_intensity_high",
        "ridge",
        pl.col("limited_by").cast(pl.String),
        "bandwidth_share",
        "compute_share",
        *(pl.col(f"{c}_source").cast(pl.String).alias(f"{q}_source") for q, c in list(COLUMNS.items())[:2]),
    )


def shape(name: str) -> pl.Expr:
    """A grid or block as one word: `132x1x1`."""
    return pl.col(name).arr.to_list().cast(pl.List(pl.String)).list.join("x").fill_null(UNKNOWN_SHAPE).alias(name)


UNKNOWN_SHAPE = "?"
"""The word for a grid or block that was not recorded."""


def gaps(launches: pl.DataFrame) -> dict[str, float]:
    """Which part of the launches lacks each number: by time, by bytes where time itself is lacking."""
    weight = pl.col("bytes") if launches["seconds"].null_count() == launches.height else pl.col("seconds")
    known = launches.with_columns(weight.fill_null(0.0).alias("weight"))
    total = float(known["weight"].sum())

    def part(q: str) -> float:
        if total > 0 and q != "seconds":
            return float(known.filter(pl.col(q).is_null())["weight"].sum()) / total
        return launches[q].null_count() / max(launches.height, 1)

    return {q: part(q) for q in QUANTITIES}


def totals(launches: pl.DataFrame, by: str) -> pl.DataFrame:
    """Sums of each row; null where more than a small part of the row was not measured, as a time of nothing was not."""
    weight = pl.col("seconds").fill_null(0.0)

    def summed(q: str) -> pl.Expr:
        lacking = pl.col(q).is_null()
        by_time = weight.filter(lacking).sum() / weight.sum()
        by_count = lacking.sum() / pl.len()
        part = pl.when(weight.sum() > 0).then(by_time).otherwise(by_count) if q != "seconds" else by_count
        known = part <= limit("unknown_part")
        return pl.when(known & (pl.col(q).sum() > 0) if q == "seconds" else known).then(pl.col(q).sum()).alias(q)

    return launches.group_by(by, maintain_order=True).agg(
        *(summed(q) for q in QUANTITIES),
        *(bound for q in QUANTITIES for bound in bounds(q)),
        pl.col("share").sum().alias("launches"),
        useful().alias("useful_flops"),
        beyond().alias("beyond"),
        latency().alias("latency_share"),
        bandwidth().alias("bandwidth_share"),
    )


def bounds(q: str) -> tuple[pl.Expr, pl.Expr]:
    """The least and the most that a sum can be: launches that lack the number moved at most what their roof allows.

    Executed work of which a main kind was not counted is no more than its roof allows. Null where something has no bound.
    """
    known = pl.col(q).is_not_null() & (~pl.col("flops_lacking") if q == "flops" else True)
    counted = pl.col(q).filter(known).sum()
    if q == "seconds":
        return (counted + pl.col("seconds_least").filter(~known).sum()).alias("seconds_low"), pl.when(known.all()).then(
            counted
        ).alias("seconds_high")
    most = pl.max_horizontal(f"{q}_most", pl.col(q).fill_null(0.0))
    bounded = (known | pl.col(f"{q}_most").is_not_null()).all()
    return pl.col(q).sum().alias(f"{q}_low"), pl.when(bounded).then(counted + most.filter(~known).sum()).alias(f"{q}_high")


def useful() -> pl.Expr:
    """Useful FLOPs of FC and attention; null where a launch of theirs that did work lacks them."""
    counted = pl.col("family").is_in(["fc", "attention"]) & (pl.col("flops").fill_null(1.0) > 0)
    lacking = counted & pl.col("useful_flops").is_null()
    return pl.when(~lacking.any()).then(pl.col("useful_flops").sum())


def beyond() -> pl.Expr:
    """Part of the DRAM bytes moved by kernels that useful work proves to lie beyond their ridge; null where none has a side.

    So do the least and the most that it can be; and executed work left of the ridge, than which useful work is no more.
    """
    left = [pl.when(pl.col(most) <= pl.col("ridge")).then(most) for most in ("useful_intensity_high", "intensity")]
    right = pl.when(pl.col("useful_intensity_low") > pl.col("ridge")).then("useful_intensity_low")
    placed = pl.coalesce("useful_intensity", *left, right)
    known = placed.is_not_null() & pl.col("ridge").is_not_null()
    moved = pl.col("bytes").sum()
    return pl.when(known.any() & (moved > 0)).then(pl.col("bytes").filter(known & (placed > pl.col("ridge"))).sum() / moved)


def latency() -> pl.Expr:
    """Part of the time in kernels too small for either roof; null where the limit of most of the time is unknown."""
    known = pl.col("limited_by").is_not_null()
    time = pl.col("seconds").filter(known).sum()
    most = (time > 0) & (time >= limit("known_limit") * pl.col("seconds").sum())
    return pl.when(most).then(pl.col("seconds").filter(pl.col("limited_by") == "latency").sum() / time)


def bandwidth() -> pl.Expr:
    """Share of the memory bandwidth, weighted by time."""
    known = pl.col("bandwidth_share").is_not_null() & pl.col("seconds").is_not_null()
    time = pl.col("seconds").filter(known).sum()
    return pl.when(known.any() & (time > 0)).then((pl.col("bandwidth_share") * pl.col("seconds")).filter(known).sum() / time)
