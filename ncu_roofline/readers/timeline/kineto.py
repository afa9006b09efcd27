"""Traces of PyTorch's profiler (Kineto): pieces of a file of any size, many events of a piece at once.

msgspec is the parser: it builds the few fields that are wanted and steps over the rest (bench/traces.md has it beside
others). What it refuses (line breaks in names, bytes that are no UTF-8, odd types) the standard library reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from ncu_roofline.capture.timeline import (
    CALLS,
    FARTHEST,
    LONGEST,
    MARKS,
    RANGES,
    SCHEMA,
    Timeline,
    finished,
    on_device,
    untimed,
    with_calls,
)
from ncu_roofline.errors import UnreadableCapture

PIECE, MOST_VALUE = 2**19, 2**26
"""Bytes read at once, and the most that one event or fact may have."""
BATCH = 2**16
"""Rows kept as Python objects, at most, before they become a frame."""
KINDS = {"kernel": "kernel", "gpu_memcpy": "copy", "memcpy": "copy", "gpu_memset": "set", "memset": "set"}
"""Category of an event, in small letters: the oldest traces write Kernel, Memcpy and Memset."""
CALLING = {"cuda_runtime", "cuda_driver", "runtime"}
MARKING = {"gpu_user_annotation": "range", "user_annotation": "mark"}
"""Ranges of the device, and those of the host from which they follow."""
SIDES = ("gx", "gy", "gz", "bx", "by", "bz")
TOLD = ("kind", "name", "start", "nanoseconds", "device", "stream", "correlation", "graph")
WORK = {c: SCHEMA[c] for c in TOLD} | dict.fromkeys(SIDES, pl.Int64())
PARTS = {**RANGES, "stream": pl.Int64(), "annotation": pl.Int64()}
"""What of a range runs on one stream, by the number of the annotation."""
BETWEEN = re.compile(rb"[\s,]*")
BETWEEN_TEXT = re.compile(r"[\s,]*")
FACTS = ("deviceProperties", "distributedInfo")
MICRO, LONGEST_NUMBER = 1000, 40
"""Nanoseconds of a microsecond, and the most characters that a time may have."""
AMD = r"^Cijk_|\bgfx(9|1[0-2])[0-9a-f]{1,2}\b|__amd_rocclr"
"""Names that kernels have on AMD GPUs alone: Tensile, and those of an instruction set."""
OTHERS = {"AMD": "an AMD", "Radeon": "an AMD", "Intel": "an Intel", "Ascend": "a Huawei"}
"""What the name of a device says that no counter of ours fits."""


class Broken(Exception):
    """The text is no JSON from here on."""


class Event(msgspec.Struct, gc=False):
    """What is wanted of an event."""

    ph: str = ""
    cat: str = ""
    name: Any = ""
    ts: Any = None
    dur: Any = None
    pid: Any = None
    tid: Any = None
    args: Any = msgspec.Raw(b"{}")


class Fast(Event, gc=False):
    """The same with times and arguments that are looked at only where the event counts."""

    ts: msgspec.Raw = msgspec.Raw(b"null")
    dur: msgspec.Raw = msgspec.Raw(b"null")
    args: msgspec.Raw = msgspec.Raw(b"{}")


class Args(msgspec.Struct, gc=False):
    """What is wanted of an event's arguments."""

    device: Any = None
    stream: Any = None
    correlation: Any = None
    grid: Any = None
    block: Any = None
    graph: Any = msgspec.field(default=None, name="graph id")
    annotation: Any = msgspec.field(default=None, name="External id")


