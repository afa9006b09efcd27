"""The two tables of an archive: `runs/` and `launches/date=DAY/device=NAME/`, immutable Parquet named by content.

A capture is one object in each, under its id, until `compact` merges many into one. What stands in a merged object
counts there alone, so nothing is counted twice while objects are merged. `runs` is written last: a capture is in the
archive when its row is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import polars as pl

from ncu_roofline.capture.fleet import JOINED, RUNS, SCHEMA_VERSION
from ncu_roofline.capture.schema import LAUNCHES, MEASURED
from ncu_roofline.errors import UnreadableCapture, UnusableInput
from ncu_roofline.readers import archive, seal
from ncu_roofline.readers.fleet.store import Folder, Store, shown

RUNS_FOLDER, LAUNCHES_FOLDER = "runs/", "launches/"
MERGED, REFUSED, ENDING = "merged-", ".refused", ".parquet"
PARTITIONS = {"date": pl.String(), "device": pl.String()}
ROW_GROUP = 100_000
AGAIN = 3
"""Times that a list is made anew where an object of it was merged meanwhile."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Objects of one table."""

    single: tuple[str, ...]
    merged: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.merged, *self.single)


def named(store: Store, folder: str) -> Named:
    """The objects of a table, those of one capture apart from merged ones."""
    found = [name for name in store.names(folder) if name.endswith(ENDING)]
    merged = tuple(name for name in found if stem(name).startswith(MERGED))
    return Named(merged=merged, single=tuple(name for name in found if name not in set(merged)))


def stem(name: str) -> str:
    """An object's own name: the id of its capture, or that it is merged."""
    return name.rsplit("/", 1)[-1].removesuffix(ENDING)


def is_fleet(store: Store) -> bool:
    """Whether an archive with runs stands there."""
    return bool(named(store, RUNS_FOLDER).every)


def packed(rows: pl.DataFrame) -> bytes:
    """Rows as the bytes of one Parquet file; the same rows are the same bytes."""
    target = BytesIO()
    rows.write_parquet(target, metadata=seal.OPEN, row_group_size=ROW_GROUP, statistics=True)
    return seal.sealed(target.getvalue())


def keep(store: Store, identity: str, runs: pl.DataFrame, launches: pl.DataFrame | None, partition: tuple[str, str]) -> None:
    """Writes a capture into both tables, the launches first; what is there already stays as it is."""
    if launches is None:
        store.put(f"{RUNS_FOLDER}{identity}{REFUSED}{ENDING}", packed(runs))
        return
    date, device = partition
    store.put(f"{LAUNCHES_FOLDER}date={date}/device={archive.slug(device)}/{identity}{ENDING}", packed(launches))
    store.put(f"{RUNS_FOLDER}{identity}{ENDING}", packed(runs))


def known(store: Store) -> set[str]:
    """The ids of all captures that were read; those that could not be are tried again."""

    def ids() -> set[str]:
        found = named(store, RUNS_FOLDER)
        single = {stem(name) for name in found.single if not name.endswith(REFUSED + ENDING)}
        if not found.merged:
            return single
        merged = scanned(store, found.merged, runs_schema()).filter(pl.col("reason").is_null())
        return single | set(merged.select(pl.col("id").unique()).collect()["id"])

    return settled(store, ids)


def runs_schema() -> dict[str, pl.DataType]:
    """Columns of `runs`."""
    return {c.name: c.dtype for c in RUNS}


def runs(store: Store, where: Sequence[pl.Expr] = (), columns: Iterable[str] | None = None) -> pl.DataFrame:
    """The rows of `runs` that are meant, each capture once; raises UnreadableCapture where no archive stands."""

    def rows() -> pl.DataFrame:
        found = named(store, RUNS_FOLDER)
        if not found.every:
            raise UnreadableCapture(
                f"{shown(store.root)}: no archive of runs; make one with `ncu-roofline ingest CAPTURES --to ARCHIVE`"
            )
        asked = [c.name for c in RUNS if c.name != "facts"] if columns is None else columns
        wanted = list(dict.fromkeys((*asked, "schema", "id", "role", "reason")))
        scan = scanned(store, tuple(found.every), runs_schema())
        kept = scan.filter(*where) if where else scan
        return measured(once(kept.select(wanted).collect(), found))

    return supported(settled(store, rows), store)


