"""Traces of PyTorch's profiler (Kineto): one event at a time out of a file of any size."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import Any

import polars as pl

from ncu_roofline.capture.timeline import FARTHEST, LONGEST, RANGES, SCHEMA, Timeline
from ncu_roofline.errors import UnreadableCapture

PIECE, MOST_VALUE = 2**21, 2**26
"""Characters read at once, and the most that one event or fact may have."""
KINDS = {"kernel": "kernel", "gpu_memcpy": "copy", "memcpy": "copy", "gpu_memset": "set", "memset": "set"}
"""Category of an event, in small letters: the oldest traces write Kernel, Memcpy and Memset."""
RANGE = "gpu_user_annotation"
BETWEEN = re.compile(r"[\s,]*")
COLON = re.compile(r"\s*:\s*")
FACTS = ("deviceProperties", "distributedInfo")
MICRO = 1000


class Broken(Exception):
    """The text is no JSON from here on."""


class Pieces:
    """The text of a file as a window that moves forward."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self.text, self.at, self.ended = "", 0, False
        # strict would refuse the raw line breaks that some names hold; integers beyond a limit are Python's to refuse
        self.value_at = json.JSONDecoder(strict=False).raw_decode

    def more(self) -> None:
        """Adds the next piece and forgets what was read."""
        piece = self.file.read(PIECE)
        self.ended = not piece
        self.text, self.at = self.text[self.at :] + self.decode(piece, self.ended), 0

    def next(self) -> str:
        """The next character that is neither space nor comma; empty at the end of the file."""
        while True:
            self.at = BETWEEN.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.more()

    def value(self) -> Any:
        """The value that begins here."""
        while True:
            try:
                found, end = self.value_at(self.text, self.at)
            except json.JSONDecodeError as error:
                if self.ended or len(self.text) - self.at > MOST_VALUE:
                    raise Broken from error
            except (RecursionError, ValueError) as error:
                raise Broken from error
            else:
                if end < len(self.text) or self.ended:  # a number may go on in the next piece
                    self.at = end
                    return found
            self.more()

    def key(self) -> str:
        """The key that begins here, with its colon."""
        name = self.value()
        if not isinstance(name, str):
            raise Broken
        if self.next() != ":":
            raise Broken
        self.at = COLON.match(self.text, self.at).end()  # type: ignore[union-attr]
        self.next()
        return name


def read(path: Path, name: str) -> Timeline:
    """The kernels, copies, sets and ranges of the device."""
    found = Found(name)
    pieces = Pieces(path)
    try:
        take(pieces, found)
    except Broken as error:
        raise UnreadableCapture(f"{name}: not valid JSON, damaged or cut off; export the trace again") from error
    finally:
        pieces.file.close()
    return found.timeline()


def take(pieces: Pieces, found: Found) -> None:
    """Every key of the trace, and every event of its list."""
    if pieces.next() == "[":
        events(pieces, found)
        return
    pieces.at += 1
    while (sign := pieces.next()) != "}":
        if not sign:
            raise Broken
        key = pieces.key()
        if key == "traceEvents" and pieces.next() == "[":
            events(pieces, found)
        else:
            found.fact(key, pieces.value())


def events(pieces: Pieces, found: Found) -> None:
    """The list that begins here, one event after the other."""
    pieces.at += 1
    while (sign := pieces.next()) != "]":
        if not sign:
            raise Broken
        event = pieces.value()
        if isinstance(event, dict):
            found.event(event)
    pieces.at += 1


class Found:
    """What was seen of a trace so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: list[tuple[Any, ...]] = []
        self.ranges: list[tuple[Any, ...]] = []
        self.facts: dict[str, Any] = {}
        self.amd = False
        self.untimed = 0

    def fact(self, key: str, value: Any) -> None:
        """A key beside the events."""
        self.amd = self.amd or key.startswith(("roctracer", "hip_"))
        if key in FACTS:
            self.facts[key] = value

    def event(self, event: dict[str, Any]) -> None:
        """An event: kept where it is of the device."""
        category = event.get("cat")
        if not isinstance(category, str) or event.get("ph") != "X":
            return
        category = category.lower()
        if category == "cuda_runtime":
            self.amd = self.amd or str(event.get("name", "")).startswith("hip")
        elif kind := KINDS.get(category):
            self.keep(kind, event)
        elif category == RANGE:
            start, size = nanoseconds(event.get("ts")), nanoseconds(event.get("dur"))
            if start is not None and size is not None and 0 <= size <= LONGEST:
                self.ranges.append((str(event.get("name", "")), start, start + size, whole(event.get("pid"))))

    def keep(self, kind: str, event: dict[str, Any]) -> None:
        """A kernel, copy or set."""
        start, size = nanoseconds(event.get("ts")), nanoseconds(event.get("dur"))
        if start is None or size is None or not 0 <= size <= LONGEST:
            self.untimed += 1
            return
        args = event.get("args")
        args = args if isinstance(args, dict) else {}
        graph = whole(args.get("graph id")) or None
        device, stream = whole(args.get("device")), whole(args.get("stream"))
        where = (device, stream, whole(args.get("correlation")), graph, shape(args.get("grid")), shape(args.get("block")))
        self.rows.append((kind, str(event.get("name", "")), start, size, *where))

    def timeline(self) -> Timeline:
        """All of it as frames; refused where no kernel of an NVIDIA GPU is in it."""
        devices = [d.get("name") for d in listed(self.facts.get("deviceProperties")) if isinstance(d, dict)]
        names = [d for d in devices if isinstance(d, str)]
        if self.amd or any("AMD" in d or "Radeon" in d for d in names):
            raise UnreadableCapture(f"{self.name}: a trace of an AMD GPU; only NVIDIA GPUs are read")
        if not any(row[0] == "kernel" for row in self.rows):
            raise UnreadableCapture(f"{self.name}: a trace without GPU kernels; record the CUDA activities too")
        job = self.facts.get("distributedInfo")
        notes = (f"{self.untimed:,} events of the device have no time and are left out.",) if self.untimed else ()
        return Timeline(
            source=self.name,
            events=pl.DataFrame(self.rows, schema=SCHEMA, orient="row").sort("start", maintain_order=True),
            ranges=pl.DataFrame(self.ranges, schema=RANGES, orient="row").sort("start", maintain_order=True),
            gpu=names[0] if len(set(names)) == 1 else None,
            rank=whole(job.get("rank")) if isinstance(job, dict) else None,
            notes=notes,
        )


def listed(value: Any) -> list[Any]:
    """A list, or none."""
    return value if isinstance(value, list) else []


def nanoseconds(value: Any) -> int | None:
    """Microseconds with their fraction as whole nanoseconds: doubles hold them exactly up to half a year."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value * MICRO) if abs(value) < FARTHEST / MICRO / 2 else None


def whole(value: Any) -> int | None:
    """A whole number that a column can hold."""
    return value if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63 else None


def shape(value: Any) -> list[int] | None:
    """A grid or block of three sides."""
    sides = [whole(v) for v in listed(value)]
    return [s for s in sides if s is not None] if len(sides) == 3 and None not in sides else None
