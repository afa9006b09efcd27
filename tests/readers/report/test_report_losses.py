"""Launches that are lost without breaking the encoding: whatever still shows it is said."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import zstandard

from ncu_roofline.capture.capture import UNKNOWN
from ncu_roofline.capture.names import function_name
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.report import report
from tests.report_bytes import TIMED, block, entry, field, launch, metric, saved, session
from tests.report_bytes import report as whole

NAMES = list(TIMED)
METRICS = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
A, B = (launch(METRICS, kernel=name) for name in "ab")
TOLD = session("ncu --cache-control none ./a.out")


def counted(launches: int, *entries: bytes, stacks: int = 0, names: list[str] | None = None) -> bytes:
    """A block whose header counts as it likes."""
    payload = b"".join(map(entry, entries))
    table = b"".join(field(1, name) for name in names or [])
    header = field(1, 0) + field(2, launches) + field(4, table) + field(5, len(payload)) + field(10, stacks)
    return entry(header) + payload


def notes(folder: Path, *blocks: bytes) -> tuple[str, ...]:
    return report.read(saved(folder, whole(*blocks))).notes


def test_a_report_cut_off_before_its_session_is_known_by_it_and_no_default_is_taken(tmp_path: Path) -> None:
    first, second = block(launches=[A], names=NAMES), block(launches=[B])
    assert notes(tmp_path, first, second, block(session=TOLD)) == ()
    capture = report.read(saved(tmp_path, whole(first, second)))
    assert capture.notes == (
        "The report does not tell how the profiler was called, as one that was cut off after its first launches.",
    )
    assert capture.run.cache_control == UNKNOWN


@pytest.mark.parametrize("count", [0, 1])
def test_a_header_that_counts_fewer_launches_than_the_block_holds_is_said(tmp_path: Path, count: int) -> None:
    first = block(launches=[A], names=NAMES, session=TOLD)
    assert notes(tmp_path, first, counted(count, A, B)) == (
        "A part of the report holds more than the header says: launches may be missing.",
    )
    assert notes(tmp_path, first, counted(2, A, B)) == ()


def test_two_such_parts_are_counted(tmp_path: Path) -> None:
    first = block(launches=[A], names=NAMES, session=TOLD)
    assert notes(tmp_path, first, counted(0, A), counted(1, A, B)) == (
        "2 parts of the report hold more than the header says: launches may be missing.",
    )


def test_a_report_that_ends_with_the_call_stack_of_another_launch_was_cut_off(tmp_path: Path) -> None:
    stack, first = counted(0, b"stack", stacks=1), block(launches=[A], names=NAMES, session=TOLD)
    assert notes(tmp_path, stack, first) == ()
    assert notes(tmp_path, stack, first, stack) == ("The report ends where another launch begins: it was cut off there.",)


@pytest.mark.parametrize(("asked", "said"), [("1", 0), ("2", 0), ("3", 1), ("x", 0), ("9" * 5000, 0)])
def test_fewer_launches_than_were_asked_for_are_said(tmp_path: Path, asked: str, said: int) -> None:
    told = session(f"ncu --launch-count {asked} ./a.out")
    found = notes(tmp_path, block(launches=[A, B], names=NAMES, session=told))
    assert len(found) == said
    assert all("3 launches were asked for (--launch-count) and 2 are in the report" in note for note in found)


def test_all_that_a_broken_stream_holds_is_read(tmp_path: Path) -> None:
    blocks = [block(launches=[launch(METRICS, kernel=f"k{n}")]) for n in range(2000)]
    packed = zstandard.compress(whole(block(launches=[A], names=NAMES, session=TOLD), *blocks))
    capture = report.read(saved(tmp_path, packed[: len(packed) * 3 // 4], "cut.ncu-repz"))
    assert 0 < capture.launches.height < 2001
    assert ["stream is damaged or cut off" in note for note in capture.notes] == [True]
    with pytest.raises(UnreadableCapture, match="damaged or cut off in its first bytes"):
        report.read(saved(tmp_path, packed[:30], "cut.ncu-repz"))


def test_a_stream_whose_last_frame_never_ends_is_said(tmp_path: Path) -> None:
    content = whole(block(launches=[A], names=NAMES, session=TOLD))
    # a frame of one raw block that is not its last: all bytes are there, the end is not
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + struct.pack("<I", len(content) << 3)[:3] + content
    capture = report.read(saved(tmp_path, frame, "open.ncu-repz"))
    assert capture.launches.height == 1
    assert ["cut off" in note for note in capture.notes] == [True]


@pytest.mark.parametrize("word", ["<unnamed-", "a", "\x001\x00", "(", "operator", "\n()"])
def test_a_name_of_a_megabyte_takes_no_longer_than_its_length(word: str) -> None:
    function_name(word * (1_000_000 // len(word)))  # the first took a minute, the second ten seconds, the third was an error
