"""DamagedError and hostile reports: the readable part with a note, or one sentence; never more than that."""

from __future__ import annotations

import errno
import io
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.report import recognise, report
from tests.fuzz_report import LIES, damage, outcome
from tests.report_bytes import TIMED, block, entry, field, launch, metric, saved, value, varied
from tests.report_bytes import report as whole
from tests.synthetic.wire import varint

MEGABYTE = 1 << 20
NAMES = list(TIMED)
METRICS = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
OPCODES = "sass__inst_executed_per_opcode_with_modifier_all"


def test_cuts_flips_and_lying_sizes_are_survived(tmp_path: Path) -> None:
    counted = damage(varied(), cut=300, flip=2_000, seed=1, folder=tmp_path)
    # nine blocks make ten boundaries; a cut at one of the seven after a launch looks like a whole report
    assert counted["cut: read"] == 7
    assert counted["cut: partly"] + counted["cut: refused"] == 3 + 300
    assert counted["flip: read"] + counted["flip: partly"] + counted["flip: refused"] == 2_000
    assert counted["lie: partly"] > 0
    assert counted.total() == 310 + 2_000 + 11 * len(LIES)


def test_every_launch_before_a_cut_is_read(tmp_path: Path) -> None:
    content = varied(launches=6)
    whole_frame = report.read(saved(tmp_path, content)).launches
    seen = set()
    for place in range(0, len(content), 97):
        try:
            frame = report.read(saved(tmp_path, content[:place])).launches
        except UnreadableCapture:
            continue
        seen.add(len(frame))
        assert frame.equals(whole_frame.head(len(frame)))
    assert seen == {1, 2, 3, 4, 5, 6}


@settings(max_examples=150)
@given(st.binary(max_size=400), st.integers(0, 2**32 - 1))
def test_any_bytes_after_the_magic_are_survived(tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int) -> None:
    path = tmp_path_factory.getbasetemp() / "any.ncu-rep"
    outcome(path, b"NVR\0" + content)
    outcome(path, whole(content))
    outcome(path, whole(size.to_bytes(4, "little") + content))
    outcome(path, whole(block(launches=[content or b"x", launch(METRICS)], names=NAMES, session=content)))


MESSAGES = st.recursive(
    st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=20), st.text(max_size=10)),
    lambda inner: st.lists(st.tuples(st.integers(1, 40), inner), max_size=6).map(
        lambda fields: b"".join(field(number, content) for number, content in fields)
    ),
    max_leaves=40,
)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from([1, 5, 6, 7, 10, 11, 13, 17, 21, 40]), MESSAGES), max_size=12))
def test_any_well_formed_fields_of_a_launch_are_survived(
    tmp_path_factory: pytest.TempPathFactory, fields: list[tuple[int, int | bytes | str]]
) -> None:
    odd = b"".join(field(number, content) for number, content in fields)
    path = tmp_path_factory.getbasetemp() / "odd.ncu-rep"
    content = whole(block(launches=[launch(METRICS + odd), launch(METRICS)], names=NAMES))
    assert outcome(path, content) in ("read", "partly")


def test_a_negative_payload_size_is_a_cut(tmp_path: Path) -> None:
    header = field(1, 0) + field(2, 1) + field(5, 2**64 - 1) + field(6, b"")
    content = whole(block(launches=[launch(METRICS)], names=NAMES), entry(header))
    capture = report.read(saved(tmp_path, content))
    assert len(capture.launches) == 1
    assert "cut off at byte" in capture.notes[0]


def nested(depth: int) -> bytes:
    """A message inside a message, many times over."""
    content, dice = b"", random.Random(3)
    for _ in range(depth):
        content = field(dice.choice((2, 3)), content)
    return content


@pytest.mark.parametrize("number", [10, 13, 17, 21])
def test_deep_nesting_is_not_followed(tmp_path: Path, number: int) -> None:
    odd = launch(METRICS + field(number, nested(3_000)))
    assert outcome(tmp_path / "deep.ncu-rep", whole(block(launches=[odd, launch(METRICS)], names=NAMES))) != "refused"


# memory: 256 MB + twice the file, in a process of its own


def many(content: bytes, size: int = 8 * MEGABYTE) -> bytes:
    """As many copies as fill the size."""
    return content * (size // len(content))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "tiny launches": lambda: _block(many(entry(field(6, "k"))), results=1 << 20),
    "short names": lambda: whole(block(launches=[launch(METRICS)], names=NAMES), _table(many(field(1, "é")))),
    "instances": lambda: whole(block(launches=[launch(METRICS + field(13, _opcodes()))], names=[*NAMES, OPCODES])),
    "ranges": lambda: whole(
        block(launches=[launch(METRICS, more=field(21, field(2, field(2, many(field(3, field(1, "a")))))))], names=NAMES)
    ),
    "empty metrics": lambda: whole(block(launches=[launch(many(field(13, field(1, 0))))], names=NAMES)),
    "sessions": lambda: whole(*(block(session=field(11, f"ncu -k {n}")) for n in range(60_000))),
    "zeros": lambda: b"NVR\0" + bytes(8 * MEGABYTE),
    "empty blocks": lambda: whole(many(entry(field(5, 0)))),
    "empty entries": lambda: _block(bytes(8 * MEGABYTE), results=1 << 40),
    "one-byte entries": lambda: _block(many(entry(b"\x08")), results=1 << 40),
    "a huge launch": lambda: _block(entry(field(6, b"k" * 8 * MEGABYTE)), results=1),
}


def _block(payload: bytes, *, results: int) -> bytes:
    names = field(4, b"".join(field(1, name) for name in NAMES))
    return whole(entry(field(2, results) + names + field(5, len(payload)) + field(6, b"")) + payload)


def _table(names: bytes) -> bytes:
    return entry(field(4, names) + field(5, 0))


def _opcodes() -> bytes:
    pairs = b"".join(field(3, field(1, value(f"{n:x}")) + field(2, value(1))) for n in range(400_000))
    return varint(1 << 3) + varint(len(NAMES)) + pairs


MEASURE = """
import resource, sys
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.report import report
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    report.read(sys.argv[1])
except UnreadableCapture as refusal:
    assert "\\n" not in str(refusal)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow  # a process each
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_reports_stay_within_their_memory(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, HOSTILE[name]())
    ran = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 256 * MEGABYTE + 2 * path.stat().st_size


def test_a_full_disk_under_temporary_files_is_said_though_closing_one_fails_as_well(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            if not self.closed:
                super().close()
                raise OSError(errno.ENOSPC, "No space left on device")

    packed = Path(__file__).parents[3] / "fixtures" / "synthetic" / "dense-b8.ncu-repz"
    with (
        pytest.raises(UnreadableCapture, match=r"cannot be unpacked \(No space left on device\); make room in"),
        packed.open("rb") as file,
        Full() as target,
    ):
        recognise.unpack(file, target, packed)
