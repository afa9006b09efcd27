"""Notes to standard error: what was written or assumed; none with `--quiet`."""

from __future__ import annotations

import sys
from contextvars import ContextVar

quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def silence(wanted: bool) -> None:
    """What `--quiet` does; set anew by every command that runs."""
    quiet.set(wanted)


def note(text: str) -> None:
    """One line for the person who watches; never part of an answer."""
    if not quiet.get():
        from ncu_roofline.present.forms.text import clean

        print(clean(text), file=sys.stderr)
