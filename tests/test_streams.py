"""Standard streams that are closed, full, or unable to spell a letter end no command in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "fixtures" / "synthetic" / "demo.raw.csv"


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which $N is the program and $D a capture."""
    known = {"N": f"{sys.executable} -m ncu_roofline", "D": str(DEMO), **environment}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env={**os.environ, **known}, check=False)


def test_a_stream_without_our_letters_gets_the_nearest_ones() -> None:
    done = shell("$N summary $D", PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert " us" in done.stdout or " ms" in done.stdout
    assert done.stdout.isascii()
    assert "?" not in done.stdout


def test_a_reader_that_stops_reading_ends_the_command_quietly() -> None:
    done = shell("$N gpus | true; echo ${PIPESTATUS[0]}")

    assert (done.stdout.strip(), done.stderr) == ("141", "")


@pytest.mark.parametrize("line", ["--help", "--version", "summary --help", "recipe --gpu h100", "plot $D"])
def test_whatever_prints_ends_with_the_code_of_a_filter_and_never_with_that_of_a_gate(line: str) -> None:
    done = shell(f"(sleep 0.1; exec $N {line}) | true; echo ${{PIPESTATUS[0]}}")

    assert (done.stdout.strip(), done.stderr) == ("141", "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_stops_within_a_long_answer_is_told_from_one_that_reads_it(unbuffered: str) -> None:
    # more than a pipe holds; without a buffer Python writes what fits and says nothing of the rest
    long = str(DEMO.parent / "moe-b8.ncu-repz")
    kernels = f"$N kernels {long} --format json"
    done = shell(f"{kernels} | (sleep 1; head -c 1 >/dev/null); echo ${{PIPESTATUS[0]}}", PYTHONUNBUFFERED=unbuffered)
    whole = shell(f"{kernels} | (sleep 1; wc -c)", PYTHONUNBUFFERED=unbuffered)

    assert (done.stdout.strip(), done.stderr) == ("141", "")
    assert int(whole.stdout) > 100_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_sentence() -> None:
    done = shell("$N summary $D > /dev/full")

    assert (done.returncode, done.stderr) == (3, "ncu-roofline: cannot read or write (No space left on device)\n")


def test_closed_streams_are_no_failure() -> None:
    assert shell("$N summary $D >&-").returncode == 0
    assert shell("$N summary no-such-file 2>&-").returncode == 3
