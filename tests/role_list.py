"""The public list of about 2,000 kernel names with the role each plays, beside what the rules say of it."""

from __future__ import annotations

import polars as pl

from ncu_roofline.knowledge.kernels.roles import classify_names, load_rules
from tests.corpus import REFERENCE

LIST = REFERENCE / "kernel_names.tsv"
MAIN = ("fc", "attention")


def judged() -> pl.DataFrame:
    """The list with `said` (the role by name alone), `right` (label or an `alt:` of its note) and `crossed`."""
    rows = pl.read_csv(LIST, separator="\t", quote_char=None, infer_schema=False).fill_null("")
    said = classify_names(rows["name"], load_rules()).select("name", said=pl.col("role").cast(pl.String), rule="rule")
    both = rows.join(said, on="name", how="left", maintain_order="left")
    alternatives = pl.col("note").str.extract_all(r"alt: [a-z-]+").list.eval(pl.element().str.strip_prefix("alt: "))
    right = (pl.col("said") == pl.col("label")) | alternatives.list.contains(pl.col("said"))
    return both.with_columns(right=right.fill_null(False)).with_columns(
        crossed=(pl.col("label").is_in(MAIN) & pl.col("said").is_in(MAIN) & ~pl.col("right")).fill_null(False)
    )


def accuracy(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """Rows and share of right answers per label or engine, for groups of 20 rows or more."""
    shares = rows.group_by(by).agg(rows=pl.len(), right=pl.col("right").mean())
    return shares.filter(pl.col("rows") >= 20).sort("right", by)
