"""Our numbers beside NVIDIA's own in the same reports: docs/referee.md, over whatever captures lie beside the repository."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from ncu_roofline.analysis.study import study
from ncu_roofline.analysis.work.flops import from_opcodes
from ncu_roofline.analysis.work.traffic import activity
from ncu_roofline.capture.capture import Capture
from ncu_roofline.capture.schema import TENSOR_PATHS
from ncu_roofline.errors import RooflineError
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.readers import read

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/referee.md"
FOLDERS = (ROOT.parent / "shared/corpus/rep",)
LONG = pl.col("seconds") > 20e-6
THROUGHPUT = "m:gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed"
Pairs = Iterator[tuple[str, float | None, float | None, float]]
"""Check, our number, NVIDIA's, and the relative difference that rounding and clocks explain."""


def bytes_of(launches: pl.DataFrame, taken: Capture) -> Pairs:
    """Bytes rebuilt from active memory cycles beside the counted ones."""
    gpu, _ = gpus.identify(taken.device)
    measured_clock = "m:dram__cycles_elapsed.avg.per_second" in launches.columns
    for _, value in activity(launches, gpu, taken.device):
        rows = launches.with_columns(ours=value).filter(LONG, pl.col("dram_bytes_source") == "counter")
        for ours, theirs in rows.select("ours", "dram_bytes").iter_rows():
            yield "bytes from memory cycles, by `dram__bytes`", ours, theirs, 1e-3 if measured_clock else 4e-3


def share_of(launches: pl.DataFrame, taken: Capture) -> Pairs:
    """Share of the bandwidth, from counted bytes, beside `gpu__dram_throughput`."""
    if THROUGHPUT in launches.columns:
        roof = launches.filter(
            LONG, pl.col(THROUGHPUT) > 0.5, pl.col("dram_bytes_source") == "counter"
        )  # others may stem from it
        for ours, theirs in roof.select(100 * pl.col("bandwidth_share"), THROUGHPUT).iter_rows():
            yield "bandwidth share, by `gpu__dram_throughput`", ours, theirs, 0.005


def flops_of(launches: pl.DataFrame, taken: Capture) -> Pairs:
    """Tensor FLOPs by opcode beside the operations that were counted."""
    counted = launches.filter(
        pl.col("tensor_flops") > 0, pl.any_horizontal(pl.col(f"flops_{p}_source") == "counter" for p in TENSOR_PATHS)
    )
    told = from_opcodes(counted).filter(pl.col("opcodes:bf16").is_not_null())
    both = told.select(pl.sum_horizontal(f"opcodes:{p}" for p in TENSOR_PATHS), "tensor_flops")
    for ours, theirs in both.iter_rows():
        yield "tensor FLOPs by opcode, by `sm__ops_path_tensor`", ours, theirs, 0.0


CHECKS: tuple[Callable[[pl.DataFrame, Capture], Pairs], ...] = (bytes_of, share_of, flops_of)


def judged(folders: tuple[Path, ...]) -> pl.DataFrame:
    """One row per number that both sides tell: check, file, whether they agree, and by how much they differ."""
    rows = []
    for file in sorted(f for folder in folders if folder.is_dir() for f in folder.glob("*.ncu-rep*")):
        try:
            taken = read(file)
            launches = study(taken).launches
        except RooflineError:
            continue  # a capture that is refused has no number to compare
        for check in CHECKS:
            for name, ours, theirs, allowed in check(launches, taken):
                if ours is not None and theirs:
                    off = abs(ours / theirs - 1)
                    rows.append((name, file.name, off <= allowed, off))
    kinds = {"check": pl.String, "file": pl.String, "agrees": pl.Boolean, "off": pl.Float64}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def page(rows: pl.DataFrame) -> str:
    """The table, and every file in which a check disagrees."""
    by = (
        rows.sort("check")
        .group_by("check", maintain_order=True)
        .agg(
            captures=pl.col("file").n_unique(),
            agree=pl.col("agrees").sum(),
            differ=(~pl.col("agrees")).sum(),
            most=pl.col("off").max(),
        )
    )
    lines = [
        "# Referee",
        "",
        "*Written by `make referee`, over the captures that lie beside the repository.*",
        "",
        "Our numbers beside NVIDIA's in the same reports, launches over 20 µs for bytes and shares.",
        "",
        "| check | captures | agree | differ | largest difference |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {c} | {n} | {yes} | {no} | {100 * most:.2g} % |" for c, n, yes, no, most in by.iter_rows()]
    wrong = (
        rows.filter(~pl.col("agrees")).group_by("check", "file").agg(n=pl.len(), off=pl.col("off").max()).sort("check", "file")
    )
    if wrong.height:
        lines += ["", "Where they differ:", ""]
        lines += [f"- {c}: `{file}`, {n} launches, up to {100 * off:.2g} %" for c, file, n, off in wrong.iter_rows()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    found = judged((*FOLDERS, *map(Path, sys.argv[1:])))
    if found.is_empty():
        sys.exit(f"no report to judge in {', '.join(map(str, FOLDERS))}; name a folder of reports")
    PAGE.write_text(page(found))
    print(PAGE.read_text())