EVENTS, ARGS = msgspec.json.Decoder(list[Fast]), msgspec.json.Decoder(Args)
REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Pieces:
    """The bytes of a file as a window that moves forward."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.data, self.at, self.ended = b"", 0, False
        self.between, self.tried = b"", False
        # strict would refuse the raw line breaks that some names hold; integers beyond a limit are Python's to refuse
        self.value_at = json.JSONDecoder(strict=False, parse_float=str).raw_decode
        self.more()
        self.at = 3 * self.data.startswith(b"\xef\xbb\xbf")

    def more(self) -> None:
        """Adds the next piece and forgets what was read."""
        piece = self.file.read(PIECE)
        self.ended = not piece
        self.data, self.at, self.tried = self.data[self.at :] + piece, 0, False

    def next(self) -> bytes:
        """The next character that is neither space nor comma; empty at the end of the file."""
        while True:
            self.at = BETWEEN.match(self.data, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.data) or self.ended:
                return self.data[self.at : self.at + 1]
            self.more()

    def values(self, most: int | None = None) -> list[Any]:
        """The values that begin here and are whole in the window: at least one, at most so many."""
        while not (found := self.here(most)):
            self.further()
        return found

    def further(self) -> None:
        """The next piece, for a value that is cut; nothing is read of one that never ends."""
        if self.ended or len(self.data) - self.at > MOST_VALUE:
            raise Broken
        self.more()

    def here(self, most: int | None) -> list[Any]:
        """The whole values that begin here."""
        # a byte that is no UTF-8 stays one byte in the text, so that places are found again
        text = self.data[self.at :].decode("utf-8", "surrogateescape")
        found, end = self.whole(text, most)
        self.at += len(text[:end].encode("utf-8", "surrogateescape"))
        return found

    def whole(self, text: str, most: int | None) -> tuple[list[Any], int]:
        """The values of a text up to a closing bracket or to one that is cut, and where they end."""
        found: list[Any] = []
        end = at = 0
        while (most is None or len(found) < most) and at < len(text) and text[at] != "]":
            try:
                value, at = self.value_at(text, at)
            except json.JSONDecodeError:
                break
            except (RecursionError, ValueError) as error:
                raise Broken from error
            if at == len(text) and not self.ended:
                break  # a number may go on in the next piece
            if found and not self.between and text[at - 1] == "}":
                self.between = border(text, at)
            found.append(value)
            end, at = at, BETWEEN_TEXT.match(text, at).end()  # type: ignore[union-attr]
        return found, end

    def events(self) -> Sequence[Event]:
        """Many events at once; what is no event is passed over."""
        while True:
            if quick := self.quickly():
                return quick
            if slow := self.here(None):
                return [event_of(value) for value in slow if isinstance(value, dict)]
            self.further()

    def quickly(self) -> Sequence[Event]:
        """All events up to the last border of the window; none where that does not parse.

        A slice that parses as a list ends between two events: inside a string or a nested list the brackets would not
        close. It is tried once a piece, so that a text which never parses costs no more than twice.
        """
        end = self.data.rfind(self.between, self.at) if self.between and not self.tried else -1
        self.tried = True
        if end <= self.at:
            return []
        try:
            found = EVENTS.decode(b"[%b]" % self.data[self.at : end + 1])
        except REFUSED:
            return []
        self.at = end + 1
        return found

    def key(self) -> str:
        """The key that begins here, with its colon."""
        [name] = self.values(1)
        if not isinstance(name, str) or self.next() != b":":
            raise Broken
        self.at += 1
        self.next()
        return name


def border(text: str, at: int) -> bytes:
    """What stands between the object that ends here and the next one: its last brace to the next one's first."""
    after = BETWEEN_TEXT.match(text, at).end()  # type: ignore[union-attr]
    return ("}" + text[at:after] + "{").encode() if text[after : after + 1] == "{" else b""


def read(path: Path, name: str) -> Timeline:
    """The kernels, copies, sets and ranges of the device."""
    found = Found(name)
    pieces = Pieces(path)
    try:
        take(pieces, found)
        if pieces.next():
            raise Broken
    except Broken as error:
        raise UnreadableCapture(f"{name}: not valid JSON, damaged or cut off; export the trace again") from error
    finally:
        pieces.file.close()
    return found.timeline()


def take(pieces: Pieces, found: Found) -> None:
    """Every key of the trace, and every event of its list."""
    if pieces.next() == b"[":
        take_events(pieces, found)
        return
    pieces.at += 1
    while (sign := pieces.next()) != b"}":
        if not sign:
            raise Broken
        key = pieces.key()
        if key == "traceEvents" and pieces.next() == b"[":
            take_events(pieces, found)
        else:
            found.fact(key, pieces.values(1)[0])
    pieces.at += 1


