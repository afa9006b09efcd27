"""A Parquet file -> how many values its lists unpack to, as the headers of their pages tell, without unpacking one.

Layout: parquet-format, parquet.thrift and Thrift's compact protocol. A few bytes can stand for millions of equal entries,
and whoever decodes them to count them has the millions in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from struct import unpack_from
from typing import Any, BinaryIO

MAGIC, TAIL = b"PAR1", 8
ROW_GROUPS, COLUMNS, CHUNK = 4, 1, 3
"""Fields: of the file, of a row group, of a column's part in it."""
PATH, COMPRESSED, DATA_AT, DICTIONARY_AT = 3, 7, 9, 11
"""Fields of a column's part."""
PAGE_SIZE, DATA, DATA_2 = 3, 5, 8
"""Fields of a page's header; those of its values have their number first."""
HEADER_BYTES, MOST_PAGES, DEEPEST = 1 << 12, 100_000, 16
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12


class NoPagesError(ValueError):
    """Bytes that are no footer or header of Parquet."""


BROKEN = (NoPagesError, IndexError, OSError, KeyError, TypeError, AttributeError)
"""What damaged bytes end in."""


def listed(file: BinaryIO) -> int:
    """Values of all lists of a file; raises one of BROKEN where its bytes are no Parquet."""
    groups = footer(file)[ROW_GROUPS]
    chunks = (column[CHUNK] for group in groups for column in group[COLUMNS])
    return sum(values for chunk in chunks if len(chunk[PATH]) > 1 for values in pages(file, chunk))


def footer(file: BinaryIO) -> dict[int, Any]:
    """What the end of the file tells of it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - TAIL, 0))
    tail = file.read(TAIL)
    if tail[4:] != MAGIC or (length := int(unpack_from("<I", tail)[0])) > size - TAIL:
        raise NoPagesError("no footer")
    file.seek(size - TAIL - length)
    return structure(file.read(length), 0)[0]


def pages(file: BinaryIO, chunk: dict[int, Any]) -> Iterator[int]:
    """Of each page of a column's part, its number of values."""
    start = min(at for at in (chunk[DATA_AT], chunk.get(DICTIONARY_AT)) if at)
    at, number = start, 0
    while at < start + chunk[COMPRESSED]:
        file.seek(at)
        header, length = structure(file.read(HEADER_BYTES), 0)
        at, number = at + length + header[PAGE_SIZE], number + 1
        if header[PAGE_SIZE] < 0 or number > MOST_PAGES:
            raise NoPagesError("pages without an end")
        yield header.get(DATA, header.get(DATA_2, {})).get(1, 0)


def structure(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The fields of a structure by their numbers, and where it ends."""
    if depth > DEEPEST:
        raise NoPagesError("deeper than any footer")
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        kind, at = head & 15, at + 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = signed(data, at)
        fields[number], at = (kind == TRUE, at) if kind in (TRUE, FALSE) else value(data, at, kind, depth)
    return fields, at + 1


def value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    """One value of a kind, and where it ends."""
    if kind == STRUCT:
        return structure(data, at, depth + 1)
    if kind in (LIST, SET):
        return several(data, at, depth)
    if kind == BINARY:
        size, at = whole(data, at)
        return data[at : at + size], at + size
    if kind in (BYTE, TRUE, FALSE):
        return data[at], at + 1
    if kind == DOUBLE:
        return None, at + 8
    if kind == MAP:
        raise NoPagesError("a map, which no footer has")
    return signed(data, at)


def several(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    """The entries of a list, and where it ends."""
    size, kind, at = data[at] >> 4, data[at] & 15, at + 1
    if size == 15:
        size, at = whole(data, at)
    if size > len(data):  # an entry takes a byte at the least
        raise NoPagesError("a list longer than the bytes that hold it")
    entries = []
    for _ in range(size):
        entry, at = value(data, at, kind, depth)
        entries.append(entry)
    return entries, at


def whole(data: bytes, at: int) -> tuple[int, int]:
    """A number of as many bytes as it needs, and where it ends."""
    number = shift = 0
    while shift < 64:
        byte = data[at]
        number, at, shift = number | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return number, at
    raise NoPagesError("a number of too many bytes")


def signed(data: bytes, at: int) -> tuple[int, int]:
    """The same of a number with a sign."""
    number, at = whole(data, at)
    return number >> 1 ^ -(number & 1), at
