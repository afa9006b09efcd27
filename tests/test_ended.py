"""Every command that writes, ended at random moments and on a full disk: outputs whole or absent, no process left."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from ncu_roofline.readers import archive, saved

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
}
MOMENTS = int(os.environ.get("MOMENTS", "2"))
"""Random moments for each way of ending each command; `MOMENTS=10` is the long form."""
DRAFTS = {".tmp", ".partial"}
ENDINGS = [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes")


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
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        done = started(Path(folder), WRITING[name])
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
    assert set(found) in (set(), set(expected))
    # a page or chart may hold the minute of its making, so sizes may differ by a few letters
    assert all(abs(size - expected[file]) < 64 for file, size in found.items()), found


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
    program = started(tmp_path, WRITING[name])
    time.sleep(moment * whole(name)[1])
    program.send_signal(ending)
    _, said = program.communicate(timeout=120)
    assert left(program.pid) == []
    # before main() runs an interrupt is Python's own to tell
    assert b"Traceback" not in said or b"ncu_roofline/cli" not in said
    check(name, tmp_path)
    if ending is not signal.SIGKILL:
        assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix in DRAFTS]


def small_files() -> None:
    """No file of more than a page: what a full disk does, wherever tests run."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITING)
def test_a_disk_without_room_is_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    if max(whole(name)[0].values()) <= 1024:
        pytest.skip("writes less than a page")
    program = started(tmp_path, WRITING[name], small_files)
    _, said = program.communicate(timeout=300)
    assert program.returncode in (2, 3), said
    assert b"Traceback" not in said
    assert b"cannot be written" in said or b"cannot read or write" in said, said
    assert outputs(tmp_path) == {}
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
        if sum(whole(name)[0].values()) <= 7000:
            pytest.skip("fits")
        program = started(disk, WRITING[name])
        _, said = program.communicate(timeout=300)
        assert b"Traceback" not in said
        assert program.returncode in (2, 3), said
        assert outputs(disk) == {"before": 5}
        assert (disk / "before").read_text() == "stays"
    finally:
        subprocess.run(["umount", str(disk)], check=True)
