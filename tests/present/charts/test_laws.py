"""The laws over the batch: measured points, theory through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.study import Choices, study
from ncu_roofline.analysis.sweep.sweep import Sweep, sweep
from ncu_roofline.knowledge.models import models
from ncu_roofline.present.charts.laws import draw, labels, lines, points
from ncu_roofline.readers import read
from tests import planted

FOLDER = Path(__file__).parents[3] / "fixtures" / "measured"


@pytest.fixture(scope="module")
def measured() -> Sweep:
    """Llama shapes on an H100 at batch 8, 32 and 128."""
    known = Choices(model=models.load("llama-3.1-8b"))
    return sweep([study(read(FOLDER / f"h100-dense-b{batch}.ncu-repz"), known) for batch in (8, 32, 128)])


def test_theory_goes_through_the_measured_points(measured: Sweep) -> None:
    # 2 x batch / 2 bytes; 2 x 4 query heads per KV head / 2 bytes; DRAM writes take a few percent
    law: dict[str, Any] = {"FC": lambda batch: batch, "attention": lambda batch: 4.0}
    for batch, value, family, _ in points(measured).rows():
        assert value == pytest.approx(law[family](batch), rel=0.09)
    drawn = lines(measured, [8.0, 128.0])
    assert [y / x for x, y, family in drawn.rows() if family == "FC"] == pytest.approx([1.0, 1.0])
    assert [y for _, y, family in drawn.rows() if family == "attention"] == [4.0, 4.0]


def test_values_of_several_captures_at_one_batch_are_one_text(measured: Sweep) -> None:
    # FC at batch 8 twice, 7.7 and 7.9; the text stands at the lower one
    twice = points(measured).filter(family="FC", batch=8)
    both = pl.concat([twice.with_columns(intensity=pl.lit(v)) for v in (7.9, 7.7)])

    assert labels(both).rows() == [(8.0, 7.7, "7.7 to 7.9")]
    assert labels(both.head(1)).rows() == [(8.0, 7.9, "7.9")]


def test_the_title_is_the_finding(measured: Sweep) -> None:
    assert draw(measured).to_dict()["title"]["text"] == "FC climbs with the batch, attention stays"


def test_without_a_model_attention_has_no_law() -> None:
    found = sweep([planted.study(batch=batch, layers=2) for batch in (1, 8)])
    assert {family for *_, family in lines(found, [1.0, 8.0]).rows()} == {"FC"}
