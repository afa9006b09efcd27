"""Launches -> the few that tell where a pass begins and ends: attention, sampling, embedding.

A mixer is a kernel that mixes tokens with their past: attention, or a state-space update. Every layer
has one cluster of them; a projection lies between the clusters of two layers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

from ncu_roofline.analysis.run.cuts.heads import with_ends
from ncu_roofline.analysis.run.cuts.ranges import numbers
from ncu_roofline.analysis.run.rows import listed, satellite, verifying
from ncu_roofline.knowledge.limits import THRESHOLDS

MIXERS = ("attention", "ssm")
KINDS = pl.Enum(["mixer", "sampling", "embedding"])


def marked(launches: pl.DataFrame, borders: Sequence[int] = ()) -> pl.DataFrame:
    """Launches in order within each lane: row, index, lane, kernel, kind, fc, norm, turn, and the step that a range numbers.

    `borders` are the launches with which further files begin: each file has lanes of its own.
    """
    role = pl.col("role").cast(pl.String)
    kind = (
        pl.when(role.is_in(MIXERS))
        .then(pl.lit("mixer"))
        .when(role == "sampling")
        .then(pl.lit("sampling"))
        .when(role == "embedding")
        .then(pl.lit("embedding"))
        .cast(KINDS)
    )
    named = launches.select(
        "index",
        "kernel",
        "name",
        "grid",
        pl.col("process", "device", "stream").fill_null(-1),
        file=pl.sum_horizontal(pl.lit(0), *((pl.col("index") >= b).cast(pl.Int64) for b in borders)),
        kind=kind,
        fc=(role == "fc").fill_null(False),
        norm=(role == "norm").fill_null(False),
        helper=satellite(launches),
        opening=listed(launches, "opening"),
        residual=listed(launches, "residual"),
        fused=listed(launches, "embeds") & (role != "rope").fill_null(True),
        routing=(role == "moe-routing").fill_null(False),
        server=listed(launches, "server"),
        verifies=verifying(launches),
    )
    steps = numbers(launches, "step").select("index", numbered="number")
    ordered = (
        named.join(steps, on="index", how="left", maintain_order="left")
        .with_columns(lane=lane(named))
        .sort("lane", "index")
        .with_row_index("row")
        .with_columns(
            pl.col("row").cast(pl.Int64),
            fcs=pl.col("fc").cast(pl.Int64).cum_sum().over("lane"),
            norms=pl.col("norm").cast(pl.Int64).cum_sum().over("lane"),
            turn=pl.lit(0, pl.Int64),
            # what follows a range, as sampling may, belongs to its step until the next one begins
            numbered=pl.col("numbered").forward_fill().over("lane"),
        )
    )
    # the role of a lone gather may be unknown; before all work it can only be the embedding, unless experts follow
    opens = pl.col("opening") & (pl.col("fcs") + pl.col("norms") == 0) & pl.col("kind").is_null() & ~pl.col("routing")
    return with_ends(ordered.with_columns(kind=pl.when(opens).then(pl.lit("embedding").cast(KINDS)).otherwise("kind")))


def lane(named: pl.DataFrame) -> pl.Expr:
    """One number per independent sequence: a process and device, or a stream with a loop of its own.

    Kernels of one loop that run on a side stream stay where the host launched them.
    """
    loops = (
        named.group_by("process", "device", "stream")
        .agg(whole=(pl.col("kind") == "mixer").any() & (pl.col("kind") == "sampling").any())
        .filter("whole")
    )
    own = loops.filter(pl.len().over("process", "device") > 1).select(pl.struct("process", "device", "stream").alias("loop"))[
        "loop"
    ]
    place = pl.struct("process", "device", "stream")
    stream = pl.when(place.is_in(own.implode())).then(pl.col("stream")).otherwise(-1) if own.len() else pl.lit(-1)
    return pl.struct("file", "process", "device", stream.alias("stream")).rank("dense").cast(pl.Int64)


def clusters(rows: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring anchors of one kind as one: lane, kind, start, end (rows), kernels."""
    anchors = rows.filter(pl.col("kind").is_not_null())
    joined = without_lone_helpers(grouped(anchors))
    sane = without_misnamed(joined)
    kept = without_satellites(anchors.filter(pl.col("kind").is_in(sane["kind"].unique().implode())), sane)
    return without_lone_helpers(grouped(kept)).drop("helpers")


