"""Many small objects of an archive into few large ones: written first, then the small ones go.

Two at once, or one that is killed, leave the same captures in two objects at most; readers count them once, and the
next run removes what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import BytesIO

import polars as pl

from ncu_roofline.capture.fleet import RUNS
from ncu_roofline.readers import saved, seal
from ncu_roofline.readers.fleet import store as stores
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet.store import Store
from ncu_roofline.readers.fleet.tables import ENDING, LAUNCHES_FOLDER, MERGED, RUNS_FOLDER

MOST_RUNS, MOST_LAUNCHES = 1_000_000, 500_000
"""Rows of one merged object: 40 MB of runs, 50 MB of launches, and what merging holds in memory."""


AHEAD = 16
"""Objects that are fetched at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What became of a table's objects."""

    before: int
    after: int


def compact(store: Store, day: str | None = None) -> dict[str, Merged]:
    """Merges the launches of each day and device (or of one day alone), and all runs; says how many objects there are."""
    if isinstance(store, stores.Folder):
        stores.sweep(store)
    days = f"{LAUNCHES_FOLDER}date={day}/" if day else LAUNCHES_FOLDER
    partitions: dict[str, list[str]] = {}
    for name in tables.named(store, days).every:
        partitions.setdefault(name.rsplit("/", 1)[0] + "/", []).append(name)
    parts = [merge(store, folder, names, MOST_LAUNCHES) for folder, names in sorted(partitions.items())]
    runs = merge(store, RUNS_FOLDER, tables.named(store, RUNS_FOLDER).every, MOST_RUNS)
    return {"launches": added(parts), "runs": runs}


def added(parts: Iterable[Merged]) -> Merged:
    """All partitions together."""
    each = list(parts)
    return Merged(before=sum(p.before for p in each), after=sum(p.after for p in each))


def merge(store: Store, folder: str, names: Iterable[str], most: int) -> Merged:
    """The objects of one folder as objects of up to `most` rows; one that is full already stays."""
    ordered = sorted(names)
    if len(ordered) < 2:
        return Merged(before=len(ordered), after=len(ordered))
    after = 0
    for sources, frame in batches(store, ordered, most):
        after += 1
        target = f"{folder}{MERGED}{identity(frame)}{ENDING}"
        store.put(target, tables.packed(frame))
        store.remove([name for name in sources if name != target])
    return Merged(before=len(ordered), after=after)


def batches(store: Store, names: list[str], most: int) -> Iterator[tuple[list[str], pl.DataFrame]]:
    """Objects with their rows together, as many as make one; a capture that came before is left out."""
    sources: list[str] = []
    frames: list[pl.DataFrame] = []
    seen: set[str] = set()
    for name, rows in contents(store, names):
        fresh = rows if seen.isdisjoint(rows["id"]) else rows.filter(~pl.col("id").is_in(list(seen)))
        seen |= set(read(fresh)["id"].unique())
        if frames and sum(f.height for f in frames) + fresh.height > most:
            yield sources, together(frames)
            sources, frames = [], []
        sources.append(name)
        frames.append(fresh)
    if frames:
        yield sources, together(frames)


def contents(store: Store, names: list[str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every object with its rows, a few fetched ahead; one that another run merged meanwhile is left out."""
    with ThreadPoolExecutor(AHEAD) as pool:
        for start in range(0, len(names), AHEAD):
            some = names[start : start + AHEAD]
            for name, body in zip(some, pool.map(partial(fetched, store), some), strict=True):
                if body is not None:
                    tables.unbroken(store, name, seal.broken(body))
                    with tables.sound(store):
                        saved.short_file(BytesIO(body), f"{tables.stem(name)}{ENDING}")
                        yield name, tables.ours(pl.read_parquet(BytesIO(body), hive_partitioning=False), store, name)


def fetched(store: Store, name: str) -> bytes | None:
    """An object; None where it is gone."""
    try:
        return store.get(name)
    except FileNotFoundError:
        return None


def read(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of captures that could be read."""
    return rows.filter(pl.col("reason").is_null()) if "reason" in rows.columns else rows


def together(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """The rows of several objects, which may have other counters each, in the order of their captures."""
    rows = pl.concat(frames, how="diagonal_relaxed")
    if "reason" not in rows.columns:
        return rows.sort("id", "index", maintain_order=True)
    done = read(rows)["id"].unique()
    kept = rows.filter(pl.col("reason").is_null() | ~pl.col("id").is_in(done.implode())).unique(["id", "role"], keep="first")
    first = [c.name for c in RUNS if c.name in kept.columns]
    return kept.select(*first, pl.exclude(first)).sort("commit_time", "when", "id", "role", nulls_last=True)


def identity(frame: pl.DataFrame) -> str:
    """A name for what is in it: two that merge the same write the same object."""
    ids = "\n".join(sorted(frame["id"].unique()))
    return sha256(f"{ids}\n{frame.height}".encode()).hexdigest()[:32]
