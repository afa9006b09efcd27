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
    return tuple(text for _, text in _alternatives(pattern))


def narrowed(pattern: str, text: str) -> str | None:
    """The pattern without the alternatives that cannot match in this text; None where none can.

    >>> narrowed("rope|rms|flash (attn|fwd)", "flash fwd kernel")
    'flash (attn|fwd)'
    """
    return "|".join(said for said, needed in _alternatives(pattern) if needed in text) or None


@lru_cache(maxsize=4096)
def _alternatives(pattern: str) -> tuple[tuple[str, str], ...]:
    """Each alternative with the plain text it needs; flags in front hold for all, so such a pattern stays whole."""
    if "(?i" in pattern or "(?x" in pattern:
        return ((pattern, ""),)
    said, start = list[tuple[str, str]](), 0
    for outside in _branches(pattern):
        end = start + len(outside)
        said.append((pattern[start:end], _longest(outside.replace("\0", "\n"))))
        start = end + 1
    return tuple(said)


def _branches(pattern: str) -> list[str]:
    """The alternatives outside of every bracket, what stands in groups replaced sign by sign."""
    branches, depth, escaped, listed = [""], 0, False, False
    for sign in pattern:
        plain = not escaped
        escaped = plain and sign == "\\"
        if plain and not listed and sign in "()":
            depth += 1 if sign == "(" else -1
            branches[-1] += "\0"
        elif depth == 0 and plain and not listed and sign == "|":
            branches.append("")
        else:
            branches[-1] += sign if depth == 0 else "\0"
        listed = (listed or sign == "[") and not (plain and sign == "]") if plain else listed
    return branches


def _longest(branch: str) -> str:
    """The longest run of plain characters that no quantifier can take away."""
    return max(PLAIN.findall(OPTIONAL.sub("\n", branch)), key=len, default="")
