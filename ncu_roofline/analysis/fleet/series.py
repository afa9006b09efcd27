"""Rows of many captures -> series: what is alike in all that moves a number by itself, in the order of commits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from ncu_roofline.analysis.sums import known_sum, ratio
from ncu_roofline.knowledge.verdicts import QUANTITIES, limit

METRICS = {
    "bytes_per_token": ("bytes", "byte"),
    "read_bytes_per_token": ("read_bytes", "byte"),
    "seconds_per_token": ("seconds", "s"),
    "flops_per_token": ("flops", "FLOP"),
}
"""Metric -> column of the sums and unit."""
WORKLOAD = ("model", "device", "batch", "context", "layers", "tp", "gpus", "basis", "phase", "protocol", "synthetic")
"""What is equal within a series; a context only where somebody told it, since counters tell it by the bytes themselves."""
BESIDE = ("branch", "label", "engine", "weights", "kv", "accepted", "profiler", "driver", "cuda", "inferred_context")
"""What may differ within a series, and is then named."""
WHOLE = "all"
AMOUNTS = (*QUANTITIES, *(f"{q}_{end}" for q in QUANTITIES for end in ("low", "high")))
ADDED = (*AMOUNTS, "read_bytes", "beyond_bytes", *(f"{q}_lacking" for q in QUANTITIES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Captures of one workload in order: a point is a commit, or a capture that names none."""

    workload: dict[str, Any]
    points: pl.DataFrame
    """point, commit, when, captures, branch, and the values of `BESIDE` where all captures of the point share them."""
    rows: pl.DataFrame
    """point, role (or kernel; `all` is their sum) and per token: the quantities with their bounds; null is unknown."""
    unordered: int = 0
    """Captures whose place is told by the time of their file alone."""


def series(runs: pl.DataFrame) -> list[Series]:
    """The series of an archive, the longest first; captures that could not be read have no place in one."""
    told = pl.col("inferred").fill_null("").str.contains("context")
    alike = runs.filter(pl.col("reason").is_null()).with_columns(
        context=pl.when(~told).then("context"), inferred_context=pl.when(told).then("context")
    )
    found = [one(dict(zip(WORKLOAD, key, strict=True)), rows) for key, rows in parts(alike)]
    return sorted(found, key=lambda s: (-s.points.height, str(s.workload)))


def parts(runs: pl.DataFrame) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Workloads with their rows. Contexts that differ by less than two runs of one setting do are one."""
    close = 1 + limit("same_context")
    known = sorted(runs["context"].drop_nulls().unique())
    first: dict[int, int] = {}
    for context in known:
        begun = next(reversed(first.values()), None)
        first[context] = begun if begun is not None and context <= close * begun else context
    merged = runs.with_columns(pl.col("context").replace(first)) if first else runs
    yield from merged.group_by(WORKLOAD, maintain_order=True)


def one(workload: dict[str, Any], rows: pl.DataFrame) -> Series:
    """One series: its points in order, and its rows per token."""
    placed = rows.with_columns(
        moment=pl.coalesce("commit_time", "when"), of=pl.coalesce("commit", pl.format("capture {}", "id"))
    )
    points = (
        placed.group_by("of")
        .agg(
            pl.col("commit").first(),
            pl.col("moment").min().alias("when"),
            pl.col("capture").sort().first(),
            pl.col("id").n_unique().alias("captures"),
            *(pl.when(pl.col(c).n_unique() == 1).then(pl.col(c).first()).alias(c) for c in BESIDE),
        )
        .sort("when", "capture", "of", nulls_last=True)
        .with_row_index("point")
        .with_columns(pl.col("point", "captures").cast(pl.Int64))
    )
    by_file = placed.filter(pl.col("commit_time").is_null() & (pl.col("when_source") == "file"))["id"].n_unique()
    return Series(
        workload=workload,
        points=points.drop("of"),
        rows=per_token(placed.join(points.select("of", "point", "captures"), on="of")),
        unordered=by_file,
    )


def per_token(placed: pl.DataFrame) -> pl.DataFrame:
    """Each point's numbers by role and in all: the mean over its captures, in which a role that is lacking moves nothing."""
    each = placed.with_columns(pl.col(c) / pl.col("divisor") / pl.col("captures") for c in (*ADDED, "launches"))
    by_role = each.group_by("point", "role", maintain_order=True).agg(added())
    whole = each.group_by("point", maintain_order=True).agg(added()).with_columns(role=pl.lit(WHOLE))
    return pl.concat([whole, by_role], how="diagonal").sort("point", "role")


