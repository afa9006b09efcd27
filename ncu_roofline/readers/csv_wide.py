"""The wide form (`--page raw`): one row per launch, one column per metric, a row of units."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ncu_roofline.capture.units import factor
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.knowledge import counters
from ncu_roofline.readers import csv_launches, csv_numbers, csv_text
from ncu_roofline.readers.csv_device import ATTRIBUTE



def read(page: csv_text.Page, metrics: Sequence[str]) -> csv_launches.Table:
    """The launches of a raw page with the counters in use and those that `metrics` asks for."""
    places = csv_launches.columns(page)
    named = {name: f"c{place}" for place, name in enumerate(page.header) if "__" in name}
    wanted = counters.wanted(named, metrics)
    attributes = {name: place for name, place in named.items() if name.startswith(ATTRIBUTE)}
    measured = {name: place for name, place in named.items() if name in wanted}
    # the last column is read along because it tells whether a row is whole
    last = len(page.header) - 1
    chosen = {int(place[1:]) for part in (places, attributes, measured) for place in part.values()}
    page, table = csv_text.frame(page, sorted(chosen | {last}))
    units, rows = _units(page, table, places["id"])
    cut = rows.filter(pl.col(f"c{last}").is_null())
    if cut.height:
        raise csv_text.cut_short(page.file, cut[places["id"]][0])
    identity = rows.select(pl.col(place).alias(word) for word, place in places.items())
    launches = csv_launches.launches(identity, page.file)
    comma = _decimal_comma(rows, measured, units, page.file)
    values, notes = _values(rows, measured, units, comma=comma)
    return csv_launches.Table(launches, values, _attributes(rows, attributes, units), notes, comma)


def _units(page: csv_text.Page, table: pl.DataFrame, key: str) -> tuple[dict[str, str], pl.DataFrame]:
    """Unit of every column by position, and the rows of launches."""
    rows = table.filter(pl.col(key).str.contains(r"^\d+$"))
    if rows.height and table[key][0] not in ("", None):
        raise UnreadableCapture(
            f"{page.file}: a raw page without its row of units, so no number has a scale; "
            f"{csv_text.EXPORT}"
        )
    first = table.row(0, named=True) if table.height else {}
    return {place: unit or "" for place, unit in first.items()}, rows


def _attributes(rows: pl.DataFrame, attributes: dict[str, str], units: dict[str, str]) -> pl.DataFrame:
    """Each attribute once with every different text it has: name, text, unit."""
    found = [
        (name, text, units[place])
        for name, place in attributes.items()
        for text in rows[place].drop_nulls().unique(maintain_order=True)
    ]
    return pl.DataFrame(found, schema=csv_launches.ATTRIBUTES, orient="row")


def _decimal_comma(
    rows: pl.DataFrame, measured: dict[str, str], units: dict[str, str], file: str
) -> bool:
    """Whether the file prints decimal commas."""
    whole = {p for n, p in measured.items() if n.endswith(".sum") and units[p] in csv_numbers.WHOLE}
    texts = [rows[place].rename("text") for place in measured.values()]
    counts = [rows[place].rename("text") for place in whole]
    empty = pl.Series("text", [], dtype=pl.String)
    return csv_numbers.decimal_comma(pl.concat([empty, *texts]), pl.concat([empty, *counts]), file)


def _values(
    rows: pl.DataFrame, measured: dict[str, str], units: dict[str, str], *, comma: bool
) -> tuple[pl.DataFrame, list[str]]:
    """The counters in base units without those that are text, and what could not be read."""
    values: list[pl.Series] = []
    odd: list[pl.DataFrame] = []
    strange: list[str] = []
    for name, place in measured.items():
        texts, scale = rows[place], factor(units[place])
        numbers = csv_numbers.numbers(texts, comma=comma)
        bare = texts.filter(~numbers.is_finite().fill_null(False))
        bare = bare.filter(bare != "")
        said = bare.to_frame("text").select(csv_numbers.reason(pl.col("text")).is_not_null().any())
        if bare.len():
            odd.append(pl.DataFrame({"metric": [name] * bare.len(), "text": bare}))
        if bare.len() == numbers.len() and not said.item():
            continue
        if scale is None:
            strange.append(units[place])
        values.append((numbers * scale).cast(pl.Float64).alias(name))
    notes = csv_numbers.missing(pl.concat(odd)) if odd else []
    return pl.DataFrame(values), notes + csv_numbers.strange_units(pl.Series(strange, dtype=pl.String))
