"""Writes docs/laws.md: what theory says of FC, attention and every weight matrix, beside the counters: `python -m tools.laws`.

FLOPs are those that the model needs, bytes are DRAM reads. Nothing but the names of captures is typed here.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.analysis.sweep.sweep import sweep
from ncu_roofline.capture.units import text
from ncu_roofline.knowledge.models import models
from ncu_roofline.present.charts import export, laws
from ncu_roofline.readers import read

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "fixtures" / "measured"
PAGE = ROOT / "docs" / "laws.md"
MODEL = "llama-3.1-8b"
DENSE = ("h100-dense-b8", "h200-dense-b8", "h100-dense-b32", "h100-dense-b128")
LARGE = 4e6
"""Bytes from which a matrix is read from memory and not from what a cache kept."""
WIDTH = 2.0
"""Bytes of a BF16 number."""


@dataclass(frozen=True, slots=True)
class Law:
    """FLOP per byte as measured beside the formula."""

    capture: str
    batch: int
    measured: float
    theory: float

    @property
    def off(self) -> float:
        """measured / theory - 1."""
        return self.measured / self.theory - 1


@lru_cache
def known() -> dict[str, dict[str, str]]:
    """The truth that was written down when the captures were made."""
    with (MEASURED / "known.tsv").open() as file:
        return {row["file"].removesuffix(".ncu-repz"): row for row in csv.DictReader(file, delimiter="\t")}


@lru_cache
def studied(name: str) -> Study:
    """A capture with its model's matrices found."""
    return study(read(MEASURED / f"{name}.ncu-repz"), Choices(model=models.load(MODEL)))


def fc(name: str) -> Law:
    """FLOPs of the matrices, 2 x rows x N x K each, over what was read for them; the law is 2 x batch / bytes per weight."""
    batch = int(known()[name]["batch"])
    mine = studied(name).launches.filter(pl.col("matrix_n").is_not_null())
    flops = mine.select((2.0 * batch * pl.col("matrix_n") * pl.col("matrix_k")).sum()).item()
    return Law(name, batch, flops / mine["dram_read_bytes"].sum(), 2 * batch / WIDTH)


def attention(name: str) -> Law:
    """4 x context x heads x head width per sequence and layer, over what attention read; the law is 2 x sharing / width."""
    row, model = known()[name], models.load(MODEL)
    per_element = {c.flops / c.elements for c in model.caches if c.elements}.pop()
    cached = float(row["kv_bytes"]) / WIDTH  # keys and values of all sequences in the layers that ran
    mine = studied(name).launches.filter(pl.col("role").cast(pl.String) == "attention")
    read_bytes = float(mine.select(pl.col("dram_read_bytes").sum()).item())
    return Law(name, int(row["batch"]), cached * per_element / read_bytes, per_element / WIDTH)


def matrices(name: str) -> pl.DataFrame:
    """Every weight matrix above `LARGE`: launches, bytes it has, least and most that was read for it over that."""
    found = studied(name).launches.filter(pl.col("matrix_bytes") >= LARGE, pl.col("read_amplification").is_not_null())
    return (
        found.group_by("projection", maintain_order=True)
        .agg(
            launches=pl.len(),
            bytes=pl.col("matrix_bytes").first(),
            least=pl.col("read_amplification").min(),
            most=pl.col("read_amplification").max(),
        )
        .with_columns(capture=pl.lit(name))
    )


def law_table(found: list[Law]) -> str:
    """One row per capture."""
    rows = [f"| {w.capture} | {w.batch} | {w.measured:.2f} | {w.theory:.0f} | {signed(100 * w.off)} % |" for w in found]
    return "\n".join(
        ["| capture | batch | measured FLOP/byte | theory | off by |", "| --- | ---: | ---: | ---: | ---: |", *rows]
    )


def signed(percent: float) -> str:
    """One digit, and no sign before a zero."""
    shown = f"{percent:+.1f}"
    return shown[1:] if float(shown) == 0 else shown


def matrix_table() -> str:
    """One row per capture and matrix."""
    rows = [
        f"| {r['capture']} | {r['projection']} | {r['launches']} | {text(r['bytes'], 'byte')} | {r['least']:.3f} | {r['most']:.3f} |"
        for name in DENSE
        for r in matrices(name).to_dicts()
    ]
    head = [
        "| capture | matrix | launches | its bytes | read, least | read, most |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*head, *rows])


def page() -> str:
    """The page."""
    parts = [
        "# Laws against counters",
        "*Written by `python -m tools.laws` from [fixtures/measured](../fixtures/measured/README.md).*",
        "FC climbs with the batch and attention stays: here is by how much, measured on an H100 and an H200. FLOPs are those "
        "that the model needs, bytes are DRAM reads. Writes are left out: under kernel replay they are the profiler's as much "
        "as the kernel's.",
        "## FC: 2 × batch / 2 bytes per weight",
        law_table([fc(name) for name in DENSE]),
        "It stays under the law because activations are read too: next to nothing at batch 8, a percent at batch 128.",
        "## Attention: 2 × 4 query heads per KV head / 2 bytes per element",
        law_table([attention(name) for name in DENSE]),
        "Each sequence reads its own cache, so the batch changes nothing.",
        "## Over the batch",
        "![FC climbs with the batch, attention stays](gallery/laws.png)",
        "The chart counts reads and writes, as a roofline does, so its points stand a little under their laws.",
        f"## Every matrix above {text(LARGE, 'byte')}, read over its own bytes",
        matrix_table(),
        "The same in a command: `ncu-roofline sweep 'fixtures/measured/h100-dense-b[0-9]*.ncu-repz' --model llama-3.1-8b "
        "--chart laws.png`, and per matrix `ncu-roofline tokens CAPTURE --model llama-3.1-8b --by projection`.",
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """The page and its chart, written."""
    PAGE.write_text(page(), encoding="utf-8")
    over = sweep([studied(name) for name in DENSE if name.startswith("h100")])
    (PAGE.parent / "gallery" / "laws.png").write_bytes(export.written(laws.draw(over), "png"))


if __name__ == "__main__":
    main()
