"""The project's own reader of reports against NVIDIA's, on every public report, bit for bit."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from polars.testing import assert_frame_equal

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import rows, vendor
from ncu_roofline.readers.report import container, recognise, report
from ncu_roofline.readers.report.wire import DamagedError, message, part, text
from tests.corpus import CORPUS, actions, files, needs_corpus
from tests.every_metric import every_metric

ncu_report = pytest.importorskip("ncu_report", reason="NVIDIA's reader is not installed")

READABLE = [file for file in files("rep") if actions(file)]
DAMAGED = [file for file in files("rep") if not actions(file)]

pytestmark = needs_corpus


def bits(value: Any) -> Any:
    """A value that compares by type and bits: not-a-number equals itself, 1 does not equal 1.0."""
    return struct.pack("<d", value) if isinstance(value, float) else value


def launches_of_vendor(path: Path) -> Iterator[Any]:
    for whole in ncu_report.load_report(str(path)):
        yield from whole


@pytest.mark.slow  # every metric of 36 public reports, read by NVIDIA's reader too
@pytest.mark.parametrize("file", READABLE)
def test_every_metric_equals_the_vendors(file: str) -> None:
    ours = every_metric(CORPUS / file)
    for known, action in zip(ours, launches_of_vendor(CORPUS / file), strict=True):
        found = {name: (bits(value), listed) for name, (value, listed) in known.items() if name in action}
        expected = {
            name: (bits(vendor.value(metric)), vendor.instances(metric))
            for name, metric in ((name, action[name]) for name in action)
        }
        assert {n: (v, _pairs(i)) for n, (v, i) in found.items()} == {n: (v, _pairs(i)) for n, (v, i) in expected.items()}
        absent = set(known) - set(found)
        assert not [name for name in absent if known[name] != (None, None)]


def _pairs(instances: list[tuple[Any, Any]] | None) -> list[tuple[Any, Any]] | None:
    return None if instances is None else [(bits(opcode), bits(count)) for opcode, count in instances]


@pytest.mark.slow
@pytest.mark.parametrize("file", READABLE)
def test_the_capture_with_every_counter_equals_the_vendors(file: str) -> None:
    ours = report.read(CORPUS / file, metrics=["*"])
    theirs = vendor.read(CORPUS / file, metrics=["*"])
    assert len(ours.launches) == actions(file)
    # only the file itself knows the process
    assert_frame_equal(ours.launches.drop("process"), theirs.launches.drop("process"), check_exact=True)
    # NVIDIA's reader does not say that a session lacks its command line
    assert (ours.device, [n for n in ours.notes if "how the profiler was called" not in n]) == (theirs.device, [*theirs.notes])
    assert ours.launches["process"].null_count() == 0


@pytest.mark.parametrize("file", DAMAGED)
def test_a_damaged_report_is_refused_with_one_sentence(file: str) -> None:
    for reader in (report, vendor):
        with pytest.raises(UnreadableCapture, match="unfinished Nsight Compute report"):
            reader.read(CORPUS / file)


def test_times_are_exactly_the_metrics_that_the_vendor_gives_in_nanoseconds() -> None:
    units = {name: action[name].unit() for file in READABLE for action in launches_of_vendor(CORPUS / file) for name in action}
    in_ns = {name for name, unit in units.items() if unit == "ns"}
    assert rows.times(units) == in_ns
    assert len(in_ns) >= 5
    # no other scaled unit: everything else is in base units already
    assert not {unit for unit in units.values() if re.match(r"[mu]s|[kKMG]?(hz|byte)", unit)} - {
        "hz",
        "byte",
        "byte/s",
        "byte/block",
        "byte/cycle",
        "byte/sector",
    }


@pytest.mark.parametrize("file", READABLE)
def test_the_protocol_is_known_wherever_the_command_line_is(file: str) -> None:
    run = report.read(CORPUS / file).run
    assert run.profiler_version.value
    assert run.cuda_version.value
    if any(number == 11 for session in sessions(CORPUS / file) for number, _ in message(session)):
        assert run.cache_control.value == "all"
        assert run.clock_control.value in ("base", "boost")
        assert run.replay_mode.value in ("kernel", "application")
        assert run.metric_set.value
        assert run.graph_profiling.value == "node"
    else:
        assert run.cache_control.value is None
        assert run.clock_control.value is None


def sessions(path: Path) -> list[bytes]:
    with recognise.opened(path) as (file, size, _):
        return container.head(file, size).sessions


PRIVATE = {3: "host", 4: "host", 9: "process"}


def private_words(path: Path) -> set[str]:
    """Every text of a report's host and process details, and the words of its command line with a path."""
    words: set[str] = set()
    for session in sessions(path):
        for number, content in message(session):
            if number in PRIVATE:
                words |= set(texts(part(content)))
            if number == 11:
                words |= {word for word in text(content).split() if re.search(r"[/\\]", word)}
    # architecture, system and NVTX filters ("Fused-GEMM/") name nobody
    public = {"x86_64", "x64", "aarch64", "ARM64", "Linux", "Unknown"}
    return {w for w in words if len(w) > 3 and w not in public and not re.fullmatch(r"[\w-]+/", w)}


def texts(data: bytes) -> Iterator[str]:
    if data.isascii() and data.decode().isprintable():
        yield data.decode()
        return
    try:
        for _, content in message(data):
            if isinstance(content, bytes):
                yield from texts(content)
    except (DamagedError, IndexError):
        return


@pytest.mark.parametrize("file", READABLE)
def test_nothing_private_leaves_the_reader(file: str) -> None:
    capture = report.read(CORPUS / file)
    told = repr((capture.run, capture.device, capture.notes)) + capture.launches.write_json()
    private = private_words(CORPUS / file)
    assert len(private) >= 3
    assert not [word for word in private if word in told]


@pytest.mark.parametrize("file", READABLE[::9])
def test_a_compressed_report_gives_the_same_capture_to_both_readers(file: str, tmp_path: Path) -> None:
    packed = tmp_path / "packed.ncu-repz"
    packed.write_bytes(zstandard.compress((CORPUS / file).read_bytes()))
    plain = report.read(CORPUS / file)
    assert_frame_equal(report.read(packed).launches, plain.launches, check_exact=True)
    assert_frame_equal(vendor.read(packed).launches.drop("process"), plain.launches.drop("process"), check_exact=True)
    assert report.read(packed).run == plain.run
