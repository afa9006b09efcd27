"""Words and table of the devices that the project knows."""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.units import text
from ncu_roofline.present.documents.grammar import sentence
from ncu_roofline.present.forms.document import Document, Table

COLUMNS = (
    "name",
    "sms",
    "memory_bytes",
    "bandwidth",
    "peak_16bit",
    "ridge_16bit",
    "ridge_fp8",
    "ridge_fp4",
    "ridge_int8",
    "doubtful",
)

LEGEND = "REP a real report, MEM the vendor's datasheet from memory, PUB a public file, CSV a public export"


def document(rows: pl.DataFrame, shown: pl.DataFrame) -> Document:
    """The table of devices; `rows` for programs, `shown` for people."""
    return Document(
        answer=_answer(shown),
        tables=(Table("", shown, COLUMNS, spare=("ridge_int8", "ridge_fp4", "sms")),),
        doubts=tuple(sentence(f"{name}: {doubt}") for name, doubt in rows.select("name", "doubts").drop_nulls().iter_rows()),
        data={"rows": rows, "notes": []},
    )


def _answer(shown: pl.DataFrame) -> tuple[str, ...]:
    if shown.height == 1:
        row = shown.row(0, named=True)
        return (
            f"{row['product']} ({row['chip']}, compute capability {row['compute_capability']}): "
            f"{text(row['bandwidth'], 'byte/s')}, ridge {text(row['ridge_16bit'], 'FLOP/byte')} in 16 bits.",
            f"Source ({LEGEND}): {row['source']}." + (f" {row['notes']}." if row["notes"] else ""),
        )
    return (
        f"{shown.height} GPUs, datasheet figures, dense. A kernel below the ridge is memory-bound, above it "
        "compute-bound; 16 bits accumulate in FP32; * has doubts, named below.",
    )
