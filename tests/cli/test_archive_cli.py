"""Archives through the command line: kept once, read by every command, condensed when they are large."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.study import study
from ncu_roofline.readers import archive, read
from tests.command import run

FIXTURES = Path(__file__).parents[2] / "fixtures" / "synthetic"
PAIR = [str(FIXTURES / f"dense-b{b}.ncu-repz") for b in (1, 8)]


@pytest.fixture
def kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    """An archive of two synthetic captures."""
    target = tmp_path / "archive"
    answer = run(capsys, "save", *PAIR, "-o", str(target), "--label", "dense", "--workers", "1")
    assert (answer.code, answer.out) == (0, "")
    assert "Saved 2, 0 were there already, 0 could not be read" in answer.err
    return target


def test_what_is_there_is_not_read_again(capsys: pytest.CaptureFixture[str], kept: Path) -> None:
    assert "Saved 0, 2 were there already" in run(capsys, "save", *PAIR, "-o", str(kept), "--workers", "1").err


def test_every_command_takes_an_archive(capsys: pytest.CaptureFixture[str], kept: Path) -> None:
    for command in ("summary", "kernels", "roles", "tokens", "check"):
        assert run(capsys, command, str(kept)).code == 0
    rows = json.loads(run(capsys, "kernels", str(kept), "--format", "json", "--top", "0").out)["rows"]

    assert sum(r["dram_bytes"] for r in rows) == sum(read(p).launches["m:dram__bytes_read.sum"].sum() for p in PAIR)


def test_the_folder_of_one_device_is_an_archive_too(capsys: pytest.CaptureFixture[str], kept: Path) -> None:
    (device,) = kept.iterdir()

    assert run(capsys, "summary", str(device)).code == 0


def test_a_condensed_archive_tells_the_same_totals(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = group(study(archive.read(kept)).launches)
    monkeypatch.setattr(archive, "LARGE", 10)
    condensed = archive.read(kept)
    added = group(study(condensed).launches)
    columns = ["name", "grid", "launches", "seconds", "dram_bytes", "flops", "l2_bytes"]
    order = ["name", "seconds"]

    assert condensed.launches.height < whole["launches"].sum()
    assert_frame_equal(added.select(columns).sort(order), whole.select(columns).sort(order), rel_tol=1e-9)


def test_a_folder_without_captures_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer = run(capsys, "save", str(tmp_path), "-o", str(tmp_path / "archive"))

    assert (answer.code, answer.out) == (3, "")
    assert "a folder without captures" in answer.err
