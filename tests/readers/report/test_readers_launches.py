"""One launch's bytes at their edges: sizes and indices of one to three bytes, odd values, shapes, ranges, names."""

from __future__ import annotations

import re
import struct

import pytest

from ncu_roofline.readers.report import launches
from ncu_roofline.readers.report.launches import extent, instances, ranges, row
from ncu_roofline.readers.report.plan import BLOCK, FIXED, GRID, KERNEL, MANGLED, NAME, NVTX, PROCESS, Cell, Plan, unwanted
from ncu_roofline.readers.report.plan import plan as planned
from ncu_roofline.readers.report.wire import BROKEN, DamagedError
from tests.report_bytes import field, metric, value

EIGHT = struct.pack("<d", 1.5)
KERNEL_K = field(6, "k")


def watching(index: int, names: int, *, listed: bool = False) -> Plan:
    """Keeps the metric of that index in the first free cell, and steps over nothing unseen."""
    places: list[int | None] = [None] * names
    places[index] = FIXED
    return Plan(places, frozenset({FIXED} if listed else ()), FIXED + 1, re.compile(b"(?!)"))


def cell(metrics: bytes, *, listed: bool = False) -> Cell:
    """What a launch with these fields holds for the metric of index 0."""
    return row(KERNEL_K + metrics, watching(0, 3, listed=listed))[FIXED]


def valued(content: bytes) -> bytes:
    """A metric of index 0 with these bytes as its value."""
    return field(13, field(1, 0) + field(2, content))


@pytest.mark.parametrize("index", [0, 126, 127, 128, 255, 256, 16_383, 16_384, 16_385])
def test_an_index_of_one_two_or_three_bytes_is_understood(index: int) -> None:
    cells = row(KERNEL_K + metric(index - 1 if index else 1, 5) + metric(index, 7.0), watching(index, 16_400))
    assert cells[FIXED] == 7.0


@pytest.mark.parametrize("length", [1, 100, 119, 120, 121, 122, 123, 124, 125, 16_370, 16_376, 16_380, 40_000])
def test_a_metric_of_any_size_ends_where_the_next_begins(length: int) -> None:
    # around the text stand up to ten bytes: with 120 and 16,376 characters its size grows a byte
    data = KERNEL_K + metric(1, "x" * length) + metric(0, "y" * length) + metric(1, 3) + field(1, 9)
    cells = row(data, watching(0, 2))
    assert (cells[FIXED], cells[PROCESS]) == ("y" * length, 9)


def test_a_metric_that_does_not_begin_with_its_name_is_damaged() -> None:
    with pytest.raises(DamagedError, match="does not begin with its name"):
        cell(field(13, field(2, value(5)) + field(1, 0)))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (field(3, 1.5), 1.5),
        (field(5, 0), 0),
        (field(5, 127), 127),
        (field(5, 128), 128),
        (field(5, (1 << 64) - 1), (1 << 64) - 1),
        (field(4, 6), 6),
        (field(1, "text"), "text"),
        (b"\x15" + struct.pack("<f", 0.5), 0.5),
        (field(1, "") + field(3, 2.5), 2.5),
        (b"", None),
        (field(6, 7), None),
        (field(10, 7), None),
        (field(6, 1.5), None),
    ],
)
def test_a_metric_has_the_value_that_its_message_holds(content: bytes, found: Cell) -> None:
    assert cell(valued(content)) == found


@pytest.mark.parametrize("content", [b"\x21" + EIGHT, field(3, b"1234567"), field(5, b"1234567")])
def test_a_value_in_the_wrong_form_damages_its_launch(content: bytes) -> None:
    with pytest.raises(BROKEN):
        cell(valued(content))


def test_what_looks_like_a_value_elsewhere_in_a_metric_is_none() -> None:
    name = field(1, 0)
    assert cell(field(13, name)) is None
    assert cell(field(13, name + field(3, field(3, 1.5)))) is None
    assert cell(field(13, name + field(4, field(3, 1.5)))) is None
    assert cell(field(13, name + field(4, field(5, 9)))) is None
    assert cell(field(13, name + field(4, field(5, 9)) + field(2, field(5, 8)))) == 8


