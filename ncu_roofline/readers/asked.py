"""Which launches `slim --only` asks for, by the name of a kernel or a range."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ncu_roofline.errors import UnreadableCapture


def fits(only: str, kernel: str, ranges: Iterable[str] | None) -> bool:
    """Whether a launch is of such a kernel or in such a range (or glob)."""
    return any(fnmatchcase(each, only) for each in (kernel, *(ranges or ())))


def nothing(name: str, only: str | None) -> UnreadableCapture:
    """That no launch of a capture is left."""
    asked = f" in a range or of a kernel {only!r}" if only else ""
    return UnreadableCapture(f"{name}: no result{asked}; nothing to keep")
