"""How long the CSV reader takes: a raw page of 5,000 launches x 1,200 columns, and 10,111 long rows.

Run `python bench/read_csv.py`. Prints the best of several runs next to polars.read_csv on the same columns.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import polars as pl

from bench.stopwatch import best
from ncu_roofline.knowledge import counters
from ncu_roofline.readers.csv import csv
from ncu_roofline.readers.csv.device import ATTRIBUTES
from ncu_roofline.readers.csv.launches import IDENTITY

LAUNCHES, COLUMNS = 5_000, 1_200
FIRST = [
    "ID",
    "Process ID",
    "Process Name",
    "Host Name",
    "Kernel Name",
    "Context",
    "Stream",
    "Block Size",
    "Grid Size",
    "Device",
    "CC",
]
USED = [
    "gpu__time_duration.sum",
    "dram__bytes_read.sum",
    "dram__bytes_write.sum",
    "lts__t_sectors.sum",
    "sm__cycles_elapsed.avg.per_second",
    "dram__cycles_elapsed.avg.per_second",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed",
]


def raw_page(path: Path, *, other: int) -> list[str]:
    """Write a raw page with this many counters that nobody needs; the names of its columns."""
    names = [*USED, *sorted(ATTRIBUTES), *(f"unit__unused_{n}.sum" for n in range(other))]
    ids = ['"', '","'.join([*FIRST, *names]), '"\n"', '","'.join([""] * (len(FIRST) + len(names))), '"\n']
    values = '","'.join("NVIDIA H200" if "display_name" in n else str(7 + place) for place, n in enumerate(names))
    with path.open("w") as file:
        file.writelines(ids)
        for n in range(LAUNCHES):
            name = f"void gemm_{n % 30}<float, {n % 7}>(float *, int)"
            file.write(f'"{n}","7","python","host","{name}","1","7","(128, 1, 1)","(56, 1, 1)","0","9.0","{values}"\n')
    return [*FIRST, *names]


def wide() -> None:
    """The raw page, with only the counters in use and with all of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw.csv"
        names = raw_page(path, other=COLUMNS - len(USED) - len(ATTRIBUTES))
        for label, metrics in (("counters in use", ()), ("all counters", ("*",))):
            kept = counters.wanted((n for n in names if "__" in n), metrics) | ATTRIBUTES | set(IDENTITY.values())
            columns = [name for name in names if name in kept]
            ours = best(partial(csv.read, path, metrics=metrics))
            theirs = best(partial(pl.read_csv, path, columns=columns, infer_schema_length=100))
            print(f"{label}, {len(columns)} columns: {ours:.3f} s, polars {theirs:.3f} s, {ours / theirs:.2f} times")


def long(path: Path) -> None:
    """A whole process that reads a long file."""
    code = f"from ncu_roofline.readers import csv; csv.read({str(path)!r})"
    whole = best(lambda: subprocess.run([sys.executable, "-c", code], check=True))
    print(f"{path.name[-40:]}: whole process {whole:.3f} s, the reader alone {best(lambda: csv.read(path)):.3f} s")


if __name__ == "__main__":
    wide()
    corpus = Path(__file__).resolve().parents[1].parent / "shared" / "corpus" / "csv"
    for file in sorted(corpus.glob("*vllm_26b_bf16_d128_g16_ncu_range.csv")):
        long(file)
