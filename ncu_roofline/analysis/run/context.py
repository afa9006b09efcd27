"""Cached tokens per sequence: as the engine's ranges count them, else by the bytes that attention reads.

Of a layer the launch that reads the cache tells, never its helpers, and never writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.model.types import element_bytes
from ncu_roofline.analysis.model.useful import cache_width, in_decode, is_role
from ncu_roofline.analysis.notes import Note
from ncu_roofline.analysis.run.cuts.ranges import ranges
from ncu_roofline.analysis.run.rows import AXES, satellite
from ncu_roofline.capture.capture import UNKNOWN, Fact, Run, Witness
from ncu_roofline.knowledge.kernels.rows import CacheRule, rules
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.model import Model

USUAL = "bf16"
"""The type of a cache of which neither user, name nor model tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """What one cached token of one sequence takes in one layer, and who says so."""

    elements: pl.Expr
    width: pl.Expr
    said: str
    sequences: pl.Expr
    """Sequences that the launch reads for; null where nothing tells."""
    windowed: bool = False
    """Whether some layers see only a part of the context."""


def with_context(launches: pl.DataFrame, run: Run, model: Model | None) -> tuple[Run, tuple[Note, ...]]:
    """The run with the context that the KV bytes show where nobody stated it, and a note if they contradict."""
    seen = context(launches, run, model)
    if run.context.value is None:
        return replace(run, context=seen), ()
    if seen.value and abs(seen.value / run.context.value - 1) > THRESHOLDS.other_context:
        return run, (Note("other_context", {"stated": run.context.value, "seen": seen.value}),)
    return run, ()


def context(launches: pl.DataFrame, run: Run, model: Model | None) -> Fact[int]:
    """Cached tokens per sequence; unknown without ranges, or without bytes, sequences and the cache's shape."""
    spoke = [w for w in (by_ranges(launches), by_bytes(launches, run, model)) if w is not None]
    if not spoke:
        return UNKNOWN
    first = spoke[0]
    low, high = first.low or 0.0, first.high or 0.0
    if high > (1 + THRESHOLDS.other_context) * low:
        return Fact(None, "unknown", f"{first.says}: it differs between steps", round(low), round(high), tuple(spoke))
    value = middle(first)
    agreed = tuple(replace(w, agrees=abs(middle(w) / value - 1) <= THRESHOLDS.other_context) for w in spoke)
    return Fact(value, "inferred", first.says, witnesses=agreed)


def by_bytes_alone(run: Run) -> bool:
    """Whether only the bytes that attention reads told the context: then they cannot be held against it."""
    return run.context.origin == "inferred" and all(w.rank != "nvtx" for w in run.context.witnesses)


def middle(one: Witness) -> int:
    """What a witness tells, between its least and its greatest step."""
    return round(((one.low or 0.0) + (one.high or 0.0)) / 2)


def by_ranges(launches: pl.DataFrame) -> Witness | None:
    """What the engine's ranges say: the cached tokens of all sequences over their number, of every step.

    The new rows of the step, drafts among them, are counted in: before they were written it was as many fewer.
    """
    told = ranges(launches).filter((pl.col("nvtx_cached") > 0) & (pl.col("nvtx_batch") > 0))
    if told.is_empty():
        return None
    after, new = pl.col("nvtx_cached"), pl.coalesce("nvtx_rows", "nvtx_batch")
    seen = told.select(before=(after - new) / pl.col("nvtx_batch"), after=after / pl.col("nvtx_batch"))
    says = f"{told['nvtx_what'][0]}, cached tokens over sequences"
    return Witness(says=says, low=seen["before"].min(), high=seen["after"].max(), rank="nvtx")  # type: ignore[arg-type]


