"""The long form (`--page details`, plain `--metrics`): one row per launch and metric -> one per launch."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import polars as pl

from ncu_roofline import knowledge
from ncu_roofline.capture.units import to_base
from ncu_roofline.knowledge.toml import load
from ncu_roofline.readers.csv import launches as csv_launches
from ncu_roofline.readers.csv import numbers as csv_numbers
from ncu_roofline.readers.csv import text as csv_text
from ncu_roofline.readers.rows import ATTRIBUTE

METRIC = {
    "section": "Section Name",
    "item": "Body Item Label",
    "metric": "Metric Name",
    "unit": "Metric Unit",
    "text": "Metric Value",
}
ASKED = "Command line profiler metrics"
NAMED = r"([A-Za-z][A-Za-z0-9_]*__[A-Za-z0-9_.]+)\)?$"
"""A counter name, alone or behind its label (`--print-metric-name label-name`)."""


@cache
def labels() -> pl.DataFrame:
    """Which counter a label of a section stands for: section, label, counter."""
    table = load(files(knowledge) / "labels.toml")["label"]
    rows = [(s, label, name) for s, names in table.items() for label, name in names.items()]
    return pl.DataFrame(rows, schema=["section", "metric", "counter"], orient="row")


@cache
def left_out() -> frozenset[str]:
    """Labels that are known and deliberately not read."""
    return frozenset(load(files(knowledge) / "labels.toml")["left_out"])


def read(page: csv_text.Page) -> csv_launches.Table:
    """The launches of a long page with every counter it has."""
    places = csv_launches.columns(page)
    places |= {word: f"c{at}" for word, name in METRIC.items() if (at := page.index(name)) is not None}
    table = csv_text.frame(page, sorted(int(place[1:]) for place in places.values()))
    rows = table.select(
        *(pl.col(place).alias(word) for word, place in places.items()),
        *(pl.lit(None, dtype=pl.String).alias(word) for word in METRIC if word not in places),
    )
    # a rule's row has an empty metric, so it is whole without a value; a missing metric was cut off
    ends = pl.when(pl.col("metric") == "").then("section").when(pl.col("metric") != "").then("text")
    csv_text.whole(page, rows.select("id", last=ends))
    rows = _numbered(rows.filter(pl.col("id") != ""))
    firsts = rows.unique("launch", keep="first", maintain_order=True)
    launches = csv_launches.launches(firsts, page.file)
    _one_capture(rows, firsts, page.file)
    metrics = _metrics(rows)
    _one_value(metrics, page.file)
    comma = _decimal_comma(metrics, page.file)
    values = _values(metrics, comma=comma)
    attributes = metrics.filter(pl.col("counter").str.starts_with(ATTRIBUTE))
    return csv_launches.Table(
        launches,
        _wide(values.filter(~pl.col("counter").str.starts_with(ATTRIBUTE)), launches.height),
        attributes.select(name="counter", text="text", unit="unit"),
        _notes(values),
        comma,
    )


def _numbered(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `launch`, counted from 0 in file order; ids may restart in every process."""
    keys = [word for word in ("process", "id") if word in rows.columns]
    order = rows.select(keys).unique(keep="first", maintain_order=True).with_row_index("launch")
    return rows.join(order, on=keys, how="left", nulls_equal=True, maintain_order="left")


def _one_capture(rows: pl.DataFrame, firsts: pl.DataFrame, file: str) -> None:
    """Raises where two launches share one number: two captures, one behind the other."""
    same = firsts["name"].gather(rows["launch"])
    other = rows.filter((rows["name"] != same).fill_null(False))
    if other.height:
        raise csv_launches.two_captures(file, f"launch {other['id'][0]} has two kernel names")
    back = rows.filter(rows["launch"] < rows["launch"].shift(1))
    if back.height:
        raise csv_launches.two_captures(file, f"launch {back['id'][0]} comes twice")


def _one_value(metrics: pl.DataFrame, file: str) -> None:
    """Raises where a section prints one metric of a launch twice, differently."""
    printed = ["launch", "section", "item", "counter", "unit"]
    known = metrics.drop_nulls("counter").group_by(printed, maintain_order=True)
    twice = known.agg(pl.col("text").n_unique(), pl.col("id").first())
    if (several := twice.filter(pl.col("text") > 1)).height:
        row = several.row(0, named=True)
        raise csv_launches.two_captures(file, f"launch {row['id']} has two values of {row['counter']}")


def _metrics(rows: pl.DataFrame) -> pl.DataFrame:
    """The metric rows with the counter's name, rule rows left behind."""
    found = rows.filter(pl.col("metric").fill_null("") != "")
    # a name asked for with --metrics is printed as it was asked for, even where no counter has it
    asked = pl.when(pl.col("section") == ASKED).then(pl.col("metric"))
    named = found.with_columns(counter=pl.coalesce(pl.col("metric").str.extract(NAMED), asked))
    labelled = named.filter(pl.col("counter").is_null()).drop("counter")
    return pl.concat(
        [
            named.filter(pl.col("counter").is_not_null()),
            labelled.join(labels(), on=["section", "metric"], how="left", maintain_order="left"),
        ]
    )


def _decimal_comma(metrics: pl.DataFrame, file: str) -> bool:
    whole = metrics.filter(pl.col("unit").is_in(csv_numbers.WHOLE), pl.col("counter").str.ends_with(".sum"))
    return csv_numbers.decimal_comma([metrics["text"]], [whole["text"]], file)


def _values(metrics: pl.DataFrame, *, comma: bool) -> pl.DataFrame:
    """The metric rows with `number` as printed, and `value` in base units."""
    read = metrics.with_columns(pl.col("unit").fill_null(""), number=csv_numbers.numbers(metrics["text"], comma=comma))
    parts = [
        part.with_columns(to_base(part["number"], unit).alias("value"))
        for (unit,), part in read.with_row_index("row").partition_by("unit", as_dict=True).items()
    ]
    return pl.concat(parts).sort("row").drop("row") if parts else read.with_columns(value="number")


def _notes(values: pl.DataFrame) -> list[str]:
    notes = csv_numbers.missing(values.filter(pl.col("value").is_null()).select("metric", "text"))
    strange = values.filter(pl.col("value").is_null() & pl.col("number").is_not_null())
    notes += csv_numbers.strange_units(strange["unit"])
    unknown = values.filter(pl.col("counter").is_null(), ~pl.col("metric").is_in(list(left_out())))
    if unknown.height:
        names = unknown["metric"].unique().sort().to_list()
        notes.append(f"labels of the details page that stand for no known counter: {', '.join(names)}")
    return notes


def _wide(metrics: pl.DataFrame, height: int) -> pl.DataFrame:
    """One row per launch, one column per counter; a counter printed twice is taken once."""
    kept = metrics.filter(
        pl.col("counter").is_not_null(), pl.col("value").is_not_null() | csv_numbers.reason(pl.col("text")).is_not_null()
    )
    every = pl.DataFrame({"launch": range(height)}, schema={"launch": pl.Int64})
    if kept.height == 0:
        return every.drop("launch")
    table = kept.sort(pl.col("value").is_null(), maintain_order=True).pivot(
        on="counter", index="launch", values="value", aggregate_function="first"
    )
    return every.join(table, on="launch", how="left", maintain_order="left").drop("launch")
