"""Words of a change beside what is typical of it: matrices and attention, with glue named apart."""

from __future__ import annotations

from typing import Any

from ncu_roofline.analysis.compare.typical import AtCeiling, Expected
from ncu_roofline.analysis.model.typical import Span
from ncu_roofline.capture.units import three
from ncu_roofline.present.documents.words_typical import derived

LEAST_GLUE = 0.01
"""Part of the kernel time below which glue is not worth a word."""
SAME = 0.05
"""A change smaller than this is none."""


def times(value: float) -> str:
    """`1.39x`."""
    return f"{value:.2f}x"


def sentence(found: Expected | None, per: str) -> tuple[str, ...]:
    """What matrices and attention gained beside what is typical of their sizes, and what glue took on both sides."""
    if found is None or not moved(found):
        return ()
    usual = found.speedup
    word = "more than" if found.seen > usual.high else "less than" if found.seen < usual.low else "as"
    said = f"Matrices and attention became {times(found.seen)} as fast, {word} usual for their sizes and types: {within(usual)}"
    before, after = found.base.glue, found.head.glue
    whole = max(found.base.took + before, found.head.took + after)
    if max(before, after) < LEAST_GLUE * whole:
        return (f"{said}.",)
    return (f"{said}.", f"The other kernels (glue) took {three(before, 's')} per {per} before and {three(after, 's')} after.")


def doubts(found: Expected | None) -> tuple[str, ...]:
    """What the typical times of both sides were derived from, where they were not fitted on the device."""
    if found is None or not moved(found):
        return ()
    return tuple(derived(*whence) for whence in dict.fromkeys((*found.base.borrowed, *found.head.borrowed)))


def ceilings(base: AtCeiling | None, head: AtCeiling | None, per: str) -> tuple[str, ...]:
    """What both would take at a ceiling that the user stated."""
    if base is None or head is None or base.kind != "stated" or not head.least:
        return ()
    return (
        f"At {three(base.bandwidth, 'byte/s')}, as stated, the kernels would take {three(base.least, 's')} before and "
        f"{three(head.least, 's')} after, per {per}: {times(base.least / head.least)} as fast.",
    )


def moved(found: Expected) -> bool:
    """Whether anything beside noise is typical, or was seen."""
    return abs(found.speedup.value - 1) > SAME or abs(found.seen - 1) > SAME


def within(usual: Span) -> str:
    """A factor with its spread."""
    return f"{times(usual.value)} ({times(usual.low)} to {times(usual.high)})"


def data(found: Expected | None) -> dict[str, Any] | None:
    """The JSON form."""
    if found is None:
        return None
    return {"speedup": found.speedup, "seen": found.seen, "realised": found.realised, "base": found.base, "head": found.head}
