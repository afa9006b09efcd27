"""Passes of a timeline that work on prompts, in the place of decode steps: by ranges, else by the order of kernels."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.batch import sequences_of_steps
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.timeline.marks import with_marks
from ncu_roofline.analysis.timeline.order import Told
from ncu_roofline.capture.capture import Fact


def prompts(marks: pl.DataFrame | None, clock: pl.DataFrame, followed: Study) -> Told:
    """Each pass with tokens of a prompt; those of a batch that decodes may be beside them."""
    every = followed.every.sort("index")
    if marks is None:
        whole = (pl.col("phase").cast(pl.String) == "prefill") & pl.col("step_whole")
        numbers = every.select(pl.when(whole.fill_null(False)).then("step").alias("number"))["number"]
        found = followed.run.prefill_passes
        said = f"none of {found.value:,} is known to be whole" if found.value and not numbers.count() else found.evidence
    else:
        apart = (~pl.col("decode")).cast(pl.Int64).cum_sum().over("device") - 1
        passes = marks.with_columns(number=pl.when(~pl.col("decode")).then(apart))
        numbers = with_marks(clock.select("device", "start"), passes.select("device", "start", "number"))["number"]
        said = passes.filter(~pl.col("decode"))["nvtx_what"][0]
    counted = clock.select("device", number=numbers).drop_nulls("number").unique()
    least = counted.group_by("device").len()["len"].min() or 0
    fact = Fact(int(least), "inferred", said) if least else Fact(None, "unknown", said or "no prompt in the window")  # type: ignore[arg-type]
    return Told(numbers=numbers, counted=counted, steps=fact)


def nothing(clock: pl.DataFrame) -> Told:
    """No step at all: every kernel counts."""
    numbers = pl.repeat(None, clock.height, dtype=pl.Int64, eager=True)
    counted = clock.clear().select("device", number=pl.lit(None, pl.Int64))
    return Told(numbers=numbers, counted=counted, steps=Fact(None, "unknown", "every kernel counts"))


def rows_of(followed: Study, numbers: pl.Series, table: pl.DataFrame) -> tuple[int, ...] | None:
    """Token rows of each pass that has a time; None where one of them does not tell."""
    launches = followed.every.sort("index").with_columns(step=numbers, phase=pl.lit("decode"))
    told = sequences_of_steps(launches.filter(pl.col("step").is_not_null()), drafts=False)
    found = table.join(
        told.select("device", "rows", number="step"),
        on=["device", "number"],
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )["rows"]
    return tuple(found) if found.len() and not found.null_count() else None
