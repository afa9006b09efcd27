"""LM heads by their place, for engines whose sampling the GPU does not run or no rule knows."""

from __future__ import annotations

import polars as pl

from ncu_roofline.knowledge.limits import THRESHOLDS


def with_ends(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the LM head as the end of its pass, in lanes without sampling.

    It is the only product between two norms, far rarer than attention or with the embedding of the next step right
    behind it, and another layer's projections follow before the next attention; at the end of a window it is the same
    kernel, or by far the widest, unless kernels of a server that draws on the GPU run: then the window cuts its draw off.
    What only finishes it (split K) belongs to it.
    """
    closed = rows.group_by("lane").agg(sampled=(pl.col("kind") == "sampling").any()).filter("sampled")["lane"]
    heads = found(rows.filter(~pl.col("lane").is_in(closed.implode())))
    if heads.is_empty():
        return rows
    kinds = rows["kind"].dtype
    is_head = pl.col("row").is_in(heads.implode())
    is_head = is_head | (pl.col("fc") & pl.col("helper") & is_head.shift(1, fill_value=False))
    return rows.with_columns(kind=pl.when(is_head).then(pl.lit("sampling").cast(kinds)).otherwise("kind"))


def found(rows: pl.DataFrame) -> pl.Series:
    """The rows of LM heads."""
    products = lone_products(rows)
    inner = products.filter(pl.col("fcs_at_mixer") > pl.col("fcs"))
    same = pl.struct("kernel", "grid").is_in(inner.select(pl.struct("kernel", "grid")).to_series().implode())
    drawn = rows.group_by("lane").agg(pl.col("server").any()).filter("server")["lane"]
    widest = (pl.col("blocks") > THRESHOLDS.wider_head * pl.col("widest")) & (pl.col("rare") | pl.col("single"))
    widest = widest & ~pl.col("lane").is_in(drawn.implode())
    last = products.filter(pl.col("fcs_at_mixer").is_null() & (same | widest))
    return pl.concat([inner["row"], last["row"]])


def lone_products(rows: pl.DataFrame) -> pl.DataFrame:
    """Products alone between two norms that are rare or close a step, with how many the next attention has before it."""
    main = pl.col("fc") & ~pl.col("helper")
    mixing = (pl.col("kind") == "mixer").fill_null(False) & ~pl.col("helper")
    blocks = pl.col("grid").arr.get(0) * pl.col("grid").arr.get(1) * pl.col("grid").arr.get(2)
    work = pl.when(main | pl.col("norm")).then("row")
    embeds = pl.when(pl.col("kind") == "embedding").then("row")
    closes = embeds.backward_fill().over("lane") < work.backward_fill().shift(-1).over("lane")
    seen = rows.with_columns(
        blocks=blocks,
        mixers=mixing.cast(pl.Int64).cum_sum().over("lane"),
        between=main.sum().over("lane", "norms"),
        closes=closes,
        fcs_at_mixer=pl.when(mixing).then("fcs").backward_fill().over("lane"),
    ).filter(main)
    # a product of every layer recurs after one attention
    apart = pl.col("mixers").diff().min().over("lane", "name", "grid").fill_null(pl.col("mixers").max().over("lane"))
    once = (pl.len().over("lane", "name", "grid") == 1) & (pl.col("mixers").max().over("lane") >= THRESHOLDS.fewest_layers)
    counted = seen.with_columns(rare=apart >= THRESHOLDS.rare_head, single=once & pl.col("fcs_at_mixer").is_null())
    widest = pl.col("blocks").filter(~pl.col("rare") & ~pl.col("single")).max().over("lane")
    alone = counted.with_columns(widest=widest).filter((pl.col("between") == 1) & (pl.col("norms") > 0))
    heads = alone.filter(pl.col("rare") | pl.col("closes") | pl.col("single")).select("kernel", "grid")
    return alone.join(heads.unique(), on=["kernel", "grid"], how="semi", maintain_order="left")
