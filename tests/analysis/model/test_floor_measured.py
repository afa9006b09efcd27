"""The floor beside the bytes that our own captures were made to read: four layers, LM head, rows and norms."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ncu_roofline.analysis.model.footprint import Setting, dtype_of, kv_bytes
from ncu_roofline.knowledge.models import models

FOLDER = Path(__file__).parents[3] / "fixtures/measured"
ROWS = list(csv.DictReader((FOLDER / "known.tsv").read_text().splitlines(), delimiter="\t"))
STORED = {"fp8": "fp8", "sparse24": "2:4"}
"""Variants whose linear layers alone are narrower; the head stays in 16 bits."""
EXPERTS = (46 + 52 + 56 + 51) / 4
"""Distinct experts that the routing hit in the four layers."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"].split(".")[0])
def test_the_floor_of_the_captured_layers_is_what_was_read(row: dict[str, str]) -> None:
    model, stored = models.load(row["shape"]), STORED.get(row["variant"])
    how = Setting(batch=int(row["batch"]), context=int(row["context"]), weights=stored, head="bf16" if stored else None)
    part = int(row["layers"]) / int(row["of_layers"])
    reads = model.reads(how.batch, EXPERTS if model.experts else None)
    weights = sum(n * dtype_of(w, model, how).bytes * (part if w.layers else 1) for w, n in reads)
    cache = how.batch * kv_bytes(model, how) * part

    assert weights == pytest.approx(int(row["weight_bytes"]), rel=0.001)
    assert cache == int(row["kv_bytes"])


def test_a_llama_layer_counted_on_paper() -> None:
    # queries and output 4096 x 4096, keys and values 1024 x 4096, three of 14336 x 4096
    layer = 2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 14336 * 4096
    head = 128256 * 4096
    assert 4 * layer * 2 + head * 2 == 2_795_503_616
    assert 4 * layer * 1 + head * 2 == 1_923_088_384
    assert 4 * layer * 1.125 + head * 2 == 2_032_140_288
