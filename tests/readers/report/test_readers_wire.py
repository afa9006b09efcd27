"""Protobuf's encoding at its edges: numbers of one to ten bytes, fields of every wire type, what is no message."""

from __future__ import annotations

import struct

import pytest

from ncu_roofline.readers.report import wire
from ncu_roofline.readers.report.wire import DamagedError, field, message, part, text, value, varint, whole

EIGHT, FOUR = struct.pack("<d", 1.5), struct.pack("<f", 0.5)


@pytest.mark.parametrize(
    ("data", "number", "length"),
    [
        (b"\x00", 0, 1),
        (b"\x7f", 127, 1),
        (b"\x80\x01", 128, 2),
        (b"\xff\x01", 127 + (1 << 7), 2),
        (b"\xff\x7f", (1 << 14) - 1, 2),
        (b"\x85\x80\x01", 5 + (1 << 14), 3),
        (b"\xff" * 9 + b"\x01", (1 << 64) - 1, 10),
        (b"\xff" * 9 + b"\x7f", (1 << 64) - 1, 10),  # the bits beyond 64 are dropped
    ],
)
def test_a_number_has_seven_bits_a_byte_and_ends_where_it_ends(data: bytes, number: int, length: int) -> None:
    assert varint(data + b"\x09", 0) == (number, length)
    assert varint(b"\xee" + data, 1) == (number, 1 + length)


def test_a_number_of_eleven_bytes_is_damaged() -> None:
    with pytest.raises(DamagedError):
        varint(b"\x80" * 10 + b"\x01", 0)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x08\x7f", (1, wire.VARINT, 1, 2)),
        (b"\x08\x80\x01", (1, wire.VARINT, 1, 3)),
        (b"\x11" + EIGHT, (2, wire.FIXED64, 1, 9)),
        (b"\x15" + FOUR, (2, wire.FIXED32, 1, 5)),
        (b"\x1a\x03abc", (3, wire.SIZED, 2, 5)),
        (b"\x1a\x7f" + bytes(127), (3, wire.SIZED, 2, 129)),
        (b"\x1a\x80\x01" + bytes(128), (3, wire.SIZED, 3, 131)),
        (b"\x7a\x01a", (15, wire.SIZED, 2, 3)),
        (b"\x80\x01\x05", (16, wire.VARINT, 2, 3)),  # 16 << 3 is 128: two bytes
        (b"\x82\x01\x01a", (16, wire.SIZED, 3, 4)),
    ],
)
def test_a_field_tells_its_number_its_type_and_where_its_content_lies(data: bytes, found: tuple[int, ...]) -> None:
    number, kind, start, end = found
    assert field(data, 0) == found
    assert field(b"\x00\x00" + data, 2) == (number, kind, start + 2, end + 2)


@pytest.mark.parametrize("kind", [3, 4, 6, 7])
def test_a_wire_type_that_the_encoding_does_not_have_is_damaged(kind: int) -> None:
    with pytest.raises(DamagedError, match=f"wire type {kind}"):
        field(bytes([1 << 3 | kind, 0]) + bytes(9), 0)


def test_a_message_gives_numbers_and_bytes_in_their_order() -> None:
    data = b"\x08\x7f" + b"\x10\x80\x02" + b"\x1a\x02ab" + b"\x21" + EIGHT + b"\x2d" + FOUR
    assert list(message(data)) == [(1, 127), (2, 256), (3, b"ab"), (4, EIGHT), (5, FOUR)]
    assert list(message(b"")) == []


@pytest.mark.parametrize("data", [b"\x1a\x03ab", b"\x21" + EIGHT[:-1], b"\x2d" + FOUR[:-1]])
def test_a_field_that_ends_one_byte_after_its_message_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError, match="ends after its message"):
        list(message(data))


@pytest.mark.parametrize("data", [b"\x08", b"\x08\x80", b"\x1a", b"\x80"])
def test_a_message_that_ends_inside_a_number_is_broken(data: bytes) -> None:
    with pytest.raises(wire.BROKEN):
        list(message(data))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", None),
        (b"\x0a\x02ab", "ab"),
        (b"\x15" + FOUR, 0.5),
        (b"\x19" + EIGHT, 1.5),
        (b"\x20\x07", 7),
        (b"\x28\xac\x02", 300),  # 44 + 2 * 128
        (b"\x30\x07", None),  # field 6 is none that is known
        (b"\x20\x07\x28\x08", 8),
    ],
)
def test_a_value_is_a_text_a_fraction_or_a_whole_number(data: bytes, found: object) -> None:
    assert value(data) == found
    assert type(value(data)) is type(found)


@pytest.mark.parametrize("data", [b"\x08\x07", b"\x10\x07", b"\x18\x07", b"\x22\x01a", b"\x2a\x01a", b"\x29" + EIGHT])
def test_a_value_of_another_wire_type_than_its_field_has_is_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError):
        value(data)


def test_content_is_a_number_or_bytes_and_never_taken_for_the_other() -> None:
    assert (whole(0), part(b""), text(b"a\xff")) == (0, b"", "a\ufffd")
    with pytest.raises(DamagedError, match="bytes where a number belongs"):
        whole(b"\x01")
    with pytest.raises(DamagedError, match="a number where bytes belong"):
        part(1)
