"""What is no file of its own yet: standard input, pipes and gzip files, copied to where a reader can go back and forth."""

from __future__ import annotations

import gzip
import os
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from ncu_roofline.errors import UnreadableCapture

GZIP = b"\x1f\x8b"
MOST_BYTES, PIECE, PATIENCE = 4 * 2**30, 2**20, 2.0
"""A stream without an end must not fill the disk."""
SPARED, MOST_RATIO = 256 * 2**20, 200
"""A packed file may unpack to the larger of so many bytes and so many times its size; traces and exports take 10 to 60."""


@contextmanager
def plain(path: Path) -> Iterator[Path]:
    """The path of a plain file with the same content: the path itself where it is one."""
    with tempfile.TemporaryDirectory(prefix="ncu-roofline-") as folder:
        here = path
        if str(path) == "-":
            here = copied(sys.stdin.buffer, Path(folder) / "standard input")
        elif is_pipe(path):
            with flowing(path) as source:
                here = copied(source, Path(folder) / "pipe")
        yield unpacked(here, Path(folder)) if begins_packed(here) else here


def is_pipe(path: Path) -> bool:
    """Whether a pipe stands there, as `<(command)` of a shell makes one."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def flowing(path: Path) -> Iterator[IO[bytes]]:
    """A pipe to read from, once somebody writes to it; a pipe of nobody is refused rather than waited for."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb", buffering=0) as source:
        begun, deadline = b"", time.monotonic() + PATIENCE
        while begun == b"":
            begun = source.read(PIECE)  # nothing where nobody writes, None where a writer has not begun
            if begun == b"" and time.monotonic() > deadline:
                raise UnreadableCapture(f"{path.name}: a pipe that nobody writes to; write it to a file first")
            if begun == b"":
                time.sleep(0.02)
        os.set_blocking(handle, True)
        yield cast("IO[bytes]", Chained(begun or b"", source))


class Chained:
    """What was read already, then the rest of a stream."""

    def __init__(self, begun: bytes, rest: IO[bytes]) -> None:
        self.begun, self.rest = begun, rest

    def read(self, size: int) -> bytes:
        """The next piece."""
        begun, self.begun = self.begun, b""
        return begun or self.rest.read(size)


def begins_packed(path: Path) -> bool:
    """Whether a file begins as gzip does."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(2) == GZIP
    except (OSError, ValueError):
        return False


def unpacked(path: Path, folder: Path) -> Path:
    """The content of a gzip file, under its name without the ending."""
    target = folder / (path.name.removesuffix(".gz") or "unpacked")
    if target == path:
        target = folder / "unpacked"
    try:
        with gzip.open(path, "rb") as source:
            return copied(source, target, packed=path)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableCapture(f"{path.name}: a damaged gzip file; pack it again") from error


def copied(source: IO[bytes] | gzip.GzipFile, target: Path, *, packed: Path | None = None) -> Path:
    """The stream as a file, up to a limit, which of a packed file goes with its size."""
    most = MOST_BYTES if packed is None else min(MOST_BYTES, max(SPARED, MOST_RATIO * packed.stat().st_size))
    size = 0
    with target.open("wb") as file:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > MOST_BYTES:
                raise UnreadableCapture(f"{target.name}: more than 4 GiB; write it to a file first")
            if packed is not None and size > most:
                raise UnreadableCapture(
                    f"{packed.name}: unpacks to more than {most:,} bytes, which no file of its size does; unpack it yourself "
                    "if you trust it"
                )
            file.write(piece)
    return target
