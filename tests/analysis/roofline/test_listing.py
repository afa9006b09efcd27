"""Rows chosen and ordered for a list."""

import polars as pl
import pytest

from ncu_roofline.analysis.roofline.listing import listing
from ncu_roofline.errors import UnusableInput

ROWS = pl.DataFrame(
    {
        "kernel": ["gemm", "Gemm_B", "softmax", None],
        "name": ["one", "two", "three", "four.gemm"],
        "role": ["fc", None, "attention", "norm"],
        "seconds": [2.0, 3.0, 2.0, None],
    }
)


def names(sort: str, only: str | None = None) -> list[str]:
    return listing(ROWS, sort=sort, only=only)["name"].to_list()


def test_the_largest_come_first_equals_in_their_order_and_unknown_last() -> None:
    assert names("seconds") == ["two", "one", "three", "four.gemm"]


def test_a_minus_puts_the_smallest_first_and_the_unknown_still_last() -> None:
    assert names("-seconds") == ["one", "three", "two", "four.gemm"]


def test_equal_rows_keep_their_order_however_many_they_are() -> None:
    many = pl.DataFrame({"name": [str(n) for n in range(200)], "seconds": [float(n % 2) for n in range(200)]})
    odd_then_even = [*(str(n) for n in range(1, 200, 2)), *(str(n) for n in range(0, 200, 2))]
    assert listing(many, sort="seconds", only=None)["name"].to_list() == odd_then_even


def test_a_text_is_looked_for_in_kernel_name_and_role_whatever_its_case() -> None:
    assert names("-seconds", "GEMM") == ["one", "two", "four.gemm"]
    assert names("seconds", "atten") == ["three"]


def test_a_text_is_no_pattern() -> None:
    assert names("seconds", ".gemm") == ["four.gemm"]
    assert names("seconds", "g.mm") == []


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnusableInput, match=r"nearest: seconds$"):
        listing(ROWS, sort="second", only=None)
    with pytest.raises(UnusableInput, match=r"nearest: seconds, dram_bytes, intensity$"):
        listing(ROWS, sort="qqq", only=None)


def test_at_most_three_columns_are_named() -> None:
    rows = pl.DataFrame({f"flops_{n}": [1.0] for n in range(5)})
    with pytest.raises(UnusableInput, match=r"nearest: (flops_\d, ){2}flops_\d$"):
        listing(rows, sort="flops_", only=None)
