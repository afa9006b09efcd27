"""A report without what is private or large: no modules, source, host, user or folders; every result as it was."""

from __future__ import annotations

import re
import shlex
import struct
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.asked import fits, nothing
from ncu_roofline.readers.private import blotted
from ncu_roofline.readers.report import container, protocol, recognise
from ncu_roofline.readers.report.launches import encoded, graph_row, row, sized
from ncu_roofline.readers.report.plan import KERNEL, NVTX, plan
from ncu_roofline.readers.report.wire import BROKEN, Content, DamagedError, message, part, text
from ncu_roofline.readers.report.wire import field as wire_field

SYSTEM, DETAIL, COMMAND = 3, 8, 11
"""Fields of a session: the machine, a detail {1 name, 2 value}, the command line."""
OS_NAME, HOST = 1, 5
"""Fields of the machine: its operating system, its name."""
PROCESS, ADDRESS, EXECUTABLE = 6, 2, 3
"""Fields of a block header: the process {1 number, 2 address, 3 path}."""
SOURCES, METRICS, CALL_STACK = 1, 13, 28
"""A header's count of modules; fields of a launch: a metric, which stands as it is, and the modules by path
and functions of `--call-stack` (seen in reports of 2024 and 2025)."""
TOLD = (*protocol.FILTERS, "cache-control", "clock-control", "replay-mode", "graph-profiling", "set", "section", "metrics")
"""Options of the profiler that say how was measured; the others name files."""
VALUE = re.compile(r"(?:regex:)?[\w .,*+?|()\[\]^$<>@&!=:-]{1,4000}/?")
HIDDEN = "/"
"""Stands for a value that might be a path; the readers then tell the option alone."""


@dataclass(slots=True)
class Slim:
    """A report without its private and large parts, and what went."""

    content: bytes
    results: int
    left_out: int
    """Launches that were not asked for."""
    modules: int
    before: int
    """Bytes of the report, unpacked."""
    seen: int = 0
    """Results read so far, as the reader numbers them."""
    stacks: int = 0
    """Call stacks of the application."""
    texts: int = 0
    """Results with a folder in what a rule, a section or a range says."""


Wanted = Callable[[int, bytes, bool], bool]
"""Whether a result is kept: by its number among all of the report, its bytes, and whether it is one of a graph."""


def slim(path: Path, only: str | None = None, kept: Container[int] | None = None) -> Slim:
    """The report at `path`, slim; with `only` the launches in a range, or of a kernel, of that name (or glob).

    With `kept` the launches of these numbers, as `index` counts them.
    """
    with recognise.opened(path) as (file, size, notes):
        if container.version(file) != container.VERSION or notes:
            raise UnreadableCapture(f"{path.name}: of an unknown format or damaged; only a whole report can be made slim")
        made = Slim(b"", 0, 0, 0, size)
        wanted = matching(only, container.head(file, size).names) if only else None
        if kept is not None:
            wanted = lambda number, *_: number in kept  # noqa: E731  as short as a name for it
        try:
            made.content = b"".join(_parts(file, size, made, wanted))
        except BROKEN as error:
            raise UnreadableCapture(f"{path.name}: damaged; only a whole report can be made slim") from error
    if not made.results:
        raise nothing(path.name, only)
    return made


def matching(only: str, names: Sequence[str]) -> Wanted:
    """Whether a launch is of such a kernel or in such a range."""
    no_metric = plan(names, {}, ())

    def wanted(_: int, launch: bytes, graph: bool) -> bool:
        cells = (graph_row if graph else row)(launch, no_metric)
        return fits(only, cells[KERNEL], cells[NVTX])

    return wanted


