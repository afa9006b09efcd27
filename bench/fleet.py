"""What an archive of 10,000 captures of 593 launches answers in what time: `python -m bench.fleet [FOLDER] [--save]`.

Grown from our own measured capture: its launches over and over, with noise in bytes and time. Such launches pack better than
real ones (26 bytes each, where those of our seven captures of an H100 take 90 to 100 in one object), and runs as well as those.
`--save` writes the result into docs/scale.md.
"""

from __future__ import annotations

import math
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta, timezone
from multiprocessing import get_context
from pathlib import Path

import polars as pl

import ncu_roofline as nr
from bench.readers import machine
from bench.stopwatch import best
from ncu_roofline.capture.fleet import MOMENT
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet.compact import compact
from ncu_roofline.readers.fleet.store import Folder

DENSE = Path("fixtures/measured/h100-dense-b8.ncu-repz")
CAPTURES, LAUNCHES, DAYS, BATCHES = 10_000, 593, 100, (1, 8, 32, 128)
READ, SINGLE = 40, 400
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
PAGE, FROM, TO = Path("docs/scale.md"), "<!-- measured -->", "<!-- /measured -->"

RUNS_QUESTION = """SELECT commit, sum(bytes / divisor) AS bytes_per_token FROM read_parquet('{0}/runs/*.parquet', union_by_name = true)
WHERE branch = 'main' AND batch = 8 AND reason IS NULL GROUP BY commit"""
LAUNCHES_QUESTION = """SELECT kernel, sum(bytes * share) AS bytes, sum(seconds * share) AS seconds
FROM read_parquet('{0}/launches/**/*.parquet', hive_partitioning = true, union_by_name = true)
WHERE date >= '2026-03-01' AND share IS NOT NULL GROUP BY kernel ORDER BY bytes DESC"""


def of_runs(folder: Path) -> pl.DataFrame:
    """Bytes per token of each commit of one workload."""
    return (
        pl.scan_parquet(folder / "runs" / "*.parquet", missing_columns="insert")
        .filter(pl.col("branch") == "main", pl.col("batch") == 8, pl.col("reason").is_null())
        .group_by("commit")
        .agg(bytes_per_token=(pl.col("bytes") / pl.col("divisor")).sum())
        .collect()
    )


def of_launches(folder: Path) -> pl.DataFrame:
    """Bytes and time by kernel since a day."""
    return (
        pl.scan_parquet(folder / "launches" / "**" / "*.parquet", hive_partitioning=True)
        .filter(pl.col("date") >= pl.date(2026, 3, 1), pl.col("share").is_not_null())
        .group_by("kernel")
        .agg((pl.col("bytes", "seconds") * pl.col("share")).sum())
        .sort("bytes", descending=True)
        .collect()
    )


