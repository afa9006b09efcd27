"""What the ids of CUDA graphs say: which launches are one replay of a graph, where single kernels of it were profiled."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.capture.schema import MEASURED
from ncu_roofline.knowledge import counters

EDGES = ("embedding", "sampling")
"""What a step has one stretch of each: a replay with more of one is several, back to back."""
REPLAY = {
    "stretch": pl.UInt32(),
    "graph": pl.Float64(),
    "mixers": pl.UInt32(),
    "step": pl.Int64(),
    "first": pl.Int64(),
    "last": pl.Int64(),
    "edges": pl.UInt32(),
}


def replays(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per stretch of launches of one graph, in order: its attention kernels, its first and last launch, its edges.

    Whether a graph is a whole step or the piece of a layer is told by what it holds, never by its id: engines capture
    one for each batch, and cut it at attention, or do not.
    """
    role = pl.col("role").cast(pl.String)
    anchor = pl.when(role.is_in(MIXERS)).then(pl.lit("mixer")).when(role.is_in(EDGES)).then(role)
    rows = launches.select("index", "step", graph=graph_of(launches), anchor=anchor).with_columns(
        stretch=pl.col("graph").rle_id()
    )
    inside = rows.filter(pl.col("graph").is_not_null())
    if inside.is_empty():
        return pl.DataFrame(schema=REPLAY)
    found = inside.group_by("stretch", maintain_order=True).agg(
        pl.col("graph").first(),
        mixers=(pl.col("anchor") == "mixer").sum(),
        step=pl.col("step").drop_nulls().first(),
        first=pl.col("index").first(),
        last=pl.col("index").last(),
    )
    runs = inside.drop_nulls("anchor").filter(pl.struct("stretch", "anchor") != pl.struct("stretch", "anchor").shift(1))
    edges = runs.filter(pl.col("anchor") != "mixer").group_by("stretch", "anchor").len(name="edges")
    most = edges.group_by("stretch").agg(pl.col("edges").max())
    return found.join(most, on="stretch", how="left", maintain_order="left").with_columns(pl.col("edges").fill_null(0))


def graph_of(launches: pl.DataFrame) -> pl.Expr:
    """The id of the graph that a launch is a node of; null outside of graphs, and where no ids were captured."""
    ids = [pl.col(MEASURED + n) for n in counters.table()["graphs"]["ids"] if MEASURED + n in launches.columns]
    return pl.coalesce(*(pl.when(i > 0).then(i) for i in ids)) if ids else pl.lit(None, pl.Float64)
