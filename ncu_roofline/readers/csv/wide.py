"""The wide form (`--page raw`): one row per launch, one column per metric, a row of units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from ncu_roofline.capture.units import factor, to_base
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.knowledge import counters
from ncu_roofline.readers.csv import launches as csv_launches
from ncu_roofline.readers.csv import numbers as csv_numbers
from ncu_roofline.readers.csv import text as csv_text
from ncu_roofline.readers.csv.device import ATTRIBUTES
from ncu_roofline.readers.rows import ATTRIBUTE


def read(page: csv_text.Page, metrics: Sequence[str]) -> csv_launches.Table:
    """The launches of a raw page with the counters in use and those that `metrics` asks for."""
    places = csv_launches.columns(page)
    named = {name: f"c{place}" for place, name in enumerate(page.header) if "__" in name}
    read_along = set(csv_launches.IDENTITY.values())
    if twice := sorted(n for n, times in Counter(page.header).items() if times > 1 and ("__" in n or n in read_along)):
        raise UnreadableCapture(
            f"{page.file}: {twice[0]} stands twice in the header, so nothing tells which is meant; {csv_text.EXPORT}"
        )
    wanted = counters.wanted(named, metrics)
    attributes = {name: place for name, place in named.items() if name in ATTRIBUTES}
    # the last column is read along because it tells whether a row is whole
    last = f"c{len(page.header) - 1}"
    chosen = {*places.values(), *attributes.values(), *(named[name] for name in wanted), last}
    # these repeat: of a million launches, a text for every row would take more memory than all numbers
    few = ({*places.values(), *attributes.values()} - {places["id"], last}) - {named[name] for name in wanted}
    table = csv_text.frame(page, positions(chosen), few=positions(few))
    units, rows = _units(page, table, places["id"])
    csv_text.whole(page, rows.select(id=places["id"], last=last))
    identity = rows.select(pl.col(place).alias(word) for word, place in places.items())
    launches = csv_launches.launches(identity, page.file)
    _one_capture(launches, page.file)
    measured = {n: place for n, place in named.items() if n in wanted and not n.startswith(ATTRIBUTE)}
    texts = rows.select(pl.col(place).alias(name) for name, place in measured.items())
    told = _attributes(rows, attributes, units)
    del table, rows, identity  # of a million launches, the texts take more memory than what is read from them
    scales = {name: units[place] for name, place in measured.items()}
    plain = texts.select(pl.all().cast(pl.Float64, strict=False))
    odd = _odd(texts, plain)
    comma = _decimal_comma(texts, plain, odd, units=scales, file=page.file)
    if comma:
        odd = {name: texts[name] for name in texts.columns}
    del texts
    values, notes = _values(plain, odd, scales, comma=comma)
    return csv_launches.Table(launches, values, told, notes, comma)


def positions(places: Collection[str]) -> list[int]:
    """Positions of the columns c0, c1, ... in rising order."""
    return sorted(int(place[1:]) for place in places)


def _units(page: csv_text.Page, table: pl.DataFrame, key: str) -> tuple[dict[str, str], pl.DataFrame]:
    """Unit of every column by position, and the rows of launches."""
    first = table.row(0, named=True) if table.height else {key: ""}
    if first[key]:
        raise UnreadableCapture(
            f"{page.file}: a raw page without its row of units, so no number has a scale; {csv_text.EXPORT}"
        )
    return {place: unit or "" for place, unit in first.items()}, table.slice(1)


def _one_capture(launches: pl.DataFrame, file: str) -> None:
    """Raises where two rows have one number."""
    numbers = launches.select("process", "profiler_id").drop_nulls("profiler_id")
    if (again := numbers.filter(numbers.is_duplicated())).height:
        raise csv_launches.two_captures(file, f"launch {again['profiler_id'][0]} comes twice")


def _attributes(rows: pl.DataFrame, attributes: dict[str, str], units: dict[str, str]) -> pl.DataFrame:
    """Each attribute once with every different text it has: name, text, unit."""
    different = {place: rows[place].drop_nulls().unique().cast(pl.String) for place in attributes.values()}
    found = [(name, text, units[place]) for name, place in attributes.items() for text in different[place]]
    return pl.DataFrame(found, schema=csv_launches.ATTRIBUTES, orient="row")


def _odd(texts: pl.DataFrame, plain: pl.DataFrame) -> dict[str, pl.Series]:
    """The columns in which some text is no plain number."""
    if texts.width == 0:
        return {}
    finite = plain.select(pl.all().is_finite().sum()).row(0)
    spoilt = [name for name, good in zip(texts.columns, finite, strict=True) if good < texts.height]
    # an empty field is no number either, but nothing needs to be said about it
    empty = texts.select((pl.col(spoilt).is_null() | (pl.col(spoilt) == "")).all()).row(0) if spoilt else ()
    return {name: texts[name] for name, is_empty in zip(spoilt, empty, strict=True) if not is_empty}


def _decimal_comma(
    texts: pl.DataFrame, plain: pl.DataFrame, odd: Mapping[str, pl.Series], *, units: Mapping[str, str], file: str
) -> bool:
    """Whether the file prints decimal commas; most files have nothing that needs a closer look."""
    whole = [n for n in texts.columns if n.endswith(".sum") and units[n] in csv_numbers.WHOLE]
    parts = plain.select((pl.col(whole) % 1 > 0).any()).row(0) if whole else ()
    broken = [name for name, is_broken in zip(whole, parts, strict=True) if is_broken]
    if not broken and not any(column.str.contains(",").any() for column in odd.values()):
        return False
    return csv_numbers.decimal_comma([texts[name] for name in texts.columns], [texts[name] for name in broken], file)


def _values(
    plain: pl.DataFrame, odd: Mapping[str, pl.Series], units: Mapping[str, str], *, comma: bool
) -> tuple[pl.DataFrame, list[str]]:
    """The counters in base units without those that are text, and what could not be read."""
    read = plain.with_columns(csv_numbers.numbers(column, comma=comma).alias(name) for name, column in odd.items())
    said, words = _unread(read, odd)
    kept = [name for name in plain.columns if name not in words]
    unknown = [units[name] for name in kept if factor(units[name]) is None]
    values = pl.DataFrame([to_base(read[name], units[name]) for name in kept])
    notes = csv_numbers.missing(said) + csv_numbers.strange_units(pl.Series(unknown, dtype=pl.String))
    return values if kept else read.select([]), notes


def _unread(read: pl.DataFrame, odd: Mapping[str, pl.Series]) -> tuple[pl.DataFrame, set[str]]:
    """What the profiler said instead of numbers (metric, text), and the columns that are plain text."""
    said = [pl.DataFrame(schema={"metric": pl.String, "text": pl.String})]
    words: set[str] = set()
    for name, column in odd.items():
        unread = column.filter(read[name].is_null())
        rows = unread.alias("text").to_frame().select(metric=pl.lit(name), text="text")
        said.append(rows)
        if read[name].null_count() == read.height and not csv_numbers.missing(rows):
            words.add(name)
    return pl.concat(said), words
