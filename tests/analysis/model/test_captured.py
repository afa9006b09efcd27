"""A capture of some of a model's layers, told by its matrices: our own captures, each of four."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.model.captured import of_all_layers
from ncu_roofline.analysis.model.measured import against_floor
from ncu_roofline.knowledge.models import models
from ncu_roofline.present.documents.words_notes import note

FOLDER = Path(__file__).parents[3] / "fixtures/measured"
ROWS = list(csv.DictReader((FOLDER / "known.tsv").read_text().splitlines(), delimiter="\t"))
STORED = {"fp8": "fp8", "sparse24": "2:4"}


def stated(row: dict[str, str]) -> dict[str, str]:
    weights = STORED.get(row["variant"])
    return {"model": row["shape"], **({"weights": weights} if weights else {})}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_four_layers_of_the_model_are_a_fact_and_no_doubt(row: dict[str, str]) -> None:
    study = nr.study(nr.read(FOLDER / row["file"], **stated(row)))
    assert study.run.layers_captured.value == (4, int(row["of_layers"]))
    assert study.run.layers_captured.origin == "inferred"
    assert not any("is it that model?" in note(found) for found in study.notes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_the_floor_is_that_of_the_captured_layers(row: dict[str, str]) -> None:
    study = nr.study(nr.read(FOLDER / row["file"], **stated(row)))
    floor = against_floor(study.every, study.run, models.load(row["shape"]))
    least = dict(zip(floor["role"], floor["floor_bytes"], strict=True))
    assert least["fc"] + least["attention"] == pytest.approx(int(row["weight_bytes"]) + int(row["kv_bytes"]), rel=0.005)
    # reads come to what must be read and up to 3 % more; its context was told by these bytes, so attention has no quotient
    over = dict(zip(floor["role"], floor["over_floor"], strict=True))
    assert 0.995 < over["fc"] < 1.03 and over["attention"] is None


def test_all_layers_move_what_one_moves_as_often_as_there_are() -> None:
    row = ROWS[0]
    study = nr.study(nr.read(FOLDER / row["file"], **stated(row)))
    # 15,009 MB of all weights and 8 x 2048 x 131,072 bytes of cache, read; 101 MB were written beside 3,073 MB read of 4 layers,
    # nearly all inside of them, so that 8 times as many may add 808 MB
    read = 15_009_316_864 + 8 * 2048 * 131_072
    found = of_all_layers(study.every, study.run, models.load(row["shape"]))
    assert read / 8 < (found or 0) < (1.01 * read + 808e6) / 8


def test_another_model_is_doubted_and_has_no_part() -> None:
    study = nr.study(nr.read(FOLDER / "h100-dense-b8.ncu-repz", model="llama-3.1-70b"))
    assert study.run.layers_captured.value is None
    assert [found for found in study.notes if "is it that model?" in note(found)]
    assert of_all_layers(study.every, study.run, models.load("llama-3.1-70b")) is None
