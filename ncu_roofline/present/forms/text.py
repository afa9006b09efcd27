"""Text from strangers made fit to be shown, and cut to a width."""

from __future__ import annotations

import re
import unicodedata

# C0, DEL, C1, line and paragraph separators, bidirectional overrides, zero width, byte order mark,
# lone surrogates: each can move the cursor, hide or reorder what a reader sees.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)
LONGEST = 4000


def clean(text: str) -> str:
    """One line of visible text: control and direction characters become a space.

    >>> clean("a\\x1b[31mb\\nc")
    'a [31mb c'
    """
    return UNSAFE.sub(" ", text[:LONGEST]).strip()


def width(text: str) -> int:
    """Columns that the text takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    marks = sum(unicodedata.combining(c) != 0 for c in text)
    return len(text) + wide - marks


def shorten(text: str, room: int) -> str:
    """The text in at most `room` columns, its middle left out: both ends of a kernel's name tell.

    >>> shorten("fused_add_rms_norm_kernel", 12)
    'fused_…ernel'
    """
    if width(text) <= room:
        return text
    if room < 3:
        return text[: max(room, 0)]
    head = (room - 1 + 1) // 2
    return text[:head] + "…" + text[len(text) - (room - 1 - head) :]
