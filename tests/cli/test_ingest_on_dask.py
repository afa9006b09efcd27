"""Ingest on a Dask cluster of two processes, and on processes of this machine: the same bytes, whoever dies. Slow."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ncu_roofline.cli import ingest, workers
from ncu_roofline.readers.archive import Kept
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet.store import Folder
from tests.command import run

distributed = pytest.importorskip("distributed", reason="distributed is not installed (extra `dask`)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CAPTURES = sorted(Path("fixtures/measured").resolve().glob("*.ncu-repz"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def address(cluster: Any) -> str:
    return str(cluster.scheduler_address).replace("tcp://", "dask://")


def objects(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.parquet")}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process of this machine writes."""
    target = tmp_path_factory.mktemp("here")
    ingest.into([str(c) for c in CAPTURES], str(target), {"commit": "abc"}, workers=1)
    return objects(target)


def test_a_cluster_writes_the_same_bytes_as_this_machine(
    cluster: Any, here: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ingest", *map(str, CAPTURES), "--to", str(tmp_path), "--meta", "commit=abc", "--on", address(cluster)]
    first, again = run(capsys, *words), run(capsys, *words)

    assert f"Ingested {len(CAPTURES)}, 0 were there already, 0 could not be read" in first.err
    assert f"Ingested 0, {len(CAPTURES)} were there already" in again.err
    assert objects(tmp_path) == here


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(cluster: Any, here: dict[str, bytes], tmp_path: Path) -> None:
    with distributed.Client(cluster) as client:
        before = set(client.run(os.getpid).values())
    killer = threading.Timer(1.0, lambda: os.kill(min(before), signal.SIGKILL))
    killer.start()
    done = list(workers.ingested([str(c) for c in CAPTURES], str(tmp_path), {"commit": "abc"}, on=address(cluster)))
    killer.join()

    assert [k.outcome for k in done] == ["saved"] * len(CAPTURES) or {k.outcome for k in done} == {"saved", "present"}
    assert objects(tmp_path) == here


def test_a_process_of_this_machine_that_is_killed_loses_nothing(here: dict[str, bytes], tmp_path: Path) -> None:
    from multiprocessing import active_children

    def kill() -> None:
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        for child in active_children()[:1]:
            os.kill(child.pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    done = list(workers.ingested([str(c) for c in CAPTURES], str(tmp_path), {"commit": "abc"}, workers=2))
    killer.join()

    assert {k.outcome for k in done} <= {"saved", "present"} and len(done) == len(CAPTURES)
    assert objects(tmp_path) == here
    assert len(tables.known(Folder(str(tmp_path)))) == len(CAPTURES)


def test_no_cluster_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda where, **how: real(where, **{**how, "timeout": "2s"}))
    answer = run(capsys, "ingest", str(CAPTURES[0]), "--to", str(tmp_path), "--on", "dask://127.0.0.1:1")

    assert answer.code == 3 and "no Dask scheduler answers there" in answer.err


def test_what_ends_its_reader_each_time_is_refused_and_no_other() -> None:
    from collections import Counter, deque
    from concurrent.futures import BrokenExecutor

    seen: list[str] = []

    class Fragile(ThreadPoolExecutor):
        """Breaks with the one that it cannot bear, and all that were handed out with it."""

        broken = False

        def submit(self, work: Any, path: str, /, *more: Any, **how: Any) -> Future[Any]:  # type: ignore[override]
            if self.broken:
                raise BrokenExecutor
            future: Future[Any] = Future()
            self.handed = [*getattr(self, "handed", []), (path, future)]
            if path == "bad":
                self.broken = True
                for _, each in self.handed:
                    if not each.done():
                        each.set_exception(BrokenExecutor())
            elif path != "a" or seen.count("a"):
                future.set_result(Kept("a capture", "saved"))
            seen.append(path)
            return future

    waiting, strikes, done = deque(["a", "bad", "b", "c"]), Counter[str](), []
    for _ in range(10):
        if waiting:
            done += list(workers.finished(Fragile(1), lambda path: None, waiting, strikes, 4))  # type: ignore[arg-type]

    assert sorted(k.outcome for k in done) == ["refused", "saved", "saved", "saved"]
