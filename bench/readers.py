"""How long and how large: the report reader, NVIDIA's own, and nsight-python's way, on the same large files.

Run `python -m bench.readers --corpus ../shared/corpus` to grow three reports out of public ones, read each by
every reader in turn, each in a process of its own, and print a table; `--save` writes it to bench/readers.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from ncu_roofline.readers.report.recognise import opened

FULL, BASIC = "panjd123__cutlass__384.ncu-rep", "R_conc_ref__ncu.ncu-rep"
OWN = "h100-dense-b8.ncu-repz"
"""Our own capture: 124 launches, few of which lie alike byte for byte."""
INPUTS = {
    "full set, 1 GB": (FULL, 1_000_000_000),
    "metrics only, 1,000 kernels": (BASIC, 102_000_000),
    "metrics only, 5,000 kernels": (BASIC, 512_000_000),
    "metrics only, own, 124 kernels": (OWN, 1),
    "metrics only, own, 2,480 kernels": (OWN, 49_000_000),
    "full set, 2 GB": (FULL, 2_000_000_000),
}
LARGEST_FOR_ALL = 1_100_000_000
METRICS = (
    "gpu__time_duration.sum",
    "dram__bytes_read.sum",
    "dram__bytes_write.sum",
    "lts__t_sectors.sum",
    "dram__cycles_elapsed.avg.per_second",
    "sm__cycles_elapsed.max",
    "launch__grid_size",
    "launch__block_size",
)

NATIVE = """
import sys
from ncu_roofline.readers.report import report
print(len(report.read(sys.argv[1]).launches))
"""
VENDOR = NATIVE.replace(".report import report", " import vendor").replace("report.read", "vendor.read")
BARE = f"""
import sys, ncu_report
def value(action, name):
    metric = action.metric_by_name(name)
    return metric.value() if metric is not None else None
rows = [[a.name(), *(value(a, n) for n in {METRICS!r})] for r in ncu_report.load_report(sys.argv[1]) for a in r]
print(len(rows))
"""
# nsight/extraction.py of nsight-python 1.1.0, extract_ncu_action_data; its own entry point takes only reports
# that it captured itself (it asks for its NVTX domain), so the same steps are taken here launch by launch
NSIGHT = f"""
import sys, ncu_report
ATTRIBUTES = ("clock_rate", "memory_clock_rate", "display_name")
def extract(action):
    metrics = [m for m in {METRICS!r} if m in action.metric_names()]
    values = [action[m].value() for m in metrics]
    units = [action[m].unit() for m in metrics]
    return action.name(), values, units, [action["device__attribute_" + a].value() for a in ATTRIBUTES]
report = ncu_report.load_report(sys.argv[1])
ranges = [report.range_by_idx(n) for n in range(report.num_ranges())]
rows = [extract(r.action_by_idx(n)) for r in ranges for n in range(r.num_actions())]
print(len(rows))
"""
READERS = {
    "ncu_roofline": NATIVE,
    "ncu_report, same capture": VENDOR,
    "ncu_report, 8 metrics": BARE,
    "as nsight-python, 8 metrics": NSIGHT,
}


def grown(source: Path, target: Path, size: int) -> None:
    """Repeat the blocks of a report until it has this size; string tables repeat with them."""
    with opened(source) as (plain, *_):
        plain.seek(0)
        report = plain.read()
    first = 8 + struct.unpack_from("<I", report, 4)[0]
    with target.open("wb") as file:
        file.write(report)
        while file.tell() < size:
            file.write(report[first:])


class Spent(NamedTuple):
    """What one process needed: seconds of wall and of processor, bytes of anonymous memory; launches it read."""

    seconds: float
    processor: float
    peak: int
    launches: int


def spent(code: str, path: Path) -> Spent:
    """What reading takes in a process of its own, from its start to its end."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    peak = 0
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        peak = max(peak, anonymous(process.pid))
        time.sleep(0.005)
    seconds, used = time.perf_counter() - began, ended[2]
    assert process.stdout
    return Spent(seconds, used.ru_utime + used.ru_stime, peak, int(process.stdout.read()))


def anonymous(pid: int) -> int:
    """RssAnon of a process: its memory without the pages of files that it maps."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)


def rows(corpus: Path, folder: Path, rounds: int, inputs: list[str]) -> Iterator[str]:
    """The table, line by line."""
    yield "| input | kernels | reader | seconds, best (median) | times ours | processor seconds, best | times ours | GB/s | peak RssAnon, MB |"
    yield "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name in inputs:
        pattern, size = INPUTS[name]
        path = folder / "grown.ncu-rep"
        found = [*(corpus / "rep").glob(f"*{pattern}"), *Path("fixtures/measured").glob(pattern)]
        grown(found[0], path, size)
        # NVIDIA's reader would need some 12 GB for the largest
        readers = list(READERS)[: 1 if size > LARGEST_FOR_ALL else None]
        runs: dict[str, list[Spent]] = {reader: [] for reader in readers}
        for _ in range(rounds):
            for reader in readers:
                cached(path)
                runs[reader].append(spent(READERS[reader], path))
        ours = runs["ncu_roofline"]
        yield from (row(name, reader, found, ours, path.stat().st_size) for reader, found in runs.items())


def cached(path: Path) -> None:
    """Read a file once, so that the next reader finds it in the page cache."""
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def row(name: str, reader: str, found: list[Spent], ours: list[Spent], size: int) -> str:
    """One line of the table."""
    best, used = min(run.seconds for run in found), min(run.processor for run in found)
    return (
        f"| {name} | {found[0].launches:,} | {reader} | {best:.2f} ({statistics.median(run.seconds for run in found):.2f}) "
        f"| {best / min(run.seconds for run in ours):.1f} | {used:.2f} | {used / min(run.processor for run in ours):.1f} "
        f"| {size / best / 1e9:.2f} | {max(run.peak for run in found) / 1e6:.0f} |"
    )


def machine() -> str:
    """What the figures were measured on."""
    cpu = next((x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    return (
        f"{len(os.sched_getaffinity(0))} cores of {cpu or platform.machine()}, Python {platform.python_version()}, "
        f"polars {version('polars')}, ncu-report {version('ncu-report')}; warm page cache, whole processes, load of the machine {os.getloadavg()[2]:.1f}"
    )


LIMITS = """
What limits it: importing polars (0.13 s of every process); on metrics-only reports the walk over the metrics of
each launch, of which some 45 are kept (0.1 ms a launch; 0.02 where it lies as one that was learned from); on
full-set reports copying the launches out of the page cache and the opcode counters. Sources, source lines,
samples and unwanted metrics are stepped over. Processor seconds are the steadier column on a shared machine.
"""


def main() -> None:
    """Measure, print and, if asked, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inputs", nargs="*", choices=INPUTS, default=list(INPUTS))
    parser.add_argument("--save", action="store_true")
    chosen = parser.parse_args()
    lines = ["# Reading reports", "", machine(), ""]
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(chosen.corpus, Path(folder), chosen.rounds, chosen.inputs):
            print(row, flush=True)
            lines.append(row)
    if chosen.save:
        Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n" + LIMITS)


if __name__ == "__main__":
    main()
