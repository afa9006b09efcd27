"""Many captures as one folder of Parquet: what is kept, what is skipped, what a kill leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.capture.schema import numbered
from ncu_roofline.errors import UnreadableCapture, UnusableInput
from ncu_roofline.readers import archive, read, saved
from ncu_roofline.readers.report import report
from tests.report_bytes import saved as stored
from tests.report_bytes import simple

BYTES = "dram__bytes_read.sum"
OTHER = {"device__attribute_display_name": "NVIDIA Other GPU"}


def kept(*sources: Path, target: Path, label: str = "base", workers: int = 1) -> list[tuple[str, str]]:
    return [(k.file, k.outcome) for k in archive.save(sources, target, label=label, workers=workers)]


def test_captures_lie_under_their_device_and_label_one_row_group_each(tmp_path: Path) -> None:
    first = stored(tmp_path, simple({BYTES: 1}, copies=3), "a.ncu-rep")
    second = stored(tmp_path, simple(OTHER), "b.ncu-rep")
    assert kept(first, second, target=tmp_path / "archive") == [("a.ncu-rep", "saved"), ("b.ncu-rep", "saved")]
    found = archive.files(tmp_path / "archive")
    assert [f.relative_to(tmp_path / "archive").parts[:2] for f in found] == [
        ("device=NVIDIA-Other-GPU", "label=base"),
        ("device=NVIDIA-Test", "label=base"),
    ]
    parquet = pytest.importorskip("pyarrow.parquet")
    assert [parquet.ParquetFile(f).num_row_groups for f in found] == [1, 1]


def test_what_is_already_there_is_not_read_again(tmp_path: Path) -> None:
    first = stored(tmp_path, simple(), "a.ncu-rep")
    assert kept(first, target=tmp_path / "archive") == [("a.ncu-rep", "saved")]
    renamed = first.rename(tmp_path / "other-name.ncu-rep")
    again = list(archive.save([renamed], tmp_path / "archive", label="head", workers=1))
    assert [(k.file, k.outcome, k.told) for k in again] == [("other-name.ncu-rep", "present", "base")]
    assert len(archive.files(tmp_path / "archive")) == 1


def test_a_folder_is_searched_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    stored(tmp_path / "in" / "deep", simple({BYTES: 2}), "a.ncu-rep")
    stored(tmp_path / "in", b"not a report", "b.ncu-rep")
    stored(tmp_path / "in", b"notes", "readme.txt")
    told = list(archive.save([tmp_path / "in"], tmp_path / "archive", label="x", workers=1))
    assert [(k.file, k.outcome, k.launches) for k in told] == [("b.ncu-rep", "refused", 0), ("a.ncu-rep", "saved", 1)]
    assert told[0].told.startswith("b.ncu-rep: ")


def test_parallel_processes_keep_the_same_as_one(tmp_path: Path) -> None:
    for n in range(4):
        stored(tmp_path, simple({BYTES: n}), f"{n}.ncu-rep")
    assert kept(tmp_path / "*.ncu-rep", target=tmp_path / "two", workers=2) == [(f"{n}.ncu-rep", "saved") for n in range(4)]
    kept(tmp_path / "*.ncu-rep", target=tmp_path / "one", workers=1)
    one, two = (archive.scan(tmp_path / name).collect().sort("capture") for name in ("one", "two"))
    assert_frame_equal(one, two)


def test_a_scan_has_every_counter_null_where_a_capture_has_none(tmp_path: Path) -> None:
    first = stored(tmp_path, simple({BYTES: 1}), "a.ncu-rep")
    second = stored(tmp_path, simple({**OTHER, "lts__t_sectors.sum": 5}), "b.ncu-rep")
    kept(first, second, target=tmp_path / "archive")
    launches = archive.scan(tmp_path / "archive").sort("capture").collect()
    assert launches.select("capture", "device", "device_name", "label", f"m:{BYTES}", "m:lts__t_sectors.sum").rows() == [
        ("a.ncu-rep", None, "NVIDIA-Test", "base", 1.0, None),
        ("b.ncu-rep", None, "NVIDIA-Other-GPU", "base", None, 5.0),
    ]
    few = archive.scan(tmp_path / "archive", measured=[BYTES, "never__collected.sum"])
    assert few.collect()["m:never__collected.sum"].null_count() == 2


def test_the_archive_reads_back_as_the_captures_that_went_in(tmp_path: Path) -> None:
    path = stored(tmp_path, simple({BYTES: 1}, copies=2), "a.ncu-rep")
    kept(path, target=tmp_path / "archive")
    assert archive.is_archive(tmp_path / "archive")
    back, capture = archive.read(tmp_path / "archive"), report.read(path)
    assert_frame_equal(back.launches, numbered(capture.launches))
    assert (back.device, back.run, back.notes, back.name) == (capture.device, capture.run, capture.notes, capture.name)


@pytest.mark.parametrize("before", [True, False])
def test_the_sum_of_a_counter_that_reports_have_in_parts_spoils_no_archive(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opcodes = "sass__inst_executed_per_opcode_with_modifier_all"
    table = tmp_path / "a.csv"
    table.write_text(f'"ID","Kernel Name","{opcodes}","{BYTES}"\n"","","inst","byte"\n"0","k()","5","7"\n')
    assert f"m:{opcodes}" in read(table).launches.columns
    with monkeypatch.context() as patched:
        if before:  # an archive from when the sum was still kept
            patched.setattr(archive, "foreign", lambda name, kind: False)
        kept(table, target=tmp_path / "archive")
    assert archive.read(tmp_path / "archive").launches[f"m:{BYTES}"].to_list() == [7.0]
    assert f"m:{opcodes}" not in archive.scan(tmp_path / "archive").collect_schema()


def test_mixed_devices_of_an_archive_make_no_single_capture(tmp_path: Path) -> None:
    kept(stored(tmp_path, simple(), "a.ncu-rep"), stored(tmp_path, simple(OTHER), "b.ncu-rep"), target=tmp_path / "archive")
    with pytest.raises(UnreadableCapture, match="mixed devices"):
        archive.read(tmp_path / "archive")


def test_any_engine_that_knows_hive_partitions_reads_it(tmp_path: Path) -> None:
    dataset = pytest.importorskip("pyarrow.dataset")
    kept(stored(tmp_path, simple({BYTES: 7}), "a.ncu-rep"), target=tmp_path / "archive", label="v1.2")
    table = dataset.dataset(tmp_path / "archive", partitioning="hive").to_table()
    row = table.select(["device", "label", "kernel", f"m:{BYTES}"]).to_pylist()
    assert row == [{"device": "NVIDIA-Test", "label": "v1.2", "kernel": "k", f"m:{BYTES}": 7.0}]


@pytest.mark.parametrize("label", ["", "..", "a/b", "a b", "x" * 101])
def test_a_label_that_is_no_folder_name_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(UnusableInput, match="names a folder"):
        archive.save([stored(tmp_path, simple())], tmp_path / "archive", label=label)
    assert not (tmp_path / "archive").exists()


def test_a_folder_without_captures_and_one_without_archive_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="a folder without captures"):
        archive.save([tmp_path], tmp_path / "archive")
    with pytest.raises(UnreadableCapture, match="no archive of captures"):
        archive.scan(tmp_path)


KILLED = """
import sys
from pathlib import Path
from ncu_roofline.readers import archive
for kept in archive.save([sys.argv[1]], Path(sys.argv[2]), label="x", workers=1):
    print(kept.outcome, flush=True)
