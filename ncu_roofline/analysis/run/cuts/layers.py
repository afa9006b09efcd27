"""Where each layer begins and ends, between the attention of one layer and that of the next.

A layer begins at the norm before the projections that feed its attention. Where no norm is
captured, the sequence's exact period says how long a layer is, counted from the window's start.
"""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.cuts.period import period

KINDS = pl.Enum(["layer", "rest"])
CUT = {"row": pl.Int64(), "pass": pl.Int64(), "kind": KINDS, "firm": pl.Boolean()}


def cuts(rows: pl.DataFrame, anchors: pl.DataFrame) -> pl.DataFrame:
    """One row per boundary: row, pass, kind (layer, or rest: before and after the layers), whole."""
    parts = [of_lane(lane, anchors.filter(pl.col("lane") == lane["lane"][0])) for lane in rows.partition_by("lane")]
    return pl.concat(parts)


def of_lane(rows: pl.DataFrame, anchors: pl.DataFrame) -> pl.DataFrame:
    """The boundaries of one lane; a layer is whole where both its ends were seen."""
    rows = rows.with_columns(norm=hidden_norm(rows, anchors), any_norm="norm")
    inner = boundaries(rows, anchors)
    starts = rows.group_by("pass").agg(pl.col("row").min())
    both = pl.concat([inner, cut(starts, "rest")]).sort("row", "kind")
    found = both.unique("row", keep="first").sort("row")
    begun = anchors.filter((pl.col("kind") == "embedding").cum_sum() > (pl.col("kind") == "mixer").cum_sum()).height > 0
    opening = rows.filter(pl.col("row") < inner["row"].min()) if inner.height else rows.clear()
    broken = not begun and bool(opening["fc"].any())
    leading = pl.col("row") == int(rows["row"][0])
    same = pl.col("pass") == pl.col("pass").shift(-1)
    return found.with_columns(
        kind=pl.when(leading & pl.lit(broken)).then(pl.lit("layer").cast(KINDS)).otherwise("kind"),
        whole=((pl.col("kind") == "layer") & pl.col("firm") & pl.col("firm").shift(-1) & same).fill_null(False),
    ).filter(pl.col("row") <= int(rows["row"][-1]))


def hidden_norm(rows: pl.DataFrame, anchors: pl.DataFrame) -> pl.Series:
    """Norms over hidden rows: those that begin like the norm that follows attention and its projection.

    Norms of queries and keys stand between the projections of a layer and have another grid; norms of
    latents (MLA) have the same one, but do not add the residual stream where the others do. A norm of
    several kernels in a row is one, known by its first.
    """
    mixing = pl.col("row").is_in(anchors.filter(pl.col("kind") == "mixer")["end"].to_list())
    begins = pl.col("norm") & ~pl.col("norm").shift(1, fill_value=False)
    adds = pl.col("residual") & pl.lit(added_twice(rows, mixing))
    sides = [pl.col("grid").arr.get(i).alias(f"side{i}") for i in range(3)]
    seen = rows.select(
        "pass",
        "norm",
        look=pl.when(begins).then(pl.struct(adds, *sides)).forward_fill(),
        begins=begins,
        fc=pl.when("fc").then("row").forward_fill(),
        mixer=pl.when(mixing).then("row").forward_fill(),
    )
    after = seen.filter(pl.col("begins") & (pl.col("fc") > pl.col("mixer"))).unique("mixer", keep="first", maintain_order=True)
    looks = after.group_by("pass", "look", maintain_order=True).len()
    counts = looks.sort("len", descending=True, maintain_order=True).unique("pass", keep="first")
    usual = seen.join(counts.select("pass", hidden="look"), on="pass", how="left", maintain_order="left")
    same = (pl.col("look") == pl.col("hidden")).fill_null(True) | pl.col("hidden").is_null()
    return usual.select(pl.col("norm") & same)["norm"]


