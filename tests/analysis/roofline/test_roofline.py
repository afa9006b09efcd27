"""Placement: intensity against the ridge, and the share of both roofs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncu_roofline.analysis.roofline.roofline import place
from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Device
from tests.kernels import EVERY_SCALAR, EVERY_TENSOR, H100, TENSOR, full, h100, launch, launches

BF16 = f"{TENSOR}bf16_dst_fp32.sum"
CLOCKS = {"sm__cycles_elapsed.avg.per_second": 1.0e9, "dram__cycles_elapsed.avg.per_second": 2.0e9}
PEAK = 4096 * 132 * 1.0e9  # ops per SM and cycle, SMs, clock
BANDWIDTH = 2 * 5120 / 8 * 2.0e9  # two transfers a cycle over the bus


def counters(flops: float | None, dram_bytes: float | None, **more: Any) -> dict[str, Any]:
    return {**EVERY_SCALAR, **EVERY_TENSOR, **CLOCKS, BF16: flops, "dram__bytes.sum": dram_bytes, **more}


def placed(*rows: dict[str, Any], **options: Any) -> pl.DataFrame:
    return place(work(full(launches(*rows)), h100(), H100), h100(), H100, **options)


def one(flops: float | None, dram_bytes: float | None, seconds: float | None = 1e-4, **more: Any) -> dict[str, Any]:
    return placed(launch(seconds=seconds, m=counters(flops, dram_bytes, **more))).row(0, named=True)


def test_both_ridges_stand_beside_each_other() -> None:
    row = one(1e9, 1e8)

    assert row["ridge_spec"] == pytest.approx(989.4e12 / 3.35e12)
    assert row["ridge_profiled"] == pytest.approx(PEAK / BANDWIDTH)
    assert row["ridge"] == row["ridge_profiled"]


def test_a_slice_has_no_bandwidth_from_the_bus_of_the_whole() -> None:
    device = replace(H100, mig=True)
    eighth = replace(h100(), bandwidth=3.35e12 / 8)
    worked = work(launches(launch(seconds=1e-4, m=counters(1e9, 1e7))), eighth, device)
    row = place(full(worked), eighth, device).row(0, named=True)

    assert row["bandwidth_at_clock"] is None
    assert row["bandwidth_share"] == pytest.approx(1e7 / 1e-4 / (3.35e12 / 8))
    assert row["ridge_profiled"] == pytest.approx(PEAK / (3.35e12 / 8))


def test_a_device_without_known_peaks_has_its_bandwidth_and_no_side() -> None:
    bare = replace(h100(), peaks={}, compute_capability="13.0")
    device = replace(H100, compute_capability="13.0")
    row = place(work(full(launches(launch(m=counters(1e9, 1e8)))), bare, device), bare, device).row(0, named=True)

    assert (row["path"], row["intensity"]) == ("bf16", 10.0)
    assert row["bandwidth_share"] == pytest.approx(1e8 / 1e-4 / BANDWIDTH)
    assert row["bound"] is row["ridge"] is row["compute_share"] is row["limited_by"] is None


def test_the_spec_ridge_decides_where_it_is_asked_for() -> None:
    row = placed(launch(m=counters(1e9, 1e8)), ridge="spec").row(0, named=True)

    assert row["ridge"] == row["ridge_spec"]


def test_a_kernel_at_its_roof_has_a_share_of_one() -> None:
    seconds = 1e-4

    assert one(PEAK * seconds, 1.0, seconds)["compute_share"] == pytest.approx(1)
    assert one(1.0, BANDWIDTH * seconds, seconds)["bandwidth_share"] == pytest.approx(1)


def test_the_side_follows_from_the_ridge_itself() -> None:
    ridge = PEAK / BANDWIDTH

    assert one(ridge * 0.999 * 1e6, 1e6)["bound"] == "memory"
    assert one(ridge * 1.001 * 1e6, 1e6)["bound"] == "compute"


def test_zero_flops_stand_on_the_memory_side_with_intensity_zero() -> None:
    row = one(0.0, 1e6)

    assert (row["intensity"], row["bound"], row["bound_source"], row["compute_share"]) == (0, "memory", "executed", 0)


def test_unknown_flops_have_no_intensity_no_side_and_no_limit() -> None:
    row = placed(launch(m={**CLOCKS, "dram__bytes.sum": 1e6})).row(0, named=True)

    assert (row["intensity"], row["bound"], row["bound_source"], row["limited_by"]) == (None, None, None, None)
    assert row["bandwidth_share"] is not None


def test_unknown_bytes_have_no_intensity_and_no_limit() -> None:
    row = one(1e9, None)

    assert (row["intensity"], row["bound"], row["limited_by"]) == (None, None, None)


def test_a_kernel_near_neither_roof_is_limited_by_latency() -> None:
    seconds = 1e-4
    below, above = 0.29, 0.31

    assert one(PEAK * seconds * below, BANDWIDTH * seconds * below, seconds)["limited_by"] == "latency"
    assert one(PEAK * seconds * 0.1, BANDWIDTH * seconds * above, seconds)["limited_by"] == "memory"
    assert one(PEAK * seconds * above, BANDWIDTH * seconds * 0.1, seconds)["limited_by"] == "compute"


def test_the_latency_threshold_can_be_changed() -> None:
    row = launch(seconds=1e-4, m=counters(1.0, BANDWIDTH * 1e-4 * 0.4))

    assert placed(row)["limited_by"].to_list() == ["memory"]
    assert placed(row, latency_share=0.5)["limited_by"].to_list() == ["latency"]


def test_more_than_a_roof_is_suspect_and_a_share_of_one_is_not() -> None:
    assert one(1.0, BANDWIDTH * 1e-4 * 1.05)["suspect"] is True
    assert one(1.0, BANDWIDTH * 1e-4)["suspect"] is False


def test_useful_work_decides_the_side_where_it_is_known() -> None:
    ridge = PEAK / BANDWIDTH
    worked = work(launches(launch(m=counters(2 * ridge * 1e6, 1e6))), h100(), H100).with_columns(useful_flops=pl.lit(8e6))
    row = place(full(worked), h100(), H100).row(0, named=True)

    assert (row["bound"], row["bound_source"], row["useful_intensity"]) == ("memory", "useful", 8)
    assert row["padding"] == pytest.approx(2 * ridge * 1e6 / 8e6)


def test_an_incomplete_count_says_that_it_decided_on_a_part() -> None:
    row = placed(launch(m={**CLOCKS, BF16: 1e9, "dram__bytes.sum": 1e6})).row(0, named=True)

    assert (row["bound"], row["bound_source"]) == ("compute", "partial")


def test_without_a_device_ridge_side_and_shares_are_unknown() -> None:
    row = place(work(full(launches(launch(m=counters(1e9, 1e8)))), None, Device()), None, Device()).row(0, named=True)

    unknown = ("ridge", "ridge_spec", "ridge_profiled", "bound", "bandwidth_share", "compute_share", "limited_by")
    assert [row[c] for c in unknown] == [None] * len(unknown)
    assert row["intensity"] == 10


def unknown_or(most: float) -> st.SearchStrategy[float | None]:
    return st.one_of(st.none(), st.floats(0, most))


@settings(max_examples=10)  # of 20 launches each
@given(st.lists(st.tuples(unknown_or(1e15), unknown_or(1e12), unknown_or(1)), min_size=20, max_size=20))
def test_no_frame_ever_holds_what_is_not_a_number(rows: list[tuple[float | None, float | None, float | None]]) -> None:
    frame = placed(*(launch(index=i, seconds=time, m=counters(flops, dram)) for i, (flops, dram, time) in enumerate(rows)))

    assert frame.height == len(rows)
    assert all(v == v and abs(v) != float("inf") for row in frame.iter_rows() for v in row if isinstance(v, float))


@settings(max_examples=5)
@given(st.lists(st.floats(0.01, 100), min_size=20, max_size=20))
def test_scaling_time_changes_no_intensity(scales: list[float]) -> None:
    frame = placed(*(launch(index=i, seconds=1e-4 * by, m=counters(1e9, 1e8)) for i, by in enumerate([1, *scales])))

    assert frame["intensity"].to_list() == [10.0] * 21


def test_tensor_counters_alone_prove_no_kernel_idle() -> None:
    tensor, every = (
        {f"{TENSOR}bf16_dst_fp32.sum": 0.0, "dram__bytes.sum": 1e6},
        {**EVERY_SCALAR, **EVERY_TENSOR, "dram__bytes.sum": 1e6},
    )
    only, all_ = (
        place(work(full(launches(launch(m=m))), h100(), H100), h100(), H100).row(0, named=True) for m in (tensor, every)
    )

    assert (only["compute_share"], only["limited_by"]) == (None, None)
    assert (all_["compute_share"], all_["limited_by"]) == (0, "latency")


def test_the_clocks_of_another_chip_draw_no_roof() -> None:
    a100 = Device(name="NVIDIA A100-SXM4-80GB", compute_capability="8.0", sms=108, bus_bits=5120)
    frame = launches(launch(m=counters(1e9, 1e8)))
    row = place(work(full(frame), h100(), a100), h100(), a100).row(0, named=True)

    assert (row["peak_at_clock"], row["bandwidth_at_clock"]) == (None, None)
    assert row["ridge"] == row["ridge_spec"] == pytest.approx(989.4e12 / 3.35e12)
    assert row["bandwidth_share"] == pytest.approx(1e8 / 1e-4 / 3.35e12)
