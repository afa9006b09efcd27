"""Rows chosen and ordered for a list."""

from __future__ import annotations

import difflib

import polars as pl

from ncu_roofline.errors import UnusableInput

SHORT = {"time": "seconds", "bytes": "dram_bytes", "gain": "gain_seconds"}
"""What people call a column."""
SEARCHED = ("kernel", "name", "role")


def listing(rows: pl.DataFrame, *, sort: str, only: str | None) -> pl.DataFrame:
    """Rows that contain the text, largest first by the column; `-column` turns the order round."""
    asked, rising = sort.lstrip("-"), sort.startswith("-")
    column = SHORT.get(asked, asked)
    if column not in rows.columns:
        near = difflib.get_close_matches(column, rows.columns, 3) or ["seconds", "dram_bytes", "intensity"]
        raise UnusableInput(f"`sort=` {column}: no such column; nearest: {', '.join(near)}")
    found = rows if only is None else rows.filter(contains(only))
    key = pl.col(column)
    if column == "gain_seconds" and found[column].count():
        key = pl.coalesce(column, "seconds")  # as in `fix_first`: what was not measured is no smaller for it
    return found.sort(key, descending=not rising, nulls_last=True, maintain_order=True)


def contains(text: str) -> pl.Expr:
    """Whether kernel, name or role holds the text, whatever its case."""
    wanted = text.lower()
    return pl.any_horizontal(
        pl.col(c).cast(pl.String).str.to_lowercase().str.contains(wanted, literal=True).fill_null(False) for c in SEARCHED
    )
