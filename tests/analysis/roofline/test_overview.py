"""A study in a handful of numbers."""

from dataclasses import replace

import polars as pl
import pytest

from ncu_roofline.analysis.roofline.overview import families, lacking, launch_count, main_ridge, overview
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import share, total, weighted
from ncu_roofline.capture.capture import Capture, Run
from ncu_roofline.capture.schema import FAMILIES, ROLES, enum
from tests.kernels import full, launch, launches

ROWS = full(launches(*(launch(f"k{n // 2}", seconds=s) for n, s in enumerate((0.1, 0.2, 0.3, None))))).with_columns(
    role=pl.Series(["fc", "attention", "kv-cache", None], dtype=enum(ROLES)),
    family=pl.Series(["fc", "attention", "attention", "other"], dtype=enum(FAMILIES)),
    dram_bytes=pl.Series([1.0, 2.0, None, 5.0]),
    flops=pl.Series([8.0, None, 4.0, 0.5]),
    tensor_flops=pl.Series([8.0, None, None, 0.0]),
    flops_fp32=pl.Series([0.0, None, 1.0, 0.0]),
    flops_complete=pl.Series([True, False, False, False]),
    bound=pl.Series(["memory", "compute", "memory", None]),
    bound_source=pl.Series(["partial", "useful", "partial", None]),
    limited_by=pl.Series(["latency", None, "memory", "compute"]),
    path=pl.Series(["bf16", None, "fp32", "fp32"]),
    ridge_spec=pl.Series([300.0, None, 20.0, 20.0]),
    ridge_profiled=pl.Series([250.0, None, 15.0, 16.0]),
    bandwidth_share=pl.Series([0.5, 0.25, None, None]),
)
STUDY = Study(capture=Capture(launches=ROWS), launches=ROWS, gpu=None, run=Run(), notes=())


def test_totals_are_of_what_is_known_and_say_of_how_many() -> None:
    found = overview(STUDY)
    assert (found.launches, found.kernels, found.bytes_known, found.flops_known) == (4, 2, 3, 3)
    assert (found.seconds, found.dram_bytes, found.flops) == (pytest.approx(0.6), 8.0, 12.5)


def test_shares_are_of_what_is_known() -> None:
    found = overview(STUDY)
    # sided and with bytes: 1 (memory) and 2 (compute)
    assert found.memory_bytes_share == pytest.approx(1 / 3)
    assert found.side_known_bytes_share == pytest.approx(3 / 8)
    # limit known: 0.1 s (latency) and 0.3 s
    assert found.latency_time_share == pytest.approx(0.1 / 0.4)
    assert found.limit_known_time_share == pytest.approx(0.4 / 0.6)
    # bytes and time: 0.5 over 0.1 s and 0.25 over 0.2 s
    assert found.bandwidth_share == pytest.approx((0.5 * 0.1 + 0.25 * 0.2) / 0.3)
    assert (found.main_path, found.ridge_spec, found.ridge_profiled) == main_ridge(ROWS)


def test_work_that_was_not_counted_is_told_where_bytes_or_launches_hang_on_it() -> None:
    found = overview(STUDY)
    # the third launch only: of it no tensor work was counted, but no bytes either
    assert found.flops_partial == 1
    assert found.partial_bytes_share == 0.0
    bare = STUDY.launches.with_columns(flops_complete=pl.lit(False), tensor_flops=pl.lit(None, pl.Float64))
    assert overview(replace(STUDY, launches=bare)).partial_bytes_share == 1.0
    useful = bare.with_columns(bound_source=pl.lit("useful"))
    assert overview(replace(STUDY, launches=useful)).partial_bytes_share == 0.0


def test_a_main_kind_of_work_is_fp32_or_all_tensor_work_of_an_incomplete_count() -> None:
    found = pl.DataFrame(
        {
            "flops_complete": [True, False, False, False],
            "flops_fp32": [None, None, 1.0, 1.0],
            "tensor_flops": [None, 1.0, None, 1.0],
        },
        schema_overrides={"flops_fp32": pl.Float64},
    ).select(x=lacking())
    assert found["x"].to_list() == [False, True, True, False]


def test_rows_that_stand_for_several_launches_count_as_so_many() -> None:
    assert launch_count(ROWS) == 4
    assert launch_count(ROWS.with_columns(times=pl.Series([2, 3, 4, 5]))) == 14


def test_the_sum_of_nothing_known_is_unknown() -> None:
    assert total(pl.DataFrame({"x": [None, None]}, schema={"x": pl.Float64}), "x") is None
    assert total(pl.DataFrame({"x": [0.0, None]}), "x") == 0.0


def test_a_part_of_nothing_is_unknown() -> None:
    frame = pl.DataFrame({"x": [0.0], "seconds": [0.0]})
    assert share(frame, pl.lit(True), "x") is None
    assert weighted(frame, "x") is None


def test_families_tell_the_cache_and_the_unrecognised_apart() -> None:
    found = families(ROWS)
    assert found.drop("time_share", "bytes_share").rows() == [
        ("attention", 1, 0.2, 2.0),
        ("fc", 1, 0.1, 1.0),
        ("kv-cache", 1, 0.3, None),
        ("unclassified", 1, None, 5.0),
    ]
    assert found["time_share"].to_list() == [pytest.approx(0.2 / 0.6), pytest.approx(0.1 / 0.6), pytest.approx(0.5), None]
    assert found["bytes_share"].to_list() == [2 / 8, 1 / 8, None, 5 / 8]


def test_families_count_launches_that_rows_stand_for() -> None:
    assert families(ROWS.with_columns(times=pl.Series([2, 3, 4, 5])))["launches"].to_list() == [3, 2, 4, 5]


def test_shares_of_no_time_and_no_bytes_are_unknown() -> None:
    found = families(ROWS.with_columns(seconds=pl.lit(0.0), dram_bytes=pl.lit(0.0)))
    assert found["time_share"].null_count() == found["bytes_share"].null_count() == 4
    small = families(ROWS.head(2).with_columns(seconds=pl.lit(0.1), dram_bytes=pl.lit(0.25)))
    assert small["time_share"].to_list() == small["bytes_share"].to_list() == [0.5, 0.5]


def test_the_ridge_is_that_of_the_heaviest_launch_of_the_path_with_most_work_and_bytes() -> None:
    def ridge(*work: float | None) -> tuple[str | None, float | None, float | None]:
        return main_ridge(ROWS.with_columns(flops=pl.Series(work), dram_bytes=pl.Series(work)))

    assert ridge(8.0, None, 4.0, 0.5) == ("bf16", 300.0, 250.0)
    # 2 + 1.5 of fp32 against 3 of bf16: the launch of 2
    assert ridge(3.0, None, 2.0, 1.5) == ("fp32", 20.0, 15.0)
    several = ROWS.with_columns(path=pl.Series(["bf16", "fp16", "fp32", "tf32"]), flops=pl.Series([9.0, 2.0, 3.0, 4.0]))
    assert main_ridge(several.with_columns(dram_bytes="flops")) == ("bf16", 300.0, 250.0)
    # of equal launches the first
    assert ridge(3.0, None, 2.0, 2.0) == ("fp32", 20.0, 15.0)
    assert main_ridge(ROWS.filter(pl.col("path").is_null())) == (None, None, None)


def test_roles_are_grouped_the_longest_first() -> None:
    assert overview(STUDY).roles["role"].to_list() == ["kv-cache", "attention", "fc", None]
