"""Many captures <-> a folder of Parquet: `device=NAME/label=LABEL/HASH.parquet`, one row group per capture.

Any engine that knows hive partitions reads it as it is. A file appears under its name only when it is whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import active_children, get_context, parent_process, util
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import Any

import polars as pl

from ncu_roofline.capture import schema
from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import RooflineError, UnreadableCapture, UnusableInput
from ncu_roofline.readers import combine, expand, marked, read_one, saved

LARGE = 100_000
"""Launches from which on an archive is condensed before it is analysed."""
TIMES = "times"
"""How many equal launches a condensed row stands for."""
AVERAGED = (".per_second", ".per_cycle", ".pct", ".peak_sustained", "m:launch__", "m:profiler__", "m:ncu_roofline__", "ratio")
"""Parts of the names of counters that are no counts."""
FILES = "device=*/label=*/*.parquet"
PARTS = (FILES, "label=*/*.parquet")
"""Captures below an archive, and below the folder of one of its devices."""
PARTIAL = ".partial"
SUFFIXES = (".ncu-rep", ".ncu-repz", ".csv", ".parquet")
PIECE = 1 << 20
SAFE = "PYTHONSAFEPATH"
begin: Any = util
"""Where multiprocessing tells what a new Python is started with, under a name that types do not know."""

NUMBER = saved.ARCHIVED
"""The launches' column `device` inside an archive, where `device` is the partition: the name of the GPU."""
OWN = {NUMBER if c.name == "device" else c.name: c.dtype for c in schema.LAUNCHES}
"""The launches' columns by their names inside an archive."""
CAPTURE = "capture"
"""File name of the capture that a launch came from."""
PARTITIONS = {"device": pl.String(), "label": pl.String()}


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one file: `saved`, `present` (under a label) or `refused` (with the reason)."""

    file: str
    outcome: str
    told: str = ""
    launches: int = 0


def save(
    sources: Sequence[str | os.PathLike[str]],
    target: Path,
    *,
    label: str = "all",
    workers: int | None = None,
    reader: str = "auto",
    metrics: Sequence[str] = (),
) -> Iterator[Kept]:
    """Read captures (files, folders, globs) in parallel and keep each in the archive; yields in order.

    What the archive already holds, by content, is not read again.
    """
    if not re.fullmatch(r"[\w.-]{1,100}", label) or set(label) <= {"."}:
        raise UnusableInput(f"label '{label}': use letters, digits, '-', '_' and '.' only; it names a folder")
    files = captures_in(sources)
    target.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    keep = partial(_keep, target=target, label=label, reader=reader, metrics=tuple(sorted(metrics)))
    return _each(keep, files, min(workers or os.cpu_count() or 1, len(files)))


def _each(keep: partial[Kept], files: list[Path], workers: int) -> Iterator[Kept]:
    if workers <= 1:
        yield from map(keep, files)
        return
    with pool(workers) as executor:
        reading = [executor.submit(keep, file) for file in files]
        try:
            for kept in reading:
                yield kept.result()
        except BrokenProcessPool as error:
            raise UnusableInput(
                "a reading process was ended from outside, often for lack of memory; take fewer workers"
            ) from error


ENDINGS = (signal.SIGINT, signal.SIGTERM)


class Pool(ProcessPoolExecutor):
    """Processes to which an interrupt means nothing from their first moment: it is this process's to answer."""

    def submit(self, *work: Any, **how: Any) -> Future[Any]:
        """As ever; what starts a process here keeps an interrupt waiting until it has started, and in there for good."""
        with unheard():
            return super().submit(*work, **how)


@contextmanager
def unheard() -> Iterator[None]:
    """Keeps requests to end waiting: a process that is half started would complain. It hears of no interrupt itself."""
    if current_thread() is not main_thread():  # to which alone they come
        yield
        return
    heard: list[int] = []
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in ENDINGS}
    masked = hasattr(signal, "pthread_sigmask") and signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        if masked is not False:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        for number, answer in before.items():
            signal.signal(number, answer or signal.SIG_DFL)
        if heard:
            signal.raise_signal(heard[0])


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of this machine, which end when this one does, or stops early: then nobody reads on."""
    others = set(active_children())
    # spawn: a forked child could inherit locks of polars' threads
    with strangers(), Pool(workers, mp_context=get_context("spawn"), initializer=bound) as executor:
        try:
            yield executor
        except BaseException:
            for child in set(active_children()) - others:
                child.terminate()
            executor.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def strangers() -> Iterator[None]:
    """Processes started meanwhile import nothing from the working folder, which may hold a stranger's files."""
    before, begun = os.environ.get(SAFE), begin._args_from_interpreter_flags
    os.environ[SAFE] = "1"
    if sys.version_info < (3, 11):  # which does not know SAFE: isolated, until they have this process's own places
        begin._args_from_interpreter_flags = lambda: [*begun(), "-I"]
    try:
        yield
    finally:
        del os.environ[SAFE]
        begin._args_from_interpreter_flags = begun
        if before is not None:
            os.environ[SAFE] = before


