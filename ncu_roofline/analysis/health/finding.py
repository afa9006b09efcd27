"""One doubt about a capture, and the words that all doubts share."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.roofline.overview import launch_count
from ncu_roofline.analysis.study import Study

BLOCKS, WEAKENS, NOTES = "blocks", "weakens", "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One doubt: its code (a closed set), how much it costs, what is wrong, what to do."""

    code: str
    severity: str
    message: str
    advice: str = ""


def counted(study: Study, which: pl.Expr) -> int:
    """Number of launches that fit."""
    return launch_count(study.launches.filter(which))


def of_all(number: int, study: Study) -> str:
    """`all 30 launches`, `both launches`, `3 of 4,991 launches`, `the only launch`."""
    total = launch_count(study.launches)
    if number < total:
        return f"{number:,} of {total:,} launches"
    return {1: "the only launch", 2: "both launches"}.get(total, f"all {total:,} launches")


def its(number: int) -> str:
    """`its` for one launch, `their` for several."""
    return "its" if number == 1 else "their"


def again(number: int, study: Study) -> str:
    """What helps where other launches of the same capture were measured; empty where none was."""
    return "The other launches have them: capture these kernels again." if number < launch_count(study.launches) else ""


def sentence(note: str) -> str:
    """A note with a full stop, and a capital unless it begins with the name of a file, a GPU or a model.

    >>> sentence("context is stated as 400"), sentence("q1.csv: damaged."), sentence("h100 was taken as H100 SXM")
    ('Context is stated as 400.', 'q1.csv: damaged.', 'h100 was taken as H100 SXM.')
    """
    begun = note[:1].upper() + note[1:] if re.match(r"[a-z]+[ ,]", note) else note
    return begun if begun.endswith(".") else f"{begun}."


def s(number: int) -> str:
    """The ending of a verb: one launch uses, two use."""
    return "s" if number == 1 else ""
