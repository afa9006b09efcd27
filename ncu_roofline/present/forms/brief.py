"""The form for agents: one small JSON object, always with the same keys."""

from __future__ import annotations

import json

from ncu_roofline.present.forms.document import Document
from ncu_roofline.present.forms.json import plain

BRIEF_VERSION = 1
KEYS = ("answer", "per_token", "roles", "fix_first", "verdict", "unknown", "next")
MOST_BYTES = 4096


def render(document: Document) -> str:
    """The brief on one line a key; lists give way where it would be more than 4 KB."""
    told = document.brief()
    said = {"brief_version": BRIEF_VERSION, **{key: plain(told[key]) for key in KEYS}}
    while len(body := json.dumps(said, allow_nan=False, ensure_ascii=False, indent=1).encode()) > MOST_BYTES:
        longest = max(("roles", "fix_first", "unknown", "answer"), key=lambda k: len(json.dumps(said[k])))
        said[longest] = said[longest][:-1]
    return body.decode() + "\n"
