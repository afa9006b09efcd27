"""Folders in texts: what is blotted out, what stands, and that sizes and messages stay whole."""

from __future__ import annotations

import random

import pytest

from ncu_roofline.readers.private import blotted, without_folders
from ncu_roofline.readers.report.wire import message
from tests.report_bytes import field


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("see /home/me/a.cu for details", "see xxxxxxxxxxxxx for details"),
        ("/scratch/me", "xxxxxxxxxxx"),
        ("(/usr/lib/x.so)", "(xxxxxxxxxxxxx)"),
        ("at /mnt/My Files/x.cu:12", "at xxxxxxxxxxxxxxxxxx:12"),
        ("~/work/x", "xxxxxxxx"),
        (r"C:\Users\John Smith\x.cu and more", "x" * 24 + " and more"),
        (r"in D:\\a\\b", "in xxxxxxxx"),
        ("D:/me/x.cu", "xxxxxxxxxx"),
        (r"\\server\share\x", "xxxxxxxxxxxxxxxx"),
        ("file:///home/me", "file://xxxxxxxx"),
        ("in /home/jürgen/x", "in " + "x" * 15),
    ],
)
def test_paths_of_every_system_are_blotted_out(text: str, plain: str) -> None:
    assert without_folders(text.encode()).decode() == plain
    assert len(plain) == len(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "https://docs.nvidia.com/cuda/best/index.html",
        "L1/TEX/L2 hit rate",
        "FLOP/s/W and byte/s",
        "operator/(a, b)",
        "a / b / c",
        "void f<(int)1>(T1 *)::[lambda() (instance 1)]",
    ],
)
def test_what_is_no_path_stands(text: str) -> None:
    assert without_folders(text.encode()) == text.encode()


def test_texts_of_a_message_are_blotted_out_and_its_other_fields_stay() -> None:
    inner = field(2, "/home/secret/app") + field(9, "J")  # the next field's key is a letter: J
    data = field(1, 47) + field(5, "/L1/x") + field(7, inner) + field(3, b"\x00\x01/home/secret")
    after = blotted(data)
    assert len(after) == len(data)
    assert b"secret" not in after
    assert [number for number, _ in message(after)] == [1, 5, 7, 3]
    assert list(message(next(c for n, c in message(after) if n == 7 and isinstance(c, bytes)))) == [(2, b"x" * 16), (9, b"J")]


def test_a_size_that_reads_like_a_slash_is_no_path() -> None:
    text = "L1/TEX Cache Achieved Value (Src:fp16 Dst:fp16)"
    assert len(text) == ord("/")
    assert blotted(field(1, text)) == field(1, text)
    assert blotted(field(3, field(1, text))) == field(3, field(1, text))


def test_a_text_that_passes_for_a_message_is_a_text_all_the_same() -> None:
    text = b"J0" + b"a" * 38 + b" /home/secJ0ret/app" + b" b" * 20 + b" "  # J0: field 9, forty-eight bytes long
    assert [number for number, _ in message(text)] == [9, 9]
    assert blotted(text) == b"J0" + b"a" * 38 + b" " + b"x" * 18 + b" b" * 20 + b" "


@pytest.mark.parametrize("piece", [b"/a ", b"C:\\a (", b"/a/", b"\\\\a", b"~/", b" b", b"\x0a\x7f"])
def test_a_megabyte_of_almost_paths_is_done_in_time(piece: bytes) -> None:
    text = b"/a" + piece * 200_000  # hours, if every beginning were followed to the end
    assert len(blotted(text)) == len(text)


def test_damaged_messages_keep_their_length() -> None:
    chance = random.Random(1)
    whole = field(1, 47) + field(7, field(2, "/home/secret/app") * 3) * 3
    for _ in range(500):
        data = bytearray(whole)
        data[chance.randrange(len(data))] = chance.randrange(256)
        assert len(blotted(bytes(data))) == len(data)


def test_messages_a_thousand_deep_end() -> None:
    data = b"/home/secret"
    for _ in range(1_000):
        data = field(1, data)
    assert b"secret" not in blotted(data)
