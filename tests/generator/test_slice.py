"""Kinds of runs of which nothing false is said any more stay that way; the judge has the rest."""

from __future__ import annotations

import pytest

from tests.generator.judge import judged
from tests.generator.runs import run


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 12), marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("kind", ["whole layers only", "one layer and ten launches", "prompt without head"])
def test_nothing_false_is_said_of_windows_without_a_whole_step(kind: str, seeds: range) -> None:
    wrong = [(j.seed, j.fact, j.said, j.truth) for seed in seeds for j in judged(run(seed, kind)) if j.outcome == "false"]
    assert wrong == []
