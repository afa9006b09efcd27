"""Files and folders appear whole or not at all: on a full disk, beside other writers, under any umask."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import ncu_roofline as nr
from ncu_roofline import whole
from ncu_roofline.errors import UnusableInput
from tests.command import run

DEMO = Path(__file__).parent.parent / "fixtures" / "synthetic" / "demo.ncu-rep"


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        whole.write(b"x", tmp_path / "a", over=False)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_name_that_is_taken_is_kept_and_no_draft_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    with pytest.raises(FileExistsError):
        whole.write(b"second", tmp_path / "a", over=False)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"first")]


def test_a_rename_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        whole.write(b"new", tmp_path / "a", over=True)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def test_a_folder_on_a_full_disk_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole.write_all({"1": b"old", "2": b"old"}, tmp_path / "main")
    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", lambda path, body: full() if path.name == "2" else write(path, body))
    with pytest.raises(OSError, match="No space"):
        whole.write_all({"1": b"new", "2": b"new"}, tmp_path / "main")
    assert {p.name: p.read_bytes() for p in (tmp_path / "main").iterdir()} == {"1": b"old", "2": b"old"}
    assert [p.name for p in tmp_path.iterdir()] == ["main"]


def test_a_folder_is_replaced_as_one_and_others_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "main"
    whole.write_all({"1": b"old", "2": b"old", "3": b"old"}, folder)
    whole.write_all({"1": b"new"}, folder, gone=["2", "3"])
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"1": b"new"}
    (folder / "README").write_bytes(b"mine")
    whole.write_all({"2": b"newer"}, folder, gone=["1"])
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"2": b"newer", "README": b"mine"}


def test_a_folder_in_which_somebody_works_stays_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    whole.write_all({"a": b"x"}, Path())
    assert (tmp_path.stat().st_ino, (tmp_path / "a").read_bytes()) == (before, b"x")


def test_saving_from_a_notebook_is_as_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = nr.read(DEMO)
    nr.save(capture, tmp_path / "x.parquet")
    with pytest.raises(UnusableInput, match="exists already"):
        nr.save(capture, tmp_path / "x.parquet")
    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UnusableInput, match="No space left"):
        nr.save(capture, tmp_path / "y.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_an_archive_on_a_full_disk_is_an_error_and_no_fault_of_the_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Path, "write_bytes", full)
    said = run(capsys, "save", str(DEMO), "-o", str(tmp_path / "archive"), "--workers", "1")
    assert said.code == 3
    assert "archive cannot be written (No space left on device)" in said.err
    assert "could not be read" not in said.err
    assert not [p for p in (tmp_path / "archive").rglob("*") if p.is_file()]


def test_an_error_that_nobody_foresaw_is_no_failed_gate_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("/home/somebody/secret")

    monkeypatch.setattr("ncu_roofline.readers.read_one", broken)
    said = run(capsys, "summary", str(DEMO))
    assert (said.code, said.out) == (70, "")
    assert said.err.startswith("ncu-roofline: a fault of this program (ValueError at readers/__init__.py:")
    assert "secret" not in said.err
