"""Text from strangers made fit to be shown, and cut to a width."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

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


HEAD = 6
"""Letters of a name's beginning that stand before the part that tells it from others."""


def shortened(texts: Sequence[str], room: int) -> list[str]:
    """Texts in at most `room` columns each; of different ones that would look alike the part that tells them apart is kept.

    >>> shortened(["nvjet_sm90_tst_384x8_64x4_v_bz_TNT", "nvjet_sm90_tst_128x8_64x12_v_bz_TNT", "norm"], 20)
    ['nvjet_…384x8_64x4_v…', 'nvjet_…128x8_64x12_…', 'norm']
    """
    usual = [shorten(text, room) for text in texts]
    out = list(usual)
    for short in set(usual):
        alike = [i for i, seen in enumerate(usual) if seen == short]
        if len({texts[i] for i in alike}) == 1 or room < 2 * HEAD:
            continue
        letters = enumerate(zip(*(texts[i] for i in alike), strict=False))
        first = next((n for n, column in letters if len(set(column)) > 1), 0)
        begun = max(texts[alike[0]].rfind(mark, 0, first) for mark in "_:<, ") + 1
        if begun <= HEAD + 1:
            continue
        for i in alike:
            kept = texts[i][begun:]
            fits = width(kept) <= room - HEAD - 1
            out[i] = f"{texts[i][:HEAD]}…{kept if fits else kept[: room - HEAD - 2] + '…'}"
    return out