def grouped(anchors: pl.DataFrame) -> pl.DataFrame:
    """Runs of anchors that belong together."""
    before = pl.all().shift(1)
    lone = pl.col("fcs").max().over("lane") == 0
    place = ("lane", "kind", "turn")
    main = ~pl.col("helper") | pl.col("helper").all().over(place)
    same = main & (pl.col("kernel") == pl.col("kernel").filter(main).first().over(place))
    previous = anchors.select(before.name.prefix("p_"))
    new = (
        (pl.col("lane") != pl.col("p_lane"))
        | (pl.col("turn") != pl.col("p_turn"))
        | (pl.col("kind") != pl.col("p_kind"))
        | ((pl.col("kind") == "mixer") & (pl.col("fcs") != pl.col("p_fcs")))
        | ((pl.col("kind") == "mixer") & lone & same)
        | ((pl.col("kind") != "mixer") & (pl.col("row") - pl.col("p_row") > THRESHOLDS.sampling_gap))
    ).fill_null(True)
    return (
        pl.concat([anchors, previous], how="horizontal")
        .with_columns(cluster=new.cast(pl.Int64).cum_sum())
        .group_by("cluster", maintain_order=True)
        .agg(
            pl.col("lane", "kind").first(),
            start=pl.col("row").first(),
            end=pl.col("row").last(),
            helpers=pl.col("helper").all(),
        )
        .drop("cluster")
    )


def without_lone_helpers(joined: pl.DataFrame) -> pl.DataFrame:
    """Clusters without those that only plan or combine: a softmax alone is a router's, if attention is elsewhere."""
    mains = joined.filter((pl.col("kind") == "mixer") & ~pl.col("helpers")).height
    return joined.filter((pl.col("kind") != "mixer") | ~pl.col("helpers")) if mains else joined


def without_misnamed(joined: pl.DataFrame) -> pl.DataFrame:
    """Clusters without a kind that recurs in every layer: then it is no sign of a pass."""
    after_mixer = (pl.col("kind").shift(1) == "mixer") & (pl.col("lane").shift(1) == pl.col("lane"))
    number, ends = Counter(joined["kind"]), Counter(joined.filter(after_mixer)["kind"])
    if number["sampling"] == number["embedding"] or by_turns(joined):
        return joined  # one of each per pass, however few layers a pass has
    misnamed = [k for k in ("sampling", "embedding") if ends[k] > max(number["mixer"] / 2, 1)]
    return joined.filter(~pl.col("kind").is_in(misnamed))


def by_turns(joined: pl.DataFrame) -> bool:
    """Whether draws and embeddings take turns: a window may begin or end between the two of a pass."""
    edges = joined.filter(pl.col("kind") != "mixer")
    again = (pl.col("kind") == pl.col("kind").shift(1)) & (pl.col("lane") == pl.col("lane").shift(1))
    return edges["kind"].n_unique() > 1 and not edges.select(again.fill_null(False).any()).item()


