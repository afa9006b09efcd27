"""Where the GPU waits within its steps, and whether for the host: a call that began when nothing ran any more."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.timeline.steps import Stepped, counting
from ncu_roofline.knowledge.limits import THRESHOLDS

BETWEEN = "between steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """The idle time of the steps that have a time; of the whole trace where none has."""

    places: pl.DataFrame
    """place, gaps and seconds of one step, idle_share (of all idle time), longest first."""
    waits: float | None
    """Of the idle time: that before kernels which the host launched too late; None where calls of most of it are unknown."""
    step_share: float
    """Idle time that the host makes, of the time of the steps; 0 where it is unknown."""

    @property
    def launch_bound(self) -> bool:
        """Whether the host decides how long a step takes."""
        return self.step_share >= THRESHOLDS.launch_bound


def gaps(found: Stepped) -> Gaps:
    """The waits between kernels, by what follows them."""
    waiting, steps = waits(found)
    seconds = pl.col("idle").sum() / 1e9
    places = (
        waiting.group_by("place")
        .agg(gaps=pl.len() / steps, seconds=seconds / steps)
        .with_columns(idle_share=pl.col("seconds") / pl.col("seconds").sum())
        .sort("seconds", "place", descending=True)
    )
    known = waiting.filter(pl.col("launched").is_not_null())
    idle, told = float(waiting["idle"].sum()), float(known["idle"].sum())
    late = float(known.filter(pl.col("launched") >= pl.col("since"))["idle"].sum())
    enough = told > 0 and told >= idle / 2
    whole = sum(found.times) or found.span_seconds
    return Gaps(
        places=counting(places, "gaps"),
        waits=late / told if enough else None,
        step_share=late / 1e9 / whole if enough and whole else 0.0,
    )


def waits(found: Stepped) -> tuple[pl.DataFrame, int]:
    """Every wait with its place, and over how many steps they are.

    A wait belongs to the step in which it passes: before the first kernel of a step, to the step before it.
    """
    role = pl.format("before {}", pl.col("role").fill_null("unclassified"))
    before = pl.col("number").shift(1).over("device")
    if found.table.is_empty():
        return found.kernels.filter(pl.col("idle") > 0).with_columns(place=role), 1
    opening = (pl.col("number") != before).fill_null(False)
    owned = found.kernels.with_columns(
        place=pl.when(opening).then(pl.lit(BETWEEN)).otherwise(role),
        number=pl.when(pl.col("number").is_not_null()).then(before),
    )
    timed = owned.join(found.table.select("device", "number"), on=["device", "number"], how="semi", nulls_equal=True)
    inside = timed if found.to_next else timed.filter(pl.col("place") != BETWEEN)
    return inside.filter(pl.col("idle") > 0), found.table.height
