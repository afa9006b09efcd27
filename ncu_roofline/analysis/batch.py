"""The batch of the decode steps, from the grids of kernels that take one block per row."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.phases import rows_of_passes
from ncu_roofline.analysis.rows import votes
from ncu_roofline.capture.capture import UNKNOWN, Fact

AGREEING = 0.8
"""Share of the decode steps that must have the same rows before one batch is named."""


def infer_batch(launches: pl.DataFrame) -> Fact:
    """The batch, inferred, with its evidence; unknown where no kernel of a decode step tells it."""
    decode = launches.filter(pl.col("phase").cast(pl.String) == "decode")
    places = decode.select("index", "layer", group=pl.col("step").fill_null(-1))
    steps = rows_of_passes(votes(decode), places).filter(pl.col("rows").is_not_null())
    if steps.is_empty():
        return UNKNOWN
    counts = steps.group_by("rows").agg(steps=pl.len(), what=pl.col("what").first()).sort(
        "steps", "rows", descending=[True, False]
    )  # fmt: skip
    rows, agreeing, what = counts.row(0)
    if agreeing < AGREEING * steps.height:
        sizes = sorted(steps["rows"].to_list())
        return Fact(None, "unknown", f"rows change between steps, from {sizes[0]} to {sizes[-1]}")
    where = "every decode step" if agreeing == steps.height else f"{agreeing} of {steps.height} decode steps"
    return Fact(int(rows), "inferred", f"{what}: {rows} {'row' if rows == 1 else 'rows'} in {where}")
