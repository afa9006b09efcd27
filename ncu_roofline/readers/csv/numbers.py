"""Printed numbers of any locale -> Float64; what is no number -> null, with the reason counted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

import polars as pl

from ncu_roofline.errors import UnreadableCapture

SPACES = "\u00a0\u202f\u2009'’ "
"""Thousands separators of locales that use neither point nor comma."""

NUMBER = rf"^\s*([-+]?\d[\d.,{SPACES}]*(?:[eE][-+]?\d+)?)(?:\s*\(.*\))?\s*$"
"""A number, perhaps with the instance list that --print-metric-instances adds."""

REASONS = (
    (r"(?i)^\s*n/a\s*$", "n/a"),
    (r"(?i)^\s*no[ _]data\s*$", "no data"),
    (r"(?i)^\s*[-+]?(nan|inf|infinity)(\(ind\))?\s*$", "not a number"),
    (r"^\s*\(!\)", "marked (!) by the profiler"),
)
"""What the profiler prints where it has no number."""

WHOLE = ("ns", "nsecond", "byte", "inst", "sector", "cycle")
"""Units in which a sum has no fraction."""


def reason(texts: pl.Expr) -> pl.Expr:
    """Why a text is no number, in the profiler's words; null for any other text."""
    answer = pl.lit(None, dtype=pl.String)
    for pattern, word in REASONS:
        answer = pl.when(texts.str.contains(pattern)).then(pl.lit(word)).otherwise(answer)
    return answer


def decimal_comma(texts: Collection[pl.Series], counts: Collection[pl.Series], file: str) -> bool:
    """Whether the file prints 3,5 for three and a half; raises where it does both.

    `counts` are those columns of texts that must be whole (sums of bytes, nanoseconds, instructions):
    a point in one of them can only part thousands.
    """
    comma = _first(texts, r"^[-+]?\d+,(\d{1,2}|\d{4,})$|^[-+]?\d{1,3}(\.\d{3})+,\d+$|\d\.\d{3}\.\d")
    if not comma and not _first(counts, r"^\d{1,3}\.\d{3}$"):
        return False
    point = _first(texts, r"^[-+]?\d+\.(\d{1,2}|\d{4,})$|^[-+]?\d{1,3}(,\d{2,3})+\.\d+$|\d,\d{3},\d")
    if comma and point:
        raise UnreadableCapture(
            f"{file}: numbers with a decimal comma ({comma}) beside numbers with a decimal point "
            f"({point}); export it again with LC_ALL=C"
        )
    return not point


def _first(columns: Iterable[pl.Series], pattern: str) -> str | None:
    for texts in columns:
        found = texts.filter(texts.str.contains(pattern))
        if found.len():
            return str(found[0])
    return None


def numbers(texts: pl.Series, *, comma: bool = False) -> pl.Series:
    """Every text as Float64; null where it is none."""
    if comma:
        return _translated(texts, texts.drop_nulls().unique(), comma=True)
    plain: pl.Series = texts.cast(pl.Float64, strict=False)
    plain = plain.set(~plain.is_finite(), None)
    odd = texts.filter(plain.is_null() & texts.is_not_null() & (texts != "")).unique()
    if odd.len() == 0:
        return plain
    filled: pl.Series = plain.fill_null(_translated(texts, odd, comma=False))
    return filled


def _translated(texts: pl.Series, distinct: pl.Series, *, comma: bool) -> pl.Series:
    values = pl.Series([number(text, comma=comma) for text in distinct], dtype=pl.Float64)
    translated: pl.Series = texts.replace_strict(distinct, values, default=None, return_dtype=pl.Float64)
    return translated


def number(text: str, *, comma: bool = False) -> float | None:
    """One printed number; None where it is none.

    >>> number("54,207,744"), number("1,024 (512; 512)"), number("1.234,5", comma=True)
    (54207744.0, 1024.0, 1234.5)
    >>> number("n/a") is None, number("1,23") is None
    (True, True)
    """
    found = re.match(NUMBER, text)
    if found is None:
        return None
    digits = found[1].strip()
    if comma:
        digits = digits.translate(str.maketrans(".,", ",."))
    parted = re.fullmatch(rf"([-+]?\d{{1,3}}(?:[,{SPACES}]\d{{2,3}})*[,{SPACES}]\d{{3}})(\.\d*)?", digits)
    if parted:
        digits = re.sub(rf"[,{SPACES}]", "", parted[1]) + (parted[2] or "")
    try:
        return float(digits)
    except ValueError:
        return None


def missing(texts: pl.DataFrame) -> list[str]:
    """A sentence for each way in which the profiler printed no number, with its counters."""
    said = texts.with_columns(reason=reason(pl.col("text"))).drop_nulls("reason")
    by = said.group_by("reason", maintain_order=True).agg(pl.len(), pl.col("metric").unique().sort())
    return [_sentence(word, count, names) for word, count, names in by.iter_rows()]


def _sentence(word: str, count: int, names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{count:,} {'value was' if count == 1 else 'values were'} {word}: {shown}"


def strange_units(units: pl.Series) -> list[str]:
    """A sentence naming the units nobody knows; their numbers are left out."""
    names = units.unique().sort().to_list()
    return [f"numbers in units that are not known were left out: {', '.join(names)}"] if names else []
