"""A whole archive of a fleet as one capture, for the commands that take a capture."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ncu_roofline.capture import schema
from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import archive, footer, saved
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet.store import Folder, Store, shown

LETTERS = 1 << 17
"""Letters of the facts of a capture, of many captures the mean; those seen have a few thousand."""


def read(store: Store) -> Capture:
    """All captures that could be read, as one; raises UnreadableCapture where they are of several devices."""
    name = shown(store.root)
    rows = tables.runs(store, columns=("facts", "capture", "when"))
    told = rows.filter(pl.col("reason").is_null()).unique("id", maintain_order=True)
    letters = told["facts"].str.len_bytes().sum()
    if letters > max(saved.SPARED_CELLS * 8, LETTERS * told.height):
        raise UnreadableCapture(f"{name}: its facts unpack to {letters:,} letters, which those of no captures do")
    facts = [
        Capture(launches=pl.DataFrame(), **footer.parsed(text, capture))
        for text, capture in told.select("facts", "capture").rows()
    ]
    if not facts:
        raise UnreadableCapture(f"{name}: an archive without any capture that could be read; ingest captures again")
    with tables.sound(store):
        # the day too: launches of a writer that was killed may stand under another one, without a row in `runs`
        kept = launches(store, told.lazy().select("id", date=pl.col("when").dt.strftime("%Y-%m-%d")))
        return archive.as_one(kept.drop([] if len(facts) > 1 else archive.CAPTURE), facts, name)


def launches(store: Store, ids: pl.LazyFrame) -> pl.LazyFrame:
    """The launches of these captures, in the columns of one, with the name of theirs."""
    scan = tables.launches(store, counters(store))
    measured = [name for name in scan.collect_schema() if name.startswith(schema.MEASURED)]
    # of one device: its name is in the facts, and the column tells its number
    kept = scan.join(ids, on=["id", "date"], how="semi", maintain_order="left")
    return kept.select(*archive.OWN, *measured, archive.CAPTURE).rename({archive.NUMBER: "device"})


def counters(store: Store) -> list[str]:
    """The counters that any object of the archive has, of the type that their name tells."""
    found: set[str] = set()
    for name in tables.named(store, tables.LAUNCHES_FOLDER).every:
        if isinstance(store, Folder):
            saved.short(Path(store.address(name)))
        kinds = pl.scan_parquet(
            store.address(name), glob=False, hive_partitioning=False, storage_options=store.options() or None
        ).collect_schema()
        found |= {c.removeprefix(schema.MEASURED) for c in kinds if c.startswith(schema.MEASURED)}
    return sorted(found)
