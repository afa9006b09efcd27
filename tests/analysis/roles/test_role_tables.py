"""Launches with roles -> totals by role, by rule and by kernel."""

import polars as pl
import pytest

from ncu_roofline.analysis.roles import tables as role_tables
from tests.kernels import full

LAUNCHES = full(
    pl.DataFrame(
        {
            "kernel": ["gemm", "gemm", "norm", "fill", "fill", "copy"],
            "name": ["gemm<1>", "gemm<2>", "norm<1>", "fill<1>", "fill<1>", "copy<1>"],
            "role": ["fc", "fc", "norm", None, None, "copy"],
            "family": ["fc", "fc", "other", "other", "other", "other"],
            "role_source": ["name", "user", "name", None, None, "name"],
            "role_rule": ["a", "b", "c", None, None, "d"],
            "seconds": [1.0, 2.0, 5.0, None, None, None],
            "dram_bytes": [30.0, None, 10.0, None, None, None],
        }
    )
)


def test_totals_are_sums_of_what_is_known_and_null_where_nothing_is() -> None:
    found = role_tables.totals(LAUNCHES, "role")
    # norm 5 s, fc 1 + 2 s, then those without time: two launches before one
    assert found["role"].to_list() == ["norm", "fc", None, "copy"]
    assert found["kernels"].to_list() == [1, 2, 1, 1]
    assert found["launches"].to_list() == [1, 2, 2, 1]
    assert found["seconds"].to_list() == [5.0, 3.0, None, None]
    assert found["time_share"].to_list() == [5 / 8, 3 / 8, None, None]
    assert found["dram_bytes"].to_list() == [10.0, 30.0, None, None]
    assert found["bytes_share"].to_list() == [10 / 40, 30 / 40, None, None]


def test_a_share_of_less_than_a_second_or_a_byte_is_one_too() -> None:
    found = role_tables.totals(LAUNCHES.with_columns(pl.col("seconds", "dram_bytes") / 1000), "role")
    assert found["time_share"].head(2).to_list() == pytest.approx([5 / 8, 3 / 8])
    assert found["bytes_share"].head(2).to_list() == pytest.approx([10 / 40, 30 / 40])


def test_launches_that_stand_for_several_count_as_so_many() -> None:
    found = role_tables.totals(LAUNCHES.with_columns(times=pl.Series([1, 2, 3, 4, 5, 6])), "role")
    # 3; 1 + 2; then without time 4 + 5 before 6
    assert found["launches"].to_list() == [3, 3, 9, 6]


def test_shares_of_no_time_and_no_bytes_are_unknown() -> None:
    found = role_tables.totals(LAUNCHES.with_columns(pl.lit(0.0).alias("seconds"), pl.lit(0.0).alias("dram_bytes")), "role")
    assert found["time_share"].null_count() == found["bytes_share"].null_count() == 4


def test_a_rule_and_what_it_decided_is_one_row() -> None:
    found = role_tables.totals(LAUNCHES, "rule")
    assert found.select("role", "role_source", "role_rule", "launches").rows() == [
        ("norm", "name", "c", 1),
        ("fc", "user", "b", 1),
        ("fc", "name", "a", 1),
        (None, None, None, 2),
        ("copy", "name", "d", 1),
    ]


def test_kernels_without_a_role_are_told_without_role_columns() -> None:
    found = role_tables.unknown(LAUNCHES)
    assert found.select("kernel", "name", "launches").rows() == [("fill", "fill<1>", 2)]
    assert not {"role", "role_source", "role_rule"} & set(found.columns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gemm", ["gemm<2>", "gemm<1>"]),
        ("gemm<1>", ["gemm<1>"]),
        ("<2", ["gemm<2>"]),
        ("<1>", ["norm<1>", "gemm<1>", "fill<1>", "copy<1>"]),
        ("<.>", []),
    ],
)
def test_a_kernel_is_found_by_its_names_else_by_a_part_of_one(text: str, expected: list[str]) -> None:
    assert role_tables.of_name(LAUNCHES, text)["name"].to_list() == expected


def test_a_kernel_of_exactly_this_name_leaves_out_those_that_contain_it() -> None:
    more = pl.concat([LAUNCHES, LAUNCHES.head(1).with_columns(kernel=pl.lit("gemm_sum"), name=pl.lit("gemm_sum<1>"))])
    assert role_tables.of_name(more, "gemm")["kernel"].to_list() == ["gemm", "gemm"]


def test_the_full_name_is_the_first_kernels_else_what_was_asked_for() -> None:
    assert role_tables.full_name(role_tables.of_name(LAUNCHES, "norm"), "norm") == "norm<1>"
    assert role_tables.full_name(role_tables.of_name(LAUNCHES, "nothing"), "nothing") == "nothing"


def test_kernels_of_equal_time_and_number_keep_the_order_of_the_capture() -> None:
    many = pl.concat([LAUNCHES.head(1).with_columns(kernel=pl.lit(f"k{n}"), name=pl.lit(f"k{n}")) for n in range(50)])
    assert role_tables.totals(many, "kernel")["name"].to_list() == [f"k{n}" for n in range(50)]
