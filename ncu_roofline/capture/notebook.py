"""A capture as a notebook shows it: what it is, where its time goes; every text from the file escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from ncu_roofline.capture.units import counted, text

if TYPE_CHECKING:
    from ncu_roofline.capture.capture import Capture, Run

KERNELS = 5
LONGEST = 300


def html(capture: Capture) -> str:
    """Name, device, known facts of the run, and the kernels that take longest."""
    parts = [f"<p><strong>{safe(capture.name)}</strong>: {summary(capture)}</p>", kernels(capture.launches)]
    parts.append(run_line(capture.run))
    parts += [f"<p>Note: {safe(note)}</p>" for note in capture.notes]
    return "".join(parts)


def run_line(run: Run) -> str:
    """The known facts of a run, each with its origin."""
    facts = {name: fact for name, fact in run.known().items() if name != "synthetic"}
    known = [f"{name} {safe(fact.value)} ({safe(fact.origin)})" for name, fact in facts.items()]
    return f"<p>Run: {'; '.join(known)}</p>" if known else ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A small table of text."""
    lines = [head, *rows]
    cells = ["".join(f"<td>{safe(value)}</td>" for value in line) for line in lines]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in cells) + "</table>"


def safe(value: object) -> str:
    """Text that HTML takes as text: one line, nothing that hides or reorders."""
    shown = "".join(c if c.isprintable() else " " for c in str(value)[:LONGEST])
    return escape(shown)


def summary(capture: Capture) -> str:
    """Launches, distinct kernels, device and time."""
    launches = capture.launches
    time = text(float(launches["seconds"].sum()) if launches["seconds"].count() else None, "s")
    where = f" on {safe(capture.device.name)}" if capture.device.name else ""
    synthetic = "synthetic, not measured; " if capture.run.synthetic.value else ""
    kinds = counted(launches["name"].n_unique(), "kernel")
    return f"{synthetic}{counted(launches.height, 'launch')} of {kinds}{where}, {time}"


def kernels(launches: pl.DataFrame) -> str:
    """A small table: the functions that take longest, with their launches."""
    known = pl.col("seconds").count() > 0
    longest = (
        launches.group_by("kernel", maintain_order=True)
        .agg(pl.len().alias("launches"), seconds=pl.when(known).then(pl.col("seconds").sum()))
        .sort("seconds", descending=True, nulls_last=True, maintain_order=True)
        .head(KERNELS)
    )
    head = "<tr><th>kernel</th><th>launches</th><th>time</th></tr>"
    rows = [
        f"<tr><td><code>{safe(kernel)}</code></td><td>{count:,}</td><td>{text(seconds, 's')}</td></tr>"
        for kernel, count, seconds in longest.iter_rows()
    ]
    return f"<table>{head}{''.join(rows)}</table>"
