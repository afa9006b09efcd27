"""Bytes rebuilt from what the memory did, where nothing counted them."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from ncu_roofline.analysis.work.traffic import activity, bytes_moved
from ncu_roofline.capture.capture import Device
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.gpu import Gpu
from tests.kernels import h100

CYCLES, PERCENT = "m:dram__cycles_active.avg", "m:dram__cycles_active.avg.pct_of_peak_sustained_elapsed"
HERTZ, MISSES = "m:dram__cycles_elapsed.avg.per_second", "m:lts__t_sectors_lookup_miss.sum"
BUS = Device(compute_capability="9.0", bus_bits=512, memory_hertz=3e9)


def rebuilt(device: Device, counters: dict[str, float], gpu: Gpu | None = None) -> list[tuple[str, float | None]]:
    """(source, bytes) of every way that the device allows, for one launch of 2 s."""
    frame = pl.DataFrame({"seconds": [2.0], **{k: [v] for k, v in counters.items()}})
    return [(source, frame.select(value.alias("v")).item()) for source, value in activity(frame, gpu, device)]


def test_active_cycles_move_twice_the_bus_each() -> None:
    # 512 bits are 64 bytes, twice a cycle: 128 bytes
    assert rebuilt(BUS, {CYCLES: 10.0}) == [("cycles", 1280.0), ("cycles", None)]


def test_an_active_share_is_of_the_cycles_of_the_launch() -> None:
    # a quarter of 2 s at 1e9 Hz, 128 bytes each
    assert rebuilt(BUS, {PERCENT: 25.0, HERTZ: 1e9})[1] == ("cycles", pytest.approx(0.25 * 2 * 1e9 * 128))


def test_the_devices_own_memory_clock_stands_in_for_the_measured_one() -> None:
    assert rebuilt(BUS, {PERCENT: 25.0})[1] == ("cycles", pytest.approx(0.25 * 2 * 3e9 * 128))
    assert rebuilt(replace(BUS, memory_hertz=None), {PERCENT: 25.0})[1] == ("cycles", None)


def test_the_bus_of_the_table_stands_in_for_that_of_the_capture() -> None:
    assert rebuilt(replace(BUS, bus_bits=None), {CYCLES: 10.0}, h100())[0] == ("cycles", 10 * 2 * 5120 / 8)
    assert rebuilt(BUS, {CYCLES: 10.0}, h100())[0] == ("cycles", 1280.0)
    assert rebuilt(replace(BUS, bus_bits=None), {CYCLES: 10.0}) == []


@pytest.mark.parametrize("device", [replace(BUS, integrated=True), replace(BUS, compute_capability="8.7")])
def test_parts_without_dram_counters_show_sectors_that_missed_l2(device: Device) -> None:
    assert rebuilt(device, {MISSES: 10.0, CYCLES: 10.0}) == [("l2_miss", 320.0)]


def test_the_capability_of_the_table_stands_in_for_that_of_the_capture() -> None:
    orin = replace(h100(), compute_capability="8.7")
    assert rebuilt(replace(BUS, compute_capability=None), {MISSES: 10.0}, orin) == [("l2_miss", 320.0)]
    assert rebuilt(BUS, {CYCLES: 10.0}, orin)[0] == ("cycles", 1280.0)


def test_each_level_has_its_column_and_the_totals_a_source() -> None:
    counters = {"dram__bytes_read.sum": 5.0, "dram__bytes_write.sum": 3.0, "lts__t_sectors.sum": 2.0}
    frame = pl.DataFrame({"seconds": [2.0], **{f"m:{k}": [v] for k, v in counters.items()}})
    assert frame.select(bytes_moved(frame, None, BUS)).row(0, named=True) == {
        "dram_bytes": 8.0,
        "dram_bytes_source": "counter",
        "dram_read_bytes": 5.0,
        "dram_write_bytes": 3.0,
        "l2_bytes": 64.0,
        "l2_bytes_source": "counter",
    }


def test_a_count_comes_before_what_is_rebuilt() -> None:
    frame = pl.DataFrame({"seconds": [2.0, 2.0], "m:dram__bytes.sum": [7.0, None], CYCLES: [10.0, 10.0]})
    found = frame.select(bytes_moved(frame, None, BUS))
    assert found["dram_bytes"].to_list() == [7.0, 1280.0]
    assert found["dram_bytes_source"].to_list() == ["counter", "cycles"]


SUM, SHARE = "m:dram__cycles_active.sum", "m:gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed"


def test_the_sum_over_units_counts_no_dead_one() -> None:
    # RTX 2080 Ti: 11 live units of 8 bytes and a dead one; 1,000 cycles each: 88,000 bytes. The mean, 916.7 of 12 units, times
    # the bus of 352 bits would say 80,667
    turing = replace(h100(), memory_type="GDDR6", bus_bits=352)
    found = rebuilt(replace(BUS, bus_bits=352), {SUM: 11_000.0, CYCLES: 11_000 / 12}, turing)

    assert found[:2] == [("cycles", 88_000.0), ("cycles", pytest.approx(80_667, rel=1e-4))]


def test_a_b200_moves_2048_bytes_a_cycle_whatever_its_bus_says() -> None:
    b200 = gpus.find("b200")
    device = replace(BUS, compute_capability="10.0", bus_bits=7680)

    assert rebuilt(device, {CYCLES: 1000.0}, b200)[0] == ("cycles", 2_048_000.0)
    assert rebuilt(device, {SUM: 64_000.0}, b200)[0] == ("cycles", 2_048_000.0)


def test_a_throughput_that_is_no_active_share_tells_no_bytes() -> None:
    known = {SHARE: 50.0, HERTZ: 1e9}
    assert rebuilt(replace(BUS, compute_capability="10.0"), known, gpus.find("b200"))[-1] == ("cycles", None)
    assert rebuilt(BUS, known)[-1] == ("cycles", pytest.approx(0.5 * 2 * 1e9 * 128))


def test_the_mean_is_of_units_and_a_share_is_of_the_bus() -> None:
    # H200: 48 units of which one is half: 1,536 bytes a cycle by the mean, 1,504 by the share (both 1.0000 of counted bytes)
    h200 = replace(BUS, bus_bits=6016)
    assert rebuilt(h200, {CYCLES: 100.0}, gpus.find("h200"))[0] == ("cycles", 153_600.0)
    assert rebuilt(h200, {PERCENT: 50.0, HERTZ: 1e9}, gpus.find("h200"))[1] == ("cycles", pytest.approx(0.5 * 2e9 * 1504))
