"""Launches decoded by what was learned from others: exactly what decoding them one by one gives."""

from __future__ import annotations

import random

from ncu_roofline.readers.report.launches import row
from ncu_roofline.readers.report.layouts import Layouts
from ncu_roofline.readers.report.plan import FIXED, Plan, plan
from ncu_roofline.readers.report.wire import BROKEN
from tests.report_bytes import field, launch, metric

NAMES = ["seconds", "bytes", "unused", "opcodes"]
WANTED = plan(NAMES, {"seconds": FIXED, "bytes": FIXED + 1, "opcodes": FIXED + 2}, ["opcodes"])


def made(seconds: float, count: int, kernel: str = "k", layer: int = 0, other: float = 0.5) -> bytes:
    ranges = field(2, field(1, 0) + field(3, field(1, f"layer.{layer}")))
    nvtx = field(21, field(2, field(1, 77) + ranges))
    metrics = metric(0, seconds) + metric(1, count) + metric(2, other) + metric(3, 3, {"FFMA": 2, "HMMA": 1})
    return launch(metrics, kernel=kernel, more=nvtx + field(17, b"rule" * 3))


def outcome(data: bytes, by: Layouts | None, wanted: Plan = WANTED) -> str:
    """The row, or that there is none."""
    try:
        return repr(by.row(data, wanted) if by else row(data, wanted))
    except BROKEN:
        return "damaged"


def test_numbers_names_and_ranges_of_alike_launches_are_their_own() -> None:
    by = Layouts(WANTED)
    rows = [by.row(made(n / 2, 300 + n, "kj"[n % 2], n % 3, n * 0.1), WANTED) for n in range(60)]
    assert [r[FIXED] for r in rows] == [n / 2 for n in range(60)]
    assert [r[FIXED + 1] for r in rows] == [300 + n for n in range(60)]
    assert [r[1] for r in rows] == ["k", "j"] * 30
    assert [r[5] for r in rows] == [[f"layer.{n % 3}"] for n in range(60)]
    assert by.used > by.learned  # most of them in one step


def test_whole_numbers_of_other_lengths_are_read_too() -> None:
    by, counts = Layouts(WANTED), [0, 127, 128, 16_383, 16_384, 2**35, 2**64 - 1, 5, 300, 2**35 + 1]
    assert [by.row(made(1.0, count), WANTED)[FIXED + 1] for count in counts * 3] == counts * 3


def test_damaged_launches_give_what_they_give_alone() -> None:
    dice, by = random.Random(5), Layouts(WANTED)
    for _ in range(3):
        outcome(made(1.0, 300), by)
    for n in range(3000):
        data = bytearray(made(float(n), 300 + n % 50, layer=n % 10))
        for _ in range(dice.choice((0, 1, 1, 2))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        assert outcome(bytes(data), by) == outcome(bytes(data), None)
