"""`ingest` brings captures into an archive of a fleet, on this machine or on a cluster; `compact` merges what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import Annotated, Any

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import Archive, Keep, Reader, ReaderKind, Workers

WAITING = 8
"""Captures that are handed out for each worker: enough that none is idle, few enough that a million fit in memory."""
ON_A_CLUSTER = 2000
STRIKES = 2
"""Times that a capture may be in work where a reading process is ended, before it is taken for the cause."""
GIT_SECONDS = 10

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Captures, folders and globs of them, of this machine or s3://, gs://, az://.",
        show_default=False,
    ),
]
To = Annotated[str, typer.Option("--to", metavar="ARCHIVE", help="Folder or URL of the archive; made where there is none.")]
On = Annotated[
    str | None, typer.Option("--on", metavar="dask://HOST:PORT", help="A Dask cluster that reads; without it, this machine.")
]
Meta = Annotated[
    list[str] | None,
    typer.Option(
        "--meta",
        metavar="KEY=VALUE",
        help="What holds for all of them: commit, commit_time, when, branch, label, engine, or a fact of the run (repeatable).",
    ),
]
Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="Merge the launches of this day alone.")]


@app.command()
def ingest(
    sources: Sources,
    to: To,
    on: On = None,
    meta: Meta = None,
    metrics: Keep = None,
    workers: Workers = None,
    reader: ReaderKind = Reader.AUTO,
) -> None:
    """Bring captures into an archive that answers in milliseconds: once each by content, whoever else writes.

    Example: ncu-roofline ingest nightly/ --to s3://bucket/archive --meta commit=1a2b3c4 --meta branch=main
    """
    into(sources, to, meta_of(meta), on=on, workers=workers, reader=reader.value, metrics=tuple(metrics or ()))


def into(sources: list[str], to: str, meta: dict[str, Any], **how: Any) -> None:
    """Every capture into the archive, with a note on each that could not be read, and on all."""
    from ncu_roofline.cli.notes import note
    from ncu_roofline.errors import UnreadableCapture
    from ncu_roofline.readers.fleet.store import shown

    counts: Counter[str] = Counter()
    for kept in ingested(sources, to, meta, **how):
        counts[kept.outcome] += 1
        if kept.told:
            note(kept.told)
    note(
        f"Ingested {counts['saved']:,}, {counts['present']:,} were there already, {counts['refused']:,} could not be read: "
        f"{shown(to)}"
    )
    if counts["refused"] and not counts["saved"] + counts["present"]:
        raise UnreadableCapture("none of the captures could be read; the reasons stand above")


@app.command()
def compact(archive: Archive, day: Day = None) -> None:
    """Merge the small objects of an archive into few large ones, so that questions take milliseconds.

    Example: ncu-roofline compact s3://bucket/archive
    """
    from ncu_roofline.cli.notes import note
    from ncu_roofline.cli.progress import progress
    from ncu_roofline.errors import UnusableInput
    from ncu_roofline.readers.fleet import tables
    from ncu_roofline.readers.fleet.compact import compact as compacted
    from ncu_roofline.readers.fleet.store import at, shown

    if day is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        raise UnusableInput(f"--day {day!r} is no day; write it as 2026-11-27")
    store = at(archive)
    if not tables.is_fleet(store):
        raise UnusableInput(f"{shown(archive)}: no archive of runs; make one with `ncu-roofline ingest CAPTURES --to ARCHIVE`")
    with progress("merging"):
        done = compacted(store, day)
    note("; ".join(f"{table}: {m.before:,} objects are {m.after:,}" for table, m in done.items()) + f": {shown(archive)}")


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one capture: `saved`, `present` or `refused`, and what a person should know of it."""

    outcome: str
    told: str = ""


def ingested(
    sources: list[str],
    to: str,
    meta: dict[str, Any],
    *,
    on: str | None = None,
    workers: int | None = None,
    reader: str = "auto",
    metrics: tuple[str, ...] = (),
) -> Iterator[Kept]:
    """Every capture into the archive, in the order in which they are done."""
    import os
    import secrets

    from ncu_roofline.errors import UnreadableCapture
    from ncu_roofline.readers.fleet import captures
    from ncu_roofline.readers.fleet.store import at

    captures.parted(meta)
    at(to)
    found = captures.captures_in(sources)
    if not found:
        raise UnreadableCapture("no capture was named; give files, folders, globs or a URL")
    work = partial(each, to=to, job=secrets.token_hex(8), meta=meta, reader=reader, metrics=metrics)
    return counted(on_executor(work, found, on, min(workers or os.cpu_count() or 1, len(found))), len(found))


def each(path: str, *, to: str, job: str, meta: dict[str, Any], reader: str, metrics: tuple[str, ...]) -> Kept:
    """One capture into the archive, where it is not there; what a worker runs."""
    from ncu_roofline import api
    from ncu_roofline.errors import UnreadableCapture
    from ncu_roofline.readers.fleet import captures, tables
    from ncu_roofline.readers.fleet.store import at

    try:
        with captures.here(path) as file:
            identity = captures.whence(file, meta)["id"]
            if identity in there(to, job):
                return Kept("present")
            rows = api.ingest(file, meta=meta, reader=reader, metrics=metrics)
    except UnreadableCapture as error:
        return Kept("refused", str(error))
    if rows.id is not None:
        tables.keep(at(to), rows.id, rows.runs, rows.launches, rows.partition)
    if rows.reason is not None:
        return Kept("refused", rows.reason)
    there(to, job).add(identity)
    return Kept("saved")


