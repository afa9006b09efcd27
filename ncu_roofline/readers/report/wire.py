"""Protobuf bytes -> numbers, texts and sub-messages; whatever breaks the encoding is DamagedError."""

from __future__ import annotations

import struct
from collections.abc import Iterator

DOUBLE = struct.Struct("<d").unpack_from
FLOAT = struct.Struct("<f").unpack_from
U32 = struct.Struct("<I").unpack_from

Content = int | bytes
Value = str | float | int | None

# encoding.proto.dev, "Message Structure": the low three bits of a key
VARINT, FIXED64, SIZED, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10


class DamagedError(Exception):
    """Bytes that cannot be what the format says they are."""


BROKEN = (DamagedError, IndexError, ValueError, OverflowError, struct.error)
"""What decoding raises on bytes that are not a message: a read past the end is an IndexError."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number at this place, and the place after it."""
    first = data[at]
    if first < 128:
        return first, at + 1
    number = first & 127
    for step in range(1, LONGEST_VARINT):
        byte = data[at + step]
        number |= (byte & 127) << 7 * step
        if byte < 128:
            return number & 0xFFFF_FFFF_FFFF_FFFF, at + step + 1
    raise DamagedError("a number of more than ten bytes")


def field(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Number and wire type of the field at this place, and where its content begins and ends."""
    key, at = data[at], at + 1
    if key > 127:
        key, at = varint(data, at - 1)
    kind = key & 7
    if kind == SIZED:
        size, at = data[at], at + 1
        if size > 127:
            size, at = varint(data, at - 1)
        return key >> 3, kind, at, at + size
    if kind == VARINT:
        return key >> 3, kind, at, at + 1 if data[at] < 128 else varint(data, at)[1]
    if kind in (FIXED64, FIXED32):
        return key >> 3, kind, at, at + (8 if kind == FIXED64 else 4)
    raise DamagedError(f"wire type {kind}")


def message(data: bytes) -> Iterator[tuple[int, Content]]:
    """Field numbers with their content: an int for varints, bytes for everything else."""
    at, end = 0, len(data)
    while at < end:
        number, kind, start, at = field(data, at)
        if at > end:
            raise DamagedError("a field that ends after its message")
        if kind != VARINT:
            yield number, data[start:at]
        else:
            yield number, data[start] if data[start] < 128 else varint(data, start)[0]


def whole(content: Content) -> int:
    """The content of a varint field."""
    if isinstance(content, int):
        return content
    raise DamagedError("bytes where a number belongs")


def part(content: Content) -> bytes:
    """The content of a length-delimited field."""
    if isinstance(content, bytes):
        return content
    raise DamagedError("a number where bytes belong")


def text(content: Content) -> str:
    """The content of a text field; bytes that are not UTF-8 become replacement characters."""
    return part(content).decode("utf-8", "replace")


def value(data: bytes) -> Value:
    """A metric value {1 text, 2 float, 3 double, 4 uint32, 5 uint64}; None for an empty message."""
    found: Value = None
    for number, content in message(data):
        if number == 1:
            found = text(content)
        elif number == 2:
            found = FLOAT(part(content))[0]
        elif number == 3:
            found = DOUBLE(part(content))[0]
        elif number in (4, 5):
            found = whole(content)
    return found
