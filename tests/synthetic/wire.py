"""Protobuf's wire format, as much as a report needs to be written: fields in, bytes out."""

from __future__ import annotations

import struct
from collections.abc import Iterable

Value = int | float | str | bytes


def varint(number: int) -> bytes:
    """Seven bits a byte, least first."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, value: Value) -> bytes:
    """One field: int as varint, float as double, text and messages with their length."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def message(*fields: tuple[int, Value]) -> bytes:
    """A message of these fields in this order."""
    return b"".join(field(number, value) for number, value in fields)


def sized(content: bytes) -> bytes:
    """A payload entry: its size, then itself."""
    return struct.pack("<I", len(content)) + content


def repeated(number: int, values: Iterable[bytes | str]) -> list[tuple[int, Value]]:
    """The same field again and again."""
    return [(number, value) for value in values]
