"""Roles in real captures: every assignment stands in a reviewed table; a change shows as a diff."""

from __future__ import annotations

import difflib

import polars as pl
import pytest

from tests.corpus import needs_corpus
from tests.role_captures import CAPTURES, GOLDEN, launches, table

pytestmark = needs_corpus


@pytest.mark.parametrize("slug", CAPTURES)
def test_roles_of_a_capture_are_the_reviewed_ones(slug: str) -> None:
    reviewed = (GOLDEN / f"roles_{slug}.tsv").read_text().splitlines()
    now = table(CAPTURES[slug]).splitlines()
    diff = "\n".join(difflib.unified_diff(reviewed, now, "reviewed", "now", lineterm="", n=0))

    assert not diff, f"{diff}\nIf this is meant: python -m tests.role_captures, and review the diff"


@pytest.mark.parametrize("slug", CAPTURES)
def test_at_least_99_percent_of_the_time_of_a_capture_is_classified(slug: str) -> None:
    timed = launches(CAPTURES[slug])
    unknown = timed.filter(pl.col("role").is_null())["seconds"].sum()

    assert unknown <= 0.01 * float(timed["seconds"].sum())
