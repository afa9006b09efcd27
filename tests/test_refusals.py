"""What is no capture is refused with one sentence that says what it is and what to do."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
import zstandard

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import read
from ncu_roofline.readers.timeline import timeline
from tests.cli.test_cli import DEMO
from tests.command import run


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"PK\x03\x04" + bytes(30), "a ZIP archive; unpack it"),
        (gzip.compress(b"PK\x03\x04"), "ZIP"),
        (bz2.compress(b"NVR\0"), "bunzip2"),
        (lzma.compress(b"NVR\0"), "unxz"),
        (bytes(100), "no report of Nsight Compute"),
        (b"hello\n" * 9, "no Nsight Compute table in it"),
        (b'{"made_by": "nobody"}', "no Nsight Compute table in it"),
        (b"SQLite format 3\0" + bytes(90), "a timeline, not a capture: .* `ncu-roofline step` reads it"),
        (zstandard.compress(b"SQLite format 3\0" + bytes(90)), "a timeline, not a capture: .* `ncu-roofline step` reads it"),
        (b'{"schemaVersion": 1, "traceEvents": []}', "a timeline, not a capture: .* `ncu-roofline step` reads it"),
        (b"Start (ns),Duration (ns),CorrId\n1,2,3\n", "a timeline, not a capture: .* `ncu-roofline step` reads it"),
    ],
    ids=["empty", "lfs", "zip", "gzip", "bzip2", "xz", "zeros", "text", "json", "sqlite", "zstd", "kineto", "nsys"],
)
def test_what_is_no_capture_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "x").write_bytes(content)

    with pytest.raises(UnreadableCapture, match=f"^x: .*{sentence}"):
        read(tmp_path / "x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_refused_before_anybody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnreadableCapture, match="a pipe that nobody writes to"):
        read(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "nothing*.csv", "nothing.csv"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(UnreadableCapture):
        read(name)


def test_a_report_of_nsight_systems_is_to_be_exported_first(tmp_path: Path) -> None:
    (tmp_path / "x.nsys-rep").write_bytes(b"\1\0" * 50)

    for reads in (read, timeline.read):
        with pytest.raises(UnreadableCapture, match="nsys export --type sqlite"):
            reads(tmp_path / "x.nsys-rep")


@pytest.mark.parametrize("name", ["demo.ncu-rep", "demo.raw.csv", "dense-b8.ncu-repz"])
def test_a_capture_is_no_timeline_and_the_command_that_reads_it_is_named(name: str) -> None:
    with pytest.raises(UnreadableCapture, match=r"a capture, not a timeline: .* `ncu-roofline summary` reads it"):
        timeline.read(Path(DEMO).parent / name)


def test_a_folder_is_refused_with_a_pattern_that_would_work(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.ncu-repz").write_bytes(b"")

    with pytest.raises(UnreadableCapture, match=r"a folder of captures; name those you mean, for example '.*/\*\.ncu-repz'"):
        read(tmp_path)


def test_a_folder_without_captures_is_refused_as_one(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="a folder, not a file; name a file in it"):
        read(tmp_path)


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("target", ["no/such/folder.md", ".", "n" * 500])
def test_a_place_that_cannot_be_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, target: str, force: list[str]
) -> None:
    answer = run(capsys, "summary", DEMO, "-o", str(tmp_path / target), *force)

    assert (answer.code, answer.out, answer.err.count("\n")) == (3, "", 1)
    assert not list(tmp_path.iterdir())


def test_a_capture_is_not_overwritten_by_a_result_even_by_force(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = tmp_path / "x.ncu-rep"
    report.write_bytes(Path(DEMO).read_bytes())
    answer = run(capsys, "summary", str(report), "-o", str(report), "--force")

    assert (answer.code, report.read_bytes()) == (3, Path(DEMO).read_bytes())
    assert "is a capture and would be lost" in answer.err


def test_a_report_is_written_again_over_its_own_table_but_not_over_a_saved_capture(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(capsys, "report", DEMO, "-o", str(tmp_path / "out")).code == 0
    assert run(capsys, "report", DEMO, "-o", str(tmp_path / "out"), "--force").code == 0

    run(capsys, "save", DEMO, "-o", str(tmp_path / "out" / "kernels.parquet"), "--force")
    assert run(capsys, "report", DEMO, "-o", str(tmp_path / "out"), "--force").code == 3


CSV = (
    '"ID","Kernel Name","device__attribute_display_name","gpu__time_duration.sum","dram__bytes.sum"\n'
    '"","","","ns","{unit}"\n"0","{kernel}","{device}","1000","5"\n'
)


@pytest.mark.parametrize("form", ["table", "markdown", "json", "csv"])
@pytest.mark.parametrize("command", ["summary", "kernels", "check"])
def test_names_and_units_from_strangers_never_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, form: str
) -> None:
    evil = "\x1b[31mx\x07\u202e`<b>|"
    (tmp_path / "x.csv").write_text(CSV.format(unit=evil, kernel=evil, device=evil))
    out = run(capsys, command, str(tmp_path / "x.csv"), "--format", form).out

    assert not any(ord(c) < 32 and c != "\n" for c in out)
    assert not any(c in out for c in "\x7f\u202e\x9b")


def test_a_kernel_name_of_a_hundred_thousand_letters_is_cut(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV.format(unit="byte", kernel="f<" + "x<" * 25_000 + ">" * 50_001, device="d"))

    assert len(run(capsys, "summary", str(tmp_path / "x.csv")).out) < 5000


def test_the_summary_fits_forty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = run(capsys, "summary", DEMO).out.splitlines()

    assert max(map(len, lines)) <= 40
