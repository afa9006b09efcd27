"""Work: counters to FLOPs and bytes, with the arithmetic visible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Device
from tests.kernels import EVERY_SCALAR, EVERY_TENSOR, H100, SASS, TENSOR, h100, launch, launches


def row(m: Mapping[str, Any], *, device: Device = H100, **given: Any) -> dict[str, Any]:
    """The work of one launch with these counters."""
    return work(launches(launch(m=m, **given)), h100(), device).row(0, named=True)


def test_scalar_flops_are_instructions_times_their_flops() -> None:
    done = row(
        {**EVERY_SCALAR, SASS.format("fadd"): 10, SASS.format("fmul"): 20, SASS.format("ffma"): 30, SASS.format("hfma"): 5}
    )

    assert done["flops_fp32"] == 10 + 20 + 2 * 30
    assert done["flops_fp16_scalar"] == 4 * 5
    assert done["flops"] == 90 + 20


def test_a_twin_with_the_other_prefix_is_not_counted_again() -> None:
    twins = {SASS.format("ffma"): 30, SASS.format("fadd"): 0, SASS.format("fmul"): 0}
    both = {**twins, **{k.replace("sm__", "smsp__"): v for k, v in twins.items()}}

    assert row(both)["flops"] == 60


def test_packed_instructions_of_blackwell_count_for_both_halves() -> None:
    counts = {SASS.format(op): v for op, v in {"fadd": 1, "fmul": 1, "ffma": 1, "fadd2": 10, "fmul2": 10, "ffma2": 10}.items()}

    assert row(counts)["flops_fp32"] == 1 + 1 + 2 + 20 + 20 + 40


def test_a_total_is_not_added_to_its_parts() -> None:
    parts = {
        f"{TENSOR}bf16_dst_fp32.sum": 4096.0,
        "sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32.sum": 3072.0,
        "sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32_sparsity_off.sum": 3072.0,
        "sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32_sparsity_on.sum": 0.0,
        "sm__ops_path_tensor_op_hmma_src_bf16_dst_fp32.sum": 1024.0,
    }

    assert row(parts)["flops_bf16"] == 4096


def test_a_total_counts_before_the_instruction_paths_beside_it() -> None:
    path = "sm__ops_path_tensor_op_{}_src_bf16_dst_fp32.sum"
    both = {f"{TENSOR}bf16_dst_fp32.sum": 4096.0, path.format("hgmma"): 3072.0, path.format("hmma"): 512.0}

    assert row(both)["flops_bf16"] == 4096


def test_sparse_and_dense_halves_make_the_total_where_it_is_missing() -> None:
    halves = {f"{TENSOR}fp16_dst_fp32_sparsity_off.sum": 100.0, f"{TENSOR}fp16_dst_fp32_sparsity_on.sum": 20.0}

    assert row(halves)["flops_fp16"] == 120


def test_half_accumulation_has_a_roof_of_its_own() -> None:
    done = row({f"{TENSOR}fp16_dst_fp32.sum": 100.0, f"{TENSOR}fp16_dst_fp16.sum": 40.0})

    assert (done["flops_fp16"], done["flops_fp16_fp16acc"], done["flops"]) == (100, 40, 140)


def test_an_overlapping_undivided_source_type_is_taken_once() -> None:
    hopper = {"sm__ops_path_tensor_op_hmma_src_fp16.sum": 50.0, "sm__ops_path_tensor_op_hmma_src_fp16_dst_fp32.sum": 50.0}

    assert row(hopper)["flops"] == 50


def test_a_rate_per_cycle_becomes_a_count() -> None:
    rate = {f"{TENSOR}bf16_dst_fp32.sum.per_cycle_elapsed": 1000.0, "sm__cycles_elapsed.avg.per_second": 1.5e9}
    done = row(rate, seconds=2e-6)

    assert done["flops"] == pytest.approx(1000 * 1.5e9 * 2e-6)
    assert done["flops_source"] == "rate"


def test_opcodes_stand_in_for_missing_counters() -> None:
    opcodes = [{"id": "HMMA.16816.F32.BF16", "value": 10.0}, {"id": "HFMA2.MMA", "value": 999.0}, {"id": "MOV", "value": 7.0}]
    done = row({"sass__inst_executed_per_opcode_with_modifier_all": opcodes})

    assert done["flops_bf16"] == 10 * 2 * 16 * 8 * 16
    assert done["flops_source"] == "opcodes"


def test_the_precision_is_the_one_that_takes_longest_at_its_roof() -> None:
    # 989 TFLOP/s in bf16, 67 in fp32: 15 times as much bf16 work is done sooner than 2 units of fp32
    done = row({f"{TENSOR}bf16_dst_fp32.sum": 15e9, **EVERY_SCALAR, SASS.format("ffma"): 1e9})

    assert done["flops_bf16"] / 989.4e12 < done["flops_fp32"] / 66.9e12
    assert done["precision"] == "fp32"


def test_everything_counted_is_complete_and_a_measured_zero_is_zero() -> None:
    done = row({**EVERY_SCALAR, **EVERY_TENSOR})

    assert (done["flops"], done["flops_complete"], done["precision"]) == (0, True, None)


def test_a_family_that_was_not_collected_makes_the_sum_a_lower_bound() -> None:
    done = row({SASS.format("fadd"): 1, SASS.format("fmul"): 0, SASS.format("ffma"): 0})

    assert (done["flops"], done["flops_complete"]) == (1, False)


def test_only_one_half_of_the_sparsity_split_is_a_lower_bound() -> None:
    rest = {k: v for k, v in EVERY_TENSOR.items() if "bf16" not in k}
    off = {f"{TENSOR}bf16_dst_fp32_sparsity_off.sum": 100.0}
    both = {**off, f"{TENSOR}bf16_dst_fp32_sparsity_on.sum": 20.0}

    half, whole = row({**EVERY_SCALAR, **rest, **off}), row({**EVERY_SCALAR, **rest, **both})

    assert (half["flops"], half["flops_complete"]) == (100, False)
    assert (whole["flops"], whole["flops_complete"]) == (120, True)


def test_only_one_instruction_path_of_hopper_is_a_lower_bound() -> None:
    rest = {k: v for k, v in EVERY_TENSOR.items() if "bf16" not in k}
    old = {"sm__ops_path_tensor_op_hmma_src_bf16_dst_fp32.sum": 7.0}
    both = {**old, "sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32.sum": 5.0}

    assert (row({**EVERY_SCALAR, **rest, **old})["flops"], row({**EVERY_SCALAR, **rest, **old})["flops_complete"]) == (7, False)
    assert (row({**EVERY_SCALAR, **rest, **both})["flops"], row({**EVERY_SCALAR, **rest, **both})["flops_complete"]) == (
        12,
        True,
    )


def test_opcodes_that_count_everything_win_over_half_a_counter() -> None:
    opcodes = [{"id": "HMMA.16816.F32.BF16", "value": 10.0}]
    done = row({f"{TENSOR}bf16_dst_fp32_sparsity_off.sum": 8.0, "sass__inst_executed_per_opcode_with_modifier_all": opcodes})

    assert (done["flops_bf16"], done["flops_bf16_source"]) == (10 * 2 * 16 * 8 * 16, "opcodes")


def test_files_with_other_metric_sets_each_give_what_they_counted() -> None:
    fp32, fp16 = f"{TENSOR}fp16_dst_fp32.sum", f"{TENSOR}fp16_dst_fp16.sum"
    done = work(launches(launch(m={fp32: 100.0}), launch(m={fp32: 100.0, fp16: 40.0})), h100(), H100)

    assert done["flops"].to_list() == [100, 140]


def test_half_accumulation_that_was_not_counted_is_missing_on_ampere() -> None:
    ampere = Device(name="NVIDIA A100-SXM4-80GB", compute_capability="8.0", sms=108)
    types = ("bf16_dst_fp32", "fp16_dst_fp32", "tf32_dst_fp32", "fp64", "int8", "int4", "int1")
    counted = {**EVERY_SCALAR, **{f"{TENSOR}{t}.sum": 0.0 for t in types}}

    assert row(counted, device=ampere)["flops_complete"] is False
    assert row({**counted, f"{TENSOR}fp16_dst_fp16.sum": 0.0}, device=ampere)["flops_complete"] is True


def test_packed_instructions_that_were_not_counted_are_missing_where_the_part_has_them() -> None:
    b200 = Device(name="NVIDIA B200", compute_capability="10.0", sms=148)
    tensor = {
        f"{TENSOR}{t}.sum": 0.0
        for t in (
            "bf16_dst_fp32",
            "fp16_dst_fp32",
            "fp16_dst_fp16",
            "tf32_dst_fp32",
            "fp64",
            "int8",
            "fp4_fp6_fp8_dst_fp32",
            "fp4_fp6_fp8_dst_fp16",
            "fp4_dst_fp32",
        )
    }
    plain = {**EVERY_SCALAR, **tensor, SASS.format("ffma"): 10.0}
    packed = {SASS.format(op): 1.0 for op in ("fadd2", "fmul2", "ffma2")}

    assert (row(plain, device=b200)["flops"], row(plain, device=b200)["flops_complete"]) == (20, False)
    assert row({**plain, **packed}, device=b200)["flops"] == 2 * 10 + 2 + 2 + 4
    assert row({**plain, **packed}, device=b200)["flops_complete"] is True


def test_a_rate_per_cycle_refers_to_the_mean_of_the_sms_not_to_the_longest() -> None:
    rate = {
        f"{TENSOR}bf16_dst_fp32.sum.per_cycle_elapsed": 1000.0,
        "sm__cycles_elapsed.avg.per_second": 1.5e9,
        "gpc__cycles_elapsed.max": 3015.0,
    }

    assert row(rate, seconds=2e-6)["flops"] == pytest.approx(1000 * 1.5e9 * 2e-6)


def test_a_matrix_opcode_without_a_readable_shape_leaves_tensor_work_unknown() -> None:
    opcodes = [{"id": "HGMMA.SOMETHING", "value": 10.0}, {"id": "HMMA.16816.F32", "value": 3.0}]

    assert row({"sass__inst_executed_per_opcode_with_modifier_all": opcodes})["tensor_flops"] is None
    opcodes[0]["value"] = 0.0
    assert row({"sass__inst_executed_per_opcode_with_modifier_all": opcodes})["tensor_flops"] == 3 * 4096


def test_an_idle_tensor_pipe_proves_that_no_tensor_work_ran() -> None:
    assert row({**EVERY_SCALAR, "sm__inst_executed_pipe_tensor.sum": 0})["flops_complete"] is True
    assert row({**EVERY_SCALAR, "sm__inst_executed_pipe_tensor.sum": 9})["flops_complete"] is False


def test_nothing_counted_is_null_and_not_zero() -> None:
    done = row({"gpu__time_duration.sum": 1e-4})

    assert (done["flops"], done["dram_bytes"], done["l2_bytes"], done["flops_source"]) == (None, None, None, None)


def test_integer_dot_products_leave_flops_unknown() -> None:
    done = row({**EVERY_SCALAR, **EVERY_TENSOR}, name="mul_mat_vec_q")

    assert (done["flops"], done["flops_complete"]) == (None, False)


def test_integer_tensor_work_counts_as_work_of_its_precision() -> None:
    done = row({f"{TENSOR}int8.sum": 8192.0})

    assert (done["flops"], done["precision"]) == (8192, "int8")


@pytest.mark.parametrize(
    ("counters", "expected", "source"),
    [
        ({"dram__bytes.sum": 9.0, "dram__bytes_read.sum": 1.0, "dram__bytes_write.sum": 1.0}, 9.0, "counter"),
        ({"dram__bytes_read.sum": 6.0, "dram__bytes_write.sum": 2.0}, 8.0, "counter"),
        ({"dram__bytes_op_read.sum": 6.0, "dram__bytes_op_write.sum": 2.0}, 8.0, "counter"),
        ({"dram__sectors_read.sum": 2.0, "dram__sectors_write.sum": 1.0}, 3 * 32.0, "counter"),
        ({"dram__bytes.sum.per_second": 1e12}, 1e12 * 1e-4, "rate"),
        ({"dram__cycles_active.avg": 1000.0}, 1000 * 2 * 5120 / 8, "cycles"),
        ({"dram__bytes_read.sum": 6.0}, None, None),
        ({"lts__t_sectors_lookup_miss.sum": 5.0}, None, None),
    ],
)
def test_bytes_climb_their_ladder(counters: dict[str, float], expected: float | None, source: str | None) -> None:
    done = row(counters)

    assert done["dram_bytes"] == (pytest.approx(expected) if expected else None)
    assert done["dram_bytes_source"] == source


def test_active_share_of_the_memory_clock_gives_bytes() -> None:
    share = {"dram__cycles_active.avg.pct_of_peak_sustained_elapsed": 25.0, "dram__cycles_elapsed.avg.per_second": 2e9}

    assert row(share, seconds=1e-3)["dram_bytes"] == pytest.approx(0.25 * (2 * 5120 / 8) * 2e9 * 1e-3)


def test_a_part_without_dram_counters_shows_its_l2_misses() -> None:
    gb10 = Device(name="NVIDIA GB10", compute_capability="12.1", integrated=True, sms=48)
    done = row({"lts__t_sectors_lookup_miss.sum": 5.0}, device=gb10)

    assert (done["dram_bytes"], done["dram_bytes_source"]) == (5 * 32, "l2_miss")


def test_not_a_number_is_missing() -> None:
    done = row({"dram__bytes.sum": float("nan"), "dram__bytes_read.sum": 3.0, "dram__bytes_write.sum": 1.0})

    assert done["dram_bytes"] == 4


def test_the_pipe_estimate_needs_a_precision_and_more_than_noise() -> None:
    pipe = {
        "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed": 10.0,
        "sm__cycles_elapsed.avg.per_second": 1e9,
        "sm__cycles_elapsed.avg": 1e5,
    }
    frame = launches(launch(m=pipe), launch(m={**pipe, "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed": 3.0}))
    hinted = frame.with_columns(pl.lit("bf16").alias("activation_dtype"))

    assert work(frame, h100(), H100)["flops"].to_list() == [None, None]
    assert work(hinted, h100(), H100)["flops"].to_list() == [pytest.approx(0.10 * 4096 * 132 * 1e5), None]
    assert work(hinted, h100(), H100)["flops_source"].to_list() == ["pipe", None]


def test_a_product_of_which_no_flop_was_seen_is_unknown_where_its_unit_was_not_counted() -> None:
    half: Mapping[str, float | None] = {SASS.format(op): 0.0 for op in ("hadd", "hmul", "hfma")}

    def flops(role: str, m: Mapping[str, float | None]) -> object:
        named = launches(launch(m=m)).with_columns(role=pl.lit(role))
        return work(named, h100(), H100)["flops"].item()

    assert flops("fc", half) is None  # neither FP32 nor tensor work was counted
    assert flops("copy", half) == 0
    assert flops("fc", {**EVERY_SCALAR, **EVERY_TENSOR}) == 0  # all was counted: it did nothing


INSTRUCTIONS = "sm__inst_executed_pipe_tensor.sum"
BUSY = "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed"
PRO_6000 = Device(compute_capability="12.0")


def done_on(device: Device, hint: str | None, m: Mapping[str, float | None]) -> dict[str, Any]:
    named = launches(launch(m=m)).with_columns(activation_dtype=pl.lit(hint, pl.String))
    return work(named, None, device).row(0, named=True)


def test_tensor_instructions_beside_no_counted_operation_were_not_counted() -> None:
    silent = done_on(PRO_6000, None, {**EVERY_SCALAR, **EVERY_TENSOR, INSTRUCTIONS: 7.0})
    assert (silent["flops"], silent["tensor_flops"], silent["flops_bf16"], silent["flops_complete"]) == (
        None,
        None,
        None,
        False,
    )
    idle = done_on(PRO_6000, None, {**EVERY_SCALAR, **EVERY_TENSOR, INSTRUCTIONS: 0.0})
    assert (idle["flops"], idle["tensor_flops"]) == (0, 0)


def test_register_moves_in_the_tensor_pipe_are_no_uncounted_work_but_a_busy_pipe_is() -> None:
    counted = {**EVERY_SCALAR, **EVERY_TENSOR, INSTRUCTIONS: 7.0}
    assert done_on(H100, None, {**counted, BUSY: 3.7})["flops"] == 0
    assert done_on(H100, None, {**counted, BUSY: 20.0})["flops"] is None


def test_uncounted_tensor_work_has_an_upper_bound_where_the_largest_product_is_known() -> None:
    silent = done_on(PRO_6000, None, {**EVERY_SCALAR, **EVERY_TENSOR, INSTRUCTIONS: 7.0})
    assert silent["tensor_flops_high"] == 7 * 2 * 16 * 8 * 128  # m16n8k128, two of four values kept
    assert done_on(PRO_6000, "fp4", {**EVERY_SCALAR, **EVERY_TENSOR, INSTRUCTIONS: 7.0})["tensor_flops_high"] is None
    assert done_on(H100, None, {INSTRUCTIONS: 7.0})["tensor_flops_high"] is None


def test_uncounted_fp4_products_are_estimated_by_their_instructions() -> None:
    done = done_on(PRO_6000, "fp4", {**EVERY_SCALAR, **EVERY_TENSOR, INSTRUCTIONS: 7.0})
    assert done["flops_fp4"] == 7 * 2 * 16 * 8 * 64
    assert (done["flops_source"], done["flops_bf16"]) == ("instructions", None)
