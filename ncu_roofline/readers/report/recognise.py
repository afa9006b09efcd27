"""A path -> an open report, or one sentence on what the file is and what to do with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import A_TIMELINE, COMPRESSED, LFS, SQLITE
from ncu_roofline.readers.report.container import MAGIC
from ncu_roofline.readers.report.wire import BROKEN, message

MOST_UNCOMPRESSED = 8 << 30
MOST_RATIO = 1_000
"""Uncompressed over compressed size, beyond a first SPARED bytes; reports compress 3 to 20 times."""
SPARED = 256 << 20
PIECE, BEGINNING = 1 << 20, 1 << 16
BUFFER = 1 << 15
"""Read at once: headers and launches lie close together, modules between them are stepped over."""
CODED = 4096
"""Compressed bytes at a time: they unpack to 128 MiB at the most."""


BROKEN_STREAM = "a compressed report that is damaged or cut off in its first bytes; copy it again, or capture again"


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int, list[str]]]:
    """The report's uncompressed bytes, their number, and notes; raises UnreadableCapture for anything else."""
    with ExitStack() as open_files:
        try:
            if path.is_dir():
                raise UnreadableCapture(f"{path.name}: a directory; name a report inside it")
            file: BinaryIO = open_files.enter_context(path.open("rb", buffering=BUFFER))
            start = file.read(512)
            notes: list[str] = []
            if start.startswith(COMPRESSED):
                unpacked = open_files.enter_context(tempfile.TemporaryFile())
                notes = unpack(file, unpacked, path)
                if not unpacked.tell():
                    raise UnreadableCapture(f"{path.name}: {BROKEN_STREAM}")
                file = unpacked
                file.seek(0)
                start = file.read(512)
            size = file.seek(0, os.SEEK_END)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UnreadableCapture(f"{path.name}: cannot be read ({reason}); check the path") from error
        if not start.startswith(MAGIC) or size < 8:
            raise UnreadableCapture(f"{path.name}: {foreign(start, size)}")
        yield file, size, notes


def beginning(path: Path) -> bytes:
    """The first bytes of a report, unpacked; empty where they cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(PIECE)
    except OSError:
        return b""
    if not start.startswith(COMPRESSED):
        return start[:BEGINNING]
    import zstandard

    try:
        return zstandard.ZstdDecompressor().stream_reader(start).read(BEGINNING)
    except zstandard.ZstdError:
        return b""


def unpack(packed: BinaryIO, target: BinaryIO, path: Path) -> list[str]:
    """Write the uncompressed stream to `target`; a note where the stream breaks off.

    Raises UnreadableCapture beyond MOST_UNCOMPRESSED bytes or MOST_RATIO times the compressed size.
    """
    import zstandard

    limit = min(MOST_UNCOMPRESSED, max(SPARED, MOST_RATIO * path.stat().st_size))
    packed.seek(0)
    written, whole = 0, False
    try:
        for piece, ended in pieces(packed):
            whole = ended
            written += len(piece)
            if written > limit:
                raise UnreadableCapture(
                    f"{path.name}: unpacks to more than {limit:,} bytes, which no report of its size "
                    "does; unpack it yourself with zstd if you trust it"
                )
            target.write(piece)
        target.flush()
    except OSError as error:
        with suppress(OSError):  # what is left to write has no room either, and must not hide why
            target.close()
        raise UnreadableCapture(
            f"{path.name}: cannot be unpacked ({error.strerror}); make room in {tempfile.gettempdir()}, or set TMPDIR"
        ) from error
    except zstandard.ZstdError:
        whole = False
    return [] if whole else [f"The compressed stream is damaged or cut off after {written:,} bytes of the report."]


def pieces(packed: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """What the frames of a stream unpack to, and whether a frame ended there; small, so that damage costs little before it."""
    import zstandard

    frame = zstandard.ZstdDecompressor().decompressobj()
    while coded := packed.read(CODED):
        while coded:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(coded), frame.eof
            coded = frame.unused_data if frame.eof else b""


def foreign(start: bytes, size: int) -> str:
    """What a file that is not a report looks like, and what to do."""
    if not size:
        return "an empty file; capture again"
    if start.startswith(LFS):
        return "a Git LFS pointer, not the report itself; fetch it with `git lfs pull`"
    if _begins_with_block(start):
        return (
            "an unfinished Nsight Compute report (its beginning was never written: the profiler was "
            "stopped before it ended); capture again and let ncu finish"
        )
    if start.startswith(MAGIC):
        return "an Nsight Compute report cut off in its first bytes; copy it again, or capture again"
    if start.startswith(SQLITE):
        return A_TIMELINE
    kind = "text" if _is_text(start) else "not an Nsight Compute report"
    return f"{kind} where a report (.ncu-rep) belongs; name the report that ncu wrote with --export"


def _is_text(start: bytes) -> bool:
    words = start.decode("utf-8", "ignore").split()
    return bool(words) and all(word.isprintable() for word in words)


def _begins_with_block(start: bytes) -> bool:
    length = int.from_bytes(start[:4], "little")
    try:
        numbers = [number for number, _ in message(start[4 : 4 + length])]
    except BROKEN:
        return False
    return length <= len(start) - 4 and 5 in numbers and 6 in numbers
