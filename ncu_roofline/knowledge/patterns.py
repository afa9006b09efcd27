"""What a regular expression must find: plain text without which it cannot match."""

from __future__ import annotations

import re
from functools import lru_cache

PLAIN = re.compile(r"[A-Za-z0-9 _:]+")
OPTIONAL = re.compile(r"\\.|\[[^\]]*\][?*]?|.[?*]|.\{[^}]*\}|[.^$]")


@lru_cache(maxsize=4096)
def required(pattern: str) -> tuple[str, ...]:
    """Texts of which every match holds at least one; ("",) where nothing can be said.

    >>> required(r"^triton (red|tem) fused.*\\bbmm\\b|kda")
    ('triton ', 'kda')
    """
    if "(?i" in pattern or "(?x" in pattern:
        return ("",)
    return tuple(_longest(branch) for branch in _branches(pattern))


def _branches(pattern: str) -> list[str]:
    """The alternatives outside of every bracket, groups replaced by a line break."""
    branches, depth, escaped, listed = [""], 0, False, False
    for sign in pattern:
        plain = not escaped
        escaped = plain and sign == "\\"
        if plain and not listed and sign in "()":
            depth += 1 if sign == "(" else -1
            branches[-1] += "\n" if depth == 0 else ""
        elif depth == 0 and plain and not listed and sign == "|":
            branches.append("")
        elif depth == 0:
            branches[-1] += sign
        listed = (listed or sign == "[") and not (plain and sign == "]") if plain else listed
    return branches


def _longest(branch: str) -> str:
    """The longest run of plain characters that no quantifier can take away."""
    return max(PLAIN.findall(OPTIONAL.sub("\n", branch)), key=len, default="")
