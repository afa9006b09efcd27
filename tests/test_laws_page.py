"""The laws of FC, attention and weight matrices, in our own captures and on their page."""

from __future__ import annotations

import polars as pl
import pytest

from tools import laws


@pytest.mark.parametrize(
    ("name", "off"), [("h100-dense-b8", 0.01), ("h200-dense-b8", 0.01), ("h100-dense-b32", 0.01), ("h100-dense-b128", 0.03)]
)
def test_fc_does_two_flops_per_weight_read_and_sequence(name: str, off: float) -> None:
    # 2 x batch / 2 bytes per weight
    found = laws.fc(name)
    assert found.theory == found.batch
    assert found.measured == pytest.approx(found.theory, rel=off)


@pytest.mark.parametrize("name", laws.DENSE)
def test_attention_stays_at_its_law_whatever_the_batch(name: str) -> None:
    # 2 FLOPs x 4 query heads per KV head / 2 bytes per cached number
    found = laws.attention(name)
    assert found.theory == 4.0
    assert found.measured == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("name", laws.DENSE)
def test_every_large_matrix_is_read_once(name: str) -> None:
    found = laws.matrices(name)
    # four kinds in each of 4 layers, and the head
    assert found["launches"].sum() == 17
    assert found.select(pl.col("least").min()).item() >= 0.9995
    assert found.select(pl.col("most").max()).item() <= 1.04


def test_the_page_is_the_one_that_the_tool_writes() -> None:
    assert laws.PAGE.read_text(encoding="utf-8") == laws.page()
