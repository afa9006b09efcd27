"""Rows of cells become a frame and a device: one cell at a time, without any file around them."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from ncu_roofline.capture.capture import Device
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import rows
from ncu_roofline.readers.report.plan import BLOCK, FIXED, GRID, KERNEL, NAME, NVTX, PROCESS, Cell

BYTES, OPCODES = "dram__bytes_read.sum", "sass__inst_executed_per_opcode_with_modifier_all"
SUM, AVG, MAX = (f"gpu__time_duration.{part}" for part in ("sum", "avg", "max"))


def columns(*names: str) -> rows.Columns:
    return rows.columns(names, (), rows.times([*names, SUM, AVG, MAX]))


def cells(kept: rows.Columns, **metrics: Cell) -> list[Cell]:
    """A row of a kernel `k`; metrics and attributes by their names, with `__` before the first dot."""
    made: list[Cell] = [None] * (FIXED + len(kept.places))
    made[KERNEL], made[NAME] = "k", "k(int)"
    for name, cell in metrics.items():
        made[kept.places[name]] = cell
    return made


def frame(*of: dict[str, Cell], names: tuple[str, ...] = (BYTES,)) -> pl.DataFrame:
    kept = columns(*names)
    return rows.table([cells(kept, **metrics) for metrics in of], kept, 1000).frame


# which metrics are kept


@pytest.mark.parametrize(
    ("name", "is_time"),
    [
        ("gpu__time_duration.sum", True),
        ("gpu__time_duration", True),
        ("gpu__time_duration.avg", True),
        ("gpu__time_duration.sum.per_second", False),
        ("profiler__pmsampler_interval_time", True),
        ("gpu__time_active.min", True),
        ("dram__bytes.sum", False),
    ],
)
def test_times_are_known_by_their_names(name: str, is_time: bool) -> None:
    assert rows.times([name, "x"]) == ({name} if is_time else set())


def test_columns_hold_what_is_used_and_what_is_asked_for_but_no_attributes_or_breakdowns() -> None:
    names = [BYTES, "x__odd.sum", "device__attribute_chip", "breakdown:x__odd.sum", "group:x__odd", "regex:x__odd"]
    assert rows.columns(names, (), frozenset()).measured == (BYTES,)
    assert rows.columns(names, ["*"], frozenset()).measured == (BYTES, "x__odd.sum")


def test_every_cell_has_a_place_of_its_own_behind_the_fixed_ones() -> None:
    kept = columns(SUM, BYTES, OPCODES)
    assert sorted(kept.places.values()) == list(range(FIXED, FIXED + len(kept.places)))
    assert {SUM, AVG, MAX, BYTES, OPCODES, "launch__stream_id", "device__attribute_device_index"} <= set(kept.places)
    assert kept.listed == (OPCODES,)


# one cell at a time


def test_a_row_becomes_a_launch() -> None:
    kept = columns(BYTES)
    row = cells(kept, **{BYTES: 64, SUM: 2000.0, "launch__stream_id": 7, "launch__device_id": 1.0})
    row[PROCESS], row[GRID], row[BLOCK], row[NVTX] = 77, (2, 3, 4), [32, 1, 1], ["step"]
    made = rows.table([row], kept, 0).frame.row(0, named=True)
    assert made == {
        "kernel": "k",
        "name": "k(int)",
        "device": 1,
        "stream": 7,
        "process": 77,
        "grid": [2, 3, 4],
        "block": [32, 1, 1],
        "nvtx": ["step"],
        "seconds": 2000 / 1e9,
        f"m:{BYTES}": 64.0,
    }


def test_a_shape_that_is_missing_is_null_beside_one_that_is_not() -> None:
    kept = columns(BYTES)
    shaped = cells(kept)
    shaped[GRID] = (5, 6, 7)
    assert rows.table([cells(kept), shaped], kept, 0).frame["grid"].to_list() == [None, [5, 6, 7]]


@pytest.mark.parametrize(
    ("metrics", "device"),
    [
        ({"launch__device_id": 2, "device__attribute_device_index": 3}, 2),
        ({"launch__device_id": 0, "device__attribute_device_index": 3}, 0),
        ({"device__attribute_device_index": 3}, 3),
        ({}, None),
        ({"launch__device_id": "x"}, None),
        ({"launch__device_id": math.inf}, None),
        ({"launch__device_id": (1 << 62) - 1}, (1 << 62) - 1),
        ({"launch__device_id": 1 << 62}, None),
        ({"launch__device_id": -(1 << 62)}, None),
        ({"launch__device_id": -5}, -5),
    ],
)
def test_the_device_number_is_the_launch_s_own_before_the_attribute(metrics: dict[str, Cell], device: int | None) -> None:
    assert frame(metrics)["device"].to_list() == [device]


@pytest.mark.parametrize(
    ("metrics", "nanoseconds"),
    [({SUM: 5, AVG: 6, MAX: 7}, 5), ({AVG: 6, MAX: 7}, 6), ({MAX: 7.5}, 7.5), ({SUM: "x", AVG: 6}, 6)],
)
def test_the_duration_is_the_sum_or_else_the_mean_or_else_the_maximum(metrics: dict[str, Cell], nanoseconds: float) -> None:
    assert frame(metrics)["seconds"].to_list() == [nanoseconds / 1e9]
    assert frame({})["seconds"].to_list() == [None]


def test_times_are_divided_and_other_numbers_are_as_they_are() -> None:
    made = frame({SUM: 3, BYTES: 3}, {BYTES: "text"}, names=(SUM, BYTES))
    assert made[f"m:{SUM}"].to_list() == [3 / 1e9, None]
    assert made[f"m:{BYTES}"].to_list() == [3.0, None]


def test_opcodes_without_a_name_or_a_number_are_left_out() -> None:
    pairs = [("HMMA", 8), (None, 3), ("FFMA", "x"), (5, 2.5)]
    made = frame({OPCODES: pairs}, {OPCODES: 12.0}, {OPCODES: []}, names=(OPCODES,))[f"m:{OPCODES}"]
    assert made.to_list() == [[{"id": "HMMA", "value": 8.0}, {"id": "5", "value": 2.5}], None, []]


# many rows


def test_rows_are_taken_in_pieces_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 2)
    kept = columns(BYTES)
    made = rows.table((cells(kept, **{BYTES: n}) for n in range(5)), kept, 0)
    assert made.frame[f"m:{BYTES}"].to_list() == [0, 1, 2, 3, 4]
    assert not made.cut


def test_no_row_gives_an_empty_frame_with_the_same_columns() -> None:
    made = rows.table([], columns(BYTES), 0)
    assert (made.frame.height, made.devices, made.cut) == (0, [], False)
    assert made.frame.schema == frame({}).schema


@pytest.mark.parametrize(("count", "taken", "cut"), [(3, 3, False), (4, 4, True), (9, 4, True)])
def test_more_rows_than_a_file_can_hold_are_cut(monkeypatch: pytest.MonkeyPatch, count: int, taken: int, cut: bool) -> None:
    kept = columns(BYTES)
    width = 8 * (FIXED + len(kept.places))
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(rows, "MOST_CELL_BYTES", 2 * width - 5)
    made = rows.table([cells(kept)] * count, kept, width + 5)  # room for three
    assert (made.frame.height, made.cut) == (taken, cut)
    assert not rows.table([cells(kept)] * 3, kept, width + 5 + width - 1).cut
    assert rows.table([cells(kept)] * 3, kept, width + 4).cut


def test_small_files_may_hold_64_megabytes_of_cells() -> None:
    assert rows.MOST_CELL_BYTES == 64 * 1024 * 1024


def test_each_device_is_listed_once_in_the_order_of_launches() -> None:
    kept = columns(BYTES)
    names = ["B", "A", "B"]
    made = rows.table([cells(kept, device__attribute_display_name=n, device__attribute_chip=5) for n in names], kept, 0)
    assert [dict(zip(rows.ATTRIBUTES, found, strict=True))["display_name"] for found in made.devices] == ["B", "A"]
    assert dict(zip(rows.ATTRIBUTES, made.devices[0], strict=True))["chip"] == 5


# the frame of launches


def launches(*of: dict[str, Cell]) -> tuple[pl.DataFrame, list[str]]:
    kept = columns(BYTES, "lts__t_sectors.sum")
    return rows.launches(rows.table([cells(kept, **metrics) for metrics in of], kept, 0), "r.ncu-rep")


def test_launches_are_numbered_and_counters_that_none_has_are_dropped() -> None:
    made, notes = launches({}, {BYTES: 0})
    assert made.select("index", "profiler_id").rows() == [(0, 0), (1, 1)]
    assert made[f"m:{BYTES}"].to_list() == [None, 0.0]
    assert "m:lts__t_sectors.sum" not in made.columns
    assert notes == []


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([math.nan, 1.0], "1 counter values of 1 launch are"),
        ([math.nan, math.inf], "2 counter values of 2 launches are"),
        ([1.0, -math.inf], "1 counter values of 1 launch are"),
    ],
)
def test_values_that_are_no_numbers_are_counted(values: list[float], note: str) -> None:
    made, notes = launches(*({BYTES: v} for v in values))
    assert made[f"m:{BYTES}"].to_list() == [v if math.isfinite(v) else None for v in values]
    assert [n.startswith(note) for n in notes] == [True]


def test_two_strange_values_of_one_launch_are_one_launch() -> None:
    assert launches({BYTES: math.nan, "lts__t_sectors.sum": math.nan})[1][0].startswith("2 counter values of 1 launch are")


# the device


def facts(**told: Any) -> tuple[Any, ...]:
    return tuple({"display_name": "NVIDIA Test", **told}.get(name) for name in rows.ATTRIBUTES)


def device(**told: Any) -> Device:
    return rows.device([facts(**told)], "r.ncu-rep")


def test_attributes_become_a_device_in_base_units() -> None:
    made = device(
        compute_capability_major=9,
        compute_capability_minor=1.0,
        chip=384,
        multiprocessor_count=132,
        max_gpu_frequency_khz=1_980_000,
        max_mem_frequency_khz=3_201_000,
        fb_bus_width=6016,
        total_memory=1 << 37,
        l2_cache_size=62_914_560.0,
        integrated=0,
        ecc_enabled=1,
    )
    assert made == Device(
        name="NVIDIA Test",
        compute_capability="9.1",
        chip="384",
        sms=132,
        sm_hertz=1.98e9,
        memory_hertz=3.201e9,
        bus_bits=6016,
        memory_bytes=2.0**37,
        l2_bytes=62_914_560.0,
        integrated=False,
        mig=False,
        ecc=True,
    )


def test_what_a_device_does_not_tell_is_unknown() -> None:
    assert device() == Device(name="NVIDIA Test", mig=False)
    assert device(compute_capability_major=8).compute_capability == "8.0"
    assert device(compute_capability_minor=8).compute_capability is None
    assert device(integrated="x").integrated is None
    assert device(total_memory=1).memory_bytes == 1.0
    assert rows.device([], "r") == rows.device([facts(display_name=None, chip=5)], "r") == Device()


@pytest.mark.parametrize("silent", [None, 0, -1, "x"])
def test_clocks_and_widths_fall_back_on_the_older_attribute(silent: Any) -> None:
    made = device(
        max_gpu_frequency_khz=silent,
        clock_rate=1000,
        max_mem_frequency_khz=silent,
        memory_clock_rate=2000.0,
        fb_bus_width=silent,
        global_memory_bus_width=64,
        total_memory=silent,
    )
    assert (made.sm_hertz, made.memory_hertz, made.bus_bits, made.memory_bytes) == (1e6, 2e6, 64, None)


def test_a_slice_of_a_device_is_known_by_its_name() -> None:
    assert device(display_name="NVIDIA H100 MIG 1g.10gb").mig is True
    assert device(display_name="NVIDIA MIGHTY").mig is False


@pytest.mark.parametrize(
    "part", ["display_name", "compute_capability_major", "compute_capability_minor", "multiprocessor_count"]
)
def test_devices_that_differ_in_kind_are_refused(part: str) -> None:
    with pytest.raises(UnreadableCapture, match="mixed devices"):
        rows.device([facts(), facts(**{part: 5})], "r.ncu-rep")


@pytest.mark.parametrize("part", ["fb_bus_width", "clock_rate", "total_memory", "device_index"])
def test_twins_may_differ_in_clocks_and_memory(part: str) -> None:
    assert rows.device([facts(), facts(**{part: 5}), facts(display_name=None)], "r.ncu-rep") == device()