def _parts(file: BinaryIO, size: int, made: Slim, wanted: Wanted | None) -> Iterator[bytes]:
    file.seek(0)
    begin = file.read(8)
    yield begin + file.read(struct.unpack("<I", begin[4:])[0])
    at = file.tell()
    for block, _ in container.blocks(file, size):
        if block.end > size:
            raise DamagedError("entries that end after the file")
        file.seek(at)
        header = file.read(block.start - at)[4:]
        kept = {number: list(_kept(number, entries, made, wanted)) for number, entries in container.entries(file, block)}
        made.modules += block.sources
        made.results += sum(len(kept[number]) for number in (container.RESULTS, container.RANGES, container.GRAPHS))
        payload = b"".join(struct.pack("<I", len(each)) + each for entries in kept.values() for each in entries)
        new = b"".join(_header(header, {number: len(entries) for number, entries in kept.items()}, len(payload)))
        yield struct.pack("<I", len(new)) + new + payload
        at = block.end


def _kept(number: int, entries: Iterator[bytes], made: Slim, wanted: Wanted | None) -> Iterator[bytes]:
    """The results to keep of one kind; what has neither a kernel nor a number is kept with all the others only."""
    numbered = number in (container.RESULTS, container.GRAPHS)
    for each in entries:
        asked = wanted is None or (numbered and wanted(made.seen, each, number == container.GRAPHS))
        made.seen += numbered
        made.left_out += not asked and number != container.STACKS
        if asked:
            yield anonymous(each, made) if number == container.RESULTS else blotted(each)


def _header(header: bytes, counts: dict[int, int], size: int) -> Iterator[bytes]:
    """A block header with what is left; of a field that nobody knows only a number stays."""
    numbers = {SOURCES: 0, container.PAYLOAD: size, **counts}
    for number, content in message(header):
        if number == container.SESSION:
            yield sized(number, session(part(content)))
        elif number == PROCESS:
            inner = message(part(content))
            told = {ADDRESS: lambda _: b"host", EXECUTABLE: basename}
            kept = [(n, told[n](part(c)) if n in told else c) for n, c in inner]
            yield sized(number, b"".join(field(n, c) for n, c in kept if n in told or isinstance(c, int)))
        elif number == container.NAMES or isinstance(content, int):
            yield field(number, numbers.get(number, content))


def anonymous(launch: bytes, made: Slim) -> bytes:
    """A launch without the application's call stack and without folders in its texts; every other byte as it was."""
    kept, at = [], 0
    while at < len(launch):
        number, _, _, end = wire_field(launch, at)
        if end > len(launch):
            raise DamagedError("a launch that ends inside a field")
        if number == CALL_STACK:
            made.stacks += 1
        else:
            kept.append(launch[at:end] if number == METRICS else blotted(launch[at:end]))
        at = end
    whole = b"".join(kept)
    made.texts += b"xxx" in whole and whole.count(b"xxx") > launch.count(b"xxx")
    return whole


def basename(path: bytes) -> bytes:
    """A path's last part."""
    return path.replace(b"\\", b"/").rsplit(b"/", 1)[-1]


def session(content: bytes) -> bytes:
    """A session with its time, system, versions and the profiler's options; nothing else of it."""
    kept = []
    for number, inner in message(content):
        if number == protocol.CREATED:
            kept.append(field(number, inner))
        elif number == SYSTEM:
            names = [(n, b"host" if n == HOST else c) for n, c in message(part(inner)) if n in (OS_NAME, HOST)]
            kept.append(sized(number, b"".join(field(n, c) for n, c in names)))
        elif number == DETAIL and _version(part(inner)):
            kept.append(field(number, inner))
        elif number == COMMAND and inner:
            kept.append(sized(number, command(text(inner)).encode()))
    return b"".join(kept)


def _version(detail: bytes) -> bool:
    pair = {n: text(c) for n, c in message(detail) if n in (1, 2)}
    return pair.get(1) in protocol.VERSIONS and bool(protocol.SHOWN.match(pair.get(2, "")))


def command(line: str) -> str:
    """The command line: the profiler's own options that say how was measured, and no application."""
    words = ["ncu"]
    for name, value in protocol.spelled(line):
        if name in TOLD:
            words += [f"--{name}", value if VALUE.fullmatch(value) else HIDDEN]
    return shlex.join([*words, "application"])


def field(number: int, content: Content) -> bytes:
    """A field of a number or of bytes, encoded."""
    return encoded(number << 3) + encoded(content) if isinstance(content, int) else sized(number, content)
