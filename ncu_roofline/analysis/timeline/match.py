"""Kernels of the real steps and the same kernels of a capture: bytes from the one, time from the other."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.timeline.steps import Stepped, of_steps, whole_steps

JOINED_BY = (("name", "grid"), ("kernel", "grid"), ("kernel",))
"""What tells that two kernels are the same, the surest first."""
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
    kernels: pl.DataFrame
    """Matched kernels: kernel, role, launches, seconds and dram_bytes of one step, profiled_seconds that the capture has
    for the same launches, profiled_change between the two, reached in byte/s; by the time between the two, largest first."""

    def rate(self, seconds: float | None) -> tuple[float | None, float | None]:
        """Bytes per second of a step that takes so long: what is known, and the least."""
        if not seconds or self.bytes_per_step_low is None:
            return None, None
        value = self.bytes_per_step / seconds if self.bytes_per_step is not None else None
        return value, self.bytes_per_step_low / seconds


def matched(found: Stepped, capture: Study) -> Matched:
    """Bytes of the steps by the mean of the same kernels in the capture."""
    ours, steps = of_steps(found)
    rows = with_means(ours, capture.launches)
    moved = rows["dram_bytes"]
    known = ours["number"].count() > 0
    low = float(moved.sum()) / steps if known else None
    covered = coverage(ours, steps, capture) if known else None
    whole = moved.null_count() == 0 and (covered is None or covered > 1 - LOST)
    return Matched(
        share=moved.count() / rows.height,
        covered=covered,
        bytes_per_step=low if whole else None,
        bytes_per_step_low=low,
        kernels=beside(rows, steps),
    )


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


def with_means(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Kernels of the trace with the mean bytes and seconds of the same kernel in the capture."""
    rows = ours.with_columns(pl.col("grid").list.eval(pl.element().cast(pl.String)).list.join("x"))
    launches = theirs.with_columns(pl.col("grid").arr.to_list().list.eval(pl.element().cast(pl.String)).list.join("x"))
    for at, keys in enumerate(JOINED_BY):
        # a mean of launches of which one was not measured is not known
        means = [pl.when(pl.col(c).count() == pl.len()).then(pl.col(c).mean()).alias(f"{c}_{at}") for c in TOLD]
        rows = rows.join(launches.group_by(keys).agg(means), on=list(keys), how="left", maintain_order="left")
    tries = range(len(JOINED_BY))
    return rows.with_columns(
        dram_bytes=pl.coalesce(f"dram_bytes_{at}" for at in tries),
        profiled_seconds=pl.coalesce(f"seconds_{at}" for at in tries),
    )


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
