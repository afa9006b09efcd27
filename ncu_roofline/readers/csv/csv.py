"""Every CSV that Nsight Compute prints -> Capture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from ncu_roofline.capture.capture import Capture
from ncu_roofline.capture.schema import LAUNCHES, MEASURED, believable, conform
from ncu_roofline.readers.csv import device as csv_device
from ncu_roofline.readers.csv import exports as csv_exports
from ncu_roofline.readers.csv import launches as csv_launches
from ncu_roofline.readers.csv import long as csv_long
from ncu_roofline.readers.csv import text as csv_text
from ncu_roofline.readers.csv import wide as csv_wide
from ncu_roofline.readers.rows import not_numbers

DURATIONS = ("gpu__time_duration.sum", "gpu__time_duration.avg", "gpu__time_duration.max")
"""One unit measures the time, so its sum, mean and maximum are the same number."""

COUNTS = (".sum", "__cycles_elapsed.avg", "__cycles_elapsed.max", "__cycles_active.avg")
"""Ends of the names of counters that add up over launches."""


SUMMED = "A summary over kernels: each row is an average times the launches that it stands for, in no order"


def read(path: Path | str, *, metrics: Sequence[str] = ()) -> Capture:
    """The capture in a CSV file: its launches with counters in base SI units.

    A raw page keeps the counters that the project uses and those that `metrics` names (glob
    patterns, "*" for all); a long form keeps every counter. Raises UnreadableCapture.
    """
    path = Path(path)
    with csv_exports.page_of(path) as (paged, times):
        page = csv_text.page(paged)
        long = "Metric Name" in page.header and "Metric Value" in page.header
        table = csv_long.read(page) if long else csv_wide.read(page, metrics)
        attributes = csv_device.attributes(table.attributes, path.name, comma=table.comma)
        device = csv_device.device(attributes, table.launches, path.name)
    launches = _frame(table, path.name)
    notes = (*_notes(table), *([SUMMED] if times else []))
    return Capture(launches=_added_up(launches, times), device=device, notes=notes, name=path.name)


def _added_up(launches: pl.DataFrame, times: tuple[int, ...]) -> pl.DataFrame:
    """Averages of so many launches as their sums; shares, clocks and rates stay what they are."""
    if len(times) != launches.height:
        return launches
    each = pl.Series("times", times, dtype=pl.Int64)
    sums = [c for c, kind in launches.schema.items() if kind == pl.Float64 and (c == "seconds" or c.endswith(COUNTS))]
    return launches.with_columns(each).with_columns(pl.col(c) * pl.col("times") for c in sums)


def _frame(table: csv_launches.Table, file: str) -> pl.DataFrame:
    """Launches and the counters that any of them has, as the schema wants them."""
    counters = table.counters
    any_number = counters.select(pl.all().is_finite().any()).row(0) if counters.width else ()
    known = [name for name, some in zip(counters.columns, any_number, strict=True) if some]
    times = [counters[name] for name in DURATIONS if name in known]
    seconds = pl.coalesce(times) if times else pl.lit(None, pl.Float64)
    launches = table.launches.with_columns(seconds=seconds)
    measured = counters.select(pl.col(known).name.prefix(MEASURED))
    return conform(pl.concat([launches, measured], how="horizontal"), LAUNCHES, source=file)


def _notes(table: csv_launches.Table) -> list[str]:
    notes = ["numbers use a decimal comma and were read as such"] if table.comma else []
    numbers = table.launches["device"].drop_nulls().unique().sort()
    if numbers.len() > 1:
        notes.append(f"launches ran on devices {', '.join(map(str, numbers))}")
    return [*notes, *gaps(table.launches), *not_numbers(_beyond(table.counters)), *table.notes]


def _beyond(counters: pl.DataFrame) -> pl.Series:
    """Of each launch, how many of its numbers are none that a GPU counts."""
    if not counters.width:
        return pl.Series(dtype=pl.Int64)
    beyond = (pl.all().is_finite() & ~believable(pl.all())).fill_null(False)
    return counters.select(pl.sum_horizontal(beyond).alias("n"))["n"]


def gaps(launches: pl.DataFrame) -> Iterator[str]:
    """A sentence where the profiler's numbers of launches skip some: rows were taken out of the file."""
    numbers = launches.select("process", "profiler_id").drop_nulls("profiler_id").sort("process", "profiler_id")
    skipped = numbers.with_columns(step=pl.col("profiler_id").diff().over("process")).filter(pl.col("step") > 1)
    if skipped.height:
        lost = int(skipped["step"].sum()) - skipped.height
        yield f"The numbers of the launches skip {lost:,}: rows were taken out of the file."
