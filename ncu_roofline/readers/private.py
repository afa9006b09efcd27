"""Folders in texts: what they look like, and a text or a message with `x` in their place, as long as before."""

from __future__ import annotations

import re

from ncu_roofline.readers.report.wire import BROKEN, SIZED, DamagedError, field

NAME = rb"(?:[\w.+@%~=#$&{}-]|[\x80-\xff])+"
"""A part of a path; parts with blanks are told only where another part follows."""
FOLDERS = re.compile(
    rb"(?P<address>(?:https?|ftp)://[^\s\"'<>]*)"
    rb"|(?<![\w.>)\]-])~?/NAME(?:(?: NAME)*/NAME)+/?"
    rb"|(?<![A-Za-z])[A-Za-z]:(?:\\+|/(?!/))NAME(?:(?:[ ()]+NAME)*[\\/]+NAME)*"
    rb"|\\\\NAME(?:(?:[ ()]+NAME)*\\+NAME)+".replace(b"NAME", NAME)
)
"""Paths of POSIX (two parts or more), of Windows and of a share; an address of the web is matched to be left alone."""
SLASHES = re.compile(rb"[/\\][^\x00-\x1f/\\]+|:[\\/]")
"""Without these no path is anywhere near, which is quickly told."""
PRINTABLE = re.compile(rb"[^\x00-\x1f\x7f]*")
DEEPEST = 16
"""Messages within messages; what lies deeper is taken as a text."""


def without_folders(text: bytes) -> bytes:
    """A text with its paths blotted out."""
    if not SLASHES.search(text):
        return text
    return FOLDERS.sub(lambda found: found[0] if found["address"] else b"x" * len(found[0]), text)


def blotted(message: bytes, depth: int = 0) -> bytes:
    """Bytes that may be a message of unknown fields, or a text: with the paths in every text blotted out, sizes as before."""
    if not SLASHES.search(message):
        return message
    kept, at, fields = bytearray(message), 0, 0
    try:
        if depth == DEEPEST:
            raise DamagedError("messages too deep")
        while at < len(message):
            number, kind, start, at = field(message, at)
            if not number or at > len(message):
                raise DamagedError("no message")
            if kind == SIZED:
                kept[start:at] = blotted(message[start:at], depth + 1)
            fields += 1
    except BROKEN:
        return without_folders(message)
    if fields > 1 and PRINTABLE.fullmatch(message):  # a text may pass for several fields, whose sizes then are letters of it
        return without_folders(message)
    return bytes(kept)
