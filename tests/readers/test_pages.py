"""Lists in saved captures: how many entries stand in them is told by the headers of their pages, before one is unpacked."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import footer, pages, read, saved

FIXTURE = Path(__file__).parents[2] / "fixtures" / "synthetic" / "dense-b8.ncu-repz"


def test_entries_of_all_lists_are_counted_without_unpacking(tmp_path: Path) -> None:
    frame = pl.DataFrame({"flat": [1, 2, 3], "lists": [["a", "b"], ["c"], ["d", "e", "f"]], "pairs": [[1], [2], [3]]})
    frame.write_parquet(tmp_path / "x.parquet", row_group_size=2)
    with (tmp_path / "x.parquet").open("rb") as file:
        assert pages.listed(file) == 6 + 3


def test_a_small_file_of_many_equal_names_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    whole = read(FIXTURE)
    rows = whole.launches.head(200).with_columns(nvtx=pl.Series([["layer"] * 20_000] * 200))
    target = tmp_path / "bomb.parquet"
    rows.write_parquet(target, metadata={saved.KEY: footer.written(whole)})
    assert target.stat().st_size < 200_000
    with pytest.raises(
        UnreadableCapture, match=r"unpacks to 4,001,200 entries of lists"
    ):  # and 200 x 6 sides of grid and block
        saved.read(target)


@pytest.mark.parametrize("cut", range(1, 60))
def test_damaged_bytes_end_in_one_of_the_known_errors(cut: int) -> None:
    good = b"\x15\x04\x15\x0c\x15\x0c\x4c\x15\x06\x15\x00\x12\x00\x00" * 4
    for data in (good[:-cut], b"\x1c" * cut, b"\x19" + b"\xff" * cut, b"\xff" * cut):
        try:
            fields, end = pages.structure(data, 0)
        except pages.BROKEN:
            continue
        assert isinstance(fields, dict) and end <= len(data)
