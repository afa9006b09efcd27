"""The notebooks are committed with what they print and draw of measured captures, and print it again when they run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))


def ids(book: Path) -> str:
    return book.name


def cells(book: Path) -> list[dict[str, Any]]:
    """The cells with code."""
    return [cell for cell in json.loads(book.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def printed(every: list[dict[str, Any]]) -> list[str]:
    """The text of every output."""
    return ["".join(out["data"]["text/plain"]) for cell in every for out in cell["outputs"] if "data" in out]


def test_there_are_notebooks() -> None:
    assert len(BOOKS) == 4


@pytest.mark.parametrize("book", BOOKS, ids=ids)
def test_it_is_committed_with_its_outputs_and_names_no_folder(book: Path) -> None:
    every = cells(book)

    assert [cell["execution_count"] for cell in every] == list(range(1, len(every) + 1))
    assert len(printed(every)) >= len(every) - 2  # imports and definitions print nothing
    assert [out for cell in every for out in cell["outputs"] if out["output_type"] != "execute_result"] == []
    assert not re.search(r"(?:/home|/root|/work|/tmp|/Users)/", book.read_text(encoding="utf-8"))
    assert book.stat().st_size < 400_000


@pytest.mark.parametrize("book", BOOKS, ids=ids)
def test_it_shows_measured_captures_and_says_so(book: Path) -> None:
    text = book.read_text(encoding="utf-8")

    assert "**measured**" in text
    assert "fixtures/measured" in text
    assert "fixtures/synthetic" not in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("book", BOOKS, ids=ids)
def test_it_prints_again_what_it_was_committed_with(book: Path) -> None:
    pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    from tools.notebooks import executed, tidied

    again = [cell for cell in tidied(executed(book)).cells if cell.cell_type == "code"]

    assert printed(again) == printed(cells(book))  # else: make notebooks
    assert any("image/png" in out.get("data", {}) for cell in again for out in cell.outputs) or "4-your" in book.name