def bound() -> None:
    """Ties a worker to its parent: it ends when the parent does, however that came, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := parent_process():
        Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def captures_in(sources: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Every capture that is meant, folders searched; raises UnreadableCapture where there is none."""
    found: list[Path] = []
    for path in expand(sources):
        inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file()) if path.is_dir() else [path]
        if not inside:
            raise UnreadableCapture(f"{path.name}: a folder without captures ({', '.join(SUFFIXES)})")
        found += inside
    return found


def _keep(path: Path, *, target: Path, label: str, reader: str, metrics: tuple[str, ...]) -> Kept:
    try:
        content = fingerprint(path, metrics)
        if present := next(target.glob(f"device=*/label=*/{content}.parquet"), None):
            return Kept(path.name, "present", present.parent.name.partition("=")[2])
        capture = marked(read_one(path, reader=reader, metrics=metrics))
    except RooflineError as error:
        return Kept(path.name, "refused", str(error))
    except OSError as error:
        return Kept(path.name, "refused", f"{path.name}: {error.strerror or type(error).__name__}")
    place = target / f"device={slug(capture.device.name)}" / f"label={label}" / f"{content}.parquet"
    try:
        _write(saved.packed(archived(capture)), place, target)
    except OSError as error:  # the fault of the target, not of the capture
        reason = error.strerror or type(error).__name__
        raise UnusableInput(f"{target.name} cannot be written ({reason}); what stands in it is whole") from error
    return Kept(path.name, "saved", label, len(capture.launches))


def fingerprint(path: Path, metrics: Iterable[str] = ()) -> str:
    """A name for the file's content and for what is kept of it."""
    if path.exists() and not path.is_file():
        raise UnreadableCapture(f"{path.name}: not a file but a pipe or a device; write it to a file first")
    return hashed(path, repr((saved.SCHEMA_VERSION, sorted(metrics))).encode())


def hashed(path: Path, begun: bytes = b"") -> str:
    """The first half of the SHA-256 of a file, behind what may stand before its content."""
    digest = hashlib.sha256(begun)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()[:32]


def slug(name: str | None) -> str:
    """A device name that can be a folder: 'NVIDIA H200' is NVIDIA-H200; a stranger's may be of any length."""
    return re.sub(r"[^\w.]+", "-", (name or "unknown")[:60]).strip("-.") or "unknown"


def archived(capture: Capture) -> Capture:
    """The capture as it lies in the archive: its own name in a column, the device number renamed.

    The sum of a counter that other files have in parts stays out: one column has one type.
    """
    sums = [name for name, kind in capture.launches.schema.items() if foreign(name, kind)]
    launches = schema.numbered(capture.launches).drop(sums).rename({"device": NUMBER})
    return replace(capture, launches=launches.with_columns(pl.lit(capture.name).alias(CAPTURE)))


def _write(content: bytes, place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target / f".{place.stem}.{os.getpid()}{PARTIAL}"
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, place)
    finally:
        unfinished.unlink(missing_ok=True)


def _sweep(target: Path) -> None:
    """Remove what a killed run left unfinished."""
    for unfinished in target.glob(f".*{PARTIAL}"):
        with suppress(ValueError, OSError):
            try:
                os.kill(int(unfinished.suffixes[-2][1:]), 0)
            except ProcessLookupError:
                unfinished.unlink()


def is_archive(path: Path) -> bool:
    """Whether a folder holds an archive."""
    return path.is_dir() and any(next(path.glob(part), None) is not None for part in PARTS)


def files(path: Path) -> list[Path]:
    """The captures of an archive; raises UnreadableCapture where there is none."""
    found = sorted(file for part in PARTS for file in path.resolve().glob(part) if file.is_file())
    if not found:
        raise UnreadableCapture(f"{path.name}: no archive of captures; make one with `ncu-roofline save DIR -o {path.name}/`")
    return found


