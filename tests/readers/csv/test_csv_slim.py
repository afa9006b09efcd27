"""A slim CSV: the table alone, every value as it was printed, nothing of host, user or folders."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv import csv, slim
from tests.command import run
from tests.corpus import CORPUS, files, needs_corpus

FIXTURES = Path(__file__).parents[3] / "fixtures" / "synthetic"
NVTX = '"thread Domain:Push/Pop_Range:PL_Type:PL_Value:CLR_Type:Color:Msg_Type:Msg"'
HEAD = f'"ID","Process ID","Process Name","Host Name","Kernel Name",{NVTX},"Stream","Metric Name","Metric Unit","Metric Value","Rule Description"\n'


def line(number: int, kernel: str, span: str, metric: str, value: str, rule: str = "") -> str:
    cell = f'7  ""<default domain>:{span}:none:none:none:none:none:none"" '
    unit = "ns" if metric.startswith("gpu__") else "byte"
    return f'"{number}","7","/home/me/app","box-17","{kernel}","{cell}","7","{metric}","{unit}","{value}","{rule}"\n'


LONG = (
    "==PROF== Connected to process 7 (/home/me/app)\nloading /home/me/model\n"
    + HEAD
    + line(0, "gemm", "layer.0", "gpu__time_duration.sum", "1,000")
    + line(0, "gemm", "layer.0", "dram__bytes_read.sum", "4,096", "see /home/me/rules.py")
    + "printed by the program\n"
    + line(1, "norm", "layer.1", "gpu__time_duration.sum", "2,000")
    + "==PROF== Disconnected from process 7\n"
)


def saved(folder: Path, text: str) -> Path:
    path = folder / "long.csv"
    path.write_text(text)
    return path


def test_of_a_long_page_only_the_table_is_left_and_nothing_private_is(tmp_path: Path) -> None:
    path = saved(tmp_path, LONG)
    made = slim.slim(path)
    assert (made.results, made.left_out, made.hosts, made.texts, made.lines) == (2, 0, 3, 1, 4)
    assert not re.search(rb"/home|me/|box-17|PROF|printed", made.content)
    before = csv.read(path, metrics=["*"]).launches
    assert_frame_equal(before, csv.read(saved(tmp_path, made.content.decode()), metrics=["*"]).launches, check_exact=True)


@pytest.mark.parametrize(("only", "kept"), [("gemm", ["gemm"]), ("layer.1", ["norm"]), ("*", ["gemm", "norm"])])
def test_only_launches_of_a_kernel_or_in_a_range_stay(tmp_path: Path, only: str, kept: list[str]) -> None:
    made = slim.slim(saved(tmp_path, LONG), only)
    assert (made.results, made.left_out) == (len(kept), 2 - len(kept))
    assert csv.read(saved(tmp_path, made.content.decode())).launches["kernel"].to_list() == kept


def test_nothing_that_was_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="no result in a range or of a kernel 'none'; nothing to keep"):
        slim.slim(saved(tmp_path, LONG), "none")


@pytest.mark.parametrize("turned", [True, False])
def test_an_export_of_the_interface_loses_host_and_folders_too(tmp_path: Path, turned: bool) -> None:
    rows = [
        ["ID", "0", "1"],
        ["Process Name", "/home/me/app", "/home/me/app"],
        ["Host Name", "box-17", "box-17"],
        ["Demangled Name", "gemv", "norm"],
        ["gpu__time_duration.sum [us]", "52.5", "3.1"],
        ["Note", "from /home/me/x", ""],
    ]
    upright = rows if turned else [list(row) for row in zip(*rows, strict=True)]
    path = saved(tmp_path, "".join(",".join(f'"{field}"' for field in row) + "\n" for row in upright))
    before, made = csv.read(path).launches, slim.slim(path)
    assert not re.search(rb"/home|box-17", made.content)
    assert made.hosts == 2
    assert_frame_equal(before, csv.read(saved(tmp_path, made.content.decode())).launches)
    with pytest.raises(UnreadableCapture, match="none can be left out"):
        slim.slim(path, "gemv")


def test_a_step_of_a_raw_page_stays_and_the_note_says_what_went(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, path = tmp_path / "s.csv", FIXTURES / "demo.raw.csv"
    every = csv.read(path).launches.height
    said = run(capsys, "slim", str(path), "-o", str(target), "--only", "phase:decode")
    assert said.code == 0
    assert f"the host's name in {every} rows, 2 lines around the table" in said.err
    assert 0 < csv.read(target).launches.height <= every


def test_a_table_with_a_byte_changed_is_made_slim_or_refused(tmp_path: Path) -> None:
    chance = random.Random(3)
    content = (FIXTURES / "demo.raw.csv").read_bytes()[:9_000]
    for text in (LONG.encode(), content):
        for _ in range(60):
            data = bytearray(text)
            data[chance.randrange(len(data))] = chance.randrange(256)
            path = tmp_path / "changed.csv"
            path.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
            with suppress(UnreadableCapture):
                slim.slim(path)


def test_a_field_of_a_quarter_megabyte_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="cannot be told apart"):
        slim.slim(saved(tmp_path, LONG.replace("see ", "see " * 70_000)))


PRIVATE = re.compile(rb"(?:/home|/[Uu]sers|\\Users|/root)[/\\][\w.@+-]+|==PROF==|127\.0\.0\.1")


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("file", files("csv-raw", "csv-details", "csv-metrics"))
def test_every_public_table_reads_the_same_and_names_nobody(file: str, tmp_path: Path) -> None:
    try:
        before = csv.read(CORPUS / file, metrics=["*"])
    except UnreadableCapture:
        pytest.skip("not a table that can be read")
    made = slim.slim(CORPUS / file)
    path = tmp_path / "s.csv"
    path.write_bytes(made.content)
    after = csv.read(path, metrics=["*"])
    assert_frame_equal(before.launches, after.launches, check_exact=True)
    assert (before.device, before.notes) == (after.device, after.notes)
    assert not PRIVATE.search(made.content)
