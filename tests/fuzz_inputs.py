"""Damage done to every kind of input, seeded; what reading gives is counted, any foreign exception is told.

python -m tests.fuzz_inputs --runs 10000
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl

from ncu_roofline.errors import RooflineError
from ncu_roofline.knowledge.kernels.roles import load_rules
from ncu_roofline.knowledge.models.models import load
from ncu_roofline.readers import read, saved
from tests.report_bytes import varied

LONGEST = 10.0
DEMO = Path(__file__).parent.parent / "fixtures" / "synthetic" / "demo.raw.csv"
CONFIG = b'{"model_type": "llama", "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}'
RULES = b'[[rule]]\nrole = "fc"\nname = "gemm.*"\n'
WORDS = (b"\0", b'"', b",", b"\r", b"\n", b"=", b"nan", b"1e308", b"-1", b"9" * 400, b"\xff\xfe", b"[" * 200, b"\x1b[31m")


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The content with one to four bits turned, cuts, repeats or strange words."""
    made = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(made) or 1)
        match dice.randrange(4):
            case 0 if made:
                made[at] ^= 1 << dice.randrange(8)
            case 1:
                del made[at : None if dice.random() < 0.3 else at + dice.randrange(1, 40)]
            case 2:
                made[at:at] = made[at : at + dice.randrange(1, 400)]
            case _:
                made[at:at] = dice.choice(WORDS)
    return bytes(made)


def seeds(folder: Path) -> dict[str, tuple[bytes, Callable[[Path], object]]]:
    """A whole input of each kind, by the end of its name, and what reads it."""
    (folder / "seed.ncu-rep").write_bytes(varied())
    parquet = saved.packed(read(folder / "seed.ncu-rep"))
    return {
        "report.ncu-rep": (varied(), read),
        "export.csv": (DEMO.read_bytes(), read),
        "saved.parquet": (parquet, read),
        "config.json": (CONFIG, load),
        "rules.toml": (RULES, load_rules),
    }


def outcome(path: Path, reading: Callable[[Path], object]) -> str:
    """`read`, `refused`, or the foreign exception's name and place."""
    began = time.process_time()
    try:
        reading(path)
        said = "read"
    except RooflineError:
        said = "refused"
    except (Exception, pl.exceptions.PanicException) as error:
        said = f"FOREIGN {type(error).__name__}: {str(error)[:100]!r}"
    return said if time.process_time() - began < LONGEST else f"HANG {said}"


def main() -> None:
    """Count outcomes of so many damaged inputs, and end with 1 where any was foreign."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    dice, counted = random.Random(chosen.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        kinds = seeds(Path(name))
        for run in range(chosen.runs):
            kind = list(kinds)[run % len(kinds)]
            content, reading = kinds[kind]
            path = Path(name, kind)
            path.write_bytes(damaged(content, dice))
            counted[f"{kind}: {outcome(path, reading)}"] += 1
    print(f"Damaged inputs, counted by what reading gave (`make fuzz`, {chosen.runs:,} runs, seed {chosen.seed}).")
    print(*(f"  {said} {count}" for said, count in sorted(counted.items())), sep="\n")
    raise SystemExit(any("FOREIGN" in said or "HANG" in said for said in counted))


if __name__ == "__main__":
    main()
