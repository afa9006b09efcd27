"""The system's number of a process, which is private, against the number of a rank, which is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from ncu_roofline.capture.capture import Capture
from ncu_roofline.capture.schema import numbered
from ncu_roofline.readers import archive, footer, read, saved
from ncu_roofline.readers.combine import combine

FIXTURE = Path(__file__).parents[2] / "fixtures" / "synthetic" / "dense-b8.ncu-repz"


def of_processes(*numbers: int | None) -> Capture:
    """A capture with one launch of each process in turn."""
    whole = read(FIXTURE)
    rows = whole.launches.head(len(numbers)).with_columns(process=pl.Series(numbers, dtype=pl.Int64))
    return replace(whole, launches=rows)


def test_processes_are_numbered_from_0_and_stay_apart() -> None:
    frame = of_processes(4242, 17, None, 4242).launches
    assert numbered(frame)["process"].to_list() == [1, 0, None, 1]


def test_what_is_read_holds_no_number_of_the_system() -> None:
    assert read(FIXTURE).launches["process"].unique().to_list() == [0]


def test_a_saved_file_and_an_archive_hold_no_number_of_the_system(tmp_path: Path) -> None:
    capture = of_processes(987_654, 123_456)
    (tmp_path / "x.parquet").write_bytes(saved.packed(capture))
    assert pl.read_parquet(tmp_path / "x.parquet")["process"].to_list() == [1, 0]
    assert archive.archived(capture).launches["process"].to_list() == [1, 0]


def test_ranks_saved_one_by_one_stay_apart_when_read_together(tmp_path: Path) -> None:
    for rank, process in enumerate((987_654, 123_456)):
        (tmp_path / f"rank{rank}.parquet").write_bytes(saved.packed(of_processes(process, process)))
    assert read([tmp_path / "rank0.parquet", tmp_path / "rank1.parquet"]).launches["process"].to_list() == [0, 0, 1, 1]


def test_the_same_process_in_two_raw_files_stays_one() -> None:
    assert combine([of_processes(9, 9), of_processes(9)]).launches["process"].to_list() == [9, 9, 9]


def test_a_file_of_an_earlier_version_is_read_with_its_numbers_replaced(tmp_path: Path) -> None:
    target = tmp_path / "old.parquet"
    old = of_processes(4242, 17)
    old.launches.write_parquet(target, metadata={saved.KEY: footer.written(old)})
    assert saved.read(target).own_processes is False
    assert read(target).launches["process"].to_list() == [1, 0]