def take_events(pieces: Pieces, found: Found) -> None:
    """The list that begins here."""
    pieces.at += 1
    while (sign := pieces.next()) != b"]":
        if not sign:
            raise Broken
        for event in pieces.events():
            if event.ph == "X" and (what := category(event.cat)):
                found.event(what, event)
    pieces.at += 1


def event_of(values: dict[str, Any]) -> Event:
    """An event of any types: words that are none are empty."""
    known = {field: values[field] for field in Event.__struct_fields__ if field in values}
    words = {field: word if isinstance(word := known.get(field), str) else "" for field in ("ph", "cat")}
    return Event(**{**known, **words})


@lru_cache(maxsize=1024)
def category(word: str) -> str:
    """What an event of this category is to us: a kind of work, call, range, or nothing."""
    small = word.lower()
    return KINDS.get(small) or MARKING.get(small) or ("call" if small in CALLING else "")


class Rows:
    """Rows that become frames before they are many."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema, self.frames, self.rows = schema, [pl.DataFrame([], schema=schema)], list[tuple[Any, ...]]()

    def add(self, row: tuple[Any, ...]) -> None:
        """One more row."""
        self.rows.append(row)
        if len(self.rows) >= BATCH:
            self.pack()

    def pack(self) -> None:
        """What came since the last frame as a frame."""
        self.frames.append(pl.DataFrame(self.rows, schema=self.schema, orient="row"))
        self.rows.clear()

    def frame(self) -> pl.DataFrame:
        """All rows."""
        self.pack()
        return pl.concat(self.frames, rechunk=True)


class Found:
    """What was seen of a trace so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.work = Rows(WORK)
        self.ranges, self.marks = Rows(PARTS), Rows(MARKS)
        self.calls = Rows(CALLS)
        self.facts: dict[str, Any] = {}
        self.named: dict[str, int] = {}
        self.amd = False
        self.untimed = 0

    def fact(self, key: str, value: Any) -> None:
        """A key beside the events."""
        self.amd = self.amd or key.startswith(("roctracer", "hip_"))
        if key in FACTS:
            self.facts[key] = value

    def event(self, what: str, event: Event) -> None:
        """An event of the device, or a call of the host."""
        if what == "call":
            self.call(event)
            return
        start, size = nanoseconds(event.ts), nanoseconds(event.dur)
        timed = start is not None and size is not None and 0 <= size <= LONGEST
        if what in MARKING.values():
            if start is not None and size is not None and timed:
                self.mark(what, event, start, start + size)
        elif timed:
            self.keep(what, event, start, size)
        else:
            self.untimed += 1

    def mark(self, what: str, event: Event, start: int, end: int) -> None:
        """A range of the device, or of the host."""
        known = (words(event.name), start, end)
        if what == "mark":
            self.marks.add((*known, whole(event.tid)))
        else:
            where = self.device(event.pid, event.pid)
            self.ranges.add((*known, where, whole(event.tid), whole(arguments(event.args).annotation)))

    def keep(self, kind: str, event: Event, start: int | None, size: int | None) -> None:
        """A kernel, copy or set."""
        args = arguments(event.args)
        where = (self.device(event.pid, args.device), whole(args.stream), whole(args.correlation), whole(args.graph) or None)
        self.work.add((kind, words(event.name), start, size, *where, *sides(args.grid), *sides(args.block)))

    def device(self, process: Any, number: Any) -> int | None:
        """The device by its number; in traces put together, whose processes are named by their rank, one for each name."""
        if isinstance(process, str) and not process.isdecimal():
            return self.named.setdefault(process, len(self.named))
        return whole(number)

    def call(self, event: Event) -> None:
        """A call of the host: kept where it launches."""
        name = event.name if isinstance(event.name, str) else ""
        self.amd = self.amd or name.startswith("hip")
        if "Launch" in name:
            start, correlation = nanoseconds(event.ts), whole(arguments(event.args).correlation)
            if start is not None and correlation is not None:
                self.calls.add((correlation, start, whole(event.tid)))

    def timeline(self) -> Timeline:
        """All of it as frames; refused where no kernel of an NVIDIA GPU is in it."""
        devices = [d.get("name") for d in listed(self.facts.get("deviceProperties")) if isinstance(d, dict)]
        names = [d for d in devices if isinstance(d, str)]
        work = self.work.frame()
        amd = self.amd or work["name"].str.contains(AMD).any()
        if other := ("an AMD" if amd else next((o for word, o in OTHERS.items() if any(word in d for d in names)), None)):
            raise UnreadableCapture(f"{self.name}: a trace of {other} GPU; only NVIDIA GPUs are read")
        work = work.with_columns(shape(*SIDES[:3]).alias("grid"), shape(*SIDES[3:]).alias("block"))
        if not (work["kind"] == "kernel").any():
            raise UnreadableCapture(f"{self.name}: a trace without GPU kernels; record the CUDA activities too")
        job = self.facts.get("distributedInfo")
        rank = whole(job.get("rank")) if isinstance(job, dict) else None
        called = with_calls(work, self.calls.frame())
        # the oldest profilers write ranges of the host alone
        ranges = joined(self.ranges.frame())
        ranges = on_device(self.marks.frame(), called) if ranges.is_empty() else ranges
        notes = untimed(self.untimed)
        return Timeline(
            source=self.name,
            events=finished(called, ranges, rank),
            ranges=ranges,
            gpu=names[0] if len(set(names)) == 1 else None,
            rank=rank,
            notes=notes,
            lost=bool(notes),
        )


