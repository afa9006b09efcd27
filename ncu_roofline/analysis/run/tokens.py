"""Bytes, FLOPs and seconds per token and per step: by role, layer, kernel, step or weight matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.roofline.overview import lacking
from ncu_roofline.analysis.run.basis import LOOKED_AT, Basis, basis, decode_launches, layers_in, where
from ncu_roofline.analysis.run.clock import stated_seconds
from ncu_roofline.analysis.run.ranks import Ranks, ranks
from ncu_roofline.analysis.sums import known_sum
from ncu_roofline.capture.capture import Run
from ncu_roofline.errors import UnusableInput

MEASURES = ("seconds", "dram_bytes", "dram_read_bytes", "dram_write_bytes", "flops", "useful_flops")
SPREAD = ("dram_bytes", "seconds")
KEYS = {
    "role": ("role",),
    "layer": ("layer",),
    "kernel": ("kernel", "role"),
    "step": ("step",),
    "projection": ("projection", "matrix_n", "matrix_k"),
}
STREAMED = ("matrix_bytes", "experts_read", "activation_bytes", "output_bytes")
"""What tells how often a launch reads its matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the decode launches of a capture move and do; per GPU, None where nothing was measured."""

    basis: str
    tokens: float | None
    steps: float | None
    scale: float
    gpus: int
    tp: int
    """GPUs that share the model: as stated, else all that ran its steps."""
    launches: int
    how: str
    sums: Mapping[str, float | None]
    """Measure -> sum over the launches that count, all GPUs of the capture."""
    layers_only: bool = False
    """Whether a part of a step stands for the whole, without embedding and LM head."""
    unknown: Mapping[str, int]
    """Measure -> launches for which it was not measured."""
    phase: str = "decode"
    lone: bool = False
    """Whether this is one rank of several, and nothing tells of how many."""
    positions: float | None = None
    """Rows of the steps where drafts are verified: each is a token that may be accepted."""
    torn: int = 0
    """Launches outside of whole layers that do not count."""
    layers: int = 0
    """Layers that the launches hold."""
    unit: str = "whole layer"
    """What those are: a layer, or only what repeats where none of them has a matrix."""
    ranks: Ranks | None = None
    """What each GPU of the capture moves; None of a single one."""
    flops_partial: int = 0
    """Launches of which a main kind of work was not counted."""
    stated_seconds: float | None = None
    """One step without a profiler, as the user states it: it stands for the sum of kernel times."""

    @property
    def flops_least(self) -> bool:
        """Whether there was more work than the FLOPs tell."""
        return bool(self.flops_partial or self.unknown["flops"])

    def per_step(self, measure: str) -> float | None:
        """Of one GPU in one decode step."""
        return self._divided(measure, self.steps)

    def per_token(self, measure: str) -> float | None:
        """Of one GPU for one token."""
        return self._divided(measure, self.tokens)

    def per_position(self, measure: str) -> float | None:
        """Of one GPU for one verified position: the row of a token or of a draft."""
        return self._divided(measure, self.positions)

    def per_basis(self, measure: str) -> float | None:
        """Of a token or a step, whichever the figures are of; else the sum of the capture."""
        return {"token": self.per_token, "step": self.per_step}.get(self.basis, self.sums.__getitem__)(measure)

    @property
    def kernels_per_step(self) -> float | None:
        """Kernel time under the profiler, of one GPU in one decode step."""
        return replace(self, stated_seconds=None).per_step("seconds")

    def over_all(self, measure: str) -> float | None:
        """Per token over all GPUs that share the model."""
        each = self.per_token(measure)
        return None if each is None or self.lone else each * self.tp

    def _divided(self, measure: str, number: float | None) -> float | None:
        if measure == "seconds" and self.stated_seconds is not None and self.steps and number:
            return self.stated_seconds * self.steps / number
        total = self.sums[measure]
        return None if total is None or not number else total * self.scale / self.gpus / number


def totals(launches: pl.DataFrame, run: Run, phase: str = "decode") -> Totals:
    """The sums over decode (or another phase), with what they are to be divided by."""
    partial = (pl.col("flops").is_not_null() & lacking()).alias("partial")
    found = basis(launches.select(*LOOKED_AT, *MEASURES, partial), run, phase)
    row = found.launches.select(*sums(), *unknowns()).row(0, named=True)
    return Totals(
        basis=found.kind,
        tokens=found.tokens,
        steps=found.steps,
        scale=found.scale,
        gpus=found.gpus,
        tp=int(run.tp.value or found.gpus),
        lone=found.gpus == 1 and run.tp.value is None and bool(run.tp.evidence),
        launches=found.launches.height,
        how=found.how,
        layers_only=found.layers_only,
        phase=found.phase,
        positions=found.positions,
        torn=found.torn,
        layers=layers_in(found.launches),
        unit=found.unit,
        ranks=ranks(found.launches),
        sums={m: row[m] for m in MEASURES},
        unknown={m: row[f"{m}_unknown"] for m in MEASURES},
        flops_partial=int(found.launches["partial"].sum()),
        stated_seconds=stated_seconds(run) if found.steps and phase == "decode" else None,
    )


def of_shown(launches: pl.DataFrame, run: Run, phase: str = "decode") -> Totals:
    """The totals of just these launches, as shares and tables beside them count all: also those outside of whole layers."""
    found = totals(launches, run, phase)
    return totals(launches, run, "all") if found.torn else found


def sums() -> list[pl.Expr]:
    """Sums of what is known; null where nothing is."""
    return [known_sum(m).alias(m) for m in MEASURES]


def unknowns() -> list[pl.Expr]:
    """Launches for which a measure is not known."""
    return [pl.col(m).null_count().alias(f"{m}_unknown") for m in MEASURES]


def per_token(launches: pl.DataFrame, run: Run, by: str = "role", phase: str = "decode") -> pl.DataFrame:
    """One row per role, layer, kernel, step or projection of the decode launches.

    Columns: the keys, `launches`, every measure summed, `<measure>_unknown`, `<measure>_per_step` and
    `_per_token` (of one GPU; null where steps or tokens are unknown), and the spread of bytes and seconds
    over steps or layers: `spread_over`, `<measure>_low`, `_median`, `_high`.
    """
    if by not in KEYS:
        raise UnusableInput(f"`by=` {by!r} is not possible; choose from {', '.join(KEYS)}")
    keys = list(KEYS[by])
    placed = by in ("layer", "step", "projection")
    # of a million launches, every column that is filtered along takes its memory again
    needed = launches.select({*LOOKED_AT, *keys, *MEASURES, *(STREAMED if by == "projection" else ())})
    found = every_matrix(needed, run) if by == "projection" else basis(needed, run, phase)
    counted = found.launches
    counted = where(counted, pl.col(keys[0]).is_not_null()) if placed else counted
    table = counted.group_by(keys, maintain_order=True).agg(pl.len().alias("launches"), *sums(), *unknowns(), *streamed(by))
    divided = table.with_columns(divisions(found, by))
    spread = spreads(counted, keys, by)
    joined = divided.join(spread, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return ordered(joined, keys, by)


def every_matrix(launches: pl.DataFrame, run: Run) -> Basis:
    """All decode launches, those of layers that the window cuts too: a matrix is streamed or it is not.

    Cut layers belong to no whole step, so figures per step are then unknown.
    """
    found = basis(launches, run)
    if found.scale == 1.0 and not found.torn:
        return found
    return replace(found, launches=decode_launches(launches), steps=None, tokens=None, scale=1.0)


def divisions(found: Basis, by: str) -> list[pl.Expr]:
    """Every measure of one GPU per step and per token."""
    # a step's row holds one step, however many there are
    part = found.steps if by == "step" and found.steps else 1.0
    steps, tokens = (number / part if number else None for number in (found.steps, found.tokens))
    # layers of a scaled window stand for others: a single one is not multiplied
    scale = 1.0 if by == "layer" else found.scale
    parts = []
    for suffix, number in (("per_step", steps), ("per_token", tokens)):
        factor = scale / found.gpus / number if number else None
        parts += [(pl.col(m) * pl.lit(factor, pl.Float64)).alias(f"{m}_{suffix}") for m in MEASURES]
    return parts


def streamed(by: str) -> list[pl.Expr]:
    """For weight matrices: how many times their bytes were read, distinct experts, and what explains the excess."""
    if by != "projection":
        return []
    read = pl.coalesce("dram_read_bytes", "dram_bytes")
    known = read.is_not_null() & pl.col("matrix_bytes").is_not_null()
    bytes_of, moved = pl.col("matrix_bytes").filter(known).sum(), read.filter(known).sum()
    ratio = pl.when(bytes_of > 0).then(moved / bytes_of)
    lone = pl.col("experts_read").count() == 0
    beside = pl.col("activation_bytes").filter(known).sum()
    written = pl.when(pl.col("dram_read_bytes").is_null()).then("output_bytes").filter(known).sum()
    least, most = beside / bytes_of, (beside + written) / bytes_of
    excess = ratio - 1
    return [
        pl.col("matrix_bytes").first(),
        pl.col("experts_read").median(),
        pl.when(lone).then(ratio).alias("read_amplification"),
        pl.when(lone & (bytes_of > 0)).then(least).alias("explained_low"),
        pl.when(lone & (bytes_of > 0)).then(most).alias("explained_high"),
        pl.when(lone).then(excess - excess.clip(least, most)).alias("unexplained"),
    ]


def spreads(counted: pl.DataFrame, keys: list[str], by: str) -> pl.DataFrame:
    """Low, median and high of bytes and seconds over whole steps, or else over whole layers; null over neither."""
    folds = (("low", pl.Expr.min), ("median", pl.Expr.median), ("high", pl.Expr.max))
    parts = [fold(pl.col(m)).alias(f"{m}_{name}") for m in SPREAD for name, fold in folds]
    for unit, place in (("step", ["step"]), ("layer", ["step", "layer"])):
        whole = where(counted, pl.col(f"{unit}_whole").fill_null(False) & pl.col(unit).is_not_null())
        if unit != by and whole.select(place).n_unique() > 1:
            within = ["process", "device", *(p for p in place if p not in keys)]
            each = whole.group_by([*keys, *within]).agg(sums())
            return each.group_by(keys).agg(pl.lit(unit).alias("spread_over"), *parts)
    names = [f"{m}_{name}" for m in SPREAD for name, _ in folds]
    return (
        counted.select(keys)
        .unique()
        .with_columns(pl.lit(None, pl.String).alias("spread_over"), *[pl.lit(None, pl.Float64).alias(n) for n in names])
    )


def ordered(table: pl.DataFrame, keys: list[str], by: str) -> pl.DataFrame:
    """Layers and steps in their order, the rest by bytes and then by time, largest first."""
    if by in ("layer", "step"):
        return table.sort(keys)
    return table.sort("dram_bytes", "seconds", descending=True, nulls_last=True, maintain_order=True)
