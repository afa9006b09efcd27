"""A document's rows as CSV: base units, exact column names."""

from __future__ import annotations

import polars as pl

from ncu_roofline.present.forms.document import Document
from ncu_roofline.present.forms.text import clean

# a spreadsheet runs a cell that begins with one of these
FORMULA = r"^([=+\-@\t\r])"


def render(document: Document) -> str:
    """The rows of the data; lists and triples as text, names cleaned."""
    rows = document.data.get("rows")
    frame = rows if isinstance(rows, pl.DataFrame) else document.tables[0].rows
    return frame.select(flat(frame, name) for name in frame.columns).write_csv()


def flat(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A column that fits a cell."""
    column, kind = pl.col(name), frame.schema[name]
    if isinstance(kind, pl.Array):
        return column.arr.to_list().cast(pl.List(pl.String)).list.join("x")
    if isinstance(kind, pl.List):
        inner = pl.element().struct.json_encode() if isinstance(kind.inner, pl.Struct) else pl.element().cast(pl.String)
        return harmless(column.list.eval(inner).list.join(" > "))
    if isinstance(kind, pl.Struct):
        return harmless(column.struct.json_encode())
    return harmless(column) if kind == pl.String else column


def harmless(texts: pl.Expr) -> pl.Expr:
    """Texts that neither move a cursor nor run in a spreadsheet."""
    return texts.map_batches(lambda s: s.replace_strict(names(s), return_dtype=pl.String), return_dtype=pl.String)


def names(texts: pl.Series) -> dict[str, str]:
    """Distinct texts made harmless."""
    import re

    return {t: re.sub(FORMULA, r"'\1", clean(t)) for t in texts.drop_nulls().unique().to_list()}
