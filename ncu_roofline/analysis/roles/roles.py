"""Launches -> launches with their role, who decided it, and the types their names tell."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.roles import neighbours
from ncu_roofline.capture.schema import FAMILIES, ROLE_SOURCES, ROLES, whole_result
from ncu_roofline.knowledge.kernels.roles import DTYPE_COLUMNS, Rules, classify_names, first_of_ranges, load_rules

ROLE, SOURCE, FAMILY = pl.Enum(list(ROLES)), pl.Enum(list(ROLE_SOURCES)), pl.Enum(list(FAMILIES))
CONTEXT_RULE, WHOLE_RULE = "neighbours", "whole-result"
ADDED = ("role", "role_source", "role_rule", *DTYPE_COLUMNS, "family")


def assign(launches: pl.DataFrame, rules: Rules | None = None) -> pl.DataFrame:
    """Launches with role, its source and rule, three dtypes and family; null where nothing is recognised.

    The order of evidence: the user's rules, NVTX ranges, the name, the neighbours where the name
    leaves the role open.
    """
    known = rules or load_rules(None)
    named = _by_name(launches, known)
    ranged = _by_range(named, known)
    settled = _whole_results(launches, _by_neighbours(ranged))
    family = pl.when(pl.col("role").is_in(["fc", "attention"])).then(pl.col("role").cast(pl.String)).otherwise(pl.lit("other"))
    return launches.with_columns(
        *(settled[c] for c in ADDED[:-1]), settled.select(family.cast(FAMILY).alias("family")).to_series()
    )


def _whole_results(launches: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """Results of whole graphs and ranges hold every role: neither their name nor the ranges around them tell one."""
    whole = launches.select(whole_result().alias("whole"))["whole"]
    told = {"role": pl.lit("fused-step", ROLE), "role_source": pl.lit("name", SOURCE), "role_rule": pl.lit(WHOLE_RULE)}
    return settled.with_columns(pl.when(whole).then(value).otherwise(name).alias(name) for name, value in told.items())


def _by_name(launches: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """What each launch's name says, from one look at each distinct name."""
    kinds = {rule.id: rule.open for rule in rules.rules if rule.open}
    users = [rule.id for rule in rules.rules if rule.user]
    told = classify_names(launches["name"], rules).with_columns(
        role_source=pl.when(pl.col("rule").is_in(users))
        .then(pl.lit("user"))
        .when(pl.col("likely"))
        .then(pl.lit("likely"))
        .when(pl.col("rule").is_not_null())
        .then(pl.lit("name"))
        .cast(SOURCE),
        open=pl.when(pl.col("rule").is_null())
        .then("nameless")
        .otherwise(pl.col("rule").replace_strict(kinds, default=None, return_dtype=pl.String)),
    )
    asked = launches.select("name", "nvtx", *neighbours.LANE)
    return asked.join(told, on="name", how="left", maintain_order="left").rename({"rule": "role_rule"})


def _by_range(named: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Roles by the innermost NVTX range that a rule knows, where the name is not more exact."""
    if named["nvtx"].null_count() == named.height:
        return named
    told = named.join(first_of_ranges(named["nvtx"], rules), on="nvtx", how="left", maintain_order="left", nulls_equal=True)
    over = pl.col("range_over")
    vague = over.list.contains(pl.col("role").cast(pl.String)) | over.list.contains(pl.col("open"))
    outranked = pl.col("role").is_null() | (pl.col("role") == pl.col("range_role")) | vague.fill_null(False)
    users = pl.col("range_user").fill_null(False) & (pl.col("role_source") != "user").fill_null(True)
    takes = pl.col("range_role").is_not_null() & (users | (outranked & (pl.col("role_source") != "user").fill_null(True)))
    return told.with_columns(
        role=pl.when(takes).then("range_role").otherwise("role"),
        role_rule=pl.when(takes).then("range_rule").otherwise("role_rule"),
        role_source=pl.when(takes & users)
        .then(pl.lit("user"))
        .when(takes)
        .then(pl.lit("nvtx"))
        .otherwise(pl.col("role_source").cast(pl.String))
        .cast(SOURCE),
    )


def _by_neighbours(told: pl.DataFrame) -> pl.DataFrame:
    """Roles by the neighbours for launches that neither the user nor a range decided."""
    beside = neighbours.settled(told).cast(ROLE)
    free = ~told["role_source"].is_in(["user", "nvtx"]).fill_null(False)
    changed = free & beside.is_not_null() & (beside != told["role"]).fill_null(True)
    doubtful = free & beside.is_null() & neighbours.cut_off(told)
    return told.with_columns(
        role=pl.when(changed).then(beside).when(~doubtful).then("role"),
        role_rule=pl.when(changed).then(pl.lit(CONTEXT_RULE)).when(~doubtful).then("role_rule"),
        role_source=pl.when(changed).then(pl.lit("context", dtype=SOURCE)).when(~doubtful).then("role_source"),
    )