@pytest.mark.parametrize("double", [field(3, 1.5), field(5, 3)])
def test_a_value_in_a_field_of_no_wire_type_damages_its_launch(double: bytes) -> None:
    with pytest.raises(BROKEN):
        cell(field(13, field(1, 0) + bytes([2 << 3 | 3, len(double)]) + double))


def test_instances_are_pairs_of_identifier_and_value() -> None:
    listed = metric(0, 12, {"HMMA": 8, "FFMA": 4.5})
    assert cell(listed, listed=True) == [("HMMA", 8), ("FFMA", 4.5)]
    assert cell(metric(0, 12), listed=True) is None
    assert instances(field(3, field(2, value(3)))) == [(None, 3)]
    assert instances(field(3, field(1, value("id")))) == [("id", None)]
    assert instances(field(3, field(1, value("id")) + field(3, 5))) == [("id", None)]
    assert instances(b"") is None


def test_more_instances_than_the_limit_are_damage_and_so_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "MOST_INSTANCES", 2)
    one = field(3, field(2, value(3)))
    assert instances(one * 2) == [(None, 3)] * 2
    with pytest.raises(DamagedError, match="more instances"):
        instances(one * 3)


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 129, 300])
def test_names_of_any_length_are_whole(length: int) -> None:
    cells = row(field(5, "m") + field(6, "k" * length) + field(17, b"s" * length) + field(1, 3), watching(0, 1))
    assert (cells[KERNEL], cells[PROCESS]) == ("k" * length or "m", 3)


def test_a_kernel_is_called_by_the_names_that_it_has() -> None:
    def names(*fields: bytes) -> tuple[Cell, ...]:
        cells = row(b"".join(fields), watching(0, 1))
        return cells[KERNEL], cells[NAME], cells[MANGLED]

    mangled, function, full = field(5, "_Zk"), field(6, "k"), field(7, "k(int)")
    assert names(mangled, function, full) == ("k", "k(int)", "_Zk")
    assert names(function) == ("k", "k", None)
    assert names(mangled) == ("_Zk", "_Zk", "_Zk")
    assert names(mangled, function) == ("k", "_Zk", "_Zk")
    with pytest.raises(DamagedError, match="without a name"):
        names(full)


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_a_launch_that_ends_inside_a_field_is_damaged(cut: int) -> None:
    for data in (KERNEL_K + field(5, "long name"), KERNEL_K + field(17, "unknown field"), KERNEL_K + metric(1, 2.0)):
        row(data, watching(0, 2))
        with pytest.raises(BROKEN):
            row(data[:-cut], watching(0, 2))


def test_the_process_is_a_number_below_two_to_the_62() -> None:
    def process(*fields: bytes) -> Cell:
        return row(KERNEL_K + b"".join(fields), watching(0, 1))[PROCESS]

    assert process(field(1, 300)) == 300
    assert process(field(1, (1 << 62) - 1)) == (1 << 62) - 1
    assert process(field(1, 1 << 62)) is None
    assert process(field(2, 5)) is None
    assert process(field(1, b"5")) is None


@pytest.mark.parametrize(
    ("sides", "found"),
    [
        ((2, 3, 4), (2, 3, 4)),
        ((1, 1, 1), (1, 1, 1)),
        ((0, 1, 1), None),
        ((1, 1, 0), None),
        (((1 << 32) - 1, 1, 1), ((1 << 32) - 1, 1, 1)),
        ((1 << 32, 1, 1), None),
    ],
)
def test_a_shape_has_three_sides_from_one_to_32_bits(sides: tuple[int, int, int], found: tuple[int, ...] | None) -> None:
    data = b"".join(field(n, side) for n, side in enumerate(sides, 1))
    assert extent(data) == found
    assert extent(field(4, b"more") + data) == found
    assert row(KERNEL_K + field(10, data), watching(0, 1))[GRID] == found


