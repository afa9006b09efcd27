"""Saved captures: save then read is the identity; other files are refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.capture.capture import Capture, Fact, Run
from ncu_roofline.capture.schema import LAUNCHES, conform
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import footer, read, saved
from tests import kernels
from tests.kernels import H100, launch


def launches(*rows: dict[str, Any]) -> pl.DataFrame:
    """What a reader gives, without the columns of a study."""
    return conform(kernels.launches(*rows), LAUNCHES, source="test")


def capture(**given: Any) -> Capture:
    rows = [launch("a", nvtx=["step", "layer"], m={"dram__bytes.sum": 3.0}), launch("b|<x>", seconds=None, grid=None)]
    opcodes = {"m:sass__inst_executed_per_opcode_with_modifier_all": [[{"id": "MOV", "value": 2.0}], None]}
    frame = launches(*rows).with_columns(pl.Series(n, v) for n, v in opcodes.items())
    run = Run(batch=Fact(8, "given", "stated by the user"), layers_captured=Fact((2, 32), "given", ""))
    return Capture(launches=frame, device=H100, run=run, notes=("one note",), name="x.ncu-rep", **given)


def test_save_then_read_is_the_identity(tmp_path: Path) -> None:
    before = capture()
    (tmp_path / "x.parquet").write_bytes(saved.packed(before))
    after = read(tmp_path / "x.parquet")

    assert_frame_equal(after.launches, before.launches)
    assert (after.device, after.run, after.notes, after.name) == (before.device, before.run, before.notes, before.name)


def test_the_same_capture_gives_the_same_bytes() -> None:
    assert saved.packed(capture()) == saved.packed(capture())


def test_somebody_elses_parquet_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "other.parquet")

    with pytest.raises(UnreadableCapture, match=r"other\.parquet: a Parquet file, but not one"):
        read(tmp_path / "other.parquet")


def test_a_newer_format_is_refused_with_both_versions(tmp_path: Path) -> None:
    footer = {saved.KEY: '{"schema_version": 99}'}
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "new.parquet", metadata=footer)

    with pytest.raises(UnreadableCapture, match="saved in format 99, this program reads format 1"):
        read(tmp_path / "new.parquet")


@pytest.mark.parametrize("keep", [4, 50, 0.5, 0.99])
def test_a_cut_file_is_refused(tmp_path: Path, keep: float) -> None:
    whole = saved.packed(capture())
    (tmp_path / "cut.parquet").write_bytes(whole[: int(keep if keep > 1 else keep * len(whole))])

    with pytest.raises(UnreadableCapture, match=r"cut\.parquet"):
        read(tmp_path / "cut.parquet")


def test_files_are_taken_in_the_given_order_and_renumbered(tmp_path: Path) -> None:
    for name in ("b", "a"):
        one = Capture(launches=launches(launch(name)), device=H100, name=name)
        (tmp_path / f"{name}.parquet").write_bytes(saved.packed(one))
    both = read([tmp_path / "b.parquet", tmp_path / "a.parquet"])

    assert both.launches.select("index", "kernel").rows() == [(0, "b"), (1, "a")]
    assert read(str(tmp_path / "*.parquet")).launches["kernel"].to_list() == ["a", "b"]


def test_mixed_devices_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    for name, device in (("h", H100), ("l", replace(H100, name="NVIDIA L4"))):
        (tmp_path / f"{name}.parquet").write_bytes(saved.packed(Capture(launches=launches(launch()), device=device, name=name)))

    with pytest.raises(UnreadableCapture, match=r"mixed devices .*NVIDIA H100 80GB HBM3 in h, NVIDIA L4 in l"):
        read(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"hello\nworld\n", "x.ncu-rep"),
        (bytes(5000), "no report of Nsight Compute"),
        (b"NVR\0" + b"\xff" * 100, "x.ncu-rep"),
    ],
)
def test_what_is_no_capture_is_refused_with_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.ncu-rep").write_bytes(content)

    with pytest.raises(UnreadableCapture, match=words):
        read(tmp_path / "x.ncu-rep")


def test_folders_missing_files_and_empty_globs_say_so(tmp_path: Path) -> None:
    for source, words in (
        (tmp_path, "a folder"),
        (tmp_path / "no.csv", "no such file"),
        (tmp_path / "*.csv", "no file has such a name"),
    ):
        with pytest.raises(UnreadableCapture, match=words):
            read(source)


def forged(target: Path, frame: pl.DataFrame | None = None, text: str | None = None, **parts: Any) -> Path:
    """A saved capture of which a stranger changed the columns, the footer, or parts of the footer."""
    whole = capture()
    told = text if text is not None else json.dumps({**json.loads(footer.written(whole)), **parts})
    (whole.launches if frame is None else frame).write_parquet(target, metadata={saved.KEY: told})
    return target


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{}", "5", "null", '"x"', "[1]", '{"schema_version": 1}', " " * (footer.LONGEST + 1)]
)
def test_a_footer_that_is_no_footer_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableCapture, match=r"x.parquet: its ncu-roofline footer is damaged; save the capture again"):
        read(forged(tmp_path / "x.parquet", text=text))


@pytest.mark.parametrize(
    "part",
    [
        {"device": None},
        {"device": {"name": 5}},
        {"device": {"sms": "many"}},
        {"device": {"sm_hertz": 1e999}},
        {"device": {"bus_bits": -4}},
        {"run": [1]},
        {"run": {"batch": 5}},
        {"run": {"batch": {"value": 8}}},
        {"run": {"batch": {"value": -5, "origin": "given", "evidence": ""}}},
        {"run": {"batch": {"value": float("nan"), "origin": "given", "evidence": ""}}},
        {"run": {"replay_mode": {"value": {"a": 1}, "origin": "given", "evidence": ""}}},
        {"run": {"batch": {"value": 8, "origin": "hearsay", "evidence": ""}}},
        {"notes": 5},
        {"notes": "abc"},
        {"notes": [1, None]},
        {"name": None},
        {"name": 5},
    ],
    ids=str,
)
def test_a_footer_with_values_of_other_types_is_refused(tmp_path: Path, part: dict[str, Any]) -> None:
    with pytest.raises(UnreadableCapture, match="footer is damaged"):
        read(forged(tmp_path / "x.parquet", **part))


@pytest.mark.parametrize(
    "change",
    [
        pl.lit("x").alias("seconds"),
        pl.lit(5).alias("kernel"),
        pl.lit([1, 2, 3]).alias("grid"),
        pl.lit("x").alias("m:dram__bytes.sum"),
        pl.lit([1]).alias("m:sass__inst_executed_per_opcode_with_modifier_all"),
    ],
    ids=str,
)
def test_columns_of_other_types_are_refused(tmp_path: Path, change: pl.Expr) -> None:
    with pytest.raises(UnreadableCapture, match="its columns are not those of a capture"):
        read(forged(tmp_path / "x.parquet", capture().launches.with_columns(change)))


@pytest.mark.parametrize("column", ["kernel", "nvtx", "index"])
def test_a_missing_column_is_refused(tmp_path: Path, column: str) -> None:
    with pytest.raises(UnreadableCapture, match=f"not those of a capture \\({column}\\)"):
        read(forged(tmp_path / "x.parquet", capture().launches.drop(column)))


@pytest.mark.parametrize(
    "index", [pl.lit(0, pl.Int64), pl.lit(None, pl.Int64), pl.col("index") + 1], ids=["same", "none", "shifted"]
)
def test_launches_that_are_not_numbered_from_zero_are_refused(tmp_path: Path, index: pl.Expr) -> None:
    with pytest.raises(UnreadableCapture, match="not numbered from 0"):
        read(forged(tmp_path / "x.parquet", capture().launches.with_columns(index.alias("index"))))


def test_a_capture_without_launches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="without any launch"):
        read(forged(tmp_path / "x.parquet", capture().launches.head(0)))


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "SPARED_CELLS", 1000)
    same = pl.lit("k").alias("kernel"), pl.lit("k").alias("name"), pl.lit(0, pl.Int64).alias("index")
    bomb = capture().launches.clear(500_000).with_columns(same)

    with pytest.raises(UnreadableCapture, match="unpacks to 500,000 rows"):
        read(forged(tmp_path / "x.parquet", bomb))


def test_columns_that_no_capture_has_are_left_behind(tmp_path: Path) -> None:
    more = capture().launches.with_columns(role=pl.lit("x"), flops=pl.lit("y"))

    assert_frame_equal(read(forged(tmp_path / "x.parquet", more)).launches, capture().launches)


def test_not_a_number_in_a_foreign_file_is_missing(tmp_path: Path) -> None:
    strange = capture().launches.with_columns(seconds=pl.lit(float("nan")))

    assert read(forged(tmp_path / "x.parquet", strange)).launches["seconds"].to_list() == [None, None]