def scan(path: Path, measured: Iterable[str] | None = None) -> pl.LazyFrame:
    """All launches of an archive, lazily, with `device_name`, `label` and `capture`.

    `measured` names the counters that are needed; without it every footer is read to know them all.
    """
    found = files(path)
    counters = {schema.MEASURED + name: dtype_of(name) for name in measured} if measured is not None else _counters(found)
    return pl.scan_parquet(
        found,
        schema={**OWN, **counters, CAPTURE: pl.String()},
        hive_schema=PARTITIONS,
        hive_partitioning=True,
        missing_columns="insert",
        glob=False,
        extra_columns="ignore",
    ).rename({"device": "device_name", NUMBER: "device"})


def dtype_of(name: str) -> pl.DataType:
    return schema.OPCODES if "_per_opcode" in name else pl.Float64()


def foreign(name: str, kind: pl.DataType) -> bool:
    """Whether a counter is of another type than its name tells."""
    return name.startswith(schema.MEASURED) and kind != dtype_of(name)


def _counters(found: Sequence[Path]) -> dict[str, pl.DataType]:
    kinds = {pair for file in found for pair in _schema(file).items() if pair[0].startswith(schema.MEASURED)}
    odd = {name for name, kind in kinds if foreign(name, kind)}
    return {name: dtype_of(name) for name in sorted({name for name, _ in kinds} - odd)}


def _schema(file: Path) -> dict[str, pl.DataType]:
    with file.open("rb") as opened:  # a path would be taken for a pattern
        return dict(pl.read_parquet_schema(opened))


def read(path: Path) -> Capture:
    """The whole archive as one capture; raises UnreadableCapture where it mixes devices.

    A large one is condensed: equal launches of a capture are added up into one row that says how many.
    """
    found = files(path)
    facts = [Capture(launches=pl.DataFrame(), **saved.checked(file)) for file in found]
    try:
        every = scan(path).drop("device_name", "label", *([] if len(found) > 1 else [CAPTURE]))
        return as_one(every, facts, path.name)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        for file in found:  # one of them is damaged where its checks did not look: reading it alone names it
            saved.read(file)
        raise UnreadableCapture(f"{path.name}: one of its {len(found)} files is damaged; save its captures again") from error


def as_one(scanned: pl.LazyFrame, facts: Sequence[Capture], name: str) -> Capture:
    """The launches of many captures, and what is known of each, as one capture."""
    every = finite(scanned)
    number = every.select(pl.len()).collect().item()
    launches = condensed(every) if number > LARGE else every
    told = (f"{number:,} launches: equal ones of a capture were added up before the analysis",) if number > LARGE else ()
    return Capture(
        launches=launches.with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64)).collect(),
        device=combine.device([f.device for f in facts], [f.name for f in facts]),
        run=combine.run([f.run for f in facts]),
        notes=(*told, *combine.notes(facts)),
        name=f"archive {name} of {len(facts)} captures" if len(facts) > 1 else facts[0].name,
    )


def finite(launches: pl.LazyFrame) -> pl.LazyFrame:
    """The launches without anything that is no number, as conform() leaves those of a single file."""
    return launches.with_columns(schema.cleaned(launches.collect_schema()))


def condensed(launches: pl.LazyFrame) -> pl.LazyFrame:
    """One row per capture, kernel, grid and block: counts added up, rates and clocks averaged over time."""
    kinds = launches.collect_schema()
    keys = [c for c in (CAPTURE, "kernel", "name", "grid", "block") if c in kinds]
    counters = [c for c, kind in kinds.items() if c.startswith(schema.MEASURED) and kind == pl.Float64]
    listed = [c for c in kinds if c.startswith(schema.MEASURED) and c not in counters]
    lost = {c.name: pl.lit(None, c.dtype) for c in schema.LAUNCHES if c.name not in [*keys, "index", "seconds"]}
    return (
        launches.group_by(keys, maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias(TIMES),
            whole("seconds"),
            *(over_time(c) if any(part in c for part in AVERAGED) else whole(c) for c in counters),
            *(pl.col(c).drop_nulls().explode() for c in listed),
        )
        .with_columns(index=pl.lit(0, pl.Int64), **lost)
    )


def whole(name: str) -> pl.Expr:
    """Sum of a counter; null where a launch lacks it."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name)


def over_time(name: str) -> pl.Expr:
    """Mean of a rate, weighted by the duration; null where a launch lacks it."""
    weighted = (pl.col(name) * pl.col("seconds")).sum() / pl.col("seconds").sum()
    return pl.when((pl.col(name).null_count() == 0) & weighted.is_finite()).then(weighted).alias(name)
