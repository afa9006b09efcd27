"""The identifying columns of a CSV row -> the schema's launch columns."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.capture.names import function_names
from ncu_roofline.capture.schema import WHOLE
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv.text import Page, cut_short

PUSH_POP = "Domain:Push/Pop_Range"
START_STOP = "Domain:Start/Stop_Range"

IDENTITY = {
    "id": "ID",
    "process": "Process ID",
    "name": "Kernel Name",
    "stream": "Stream",
    "block": "Block Size",
    "grid": "Grid Size",
    "device": "Device",
    "capability": "CC",
}
"""Our word -> the profiler's column. Process and host names are private and never read."""

RANGE = r'"(?:\d+:)?(?:<[^>]*>|[^:"]*):([^"]*?)(?::[^:"]*){6}"'
"""One NVTX range of a cell: id (start/stop ranges), domain, name, then six fields about it."""

ATTRIBUTES = {"name": pl.String(), "text": pl.String(), "unit": pl.String()}


@dataclass(frozen=True, slots=True)
class Table:
    """What a form of CSV yields: three frames and the notes of reading them."""

    launches: pl.DataFrame
    """Launch columns without `seconds`, and `capability`."""
    counters: pl.DataFrame
    """The same rows: one column per counter, in base units, named by the profiler."""
    attributes: pl.DataFrame
    """Device attributes: name, text, unit."""
    notes: list[str]
    comma: bool
    """Whether the file prints decimal commas."""


def columns(page: Page) -> dict[str, str]:
    """Our word for each identifying column that the page has -> its positional name."""
    places = {word: page.index(name) for word, name in IDENTITY.items()}
    for word, part in (("push_pop", PUSH_POP), ("start_stop", START_STOP)):
        places[word] = next((i for i, name in enumerate(page.header) if part in name), None)
    return {word: f"c{place}" for word, place in places.items() if place is not None}


def launches(rows: pl.DataFrame, file: str) -> pl.DataFrame:
    """One launch per row, in order, from its texts."""
    if rows.height == 0:
        raise UnreadableCapture(f"{file}: a table without any launch; check that the profiler found the kernels you asked for")
    nameless = rows.filter(pl.col("name").is_null())
    if nameless.height:
        raise cut_short(file, nameless["id"][0])
    # results of whole graphs and ranges carry a grid that means nothing
    sides = [word for word in ("grid", "block") if word in rows.columns]
    named = ~pl.col("name").cast(pl.String).is_in(WHOLE)
    whole = rows.with_columns(pl.when(named).then(word).alias(word) for word in sides)
    return rows.select(
        index=pl.int_range(pl.len(), dtype=pl.Int64),
        profiler_id=_whole(rows, "id"),
        kernel=function_names(rows["name"].cast(pl.String)),
        name=pl.col("name").cast(pl.Categorical).cast(pl.String),  # each different name once
        device=_whole(rows, "device"),
        stream=_whole(rows, "stream"),
        process=_whole(rows, "process"),
        grid=_triple(whole, "grid"),
        block=_triple(whole, "block"),
        nvtx=nvtx(rows),
        capability=_text(rows, "capability"),
    )


def two_captures(file: str, sign: str) -> UnreadableCapture:
    """The error for a file into which two captures were put."""
    return UnreadableCapture(f"{file}: {sign}, so two captures stand in one file; give each capture its own file")


def _text(rows: pl.DataFrame, word: str) -> pl.Expr:
    if word not in rows.columns:
        return pl.lit(None, dtype=pl.String)
    return pl.col(word).cast(pl.String).str.strip_chars().replace("", None)


def _whole(rows: pl.DataFrame, word: str) -> pl.Expr:
    return _text(rows, word).str.replace_all(r",|\.0$", "").cast(pl.Int64, strict=False)


def _triple(rows: pl.DataFrame, word: str) -> pl.Series:
    """Three numbers of a text like `(56, 1, 1)`; thousands may be grouped: `(1,024, 1, 1)`."""
    if word not in rows.columns:
        return pl.Series(word, [None] * rows.height, dtype=pl.Array(pl.Int64, 3))
    spaced = pl.col("text").str.strip_chars("()").str.split(", ")
    parts = pl.when(spaced.list.len() == 3).then(spaced).otherwise(pl.col("text").str.extract_all(r"\d+"))
    sizes = parts.list.eval(pl.element().str.replace_all(r"\D", "").cast(pl.Int64, strict=False).drop_nulls())
    distinct = rows.select(word).unique().with_columns(text=_text(rows, word))
    return _each(rows, distinct.select(word, found=pl.when(sizes.list.len() == 3).then(sizes).cast(pl.Array(pl.Int64, 3))))


def nvtx(rows: pl.DataFrame) -> pl.Series:
    """Names of the open ranges, outermost first; null where the file has no NVTX columns.

    Start/stop ranges stand before the push/pop stack: they are not nested in it.
    """
    words = [word for word in ("start_stop", "push_pop") if word in rows.columns]
    if not words:
        return pl.Series("nvtx", [None] * rows.height, dtype=pl.List(pl.String))
    cell = pl.concat_str(pl.col(words).cast(pl.String), separator=" ", ignore_nulls=True)
    ranges = cell.str.extract_all(RANGE).list.eval(pl.element().str.extract(RANGE, 1))
    return _each(rows, rows.select(words).unique().with_columns(found=ranges))


def _each(rows: pl.DataFrame, distinct: pl.DataFrame) -> pl.Series:
    """For every row what was `found` of its texts, each of which was looked at once."""
    words = distinct.drop("found").columns
    return rows.select(words).join(distinct, on=words, how="left", nulls_equal=True, maintain_order="left")["found"]
