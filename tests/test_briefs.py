"""Twelve answers for agents: small, whole in their keys, and the sizes on their page."""

from __future__ import annotations

import json

import pytest

from tools import briefs


@pytest.mark.parametrize(("command", "captures"), briefs.QUESTIONS, ids=lambda v: v if isinstance(v, str) else " ".join(v))
def test_a_brief_is_small_and_has_every_key(command: str, captures: tuple[str, ...]) -> None:
    text = briefs.brief(command, captures)
    told = json.loads(text)

    assert len(text.encode()) <= briefs.LARGEST
    assert set(told) == {"brief_version", *briefs.KEYS}
    assert all(set(told["per_token"][what]) == {"value", "low", "high", "origin"} for what in ("dram_bytes", "seconds"))