def added() -> list[pl.Expr]:
    """Sums of the columns; a quantity is unknown where more than a small part of it was not measured."""
    sums = [pl.col(c).sum() for c in ADDED if c not in (*QUANTITIES, "read_bytes", "beyond_bytes") and not c.endswith("_high")]
    most = [pl.when(pl.col(c).null_count() == 0).then(pl.col(c).sum()).alias(c) for c in ADDED if c.endswith("_high")]
    beyond = ratio(pl.col("beyond_bytes").sum(), pl.col("bytes").filter(pl.col("beyond_bytes").is_not_null()).sum())
    return [*sums, *most, *(known(q) for q in (*QUANTITIES, "read_bytes")), beyond.alias("beyond")]


def known(quantity: str) -> pl.Expr:
    """A sum that may be said, by the rule of a comparison: of time by the number of launches, of the rest by their time."""
    of = "bytes" if quantity == "read_bytes" else quantity
    whole = pl.col("launches" if of == "seconds" else "seconds").sum()
    part = pl.col(f"{of}_lacking").sum() / whole
    enough = pl.when(whole > 0).then(part <= limit("unknown_part")).otherwise(pl.col(quantity).null_count() == 0)
    return pl.when(enough & (pl.col(quantity).count() > 0)).then(pl.col(quantity).sum()).alias(quantity)


def roles(found: Series, column: str) -> list[str]:
    """The roles of a series by what they move in it, largest first."""
    parts = found.rows.filter(pl.col("role") != WHOLE).group_by("role").agg(pl.col(column).sum())
    return parts.sort(column, "role", descending=[True, False])["role"].to_list()


def values(found: Series, role: str, column: str) -> list[float | None]:
    """A role's number at every point: zero where it did not run, None where it is not known."""
    own = found.rows.filter(pl.col("role") == role).select("point", pl.col(column).alias("value"), ran=pl.lit(True))
    every = found.points.select("point").join(own, on="point", how="left", maintain_order="left")
    return every.select(pl.when(pl.col("ran").is_null()).then(0.0).otherwise("value"))["literal"].to_list()


def varied(found: Series) -> dict[str, list[str]]:
    """What differs within a series, with its values in their order."""
    every = {name: found.points[name].drop_nulls().unique(maintain_order=True).cast(pl.String).to_list() for name in BESIDE}
    return {name: each for name, each in every.items() if len(each) > 1}


def of_kernels(runs: pl.DataFrame, launches: pl.LazyFrame) -> pl.DataFrame:
    """Rows as those of `runs`, of kernels in place of roles: sums of launches that count, already per token."""
    time = pl.col("seconds") * pl.col("share")
    sums = (
        launches.filter(pl.col("share").is_not_null())
        .group_by("id", "date", role="kernel")
        .agg(
            (pl.len() * pl.col("share").first()).alias("launches"),
            *(known_sum(q).mul(pl.col("share").first()).alias(q) for q in QUANTITIES),
            *(time.filter(pl.col(q).is_null()).sum().alias(f"{q}_lacking") for q in ("bytes", "flops")),
            seconds_lacking=pl.col("seconds").null_count() * pl.col("share").first(),
        )
    )
    about = runs.select(pl.exclude("role", "launches", *ADDED, "divisor")).unique("id", maintain_order=True)
    return (
        about.with_columns(date=pl.col("when").dt.strftime("%Y-%m-%d"))
        .join(sums.collect(engine="streaming"), on=["id", "date"])
        .with_columns(
            *(pl.col(q).alias(f"{q}_{end}") for q in QUANTITIES for end in ("low", "high")),
            divisor=pl.lit(1.0),
            read_bytes=pl.lit(None, pl.Float64),
            beyond_bytes=pl.lit(None, pl.Float64),
        )
    )
