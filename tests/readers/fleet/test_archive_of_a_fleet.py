"""An archive of a fleet on a disk: once by content, whole or not at all, whoever writes, dies or merges."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import ncu_roofline as nr
from ncu_roofline import whole
from ncu_roofline.errors import UnreadableCapture, UnusableInput
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet import whole as of_all
from ncu_roofline.readers.fleet.compact import compact
from ncu_roofline.readers.fleet.store import Folder, at, sweep
from tests.command import run

MEASURED = Path("fixtures/measured")
THREE = [MEASURED / f"h100-{name}.ncu-repz" for name in ("dense-b8", "dense-b32", "moe-b8")]


def keep(store: Folder, path: Path) -> None:
    rows = nr.ingest(path, meta={"branch": "main"})
    assert rows.id is not None
    tables.keep(store, rows.id, rows.runs, rows.launches, rows.partition)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of three captures, which every test gets a copy of."""
    folder = tmp_path_factory.mktemp("fleet") / "archive"
    for path in THREE:
        keep(Folder(str(folder)), path)
    return folder


@pytest.fixture
def store(three: Path, tmp_path: Path) -> Folder:
    shutil.copytree(three, tmp_path / "archive")
    return Folder(str(tmp_path / "archive"))


def everything(store: Folder) -> tuple[pl.DataFrame, pl.DataFrame]:
    return tables.runs(store).sort("id", "role"), tables.launches(store, ["dram__bytes_read.sum"]).collect().sort("id", "index")


def objects(store: Folder) -> dict[str, bytes]:
    return {name: store.get(name) for name in store.names("")}


def test_an_object_is_named_by_content_and_lies_under_day_and_device(store: Folder) -> None:
    (name,) = [n for n in store.names("launches") if str(nr.ingest(THREE[0]).id) in n]

    assert name.startswith("launches/date=2026-11-27/device=NVIDIA-H100-80GB-HBM3/")
    assert len(store.names("runs")) == 3


def test_a_repeated_ingest_changes_nothing(store: Folder) -> None:
    before = objects(store)
    keep(store, THREE[1])

    assert objects(store) == before
    assert tables.known(store) == {nr.ingest(path).id for path in THREE}


def test_merging_changes_no_row(store: Folder) -> None:
    before = everything(store)
    done = compact(store)

    assert (done["runs"].before, done["runs"].after, done["launches"].after) == (3, 1, 1)
    assert_frame_equal(everything(store)[0], before[0])
    assert_frame_equal(everything(store)[1], before[1], check_column_order=False)
    assert tables.known(store) == set(before[0]["id"])


def test_what_comes_after_merging_is_merged_with_it(store: Folder) -> None:
    compact(store)
    keep(store, MEASURED / "h100-fp8-b8.ncu-repz")
    compact(store)

    assert (len(store.names("runs")), len(tables.known(store))) == (1, 4)


def test_objects_that_were_merged_and_not_yet_removed_count_once(store: Folder) -> None:
    before, singles = everything(store), objects(store)
    compact(store)
    for name, body in singles.items():  # killed between writing the merged objects and removing the others
        store.put(name, body)

    assert_frame_equal(everything(store)[0], before[0])
    assert_frame_equal(everything(store)[1], before[1], check_column_order=False)
    compact(store)
    assert len(store.names("")) == 2


def test_two_that_write_and_merge_at_once_leave_each_capture_once(store: Folder, tmp_path: Path) -> None:
    fresh = Folder(str(tmp_path / "other"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda path: keep(fresh, path), THREE * 2))
        list(pool.map(lambda _: compact(fresh), range(2)))

    assert_frame_equal(everything(fresh)[0], everything(store)[0])
    assert_frame_equal(everything(fresh)[1], everything(store)[1], check_column_order=False)


def test_a_refused_capture_is_kept_with_its_reason_until_it_can_be_read(store: Folder, tmp_path: Path) -> None:
    bad = tmp_path / "cut.ncu-rep"
    bad.write_bytes(b"NVR\0")
    rows = nr.ingest(bad)
    assert rows.id is not None
    tables.keep(store, rows.id, rows.runs, rows.launches, rows.partition)
    assert rows.id not in tables.known(store)
    assert tables.runs(store)["reason"].drop_nulls().to_list() == [rows.reason]

    later = nr.ingest(THREE[0])
    read = later.runs.with_columns(id=pl.lit(rows.id))
    tables.keep(store, rows.id, read, later.launches, later.partition)
    assert not tables.runs(store)["reason"].count()
    compact(store)
    assert not tables.runs(store)["reason"].count()


