"""The batch of launches alone, as a run's account asks for it step by step."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.batch import over_steps, sequences_of_steps
from ncu_roofline.capture.capture import Fact


def infer_batch(launches: pl.DataFrame, accepted: float = 1.0, *, drafts: bool = False) -> Fact[int]:
    """The batch, with its witnesses; where it changes from step to step, the range; unknown where nothing tells it.

    Where drafts are verified a step has more rows than sequences: only what counts sequences tells.
    """
    return over_steps(sequences_of_steps(launches, drafts=drafts or accepted > 1))
