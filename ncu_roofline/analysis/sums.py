"""The arithmetic that frames share: sums, means and quotients in which what is unknown stays unknown."""

from __future__ import annotations

import polars as pl


def ratio(top: str | pl.Expr, bottom: str | pl.Expr) -> pl.Expr:
    """top / bottom; null where bottom is zero, a side was not measured, or the quotient overflows."""
    upper = pl.col(top) if isinstance(top, str) else top
    lower = pl.col(bottom) if isinstance(bottom, str) else bottom
    quotient = upper / lower
    return pl.when((lower > 0) & quotient.is_finite()).then(quotient)


def known_sum(name: str, where: pl.Expr | None = None) -> pl.Expr:
    """Sum of the known values; null where there is none, which a plain sum would call zero."""
    values = pl.col(name) if where is None else pl.when(where).then(name)
    return pl.when(values.count() > 0).then(values.sum())


def mean(of: str | pl.Expr, by: str = "seconds") -> pl.Expr:
    """Mean weighted by time, or by another column, of the rows that have both; null where none has."""
    value = pl.col(of) if isinstance(of, str) else of
    return ratio((value * pl.col(by)).sum(), pl.when(value.is_not_null()).then(by).sum())


def total(frame: pl.DataFrame, column: str) -> float | None:
    """Sum of what is known; None where nothing is."""
    return number(frame.select(known_sum(column)).item())


def weighted(frame: pl.DataFrame, of: str | pl.Expr, by: str = "seconds") -> float | None:
    """Mean of a column, or of a quotient of columns, weighted by time, or by another column; None where nothing is known."""
    return number(frame.select(mean(of, by)).item())


def share(frame: pl.DataFrame, which: pl.Expr, of: str, among: pl.Expr | None = None) -> float | None:
    """Part of the column's total, or of that in the rows of `among`, that lies in those of `which`; None without a total."""
    whole = pl.col(of) if among is None else pl.col(of).filter(among)
    both = which if among is None else which & among
    return number(frame.select(ratio(pl.col(of).filter(both).sum(), whole.sum())).item())


def number(value: object) -> float | None:
    """A figure as Python's own float."""
    return float(value) if isinstance(value, int | float) else None