def without_satellites(anchors: pl.DataFrame, joined: pl.DataFrame) -> pl.DataFrame:
    """Anchors without mixer kernels that only prepare for a whole pass, before its first product (varlen plans)."""
    if joined.filter(pl.col("kind") == "sampling").is_empty():
        return anchors
    ended = (pl.col("kind") == "sampling").cast(pl.Int64).cum_sum().over("lane")
    # a window's first pass may be cut: only what comes before every product begins it
    first = pl.when(pl.col("between") > 0).then(pl.col("fcs").min().over("lane", "between")).otherwise(0)
    counts = (
        anchors.with_columns(between=ended)
        .with_columns(begins=pl.col("fcs") == first)
        .filter(pl.col("kind") == "mixer")
        .group_by("kernel")
        .agg(often=pl.len() / pl.struct("lane", "between").n_unique(), begins=pl.col("begins").all())
    )
    rare = counts.filter(pl.col("begins") & (pl.col("often") <= 1.5) & (pl.col("often").max() >= THRESHOLDS.fewest_satellites))[
        "kernel"
    ]
    return anchors.filter((pl.col("kind") != "mixer") | ~pl.col("kernel").is_in(rare.implode()))


def turned(rows: pl.DataFrame, turns: Sequence[int]) -> pl.DataFrame:
    """The rows with `turn` counted on where another pass begins."""
    return rows.with_columns(turn=pl.col("row").is_in(turns).cast(pl.Int64).cum_sum())


def passes(rows: pl.DataFrame, anchors: pl.DataFrame) -> pl.DataFrame:
    """The rows with `pass`, a number that grows by one where a pass ends or the next one begins.

    A pass ends after the sampling that follows attention; at the start of a window after an LM head, or after the
    sampling before the first embedding, or the kernel that holds it: all that is left of a step. It also begins at an
    embedding that follows attention, so that a chunk of a prefill, which samples nothing, is a pass too, at the first
    embedding where other work comes before it (the end of a step, or a server that loads), at turns, and where a range
    numbers another step: then what comes after the sampling of a step is still its own.
    """
    after_mixer = (pl.col("kind").shift(1) == "mixer") & (pl.col("lane").shift(1) == pl.col("lane"))
    fcs = rows["fcs"].gather(anchors["start"])
    leading = (pl.col("lane") != pl.col("lane").shift(1)).fill_null(True) & (pl.col("kind") == "sampling")
    embedded = (pl.col("kind").shift(-1).over("lane") == "embedding") | rows["fused"].shift(-1).gather(anchors["end"])
    cut = leading & ((fcs > 0) | embedded.fill_null(False))
    mixed = (pl.col("kind") == "mixer").cum_sum().over("lane") > 0
    embeds = pl.col("kind") == "embedding"
    work = (rows["fcs"] + rows["norms"]).gather(anchors["start"])
    opening = embeds & (embeds.cum_sum().over("lane") == 1) & ~mixed & (work > 0)
    bounds = anchors.filter((after_mixer & (pl.col("kind") != "mixer")) | cut | opening)
    begins = bounds.select(row=pl.when(pl.col("kind") == "sampling").then(pl.col("end") + 1).otherwise("start"))["row"]
    begins = begins.filter(~begins.is_in(behind_the_last(rows, anchors).implode()))
    first = (pl.col("lane") != pl.col("lane").shift(1)) | (pl.col("turn") != pl.col("turn").shift(1))
    first = first | pl.col("numbered").ne_missing(pl.col("numbered").shift(1))
    new = (pl.col("row").is_in(begins.implode()) | first).fill_null(True)
    return rows.with_columns((new.cast(pl.Int64).cum_sum() - 1).alias("pass"))


def behind_the_last(rows: pl.DataFrame, anchors: pl.DataFrame) -> pl.Series:
    """The rows of numbered steps behind their last attention: no other pass begins there."""
    if not rows["numbered"].count():
        return rows["row"].clear()
    last = anchors.filter(pl.col("kind") == "mixer").select(row="start", mixing=pl.col("start"))
    step = ("lane", "stretch")
    stretch = pl.col("numbered").rle_id().alias("stretch")
    at = rows.select("row", "lane", "numbered", stretch).join(last, on="row", how="left", maintain_order="left")
    return at.filter(pl.col("numbered").is_not_null() & (pl.col("row") > pl.col("mixing").max().over(step)))["row"]
