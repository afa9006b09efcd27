"""A `save` that is ended takes its reading processes with it, however it was ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ncu_roofline.readers import archive, saved
from tests.report_bytes import saved as stored
from tests.report_bytes import simple

BYTES = "dram__bytes.sum"
PROC = Path("/proc")


def children(parent: int) -> set[int]:
    """Processes that this one started, by the kernel's own list."""
    listed = PROC / str(parent) / "task" / str(parent) / "children"
    return {int(word) for word in listed.read_text().split()} if listed.exists() else set()


def alive(process: int) -> bool:
    try:
        return (PROC / str(process) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not PROC.exists(), reason="needs /proc to see processes")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
@pytest.mark.parametrize("after", [0.1, 0.7])
def test_no_process_is_left_and_what_stands_is_whole(tmp_path: Path, ending: signal.Signals, after: float) -> None:
    (tmp_path / "in").mkdir()
    for n in range(200):
        stored(tmp_path / "in", simple({BYTES: n}, copies=2000), f"{n:03}.ncu-rep")
    target = tmp_path / "archive"
    line = [sys.executable, "-m", "ncu_roofline", "save", str(tmp_path / "in"), "-o", str(target), "--workers", "2"]
    program = subprocess.Popen(line, stderr=subprocess.PIPE)
    for _ in range(400):
        if len(begun := children(program.pid)) >= 2:
            break
        time.sleep(0.05)
    time.sleep(after)
    begun |= children(program.pid)
    os.kill(program.pid, ending)
    _, said = program.communicate(timeout=30)
    for _ in range(200):
        if not any(map(alive, begun)):
            break
        time.sleep(0.05)
    assert len(begun) >= 2
    assert not any(map(alive, begun))
    assert b"Traceback" not in said
    for file in archive.files(target) if archive.is_archive(target) else []:
        assert len(saved.read(file).launches) == 2000
