"""Every CSV that Nsight Compute prints -> Capture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from ncu_roofline.capture.capture import Capture
from ncu_roofline.capture.schema import LAUNCHES, MEASURED, conform
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv import device as csv_device
from ncu_roofline.readers.csv import launches as csv_launches
from ncu_roofline.readers.csv import long as csv_long
from ncu_roofline.readers.csv import text as csv_text
from ncu_roofline.readers.csv import wide as csv_wide

DURATIONS = ("gpu__time_duration.sum", "gpu__time_duration.avg", "gpu__time_duration.max")
"""One unit measures the time, so its sum, mean and maximum are the same number."""

SUMMARY = {"Invocations", "Minimum", "Maximum", "Average"}
"""Columns of --print-summary."""


def read(path: Path | str, *, metrics: Sequence[str] = ()) -> Capture:
    """The capture in a CSV file: its launches with counters in base SI units.

    A raw page keeps the counters that the project uses and those that `metrics` names (glob
    patterns, "*" for all); a long form keeps every counter. Raises UnreadableCapture.
    """
    path = Path(path)
    page = csv_text.page(path)
    if SUMMARY & set(page.header):
        raise UnreadableCapture(
            f"{path.name}: a summary over kernels (--print-summary), which has no single launch; "
            "export it again without --print-summary"
        )
    long = "Metric Name" in page.header and "Metric Value" in page.header
    table = csv_long.read(page) if long else csv_wide.read(page, metrics)
    attributes = csv_device.attributes(table.attributes, path.name, comma=table.comma)
    device = csv_device.device(attributes, table.launches, path.name)
    return Capture(launches=_frame(table, path.name), device=device, notes=tuple(_notes(table)), name=path.name)


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
    return [*notes, *gaps(table.launches), *table.notes]


def gaps(launches: pl.DataFrame) -> Iterator[str]:
    """A sentence where the profiler's numbers of launches skip some: rows were taken out of the file."""
    numbers = launches.select("process", "profiler_id").drop_nulls("profiler_id").sort("process", "profiler_id")
    skipped = numbers.with_columns(step=pl.col("profiler_id").diff().over("process")).filter(pl.col("step") > 1)
    if skipped.height:
        lost = int(skipped["step"].sum()) - skipped.height
        yield f"The numbers of the launches skip {lost:,}: rows were taken out of the file."
