"""Exports of the interface, upright and turned, and summaries over kernels: the page that they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv import csv

EXPORT = [
    ["ID", "0", "1"],
    ["Estimated Speedup [%]", "12.5", "3"],
    ["Function Name", "gemv", "rms_norm"],
    ["Demangled Name", "void gemv<float>(float*, int)", "rms_norm(float*)"],
    ["Device Name", "NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"],
    ["Grid Size", "  4096,     1,     1", "     1,     1,     1"],
    ["Block Size [block]", "   256,     1,     1", "   128,     1,     1"],
    ["gpu__time_duration.sum [us]", "52.5", "3.1"],
    ["dram__bytes_read.sum [Mbyte]", "33.5", "0.1"],
]
WHO = ["Process ID", "Process Name", "Host Name", "Kernel Name", "Block Size", "Grid Size", "Device", "CC", "Invocations"]
SUMMARY = [
    [*WHO, "Section Name", "Metric Name", "Metric Unit", "Minimum", "Maximum", "Average"],
    ["7", "a", "h", "gemv(float *)", "(256, 1, 1)", "(4096, 1, 1)", "0", "9.0", "14", "", "dram__bytes_read.sum", "Mbyte", "30", "36", "33"],
    ["7", "a", "h", "gemv(float *)", "(256, 1, 1)", "(4096, 1, 1)", "0", "9.0", "14", "", "gpu__time_duration.sum", "us", "10", "30", "20"],
    ["7", "a", "h", "gemv(float *)", "(256, 1, 1)", "(4096, 1, 1)", "0", "9.0", "14", "", "dram__throughput.avg.pct_of_peak_sustained_elapsed", "%", "1", "3", "2"],
    ["7", "a", "h", "norm(float *)", "(128, 1, 1)", "(1, 1, 1)", "0", "9.0", "1,200", "", "gpu__time_duration.sum", "us", "1", "3", "2"],
]  # fmt: skip


def read(folder: Path, rows: list[list[str]], before: str = "") -> Capture:
    path = folder / "export.csv"
    path.write_text(before + "".join(",".join(f'"{field}"' for field in row) + "\n" for row in rows))
    return csv.read(path)


@pytest.mark.parametrize("turned", [True, False], ids=["a launch per column", "a launch per row"])
def test_an_export_of_the_interface_is_read_upright_and_turned(tmp_path: Path, turned: bool) -> None:
    rows = EXPORT if turned else [list(row) for row in zip(*EXPORT, strict=True)]
    capture = read(tmp_path, rows)
    first = capture.launches.row(0, named=True)

    assert capture.device.name == "NVIDIA GeForce RTX 4090"
    assert capture.launches["kernel"].to_list() == ["gemv", "rms_norm"]
    assert (first["name"], first["grid"], first["block"]) == ("void gemv<float>(float*, int)", [4096, 1, 1], [256, 1, 1])
    assert (first["seconds"], first["m:dram__bytes_read.sum"]) == (pytest.approx(52.5e-6), 33.5e6)


def test_an_export_without_demangled_names_or_numbers_of_launches_has_its_function_names(tmp_path: Path) -> None:
    capture = read(tmp_path, [row for row in EXPORT if row[0] not in ("ID", "Demangled Name")])

    assert capture.launches["name"].to_list() == ["gemv", "rms_norm"]


def test_a_summary_over_kernels_stands_for_all_their_launches(tmp_path: Path) -> None:
    capture = read(tmp_path, SUMMARY, before="==PROF== Connected to process 7\n")
    gemv, norm = capture.launches.rows(named=True)

    assert (gemv["times"], norm["times"]) == (14, 1200)
    assert gemv["seconds"] == pytest.approx(14 * 20e-6)
    assert gemv["m:dram__bytes_read.sum"] == pytest.approx(14 * 33e6)
    assert gemv["m:dram__throughput.avg.pct_of_peak_sustained_elapsed"] == 2  # a share adds up to nothing
    assert (norm["grid"], norm["block"]) == ([1, 1, 1], [128, 1, 1])


def test_a_turned_table_without_a_kernel_or_a_counter_is_refused(tmp_path: Path) -> None:
    for row in ("Function Name", "gpu__time_duration.sum [us]"):
        rows = [r for r in EXPORT if r[0] != row and r[0] != "Demangled Name" and "dram" not in r[0]]
        with pytest.raises(UnreadableCapture, match="no Nsight Compute table in it"):
            read(tmp_path, rows)


def test_ragged_and_wide_tables_take_no_longer_than_their_length(tmp_path: Path) -> None:
    wide = [["Function Name", *(f"a__b{n}.sum [byte]" for n in range(20_000))], ["gemv", *["1"] * 20_000]]
    ragged = [["Function Name", "gemv"], ["x"] * 200_000, *([["y"]] * 200_000)]

    assert read(tmp_path, wide).launches.height == 1
    with pytest.raises(UnreadableCapture):
        read(tmp_path, ragged)
