"""The page on slim captures tells sizes, and of public captures no file name."""

from __future__ import annotations

from pathlib import Path

from tools.slim import MEASURED, page, report, table

PAGE = Path(__file__).parents[1] / "docs" / "slim.md"


def test_sizes_are_told_in_kilobytes_largest_first() -> None:
    text = page([], [("a small one", 1, 0, 2_000, 1_000), ("a large one", 12, 3, 9_000_000, 8_500)], (2, 7, 1_000_000, 900_000))
    assert "| a large one | 12 | 3 | 9,000 | 8.5 |" in text
    assert text.index("a large one") < text.index("a small one")
    assert "2 reports, 9.0 MB before and 0.0 MB after" in text
    assert "2 tables: 1.0 MB before and 0.9 MB after; 7 lines" in text


def test_the_page_tells_the_captures_of_the_project_as_they_are() -> None:
    name = "h200-whole-dense8-moe8-dense32.ncu-repz"
    assert table([report(MEASURED / name, f"`{name}`")]).splitlines()[-1].rsplit("|", 2)[0] in PAGE.read_text(encoding="utf-8")


def test_public_captures_are_told_without_their_file_names() -> None:
    assert "__" not in PAGE.read_text(encoding="utf-8")
