"""Where the token rows of a window turn: another pass has begun, though neither embedding nor sampling was captured."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.rows import votes

TURN = 2
"""Rows of one pass over those of the next, either way, at least."""
STEADY = 2
"""Launches of one kernel in a row that agree on their rows, at least, to be believed."""


def turns(rows: pl.DataFrame, found: pl.DataFrame, launches: pl.DataFrame) -> list[int]:
    """The rows at which another pass begins, in lanes whose passes have no beginning or end of their own."""
    ended = found.filter(pl.col("kind") != "mixer")["lane"]
    lanes = rows.filter(~pl.col("lane").is_in(ended.implode())).select("row", "index", "lane", "kernel", "grid")
    bounds = merged(seen(lanes, votes(launches)))
    return first_of_next(lanes, bounds) if bounds.height else []


def seen(lanes: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Where a kernel's rows turn: lane, the last launch of it before (`last`) and the first behind (`next`)."""
    plain = told.filter(~pl.any_horizontal("sampled", "sequences", "fixed", "least"))
    one = ("lane", "rule")
    at = lanes.join(plain.select("index", "rule", count="rows"), on="index").sort("row")
    runs = at.with_columns(run=pl.col("count").rle_id().over(one))
    steady = runs.filter(pl.len().over(*one, "run") >= STEADY)
    before = steady.with_columns(last=pl.col("row").shift(1).over(one), was=pl.col("count").shift(1).over(one))
    turned = (pl.col("count") >= TURN * pl.col("was")) | (pl.col("was") >= TURN * pl.col("count"))
    return before.filter(turned).select("lane", "last", next="row").sort("lane", "next")


def merged(met: pl.DataFrame) -> pl.DataFrame:
    """One row per turn, though several kernels tell of it: the nearest of their launches around it."""
    bounds: list[tuple[int, int, int]] = []
    for lane, last, following in met.iter_rows():
        if bounds and bounds[-1][0] == lane and last < bounds[-1][2]:
            bounds[-1] = (lane, max(last, bounds[-1][1]), bounds[-1][2])
        else:
            bounds.append((lane, last, following))
    return pl.DataFrame(bounds, schema=met.schema, orient="row")


def first_of_next(lanes: pl.DataFrame, bounds: pl.DataFrame) -> list[int]:
    """Per turn the first launch of a kernel whose grid the pass before it did not have."""
    ahead = bounds.with_columns(at="next")
    done = lanes.join_asof(ahead.sort("at"), left_on="row", right_on="at", strategy="forward")
    done = done.filter(pl.col("lane") == pl.col("lane_right"))
    core, edge = done.filter(pl.col("row") <= pl.col("last")), done.filter(pl.col("row") > pl.col("last"))
    known = edge.join(core, on=["next", "kernel"], how="semi")
    new = known.join(core, on=["next", "kernel", "grid"], how="anti")
    begins = pl.concat([new.select("next", "row"), bounds.select("next", row="next")])
    return list(begins.group_by("next").agg(pl.col("row").min())["row"].sort())
