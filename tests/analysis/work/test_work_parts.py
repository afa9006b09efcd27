"""Work by its parts: ladders of a path, estimates from the tensor pipe, sums and what makes them complete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.work.flops import Family
from ncu_roofline.analysis.work.work import (
    complete,
    estimate,
    instruction_flops,
    least_exact,
    of_path,
    over_paths,
    peak_of,
    pipe_flops,
    precision,
    slowest_path,
    sums,
    work,
)
from ncu_roofline.capture.capture import Device
from ncu_roofline.capture.schema import PATHS, SOURCES, TENSOR_PATHS
from tests.kernels import EVERY_SCALAR, EVERY_TENSOR, H100, h100, launch, launches

PIPE = "m:sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed"
CYCLES = "m:sm__cycles_elapsed.avg"
WARPS = "m:sm__inst_executed_pipe_tensor.sum"
ADA = Device(compute_capability="8.9")


def of(**columns: Any) -> pl.DataFrame:
    """One launch with these FLOPs by path, all else unknown, counted and whole where known."""
    given: dict[str, Any] = {f"flops_{p}": None for p in PATHS} | {k: v for k, v in columns.items() if k.startswith("flops_")}
    given |= {f"flops_{p}_source": "counter" if given[f"flops_{p}"] is not None else None for p in PATHS}
    given |= {f"whole:{p}": given[f"flops_{p}"] is not None for p in PATHS} | columns
    types: dict[str, Any] = {f"flops_{p}": pl.Float64 for p in PATHS} | {f"flops_{p}_source": pl.Enum(SOURCES) for p in PATHS}
    types |= {k: pl.Float64 for k in given if k.startswith("m:") or k == "seconds"} | {"activation_dtype": pl.String}
    return pl.DataFrame({k: [v] for k, v in given.items()}, schema_overrides={k: v for k, v in types.items() if k in given})


def value(frame: pl.DataFrame, expr: pl.Expr) -> Any:
    return frame.select(expr.alias("found")).item()


def test_a_path_takes_whole_counts_then_opcodes_then_a_part() -> None:
    frame = pl.DataFrame(
        {"whole": [1.0, None, None, None], "part": [2.0, 2.0, 2.0, None], "opcodes:bf16": [3.0, 3.0, None, None]}
    )
    families = [
        Family("bf16", "rate", pl.col("part"), False),
        Family("bf16", "counter", pl.col("whole")),
        Family("fp8", "counter", pl.lit(99.0)),
    ]
    found = frame.select(of_path("bf16", families))
    assert found["flops_bf16"].to_list() == [1.0, 3.0, 2.0, None]
    assert found["flops_bf16_source"].to_list() == ["counter", "opcodes", "rate", None]
    assert found["whole:bf16"].to_list() == [True, True, False, False]


def test_the_tensor_pipe_works_at_its_share_of_the_rate_above_the_noise() -> None:
    frame = pl.DataFrame({"seconds": [1.0] * 3, PIPE: [10.0, 5.0, 5.1], CYCLES: [1e5] * 3})
    found = frame.select(v=pipe_flops(frame, h100(), "bf16"))["v"].to_list()
    assert found == [pytest.approx(0.10 * 4096 * 132 * 1e5), None, pytest.approx(0.051 * 4096 * 132 * 1e5)]
    for gpu in (None, replace(h100(), sms=None)):
        assert frame.select(v=pipe_flops(frame, gpu, "bf16"))["v"].to_list() in ([None], [None] * 3)
    assert frame.select(v=pipe_flops(frame, h100(), "fp4"))["v"].to_list() in ([None], [None] * 3)


def test_tensor_instructions_stand_for_the_usual_shape_of_16_bit_products() -> None:
    frame = pl.DataFrame({"seconds": [1.0] * 3, WARPS: [10.0, 0.0, 0.5]})
    for path in ("bf16", "fp16"):
        assert frame.select(v=instruction_flops(frame, "8.9", path))["v"].to_list() == [40960.0, None, 2048.0]
    for capability, path in (("8.9", "fp8"), ("9.0", "bf16"), (None, "bf16")):
        assert set(frame.select(v=instruction_flops(frame, capability, path))["v"]) == {None}


def estimated(device: Device = H100, *, gpu: bool = True, **columns: Any) -> tuple[Any, Any]:
    """FLOPs of bf16 and their source."""
    found = estimate(of(seconds=1.0, **columns), h100() if gpu else None, device)
    assert "uncounted" not in found.columns
    return found["flops_bf16"].item(), found["flops_bf16_source"].item()


def test_work_that_nothing_counted_is_estimated_in_the_format_of_the_name() -> None:
    pipe: dict[str, Any] = {PIPE: 10.0, CYCLES: 1e5, "activation_dtype": "bf16"}
    assert estimated(**pipe) == (pytest.approx(0.10 * 4096 * 132 * 1e5), "pipe")
    assert estimated(**{**pipe, "activation_dtype": "fp8"}) == (None, None)
    assert estimated(**{**pipe, "activation_dtype": None}) == (None, None)
    assert estimated(**pipe, flops_bf16=7.0) == (7.0, "counter")
    assert estimated(**pipe, flops_fp8=7.0) == (None, None)
    assert estimated(**pipe, flops_fp32=7.0)[1] == "pipe"


@pytest.mark.parametrize("hint", ["bf16", "fp16", "fp8", "int8", "tf32"])
def test_each_format_has_its_own_path(hint: str) -> None:
    found = estimate(of(seconds=1.0, activation_dtype=hint, **{PIPE: 10.0, CYCLES: 1e5}), h100(), H100)
    assert [p for p in TENSOR_PATHS if found[f"flops_{p}"].item() is not None] == [hint]


def test_pipe_instructions_stand_in_for_pipe_use() -> None:
    counted: dict[str, Any] = {WARPS: 10.0, "activation_dtype": "bf16"}
    assert estimated(ADA, gpu=False, **counted) == (40960.0, "instructions")
    assert estimated(H100, **counted) == (None, None)
    # the capability of the table stands in where the capture tells none, and only there
    frame, ada = of(seconds=1.0, **counted), replace(h100(), compute_capability="8.9")
    assert estimate(frame, ada, Device())["flops_bf16"].item() == 40960.0
    assert estimate(frame, ada, H100)["flops_bf16"].item() is None
    assert estimate(frame, None, Device())["flops_bf16"].item() is None


def test_a_sum_is_of_what_is_known() -> None:
    assert value(of(flops_bf16=2.0, flops_fp32=3.0), over_paths(PATHS)) == 5.0
    assert value(of(flops_bf16=2.0, flops_fp32=3.0), over_paths(TENSOR_PATHS)) == 2.0
    assert value(of(flops_fp32=3.0), over_paths(TENSOR_PATHS)) is None
    assert value(of(flops_bf16=0.0), over_paths(TENSOR_PATHS)) == 0.0


def test_totals_are_told_by_kind_of_unit() -> None:
    frame = of(flops_bf16=2.0, flops_fp32=3.0)
    found = frame.select(sums(frame, "9.0")).row(0, named=True)
    assert found == {"flops": 5.0, "tensor_flops": 2.0, "scalar_flops": 3.0, "flops_source": "counter", "flops_complete": False}


def test_the_least_exact_source_of_what_worked_is_that_of_the_sum() -> None:
    mixed = of(flops_bf16=2.0, flops_fp32=3.0, flops_fp8=0.0, flops_bf16_source="opcodes", flops_fp8_source="pipe")
    assert value(mixed, least_exact()) == "opcodes"
    small = of(flops_bf16=0.5, flops_fp32=3.0, flops_bf16_source="pipe")
    assert value(small, least_exact()) == "pipe"


def test_where_nothing_worked_the_most_exact_source_tells_so() -> None:
    idle = of(flops_bf16=0.0, flops_fp32=0.0, flops_bf16_source="opcodes", flops_fp32_source="rate")
    assert value(idle, least_exact()) == "rate"
    assert value(of(), least_exact()) is None


HOPPER: dict[str, Any] = {
    f"flops_{p}": 0.0 for p in ("fp64", "fp32", "fp16_scalar", "bf16", "fp16", "tf32", "fp64_tensor", "fp8", "int8", "int1")
}


def is_complete(capability: str | None = "9.0", **columns: Any) -> bool:
    frame = of(**columns)
    return bool(value(frame, complete(frame, capability)))


def test_work_is_complete_where_every_family_was_counted_whole() -> None:
    assert is_complete(**HOPPER)
    for path in HOPPER:
        assert not is_complete(**{**HOPPER, f"whole:{path.removeprefix('flops_')}": False}), path
    assert not is_complete(None, **HOPPER)


def test_an_idle_pipe_completes_what_was_not_counted() -> None:
    scalar = {k: HOPPER[k] for k in ("flops_fp64", "flops_fp32", "flops_fp16_scalar")}
    assert is_complete(**scalar | {PIPE: 0.0})
    assert is_complete(None, **scalar | {PIPE: 0.0})
    assert not is_complete(**scalar | {PIPE: 1.0})
    assert not is_complete(**scalar | {PIPE: None})
    fp64 = "m:sm__inst_executed_pipe_fp64.sum"
    without = {k: v for k, v in HOPPER.items() if k != "flops_fp64"}
    assert is_complete(**without | {fp64: 0.0})
    assert not is_complete(**without | {fp64: 2.0})


def test_the_path_is_the_one_that_takes_longest_at_its_roof() -> None:
    gpu = replace(h100(), peaks={"bf16": 100.0, "fp32": 10.0, "fp8": 200.0})
    assert value(of(flops_bf16=50.0, flops_fp32=6.0), slowest_path(gpu)) == "fp32"
    assert value(of(flops_bf16=70.0, flops_fp32=6.0), slowest_path(gpu)) == "bf16"
    assert value(of(flops_bf16=0.0, flops_fp32=0.0), slowest_path(gpu)) is None
    # a path without a roof cannot be the one
    assert value(of(flops_tf32=1e9, flops_fp32=6.0), slowest_path(gpu)) == "fp32"
    # of two that take as long the first of the paths
    assert value(of(flops_bf16=50.0, flops_fp32=5.0), slowest_path(gpu)) == "fp32"


def test_an_unknown_device_has_the_usual_relation_of_its_paths() -> None:
    assert peak_of(None, "fp32") == 1
    assert peak_of(None, "bf16") == 16
    assert peak_of(None, "nonsense") is None
    assert peak_of(h100(), "bf16") == h100().peaks["bf16"]
    assert value(of(flops_bf16=30.0, flops_fp32=2.0), slowest_path(None)) == "fp32"


def test_a_precision_is_the_number_format_of_the_path() -> None:
    frame = pl.DataFrame(
        {"path": ["fp64_tensor", "fp16_fp16acc", "fp16_scalar", "bf16", None]}, schema={"path": pl.Enum(PATHS)}
    )
    assert frame.select(precision())["precision"].to_list() == ["fp64", "fp16", "fp16", "bf16", None]


def test_uncounted_integer_dot_products_leave_work_unknown() -> None:
    m = {**EVERY_SCALAR, **EVERY_TENSOR, "sm__sass_thread_inst_executed_op_ffma_pred_on.sum": 5.0}
    found = work(launches(launch("gemm", m=m), launch("mul_mat_vec_q", m=m)), h100(), H100)
    assert found["flops"].to_list() == [10.0, None]
    assert found["flops_complete"].to_list() == [True, False]
    assert found["flops_source"].to_list() == ["counter", None]
    assert found["path"].to_list() == ["fp32", None]
    assert not [c for c in found.columns if c.startswith(("whole:", "opcodes:"))]


def test_the_capability_of_the_table_decides_where_the_capture_tells_none() -> None:
    taken = launches(launch(m={**EVERY_SCALAR, **EVERY_TENSOR}))
    assert work(taken, h100(), Device())["flops_complete"].item() is True
    assert work(taken, None, Device())["flops_complete"].item() is False
    # FP16 accumulation of Ampere was not counted, whatever device is named
    assert work(taken, h100(), Device(compute_capability="8.0"))["flops_complete"].item() is False
