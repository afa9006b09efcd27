"""Damage done to every kind of input, seeded; what reading gives is counted, and every silent loss and foreign exception told.

python -m tests.fuzz_inputs --runs 10000

A loss is silent where launches that the damage left whole are missing, or others stand in their place, and no note says so.
What should be there is counted apart from the readers: by the ends of blocks, and by lines.
"""

from __future__ import annotations

import argparse
import gzip
import random
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ncu_roofline.analysis.timeline.gaps import gaps
from ncu_roofline.analysis.timeline.steps import stepped
from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import RooflineError
from ncu_roofline.knowledge.kernels.roles import load_rules
from ncu_roofline.knowledge.models.models import load
from ncu_roofline.readers import archive, read, saved
from ncu_roofline.readers.timeline.timeline import read as read_timeline
from tests.generator.timelines import timeline, write_kineto, write_nsys
from tests.report_bytes import TIMED, block, entry, field, launch, metric, report, session, varied

LONGEST = 10.0
DEMO = Path(__file__).parent.parent / "fixtures" / "synthetic" / "demo.raw.csv"
CONFIG = b'{"model_type": "llama", "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100}'
RULES = b'[[rule]]\nid = "mine"\nrole = "fc"\nname = "gemm.*"\nover = ["norm"]\nwhy = "a reason"\n'
TRACE = (
    b"Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Device,Strm,Name\n"
    b'10,5,1,2,1,1,32,1,1,NVIDIA H100 (0),7,"gemm<1, 2>"\n20,3,2,,,,,,,NVIDIA H100 (0),7,[CUDA memset]\n'
)
WORDS = (b"\0", b'"', b",", b"\r", b"\n", b"=", b"nan", b"1e308", b"-1", b"9" * 400, b"\xff\xfe", b"[" * 200, b"\x1b[31m")
LIES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF)
NAMES = [*TIMED, "dram__bytes_read.sum"]
LAUNCHES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A whole input: its name, its bytes, what reads it, and how it is damaged so that its launches can be counted."""

    name: str
    content: bytes
    reading: Callable[[Path], object]
    losses: Callable[[random.Random], tuple[bytes, int]] | None = None
    """Damaged bytes, and the launches that must be read or said to be missing."""


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The content with one to four bits turned, cuts, repeats, lies or strange words."""
    made = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(made) or 1)
        match dice.randrange(5):
            case 0 if made:
                made[at] ^= 1 << dice.randrange(8)
            case 1:
                del made[at : None if dice.random() < 0.3 else at + dice.randrange(1, 40)]
            case 2:
                made[at:at] = made[at : at + dice.randrange(1, 400)]
            case 3:
                made[at : at + 4] = struct.pack("<I", dice.choice(LIES))
            case _:
                made[at:at] = dice.choice(WORDS)
    return bytes(made)


def parts() -> list[bytes]:
    """The blocks of a report in the order in which the profiler writes them: names, first launch, session, launches."""
    metrics = b"".join(metric(n, v) for n, v in enumerate([*TIMED.values(), 64.0]))
    made = [block(launches=[launch(metrics, kernel=f"kernel_{n}")], names=[] if n else NAMES) for n in range(LAUNCHES)]
    return [made[0], block(session=session(f"ncu --launch-count {LAUNCHES} ./app")), *made[1:]]


def report_losses(dice: random.Random) -> tuple[bytes, int]:
    """A report that lacks its end, a count, a block or a piece of one: LAUNCHES were made, however few are left."""
    blocks = parts()
    match dice.randrange(5):
        case 0:  # cut between two blocks
            blocks = blocks[: dice.randrange(1, len(blocks))]
        case 1:  # cut anywhere
            return report(*blocks)[: dice.randrange(16, len(report(*blocks)))], LAUNCHES
        case 2:  # a header that counts too few
            at = dice.choice([n for n in range(len(blocks)) if n != 1])
            blocks[at] = uncounted(blocks[at])
        case 3:  # a block that is gone
            del blocks[dice.randrange(1, len(blocks))]
        case _:  # a launch whose bytes were overwritten
            at = dice.randrange(2, len(blocks))
            made = bytearray(blocks[at])
            start = 4 + struct.unpack_from("<I", made)[0] + 4
            made[start : start + 40] = bytes(dice.randrange(256) for _ in range(40))
            blocks[at] = bytes(made)
    return report(*blocks), LAUNCHES


def uncounted(content: bytes) -> bytes:
    """A block of one launch whose header says that there is none."""
    size = struct.unpack_from("<I", content)[0]
    return entry(content[4 : 4 + size].replace(field(2, 1), field(2, 0), 1)) + content[4 + size :]


