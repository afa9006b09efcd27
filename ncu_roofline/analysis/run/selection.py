"""Which launches a question is about: those of decode where decode is told, else all; or as the user says."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.run.basis import basis, decode_launches
from ncu_roofline.capture.capture import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The launches that count, of which phase they are, and how many are left out."""

    launches: pl.DataFrame
    phase: str
    left_out: int


def selected(launches: pl.DataFrame, run: Run, phase: str | None = None) -> Selected:
    """The launches of the phase; without one those of whole decode steps, or of whole layers where no step is whole.

    Where nothing tells of decode, or the capture is prefill alone, all of them.
    """
    phase = phase or ("decode" if decode_is_told(launches, run) else "all")
    if phase == "all":
        return Selected(launches=launches, phase=phase, left_out=0)
    kept = basis(launches, run, phase).launches
    return Selected(launches=kept, phase=phase, left_out=launches.height - kept.height)


def decode_is_told(launches: pl.DataFrame, run: Run) -> bool:
    """Whether anything of the capture is known to be decode."""
    stated = any(fact.origin == "given" for fact in (run.batch, run.steps, run.tokens, run.layers_captured))
    told = bool((launches["phase"].cast(pl.String) == "decode").any())
    return (told or stated) and decode_launches(launches).height > 0
