"""Notes to standard error: what was written or assumed; none with `--quiet`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING

from ncu_roofline.errors import UnreadableCapture

if TYPE_CHECKING:
    from ncu_roofline.readers.archive import Kept

quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def silence(wanted: bool) -> None:
    """What `--quiet` does; set anew by every command that runs."""
    quiet.set(wanted)


def note(text: str) -> None:
    """One line for the person who watches; never part of an answer."""
    if not quiet.get():
        from ncu_roofline.present.forms.text import clean

        print(clean(text), file=sys.stderr)


def tally(each: Iterable[Kept], done: str, place: str) -> None:
    """Says why a capture could not be read, and what became of all; raises UnreadableCapture where none could be."""
    counts: Counter[str] = Counter()
    for kept in each:
        counts[kept.outcome] += 1
        if kept.outcome == "refused":
            note(kept.told)
    found = f"{counts['present']:,} were there already, {counts['refused']:,} could not be read"
    note(f"{done} {counts['saved']:,}, {found}: {place}")
    if counts["refused"] and not counts["saved"] + counts["present"]:
        raise UnreadableCapture("none of the captures could be read; the reasons stand above")
