"""One capture as rows: sums that hand arithmetic and the known truth of our own captures confirm."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.capture.fleet import JOINED, RUNS
from ncu_roofline.errors import UnusableInput
from ncu_roofline.readers.fleet import tables

FIXTURES = Path("fixtures")
DENSE = FIXTURES / "measured" / "h100-dense-b8.ncu-repz"
META = {"commit": "1a2b3c4", "commit_time": "2026-11-01T08:00:00+01:00", "branch": "main", "engine": "vllm 0.11"}


@pytest.fixture(scope="module")
def dense() -> pl.DataFrame:
    return nr.ingest(DENSE, meta=META).runs


def test_a_capture_has_one_row_a_role_in_the_columns_of_the_table(dense: pl.DataFrame) -> None:
    assert dense.schema == pl.Schema({c.name: c.dtype for c in RUNS})
    assert dense["role"].n_unique() == dense.height
    assert dense["id"].n_unique() == 1


def test_reads_over_tokens_are_the_known_truth(dense: pl.DataFrame) -> None:
    # known.tsv: 3,072,763,648 bytes read in one step of batch 8
    assert dense["read_bytes"].sum() == 3_072_763_648
    assert (dense["tokens"][0], dense["steps"][0], dense["batch"][0], dense["divisor"][0]) == (8, 1, 8, 8)
    assert dense["bytes"].sum() == 3_072_763_648 + 100_990_464


def test_launches_times_their_share_add_up_to_the_row(dense: pl.DataFrame) -> None:
    rows = nr.ingest(DENSE, meta=META)
    assert rows.launches is not None
    by_role = rows.launches.group_by("role").agg(per=(pl.col("bytes") * pl.col("share")).sum())
    both = by_role.join(dense, on="role")

    assert {c.name for c in JOINED} <= set(rows.launches.columns)
    assert both.select(((pl.col("per") - pl.col("bytes") / pl.col("divisor")).abs() < 1e-6).all()).item()


def test_the_time_of_a_capture_is_told_by_the_user_then_by_the_report(tmp_path: Path, dense: pl.DataFrame) -> None:
    told = nr.ingest(DENSE, meta={"when": "2026-10-01"}).runs
    csv = nr.ingest(FIXTURES / "synthetic" / "demo.raw.csv").runs

    assert (told["when_source"][0], str(told["when"][0].date())) == ("given", "2026-10-01")
    assert (dense["when_source"][0], str(dense["when"][0].date())) == ("report", "2026-11-27")
    assert csv["when_source"][0] == "file"
    assert str(dense["commit_time"][0]) == "2026-11-01 07:00:00+00:00"


def test_facts_beside_a_capture_count_and_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / DENSE.name
    file.write_bytes(DENSE.read_bytes())
    (tmp_path / "h100-dense-b8.run.toml").write_text('commit = "aaa"\nbranch = "main"\ncontext = 2048\n')
    row = nr.ingest(file, meta={"commit": "bbb"}).runs.row(0, named=True)

    assert (row["commit"], row["branch"], row["context"]) == ("bbb", "main", 2048)
    assert "context" not in row["inferred"] and "batch" in row["inferred"]
    assert nr.read(file).launches.height == 124


def test_a_capture_that_cannot_be_read_is_a_row_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "none.ncu-rep").write_bytes(b"")
    bad, lost = nr.ingest(tmp_path / "none.ncu-rep", meta=META), nr.ingest(tmp_path / "lost.ncu-rep")

    assert bad.reason is not None and "an empty file" in bad.reason
    assert (bad.runs.height, bad.runs["commit"][0], bad.runs["role"][0], bad.launches) == (1, "1a2b3c4", None, None)
    assert (lost.id, lost.reason) == (
        None,
        "lost.ncu-rep: cannot be opened (No such file or directory); check its name and permissions",
    )


def test_what_nobody_knows_of_a_capture_is_refused() -> None:
    with pytest.raises(UnusableInput, match="'comit' is nothing that a capture has; nearest: commit"):
        nr.ingest(DENSE, meta={"comit": "x"})
    with pytest.raises(UnusableInput, match="is no time; write it as"):
        nr.ingest(DENSE, meta={"commit_time": "yesterday"})


def test_rows_are_the_same_bytes_wherever_they_are_made(dense: pl.DataFrame) -> None:
    with ThreadPoolExecutor(2) as pool:
        apart = [rows.runs for rows in pool.map(nr.ingest, [str(DENSE)] * 2)]
    again = pickle.loads(pickle.dumps(nr.ingest(DENSE, meta=META)))

    assert tables.packed(apart[0]) == tables.packed(apart[1])
    assert tables.packed(again.runs) == tables.packed(dense)