def by_bytes(launches: pl.DataFrame, run: Run, model: Model | None) -> Witness | None:
    """What the launches say that read the cache: bytes over those of a cached token of all their sequences."""
    mains = readers(launches, run)
    told = of_model(mains, run, model) if model else of_kernels(mains, run)
    if told is None:
        return None
    read = pl.coalesce("dram_read_bytes", "dram_bytes")
    tokens = (read / told.width / told.elements / told.sequences).alias("tokens")
    seen = mains.select("process", "device", "step", tokens).filter(pl.col("tokens") >= 1)
    if told.windowed:
        seen = seen.filter(pl.col("tokens") >= pl.col("tokens").max() / 2)
    if seen.is_empty():
        return None
    steps = seen.group_by("process", "device", "step").agg(pl.col("tokens").median())["tokens"]
    return Witness(says=told.said, low=float(steps.min()), high=float(steps.max()))  # type: ignore[arg-type]


def counted(run: Run, mains: pl.DataFrame) -> pl.Expr:
    """Sequences by the batch, as it was stated or as the launch's own step tells."""
    of_step = pl.col("step_batch") if "step_batch" in mains.columns else pl.lit(None, pl.Int64)
    return pl.coalesce(pl.lit(run.batch.value, pl.Int64), of_step)


def readers(launches: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Of each layer's attention the launch that reads most: the one that reads the cache."""
    read = pl.coalesce("dram_read_bytes", "dram_bytes")
    mains = launches.with_columns(decode=in_decode(run), satellite=satellite(launches)).filter(is_role("attention"))
    layer = ("process", "device", "step", "layer")
    most = read == read.max().over(layer)
    return mains.filter(pl.col("layer").is_null() | most.fill_null(False))


def of_model(mains: pl.DataFrame, run: Run, model: Model) -> Cache | None:
    """The cache by the model's shape; None where its layers cache unlike amounts, or nothing."""
    full = [c for c in model.caches if c.elements and c.window is None]
    if not full or len({c.elements for c in model.caches if c.elements}) > 1:
        return None
    return Cache(
        elements=pl.lit(full[0].elements / min(int(run.tp.value or 1), full[0].split)),
        width=cache_width(run, model),
        sequences=counted(run, mains),
        said="bytes that attention read over bytes of a cached token" + assumed(mains, run, model.native or USUAL),
        windowed=len(full) < sum(c.elements > 0 for c in model.caches),
    )


def of_kernels(mains: pl.DataFrame, run: Run) -> Cache | None:
    """The cache by the launch of the kernel that reads it; None where no rule knows the kernel."""
    known = [rule for rule in rules(CacheRule, "cache") if mains["kernel"].str.contains(rule.patterns["kernel"]).any()]
    if not known:
        return None
    said = "bytes that attention read over key/value heads by its grid and head width by its name"
    usual = dtypes.find(USUAL).bytes
    return Cache(
        elements=pl.coalesce([elements(rule) for rule in known]),
        width=pl.coalesce(cache_width(run, None), pl.lit(usual)),
        sequences=counted(run, mains) if run.batch.origin == "given" else pl.coalesce([sequences(rule) for rule in known]),
        said=said + assumed(mains, run, USUAL),
    )


def elements(rule: CacheRule) -> pl.Expr:
    """Cached elements of a token: keys and values of every head; null for other kernels."""
    heads = pl.col("grid").arr.get(AXES[rule.heads])
    width = pl.col("name").str.extract(rule.width, 1).cast(pl.Float64, strict=False)
    return pl.when(pl.col("kernel").str.contains(rule.patterns["kernel"])).then(2 * heads * width)


def sequences(rule: CacheRule) -> pl.Expr:
    """Sequences that the launch reads for, by its own grid; null for other kernels."""
    mine = pl.col("kernel").str.contains(rule.patterns["kernel"])
    return pl.when(mine).then(pl.col("grid").arr.get(AXES[rule.sequences]))


def assumed(mains: pl.DataFrame, run: Run, usual: str) -> str:
    """The cache's type, where neither the user nor a kernel's name says it."""
    named = mains.select(element_bytes("cache_dtype").alias("width"))["width"].count()
    return "" if named or run.kv.value is not None else f", the cache taken to be {usual} while nobody states its type"
