"""How long whole commands take, each in a process of its own, the best of some: `python -m bench.commands`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from bench.readers import grown
from bench.stopwatch import best, command
from ncu_roofline.api import read
from ncu_roofline.knowledge.kernels.roles import classify_names, load_rules

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
TWENTY = "*lfm2.5*R_decode_c1_out2k__ncu.ncu-rep"
LONG = "*vllm_26b_bf16_d128_g16_ncu_range.csv"
TIMES = 500


def main() -> None:
    """One line per command."""
    small, long = next(CORPUS.rglob(TWENTY)), next(CORPUS.rglob(LONG))
    print(f"--help                           {command('--help'):6.2f} s")
    print(f"summary, report of 20 launches   {command('summary', str(small)):6.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        large, out = Path(folder) / "large.ncu-rep", Path(folder) / "out"
        grown(small, large, TIMES * small.stat().st_size)
        print(f"summary, 10,000 launches, 1 GB   {command('summary', str(large)):6.2f} s")
        print(f"report,  10,000 launches, 1 GB   {command('report', str(large), '-o', str(out), '--force'):6.2f} s")
        for file in sorted(out.iterdir()):
            print(f"  {file.name:30} {file.stat().st_size / 1e3:6.0f} kB")
    names = read(long).launches["name"].cast(pl.String)
    print(f"roles of {names.len():,} launches        {1e3 * best(lambda: classify_names(names, load_rules())):6.0f} ms")


if __name__ == "__main__":
    main()
