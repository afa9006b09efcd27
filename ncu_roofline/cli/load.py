"""Captures named on the command line -> Study, with every choice of the user applied."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ncu_roofline import api
from ncu_roofline.analysis.study import Study
from ncu_roofline.cli.options import Phase
from ncu_roofline.cli.progress import progress
from ncu_roofline.readers.facts import byte_rate


def load(
    captures: Sequence[str],
    *,
    gpu: str | None = None,
    roles: Path | None = None,
    ridge: str = "profiled",
    reader: str = "auto",
    facts: dict[str, Any] | None = None,
    ceiling: str | None = None,
    phase: Phase | None = None,
) -> Study:
    """The study of one capture, which may be several files."""
    best = byte_rate("`ceiling=`", ceiling) if ceiling is not None else None
    with progress(f"reading {captures[0]}"):
        capture = api.read(captures, reader=reader, **facts or {})
        return api.study(capture, gpu=gpu, roles=roles, ridge=ridge, ceiling=best, phase=phase)
