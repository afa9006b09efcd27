"""A report file -> its blocks: sessions, metric names, launches; nothing is decoded that is not asked for.

Layout: Nsight Compute Customization Guide, "Report File Format"; `NVR\\0`, a file header, blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ncu_roofline.readers.wire import BROKEN, U32, DamagedError, message, part, text, whole

MAGIC = b"NVR\0"
VERSION = 7

MOST_TABLE_BYTES = 8 << 20
"""Distinct metric names of one file; real tables hold some 100 kB (measured up to 2,200 names)."""
MOST_SESSIONS = 256
SMALLEST_BLOCKS = (100_000, 64)
"""So many blocks of fewer bytes each are no report: every real header names its process."""


@dataclass(frozen=True, slots=True)
class Block:
    """Where the entries of a block lie in the file, and what its header says."""

    start: int
    end: int
    sources: int
    results: int
    range_results: int
    header: tuple[tuple[int, int | bytes], ...]

    def parts(self, number: int) -> Iterator[bytes]:
        """Contents of one header field."""
        return (part(content) for field_, content in self.header if field_ == number)


@dataclass(slots=True)
class Head:
    """What all blocks say together: metric names, sessions, counts, and where reading had to stop."""

    names: list[str] = field(default_factory=list)
    sessions: list[bytes] = field(default_factory=list)
    results: int = 0
    range_results: int = 0
    readable: int = 0
    """Bytes up to the first damage; the size of the file where there is none."""


def version(file: BinaryIO) -> int | None:
    """Format version of an open report; None where its file header is not readable."""
    file.seek(0)
    start = file.read(8)
    if len(start) < 8 or start[:4] != MAGIC:
        return None
    try:
        return next(whole(c) for n, c in message(file.read(min(U32(start, 4)[0], 1 << 16))) if n == 1)
    except (*BROKEN, StopIteration):
        return None


def blocks(file: BinaryIO, size: int) -> Iterator[Block]:
    """Every block in file order; raises DamagedError at the first that does not fit the file."""
    file.seek(4)
    at = 8 + U32(file.read(4))[0]
    count = 0
    while at < size:
        block = _block(file, at, size)
        yield block
        at, count = block.end, count + 1
        if count > SMALLEST_BLOCKS[0] and at < count * SMALLEST_BLOCKS[1]:
            raise DamagedError("blocks without content")


def _block(file: BinaryIO, at: int, size: int) -> Block:
    file.seek(at)
    prefix = file.read(4)
    if len(prefix) < 4 or (length := U32(prefix)[0]) > size - at - 4:
        raise DamagedError("a block header that ends after the file")
    try:
        header = tuple(message(file.read(length)))
        known = {n: whole(c) for n, c in header if n in (1, 2, 5, 7)}
        start = at + 4 + length
        return Block(start, start + known[5], known.get(1, 0), known.get(2, 0), known.get(7, 0), header)
    except (*BROKEN, KeyError) as error:
        raise DamagedError("a block header that is none") from error


def head(file: BinaryIO, size: int) -> Head:
    """Names and sessions of the whole file: a launch may use names that a later block brings."""
    found = Head()
    tables = _Tables(found.names)
    try:
        for block in blocks(file, size):
            for content in block.parts(4):
                tables.add(content)
            for content in block.parts(3):
                if content not in found.sessions and len(found.sessions) < MOST_SESSIONS:
                    found.sessions.append(content)
            found.results += block.results
            found.range_results += block.range_results
            if block.end > size:
                raise DamagedError("entries that end after the file")
            found.readable = block.end
    except BROKEN:
        return found
    found.readable = size
    return found


@dataclass(slots=True)
class _Tables:
    """Appends string tables one after the other: an index counts through all tables of the file."""

    names: list[str]
    last: bytes = b""
    last_names: list[str] = field(default_factory=list)
    decoded: int = 0

    def add(self, content: bytes) -> None:
        """Append the names of a table; the same table again costs no second decoding."""
        if content and content != self.last:
            self.decoded += len(content)
            if self.decoded > MOST_TABLE_BYTES:
                raise DamagedError("more metric names than any report has")
            self.last, self.last_names = content, [text(c) for n, c in message(content) if n == 1]
        if content:
            self.names += self.last_names


def results(file: BinaryIO, block: Block) -> Iterator[bytes]:
    """The launches of a block, undecoded; raises DamagedError where an entry does not fit its block."""
    at = block.start
    for _ in range(block.sources):
        at = _entry(file, at, block)[1]
    for _ in range(block.results):
        start, at = _entry(file, at, block)
        launch = file.read(at - start)
        if len(launch) < at - start:
            raise DamagedError("the file ends inside a launch")
        yield launch


def _entry(file: BinaryIO, at: int, block: Block) -> tuple[int, int]:
    file.seek(at)
    prefix = file.read(4)
    if len(prefix) < 4:
        raise DamagedError("the file ends inside a block")
    end = at + 4 + int(U32(prefix)[0])
    if end > block.end or end == at + 4:
        raise DamagedError("an entry that does not fit its block")
    return at + 4, end
