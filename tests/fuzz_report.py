"""Damage done to reports, and what must hold afterwards; as a program, the long form of the fuzz test.

python -m tests.fuzz_report --cuts 1000 --flips 10000 [REPORT ...]
"""

from __future__ import annotations

import argparse
import random
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.report import container, report

LONGEST = 20.0
"""Seconds that one damaged report of some megabytes may take."""

LIES = (0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def outcome(path: Path, content: bytes) -> str:
    """What reading gives: `read`, `partly` (with a note) or `refused` (with one sentence)."""
    path.write_bytes(content)
    began = time.monotonic()
    try:
        capture = report.read(path)
    except UnreadableCapture as refusal:
        sentence = str(refusal)
        assert sentence.startswith(f"{path.name}: "), sentence
        assert "\n" not in sentence, sentence
        return "refused"
    finally:
        assert time.monotonic() - began < LONGEST, "reading took too long"
    assert len(capture.launches) > 0
    assert capture.launches["kernel"].null_count() == 0
    return "partly" if capture.notes else "read"


def boundaries(content: bytes, folder: Path) -> list[int]:
    """Where the blocks of a report begin and where the last one ends."""
    path = folder / "whole.ncu-rep"
    path.write_bytes(content)
    with path.open("rb", buffering=0) as file:
        found = list(container.blocks(file, len(content)))
    return [8 + struct.unpack_from("<I", content, 4)[0], *(block.end for block, _ in found)]


def cuts(content: bytes, places: list[int], number: int, dice: random.Random) -> Iterator[bytes]:
    """The report cut off at these places and at as many random ones as asked for."""
    yield from (content[:place] for place in places)
    yield from (content[: dice.randrange(len(content))] for _ in range(number))


def flips(content: bytes, number: int, dice: random.Random) -> Iterator[bytes]:
    """The report with one to eight bits turned over, as often as asked for."""
    for _ in range(number):
        damaged = bytearray(content)
        for _ in range(dice.choice((1, 1, 1, 2, 8))):
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        yield bytes(damaged)


def lies(content: bytes, places: list[int]) -> Iterator[bytes]:
    """The report with a false size before each of its blocks and in its file header."""
    for place in [4, *places]:
        for lie in LIES:
            yield content[:place] + struct.pack("<I", lie) + content[place + 4 :]


def damage(content: bytes, *, cut: int, flip: int, seed: int, folder: Path) -> Counter[str]:
    """Outcomes of every kind of damage to this report, counted."""
    dice = random.Random(seed)
    places = boundaries(content, folder)
    path = folder / "damaged.ncu-rep"
    counted: Counter[str] = Counter()
    for kind, damaged in (
        ("cut", cuts(content, places, cut, dice)),
        ("flip", flips(content, flip, dice)),
        ("lie", lies(content, places)),
    ):
        counted.update(f"{kind}: {outcome(path, each)}" for each in damaged)
    return counted


def main() -> None:
    """Damage the named reports, or a written one, and count what reading them gives."""
    from tests.report_bytes import varied

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("reports", nargs="*", type=Path)
    parser.add_argument("--cuts", type=int, default=1_000)
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    contents = {path.name: path.read_bytes() for path in chosen.reports} or {"written": varied()}
    print("Damaged reports, counted by what reading them gave: all, a part with a note, or a refusal of one sentence.")
    print("A crash, a hang or any other exception would have ended this list (`make fuzz`, seed", f"{chosen.seed}).")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            found = damage(content, cut=chosen.cuts, flip=chosen.flips, seed=chosen.seed, folder=Path(folder))
            print(name, *(f"{kind} {count}" for kind, count in sorted(found.items())), sep="\n  ")


if __name__ == "__main__":
    main()
