"""The archive's parts: names of folders and files, what is swept away, how many launches become one row."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.capture.capture import Capture, Device
from ncu_roofline.capture.schema import OPCODES
from ncu_roofline.errors import UnreadableCapture, UnusableInput
from ncu_roofline.readers import archive, saved
from ncu_roofline.readers.archive import Kept
from tests.kernels import H100, launch, launches

BYTES = "dram__bytes_read.sum"
PER_OPCODE = "sass__inst_executed_per_opcode_with_modifier_all"


def capture(name: str, *rows: dict[str, Any], device: Device = H100, notes: tuple[str, ...] = ()) -> Capture:
    return Capture(launches=launches(*rows), device=device, name=name, notes=notes)


def stored(folder: Path, *captures: Capture) -> Path:
    """An archive of these captures."""
    for number, each in enumerate(captures):
        place = folder / "device=H" / "label=all"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.parquet").write_bytes(saved.packed(archive.archived(each)))
    return folder


# names


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("NVIDIA H200", "NVIDIA-H200"),
        (" (A) / B. ", "A-B"),
        ("a_b.c", "a_b.c"),
        ("", "unknown"),
        (None, "unknown"),
        ("..", "unknown"),
        ("---", "unknown"),
    ],
)
def test_a_device_name_becomes_a_folder_name(name: str | None, folder: str) -> None:
    assert archive.slug(name) == folder


@pytest.mark.parametrize("label", ["a", "v1.2", "a-b_c", ".a", "x" * 100])
def test_a_label_of_up_to_a_hundred_letters_is_taken(tmp_path: Path, label: str) -> None:
    (tmp_path / "x.csv").write_bytes(b"")
    found = list(archive.save([tmp_path / "x.csv"], tmp_path / "archive", label=label, workers=1))
    assert [(k.file, k.outcome, k.launches) for k in found] == [("x.csv", "refused", 0)]


@pytest.mark.parametrize("label", [".", "...", "x" * 101, "a/b", ""])
def test_a_label_that_is_no_folder_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(UnusableInput, match="it names a folder"):
        archive.save([tmp_path], tmp_path / "archive", label=label)


def test_a_fingerprint_is_of_the_whole_content_and_of_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, same = (tmp_path / name for name in "abc")
    one.write_bytes(b"abcdef")
    same.write_bytes(b"abcdef")
    other.write_bytes(b"abcdeg")
    whole = archive.fingerprint(one)
    monkeypatch.setattr(archive, "PIECE", 2)
    assert archive.fingerprint(same) == whole
    assert len({whole, archive.fingerprint(other), archive.fingerprint(one, ["x"])}) == 3
    assert archive.fingerprint(one, ["x", "y"]) == archive.fingerprint(one, ["y", "x"])
    assert len(whole) == 32
    monkeypatch.setattr(saved, "SCHEMA_VERSION", 99)
    assert archive.fingerprint(one) != whole


# what is kept


def test_captures_in_folders_are_files_of_the_known_kinds_in_order(tmp_path: Path) -> None:
    names = ["b.csv", "a.ncu-rep", "deep/c.parquet", "c.ncu-repz"]
    for name in [*names, "d.txt", "e.csv/f.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = archive.captures_in([tmp_path, tmp_path / "d.txt"])
    assert found == [*sorted(tmp_path / n for n in [*names, "e.csv/f.csv"]), tmp_path / "d.txt"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UnreadableCapture, match="none: a folder without captures"):
        archive.captures_in([tmp_path, tmp_path / "none"])


def test_a_saved_capture_is_kept_with_its_launches_and_then_present(tmp_path: Path) -> None:
    source = tmp_path / "x.parquet"
    source.write_bytes(saved.packed(capture("x.csv", launch("a"), launch("b"))))
    keep = partial(archive._keep, target=tmp_path / "t", reader="auto", metrics=())
    assert keep(source, label="one") == Kept("x.parquet", "saved", "one", 2)
    assert keep(source, label="two") == Kept("x.parquet", "present", "one", 0)
    assert keep(tmp_path / "none.csv", label="one") == Kept("none.csv", "refused", "none.csv: No such file or directory")
    (found,) = archive.files(tmp_path / "t")
    source.write_bytes(saved.packed(capture("y.csv", launch("c"))))
    assert keep(source, label="one") == Kept("x.parquet", "saved", "one", 1)
    assert found.relative_to(tmp_path / "t").parts[:2] == ("device=NVIDIA-H100-80GB-HBM3", "label=one")
    assert not list((tmp_path / "t").glob(".*"))


def test_files_are_kept_one_after_the_other_by_one_worker() -> None:
    seen = [Kept(p.name, "saved") for p in (Path("a"), Path("b"))]
    kept = partial(lambda path, more: Kept(path.name, more), more="saved")
    assert list(archive._each(kept, [Path("a"), Path("b")], 1)) == seen
    assert list(archive._each(kept, [Path("a"), Path("b")], 0)) == seen


@pytest.mark.parametrize(
    ("asked", "cores", "files", "used"), [(None, 5, 9, 5), (None, None, 9, 1), (3, 5, 9, 3), (3, 5, 2, 2), (None, 5, 1, 1)]
)
def test_as_many_workers_as_cores_or_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None, cores: int | None, files: int, used: int
) -> None:
    monkeypatch.setattr(archive, "_each", lambda keep, found, workers: workers)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    names = [tmp_path / f"{n}.csv" for n in range(files)]
    for _ in range(2):
        found: object = archive.save(names, tmp_path / "new" / "deep", workers=asked)
        assert found == used


def test_two_workers_are_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    class Pool:
        def __init__(self, workers: int, **how: object) -> None:
            begun.append(workers)

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *error: object) -> None:
            begun.append(0)

        def submit(self, keep: Any, file: Path) -> Any:
            return SimpleNamespace(result=lambda: keep(file))

    monkeypatch.setattr(archive, "Pool", Pool)
    kept = partial(lambda path, more: Kept(path.name, more), more="saved")
    assert list(archive._each(kept, [Path("a"), Path("b")], 2)) == [Kept("a", "saved"), Kept("b", "saved")]
    assert begun == [2, 0]


def test_only_unfinished_files_of_dead_processes_are_swept_away(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    names = {n: tmp_path / f".x.{n}.partial" for n in (str(dead.pid), str(os.getpid()), "word")}
    for place in names.values():
        place.write_bytes(b"half")
    (tmp_path / ".partial").write_bytes(b"")
    archive._sweep(tmp_path)
    assert {name: place.exists() for name, place in names.items()} == {
        str(dead.pid): False,
        str(os.getpid()): True,
        "word": True,
    }


def test_an_archive_is_a_folder_with_captures_below_devices_or_labels(tmp_path: Path) -> None:
    assert not archive.is_archive(tmp_path)
    assert not archive.is_archive(tmp_path / "none")
    root = stored(tmp_path / "root", capture("a.csv", launch()))
    assert archive.is_archive(root)
    assert archive.is_archive(root / "device=H")
    assert not archive.is_archive(root / "device=H" / "label=all")
    assert [f.name for f in archive.files(root / "device=H")] == ["0.parquet"]


# what is read of it


def test_launches_of_an_archive_carry_device_label_and_capture(tmp_path: Path) -> None:
    root = stored(tmp_path, capture("a.csv", launch("a", device=3, m={BYTES: 5.0})), capture("b.csv", launch("b")))
    made = archive.scan(root).collect()
    assert made.select("capture", "device", "device_name", "label", f"m:{BYTES}").rows() == [
        ("a.csv", 3, "H", "all", 5.0),
        ("b.csv", None, "H", "all", None),
    ]
    few = archive.scan(root, measured=[PER_OPCODE, "never__seen.sum"]).collect()
    assert [c for c in few.columns if c.startswith("m:")] == [f"m:{PER_OPCODE}", "m:never__seen.sum"]
    assert (few.schema[f"m:{PER_OPCODE}"], few.schema["m:never__seen.sum"]) == (OPCODES, pl.Float64())


def test_an_archive_of_several_captures_is_one_with_all_their_launches(tmp_path: Path) -> None:
    one = capture("a.csv", launch("a"), launch("b"), notes=("n",))
    made = archive.read(stored(tmp_path / "arc", one, replace(one, name="b.csv", notes=())))
    assert made.launches["index"].to_list() == [0, 1, 2, 3]
    assert made.launches["capture"].to_list() == ["a.csv", "a.csv", "b.csv", "b.csv"]
    assert not {"device_name", "times"} & set(made.launches.columns)
    assert (made.name, made.notes, made.device) == ("archive arc of 2 captures", ("a.csv: n",), H100)


def test_an_archive_of_one_capture_is_that_capture(tmp_path: Path) -> None:
    made = archive.read(stored(tmp_path, capture("a.csv", launch("a"))))
    assert (made.name, "capture" in made.launches.columns) == ("a.csv", False)


@pytest.mark.parametrize(("large", "rows"), [(3, 3), (2, 2)])
def test_only_more_launches_than_the_limit_are_added_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int, rows: int
) -> None:
    monkeypatch.setattr(archive, "LARGE", large)
    root = stored(tmp_path, capture("a.csv", *(launch(n, m={BYTES: 2.0}) for n in "aba")))
    made = archive.read(root)
    assert made.launches["index"].to_list() == list(range(rows))
    condensed = rows == 2
    assert [n.startswith("3 launches: equal ones") for n in made.notes] == [True] * condensed
    assert made.launches[f"m:{BYTES}"].to_list() == ([4.0, 2.0] if condensed else [2.0, 2.0, 2.0])


def equal(*of: dict[str, Any], **more: pl.Series) -> dict[str, Any]:
    """The one row that equal launches are condensed to."""
    made = archive.condensed(launches(*(launch("a", **each) for each in of)).with_columns(**more).lazy()).collect()
    assert made.height == 1
    return made.row(0, named=True)


def test_counts_are_added_up_and_rates_are_averaged_over_time() -> None:
    rate, share, clock = "dram__bytes.sum.per_second", "sm__throughput.avg.pct_of_peak", "launch__waves_per_multiprocessor"
    row = equal(
        {"seconds": 1.0, "m": {BYTES: 10.0, rate: 4.0, share: 0.0, clock: 1.0}},
        {"seconds": 3.0, "m": {BYTES: 20.0, rate: 8.0, share: 2.0, clock: 5.0}},
    )
    assert (row["times"], row["seconds"], row[f"m:{BYTES}"]) == (2, 4.0, 30.0)
    assert row[f"m:{rate}"] == (1 * 4 + 3 * 8) / 4
    assert row[f"m:{share}"] == 3 * 2 / 4
    assert row[f"m:{clock}"] == (1 * 1 + 3 * 5) / 4


def test_a_counter_that_one_launch_lacks_is_unknown() -> None:
    rate = "dram__bytes.sum.per_second"
    row = equal({"m": {BYTES: 1.0, rate: 1.0}}, {"m": {BYTES: None, rate: None}})
    assert (row[f"m:{BYTES}"], row[f"m:{rate}"]) == (None, None)
    timeless = equal({"seconds": 0.0, "m": {rate: 1.0}}, {"seconds": 0.0, "m": {rate: 2.0}})
    assert timeless[f"m:{rate}"] is None
    assert equal({"seconds": 1.0}, {"seconds": None})["seconds"] is None


def test_opcodes_of_equal_launches_stand_one_behind_the_other() -> None:
    cells = [[{"id": "A", "value": 1.0}], None, [{"id": "B", "value": 2.0}, {"id": "A", "value": 3.0}]]
    row = equal({}, {}, {}, **{f"m:{PER_OPCODE}": pl.Series(cells, dtype=OPCODES)})
    assert row[f"m:{PER_OPCODE}"] == [cells[0][0], *cells[2]]  # type: ignore[index,misc]


def test_launches_are_equal_by_capture_names_and_shapes() -> None:
    base = {"name": "k(int)", "grid": [1, 1, 1], "block": [32, 1, 1]}
    rows = [base, {**base, "name": "k(float)"}, {**base, "grid": [2, 1, 1]}, {**base, "block": [64, 1, 1]}, base]
    made = launches(*({**launch("k"), **row} for row in rows))
    kept = archive.condensed(made.lazy()).collect()
    assert kept["times"].to_list() == [2, 1, 1, 1]
    assert kept["kernel"].to_list() == ["k"] * 4
    apart = archive.condensed(made.with_columns(capture=pl.Series(list("aaaab"))).lazy()).collect()
    assert apart["times"].to_list() == [1, 1, 1, 1, 1]
    other = archive.condensed(made.with_columns(kernel=pl.Series(list("abcde"))).lazy()).collect()
    assert other.height == 5


def test_condensed_launches_stay_in_their_order() -> None:
    names = [f"k{n}" for n in range(40, 0, -1)]
    kept = archive.condensed(launches(*(launch(n) for n in [*names, *names])).lazy()).collect()
    assert kept["kernel"].to_list() == names


def test_what_equal_launches_do_not_share_is_unknown() -> None:
    row = equal({"stream": 7, "process": 3, "device": 1}, {"stream": 7, "process": 3, "device": 1})
    assert (row["stream"], row["process"], row["device"], row["nvtx"], row["index"]) == (None, None, None, None, 0)