def test_an_object_of_a_later_version_is_refused_and_of_an_older_one_is_read(store: Folder) -> None:
    rows = nr.ingest(THREE[0]).runs.with_columns(id=pl.lit("f" * 32))
    store.put("runs/" + "f" * 32 + ".parquet", tables.packed(rows.drop("latency_seconds")))
    assert tables.runs(store).filter(pl.col("id") == "f" * 32)["latency_seconds"].null_count() == rows.height

    later = rows.with_columns(id=pl.lit("e" * 32), schema=pl.lit(9, pl.Int64))
    store.put("runs/" + "e" * 32 + ".parquet", tables.packed(later))
    with pytest.raises(UnusableInput, match="written in version 9 of the table"):
        tables.runs(store)


def test_a_full_disk_leaves_what_is_there_and_nothing_half(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(whole, "settle", full)
    with pytest.raises(UnusableInput, match=r"archive cannot be written or read \(No space left on device\)"):
        keep(store, MEASURED / "h100-fp8-b8.ncu-repz")
    assert_frame_equal(everything(store)[0], before[0])
    assert not [p for p in Path(store.root).rglob("*") if p.name.startswith(".")]


LIMITED = """
import resource, signal, sys
import ncu_roofline as nr
from ncu_roofline.errors import UnusableInput
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet import whole as of_all
from ncu_roofline.readers.fleet.store import at
rows = nr.ingest(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (25_000, 25_000))  # launches take 30 kB: the write ends in the middle
try:
    tables.keep(at(sys.argv[2]), rows.id, rows.runs, rows.launches, rows.partition)
except UnusableInput as error:
    sys.exit(f"said: {error}")
"""


def test_a_write_that_ends_in_the_middle_is_said_and_leaves_nothing_half(store: Folder) -> None:
    before = everything(store)
    words = [str(MEASURED / "h100-fp8-b8.ncu-repz"), store.root]
    done = subprocess.run([sys.executable, "-c", LIMITED, *words], capture_output=True, text=True)

    assert "said: archive cannot be written or read (File too large); what stands in it is whole" in done.stderr
    assert_frame_equal(everything(store)[0], before[0])
    assert_frame_equal(everything(store)[1], before[1], check_column_order=False)
    assert not [p for p in Path(store.root).rglob("*") if p.name.startswith(".")]


KILLED = """
import sys, time
from ncu_roofline import whole
from ncu_roofline.readers.fleet.store import Folder
def slow(*_):
    print("writing", flush=True)
    time.sleep(60)
whole.settle = slow
Folder(sys.argv[1]).put("runs/" + "a" * 32 + ".parquet", b"PAR1")
"""


def test_a_writer_that_is_killed_leaves_a_draft_that_nobody_reads_and_merging_removes(store: Folder) -> None:
    before = everything(store)
    writer = subprocess.Popen([sys.executable, "-c", KILLED, store.root], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    (draft,) = [p for p in Path(store.root).rglob(".*") if p.is_file()]

    assert_frame_equal(everything(store)[0], before[0])
    sweep(store)
    assert draft.exists()  # somebody may be writing it
    os.utime(draft, (time.time() - 7200,) * 2)
    sweep(store)
    assert not draft.exists()


def test_a_place_of_an_unknown_kind_is_refused_and_so_is_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="ftp:// is no place that is known"):
        at("ftp://host/archive")
    with pytest.raises(UnreadableCapture, match="no archive of runs"):
        tables.runs(Folder(str(tmp_path)))


def test_a_damaged_object_is_one_sentence(store: Folder) -> None:
    store.put("runs/" + "b" * 32 + ".parquet", b"PAR1 no table PAR1")

    with pytest.raises(UnusableInput, match="archive cannot be read: an object of it is damaged"):
        tables.runs(store)
    with pytest.raises(UnreadableCapture, match=r"b{32}.parquet: a damaged Parquet file"):
        compact(store)


def test_launches_that_are_damaged_are_one_sentence_for_every_command(
    store: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    launches = nr.ingest(THREE[0]).launches
    assert launches is not None
    store.put("launches/date=2026-01-01/device=x/" + "b" * 32 + ".parquet", tables.packed(launches)[:-50])

    for words in (["history", store.root, "--by", "kernel"], ["summary", store.root], ["kernels", store.root]):
        answer = run(capsys, *words)
        assert answer.code == 3 and "b" * 32 + ".parquet" in answer.err and "damaged" in answer.err


def test_infinities_and_no_tokens_of_a_stranger_are_not_known(store: Folder) -> None:
    strange = {"bytes": float("nan"), "seconds": float("inf"), "flops": -1.0, "divisor": 0.0}
    rows = nr.ingest(THREE[0]).runs.with_columns(**{k: pl.lit(v) for k, v in strange.items()}, id=pl.lit("b" * 32))
    store.put("runs/" + "b" * 32 + ".parquet", tables.packed(rows))

    found = tables.runs(store).filter(pl.col("id") == "b" * 32)
    assert found.select(list(strange)).null_count().row(0) == (rows.height,) * 4


def test_small_objects_of_a_stranger_that_unpack_to_far_more_are_refused(store: Folder) -> None:
    launches = nr.ingest(THREE[0]).launches
    assert launches is not None
    bomb = launches.with_columns(nvtx=pl.Series([["layer"] * 30_000] * launches.height))
    name = store.names("launches")[0].rsplit("/", 1)[0] + f"/{'b' * 32}.parquet"
    store.put(name, tables.packed(bomb))
    assert len(tables.packed(bomb)) < 100_000
    entries = (
        rf"b{{32}}.parquet: unpacks to {30_000 * 124 + 6 * 124:,} entries of lists"  # 124 launches, 3 sides of grid and block
    )
    for reading in (of_all.read, compact):
        with pytest.raises(UnreadableCapture, match=entries):
            reading(store)

    store.remove([name])
    row = nr.ingest(THREE[0]).runs.head(1)
    rows = pl.concat([row] * 60).with_columns(pl.lit(" " * 7_000_000).alias("facts"), id=pl.int_range(60).cast(pl.String))
    store.put("runs/" + "b" * 32 + ".parquet", tables.packed(rows))
    with pytest.raises(UnreadableCapture, match=r"archive: its facts unpack to 420,\d{3},\d{3} letters"):  # 60 x 7 million
        of_all.read(store)


def test_one_content_under_two_names_is_one_capture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.ncu-repz").write_bytes(THREE[0].read_bytes())
    answer = run(capsys, "ingest", str(tmp_path), "--to", str(tmp_path / "archive"), "--workers", "1")

    assert "Ingested 1, 1 were there already, 0 could not be read" in answer.err
    assert tables.runs(Folder(str(tmp_path / "archive")))["capture"].unique().to_list() == ["one.ncu-repz"]


def test_what_a_stranger_put_there_is_not_merged(store: Folder) -> None:
    store.put("runs/" + "b" * 32 + ".parquet", tables.packed(pl.DataFrame({"id": [1], "role": [2.0]})))

    with pytest.raises(UnusableInput, match=r"b{32}.parquet is no object of an archive \(id, role\); remove it"):
        compact(store)
    assert len(store.names("runs")) == 4


def test_the_command_ingests_once_says_what_it_could_not_read_and_merges(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "cut.ncu-rep").write_bytes(b"NVR\0")
    target = str(tmp_path / "archive")
    arguments = ["ingest", *map(str, THREE[:2]), str(tmp_path / "cut.ncu-rep"), "--to", target, "--workers", "1"]
    first, second = run(capsys, *arguments), run(capsys, *arguments)
    merged = run(capsys, "compact", target)

    assert (first.code, first.out) == (0, "")
    assert "Ingested 2, 0 were there already, 1 could not be read: archive" in first.err
    assert "cut.ncu-rep: " in first.err
    assert "Ingested 0, 2 were there already, 1 could not be read: archive" in second.err
    assert (merged.code, merged.err) == (0, "launches: 2 objects are 1; runs: 3 objects are 1: archive\n")
    assert run(capsys, "ingest", str(tmp_path / "cut.ncu-rep"), "--to", target, "--workers", "1").code == 3
    assert run(capsys, "compact", str(tmp_path)).code == 3


@pytest.mark.parametrize(("command", "end"), [("summary", "txt"), ("plot", "png"), ("report", "d"), ("slim", "ncu-repz")])
def test_what_is_no_archive_is_not_written_to_a_url(
    command: str, end: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = str(THREE[0].resolve())
    monkeypatch.chdir(tmp_path)
    answer = run(capsys, command, one, "-o", f"s3://bucket/out.{end}")

    assert answer.code == 3 and f"s3://bucket/out.{end}: only archives (save, ingest) are written to a URL" in answer.err
    assert not list(tmp_path.iterdir())


def test_the_command_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one, target = str(THREE[0]), str(tmp_path / "a")
    for wrong, said in (
        (["--meta", "commit"], "is not KEY=VALUE"),
        (["--meta", "colour=red"], "'colour' is nothing that a capture has"),
        (["--on", "ray://x"], "is no cluster; write dask://HOST:PORT"),
    ):
        answer = run(capsys, "ingest", one, "--to", target, *wrong)
        assert answer.code == 3 and said in answer.err
    assert not (tmp_path / "a").exists()


def test_an_archive_is_one_capture_for_every_other_command(store: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    from ncu_roofline.readers import read

    whole_, parts = nr.read(store.root), read([str(p) for p in THREE])
    compact(store)
    merged = nr.read(store.root)
    reads = "m:dram__bytes_read.sum"

    assert whole_.launches[reads].sum() == merged.launches[reads].sum() == parts.launches[reads].sum()
    assert (whole_.device, whole_.run.profiler_version.value) == (parts.device, parts.run.profiler_version.value)
    assert whole_.name == "archive archive of 3 captures"
    assert run(capsys, "kernels", store.root).code == 0


def test_an_archive_of_the_older_form_has_a_history_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    older = str(tmp_path / "older")
    assert run(capsys, "save", *map(str, THREE), "-o", older, "--label", "nightly", "--workers", "1").code == 0
    answer = run(capsys, "history", older, "--where", "label=nightly", "--format", "markdown")

    assert answer.code == 0 and "an archive of the older form" in answer.err
    assert answer.out.count("H100 SXM5 80GB") >= 2


def test_saving_into_an_archive_of_a_fleet_is_ingesting(store: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "save", str(MEASURED / "h100-fp8-b8.ncu-repz"), "-o", store.root, "--label", "x", "--workers", "1")

    assert "Ingested 1, 0 were there already" in answer.err
    assert tables.runs(store).filter(pl.col("label") == "x")["capture"].unique().to_list() == ["h100-fp8-b8.ncu-repz"]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ncu-rep")

    assert "not a file but a folder, a pipe or a device" in (nr.ingest(tmp_path / "pipe.ncu-rep").reason or "")


def test_launches_of_a_killed_writer_under_another_day_count_for_nobody(store: Folder) -> None:
    rows = nr.ingest(THREE[0], meta={"when": "2026-01-01"})
    assert rows.launches is not None and rows.id is not None
    before = nr.read(store.root).launches.height
    store.put(f"launches/date=2026-01-01/device=NVIDIA-H100-80GB-HBM3/{rows.id}.parquet", tables.packed(rows.launches))

    assert nr.read(store.root).launches.height == before


def test_a_pipe_among_the_objects_is_passed_over(store: Folder) -> None:
    before = everything(store)
    os.mkfifo(Path(store.root, "runs", "b" * 32 + ".parquet"))

    assert_frame_equal(everything(store)[0], before[0])


def test_a_device_of_any_name_has_a_folder(tmp_path: Path) -> None:
    rows = nr.ingest(THREE[0])
    store = Folder(str(tmp_path))
    tables.keep(store, "c" * 32, rows.runs, rows.launches, ("2026-01-01", "../é" * 5000))

    (name,) = store.names("launches")
    assert name.count("/") == 3 and len(name) < 200


def test_an_archive_whose_tables_are_empty_is_refused_in_a_sentence(tmp_path: Path) -> None:
    store = Folder(str(tmp_path / "archive"))
    keep(store, THREE[0])
    for table in (tmp_path / "archive").rglob("*.parquet"):
        pl.read_parquet(table).head(0).write_parquet(table)
    with pytest.raises(UnreadableCapture, match="without any capture that could be read"):
        nr.read(tmp_path / "archive")
