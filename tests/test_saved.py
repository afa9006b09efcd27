"""Saved captures: save then read is the identity; other files are refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.capture.capture import Capture, Fact, Run
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import read, saved
from tests.kernels import H100, launch, launches


def capture(**given: object) -> Capture:
    rows = [launch("a", nvtx=["step", "layer"], m={"dram__bytes.sum": 3.0}), launch("b|<x>", seconds=None, grid=None)]
    opcodes = {"m:sass__inst_executed_per_opcode_with_modifier_all": [[{"id": "MOV", "value": 2.0}], None]}
    frame = launches(*rows).with_columns(pl.Series(n, v) for n, v in opcodes.items())
    run = Run(batch=Fact(8, "given", "stated by the user"), layers_captured=Fact("2/32", "given", ""))
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

    with pytest.raises(UnreadableCapture, match="other.parquet: a Parquet file, but not one"):
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

    with pytest.raises(UnreadableCapture, match="cut.parquet"):
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
    for source, words in ((tmp_path, "a folder"), (tmp_path / "no.csv", "no such file"), (tmp_path / "*.csv", "no file has such a name")):
        with pytest.raises(UnreadableCapture, match=words):
            read(source)