"""


def test_a_kill_leaves_only_whole_files_and_the_next_run_finishes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(40):
        stored(tmp_path / "in", simple({BYTES: n}, copies=200), f"{n:02}.ncu-rep")
    target = tmp_path / "archive"
    run = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "in"), str(target)], stdout=subprocess.PIPE)
    assert run.stdout and run.stdout.readline()
    time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    run.stdout.close()
    (target / f".left.{run.pid}{archive.PARTIAL}").write_bytes(b"half")
    for file in archive.files(target):
        assert len(saved.read(file).launches) == 200
    outcomes = [outcome for _, outcome in kept(tmp_path / "in", target=target, label="x")]
    assert len(outcomes) == 40
    assert set(outcomes) <= {"saved", "present"}
    assert archive.scan(target).select(pl.len()).collect().item() == 40 * 200
    assert not list(target.glob(f".*{archive.PARTIAL}"))


@pytest.mark.parametrize("seconds", [-1.0, 1e308, float("nan"), float("inf")])
def test_times_that_no_launch_takes_are_not_measured_in_an_archive_either(tmp_path: Path, seconds: float) -> None:
    for number in (1, 2):
        stored(tmp_path, simple({BYTES: number}, copies=2), f"{number}.ncu-rep")
    kept(tmp_path / "1.ncu-rep", tmp_path / "2.ncu-rep", target=tmp_path / "out")
    file = archive.files(tmp_path / "out")[0]
    facts = pl.read_parquet_metadata(file)[saved.KEY]
    rows = pl.read_parquet(file, hive_partitioning=False, glob=False).with_columns(seconds=pl.Series([seconds, 1.0]))
    rows.write_parquet(file, metadata={saved.KEY: facts})
    assert archive.read(tmp_path / "out").launches["seconds"].to_list()[:2] == [None, 1.0]
