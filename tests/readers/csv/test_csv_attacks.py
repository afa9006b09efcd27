"""Hostile CSV files: nothing read that was not named, nothing slow, nothing lost in silence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv.csv import gaps
from ncu_roofline.readers.csv.text import table_head

HEAD = (
    '"ID","Process ID","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","Section Name",'
    '"Metric Name","Metric Unit","Metric Value"\n'
)


def row(number: int = 0, kernel: str = "k") -> str:
    cells = f'"{number}","1","{kernel}","1","7","(1, 1, 1)","(1, 1, 1)","0","9.0","x"'
    return f'{cells},"dram__bytes.sum","byte","100"\n'


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, newline="")
    return file


def test_brackets_in_a_name_are_the_files_own_and_no_pattern(tmp_path: Path) -> None:
    named = written(tmp_path, "run[1].csv", HEAD + row())
    written(tmp_path, "run1.csv", HEAD + row(0) + row(1) + row(2))

    assert nr.read(named).launches.height == 1


def test_a_saved_capture_under_brackets_is_the_one_that_was_named(tmp_path: Path) -> None:
    folders = [tmp_path / "ar[1]", tmp_path / "ar1"]
    for folder, rows in zip(folders, (1, 2), strict=True):
        folder.mkdir()
        capture = nr.read(written(tmp_path, f"{rows}.csv", HEAD + "".join(row(n) for n in range(rows))))
        nr.save(capture, folder / "x.parquet")

    assert [nr.read(folder / "x.parquet").launches.height for folder in folders] == [1, 2]


@pytest.mark.parametrize(
    "content",
    [b'"ID",' * 50_000, b"ID,\n" * 50_000, b'x "ID" ' * 50_000 + b"Kernel Name\n", b"\n" * 200_000 + b"Kernel Name"],
    ids=["one line", "many lines", "foreign text", "empty lines"],
)
def test_a_header_is_looked_for_once_a_line(content: bytes) -> None:
    assert table_head(content) is None  # 250 kB of the first took 79 s


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b'"ID","Kernel Name"\n', 0),
        (b"ID,Process ID,Kernel Name\n", 0),
        (b'==PROF== done\n"ID";"Kernel Name"\n', 14),
        (b'text before "ID","Kernel Name"\n', 12),
    ],
)
def test_a_header_is_found_where_it_begins(line: bytes, place: int) -> None:
    found = table_head(line)
    assert found is not None
    assert found[0] == place


def test_a_column_that_only_ends_like_the_kernels_is_none() -> None:
    assert table_head(b'"ID","My Kernel Name"\n') is None


def test_an_open_quote_before_many_lines_is_one_row_cut_short(tmp_path: Path) -> None:
    file = written(tmp_path, "open.csv", HEAD + row() + '"1","1","k\n' + "a,b\n" * 100_000)
    with pytest.raises(UnreadableCapture, match=r"cut short|told apart"):
        nr.read(file)


def test_lines_may_end_in_a_lone_carriage_return(tmp_path: Path) -> None:
    assert nr.read(written(tmp_path, "mac.csv", (HEAD + row()).replace("\n", "\r"))).launches.height == 1


def test_a_header_with_a_field_of_a_quarter_megabyte_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture):
        nr.read(written(tmp_path, "long.csv", f'"ID","{"x" * 250_000}","Kernel Name"\n"0","a","k"\n'))


def test_a_metric_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = '"ID","Kernel Name","dram__bytes.sum","dram__bytes.sum"\n"","","byte","byte"\n"0","k","1","2"\n'
    with pytest.raises(UnreadableCapture, match="stands twice"):
        nr.read(written(tmp_path, "twice.csv", text))


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = '"ID","Kernel Name","Kernel Name","dram__bytes.sum"\n"","","","byte"\n"0","k","other","1"\n'
    with pytest.raises(UnreadableCapture, match="Kernel Name stands twice"):
        nr.read(written(tmp_path, "twice.csv", text))


def test_rows_that_were_taken_out_are_said(tmp_path: Path) -> None:
    notes = nr.read(written(tmp_path, "gap.csv", HEAD + row(0) + row(1) + row(5))).notes
    assert any("skip 3" in note for note in notes)


def test_numbers_of_several_processes_leave_no_gap() -> None:
    rows = pl.DataFrame({"process": [1, 1, 2, 2], "profiler_id": [0, 2, 1, 3]})
    assert list(gaps(rows.with_columns(profiler_id=pl.Series([0, 1, 0, 1])))) == []
    assert list(gaps(rows)) == ["The numbers of the launches skip 2: rows were taken out of the file."]