@lru_cache(maxsize=4)
def there(to: str, job: str) -> set[str]:  # noqa: ARG001  a new job asks anew
    """What the archive held when this job began in this process, and what came from here since."""
    from ncu_roofline.readers.fleet import tables
    from ncu_roofline.readers.fleet.store import at

    return tables.known(at(to))


def on_executor(work: partial[Kept], found: list[str], on: str | None, workers: int) -> Iterator[Kept]:
    """The work on the cluster that was named, else on processes of this machine, else here."""
    waiting = deque(found)
    if on is not None:
        with cluster(on) as executor:
            yield from finished(executor, work, waiting, Counter(), ON_A_CLUSTER)
    elif workers <= 1:
        yield from map(work, found)
    else:
        strikes: Counter[str] = Counter()
        while waiting:
            with pool(workers) as executor:
                yield from finished(executor, work, waiting, strikes, workers * WAITING)


@contextmanager
def pool(workers: int) -> Iterator[Executor]:
    """Processes of this machine, which end when this one does."""
    from ncu_roofline.readers.archive import bound

    # spawn: a forked child could inherit locks of polars' threads
    executor = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=bound)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """A Dask cluster as an executor; a capture whose worker was lost is read again on another."""
    from ncu_roofline.errors import UnusableInput

    if not re.fullmatch(r"dask://[\w.\-\[\]:]+:\d{1,5}", address):
        raise UnusableInput(f"--on {address!r} is no cluster; write dask://HOST:PORT")
    try:
        from distributed import Client
    except ImportError as error:
        raise UnusableInput("--on dask:// needs one more package; install it with: pip install 'ncu-roofline[dask]'") from error
    try:
        client = Client("tcp://" + address.removeprefix("dask://"), timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise UnusableInput(f"--on {address}: no Dask scheduler answers there; start one, or check host and port") from error
    with client:
        yield client.get_executor(retries=STRIKES, pure=False)


def finished(executor: Executor, work: partial[Kept], waiting: deque[str], strikes: Counter[str], most: int) -> Iterator[Kept]:
    """What became of each capture; where the executor broke, those in work wait again, up to a number of times."""
    running: dict[Future[Kept], str] = {}
    whole = True
    while running or (waiting and whole):
        with suppress(BrokenExecutor):
            while whole and waiting and fits(waiting[0], running, strikes, most):
                running[executor.submit(work, waiting[0])] = waiting[0]
                waiting.popleft()
        whole = whole and (bool(running) or not waiting)
        done, _ = wait(running, return_when=FIRST_COMPLETED) if running else ((), ())
        for future in done:
            path = running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                whole = False
                strikes[path] += 1
                if strikes[path] < STRIKES:
                    waiting.append(path)
                    continue
            yield outcome(future, path)


def fits(path: str, running: dict[Future[Kept], str], strikes: Counter[str], most: int) -> bool:
    """Whether one more can be handed out: what may have ended its reader runs alone, so that no other is blamed."""
    return not running or (len(running) < most and not strikes[path] and not any(strikes[p] for p in running.values()))


def outcome(future: Future[Kept], path: str) -> Kept:
    """The result; that of a capture which ended its readers is a refusal, an archive that cannot be written an error."""
    from ncu_roofline.errors import RooflineError
    from ncu_roofline.readers.fleet.captures import name_of

    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, RooflineError):
        raise error
    told = f"{name_of(path)}: the process that read it was ended from outside, often for lack of memory"
    if type(error).__name__ not in ("BrokenProcessPool", "KilledWorker"):
        told = f"{name_of(path)}: a fault of this program ({type(error).__name__}); please report it"
    return Kept("refused", told)


def counted(each: Iterator[Kept], number: int) -> Iterator[Kept]:
    """The same, with a count on the terminal."""
    from time import monotonic

    from ncu_roofline.cli.notes import quiet

    drawn = not quiet.get() and sys.stderr.isatty()
    began = last = monotonic()
    for done, kept in enumerate(each, 1):
        if drawn and monotonic() - last > 0.5:
            last = monotonic()
            sys.stderr.write(f"\r\x1b[K{done:,} of {number:,}, {done / (last - began):.3g} a second")
            sys.stderr.flush()
        if drawn and (kept.told or done == number):
            sys.stderr.write("\r\x1b[K")
        yield kept


def meta_of(words: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE words; a commit that the repository here knows gets its time."""
    from ncu_roofline.cli.sides import number_of
    from ncu_roofline.errors import UnusableInput
    from ncu_roofline.readers import facts

    told: dict[str, Any] = {}
    for word in words or []:
        key, mark, value = word.partition("=")
        if not mark or not key or not value:
            raise UnusableInput(f"--meta {word!r} is not KEY=VALUE; write for example commit=1a2b3c4")
        told[key] = number_of(value) if key in facts.CHECKS else value
    if "commit" in told and "commit_time" not in told:
        told |= of_git(told["commit"])
    return told


def of_git(commit: str) -> dict[str, str]:
    """The commit's full name and time, from the repository of the working folder; nothing where that knows no such commit."""
    if not re.fullmatch(r"\w[\w./@^~-]{0,199}", commit):
        return {}
    command = ["git", "show", "--no-patch", "--format=%H %cI", f"{commit}^{{commit}}", "--"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return {}
    found = re.fullmatch(r"([0-9a-f]{40,64}) (\S+)\s*", done.stdout)
    if done.returncode or not found:
        return {}
    # a hash stays as it was written; a name such as HEAD would mean another commit tomorrow
    return {"commit": commit if found[1].startswith(commit) else found[1], "commit_time": found[2]}
