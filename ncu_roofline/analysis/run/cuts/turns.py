"""Where token rows or kernels of a window turn: another pass has begun, though no embedding or sampling was captured."""

from __future__ import annotations

import polars as pl

from ncu_roofline.knowledge.limits import THRESHOLDS


def turns(rows: pl.DataFrame, found: pl.DataFrame, told: pl.DataFrame) -> list[int]:
    """The rows at which another pass begins, in lanes whose passes have no beginning or end of their own."""
    ended = found.filter(pl.col("kind") != "mixer")["lane"]
    lanes = rows.filter(~pl.col("lane").is_in(ended.implode()))
    if lanes.is_empty():
        return []
    bounds = merged(pl.concat([seen(lanes, told), switched(main_work(lanes))]).sort("lane", "next"))
    return first_of_next(lanes, bounds) if bounds.height else []


def seen(lanes: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Where a kernel's rows turn: lane, the last launch of it before (`last`) and the first behind (`next`)."""
    plain = told.filter(~pl.any_horizontal("sampled", "sequences", "planned", "fixed"))
    one = ("lane", "rule")
    # norms of heads have other grids than those of hidden rows, and do not add the residual stream
    hidden = pl.col("residual") | ~pl.col("least")
    at = lanes.join(plain.select("index", "rule", "least", count="rows"), on="index").filter(hidden).sort("row")
    runs = at.with_columns(run=pl.col("count").rle_id().over(one))
    steady = runs.filter(pl.len().over(*one, "run") >= THRESHOLDS.steady)
    before = steady.with_columns(last=pl.col("row").shift(1).over(one), was=pl.col("count").shift(1).over(one))
    turned = (pl.col("count") >= THRESHOLDS.turn * pl.col("was")) | (pl.col("was") >= THRESHOLDS.turn * pl.col("count"))
    return before.filter(turned).select("lane", "last", next="row").sort("lane", "next")


def main_work(lanes: pl.DataFrame) -> pl.DataFrame:
    """Attention kernels of lanes that have some, products of the others: lane, row, name, n (their place in the lane)."""
    mixing = (pl.col("kind") == "mixer").fill_null(False)
    chosen = ~pl.col("helper") & pl.when(mixing.any().over("lane")).then(mixing).otherwise("fc")
    found = lanes.filter(chosen).sort("lane", "row").select("lane", "row", "name")
    return found.with_columns(n=pl.int_range(pl.len()).cast(pl.Int64), place=pl.int_range(pl.len()).over("lane").cast(pl.Int64))


def switched(work: pl.DataFrame) -> pl.DataFrame:
    """Where none of the last kernels runs again and the next ones do: lane, `last` and `next` as where rows turn."""
    before = pl.col("n").shift(1).over("lane", "name")
    # a name that runs again soon bridges the places between: no switch can be there
    pairs = work.with_columns(earlier=before).filter(pl.col("earlier").is_not_null())
    spans = pairs.select(
        first=pl.max_horizontal(pl.col("earlier") + 1, pl.col("n") - THRESHOLDS.near_switch + 1),
        last=pl.min_horizontal("n", pl.col("earlier") + THRESHOLDS.near_switch),
    )
    bridges = spans.filter(pl.col("first") <= pl.col("last"))
    ends = [bridges.select(n="first", by=pl.lit(1)), bridges.select(n=pl.col("last") + 1, by=pl.lit(-1))]
    counted = work.join(pl.concat(ends).group_by("n").agg(pl.col("by").sum()), on="n", how="left", maintain_order="left")
    bridged = pl.col("by").fill_null(0).cum_sum() > 0
    again = (pl.col("n").shift(-1).over("lane", "name") - pl.col("n") < THRESHOLDS.near_switch).fill_null(False)
    still = (pl.col("n") - before < THRESHOLDS.near_switch).fill_null(False).shift(1)
    inside = (pl.col("place") >= THRESHOLDS.fewest_of_switch) & (
        pl.col("place") <= pl.len().over("lane") - THRESHOLDS.fewest_of_switch
    )
    switches = counted.with_columns(last=pl.col("row").shift(1)).filter(~bridged & again & still & inside)
    return switches.select("lane", "last", next="row")


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
