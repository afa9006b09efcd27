"""A report file -> its blocks: sessions, metric names, launches; nothing is decoded that is not asked for.

Layout: Nsight Compute Customization Guide, "Report File Format"; `NVR\\0`, a file header, blocks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from ncu_roofline.readers.report.wire import BROKEN, U32, DamagedError, message, part, text, whole

Header = list[tuple[int, bytes]]
"""The sessions and string tables of a block header, by field number."""

RESULTS, SESSION, NAMES, PAYLOAD = 2, 3, 4, 5
RANGES, GRAPHS, STACKS = 7, 9, 10
COUNTS, TEXTS = (1, RESULTS, PAYLOAD, RANGES, GRAPHS, STACKS), (SESSION, NAMES)
"""Fields of a block header: sources, results, size of the payload, results of ranges and of graphs, call stacks (one block
before each launch, seen in reports of 2026); what has a text in it.

Graph results were seen in our own captures (`--graph-profiling graph`, 2025.3), range results are documented only."""

MAGIC = b"NVR\0"
VERSION = 7

MOST_TABLE_BYTES = 8 << 20
"""Distinct metric names of one file; real tables hold some 100 kB (measured up to 2,200 names)."""
MOST_SESSIONS = 256
SHORT_HEADER = 256
"""Bytes of a header that may come again as it is: those without names and sessions do."""
HEADER_READ = 512
"""Most headers are smaller; only those with names or a session are longer."""
SMALLEST_BLOCKS = (100_000, 64)
"""So many blocks of fewer bytes each are no report: every real header names its process."""


class Block(NamedTuple):
    """Where the entries of a block lie in the file, and how many there are of each kind."""

    start: int
    end: int
    sources: int
    results: int
    range_results: int
    graph_results: int = 0
    stacks: int = 0


@dataclass(slots=True)
class Head:
    """What all blocks say together: metric names, sessions, where launches are, where reading stopped."""

    names: list[str] = field(default_factory=list)
    sessions: list[bytes] = field(default_factory=list)
    filled: array[int] = field(default_factory=lambda: array("Q"))
    """The numbers of each block with launches: its start and end, sources, results, results of ranges and of graphs, stacks."""
    range_results: int = 0
    overfull: int = 0
    """Blocks that hold more than their headers count: what else is in them nobody knows."""
    unfinished: bool = False
    """Whether what goes before a launch stands behind the last one."""
    stopped: int | None = None
    """Where in the file the first damage is; None where there is none."""

    def blocks(self) -> Iterator[Block]:
        """The blocks that hold launches."""
        for at in range(0, len(self.filled), len(Block._fields)):
            yield Block(*self.filled[at : at + len(Block._fields)])


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


def blocks(file: BinaryIO, size: int) -> Iterator[tuple[Block, Header]]:
    """Every block in file order, with its header; raises DamagedError at the first that is none."""
    file.seek(4)
    at = 8 + U32(file.read(4))[0]
    count = 0
    while at < size:
        found = _block(file, at, size)
        yield found
        at, count = found[0].end, count + 1
        if count > SMALLEST_BLOCKS[0] and at < count * SMALLEST_BLOCKS[1]:
            raise DamagedError("blocks without content")


def _block(file: BinaryIO, at: int, size: int) -> tuple[Block, Header]:
    file.seek(at)
    begin = file.read(HEADER_READ)
    if len(begin) < 4 or (length := U32(begin)[0]) > size - at - 4:
        raise DamagedError("a block header that ends after the file")
    header = begin[4 : 4 + length]
    if length > len(header):
        header += file.read(length - len(header))
    counts, texts = _told(header) if length <= SHORT_HEADER else _told.__wrapped__(header)
    start = at + 4 + length
    return Block(start, start + counts[0], *counts[1:]), texts


@lru_cache(maxsize=1 << 12)
def _told(header: bytes) -> tuple[tuple[int, ...], Header]:
    """Size of the payload and numbers of entries, as Block has them, and what has a text."""
    try:
        counts: dict[int, int] = {}
        texts: Header = []
        for number, content in message(header):
            if number in COUNTS:
                counts[number] = whole(content)
            elif content and number in TEXTS:
                texts.append((number, part(content)))
        return (counts[PAYLOAD], *(counts.get(number, 0) for number in (1, RESULTS, RANGES, GRAPHS, STACKS))), texts
    except (*BROKEN, KeyError) as error:
        raise DamagedError("a block header that is none") from error


def head(file: BinaryIO, size: int) -> Head:
    """Names, sessions and places of the whole file: a launch may use names that a later block brings."""
    found = Head()
    tables = _Tables(found.names)
    at = 0
    try:
        for block, texts in blocks(file, size):
            for number, content in texts:
                if number == NAMES:
                    tables.add(content)
                elif content not in found.sessions and len(found.sessions) < MOST_SESSIONS:
                    found.sessions.append(content)
            launches = block.results or block.graph_results
            if launches:
                found.filled.extend(block if max(block) <= size else (min(count, size) for count in block))
            found.range_results += block.range_results
            found.unfinished = bool(block.stacks) or (found.unfinished and not launches)
            at = block.start
            if block.end > size:
                raise DamagedError("entries that end after the file")
            found.overfull += not launches and overfull(file, block)
            at = block.end
    except BROKEN:
        found.stopped = at
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


def overfull(file: BinaryIO, block: Block) -> bool:
    """Whether a block has bytes behind the entries that its header counts, or entries that do not fit it."""
    try:
        return _after(file, block, block.start, sum(block[2:])) != block.end
    except BROKEN:
        return True


def results(file: BinaryIO, block: Block) -> Iterator[bytes]:
    """The launches of a block, undecoded; raises DamagedError where an entry does not fit its block."""
    yield from _entries(file, block, _after(file, block, block.start, block.sources), block.results)


def graphs(file: BinaryIO, block: Block) -> Iterator[bytes]:
    """The results of whole graphs of a block, undecoded: behind its launches and its results of ranges."""
    if block.graph_results:
        before = block.sources + block.results + block.range_results
        yield from _entries(file, block, _after(file, block, block.start, before), block.graph_results)


def entries(file: BinaryIO, block: Block) -> Iterator[tuple[int, Iterator[bytes]]]:
    """All entries of a block behind its modules, each kind under the header's field that counts it; none may be left."""
    at = _after(file, block, block.start, block.sources)
    counts = (block.results, block.range_results, block.graph_results, block.stacks)
    for number, count in zip((RESULTS, RANGES, GRAPHS, STACKS), counts, strict=True):
        yield number, _entries(file, block, at, count)
        at = file.tell()
    if at != block.end:
        raise DamagedError("more than the header counts")


def _after(file: BinaryIO, block: Block, at: int, entries: int) -> int:
    for _ in range(entries):
        file.seek(at)
        at += 4 + _entry(file, block.end - at)
    return at


def _entries(file: BinaryIO, block: Block, at: int, count: int) -> Iterator[bytes]:
    file.seek(at)
    for _ in range(count):
        length = _entry(file, block.end - at)
        entry = file.read(length)
        if len(entry) < length:
            raise DamagedError("the file ends inside a launch")
        at += 4 + length
        yield entry


def _entry(file: BinaryIO, room: int) -> int:
    prefix = file.read(4)
    if len(prefix) < 4:
        raise DamagedError("the file ends inside a block")
    length = int(U32(prefix)[0])
    if not 0 < length <= room - 4:
        raise DamagedError("an entry that does not fit its block")
    return length
