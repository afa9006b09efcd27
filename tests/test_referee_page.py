"""The referee's page says how often each check agrees, and names every file that differs."""

import polars as pl
import pytest

from tests.corpus import needs_corpus
from tools.referee import FOLDERS, judged, page


def test_the_page_counts_agreements_and_names_what_differs() -> None:
    rows = pl.DataFrame(
        [("bytes", "a", True, 0.0001), ("bytes", "b", False, 0.0625), ("bytes", "b", False, 0.01), ("flops", "a", True, 0.0)],
        schema=["check", "file", "agrees", "off"],
        orient="row",
    )
    text = page(rows)
    assert "| bytes | 2 | 1 | 2 | 6.2 % |" in text
    assert "| flops | 1 | 1 | 0 | 0 % |" in text
    assert "- bytes: `b`, 2 launches, up to 6.2 %" in text


@pytest.mark.slow  # every public capture beside the repository
@needs_corpus
def test_no_capture_beside_the_repository_differs() -> None:
    rows = judged(FOLDERS)
    assert rows.group_by("check").len().height == 3
    assert rows["agrees"].all()
