"""Captures into an archive of a fleet: read by processes of this machine, or by a cluster's."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from time import monotonic
from typing import Any

from ncu_roofline import api
from ncu_roofline.cli.notes import quiet
from ncu_roofline.errors import RooflineError, UnreadableCapture, UnusableInput
from ncu_roofline.readers import archive
from ncu_roofline.readers.archive import Kept
from ncu_roofline.readers.fleet import captures, tables
from ncu_roofline.readers.fleet.store import at

WAITING = 8
"""Captures that are handed out for each worker: enough that none is idle, few enough that a million fit in memory."""
ON_A_CLUSTER = 2000
STRIKES = 2
"""Times that a capture may be in work where a reading process is ended, before it is taken for the cause."""


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
    captures.parted(meta)
    at(to)
    found = captures.captures_in(sources)
    if not found:
        raise UnreadableCapture("no capture was named; give files, folders, globs or a URL")
    work = partial(each, to=to, job=secrets.token_hex(8), meta=meta, reader=reader, metrics=metrics)
    return counted(on_executor(work, found, on, min(workers or os.cpu_count() or 1, len(found))), len(found))


def each(path: str, *, to: str, job: str, meta: dict[str, Any], reader: str, metrics: tuple[str, ...]) -> Kept:
    """One capture into the archive, where it is not there; what a worker runs."""
    try:
        with captures.here(path) as file:
            identity = captures.whence(file, meta)["id"]
            if identity in there(to, job):
                return Kept(path, "present")
            rows = api.ingest(file, meta=meta, reader=reader, metrics=metrics)
    except UnreadableCapture as error:
        return Kept(path, "refused", str(error))
    if rows.id is not None:
        tables.keep(at(to), rows.id, rows.runs, rows.launches, rows.partition)
    if rows.reason is not None:
        return Kept(path, "refused", rows.reason)
    there(to, job).add(identity)
    return Kept(path, "saved")


@lru_cache(maxsize=4)
def there(to: str, job: str) -> set[str]:  # noqa: ARG001  a new job asks anew
    """What the archive held when this job began in this process, and what came from here since."""
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
            with archive.pool(workers) as executor:
                yield from finished(executor, work, waiting, strikes, workers * WAITING)


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """A Dask cluster as an executor; a capture whose worker was lost is read again on another."""
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
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, RooflineError):
        raise error
    told = f"{captures.name_of(path)}: the process that read it was ended from outside, often for lack of memory"
    if type(error).__name__ not in ("BrokenProcessPool", "KilledWorker"):
        told = f"{captures.name_of(path)}: a fault of this program ({type(error).__name__}); please report it"
    return Kept(path, "refused", told)


def counted(each: Iterator[Kept], number: int) -> Iterator[Kept]:
    """The same, with a count on the terminal."""
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
