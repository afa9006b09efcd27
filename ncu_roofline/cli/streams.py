"""Standard streams that never end a command in a traceback: closed, full, or unable to spell a letter."""

from __future__ import annotations

import codecs
import io
import os
import sys

PLAIN = {
    "µ": "u",
    "μ": "u",
    "×": "x",
    "–": "-",
    "—": "-",
    "…": "...",
    "·": ".",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "\u2060": "",
    "’": "'",
    "²": "2",
}
"""What stands for a letter where the stream's encoding has none."""
STOPPED = 141
"""Exit code where whoever read the output stopped reading: 128 + SIGPIPE, as of any filter."""


def plainly(error: UnicodeError) -> tuple[str, int]:
    """The nearest spelling of a letter that an encoding lacks; a question mark where there is none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def prepare() -> None:
    """Every text can be written; a stream that was closed before the start swallows it."""
    codecs.register_error("plainly", plainly)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  open as long as the program runs
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plainly")


def abandon() -> None:
    """Nothing more reaches standard output, so that its last flush cannot fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # no descriptor behind it, as in a test
        return


def put(text: str) -> None:
    """All of the text to standard output; ends quietly where nobody reads it any more."""
    try:
        written(text)
    except BrokenPipeError:
        abandon()
        sys.exit(STOPPED)


def written(text: str) -> None:
    """The text written to its end: of a stream without a buffer, a write may take a part and say nothing."""
    out = sys.stdout
    if not isinstance(getattr(out, "buffer", None), io.RawIOBase):
        out.write(text)
        out.flush()
        return
    rest = memoryview(text.encode(out.encoding, out.errors or "strict"))
    while rest:
        rest = rest[out.buffer.write(rest) :]
