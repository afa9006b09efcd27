"""Captures named on the command line -> Study, with every choice of the user applied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.capture import units
from ncu_roofline.cli.options import Phase
from ncu_roofline.cli.progress import progress
from ncu_roofline.errors import UnusableInput
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
    byte_rate(ceiling)  # before anything is read
    from ncu_roofline.knowledge.kernels.roles import load_rules
    from ncu_roofline.knowledge.models.models import load as load_model
    from ncu_roofline.readers import expand
    from ncu_roofline.readers.facts import stated

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
            ceiling=byte_rate(ceiling),
            model=load_model(model) if model else None,
        )
        return study(capture, choices)


def byte_rate(stated: str | None) -> float | None:
    """`2.98TB/s` -> byte/s; raises UnusableInput for what is no bandwidth."""
    if stated is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([kKMGT]i?B/s)\s*", stated)
    scale = units.factor(found[2]) if found else None
    if not found or not scale or not float(found[1]):
        raise UnusableInput(f"--ceiling {stated!r} is no bandwidth; give one with its unit, as in 2.98TB/s")
    return float(found[1]) * scale
