"""The page on slim captures tells sizes, and of public captures no file name."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_bytes_per_launch_on_the_page_of_the_recipe_are_those_of_the_captures() -> None:
    launches = {"h100-dense-b8": 124, "h100-dense-b128": 116, "h100-fp8-b8": 168, "h100-moe-b8": 172, "h200-dense-b8": 124}
    packed = {name: (MEASURED / f"{name}.ncu-repz").stat().st_size / count for name, count in launches.items()}
    whole = report(MEASURED / "h200-whole-dense8-moe8-dense32.ncu-repz", "")

    assert 220 <= min(packed.values()) <= max(packed.values()) < 265
    assert report(MEASURED / "h100-dense-b8.ncu-repz", "")[3] / 124 == pytest.approx(20e3, rel=0.03)
    assert whole[3] / 3 == pytest.approx(56e3, rel=0.02)
    assert (MEASURED / "h200-whole-dense8-moe8-dense32.ncu-repz").stat().st_size / 3 == pytest.approx(4.8e3, rel=0.02)
