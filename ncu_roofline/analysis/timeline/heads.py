"""Steps of a timeline by the LM head of a capture beside it: where neither ranges nor the order of kernels tell them."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.timeline.order import Told, whole_steps
from ncu_roofline.capture.capture import Fact

SIZED_ALIKE = 0.5
"""How far the kernels of a step may be from those of the capture's."""
GRIDS_OF_THE_CAPTURE = 0.7
"""Part of the kernels that both have by name which must have a grid that the capture's have: a prompt has others."""


def by_head(clock: pl.DataFrame, beside: Study) -> Told | None:
    """Steps that end with the kernel that ends those of the capture: a product that runs once in each, outside of layers."""
    whole = beside.every.filter(whole_steps(beside.run))
    if whole.is_empty() or clock["device"].n_unique() > 1:
        return None
    steps = whole.select("process", "device", "step").n_unique()
    theirs = whole.with_columns(pl.col("grid").arr.to_list())
    lone = theirs.filter((pl.col("role").cast(pl.String) == "fc") & pl.col("layer").is_null())
    lone = lone.filter(pl.len().over("name", "grid") == steps)
    # a product before the layers may run once too: the head is the last
    heads = lone.sort("index").unique(["process", "device", "step"], keep="last").select("name", "grid").unique()
    is_head = pl.struct("name", "grid").is_in(heads.select(pl.struct("name", "grid")).to_series().implode())
    named = pl.col("name").is_in(theirs["name"].unique().implode())
    same = pl.struct("name", "grid").is_in(theirs.select(pl.struct("name", "grid")).unique().to_series().implode())
    counted = clock.with_columns(number=is_head.cast(pl.Int64).cum_sum().shift(1, fill_value=0), head=is_head, named=named)
    each = (
        counted.with_columns(same=same)
        .group_by("device", "number")
        .agg(pl.len().alias("rows"), pl.col("head").any(), pl.col("named", "same").sum())
    )
    size = whole.height / steps
    near = ((pl.col("rows") / size - 1).abs() < SIZED_ALIKE) & (pl.col("same") >= GRIDS_OF_THE_CAPTURE * pl.col("named"))
    # the window may begin inside of the first
    kept = each.filter(pl.col("head") & near & (pl.col("number") > 0)).select("device", "number")
    if kept.is_empty():
        return None
    said = f"each ends with the LM head of {beside.capture.name}"
    return Told(numbers=counted["number"], counted=kept, steps=Fact(None, "unknown", said, low=kept.height))
