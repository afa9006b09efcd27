"""Runs the notebooks from their folder and keeps what they print and draw: `python -m tools.notebooks`."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from nbclient import NotebookClient

nbformat: Any = import_module("nbformat")  # its functions have no types
FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SHOWN = ("text/plain", "text/html", "image/png")
"""Forms of an output that are kept."""
PICTURES = "import altair; altair.renderers.enable('png')"
"""Before the first cell, so that a chart is kept as a picture and not as a program that draws it."""


def executed(book: Path) -> Any:
    """The notebook with the outputs of its cells."""
    notebook = nbformat.read(book, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(PICTURES))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    del notebook.cells[0]
    return notebook


def tidied(notebook: Any) -> Any:
    """The notebook without times, versions and what is drawn anew each time."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    )
    for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code"):
        cell.metadata, cell.execution_count = {}, number + 1
        for output in cell.outputs:
            if "data" in output:
                output.data = {form: content for form, content in output.data.items() if form in SHOWN}
                output.metadata = {}
            if "execution_count" in output:
                output.execution_count = number + 1
    return notebook


def main() -> None:
    """Writes every notebook again."""
    for book in sorted(FOLDER.glob("*.ipynb")):
        book.write_text(json.dumps(tidied(executed(book)), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"Wrote notebooks/{book.name}")


if __name__ == "__main__":
    main()
