"""Writes docs/projections.md: what the projection says of each pair that we measured at both ends: `python -m tools.projections`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

import ncu_roofline as nr
from ncu_roofline.analysis.compare.sides import footings
from ncu_roofline.analysis.project.project import Projection, project
from ncu_roofline.analysis.project.scales import Target
from ncu_roofline.capture.units import text
from ncu_roofline.knowledge.devices import gpus

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "fixtures" / "measured"
PAGE = ROOT / "docs" / "projections.md"
PAIRS = (
    ("h100-dense-b8", "h200-dense-b8", "--gpu h200"),
    ("h200-dense-b8", "h100-dense-b8", "--gpu h100"),
    ("h100-dense-b8", "h100-dense-b32", "--batch 32"),
    ("h100-dense-b32", "h100-dense-b8", "--batch 8"),
    ("h100-dense-b8", "h100-fp8-b8", "--weights fp8"),
    ("h100-dense-b8", "h100-sparse24-b8", "--weights 2:4"),
)
WORTH = 0.02
"""Roles with less than this part of the measured time are counted together."""
WHY = {
    "fp8": "Not modelled: the kernels that quantise the inputs of FP8 matrices (elementwise here).",
    "2:4": "Not modelled: copies and padding to 256 rows of the vendor's 2:4 kernels, nor how slow they are but for the far end.",
    "batch": "Not modelled: small kernels change with the batch; per step they are taken to last as long as before.",
    "gpu": "The far ends are as wide as this one pair of devices is known to be off, twice over.",
}


def main() -> None:
    """Writes the page."""
    lines = [
        "# Projections against measurement",
        "",
        "*Written by `python -m tools.projections` from [fixtures/measured](../fixtures/measured/README.md).*",
        "",
        "`ncu-roofline project BASE --gpu …` says what a run would take elsewhere, as a range. Here are the pairs that we captured at",
        "both ends: time per token as projected from the first capture, and as measured in the second. *Off* is the distance from",
        "the nearer end of the range; equal kernels differ by up to 3 % from one capture to the next.",
        *(line for pair in PAIRS for line in section(*pair)),
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Wrote {PAGE.relative_to(ROOT)}")


def section(base: str, head: str, target: str) -> Iterator[str]:
    """One pair: the command, a table by role, and what is not modelled."""
    found = projected(base, target)
    measured = seconds(head, found.basis)
    yield from ("", f"## {base} to {head}", "", f"`ncu-roofline project fixtures/measured/{base}.ncu-repz {target}`", "")
    yield from ("| role | before | projected | measured | off |", "| --- | ---: | ---: | ---: | ---: |")
    rows = found.rows.join(measured, on="role", how="left").sort("seconds", descending=True)
    whole = float(measured["measured"].sum())
    worth = pl.col("measured") >= WORTH * whole
    columns = ("seconds", "seconds_low", "seconds_high", "measured")
    for row in rows.filter(worth).iter_rows(named=True):
        yield line(row["role"], [row[c] for c in columns])
    yield line("the rest", [float(rows.filter(~worth)[c].sum()) for c in columns])
    yield line("**all**", [*(found.total[c] or 0.0 for c in columns[:3]), whole])
    kind, _, value = target.removeprefix("--").partition(" ")
    yield from ("", WHY.get(value) or WHY[kind])


def projected(base: str, target: str) -> Projection:
    """The projection of one capture."""
    kind, _, value = target.removeprefix("--").partition(" ")
    wanted = {
        "gpu": Target(gpu=gpus.find(value) if kind == "gpu" else None),
        "batch": Target(batch=int(value) if kind == "batch" else None),
        "weights": Target(weights=value),
    }
    return project(nr.study(nr.read(MEASURED / f"{base}.ncu-repz", model="llama-3.1-8b")), wanted[kind])


def seconds(head: str, basis: str) -> pl.DataFrame:
    """Measured time per token by role."""
    footing = footings(nr.study(MEASURED / f"{head}.ncu-repz"))[basis]
    role = pl.col("role").cast(pl.String)
    return footing.launches.group_by(role).agg(measured=pl.col("seconds").sum() / footing.divisor)


def line(name: str, figures: list[float]) -> str:
    """One row of the table: before, both ends of the projection, measured."""
    before, low, high, measured = figures
    span = text(low, "s") if text(low, "s") == text(high, "s") else f"{text(low, 's')} to {text(high, 's')}"
    return f"| {name} | {text(before, 's')} | {span} | {text(measured, 's')} | {off(low, high, measured)} |"


def off(low: float, high: float, measured: float) -> str:
    """How far outside of the range, to a tenth of a per cent."""
    nearer = measured / low if measured < low else measured / high if measured > high else 1.0
    return "inside" if abs(nearer - 1) < 0.0005 else f"{100 * (nearer - 1):+.1f} %"


if __name__ == "__main__":
    main()
