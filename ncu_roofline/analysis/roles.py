"""Launches -> launches with role and family. (First version: by name alone.)"""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.schema import FAMILIES, ROLE_SOURCES
from ncu_roofline.knowledge.roles import Rules, classify_names


def assign(launches: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Launches with role, role_source, role_rule, readable number formats, and family."""
    named = classify_names(launches["name"].unique(), rules).rename({"rule": "role_rule"})
    joined = launches.join(named, on="name", how="left", maintain_order="left")
    role = pl.col("role").cast(pl.String)
    return joined.with_columns(
        role_source=pl.when(role.is_not_null()).then(pl.lit("name")).cast(pl.Enum(ROLE_SOURCES)),
        family=pl.when(role.is_in(["fc", "attention"])).then(role).otherwise(pl.lit("other")).cast(pl.Enum(FAMILIES)),
    )
