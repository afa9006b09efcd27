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


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs masks of signals")
def test_a_process_that_is_just_started_hears_of_no_interrupt() -> None:
    told = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with archive.unheard():
        assert subprocess.check_output([sys.executable, "-I", "-c", told]) == b"True\n"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_an_interrupt_waits_until_a_process_has_been_started_and_is_not_lost() -> None:
    started = []

    def interrupted() -> None:
        with archive.unheard():
            signal.raise_signal(signal.SIGINT)
            started.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert started and signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
@pytest.mark.skipif(not PROC.exists(), reason="needs /proc to see processes")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
@pytest.mark.parametrize("after", [0.0, 0.7])
def test_no_process_is_left_and_what_stands_is_whole(tmp_path: Path, ending: signal.Signals, after: float) -> None:
    (tmp_path / "in").mkdir()
    for n in range(200):
        stored(tmp_path / "in", simple({BYTES: n}, copies=2000), f"{n:03}.ncu-rep")
    target = tmp_path / "archive"
    line = [sys.executable, "-m", "ncu_roofline", "save", str(tmp_path / "in"), "-o", str(target), "--workers", "2"]
    program = subprocess.Popen(line, stderr=subprocess.PIPE, start_new_session=True)
    for _ in range(400):
        if len(begun := children(program.pid)) >= 2:
            break
        time.sleep(0.05)
    time.sleep(after)
    begun |= children(program.pid)
    # a terminal interrupts every process of a command, those that are just starting too
    (os.killpg if ending == signal.SIGINT else os.kill)(program.pid, ending)
    _, said = program.communicate(timeout=30)
    for _ in range(200):
        if not any(map(alive, begun)):
            break
        time.sleep(0.05)
    assert len(begun) >= 2
    assert not any(map(alive, begun))
    assert ending == signal.SIGKILL or b"Traceback" not in said  # a process that is starting tells that its parent is gone
    for file in archive.files(target) if archive.is_archive(target) else []:
        assert len(saved.read(file).launches) == 2000
