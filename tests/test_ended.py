"""Every command that writes, ended at random moments and on a full disk: outputs whole or absent, no process left."""

from __future__ import annotations

import atexit
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ncu_roofline.readers import archive, read, saved
from tests.generator.timelines import timeline, write_kineto

ROOT = Path(__file__).parent.parent
SYNTHETIC = ROOT / "fixtures" / "synthetic"
ONE, OTHER = str(SYNTHETIC / "demo.ncu-rep"), str(SYNTHETIC / "demo.raw.csv")
WRITING = {
    "summary": ["summary", ONE, "-o", "out.txt"],
    "kernels": ["kernels", ONE, "--format", "csv", "-o", "out.csv"],
    "tokens": ["tokens", ONE, "--format", "json", "-o", "out.json"],
    "plot": ["plot", ONE, "-o", "out.svg"],
    "report": ["report", ONE, "-o", "out"],
    "compare": ["compare", ONE, OTHER, "--format", "markdown", "-o", "out.md"],
    "sweep": ["sweep", ONE, OTHER, "--chart", "out.html"],
    "slim": ["slim", ONE, "-o", "out.ncu-repz"],
    "save": ["save", ONE, "-o", "out.parquet"],
    "archive": ["save", ONE, OTHER, "-o", "out/", "--workers", "2"],
    "baseline": ["baseline", "save", "out", ONE],
    "recipe": ["recipe", "--gpu", "h100", "-o", "out.sh"],
    "brief": ["summary", ONE, "--format", "brief", "-o", "out.md"],
    "check": ["check", ONE, "--format", "json", "-o", "out.json"],
    "roles": ["roles", ONE, "--format", "markdown", "-o", "out.md"],
    "project": ["project", ONE, "--gpu", "h200", "--format", "json", "-o", "out.json"],
    "floor": ["floor", "--model", "llama-3.1-8b", "--gpu", "h100", "--format", "json", "-o", "out.json"],
    "step": ["step", "TRACE", "--format", "json", "-o", "out.json"],
    "history": ["history", "FLEET", "--format", "json", "-o", "out.json"],
    "history chart": ["history", "FLEET", "--chart", "out.html"],
    "demo": ["demo", "-o", "out"],
    "ingest": ["ingest", ONE, OTHER, "--to", "out", "--workers", "2"],
    "compact": ["compact", "out"],
}
ARCHIVES = {"ingest", "compact"}
"""Commands that write an archive of a fleet: of one that was ended there are whole captures, and a second run ends the work."""
MOMENTS = int(os.environ.get("MOMENTS", "2"))
"""Random moments for each way of ending each command; `MOMENTS=10` is the long form."""
DRAFTS = {".tmp", ".partial"}
ENDINGS = [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")


@cache
def prepared() -> Path:
    """What some commands read: a trace, and an archive of a fleet of two captures, each ingested alone."""
    place = Path(tempfile.mkdtemp(prefix="ncu-roofline-ended-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    write_kineto(timeline(2, "plain"), place / "trace.json")
    for capture in (ONE, OTHER):
        done = started(place, ["ingest", capture, "--to", "fleet", "--meta", "commit=abc"])
        _, said = done.communicate(timeout=300)
        assert done.returncode == 0, said
    return place


def line_of(name: str, folder: Path) -> list[str]:
    """The command's words, and in its folder what it changes."""
    if name == "compact":
        shutil.copytree(prepared() / "fleet", folder / "out")
    places = {"TRACE": lambda: prepared() / "trace.json", "FLEET": lambda: prepared() / "fleet"}
    return [str(places[word]()) if word in places else word for word in WRITING[name]]


def started(folder: Path, line: list[str], limit: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    """The command in a session of its own, so that whatever it leaves can be told."""
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = [sys.executable, "-m", "ncu_roofline", *line]
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": folder, "env": known}
    return subprocess.Popen(whole, start_new_session=True, preexec_fn=limit, **how)  # type: ignore[call-overload,no-any-return]


def of_session(leader: int) -> list[int]:
    """Living processes of that session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(session) == leader and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def left(leader: int) -> list[int]:
    """Those that are still there after a while."""
    for _ in range(100):
        if not of_session(leader):
            return []
        time.sleep(0.1)
    return of_session(leader)


def outputs(folder: Path) -> dict[str, int]:
    """Files under their final names, with their sizes."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path): (folder / path).stat().st_size for path in files if not DRAFTS & {Path(p).suffix for p in path.parts}}


@cache
def whole(name: str) -> tuple[dict[str, int], float]:
    """What the command writes undisturbed, and how long it takes."""
    with tempfile.TemporaryDirectory() as folder:
        line = line_of(name, Path(folder))
        began = time.monotonic()
        done = started(Path(folder), line)
        _, said = done.communicate(timeout=300)
        assert done.returncode == 0, said
        return outputs(Path(folder)), time.monotonic() - began


def check(name: str, folder: Path) -> None:
    """All of the output or none of it; of an archive, whole captures."""
    found, expected = outputs(folder), whole(name)[0]
    if name == "archive":
        for file in archive.files(folder / "out") if archive.is_archive(folder / "out") else []:
            assert saved.read(file).launches.height > 0
        return
    if name in ARCHIVES:
        check_fleet(name, folder)
        return
    assert set(found) in (set(), set(expected))
    # a page or chart may hold the minute of its making, so sizes may differ by a few letters
    assert all(abs(size - expected[file]) < 64 for file, size in found.items()), found


def check_fleet(name: str, folder: Path) -> None:
    """Whole captures, each once, before and after the work is done again; a merged archive holds as many as before."""
    sizes = [read(capture).launches.height for capture in (ONE, OTHER)]
    if (folder / "out" / "runs").is_dir() and list((folder / "out" / "runs").rglob("*.parquet")):
        there = read(folder / "out").launches.height
        assert there in ({sum(sizes)} if name == "compact" else {*sizes, sum(sizes)})
    done = started(folder, WRITING[name])
    _, said = done.communicate(timeout=300)
    assert done.returncode == 0, said
    assert read(folder / "out").launches.height == sum(sizes)


def moments() -> Iterator[tuple[str, signal.Signals, float]]:
    dice = random.Random(16)
    for name in WRITING:
        for ending in ENDINGS:
            for _ in range(MOMENTS):
                yield name, ending, dice.random()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "ending", "moment"), list(moments()), ids=lambda v: getattr(v, "name", None))
def test_a_command_ended_at_a_random_moment_leaves_all_or_nothing(
    tmp_path: Path, name: str, ending: signal.Signals, moment: float
) -> None:
    wait, line = moment * whole(name)[1], line_of(name, tmp_path)
    program = started(tmp_path, line)
    time.sleep(wait)
    program.send_signal(ending)
    _, said = program.communicate(timeout=120)
    assert left(program.pid) == []
    # before main() runs an interrupt is Python's own to tell
    assert b"Traceback" not in said or b"ncu_roofline/cli" not in said
    drafts = [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix in DRAFTS]
    check(name, tmp_path)
    if ending is not signal.SIGKILL:
        assert not drafts


def small_files() -> None:
    """No file of more than a page: what a full disk does, wherever tests run."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITING)
def test_a_disk_without_room_is_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    if max(whole(name)[0].values()) <= 1024:
        pytest.skip("writes less than a page")
    line = line_of(name, tmp_path)
    before = outputs(tmp_path)
    program = started(tmp_path, line, small_files)
    _, said = program.communicate(timeout=300)
    assert program.returncode in (2, 3), said
    assert b"Traceback" not in said
    assert any(word in said for word in (b"cannot be written", b"cannot read or write", b"cannot be unpacked")), said
    assert outputs(tmp_path) == before
    assert left(program.pid) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to mount")
@pytest.mark.parametrize("name", WRITING)
def test_a_small_disk_that_runs_full_keeps_what_stood_there(tmp_path: Path, name: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("may not mount here")
    try:
        (disk / "before").write_text("stays")
        if name == "compact" or sum(whole(name)[0].values()) <= 7000:
            pytest.skip("fits, or begins with more than fits")
        program = started(disk, line_of(name, disk))
        _, said = program.communicate(timeout=300)
        assert b"Traceback" not in said
        assert program.returncode in (2, 3), said
        assert outputs(disk) == {"before": 5}
        assert (disk / "before").read_text() == "stays"
    finally:
        subprocess.run(["umount", str(disk)], check=True)
