"""The command `history` on an archive: words, JSON, chart and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from ncu_roofline.readers.fleet import tables
from tests.analysis.fleet.fleets import DENSE, grown
from tests.command import Answer, run
from tools import schemas


def kept(folder: Path, runs: pl.DataFrame) -> str:
    (folder / "runs").mkdir(parents=True)
    (folder / "runs" / "merged-0.parquet").write_bytes(tables.packed(runs))
    return str(folder)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """40 commits of which the 20th moves 5 % more bytes in its matrices."""
    return kept(tmp_path_factory.mktemp("fleet") / "archive", grown(40, {20: ("fc", "bytes", 0.05)}))


def test_it_says_first_what_the_last_commit_did_and_where_the_others_changed(
    capsys: pytest.CaptureFixture[str], archive: str
) -> None:
    out = " ".join(run(capsys, "history", archive).out.split())

    assert out.startswith(
        "llama-3.1-8b, H100 SXM5 80GB, batch 8, 4 layers: the last of 40 points (c0039): no change against the "
    )
    assert "1 change point: fc bytes +5.0 % at c0020." in out


def test_json_has_series_with_points_and_changes(capsys: pytest.CaptureFixture[str], archive: str) -> None:
    answer = json.loads(run(capsys, "history", archive, "--fail-if", "bytes_per_token > +2%", "--format", "json").out)
    jsonschema.Draft202012Validator(schemas.schemas()["history"]).validate(answer)
    (series,) = answer["series"]
    (change,) = series["changes"]

    assert (change["commit"], change["metric"], change["role"]) == ("c0020", "bytes_per_token", "fc")
    assert change["relative"] == pytest.approx(0.05, abs=0.005)
    assert (len(series["points"]), series["workload"]["batch"], series["per"]) == (40, 8, "token")
    assert series["last"]["verdict"] == "no_change"


def test_a_condition_keeps_what_is_meant(capsys: pytest.CaptureFixture[str], archive: str) -> None:
    def points(*where: str) -> int:
        words = [w for each in where for w in ("--where", each)]
        (series,) = json.loads(run(capsys, "history", archive, *words, "--format", "json").out)["series"]
        return len(series["points"])

    assert points("branch=main", "batch=8") == 40
    assert points("commit_time>=2026-01-01T20:00:00Z") == 20
    assert points("commit!=c0000", "commit<=c0009") == 9
    for wrong in ("batch=x", "nothing=1", "branch", "when>=soon", "branch=none"):
        assert run(capsys, "history", archive, "--where", wrong).code == 3


def test_a_gate_exits_1_where_the_last_commit_grew_and_0_where_it_did_not(
    capsys: pytest.CaptureFixture[str], archive: str, tmp_path: Path
) -> None:
    grew = kept(tmp_path / "grew", grown(30, {29: ("fc", "bytes", 0.05)}))
    rule = ("--fail-if", "bytes_per_token > +2%")
    kept_, broken = run(capsys, "history", archive, *rule), run(capsys, "history", grew, *rule)
    first = kept(tmp_path / "first", grown(1, {}))

    assert (kept_.code, broken.code, run(capsys, "history", first, *rule).code) == (0, 1, 5)
    assert run(capsys, "history", first, *rule, "--allow-cannot-tell").code == 0
    assert "'bytes_per_token > +2%' fails: +4.5" in broken.err


def test_a_chart_is_written_whole_and_not_over_another(
    capsys: pytest.CaptureFixture[str], archive: str, tmp_path: Path
) -> None:
    chart = tmp_path / "history.json"
    first = run(capsys, "history", archive, "--chart", str(chart), "--format", "markdown")
    spec = json.loads(chart.read_text())

    assert first.code == 0 and "| 1 | c0020 |" in first.out
    assert len(spec["vconcat"]) == 2
    assert "c0020: fc +5.0 %" in chart.read_text()
    assert run(capsys, "history", archive, "--chart", str(chart)).code == 3


def test_kernels_are_followed_through_ingest_and_merging(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = str(tmp_path / "archive")
    assert run(capsys, "ingest", DENSE, "--to", target, "--meta", "commit=abc", "--workers", "1").code == 0
    single = kernels(run(capsys, "history", target, "--by", "kernel", "--format", "json"))
    assert run(capsys, "compact", target).code == 0

    assert kernels(run(capsys, "history", target, "--by", "kernel", "--format", "json")) == single
    assert single == pytest.approx((3_072_763_648 + 100_990_464) / 8)


def kernels(answer: Answer) -> float:
    (series,) = json.loads(answer.out)["series"]
    value: float = series["points"][0]["bytes_per_token"]
    return value


def test_no_archive_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer = run(capsys, "history", str(tmp_path))

    assert (answer.code, answer.out) == (3, "")
    assert "no archive of runs; make one with `ncu-roofline ingest CAPTURES --to ARCHIVE`" in answer.err


def test_what_orders_the_points_is_said_where_no_commit_time_does(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    runs = grown(6, {}).with_columns(
        pl.lit(None).cast(pl.Datetime("us", "UTC")).alias("commit_time"), when_source=pl.lit("file")
    )
    answer = " ".join(run(capsys, "history", kept(tmp_path / "archive", runs)).out.split())

    assert "6 captures are ordered by the time of their file; --meta commit_time=TIME tells their place." in answer
    assert "5 points have the time of another one: those are ordered by the names of their files." in answer