def test_a_shape_with_a_side_left_out_is_unknown() -> None:
    assert extent(field(1, 2) + field(2, 3)) is None


def stack(domain: int | None, *names: str) -> bytes:
    """The open ranges of one domain on a thread."""
    number = b"" if domain is None else field(1, domain)
    return field(2, number + b"".join(field(3, field(1, name) + field(2, "color")) for name in names))


def test_ranges_are_stacked_by_domain_over_all_threads() -> None:
    threads = field(1, field(1, 5)) + field(2, field(1, 9) + stack(1, "b") + stack(None, "a")) + field(2, stack(0, "c"))
    assert ranges(threads) == ["a", "c", "b"]
    assert ranges(b"") == []
    assert ranges(field(3, stack(0, "a"))) == []
    assert ranges(field(2, field(3, stack(0, "a")))) == []


def test_more_ranges_than_the_limit_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launches, "MOST_RANGES", 2)
    assert ranges(field(2, stack(0, "a", "b", "c"))) == ["a", "b"]


# what a plan steps over


def test_a_plan_keeps_names_in_their_places_and_knows_which_are_listed() -> None:
    made = planned(["a", "b", "c", "b"], {"b": FIXED, "d": FIXED + 1}, ["b", "c"])
    assert made.places == [None, FIXED, None, FIXED]
    assert made.listed == frozenset({FIXED})
    assert made.width == FIXED + 2


def test_every_fixed_cell_has_a_meaning() -> None:
    assert sorted((PROCESS, KERNEL, NAME, GRID, BLOCK, NVTX, MANGLED)) == list(range(FIXED))


def sized(index: int, size: int) -> bytes:
    """A metric of that many bytes behind its own size."""
    name = field(1, index)
    data = field(13, name + bytes(size - len(name)))
    assert len(data) == 2 + size
    return data


@pytest.mark.parametrize("size", [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 32])
@pytest.mark.parametrize("index", [0, 100, 128, 299])
def test_metrics_of_frequent_sizes_are_stepped_over_up_to_the_next_kept_one(size: int, index: int) -> None:
    steps = planned([f"n{n}" for n in range(300)], {"n127": FIXED, "n200": FIXED + 1}, ()).unwanted
    one = sized(index, size)
    matched = steps.match(one * 3 + sized(127, 16) + one)
    assert matched is not None
    assert matched.end() == 3 * len(one)
    assert steps.match(one + sized(200, 16)).end() == len(one)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("names", "index", "stepped"), [(100, 127, True), (128, 127, True), (128, 128, False), (129, 128, True)]
)
def test_only_indices_that_the_table_can_have_are_stepped_over(names: int, index: int, stepped: bool) -> None:
    matched = planned([f"n{n}" for n in range(names)], {}, ()).unwanted.match(sized(index, 16))
    assert matched is not None
    assert (matched.end() > 0) == stepped


def test_a_run_of_metrics_is_stepped_over_two_hundred_at_a_time() -> None:
    one = sized(3, 16)
    matched = planned(["a", "b", "c", "d"], {}, ()).unwanted.match(one * 201)
    assert matched is not None
    assert matched.end() == 200 * len(one)


@pytest.mark.parametrize("index", [0, 100, 126, 127, 128, 200, 255, 256, 299])
def test_a_kept_index_is_not_stepped_over_and_its_neighbours_are(index: int) -> None:
    steps = unwanted([index], 300)
    for other in {index - 1, index, index + 1} - {-1, 300}:
        matched = steps.match(sized(other, 16))
        assert matched is not None
        assert (matched.end() > 0) == (other != index)


def test_indices_of_three_bytes_are_never_stepped_over() -> None:
    steps = unwanted([16_384, 2 * 16_384 + 5], 40_000)
    assert [steps.match(sized(n, 16)).end() for n in (16_383, 16_384, 2 * 16_384 + 5)] == [2 + 16, 0, 0]  # type: ignore[union-attr]
