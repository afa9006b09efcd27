"""A checksum in the footer of a Parquet file: damage that still unpacks, to other numbers, is seen.

Parquet has checksums of pages, which polars neither writes nor looks at.
"""

from __future__ import annotations

import hashlib
from mmap import ACCESS_READ, mmap
from pathlib import Path

KEY = "ncu_roofline_sha256"
DIGITS = 64
OPEN = {KEY: "0" * DIGITS}
"""What the footer says before the bytes are known."""
MARK = KEY.encode() + bytes((0x18, DIGITS))
"""The key in a footer, before its value of so many letters (Thrift's compact protocol); in no other text, which has no 0x18."""


def sealed(body: bytes) -> bytes:
    """A file that was written with OPEN in its footer, with its checksum there."""
    at = body.rindex(MARK) + len(MARK)
    return body[:at] + digest(body, at) + body[at + DIGITS :]


def broken(body: bytes | mmap) -> bool:
    """Whether bytes hold a checksum which is not theirs; files of earlier versions hold none."""
    found = body.rfind(MARK)
    at = found + len(MARK)
    return found >= 0 and body[at : at + DIGITS] != digest(body, at)


def broken_file(path: Path) -> bool:
    """The same of a file, which is not taken into memory."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap(file.fileno(), 0, access=ACCESS_READ) as body:
            return broken(body)


def digest(body: bytes | mmap, at: int) -> bytes:
    """SHA-256 of all but the checksum that stands at this place."""
    summed = hashlib.sha256()
    with memoryview(body) as view:
        for part in (view[:at], view[at + DIGITS :]):
            with part:
                summed.update(part)
    return summed.hexdigest().encode()