def table_losses(dice: random.Random) -> tuple[bytes, int]:
    """An export that lacks rows, or the end of its last one: every row of the whole file is a launch."""
    lines = DEMO.read_bytes().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith(b'"ID"')) + 2
    rows = [n for n, line in enumerate(lines) if n >= first and line.startswith(b'"')]
    if dice.random() < 0.5:  # rows taken out of the middle
        for gone in sorted(dice.sample(rows[1:-1], dice.randrange(1, 4)), reverse=True):
            del lines[gone]
        return b"".join(lines), len(rows)
    whole = b"".join(lines[: rows[-1] + 1])
    end = len(b"".join(lines[: rows[-1]]))
    return whole[: dice.randrange(end + 1, len(whole) - 2)], len(rows)


def packed(content: bytes) -> bytes:
    """As a compressed report."""
    import zstandard

    return zstandard.compress(content)


def archived(path: Path) -> object:
    """A damaged capture as the second file of an archive: listed, then read whole."""
    return archive.read(path.parent.parent.parent)


def seeds(folder: Path) -> Iterator[Seed]:
    """A whole input of each kind."""
    (folder / "seed.ncu-rep").write_bytes(varied())
    capture = read(folder / "seed.ncu-rep")
    place = folder / "archive" / "device=x" / "label=all"
    place.mkdir(parents=True)
    stored = saved.packed(archive.archived(capture))
    (place / "whole.parquet").write_bytes(stored)
    yield Seed(name="report.ncu-rep", content=varied(), reading=read, losses=report_losses)
    yield Seed(name="report.ncu-repz", content=packed(varied(60)), reading=read)
    yield Seed(name="export.csv", content=DEMO.read_bytes(), reading=read, losses=table_losses)
    yield Seed(name="export.csv.gz", content=gzip.compress(DEMO.read_bytes(), mtime=0), reading=read)
    yield Seed(name="saved.parquet", content=saved.packed(capture), reading=read)
    yield Seed(name="archive/device=x/label=all/part.parquet", content=stored, reading=archived)
    yield Seed(name="config.json", content=CONFIG, reading=load)
    yield Seed(name="rules.toml", content=RULES, reading=load_rules)
    made = timeline(2, "plain")
    yield Seed(name="trace.json", content=write_kineto(made, folder / "seed.json").read_bytes(), reading=followed)
    yield Seed(name="trace.sqlite", content=write_nsys(made, folder / "seed.sqlite").read_bytes(), reading=followed)
    yield Seed(name="trace.csv", content=TRACE, reading=followed)


def followed(path: Path) -> object:
    """The steps and gaps of a timeline."""
    return gaps(stepped(read_timeline(path)))


def outcome(path: Path, reading: Callable[[Path], object], expected: int | None = None) -> str:
    """`read`, `noted`, `refused`, `SILENT`, or the foreign exception's name and place."""
    began = time.process_time()
    try:
        found = reading(path)
        said = "read"
        if isinstance(found, Capture) and found.notes:
            said = "noted"
        elif isinstance(found, Capture) and expected is not None and found.launches.height != expected:
            said = f"SILENT loss of {expected - found.launches.height}"
    except RooflineError:
        said = "refused"
    except (Exception, pl.exceptions.PanicException) as error:
        said = f"FOREIGN {type(error).__name__}: {str(error)[:100]!r}"
    return said if time.process_time() - began < LONGEST else f"HANG {said}"


def count(runs: int, seed: int) -> Counter[str]:
    """Outcomes of so many damaged inputs, each kind in turn; a third of those that can be counted are."""
    dice, counted = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        kinds = list(seeds(Path(name)))
        for run in range(runs):
            kind = kinds[run % len(kinds)]
            path = Path(name, kind.name)
            expected: int | None = None
            if kind.losses and dice.random() < 0.5:
                content, expected = kind.losses(dice)
            else:
                content = damaged(kind.content, dice)
            path.write_bytes(content)
            how = "damaged" if expected is None else "with launches missing"
            counted[f"{Path(kind.name).name} {how}: {outcome(path, kind.reading, expected)}"] += 1
            with suppress(FileNotFoundError):
                path.unlink()
    return counted


def bad(said: str) -> bool:
    """Whether an outcome is one that must not be."""
    return any(word in said for word in ("FOREIGN", "HANG", "SILENT"))


def main() -> None:
    """Count outcomes of so many damaged inputs, and end with 1 where any was foreign, slow or silent."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    counted = count(chosen.runs, chosen.seed)
    print(f"Damaged inputs, counted by what reading gave (`make fuzz`, {chosen.runs:,} runs, seed {chosen.seed}).")
    print(
        "Read: all of it. Noted: a part, and a sentence on the rest. Refused: one sentence. Silent: launches lost without one."
    )
    print(*(f"  {said} {number}" for said, number in sorted(counted.items())), sep="\n")
    print(
        f"Foreign exceptions, hangs over {LONGEST:.0f} s, silent losses: {sum(n for said, n in counted.items() if bad(said))}"
    )
    raise SystemExit(any(map(bad, counted)))


if __name__ == "__main__":
    main()
