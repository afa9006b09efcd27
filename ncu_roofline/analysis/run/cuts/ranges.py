"""What an engine's own NVTX ranges say of a step: its phase, its sequences and its rows."""

from __future__ import annotations

from functools import lru_cache

import polars as pl

from ncu_roofline.capture.schema import PHASES
from ncu_roofline.knowledge.kernels.rows import CountRule, RangeRule, rules

TOLD = {
    "nvtx_phase": pl.Enum(PHASES),
    "nvtx_batch": pl.Int64(),
    "nvtx_rows": pl.Int64(),
    "nvtx_cached": pl.Int64(),
    "nvtx_prompt": pl.Int64(),
    "nvtx_drafts": pl.Boolean(),
    "nvtx_what": pl.String(),
}

GROUPS = ("batch", "rows", "cached", "prompt")


def ranges(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per launch inside a range that a rule reads: index and what it says; the first rule counts."""
    inside = opened(launches)
    if inside.is_empty():
        return pl.DataFrame(schema={"index": launches.schema["index"], **TOLD})
    names = tuple(inside["nvtx"].drop_nulls().unique().sort())
    joined = inside.join(told(names), left_on="nvtx", right_on="name", maintain_order="left")
    # of nested ranges the one that counts sequences says most
    best = joined.sort("index", pl.col("nvtx_batch").is_null(), maintain_order=True)
    return best.unique("index", keep="first", maintain_order=True).drop("nvtx")


def opened(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per launch and range that is open around it, outermost first: index, nvtx."""
    inside = launches.select("index", "nvtx").drop_nulls("nvtx").filter(pl.col("nvtx").list.len() > 0)
    return inside.explode("nvtx")


@lru_cache(maxsize=4)
def told(names: tuple[str, ...]) -> pl.DataFrame:
    """What these ranges say, each once: a study asks several times, and of the next capture of an engine the same."""
    every = [read(pl.Series(names, dtype=pl.String), rule) for rule in rules(RangeRule, "range")]
    return pl.concat(every).unique("name", keep="first", maintain_order=True)


def numbers(launches: pl.DataFrame, of: str) -> pl.DataFrame:
    """One row per launch inside a range that numbers a step, or a layer: index, number, what; the outermost counts."""
    inside = opened(launches)
    names = inside["nvtx"].drop_nulls().unique()
    read_off = [numbered(names, rule) for rule in rules(CountRule, "count") if rule.of == of]
    known = pl.concat(read_off).unique("nvtx", keep="first", maintain_order=True)
    return inside.join(known, on="nvtx", maintain_order="left").unique("index", keep="first", maintain_order=True).drop("nvtx")


def numbered(names: pl.Series, rule: CountRule) -> pl.DataFrame:
    """The ranges in which one rule finds a number: nvtx, number, what."""
    found = pl.col("nvtx").str.extract_groups(rule.nvtx).struct.field("number").cast(pl.Int64, strict=False)
    return names.rename("nvtx").to_frame().select("nvtx", number=found, what=pl.lit(rule.what)).drop_nulls("number")


def read(names: pl.Series, rule: RangeRule) -> pl.DataFrame:
    """The ranges that one rule reads: name and what it says."""
    groups = {group: number(rule, group) for group in GROUPS}
    return (
        names.rename("name")
        .to_frame()
        .filter(pl.col("name").str.contains(rule.nvtx))
        .select(
            "name",
            nvtx_phase=pl.lit(rule.phase, pl.Enum(PHASES)),
            **{f"nvtx_{group}": found for group, found in groups.items()},
            nvtx_drafts=pl.lit(rule.drafts),
            nvtx_what=pl.lit(rule.what),
        )
    )


def number(rule: RangeRule, group: str) -> pl.Expr:
    """A named group of the range's name as a number; null where the rule has none."""
    if f"(?P<{group}>" not in rule.nvtx:
        return pl.lit(None, pl.Int64)
    return pl.col("name").str.extract_groups(rule.nvtx).struct.field(group).cast(pl.Int64, strict=False)


def of_groups(launches: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Per group of launches what all its ranges agree on; null where they differ: a group of two steps is told by none."""
    at = places.select("index", "group").join(ranges(launches), on="index")
    agreed = [pl.when(pl.col(name).drop_nulls().n_unique() == 1).then(pl.col(name).drop_nulls().first()) for name in TOLD]
    return at.group_by("group").agg(each.alias(name) for each, name in zip(agreed, TOLD, strict=True))
