"""Results of whole graphs: one row each, its bytes as the vendor's reader gives them, its time withheld."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import ncu_roofline as nr
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.readers.report.launches import encoded, sized
from tests.command import run

WHOLE = Path(__file__).parents[3] / "fixtures" / "measured" / "h200-whole-dense8-moe8-dense32.ncu-repz"


def test_the_vendors_reader_gives_the_same_rows() -> None:
    pytest.importorskip("ncu_report", reason="NVIDIA's reader has no wheel here")
    ours, theirs = nr.read(WHOLE).launches, nr.read(WHOLE, reader="vendor").launches

    assert_frame_equal(ours.drop("process"), theirs.drop("process"))


def test_a_whole_result_has_no_grid_and_no_time() -> None:
    rows = nr.read(WHOLE).launches

    assert rows["kernel"].to_list() == ["graph"] * 3
    assert (rows["grid"].null_count(), rows["seconds"].null_count()) == (3, 3)
    assert rows["m:dram__bytes_read.sum"].to_list() == [3_069_700_352, 2_851_821_312, 3_886_754_560]


def test_one_whole_result_is_one_step_and_says_its_bytes() -> None:
    capture = nr.read(WHOLE, batch=8)
    study = nr.study(replace(capture, launches=capture.launches.head(1)))
    found = totals(study.launches, study.run)

    assert (found.steps, found.tokens) == (1, 8)
    assert found.per_step("dram_read_bytes") == 3_069_700_352


def test_the_whole_step_reads_what_its_kernels_read_one_by_one() -> None:
    kernels = nr.place(WHOLE.with_name("h200-dense-b8.ncu-repz"))["dram_read_bytes"].sum()

    assert nr.place(WHOLE)["dram_read_bytes"][0] == pytest.approx(kernels, rel=0.002)


def test_results_of_different_runs_are_never_added_up_to_one_step() -> None:
    study = nr.study(WHOLE)

    assert study.run.steps.value is None
    assert totals(study.launches, study.run).per_step("dram_bytes") is None


def test_a_whole_result_has_no_role_of_a_kernel_whatever_its_ranges_are_called() -> None:
    assert nr.place(WHOLE)["role"].unique().to_list() == ["fused-step"]  # a range is called run.moe-b8-whole


@pytest.mark.parametrize("command", ["summary", "tokens"])
def test_the_first_line_says_the_bytes_of_each(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(run(capsys, command, str(WHOLE)).out.split())

    assert "3.09 GB, 2.87 GB and 3.93 GB to and from DRAM" in said
    assert "Add --metrics gpu__time_duration.sum" not in said


def test_a_row_of_a_csv_that_is_named_graph_is_a_whole_result(tmp_path: Path) -> None:
    file = tmp_path / "whole.csv"
    head = '"ID","Process ID","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"'
    cells = '"0","1","graph","1","7","(384, 16, 1)","(224, 66, 8)","0","9.0","x"'
    lines = [f'{cells},"dram__bytes_read.sum","byte","100"', f'{cells},"gpu__time_duration.sum","ns","2000"']
    file.write_text("\n".join([head, *lines]) + "\n")
    rows = nr.read(file).launches

    assert rows.select("kernel", "seconds", "m:dram__bytes_read.sum").row(0) == ("graph", None, 100.0)
    assert rows["grid"].null_count() == 1


def test_fields_are_encoded_as_the_wire_wants_them() -> None:
    # 300 is 1 0010 1100: seven low bits with a mark, then 2; a field of 3 bytes with number 21: key 21 * 8 + 2 = 170
    assert encoded(300) == bytes([0b1010_1100, 0b10])
    assert sized(21, b"abc") == bytes([170, 1, 3]) + b"abc"


def test_a_kernel_that_is_called_graph_is_a_kernel() -> None:
    rows = nr.read(WHOLE).launches.with_columns(grid=pl.Series([[1, 1, 1]] * 3, dtype=pl.Array(pl.Int64, 3)))

    assert "fused-step" not in nr.place(replace(nr.read(WHOLE), launches=rows))["role"].to_list()
