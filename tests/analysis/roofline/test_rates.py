"""Launches whose duration or whose bytes were not measured: what rates, stated shares and reads alone still tell."""

from __future__ import annotations

from typing import Any

import pytest

from ncu_roofline.analysis.roofline.roofline import place
from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Device
from ncu_roofline.knowledge.devices import gpus
from tests.kernels import EVERY_SCALAR, EVERY_TENSOR, H100, TENSOR, full, h100, launch, launches

CLOCKS = {"sm__cycles_elapsed.avg.per_second": 1.0e9, "dram__cycles_elapsed.avg.per_second": 2.0e9}
ZEROS = {f"{name}.per_second": 0.0 for name in (*EVERY_SCALAR, *EVERY_TENSOR)}
BF16_RATE = f"{TENSOR}bf16_dst_fp32.sum.per_second"
BANDWIDTH = 2 * 5120 / 8 * 2.0e9  # byte/s at a memory clock of 2 GHz
BARE = Device()


def row(seconds: float | None, counters: dict[str, float], known: bool = True) -> dict[str, Any]:
    gpu, device = (h100(), H100) if known else (None, BARE)
    return place(work(full(launches(launch(seconds=seconds, m=counters))), gpu, device), gpu, device).row(0, named=True)


def test_intensity_side_and_share_need_no_duration() -> None:
    told = row(None, {**ZEROS, **CLOCKS, BF16_RATE: 80e12, "dram__bytes.sum.per_second": 1.28e12})

    assert (told["dram_bytes"], told["flops"], told["seconds"]) == (None, None, None)
    assert told["intensity"] == pytest.approx(80 / 1.28)  # 62.5 FLOP/byte, left of 211
    assert (told["path"], told["bound"]) == ("bf16", "memory")
    assert told["bandwidth_share"] == pytest.approx(1.28e12 / BANDWIDTH)
    assert told["compute_share"] == pytest.approx(80e12 / (4096 * 132 * 1.0e9))


def test_scalar_work_per_cycle_becomes_a_rate_by_the_clock() -> None:
    per_cycle = {f"smsp__sass_thread_inst_executed_op_{op}_pred_on.sum.per_cycle_elapsed": 0.0 for op in ("fadd", "fmul")}
    counters = {**per_cycle, "smsp__sass_thread_inst_executed_op_ffma_pred_on.sum.per_cycle_elapsed": 400.0}
    told = row(None, {**counters, **CLOCKS, "dram__bytes.sum.per_second": 1.6e12})

    assert told["intensity"] == pytest.approx(2 * 400 * 1.0e9 / 1.6e12)  # an FMA is two operations: 0.5


def test_cycles_that_were_counted_make_no_sum_of_a_rate() -> None:
    counters = {"smsp__sass_thread_inst_executed_op_ffma_pred_on.sum.per_cycle_elapsed": 400.0, "sm__cycles_elapsed.avg": 7e4}
    zeros = {f"smsp__sass_thread_inst_executed_op_{op}_pred_on.sum.per_cycle_elapsed": 0.0 for op in ("fadd", "fmul")}
    told = row(None, {**counters, **zeros, **CLOCKS, "dram__bytes.sum.per_second": 1.6e12})

    assert told["flops"] == 2 * 400 * 7e4
    assert told["intensity"] == pytest.approx(0.5)


def test_counts_beside_rates_give_no_intensity() -> None:
    counted = {**EVERY_SCALAR, **EVERY_TENSOR, f"{TENSOR}bf16_dst_fp32.sum": 1e9}
    told = row(None, {**counted, **CLOCKS, "dram__bytes.sum.per_second": 1.28e12})

    assert (told["intensity"], told["flops"]) == (None, 1e9)
    assert told["bandwidth_share"] == pytest.approx(1.28e12 / BANDWIDTH)


def test_the_share_that_the_profiler_states_stands_in_for_missing_bytes_or_device() -> None:
    stated = {"dram__throughput.avg.pct_of_peak_sustained_elapsed": 82.0}

    assert row(1e-4, stated)["bandwidth_share"] == pytest.approx(0.82)
    assert row(1e-4, stated, known=False)["bandwidth_share"] == pytest.approx(0.82)
    assert row(1e-4, {"gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed": 82.0}, known=False)["bandwidth_share"] is None


def test_measured_bytes_stand_before_the_stated_share() -> None:
    told = row(1e-4, {**CLOCKS, "dram__bytes.sum": 1e8, "dram__throughput.avg.pct_of_peak_sustained_elapsed": 1.0})

    assert told["bandwidth_share"] == pytest.approx(1e8 / 1e-4 / BANDWIDTH)


def test_the_roofline_section_states_the_roof_of_an_unknown_device() -> None:
    section = {"dram__bytes.sum.peak_sustained": 1280.0, "dram__bytes.sum.per_second": 1.28e12, **CLOCKS}

    assert row(None, section, known=False)["bandwidth_share"] == pytest.approx(1.28e12 / (1280 * 2.0e9))


def test_reads_alone_tell_the_left_side_and_no_other() -> None:
    counters = {**EVERY_SCALAR, **EVERY_TENSOR, **CLOCKS}
    left = row(1e-4, {**counters, f"{TENSOR}bf16_dst_fp32.sum": 1e9, "dram__bytes_read.sum": 1e8})  # at most 10 FLOP/byte
    right = row(1e-4, {**counters, f"{TENSOR}bf16_dst_fp32.sum": 1e11, "dram__bytes_read.sum": 1e8})  # at most 1,000

    assert (left["bound"], left["intensity"], left["dram_bytes"]) == ("memory", None, None)
    assert right["bound"] is None


def test_instructions_of_an_unknown_type_tell_the_left_side_by_the_time_that_they_take() -> None:
    l4 = gpus.find("L4")  # 121e12 FLOP/s of 16 bits over 300e9 byte/s: 403 FLOP/byte
    device = Device(compute_capability="8.9")

    def side(instructions: float) -> str | None:
        counters = {"sm__inst_executed_pipe_tensor.sum": instructions, "dram__bytes.sum": 4096e3}
        worked = work(full(launches(launch(seconds=1e-4, m=counters))), l4, device)
        told: str | None = place(worked, l4, device).row(0, named=True)["bound"]
        return told

    assert side(220e3) == "memory"  # 220 FLOP/byte as 16-bit products: INT8 would be 440 against a ridge of 808
    assert side(410e3) is None
