"""Kernels of the real steps and the same kernels of a capture: bytes from the one, time from the other."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.timeline.steps import Stepped

JOINED_BY = (("name", "grid"), ("kernel", "grid"), ("kernel",))
"""What tells that two kernels are the same, the surest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """How far the two runs are one, and the bytes of the real step."""

    share: float
    """Of the kernels of the steps, those that the capture measured."""
    bytes_per_step: float | None
    """Null where a kernel of the steps has no bytes."""
    bytes_per_step_low: float
    """Of the kernels that have bytes."""

    def rate(self, seconds: float | None) -> tuple[float | None, float | None]:
        """Bytes per second of a step that takes so long: what is known, and the least."""
        if not seconds:
            return None, None
        value = self.bytes_per_step / seconds if self.bytes_per_step is not None else None
        return value, self.bytes_per_step_low / seconds


def matched(found: Stepped, capture: Study) -> Matched | None:
    """Bytes of the steps by the mean of the same kernels in the capture; None where no step is known."""
    ours = found.kernels.filter(pl.col("number").is_not_null())
    if ours.is_empty():
        return None
    rows = ours.with_columns(pl.col("grid").list.eval(pl.element().cast(pl.String)).list.join("x"))
    theirs = capture.launches.with_columns(pl.col("grid").arr.to_list().list.eval(pl.element().cast(pl.String)).list.join("x"))
    tries = []
    for at, keys in enumerate(JOINED_BY):
        # a mean of launches of which one was not measured is not known
        means = theirs.group_by(keys).agg(
            pl.when(pl.col("dram_bytes").count() == pl.len()).then(pl.col("dram_bytes").mean()).alias(f"bytes_{at}")
        )
        rows = rows.join(means, on=list(keys), how="left", maintain_order="left")
        tries.append(f"bytes_{at}")
    moved = rows.select(pl.coalesce(tries).alias("bytes"))["bytes"]
    steps = ours.select("device", "number").n_unique()
    low = float(moved.sum()) / steps
    return Matched(
        share=moved.count() / ours.height, bytes_per_step=low if moved.null_count() == 0 else None, bytes_per_step_low=low
    )
