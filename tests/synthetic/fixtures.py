"""Writes fixtures/synthetic anew, bit for bit the same: `python -m tests.synthetic.fixtures`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from tests.synthetic.models import LLAMA_8B_MHA, QWEN3_MOE, Plan
from tests.synthetic.report import write_report
from tests.synthetic.tables import write_raw_csv

FOLDER = Path(__file__).parents[2] / "fixtures" / "synthetic"
DENSE = Plan(batch=8, context=2048, noise=0.01)
MOE = replace(DENSE, model=QWEN3_MOE)
DEMO = replace(DENSE, layers=4, nvtx=True, stray=3)
REPORTS = {
    "demo.ncu-rep": DEMO,
    "dense-b8.ncu-repz": DENSE,
    "dense-b1.ncu-repz": replace(DENSE, batch=1),
    "dense-b32.ncu-repz": replace(DENSE, batch=32),
    "dense-b128.ncu-repz": replace(DENSE, batch=128, context=1024),
    "zeroed-b8.ncu-repz": replace(DENSE, zeroed=True, seed=1),
    "sparse24-b8.ncu-repz": replace(DENSE, weights="sparse24", seed=2),
    "fp8-b8.ncu-repz": replace(DENSE, weights="fp8", seed=3),
    "int4-b8.ncu-repz": replace(DENSE, weights="int4", seed=4),
    "mha-b8.ncu-repz": replace(DENSE, model=LLAMA_8B_MHA, seed=5),
    "kv8-b8.ncu-repz": replace(DENSE, kv_bytes=1, seed=6),
    "moe-b8.ncu-repz": MOE,
    "moe-skip-read-b8.ncu-repz": replace(MOE, skip=0.5, seed=7),
    "moe-skip-b8.ncu-repz": replace(MOE, skip=0.5, skip_reads=False, seed=8),
    "dense-b8-flushed.ncu-repz": replace(DENSE, cache="all", seed=9),
    "dense-b8-basic.ncu-repz": replace(DENSE, counters="basic"),
    "dense-b8-full.ncu-repz": replace(DEMO, counters="full"),
    "prefill-decode.ncu-repz": replace(DENSE, layers=4, prefill=512, context=512, steps=2),
}
"""File name -> plan."""


def build(folder: Path) -> list[Path]:
    """Every fixture, written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    reports = [write_report(folder / name, plan) for name, plan in REPORTS.items()]
    return [*reports, write_raw_csv(folder / "demo.raw.csv", DEMO)]


if __name__ == "__main__":
    for path in build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(f"Wrote {path.name} ({path.stat().st_size:,} bytes)")
