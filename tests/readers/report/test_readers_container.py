"""Blocks of a report at their edges: headers, name tables, sessions, entries, and where reading stops."""

from __future__ import annotations

from array import array
from io import BytesIO

import pytest

from ncu_roofline.readers.report import container
from ncu_roofline.readers.report.container import Block
from ncu_roofline.readers.report.wire import DamagedError
from tests.report_bytes import block, entry, field, report

MAGIC_AND_VERSION = 4 + 4 + 2  # the magic, a size, one field of two bytes


def head(content: bytes) -> container.Head:
    return container.head(BytesIO(content), len(content))


def named(*names: str) -> bytes:
    """A table of metric names."""
    return b"".join(field(1, name) for name in names)


def header(payload: int, *fields: bytes) -> bytes:
    """A block's header that promises so many bytes of entries."""
    return entry(b"".join(fields) + field(5, payload) + field(6, b"process"))


# the file's own header


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (report(version=7), 7),
        (report(version=300), 300),
        (b"NVR\0" + entry(field(2, 5) + field(1, 8)), 8),
        (b"NVR\0" + entry(field(2, 5)), None),
        (b"NVR\0" + entry(field(1, b"7")), None),
        (b"NVR\0" + entry(b"\x08"), None),
        (b"NVR\0" + entry(b""), None),
        (b"NVR\0\x02\0\0", None),
        (b"NVS\0" + entry(field(1, 7)), None),
    ],
)
def test_the_version_stands_in_field_one_behind_the_magic(content: bytes, version: int | None) -> None:
    file = BytesIO(content)
    file.seek(3)
    assert container.version(file) == version


def test_a_file_header_is_read_to_its_end_and_no_further() -> None:
    assert container.version(BytesIO(b"NVR\0" + entry(b"") + field(1, 7))) is None
    # what lies beyond 65,536 bytes of a header is not looked at: field, three bytes of size, content
    for filler, version in ((65_536 - 4 - 2, 7), (65_536 - 4, None)):
        assert container.version(BytesIO(b"NVR\0" + entry(field(2, bytes(filler)) + field(1, 7)))) == version


def test_the_known_version_is_seven() -> None:
    assert container.VERSION == 7  # that of every public report


# blocks


def test_blocks_follow_each_other_from_behind_the_file_header() -> None:
    one = header(4, field(1, 2), field(2, 3), field(7, 5), field(12, b"else")) + b"wxyz"
    content = report(one, header(0, field(2, 1)))
    found = list(container.blocks(BytesIO(content), len(content)))
    start = MAGIC_AND_VERSION + len(one) - 4
    assert found == [(Block(start, start + 4, 2, 3, 5), []), (Block(len(content), len(content), 0, 1, 0), [])]


@pytest.mark.parametrize("length", [500, 508, 509, 600, 2000])
def test_a_header_longer_than_what_is_read_at_once_is_whole(length: int) -> None:
    # the first 512 bytes hold the size, four bytes, and 508 of the header
    table = named("a", "x" * (length - 60), "b")
    found = head(report(header(0, field(4, table)), header(0, field(4, named("c")))))
    assert found.names == ["a", "x" * (length - 60), "b", "c"]
    assert found.stopped is None


def test_a_header_that_ends_after_the_file_is_damaged() -> None:
    content = report(header(0))
    assert head(content).stopped is None
    for size in (content[:-1], content[: MAGIC_AND_VERSION + 3], content[: MAGIC_AND_VERSION + 4]):
        assert head(size).stopped == 0
        with pytest.raises(DamagedError, match="ends after the file"):
            list(container.blocks(BytesIO(size), len(size)))


@pytest.mark.parametrize("broken", [b"\x08", field(2, b"text"), field(3, 5), field(1, 1)])
def test_a_header_without_a_payload_size_or_with_other_types_is_none(broken: bytes) -> None:
    content = report(entry(broken))
    with pytest.raises(DamagedError, match="a block header that is none"):
        list(container.blocks(BytesIO(content), len(content)))


def test_an_empty_session_or_table_is_passed_over_whatever_its_type() -> None:
    content = report(header(0, field(3, 0), field(3, b""), field(4, b"")))
    assert [texts for _, texts in container.blocks(BytesIO(content), len(content))] == [[]]