def grown(runs: pl.DataFrame, launches: pl.DataFrame, number: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A capture of its own: another id, commit and batch, and noise in every number that a kernel has."""
    rng, identity = random.Random(number), f"{number:032x}"
    moment = BEGIN + timedelta(days=number * DAYS / CAPTURES)
    told = {
        "id": pl.lit(identity),
        "commit": pl.lit(f"{number // len(BATCHES):08x}"),
        "batch": pl.lit(BATCHES[number % 4], pl.Int64),
    }
    times = {name: pl.lit(moment).cast(MOMENT) for name in ("when", "commit_time")}
    factor = pl.Series([1 + rng.gauss(0, 0.004) for _ in range(launches.height)])
    sums = [pl.col(c) * (1 + rng.gauss(0, 0.0005)) for c in ("bytes", "bytes_low", "bytes_high")]
    times_ = [pl.col(c) * (1 + rng.gauss(0, 0.002)) for c in ("seconds", "seconds_low", "seconds_high")]
    counted = [c for c in launches.columns if c == "seconds" or (c.endswith(".sum") and "dram" in c) or c == "bytes"]
    noisy = launches.with_columns(*((pl.col(c) * factor).alias(c) for c in counted), id=pl.lit(identity))
    return runs.with_columns(*sums, *times_, **told, **times), noisy


def captures() -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Every capture of the archive, with its day."""
    one = nr.ingest(DENSE, meta={"branch": "main", "model": "llama-3.1-8b", "engine": "vllm"})
    assert one.launches is not None
    times = -(-LAUNCHES // one.launches.height)
    launches = pl.concat([one.launches] * times).head(LAUNCHES).with_columns(index=pl.int_range(LAUNCHES, dtype=pl.Int64))
    for number in range(CAPTURES):
        day = f"{BEGIN + timedelta(days=number * DAYS / CAPTURES):%Y-%m-%d}"
        yield (day, *grown(one.runs, launches, number))


def build(folder: Path) -> None:
    """The archive as merging leaves it, but for a last day whose captures are still single objects."""
    store, runs, day_of = Folder(str(folder)), [], ""
    held: list[pl.DataFrame] = []

    def full() -> None:
        rows = pl.concat(held)
        store.put(f"launches/date={day_of}/device=NVIDIA-H100-80GB-HBM3/merged-{day_of}.parquet", tables.packed(rows))
        held.clear()

    for day, its_runs, its_launches in captures():
        if day != day_of and held:
            full()
        day_of = day
        held.append(its_launches)
        runs.append(its_runs)
    full()
    store.put("runs/merged-all.parquet", tables.packed(pl.concat(runs)))


def asked(folder: Path) -> list[str]:
    """The common questions, each in its fastest of five; then the memory of the process that asked them all."""
    lines = [
        f"runs, polars            {best(lambda: of_runs(folder)):8.3f} s   bytes per token of {of_runs(folder).height:,} commits",
        f"launches, polars        {best(lambda: of_launches(folder)):8.3f} s   bytes and time by kernel, since a day",
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    lines.append(f"memory of both          {peak:8.2f} GB")
    try:
        import duckdb
    except ImportError:
        return lines
    for name, question in (("runs", RUNS_QUESTION), ("launches", LAUNCHES_QUESTION)):
        text = question.format(folder)
        lines.append(f"{name + ', DuckDB':<24}{best(lambda text=text: duckdb.sql(text).fetchall()):8.3f} s")  # type: ignore[misc]
    return lines


def files(folder: Path, number: int) -> list[str]:
    """Captures of different content: the same report, with a frame that readers skip."""
    paths = [folder / f"{n:04}.ncu-repz" for n in range(number)]
    for n, path in enumerate(paths):
        path.write_bytes(DENSE.read_bytes() + struct.pack("<II", 0x184D2A50, 8) + b"%08d" % n)
    return [str(p) for p in paths]


def reading(folder: Path) -> list[str]:
    """Captures a second and core, and what a second worker gives: the faster of two turns each, by turns."""
    paths = files(folder, READ)
    walls = {1: math.inf, 2: math.inf}
    for workers in (1, 2, 1, 2):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(nr.ingest, paths[: 2 * workers]))  # both are up, and have imported
            begin = time.perf_counter()
            list(pool.map(nr.ingest, paths))
            walls[workers] = min(walls[workers], time.perf_counter() - begin)
    begin = time.process_time()
    for path in paths[: READ // 2]:
        nr.ingest(path)
    each = (time.process_time() - begin) / (READ // 2)
    return [
        f"ingest                  {1 / each:8.1f} captures a second and core (124 launches each, {1e3 * each:.0f} ms of CPU)",
        f"1 and 2 workers         {READ / walls[1]:8.1f} and {READ / walls[2]:.1f} captures a second: {walls[1] / walls[2]:.2f} times",
    ]


def merging(folder: Path) -> list[str]:
    """Single objects of one day made one."""
    store = Folder(str(folder))
    for number, (_, runs, launches) in zip(range(SINGLE), captures(), strict=False):
        tables.keep(store, f"{number:032x}", runs, launches, ("2026-01-01", "NVIDIA H100"))
    single = best(lambda: of_runs(folder), 1)
    begin = time.perf_counter()
    compact(store)
    return [
        f"not merged              {single:8.3f} s   the question on `runs`, {SINGLE} single objects",
        f"compact                 {time.perf_counter() - begin:8.2f} s   {SINGLE} captures, {SINGLE * LAUNCHES:,} launches",
    ]


def processor(folder: Path) -> float:
    """CPU seconds of the whole command in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run([sys.executable, "-m", "ncu_roofline", "history", str(folder)], check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def size(folder: Path, part: str) -> str:
    """Size of a table on disk and its objects."""
    found = [p.stat().st_size for p in (folder / part).rglob("*.parquet")]
    return f"{part:<24}{sum(found) / 1e6:8.0f} MB  in {len(found):,} objects"


def main() -> None:
    """Builds the archive, asks, reads, merges, and prints what it took."""
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(words[0] if words else made) / "archive"
        if "--ask" in sys.argv:
            print("\n".join(asked(folder)))
            return
        if not folder.exists():
            build(folder)
        ask = [sys.executable, "-m", "bench.fleet", str(folder.parent), "--ask"]
        lines = [size(folder, "runs"), size(folder, "launches")]
        lines += subprocess.run(ask, check=True, capture_output=True, text=True).stdout.splitlines()
        lines.append(
            f"history                 {processor(folder):8.2f} s   of CPU: the whole command, 4 series of 2,500 commits"
        )
        for part in (reading, merging):
            with tempfile.TemporaryDirectory() as other:
                lines += part(Path(other))
    load = f"{os.getloadavg()[0]:.0f} processes waited for its cores"
    told = f"{CAPTURES:,} captures of {LAUNCHES} launches, on {machine()}; {load}\n\n" + "\n".join(lines)
    print(told)
    if "--save" in sys.argv:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(FROM)
        PAGE.write_text(f"{before}{FROM}\n\n```text\n{told}\n```\n\n{TO}{rest.partition(TO)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
