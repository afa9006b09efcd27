"""Witnesses of one fact -> the fact: they are intersected, the strongest that speak decide, and a contradiction is said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ncu_roofline.capture.capture import RANKS, Fact, Witness

ENOUGH = {"told": 1, "nvtx": 1, "strong": 1, "weak": 2}
"""Witnesses of a rank that must agree before it decides; a bound never does."""


def agree(witnesses: Iterable[Witness]) -> Fact[int]:
    """What the witnesses agree on; unknown, with the interval that is left, where they say too little or contradict.

    A stronger rank wins over a weaker one, and what it leaves open the weaker one may not leave. Of one rank all must
    fit together.
    """
    spoke = [w for w in witnesses if (w.low, w.high) != (None, None)]
    of_rank: list[Witness] = []
    for rank, enough in ENOUGH.items():
        more = [w for w in spoke if w.rank == rank]
        if len({w.says for w in more}) < enough:
            continue
        of_rank += more
        low, high = common(of_rank)
        if low > high:
            return Fact(None, "unknown", contradiction(of_rank), witnesses=tuple(spoke))
        if low == high:
            return Fact(int(low), "inferred", named(of_rank), witnesses=marked(spoke, low))
    return between(spoke)


def between(spoke: Sequence[Witness]) -> Fact[int]:
    """The interval that the bounds of all leave; nothing where they exclude each other."""
    low, high = common(spoke)
    if not spoke or low > high:
        return Fact(witnesses=tuple(spoke))
    ends = (None if math.isinf(low) else low, None if math.isinf(high) else high)
    return Fact(None, "unknown", named(spoke), *ends, tuple(spoke))


def common(witnesses: Iterable[Witness]) -> tuple[float, float]:
    """The interval in which all of them are right; empty (low above high) where there is none."""
    low, high = -math.inf, math.inf
    for one in witnesses:
        low = max(low, -math.inf if one.low is None else one.low)
        high = min(high, math.inf if one.high is None else one.high)
    return low, high


def marked(witnesses: Sequence[Witness], value: float) -> tuple[Witness, ...]:
    """Each witness with whether the value fits what it says, strongest first."""
    order = sorted(witnesses, key=lambda w: RANKS.index(w.rank))
    return tuple(replace(w, agrees=common([w])[0] <= value <= common([w])[1]) for w in order)


def named(witnesses: Iterable[Witness]) -> str:
    """What they are, each once."""
    return ", ".join(sorted({w.says for w in witnesses}))


def contradiction(witnesses: Sequence[Witness]) -> str:
    """What each of them says, where they cannot all be right."""
    told = sorted({f"{w.says} say {span(w)}" for w in witnesses})
    return "; ".join(told)


def span(one: Witness) -> str:
    """What a witness says, in figures."""
    if one.low == one.high:
        return f"{one.low:g}"
    low = "" if one.low is None else f"at least {one.low:g}"
    high = "" if one.high is None else f"at most {one.high:g}"
    return " and ".join(part for part in (low, high) if part)
