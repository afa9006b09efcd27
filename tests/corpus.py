"""The public captures beside the repository: where they are, and what the manifest says of them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl
import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
CORPUS = SHARED / "corpus"
REFERENCE = SHARED / "reference"
PRESENT = (CORPUS / "manifest.tsv").is_file()

needs_corpus = pytest.mark.skipif(not PRESENT, reason="the public captures (../shared/corpus) are not on this machine")
"""Mark of every test that reads a public capture."""


@lru_cache
def manifest() -> pl.DataFrame:
    """One row per public capture; `actions` is the number of launches it holds; empty without corpus."""
    if not PRESENT:
        return pl.DataFrame(schema={"file": pl.String, "kind": pl.String, "actions": pl.Int64})
    rows = pl.read_csv(CORPUS / "manifest.tsv", separator="\t", quote_char=None, infer_schema=False)
    return rows.with_columns(pl.col("actions").cast(pl.Int64, strict=False))


def files(*kinds: str) -> list[str]:
    """Paths inside the corpus of all captures of these kinds (`rep`, `csv-raw`, ...), sorted."""
    return sorted(manifest().filter(pl.col("kind").is_in(kinds))["file"])


def actions(file: str) -> int:
    """How many launches the manifest counts in this capture."""
    return int(manifest().filter(pl.col("file") == file)["actions"].item())
