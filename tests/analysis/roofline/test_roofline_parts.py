"""Each column of the roofline by itself, on frames of a few numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.roofline.roofline import (
    below_every_ridge,
    bound,
    bound_source,
    by_path,
    compute_share,
    deciding_intensity,
    limited_by,
    place,
    roofs,
    suspect,
)
from ncu_roofline.analysis.sums import ratio
from ncu_roofline.capture.capture import Device
from tests.kernels import H100, full, h100

SM, DRAM = "m:sm__cycles_elapsed.avg.per_second", "m:dram__cycles_elapsed.avg.per_second"


def told(expr: pl.Expr, **columns: list[Any]) -> list[Any]:
    """An expression over these columns; columns of Nones are numbers that were not measured."""
    known = {k: pl.Series(v, dtype=pl.Float64) if all(x is None for x in v) else pl.Series(v) for k, v in columns.items()}
    return pl.DataFrame(known).select(expr.alias("found"))["found"].to_list()


def test_a_ratio_has_a_value_only_over_what_is_above_zero_and_is_finite() -> None:
    columns = {"top": [6.0, 1.0, 0.0, 1.0, None, 1.0, 1e308, 3.0], "bottom": [2.0, 0.0, 0.0, -1.0, 1.0, None, 1e-308, 0.5]}
    expected = [3.0, None, None, None, None, None, None, 6.0]
    assert told(ratio("top", "bottom"), **columns) == expected
    assert told(ratio(pl.col("top"), pl.col("bottom")), **columns) == expected


def test_a_figure_by_path_is_null_for_paths_without_one() -> None:
    assert told(by_path({"bf16": 5.0}), path=["bf16", "fp8", None]) == [5.0, None, None]
    assert told(by_path({}), path=["bf16"]) == told(by_path(None), path=["bf16"]) == [None]


def roofs_of(device: Device = H100, *, path: str = "bf16", **counters: float) -> dict[str, Any]:
    frame = pl.DataFrame({"path": [path], SM: [1e9], DRAM: [2e9]})
    return frame.select(roofs(frame, h100(), device)).row(0, named=True)


def test_roofs_stand_at_the_clocks_of_the_capture_beside_the_datasheet() -> None:
    # bf16 does 4096 operations per SM and cycle; the bus moves twice its width each cycle
    assert roofs_of() == {
        "peak": h100().peaks["bf16"],
        "bandwidth": h100().bandwidth,
        "peak_at_clock": 4096 * 132 * 1e9,
        "bandwidth_at_clock": 2 * 5120 / 8 * 2e9,
    }


def test_the_captures_own_sms_and_bus_come_before_those_of_the_table() -> None:
    found = roofs_of(replace(H100, sms=100, bus_bits=4096))
    assert (found["peak_at_clock"], found["bandwidth_at_clock"]) == (4096 * 100 * 1e9, 2 * 4096 / 8 * 2e9)


def test_the_tables_sms_and_bus_stand_in_where_the_capture_tells_none() -> None:
    found = roofs_of(replace(H100, sms=None, bus_bits=None))
    assert (found["peak_at_clock"], found["bandwidth_at_clock"]) == (4096 * 132 * 1e9, 2 * 5120 / 8 * 2e9)


def test_no_roof_at_the_clock_is_drawn_where_neither_tells_sms_or_bus() -> None:
    gpu = replace(h100(), sms=None, bus_bits=None)
    frame = pl.DataFrame({"path": ["bf16"], SM: [1e9], DRAM: [2e9]})
    found = frame.select(roofs(frame, gpu, Device(compute_capability="9.0"))).row(0, named=True)
    assert (found["peak_at_clock"], found["bandwidth_at_clock"]) == (None, None)
    assert (found["peak"], found["bandwidth"]) == (gpu.peaks["bf16"], gpu.bandwidth)


def test_integrated_memory_has_no_roof_at_the_clock() -> None:
    found = roofs_of(replace(H100, integrated=True))
    assert (found["peak_at_clock"], found["bandwidth_at_clock"]) == (4096 * 132 * 1e9, None)


def test_a_capture_of_another_chip_has_no_roof_at_its_clock() -> None:
    found = roofs_of(replace(H100, compute_capability="8.0"))
    assert (found["peak_at_clock"], found["bandwidth_at_clock"]) == (None, None)
    unknown = roofs_of(replace(H100, compute_capability=None))
    assert None not in unknown.values()


def test_an_unknown_device_has_no_roof_at_all() -> None:
    frame = pl.DataFrame({"path": ["bf16"], SM: [1e9], DRAM: [2e9]})
    found = frame.select(roofs(frame, None, H100)).row(0, named=True)
    assert found == {"peak": None, "bandwidth": None, "peak_at_clock": None, "bandwidth_at_clock": None}


WORKED = {
    "path": ["bf16"],
    "flops": [6e9],
    "flops_fp32": [0.0],
    "flops_complete": [True],
    "dram_bytes": [2e7],
    "seconds": [1e-4],
    SM: [1e9],
    DRAM: [2e9],
}


def placed(**options: Any) -> dict[str, Any]:
    """One launch at its place."""
    columns = WORKED | options.pop("columns", {})
    paths = {f"flops_{p}": [None] for p in EVERY_PATH} | {"flops_bf16": columns["flops"]} | columns
    frame = pl.DataFrame(paths, schema_overrides={f"flops_{p}": pl.Float64 for p in EVERY_PATH})
    return place(full(frame), h100(), H100, **options).row(0, named=True)


EVERY_PATH = (
    *("fp64", "fp32", "fp16_scalar", "fp64_tensor", "tf32", "fp16", "fp16_fp16acc", "bf16", "fp8", "fp8_fp16acc"),
    *("fp6", "fp4", "int8", "int4", "int1"),
)
PEAK, BANDWIDTH = 4096 * 132 * 1e9, 2 * 5120 / 8 * 2e9


def test_a_launch_is_placed_by_its_work_bytes_and_time() -> None:
    row = placed(columns={"useful_flops": [1.5e9]})
    assert (row["intensity"], row["useful_intensity"], row["padding"]) == (300.0, 75.0, 4.0)
    assert row["bandwidth_share"] == pytest.approx(2e7 / 1e-4 / BANDWIDTH)
    assert row["compute_share"] == pytest.approx(6e9 / 1e-4 / PEAK)
    assert row["ridge"] == row["ridge_profiled"] == pytest.approx(PEAK / BANDWIDTH)
    assert row["ridge_spec"] == pytest.approx(h100().peaks["bf16"] / h100().bandwidth)
    assert (row["bound"], row["bound_source"], row["suspect"]) == ("memory", "useful", False)


def test_without_clocks_the_datasheet_draws_ridge_and_shares() -> None:
    row = placed(columns={SM: [None], DRAM: [None]})
    assert row["ridge_profiled"] is None
    assert row["ridge"] == row["ridge_spec"]
    assert row["bandwidth_share"] == pytest.approx(2e7 / 1e-4 / h100().bandwidth)
    assert row["compute_share"] == pytest.approx(6e9 / 1e-4 / h100().peaks["bf16"])


def test_the_profiled_ridge_takes_the_datasheets_bandwidth_where_the_memory_clock_is_unknown() -> None:
    assert placed(columns={DRAM: [None]})["ridge"] == pytest.approx(PEAK / h100().bandwidth)


def test_the_latency_share_is_three_tenths_unless_another_is_given() -> None:
    # 2e7 bytes in 1e-4 s are 0.078 of the bandwidth, 6e9 FLOP are 0.111 of the peak
    assert placed()["limited_by"] == "latency"
    assert placed(latency_share=0.11)["limited_by"] == "compute"
    assert placed(columns={"dram_bytes": [0.31 * BANDWIDTH * 1e-4]})["limited_by"] == "memory"
    assert placed(columns={"dram_bytes": [0.29 * BANDWIDTH * 1e-4]})["limited_by"] == "latency"
    assert placed(latency_share=0.0)["limited_by"] == "compute"


def share_of(**columns: Any) -> float | None:
    given = {
        **{f"flops_{p}": None for p in EVERY_PATH},
        "path": "bf16",
        "flops": 8.0,
        "seconds": 2.0,
        "peak_at_clock": 10.0,
        "peak": 20.0,
        "bandwidth": 1.0,
        "flops_bf16": 8.0,
        "flops_fp32": 0.0,
        "path_rate": None,
        **columns,
    }
    types: dict[str, Any] = dict.fromkeys(given, pl.Float64) | {"path": pl.String}
    found: float | None = pl.DataFrame({k: [v] for k, v in given.items()}, schema=types).select(compute_share()).item()
    return found


def test_the_share_of_the_peak_is_of_the_launchs_own_path() -> None:
    # 8 FLOP in 2 s of 10 FLOP/s
    assert share_of() == pytest.approx(0.4)
    assert share_of(flops=9.0, flops_fp32=1.0) == pytest.approx(0.4)
    assert share_of(path="fp32", flops_fp32=4.0) == pytest.approx(0.2)
    assert share_of(peak_at_clock=None) == pytest.approx(0.2)
    assert share_of(path=None) is None
    assert share_of(seconds=None, path_rate=3.0) == pytest.approx(0.3)


def test_no_work_is_a_share_of_nought_only_where_fp32_was_counted_and_a_roof_is_known() -> None:
    idle = {"flops": 0.0, "flops_bf16": 0.0, "path": None}
    assert share_of(**idle) == 0.0
    assert share_of(**idle, bandwidth=None) is None
    assert share_of(**{**idle, "flops_fp32": None}) is None
    assert share_of(**{**idle, "flops": None}) is None


def test_useful_intensity_decides_before_the_executed_one() -> None:
    found = told(deciding_intensity(), useful_intensity=[1.0, None, None], intensity=[2.0, 3.0, None])
    assert found == [1.0, 3.0, None]


def test_a_launch_is_bound_by_memory_left_of_the_ridge_and_by_compute_from_it_on() -> None:
    cases = [
        (5.0, 10.0, 1.0, None, "memory"),
        (10.0, 10.0, 1.0, None, "compute"),
        (11.0, 10.0, 1.0, None, "compute"),
        (11.0, 10.0, 1.0, 9.0, "memory"),  # tiles are counted whole: the work needed is 9 at the most
        (11.0, 10.0, 1.0, 10.0, "compute"),
        (0.0, None, 1.0, None, "memory"),
        (0.0, None, None, None, None),
        (5.0, None, 1.0, None, None),
        (None, 10.0, 1.0, None, None),
    ]
    intensity, ridge, bandwidth, most, expected = (list(column) for column in zip(*cases, strict=True))
    unknown = [None] * len(cases)
    columns = {"intensity": intensity, "ridge": ridge, "bandwidth": bandwidth, "useful_intensity_high": most}
    assert told(bound(), useful_intensity=unknown, **columns) == expected


def test_useful_work_left_of_every_ridge_tells_the_side_where_none_was_counted() -> None:
    # FP32 meets the lowest ridge: 8e13 / 4e12 = 20; FP64 is no work of decode
    device = replace(h100(), peaks={"fp64": 4e12, "fp32": 8e13, "bf16": 8e14}, bandwidth=4e12)
    frame = pl.DataFrame(
        {"path": [None, None, None, "bf16"], "useful_intensity": [19.0, 20.0, None, 1.0]}, schema_overrides={"path": pl.String}
    )
    found = frame.select(below_every_ridge(device)).to_series().to_list()
    assert found == ["memory", None, None, None]
    assert frame.select(below_every_ridge(None)).to_series().to_list() == [None] * 4
    assert frame.select(below_every_ridge(replace(device, peaks={"fp64": 4e12}))).to_series().to_list() == [None] * 4


def test_the_side_says_what_decided_it() -> None:
    found = told(
        bound_source(),
        bound=["memory", "memory", "memory", None, "memory"],
        useful_flops=[1.0, None, None, 1.0, None],
        flops_complete=[False, True, False, True, True],
        useful_intensity=[1.0, None, None, 1.0, None],
        useful_intensity_high=[None, None, None, None, 1.0],
        ridge=[2.0] * 5,
    )
    assert found == ["useful", "executed", "partial", None, "useful"]


def test_the_larger_share_limits_and_below_the_threshold_latency_does() -> None:
    cases = [
        (0.2, 0.29, "latency"),
        (0.3, 0.1, "memory"),
        (0.1, 0.3, "compute"),
        (0.5, 0.5, "memory"),
        (0.5, 0.6, "compute"),
        (None, 0.6, None),
        (0.6, None, None),
        (None, 0.1, None),
    ]
    memory, compute, expected = (list(column) for column in zip(*cases, strict=True))
    assert told(limited_by(0.3), bandwidth_share=memory, compute_share=compute) == expected


def test_a_share_above_what_rounding_explains_is_suspect() -> None:
    found = told(
        suspect(),
        bandwidth_share=[1.02, 1.03, 0.5, None, None, 1.03, 0.5],
        compute_share=[1.02, 0.5, 1.03, 1.03, 0.5, None, 0.5],
    )
    assert found == [False, True, True, True, False, True, False]
