"""Captures that come packed, through a pipe, or alone in a folder are read like any other."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path

import pytest
import zstandard

from ncu_roofline import readers
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import spool
from ncu_roofline.readers.timeline import timeline

CSV = Path("fixtures/synthetic/demo.raw.csv")
REPORT = Path("fixtures/synthetic/demo.ncu-rep")


def test_a_packed_csv_is_read_under_its_own_name(tmp_path: Path) -> None:
    packed = tmp_path / "demo.raw.csv.gz"
    packed.write_bytes(gzip.compress(CSV.read_bytes()))
    found = readers.read(packed)
    assert (found.name, found.launches.height) == ("demo.raw.csv", 51)


def test_a_damaged_packed_file_is_one_sentence(tmp_path: Path) -> None:
    packed = tmp_path / "x.csv.gz"
    packed.write_bytes(gzip.compress(CSV.read_bytes())[:500])
    with pytest.raises(UnreadableCapture, match=r"x\.csv\.gz: a damaged gzip file"):
        readers.read(packed)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(REPORT.read_bytes(),))
    writer.start()
    assert readers.read(pipe).launches.height == 51
    writer.join()


def test_a_minus_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Given:
        buffer = io.BytesIO(REPORT.read_bytes())

    monkeypatch.setattr("sys.stdin", Given())
    assert readers.read("-").name == "standard input"


def test_a_stream_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MOST_BYTES", 10)
    with pytest.raises(UnreadableCapture, match="write it to a file first"):
        spool.copied(io.BytesIO(b"x" * 11), tmp_path / "stream")


def test_a_folder_with_one_capture_is_that_capture(tmp_path: Path) -> None:
    (tmp_path / "a.ncu-rep").write_bytes(REPORT.read_bytes())
    assert readers.read(tmp_path).name == "a.ncu-rep"
    (tmp_path / "b.ncu-rep").write_bytes(REPORT.read_bytes())
    with pytest.raises(UnreadableCapture, match="a folder of captures"):
        readers.read(tmp_path)


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_small_packed_file_may_not_unpack_to_far_more_than_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(spool, "SPARED", 1 << 20)
    pack = gzip.compress if ending == "gz" else zstandard.compress
    bomb, fair = tmp_path / f"bomb.json.{ending}", tmp_path / f"fair.json.{ending}"
    bomb.write_bytes(pack(b'{"traceEvents":[' + b" " * (4 << 20)))
    fair.write_bytes(pack(b'{"traceEvents":[' + b" " * (1 << 19)))
    with pytest.raises(UnreadableCapture, match=f"bomb.json.{ending}: unpacks to more than 1,048,576 bytes"):
        timeline.read(bomb)
    with pytest.raises(UnreadableCapture) as other:
        timeline.read(fair)
    assert "unpacks" not in str(other.value)
