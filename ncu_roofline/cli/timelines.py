"""A timeline named on the command line -> its steps, with every choice of the user applied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ncu_roofline.analysis.study import Choices, Study
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.capture.capture import Run
from ncu_roofline.cli.progress import progress
from ncu_roofline.knowledge.kernels.roles import load_rules
from ncu_roofline.knowledge.models.models import load
from ncu_roofline.readers.facts import options
from ncu_roofline.readers.timeline.timeline import read


def followed(
    trace: Path, stated: Mapping[str, Any], *, gpu: str | None = None, roles: Path | None = None, beside: Study | None = None
) -> Stepped:
    """The steps of a trace; `beside` is a capture of the same run."""
    with progress(f"reading {trace}"):
        run = Run(**options(stated))
        model = load(run.model.value) if run.model.value else None
        return stepped(read(trace), Choices(gpu=gpu, rules=load_rules(roles), model=model), beside=beside, run=run)
