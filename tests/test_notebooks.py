"""The notebooks run from their folder, and are committed without outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))


def ids(book: Path) -> str:
    return book.name


def test_there_are_notebooks() -> None:
    assert len(BOOKS) == 4


@pytest.mark.parametrize("book", BOOKS, ids=ids)
def test_it_is_small_and_without_outputs(book: Path) -> None:
    cells = json.loads(book.read_text(encoding="utf-8"))["cells"]

    assert [c for c in cells if c["cell_type"] == "code" and (c["outputs"] or c["execution_count"])] == []
    assert book.stat().st_size < 20_000


@pytest.mark.parametrize("book", BOOKS, ids=ids)
def test_it_says_that_its_captures_are_synthetic(book: Path) -> None:
    assert "**synthetic**" in book.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("book", BOOKS, ids=ids)
def test_it_runs_from_its_folder(book: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(book, as_version=4)

    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()

    drawn = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    assert [out for out in drawn if out.output_type == "error"] == []
    assert any(key.startswith("application/vnd.vega") or key == "text/html" for out in drawn for key in out.get("data", {}))
