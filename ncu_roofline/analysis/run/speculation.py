"""Whether a run speculates, and how many tokens a step then yields: told by the user, or unknown, never one in silence."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.phases import MOST_PADDING
from ncu_roofline.analysis.run.rows import listed
from ncu_roofline.capture.capture import UNKNOWN, Fact, Run


def signs(launches: pl.DataFrame, drafting: int) -> str:
    """What says that drafts are made or verified, in a phrase; empty where nothing does."""
    found = [f"{drafting} {'pass drafts' if drafting == 1 else 'passes draft'}"] if drafting else []
    kernels = launches.select(pl.col("kernel").filter(listed(launches, "speculation")))["kernel"].unique().sort().head(2)
    return ", ".join([*found, *kernels])


def rows_beyond(steps: pl.DataFrame) -> str:
    """The same by steps that count their sequences and have more rows, beyond padding."""
    counted = pl.coalesce("sequences", "nvtx_batch")
    rows = pl.max_horizontal("rows", "nvtx_rows")
    many = steps.filter((rows >= MOST_PADDING * counted) | pl.col("nvtx_drafts").fill_null(False)).select(rows, n=counted)
    return f"{many['rows'][0]} rows of {many['n'][0]} sequences" if many.height else ""


def accepted(sign: str, steps: Fact[int]) -> Fact[float]:
    """Tokens per sequence and step: unknown where drafts are verified, one where nothing says so."""
    if sign:
        return Fact(None, "unknown", f"drafts are verified ({sign}): how many are accepted is not in a capture")
    if steps.value:
        return Fact(1.0, "inferred", "nothing drafts or verifies")
    return UNKNOWN


def per_sequence(run: Run) -> float | None:
    """Tokens that a step yields for each sequence; None where drafts are verified and nobody says."""
    if run.accepted.value is not None:
        return float(run.accepted.value)
    return None if run.accepted.evidence else 1.0
