"""NVIDIA's reader as a choice: what it takes, and what it says when it cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import vendor
from ncu_roofline.readers.report import report
from tests.report_bytes import report as whole
from tests.report_bytes import saved, simple
from tests.synthetic import Plan
from tests.synthetic.report import write_report


def test_without_nvidias_package_a_sentence_names_both_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ncu_report", None)
    with pytest.raises(UnreadableCapture, match=r"pip install ncu-report.*reader=native"):
        vendor.read(saved(tmp_path, simple()))


def test_a_file_that_the_vendor_reads_as_nothing_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ncu_report", reason="NVIDIA's reader is not installed")
    for content, sentence in ((b"", "an empty file"), (b"some text\n", "text where"), (whole(), "finds no kernel")):
        with pytest.raises(UnreadableCapture, match=sentence):
            vendor.read(saved(tmp_path, content))


def test_a_written_report_is_the_same_to_both_readers(tmp_path: Path) -> None:
    pytest.importorskip("ncu_report", reason="NVIDIA's reader is not installed")
    path = write_report(tmp_path / "decode.ncu-rep", Plan(batch=2))
    ours, theirs = report.read(path, metrics=["*"]), vendor.read(path, metrics=["*"])
    assert_frame_equal(ours.launches.drop("process"), theirs.launches.drop("process"), check_exact=True)
    assert ours.device == theirs.device
    assert len(ours.launches) > 100


def test_a_report_that_aborts_nvidias_reader_is_one_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ncu_report.py").write_text("import os\ndef load_report(path): os.abort()\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnreadableCapture, match=r"r\.ncu-rep: NVIDIA's reader broke off on it"):
        vendor.apart(saved(tmp_path, simple()))


def test_a_process_of_its_own_gives_the_same_capture_and_the_same_refusal(tmp_path: Path) -> None:
    pytest.importorskip("ncu_report", reason="NVIDIA's reader is not installed")
    path = write_report(tmp_path / "decode.ncu-rep", Plan(batch=2))
    apart, here = vendor.apart(path, metrics=["*"]), vendor.read(path, metrics=["*"])
    assert_frame_equal(apart.launches, here.launches, check_exact=True)
    assert (apart.device, apart.notes, apart.name) == (here.device, here.notes, here.name)
    with pytest.raises(UnreadableCapture, match="finds no kernel"):
        vendor.apart(saved(tmp_path, whole()))