def test_many_blocks_need_some_bytes_each(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = entry(field(5, 0))  # six bytes
    monkeypatch.setattr(container, "SMALLEST_BLOCKS", (3, 6))
    content = report(*[empty] * 4)  # the first block begins at byte 10, so 34 >= 4 x 6
    assert len(list(container.blocks(BytesIO(content), len(content)))) == 4
    monkeypatch.setattr(container, "SMALLEST_BLOCKS", (3, 9))  # 34 < 4 x 9, but 28 >= 3 x 9
    with pytest.raises(DamagedError, match="without content"):
        list(container.blocks(BytesIO(content), len(content)))
    monkeypatch.setattr(container, "SMALLEST_BLOCKS", (4, 9))
    assert len(list(container.blocks(BytesIO(content), len(content)))) == 4
    monkeypatch.setattr(container, "SMALLEST_BLOCKS", (4, 8))  # 10 + 5 x 6 is 5 x 8
    content += empty
    assert len(list(container.blocks(BytesIO(content), len(content)))) == 5


# what all headers say together


def test_launches_of_the_whole_file_are_found_where_they_lie() -> None:
    first = block(launches=[b"one", b"two"], sources=[b"cubin"], names=["a"])
    second = block(names=["b"])
    third = block(launches=[b"three"])
    content = report(first, second, third)
    payload = (4 + 5) + (4 + 3) * 2  # a source and two launches, each behind its size
    ends = MAGIC_AND_VERSION + len(first), len(content)
    found = head(content)
    assert list(found.blocks()) == [Block(ends[0] - payload, ends[0], 1, 2, 0), Block(ends[1] - 9, ends[1], 0, 1, 0)]
    assert found.filled == array("Q", [ends[0] - payload, ends[0], 1, 2, 0, 0, 0, ends[1] - 9, ends[1], 0, 1, 0, 0, 0])
    assert (found.names, found.stopped, found.range_results) == (["a", "b"], None, 0)


def test_results_of_ranges_are_counted_over_all_blocks() -> None:
    assert head(report(header(0, field(7, 2)), header(0), header(0, field(7, 3)))).range_results == 5


def test_a_payload_that_ends_after_the_file_stops_there_and_keeps_its_launches() -> None:
    good = header(0)
    cut = header(9, field(2, 4)) + b"12345678"
    content = report(good, cut)
    found = head(content)
    start = len(content) - 8
    assert list(found.blocks()) == [Block(start, len(content), 0, 4, 0)]
    assert found.stopped == start
    assert head(content + b"9").stopped is None


def test_more_launches_than_bytes_are_counted_as_bytes() -> None:
    content = report(header(0, field(2, 1 << 40)))
    assert [b.results for b in head(content).blocks()] == [len(content)]


def test_damage_behind_whole_blocks_is_at_the_end_of_the_last() -> None:
    content = report(header(3, field(2, 1)) + b"abc")
    assert head(content + b"\xff\xff\xff\xff").stopped == len(content)


def test_equal_sessions_are_one_and_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [header(0, field(3, word)) for word in (b"a", b"b", b"a", b"c")]
    assert head(report(*blocks)).sessions == [b"a", b"b", b"c"]
    monkeypatch.setattr(container, "MOST_SESSIONS", 2)
    assert head(report(*blocks)).sessions == [b"a", b"b"]


# name tables


def test_the_same_table_again_is_appended_again() -> None:
    first, second = field(4, named("a", "b")), field(4, named("c"))
    tables = (first, first, second, first)
    assert head(report(*(header(0, table) for table in tables))).names == ["a", "b", "a", "b", "c", "a", "b"]


def test_only_texts_in_field_one_of_a_table_are_names() -> None:
    assert head(report(header(0, field(4, field(2, "x") + field(1, "a") + field(3, 4))))).names == ["a"]


def test_tables_may_hold_so_many_bytes_and_repeats_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    table = named("ab")  # four bytes
    monkeypatch.setattr(container, "MOST_TABLE_BYTES", 8)
    tables = container._Tables([])
    for _ in range(3):
        tables.add(table)
    tables.add(b"")
    tables.add(named("cd"))
    assert tables.names == ["ab", "ab", "ab", "cd"]
    with pytest.raises(DamagedError, match="more metric names"):
        tables.add(named("ef"))


def test_an_empty_table_between_equal_ones_changes_nothing() -> None:
    tables = container._Tables([])
    for content in (b"", named("a"), b"", named("a")):
        tables.add(content)
    assert tables.names == ["a", "a"]
    assert tables.decoded == len(named("a"))


def test_the_limits_are_far_above_what_reports_hold() -> None:
    assert container.MOST_TABLE_BYTES == 8 * 1024 * 1024
    assert container.MOST_SESSIONS >= 256


# entries of a block


def results(content: bytes, *, end: int | None = None, sources: int = 0, launches: int = 1) -> list[bytes]:
    """The launches of a block that begins behind two foreign bytes."""
    stop = 2 + (len(content) if end is None else end)
    return list(container.results(BytesIO(b"??" + content), Block(2, stop, sources, launches, 0)))


def test_launches_stand_behind_the_sources() -> None:
    content = entry(b"cubin") + entry(b"ptx") + entry(b"one") + entry(b"t")
    assert results(content, sources=2, launches=2) == [b"one", b"t"]
    assert results(content, sources=0, launches=3) == [b"cubin", b"ptx", b"one"]
    assert results(content, sources=4, launches=0) == []


def test_an_entry_must_fit_its_block_and_may_fill_it() -> None:
    content = entry(b"one") + entry(b"two!")  # 7 and 8 bytes
    assert results(content, launches=2, end=15) == [b"one", b"two!"]
    with pytest.raises(DamagedError, match="does not fit"):
        results(content, launches=2, end=14)
    with pytest.raises(DamagedError, match="does not fit"):
        results(content, sources=2, launches=0, end=14)
    with pytest.raises(DamagedError, match="does not fit"):
        results(entry(b""))


def test_an_entry_of_one_byte_is_one() -> None:
    assert results(entry(b"x")) == [b"x"]


def test_a_file_that_ends_inside_an_entry_is_damaged() -> None:
    with pytest.raises(DamagedError, match="inside a launch"):
        results(entry(b"launch")[:-1], end=10)
    for cut in range(4):
        with pytest.raises(DamagedError, match="inside a block"):
            results(entry(b"launch")[:cut], end=10)
