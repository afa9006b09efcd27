"""Kernels of the real steps and the same kernels of a capture: bytes from the one, time from the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.timeline.order import whole_steps
from ncu_roofline.analysis.timeline.steps import Stepped, of_steps
from ncu_roofline.capture.capture import Fact

ORDERED = (("name", "grid"), ("kernel", "grid"))
"""What tells that two launches are the same, where a step of both has as many of them: their turn tells which is which."""
GRIDLESS = (("kernel", "position"), ("kernel",))
"""Where one side does not tell the grid: name and place in the layer, or a kernel of which the capture knows one grid."""
CONTEXT = ("kernel", "position")
"""The same for work that follows the context of each step: attention, copies of the cache."""
WIDER, WIDER_ATTENTION = 1.25, 2.0
"""How many times more blocks, or fewer, it may have and count as the same: attention is cut into parts by length."""
LOST = 1e-3
"""Part of the capture's launches that a trace may lack without a word."""
TOLD = ("dram_bytes", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """How far the two runs are one, and the bytes of the real step."""

    share: float
    """Of the kernels of the steps, those of which the capture measured the bytes; of all kernels where no step is known."""
    covered: float | None
    """Of the launches of the capture's step, those that a step of the trace has, by the kernel's name: where kernels were
    lost or fused, fewer. None where either has no whole step."""
    bytes_per_step: float | None
    """Null where a kernel of the steps has no bytes, where the trace lacks kernels, or no step is known."""
    bytes_per_step_low: float | None
    """Of the kernels that have bytes."""
    other_grid: float
    """Of those matched, work of another grid at the same place: its bytes are of the context that the capture had."""
    other_batch: tuple[int, int] | None
    """Batch of the trace and of the capture where they are not the same: nothing is then made of the bytes."""
    varies: bool
    """Whether the batch of either changes from step to step: nothing is made of the bytes either."""
    kernels: pl.DataFrame
    """Matched kernels: kernel, role, launches, seconds and dram_bytes of one step, profiled_seconds that the capture has
    for the same launches, profiled_change between the two, reached in byte/s; by the time between the two, largest first."""

    @property
    def both(self) -> float:
        """How far the steps of both are one: of the trace's kernels or of the capture's, the side with fewer in the other."""
        return self.share if self.covered is None else min(self.share, self.covered)

    def rate(self, seconds: float | None) -> tuple[float | None, float | None]:
        """Bytes per second of a step that takes so long: what is known, and the least."""
        if not seconds or self.bytes_per_step_low is None:
            return None, None
        value = self.bytes_per_step / seconds if self.bytes_per_step is not None else None
        return value, self.bytes_per_step_low / seconds


def matched(found: Stepped, capture: Study) -> Matched:
    """Bytes of the steps by the mean of the same kernels in the capture."""
    ours, steps = of_steps(found)
    rows = with_means(ours, capture)
    batches = (found.study.run.batch.value, capture.run.batch.value)
    differ = batches if batches[0] and batches[1] and batches[0] != batches[1] else None
    moved = rows["dram_bytes"]
    varies = varying(found.study.run.batch) or varying(capture.run.batch)
    known = not found.table.is_empty() and differ is None and not varies
    low = float(moved.sum()) / steps if known else None
    covered = coverage(ours, steps, capture) if not found.table.is_empty() and found.phase == "decode" else None
    whole = moved.null_count() == 0 and (covered is None or covered > 1 - LOST)
    return Matched(
        share=moved.count() / rows.height,
        covered=covered,
        bytes_per_step=low if whole else None,
        bytes_per_step_low=low,
        other_grid=float(rows["other_grid"].sum()) / max(1, moved.count()),
        other_batch=differ,  # type: ignore[arg-type]
        varies=varies,
        kernels=beside(rows, steps),
    )


def varying(batch: Fact[int]) -> bool:
    """Whether a batch is known to change between steps: experts that are read, and rows, do with it."""
    return batch.value is None and None not in (batch.low, batch.high) and batch.low != batch.high


def coverage(ours: pl.DataFrame, steps: int, capture: Study) -> float | None:
    """How much of the capture's step a step of the trace has, launch by launch of each kernel."""
    whole = capture.every.filter(whole_steps(capture.run))
    if whole.is_empty():
        return None
    number = whole.select("process", "device", "step").n_unique()
    theirs = whole.group_by("kernel").agg(wanted=pl.len() / number)
    both = theirs.join(ours.group_by("kernel").agg(had=pl.len() / steps), on="kernel", how="left")
    had = pl.min_horizontal("wanted", pl.col("had").fill_null(0)).sum()
    return float(both.select(had / pl.col("wanted").sum()).item())


def with_means(ours: pl.DataFrame, theirs: Study) -> pl.DataFrame:
    """Kernels of the trace with the mean bytes and seconds of the same launches in the capture, by the surest that they share.

    Where both sides tell the grid, another grid is other work.
    """
    shown = [pl.element().cast(pl.String)]
    rows = ours.with_columns(pl.col("grid").list.eval(*shown).list.join("x"), step=pl.struct("device", "number"))
    step = pl.when(whole_steps(theirs.run)).then(pl.struct("process", "device", "step"))
    launches = theirs.launches.with_columns(pl.col("grid").arr.to_list().list.eval(*shown).list.join("x"), step=step)
    rows = rows.with_columns(step=pl.when(pl.col("number").is_not_null()).then("step"))
    found = [in_turn(rows, launches, keys) for keys in ORDERED]
    found += [means(rows, launches, keys) for keys in ORDERED]  # without their turn: the mean of all such launches
    found += [gridless(rows, launches, keys) for keys in GRIDLESS]
    same = pl.select(pl.coalesce(first[c] for first in found).alias(c) for c in TOLD)
    other = of_context(rows, launches)
    return rows.with_columns(
        dram_bytes=pl.coalesce(same["dram_bytes"], other["dram_bytes"]),
        profiled_seconds=pl.coalesce(same["seconds"], other["seconds"]),
        other_grid=same["dram_bytes"].is_null() & other["dram_bytes"].is_not_null(),
    )


def of_context(rows: pl.DataFrame, launches: pl.DataFrame) -> pl.DataFrame:
    """Launches at the same place of the layer that have about as many blocks."""
    blocks = pl.col("grid").str.split("x").list.eval(pl.element().cast(pl.Float64).product()).list.first()
    ours, theirs = (f.with_columns(blocks=blocks) for f in (rows, launches))
    usual = theirs.group_by(CONTEXT).agg(pl.col("blocks").median().alias("usual"))
    near = ours.join(usual, on=list(CONTEXT), how="left", maintain_order="left")
    apart = pl.max_horizontal(pl.col("blocks") / pl.col("usual"), pl.col("usual") / pl.col("blocks"))
    alike = apart <= pl.when(pl.col("role") == "attention").then(WIDER_ATTENTION).otherwise(WIDER)
    return means(near.with_columns(pl.when(alike).then(c).alias(c) for c in CONTEXT), theirs, CONTEXT)


def in_turn(rows: pl.DataFrame, launches: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The mean of the launches that take the same turn in steps that have as many of them."""
    turn = {"nth": pl.int_range(pl.len()).over("step", *keys), "of": pl.len().over("step", *keys)}
    ours, theirs = (
        f.with_columns(pl.when(pl.col("step").is_not_null()).then(e).alias(c) for c, e in turn.items())
        for f in (rows, launches)
    )
    return means(ours, theirs, (*keys, "nth", "of"))


def means(rows: pl.DataFrame, launches: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """For each row the mean of the launches that agree in the keys; a mean of which one was not measured is not known."""
    each = launches.group_by(keys).agg(pl.when(pl.col(c).count() == pl.len()).then(pl.col(c).mean()) for c in TOLD)
    return rows.select(keys).join(each, on=list(keys), how="left", maintain_order="left").select(TOLD)


def gridless(rows: pl.DataFrame, launches: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The same where one side does not tell the grid, and the launches that agree are of one."""
    alone = launches.filter(pl.col("grid").n_unique().over(keys) == 1)
    untold = launches["grid"].null_count() == launches.height
    asked = rows.with_columns(pl.when(pl.col("grid").is_null() | untold).then(c).alias(c) for c in keys)
    return means(asked, alone, keys)


def beside(rows: pl.DataFrame, steps: int) -> pl.DataFrame:
    """One row per kernel with both of its times."""
    size = (pl.col("end") - pl.col("start")).sum() / 1e9
    known = rows.filter(pl.col("dram_bytes").is_not_null() & (pl.col("profiled_seconds") > 0))
    return (
        known.group_by("kernel", "role")
        .agg(
            pl.col("name").first(),
            launches=pl.len() / steps,
            seconds=size / steps,
            profiled_seconds=pl.col("profiled_seconds").sum() / steps,
            dram_bytes=pl.col("dram_bytes").sum() / steps,
        )
        .with_columns(
            profiled_change=pl.col("seconds") / pl.col("profiled_seconds") - 1,
            reached=pl.col("dram_bytes") / pl.when(pl.col("seconds") > 0).then(pl.col("seconds")),
        )
        .sort((pl.col("seconds") - pl.col("profiled_seconds")).abs(), pl.col("kernel"), descending=True)
    )
