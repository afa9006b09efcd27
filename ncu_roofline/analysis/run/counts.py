"""What else counts the steps, layers and prompts of a run: each sign stands for or against the order of its launches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import polars as pl

from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.run.cuts.graphs import EDGES, graph_of, replays
from ncu_roofline.analysis.run.cuts.ranges import numbers
from ncu_roofline.analysis.run.rows import satellite
from ncu_roofline.analysis.run.witnesses import agree, marked
from ncu_roofline.capture.capture import Fact, Witness
from ncu_roofline.capture.schema import PROMPTED

Sign = Callable[[pl.DataFrame], Witness | None]
ORDER = "order of launches"


def with_signs(fact: Fact[int], launches: pl.DataFrame, signs: tuple[Sign, ...]) -> Fact[int]:
    """The fact that the order tells, with who speaks for and against it; unknown where a stronger sign excludes it.

    `launches` are those of one rank, with their places; or the table of its passes.
    """
    others = [w for sign in signs if (w := sign(launches)) is not None]
    if fact.value is None:
        return replace(fact, witnesses=tuple(others)) if others else fact
    order = Witness(says=ORDER, low=fact.value, high=fact.value)
    found = agree([order, *others])
    if found.value is None:
        said = found.evidence or f"{ORDER} says {fact.value}"
        return Fact(None, "unknown", said, found.low, found.high, found.witnesses)
    if found.value != fact.value:
        return found
    return replace(fact, witnesses=marked([order, *others], fact.value))


def numbered_steps(launches: pl.DataFrame) -> Witness | None:
    """At most as many steps as ranges that number them, and no more than a bound: two runs may begin at the same number."""
    told = numbers(launches, "step")
    if told.is_empty():
        return None
    at = launches.select("index").join(told, on="index", how="left", maintain_order="left")
    stretches = at.filter(pl.col("number").ne_missing(pl.col("number").shift(1)) | (pl.int_range(pl.len()) == 0))
    return Witness(says=told["what"][0], low=None, high=stretches["number"].count(), rank="bound")


def at_most(role: str, says: str, launches: pl.DataFrame) -> Witness | None:
    """At most as many steps as times that launches of a role follow those of attention, or open the window."""
    kind = pl.col("role").cast(pl.String).replace(dict.fromkeys(MIXERS, "mixer"))
    runs = launches.select(kind=kind).filter(pl.col("kind").is_in(["mixer", role])).select(pl.col("kind").rle())
    number = int((runs["kind"].struct.field("value") == role).sum())
    return Witness(says=says, low=None, high=number, rank="bound") if number else None


def graph_replays(launches: pl.DataFrame) -> Witness | None:
    """At most as many steps as replays of graphs that hold their attention; silent where some of it runs outside of them.

    No more than a bound: drafts replay graphs of their own, and a graph may hold one layer.
    """
    found = replays(launches).filter(pl.col("mixers") > 0)
    if found.is_empty() or found.filter(pl.col("edges") > 1).height:
        return None
    prompt = pl.col("phase").cast(pl.String).is_in(PROMPTED).fill_null(False)
    mixing = pl.col("role").cast(pl.String).is_in(MIXERS) & ~satellite(launches)
    if launches.filter(mixing, ~prompt, graph_of(launches).is_null()).height:
        return None
    return Witness(says="replays of CUDA graphs", low=None, high=found.height, rank="bound")


def numbered_layers(launches: pl.DataFrame) -> Witness | None:
    """As many layers as ranges number in whole steps; silent where attention runs outside of them."""
    told, whole = numbers(launches, "layer"), whole_steps(launches)
    if told.is_empty() or whole.is_empty():
        return None
    mixing = whole.filter(pl.col("role").cast(pl.String).is_in(MIXERS))
    at = mixing.select("index", "step").join(told, on="index", how="left")
    each = at.group_by("step").agg(pl.col("number").n_unique())["number"].unique()
    if at["number"].null_count() or each.len() != 1:
        return None
    return Witness(says=told["what"][0], low=each[0], high=each[0], rank="nvtx")


def cache_writes(launches: pl.DataFrame) -> Witness | None:
    """As many layers as times that a whole step writes its cache: weak, for some kernels write keys and values apart."""
    written = whole_steps(launches).filter(pl.col("role").cast(pl.String) == "kv-cache")
    each = written.group_by("step", "kernel").len()["len"].unique()
    return Witness(says="cache writes", low=each[0], high=each[0], rank="weak") if each.len() == 1 else None


def graph_pieces(launches: pl.DataFrame) -> Witness | None:
    """As many layers as gaps between the pieces of a graph that attention cuts: weak, for other work may cut it too.

    Silent where steps differ, and where products or draws lie between the pieces: then they are of several passes.
    """
    steps = whole_steps(launches)
    found = replays(steps)
    each = found.group_by("step").agg(
        pl.col("mixers").sum(),
        pl.col("first").min(),
        pl.col("last").max(),
        pieces=pl.len(),
        alone=pl.len() == pl.col("graph").n_unique(),
    )
    role = pl.col("role").cast(pl.String)
    outside = steps.filter(graph_of(steps).is_null(), role.is_in(("fc", *EDGES)))
    parted = outside.join(each, on="step").filter(pl.col("index").is_between("first", "last"))
    cut = each.filter(pl.col("mixers") == 0, "alone", pl.col("pieces") > 1)
    if cut.is_empty() or cut.height < each.height or cut["pieces"].n_unique() > 1 or parted.height:
        return None
    return Witness(says="pieces of CUDA graphs", low=cut["pieces"][0] - 1, high=cut["pieces"][0] - 1, rank="weak")


def prompt_kernels(table: pl.DataFrame) -> Witness | None:
    """At least as many prompts as passes of kernels, or in ranges, of prefill alone."""
    sure = table.filter(pl.col("only_prefill").fill_null(False) & (pl.col("mixers") > 0)).height
    return Witness(says="kernels or ranges of prefill", low=sure, high=None) if sure else None


def whole_steps(launches: pl.DataFrame) -> pl.DataFrame:
    """The launches of whole decode steps."""
    decode = (pl.col("phase").cast(pl.String) == "decode") & pl.col("step_whole")
    return launches.filter(decode.fill_null(False) & pl.col("step").is_not_null())


STEPS: tuple[Sign, ...] = (
    numbered_steps,
    partial(at_most, "embedding", "embeddings"),
    partial(at_most, "sampling", "sampling"),
    graph_replays,
)
LAYERS: tuple[Sign, ...] = (numbered_layers, cache_writes, graph_pieces)
PROMPTS: tuple[Sign, ...] = (prompt_kernels,)
