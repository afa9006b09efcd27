"""Our own captures against their known truth: what the run was must come out with nothing stated."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.run.tokens import totals
from tests.synthetic import LLAMA_8B
from tests.synthetic.models import Plan
from tests.synthetic.tables import write_raw_csv

FOLDER = Path(__file__).parents[3] / "fixtures" / "measured"
ROWS = list(csv.DictReader((FOLDER / "known.tsv").read_text().splitlines(), delimiter="\t"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_what_ran_comes_out_unaided(row: dict[str, str]) -> None:
    study = nr.study(FOLDER / row["file"])
    run = study.run

    assert (run.steps.value, run.batch.value, run.layers.value) == (int(row["steps"]), int(row["batch"]), int(row["layers"]))
    assert run.context.value == pytest.approx(int(row["context"]), rel=0.03)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_bytes_per_token_come_out_unaided(row: dict[str, str]) -> None:
    study = nr.study(FOLDER / row["file"])
    found = totals(study.launches, study.run)

    assert found.tokens == int(row["tokens"])
    both = float(row["dram_read"]) + float(row["dram_write"])
    assert found.per_token("dram_bytes") == pytest.approx(both / int(row["tokens"]), rel=0.002)


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r["file"].startswith(("h100-dense-b8.", "h100-moe"))], ids=lambda r: r["file"]
)
def test_an_export_as_csv_tells_what_the_report_tells(row: dict[str, str], tmp_path: Path) -> None:
    plan = Plan(model=LLAMA_8B, batch=8, nvtx=True)
    frame = nr.read(FOLDER / row["file"]).launches
    study = nr.study(write_raw_csv(tmp_path / "export.csv", plan, frame=frame))
    found = totals(study.launches, study.run)

    assert (study.run.steps.value, study.run.batch.value, study.run.layers.value) == (1, int(row["batch"]), 4)
    # printed with few digits
    assert found.per_token("dram_read_bytes") == pytest.approx(float(row["dram_read"]) / int(row["tokens"]), rel=1e-3)


@pytest.mark.parametrize("row", [r for r in ROWS if r["shape"] == "llama-3.1-8b"], ids=lambda row: row["file"])
def test_naming_the_model_changes_no_fact_that_the_capture_shows(row: dict[str, str]) -> None:
    study = nr.study(nr.read(FOLDER / row["file"], model=row["shape"]))

    assert (study.run.steps.value, study.run.batch.value) == (1, int(row["batch"]))
    assert study.run.context.value == pytest.approx(int(row["context"]), rel=0.03)
