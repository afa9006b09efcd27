"""Captures named on the command line -> Study, with every choice of the user applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.cli.options import Phase
from ncu_roofline.cli.progress import progress
from ncu_roofline.readers import read


def load(
    captures: Sequence[str],
    *,
    gpu: str | None = None,
    roles: Path | None = None,
    ridge: str = "profiled",
    reader: str = "auto",
    facts: dict[str, Any] | None = None,
    latency_share: float | None = None,
    ceiling: str | None = None,
    phase: Phase | None = None,
) -> Study:
    """The study of one capture, which may be several files."""
    from ncu_roofline.knowledge.kernels.roles import load_rules
    from ncu_roofline.knowledge.models.models import load as load_model
    from ncu_roofline.readers import expand
    from ncu_roofline.readers.facts import byte_rate, stated

    best = byte_rate("`ceiling=`", ceiling) if ceiling is not None else None
    with progress(f"reading {captures[0]}"):
        capture = read(list(captures), reader=reader)
        capture = replace(capture, run=stated(capture.run, expand(list(captures)), facts or {}))
        model = capture.run.model.value
        choices = Choices(
            gpu=gpu,
            rules=load_rules(roles),
            ridge=ridge,
            latency_share=latency_share,
            phase=phase.value if phase else None,
            ceiling=best,
            model=load_model(model) if model else None,
        )
        return study(capture, choices)