def joined(parts: pl.DataFrame) -> pl.DataFrame:
    """The ranges of each device: one annotation has a part on every stream that works for it."""
    of = ["name", "device", "annotation"]
    # numbers of annotations come again where traces were put together
    numbered = parts.sort("start").with_columns(again=pl.int_range(pl.len()).over(*of, "stream"))
    told = numbered.filter(pl.col("annotation").is_not_null())
    whole = told.group_by(*of, "again").agg(pl.col("start").min(), pl.col("end").max())
    every = pl.concat([f.select(*RANGES) for f in (whole, numbered.filter(pl.col("annotation").is_null()))])
    return every.unique().sort("start", "end", "name")


def arguments(value: Any) -> Args:
    """The arguments of an event; none where they are odd."""
    if isinstance(value, msgspec.Raw):
        try:
            return ARGS.decode(value)
        except REFUSED:
            return Args()
    return Args(**dict(wanted(value))) if isinstance(value, dict) else Args()


def wanted(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments by the names of our fields."""
    for field, spelled in zip(Args.__struct_fields__, Args.__struct_encode_fields__, strict=True):
        if spelled in values:
            yield field, values[spelled]


def words(value: Any) -> str:
    """A name that a column can hold: what is no text in it becomes a sign that says so."""
    name = value if isinstance(value, str) else str(value)
    return name if name.isascii() else name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def listed(value: Any) -> list[Any]:
    """A list, or none."""
    return value if isinstance(value, list) else []


def nanoseconds(value: Any) -> int | None:
    """Microseconds with their fraction as whole nanoseconds, by their digits: doubles lose some of a clock since 1970."""
    text = bytes(value) if isinstance(value, msgspec.Raw) else str(value).encode(errors="replace")
    ones, _, parts = text.strip(b'"').partition(b".")
    if len(text) > LONGEST_NUMBER:
        return None
    if ones.isdigit() and (parts.isdigit() or not parts):
        exact = int(ones) * MICRO + int(parts[:3].ljust(3, b"0")) + (parts[3:4] >= b"5")
    else:
        try:
            number = Decimal(text.strip(b'"').decode())
        except InvalidOperation:
            return None
        if not number.is_finite() or abs(number) > FARTHEST:
            return None
        exact = round(number * MICRO)
    return exact if abs(exact) < FARTHEST / 2 else None


def whole(value: Any) -> int | None:
    """A whole number that a column can hold."""
    return value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63 else None


def sides(value: Any) -> tuple[int | None, int | None, int | None]:
    """The sides of a grid or block of three."""
    if isinstance(value, list) and len(value) == 3:
        x, y, z = value
        return whole(x), whole(y), whole(z)
    return None, None, None


def shape(*sides: str) -> pl.Expr:
    """A grid or block as one value; null where a side is."""
    return pl.when(pl.all_horizontal(pl.col(*sides).is_not_null())).then(pl.concat_list(*sides))
