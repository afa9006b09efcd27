"""Captures that no GPU made: what every output says of them."""

from __future__ import annotations

from collections.abc import Sequence

from ncu_roofline.capture.capture import Run


def invented(runs: Sequence[Run]) -> tuple[str, ...]:
    """A sentence where some of the captures are synthetic; nothing where all were measured."""
    number = sum(bool(run.synthetic.value) for run in runs)
    if not number:
        return ()
    if len(runs) == 1:
        return ("This capture is synthetic: a generator wrote it, no GPU measured it.",)
    who = "The captures are" if number == len(runs) else f"{number:,} of {len(runs):,} captures are"
    return (f"{who} synthetic: a generator wrote them, no GPU measured them.",)
