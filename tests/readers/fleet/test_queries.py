"""The questions that the page on fleets shows: asked of an archive as they stand there, and answered alike."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from tests.analysis.fleet.fleets import DENSE
from tests.command import run

PAGE = Path("docs/howto-fleet.md").read_text(encoding="utf-8")
MEASURED = [DENSE, "fixtures/measured/h100-fp8-b8.ncu-repz"]


@pytest.fixture
def archive(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> str:
    """Two captures on main, one of them with context and weights of its own."""
    target = str(tmp_path / "archive")
    for commit, path in zip(("a1", "b2"), MEASURED, strict=True):
        words = ["--meta", f"commit={commit}", "--meta", "branch=main", "--workers", "1"]
        assert run(capsys, "ingest", path, "--to", target, *words).code == 0
    assert run(capsys, "compact", target).code == 0
    return target


def shown(kind: str, mark: str) -> str:
    """A block of the page."""
    found: str = next(block for block in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if mark in block)
    return found


def test_polars_and_duckdb_answer_alike_and_right(archive: str) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (extra `dev`)")
    names: dict[str, pl.LazyFrame] = {}
    exec(shown("python", "by_kernel").replace("ARCHIVE", archive), {}, names)
    first, second = (q for q in shown("sql", "DuckDB").replace("ARCHIVE", archive).split(";") if q.strip())
    per_token, by_kernel = names["per_token"].collect(), names["by_kernel"].collect()
    by_commit = dict(duckdb.sql(first).fetchall())
    kernels = {name: (moved, time) for name, moved, time in duckdb.sql(second).fetchall()}

    assert by_commit == pytest.approx(dict(per_token.iter_rows()))
    assert by_commit["a1"] == pytest.approx((3_072_763_648 + 100_990_464) / 8)
    assert {name: pytest.approx(both) for name, *both in by_kernel.iter_rows()} == {n: list(v) for n, v in kernels.items()}
    assert sum(moved for moved, _ in kernels.values()) == pytest.approx(sum(by_commit.values()))
