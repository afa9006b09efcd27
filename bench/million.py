"""A million launches from a report and from an export: wall and CPU time and the largest memory of `summary` and `tokens`.

python -m bench.million [LAUNCHES]
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.readers import machine
from ncu_roofline.readers.report import container, recognise

FIXTURES = Path(__file__).parent.parent / "fixtures" / "synthetic"


def grown_report(target: Path, launches: int) -> int:
    """A synthetic report whose blocks are written again and again; the number of its launches."""
    with recognise.opened(FIXTURES / "dense-b8.ncu-repz") as (file, size, _):
        each = sum(block.results for block in container.head(file, size).blocks())
        file.seek(0)
        report = file.read()
    first = 8 + struct.unpack_from("<I", report, 4)[0]
    times = -(-launches // each)
    with target.open("wb") as out:
        out.write(report[:first])
        for _ in range(times):
            out.write(report[first:])
    return times * each


def grown_export(target: Path, launches: int) -> int:
    """The synthetic export with its rows again and again, numbered on; the number of its launches."""
    lines = (FIXTURES / "demo.raw.csv").read_text().splitlines(keepends=True)
    head = next(n for n, line in enumerate(lines) if line.startswith('"ID"'))
    rows = [line[line.index(",") :] for line in lines[head + 2 :] if line.startswith('"')]
    number = 0
    with target.open("w", newline="") as out:
        out.writelines(lines[head : head + 2])
        while number < launches:
            out.writelines(f'"{number + n}"{row}' for n, row in enumerate(rows))
            number += len(rows)
    return number


def measured(command: str, path: Path) -> str:
    """One whole process: wall, CPU, largest memory (which counts pages of a mapped file)."""
    began = time.monotonic()
    line = [sys.executable, "-m", "ncu_roofline", command, str(path)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    wall = time.monotonic() - began
    return f"{command:8} {path.name:14} {wall:6.1f} s wall {cpu:6.1f} s CPU {used.ru_maxrss * 1024 / 1e9:5.2f} GB, exit {process.returncode}"


def main() -> None:
    """Grow both files, and time both commands on them."""
    launches = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"Whole processes on {machine()}.")
    with tempfile.TemporaryDirectory() as name:
        for file, grown in (("large.ncu-rep", grown_report), ("large.csv", grown_export)):
            path = Path(name, file)
            print(f"{grown(path, launches):,} launches, {path.stat().st_size / 1e9:.2f} GB: {file}")
            for command in ("summary", "tokens"):
                print(measured(command, path), flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