def measured(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows whose numbers are such: no infinity in what a stranger put there, nothing per less than no token."""
    finite = rows.with_columns(pl.when(pl.col(pl.Float64).is_finite() & (pl.col(pl.Float64) >= 0)).then(pl.col(pl.Float64)))
    return finite.with_columns(pl.when(pl.col("divisor") > 0).then("divisor")) if "divisor" in rows.columns else finite


def once(rows: pl.DataFrame, found: Named) -> pl.DataFrame:
    """Each row once, where objects may hold the same; a capture that was read at last was not refused."""
    single = rows.unique(["id", "role"], keep="first", maintain_order=True) if len(found.every) > 1 else rows
    if not single["reason"].count():
        return single
    read = single.filter(pl.col("reason").is_null())["id"].unique()
    return single.filter(pl.col("reason").is_null() | ~pl.col("id").is_in(read.implode()))


def supported(rows: pl.DataFrame, store: Store) -> pl.DataFrame:
    """The rows, none of which a later version of this program wrote."""
    newest = int(rows.select(pl.col("schema").max().fill_null(0)).item())
    if newest > SCHEMA_VERSION:
        raise UnusableInput(
            f"{shown(store.root)}: written in version {newest} of the table, this program reads "
            f"{SCHEMA_VERSION}; update ncu-roofline"
        )
    return rows


def ours(rows: pl.DataFrame, store: Store, name: str) -> pl.DataFrame:
    """An object's rows, whose columns are of our types; raises UnusableInput for what a stranger put there."""
    columns = RUNS if name.startswith(RUNS_FOLDER) else (*JOINED, *(c for c in LAUNCHES if c.name != "device"))
    kinds = rows.schema
    wrong = [c.name for c in columns if kinds.get(c.name, c.dtype) != c.dtype]
    if wrong or "id" not in kinds:
        what = f"{stem(name)}{ENDING} is no object of an archive ({', '.join(wrong[:3]) or 'id'})"
        raise UnusableInput(f"{shown(store.root)}: {what}; remove it")
    return rows


def unbroken(store: Store, name: str, broken: bool) -> None:
    """Raises UnusableInput for an object whose bytes are not those that were written."""
    if broken:
        told = f"{stem(name)}{ENDING} is damaged; bring it back from a copy, or ingest the captures into a new archive"
        raise UnusableInput(f"{shown(store.root)}: {told}")


def scanned(store: Store, names: Sequence[str], schema: dict[str, pl.DataType], *, parted: bool = False) -> pl.LazyFrame:
    """Objects lazily, as one table; columns that older objects lack are null.

    Those of a folder are as they were written; a bucket, whose store guards its bytes itself, is read in pieces.
    """
    if isinstance(store, Folder):
        for name in names:
            unbroken(store, name, seal.broken_file(Path(store.address(name))))
    return pl.scan_parquet(
        [store.address(name) for name in names],
        schema=schema,
        hive_partitioning=parted,
        hive_schema=PARTITIONS if parted else None,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        storage_options=store.options() or None,
    )


def launches(store: Store, measured: Iterable[str] = ()) -> pl.LazyFrame:
    """All launches of an archive, lazily, each once, with the day (`date`), the GPU (`device`) and these counters."""
    found = named(store, LAUNCHES_FOLDER)
    if not found.every:
        raise UnreadableCapture(f"{shown(store.root)}: no archive of launches; make one with `ncu-roofline ingest`")
    counters = {MEASURED + name: archive.dtype_of(name) for name in measured}
    schema = {**archive.OWN, **counters, archive.CAPTURE: pl.String(), **{c.name: c.dtype for c in JOINED}}
    scan = scanned(store, found.every, schema, parted=True)
    return scan.unique(["id", "index"], keep="any") if twice(found) else scan


def twice(found: Named) -> bool:
    """Whether a capture can stand in two objects: in a merged one and in another of the same day and device."""
    folders = [name.rsplit("/", 1)[0] for name in found.every]
    return any(folders.count(name.rsplit("/", 1)[0]) > 1 for name in found.merged)


def settled(store: Store, question: Callable[[], T]) -> T:
    """The answer, asked again where an object was merged between its being listed and its being read."""
    for _ in range(AGAIN):
        with suppress(FileNotFoundError), sound(store):
            return question()
    raise UnusableInput(f"{shown(store.root)}: objects are being merged all the time; try again later")


@contextmanager
def sound(store: Store) -> Iterator[None]:
    """One sentence for whatever polars, or what lies below it, says of the objects of an archive."""
    try:
        yield
    except (FileNotFoundError, UnreadableCapture, UnusableInput):
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        if "not found" in str(error).lower() or "no such file" in str(error).lower():
            raise FileNotFoundError(store.root) from error
        raise UnusableInput(
            f"{shown(store.root)} cannot be read: an object of it is damaged, or the store does not answer "
            f"({type(error).__name__})"
        ) from error