def added_twice(rows: pl.DataFrame, mixing: pl.Expr) -> bool:
    """Whether both norms of a layer add the residual stream: else that tells nothing of where a layer begins."""
    counted = rows.filter(pl.col("residual") & pl.col("norm"))
    after = rows.select("row", mixer=mixing.cast(pl.Int64).cum_sum())
    each = counted.join(after, on="row").filter(pl.col("mixer") > 0).group_by("mixer").len()["len"]
    return each.len() > 0 and int(each.max()) > 1  # type: ignore[arg-type]


def boundaries(rows: pl.DataFrame, anchors: pl.DataFrame) -> pl.DataFrame:
    """Beginnings of layers and the ends of the last ones, by norms, else by period, else by attention."""
    placed = with_cut(rows, anchors)
    mixers = placed.filter(pl.col("kind") == "mixer")
    if mixers["cut"].count():
        begins = layer_begins(mixers)
    elif (length := period(rows)) is not None and fewer_than_two(mixers, length):
        return by_period(rows, length)
    elif mixers.height > 1:
        begins = from_starts(rows, mixers)
    else:
        begins = layer_begins(mixers).filter(pl.col("row").is_not_null())
    return pl.concat([begins.select(CUT.keys()), layer_ends(rows, placed, begins)])


def cut(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The frame's row and pass as firm boundaries of one kind."""
    return frame.select("row", "pass", kind=pl.lit(kind).cast(KINDS), firm=pl.lit(True))


def with_cut(rows: pl.DataFrame, anchors: pl.DataFrame) -> pl.DataFrame:
    """Anchors with `cut`: the norm run before the last projection before them; null where there is none."""
    first = int(rows["row"][0])
    here, run = pl.col("row"), pl.col("norm") & ~pl.col("norm").shift(1, fill_value=False)
    seen = rows.select(
        fc=pl.when("fc").then(here).forward_fill(),
        norm=pl.when(run).then(here).forward_fill(),
        at="pass",
        next_norm=pl.when("any_norm").then(here).backward_fill(),
        last_norm=pl.when(pl.col("any_norm") & ~pl.col("any_norm").shift(1, fill_value=False)).then(here).forward_fill(),
    )
    at = anchors["start"] - first
    head = seen["fc"].gather(at)
    found = anchors.with_columns(
        seen["at"].gather(at).alias("pass"),
        rows["turn"].gather(at),
        head=head,
        norm=seen["norm"].gather(head - first),
        final=seen["last_norm"].gather(head - first),
        before=pl.col("end").shift(1).fill_null(first - 1),
        previous=pl.col("kind").shift(1),
        opening=seen["next_norm"].gather(anchors["end"] - first).shift(1),
    )
    after_embedding = (pl.col("previous") == "embedding") & (pl.col("kind") == "mixer")
    opened = pl.when(pl.col("opening") < pl.col("start")).then(pl.col("opening")).otherwise(pl.col("before") + 1)
    # the norm before the LM head may see one row per sequence only
    norm = pl.when(pl.col("kind") == "sampling").then("final").otherwise("norm")
    return found.with_columns(cut=pl.when(after_embedding).then(opened).when(norm > pl.col("before")).then(norm))


def layer_begins(mixers: pl.DataFrame) -> pl.DataFrame:
    """Every mixer cluster with the row at which its layer begins; where no norm says it, as in other layers."""
    lead = (pl.col("start") - pl.col("cut")).median().round().cast(pl.Int64)
    guess = pl.when(lead.is_not_null()).then(pl.max_horizontal(pl.col("start") - lead, pl.col("before") + 1))
    return mixers.with_columns(
        row=pl.coalesce("cut", guess), kind=pl.lit("layer").cast(KINDS), firm=pl.col("cut").is_not_null()
    )


def from_starts(rows: pl.DataFrame, mixers: pl.DataFrame) -> pl.DataFrame:
    """Layers as long before their attention as the window, or what turned in it, is before its first one."""
    begun = rows.group_by("turn").agg(begun=pl.col("row").min())
    placed = mixers.join(begun, on="turn", how="left", maintain_order="left")
    gap = pl.col("start").diff().median().round().cast(pl.Int64).over("turn")
    ahead = pl.col("start").first().over("turn") - pl.col("begun")
    length = pl.col("start").diff().shift(-1).over("turn")
    # a longer one has an LM head in it, or is another kind of layer
    usual = ((length - gap).abs() <= gap // 4).fill_null(True)
    return placed.with_columns(
        row=pl.max_horizontal(pl.col("start") - pl.coalesce(ahead % gap, ahead), pl.col("before") + 1),
        kind=pl.lit("layer").cast(KINDS),
        firm=usual,
    )


def fewer_than_two(mixers: pl.DataFrame, length: int) -> bool:
    """Whether no two attention kernels lie within one period: else it is that of steps, not of layers."""
    return mixers.height < 2 or int(mixers["start"].diff().min()) >= length  # type: ignore[arg-type]


def by_period(rows: pl.DataFrame, length: int) -> pl.DataFrame:
    """Layers of equal length from the lane's start."""
    begin, stop = int(rows["row"][0]), int(rows["row"][-1])
    at = pl.DataFrame({"row": pl.int_range(begin, stop + 2, length, eager=True, dtype=pl.Int64)})
    inside = at.with_columns(rows["pass"].gather((at["row"] - begin).clip(upper_bound=rows.height - 1)).alias("pass"))
    return cut(inside, "layer")


def layer_ends(rows: pl.DataFrame, placed: pl.DataFrame, begins: pl.DataFrame) -> pl.DataFrame:
    """Where the last layer of each pass ends: at the norm before the LM head, else after a layer's length."""
    last = begins.group_by("pass", maintain_order=True).agg(pl.col("start", "end").last())
    heads = placed.filter((pl.col("kind") == "sampling") & (pl.col("previous") == "mixer")).select("pass", "cut", "head")
    closing = last.join(heads, on="pass", how="left", maintain_order="left")
    length = tail_length(rows, begins)
    guess = nearest_norm(rows, closing["start"], length) if length else pl.lit(None, pl.Int64)
    below = pl.when(pl.col("head") > pl.col("end")).then(pl.col("head"))
    ended = closing.with_columns(guess=guess).with_columns(row=pl.coalesce("cut", "guess", below))
    sure = ended.filter(pl.col("row") <= int(rows["row"][-1]) + 1)
    open_pass = int(rows["pass"][-1])
    kind = pl.when((pl.col("pass") == open_pass) & pl.col("head").is_null()).then(pl.lit("layer")).otherwise(pl.lit("rest"))
    return sure.select("row", "pass", kind=kind.cast(KINDS), firm=pl.lit(True))


def tail_length(rows: pl.DataFrame, begins: pl.DataFrame) -> int | None:
    """Launches from a layer's attention to its end: as in other layers, else by the sequence's period."""
    same = pl.col("pass") == pl.col("pass").shift(-1)
    usual = begins.select(pl.when(same).then(pl.col("row").shift(-1) - pl.col("start")).median().round().cast(pl.Int64)).item()
    if usual is not None or begins.is_empty():
        return usual if usual is None else int(usual)
    length = period(rows)
    return None if length is None else length - int(begins["start"][0]) + int(begins["row"][0])


def nearest_norm(rows: pl.DataFrame, starts: pl.Series, length: int) -> pl.Series:
    """The norm that begins one layer's length after each start, give or take a quarter; that row where no norm is captured.

    Null where norms are captured but none begins there: then the layer is longer than the others, and cut.
    """
    runs = rows.filter(pl.col("norm") & ~pl.col("norm").shift(1, fill_value=False)).select("row", near="row")
    wished = pl.DataFrame({"wish": (starts + length).cast(pl.Int64)}).with_row_index("order").sort("wish")
    joined = wished.join_asof(runs, left_on="wish", right_on="row", strategy="nearest", tolerance=max(length // 4, 1))
    found = pl.col("near") if runs.height else pl.col("wish")
    return joined.sort("order").select(near=found)["near"]
