"""Roles by name alone, against the public list of kernel names."""

from __future__ import annotations

from functools import lru_cache

import polars as pl
import pytest

from tests.corpus import needs_corpus
from tests.role_list import MAIN, accuracy, judged
from tools import roles_report

pytestmark = needs_corpus


@lru_cache
def rows(certainty: str) -> pl.DataFrame:
    return judged().filter(pl.col("certainty") == certainty)


def test_at_least_965_of_1000_certain_names_get_their_label() -> None:
    assert rows("certain").select(pl.col("right").mean()).item() >= 0.965


def test_at_most_1_in_100_certain_fc_and_attention_names_is_taken_for_the_other() -> None:
    main = rows("certain").filter(pl.col("label").is_in(MAIN))

    assert main.select(pl.col("crossed").mean()).item() <= 0.01


@pytest.mark.parametrize("by", ["label", "engine"])
def test_every_role_and_engine_with_20_rows_is_right_92_times_in_100(by: str) -> None:
    low = accuracy(rows("certain"), by).filter(pl.col("right") < 0.92)

    assert low.rows() == []


def test_names_that_need_context_are_seldom_taken_for_the_other_of_fc_and_attention() -> None:
    main = rows("needs-context").filter(pl.col("label").is_in(MAIN))

    assert main.select(pl.col("crossed").mean()).item() <= 0.05


def test_the_page_about_roles_tells_todays_rules() -> None:
    assert roles_report.PAGE.read_text() == roles_report.page(), "run: make roles-report"


def test_every_disagreement_has_a_verdict() -> None:
    assert "none yet" not in roles_report.page()
