"""Times the summary and the chart of an archive of a million launches: `python -m bench.archive [FOLDER]`."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl

from bench.stopwatch import command
from ncu_roofline.readers import archive, saved
from tests.synthetic import capture

CAPTURES, STEPS = 100, 25
ROUNDS = 3


def build(folder: Path) -> int:
    """An archive of synthetic captures, each the same steps over and over, with noise of its own."""
    launches = 0
    for number in range(CAPTURES):
        one = capture(batch=8, layers=32, noise=0.01, seed=number)
        long = pl.concat([one.launches] * STEPS).with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))
        named = replace(one, launches=long, name=f"synthetic {number}")
        place = folder / "device=H100" / "label=bench" / f"{number:032x}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(saved.packed(archive.archived(named)))
        launches += long.height
    return launches


def main() -> None:
    """Builds the archive and prints what it took."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(made)
        launches = build(folder)
        spec = Path(made) / "roofline.json"
        print(f"{launches:,} launches in {CAPTURES} captures")
        print(f"summary   {command('summary', str(folder)):.2f} s")
        print(f"roles     {command('roles', str(folder)):.2f} s")
        print(f"plot spec {command('plot', str(folder), '-o', str(spec), '--force'):.2f} s, {spec.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
