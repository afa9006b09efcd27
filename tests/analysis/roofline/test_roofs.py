"""The roofs of a capture from launches stated by hand: means over time, fallbacks, L2 and ridges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.roofline.roofs import l2_bandwidth, ridges, roofs, usual_paths
from tests.kernels import h100

BYTES_SHARE = "m:lts__t_bytes.sum.pct_of_peak_sustained_elapsed"
SECTORS_SHARE = "m:lts__t_sectors.avg.pct_of_peak_sustained_elapsed"


def launches(**columns: list[Any]) -> pl.DataFrame:
    """Two launches: bf16 work for one second, none for three."""
    given = {
        "path": ["bf16", None],
        "seconds": [1.0, 3.0],
        "bandwidth": [10.0, 10.0],
        "bandwidth_at_clock": [8.0, 4.0],
        "peak": [100.0, None],
        "peak_at_clock": [90.0, None],
    } | columns
    return pl.DataFrame(given, schema_overrides={"path": pl.String, "peak": pl.Float64, "peak_at_clock": pl.Float64})


def lines(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.rows()


def test_each_kind_has_a_bandwidth_and_a_ceiling_of_every_path_that_worked() -> None:
    # (8 x 1 + 4 x 3) / 4 = 5; the peak is that of the launch that has the path
    assert lines(roofs(launches(), h100(), ("dram",))) == [
        ("datasheet", "dram", 10.0),
        ("datasheet", "bf16", 100.0),
        ("capture", "dram", 5.0),
        ("capture", "bf16", 90.0),
    ]


def test_ceilings_of_several_paths_stand_in_the_order_of_paths() -> None:
    two = launches(path=["bf16", "fp32"], peak=[100.0, 7.0], peak_at_clock=[90.0, 6.0])
    assert lines(roofs(two, h100(), ("dram",))) == [
        ("datasheet", "dram", 10.0),
        ("datasheet", "fp32", 7.0),
        ("datasheet", "bf16", 100.0),
        ("capture", "dram", 5.0),
        ("capture", "fp32", 6.0),
        ("capture", "bf16", 90.0),
    ]


def test_what_is_not_known_is_no_roof() -> None:
    without = launches().with_columns(bandwidth_at_clock=pl.lit(None, pl.Float64), peak_at_clock=pl.lit(None, pl.Float64))
    assert lines(roofs(without, h100(), ("dram",))) == [("datasheet", "dram", 10.0), ("datasheet", "bf16", 100.0)]


def test_without_work_the_usual_format_of_the_launches_stands_for_orientation() -> None:
    idle = launches(path=[None, None], activation_dtype=["fp8", "fp8"])
    gpu = replace(h100(), peaks={"bf16": 50.0, "fp8": 70.0})
    assert lines(roofs(idle, gpu, ("dram",))) == [
        ("datasheet", "dram", 10.0),
        ("capture", "dram", 5.0),
        ("datasheet", "fp8", 70.0),
    ]
    assert lines(roofs(idle, None, ("dram",))) == [("datasheet", "dram", 10.0), ("capture", "dram", 5.0)]


def test_l2_has_a_roof_where_it_is_asked_for() -> None:
    # 6 bytes in 1 s at half and 18 bytes in 3 s at a quarter of the full rate: 12 and 24 byte/s; (12 x 1 + 24 x 3) / 4
    counted = launches(l2_bytes=[6.0, 18.0]).with_columns(pl.Series(BYTES_SHARE, [50.0, 25.0]))
    assert lines(roofs(counted, h100(), ("dram", "l2")))[-1] == ("capture", "l2", 21.0)
    assert "l2" not in roofs(counted, h100(), ("dram",))["what"]


@pytest.mark.parametrize("name", [BYTES_SHARE, SECTORS_SHARE, "m:lts__t_sectors.sum.pct_of_peak_sustained_elapsed"])
def test_the_l2_roof_stands_on_launches_that_kept_l2_busy(name: str) -> None:
    counted = launches(l2_bytes=[6.0, 18.0]).with_columns(pl.Series(name, [50.0, 5.0]))
    assert l2_bandwidth(counted) == 12.0
    # 6 bytes in 1 s at 5.5 % of the full rate
    assert l2_bandwidth(counted.with_columns(pl.Series(name, [5.5, 5.0]))) == pytest.approx(6 / 0.055)


def test_without_a_share_there_is_no_l2_roof() -> None:
    assert l2_bandwidth(launches(l2_bytes=[6.0, 18.0])) is None


def test_the_share_in_bytes_comes_before_that_in_sectors() -> None:
    both = launches(l2_bytes=[6.0, 18.0]).with_columns(
        pl.Series(BYTES_SHARE, [50.0, 50.0]), pl.Series(SECTORS_SHARE, [1.0, 1.0])
    )
    assert l2_bandwidth(both) == 12.0


def test_the_usual_format_is_that_of_most_launches_whose_format_is_a_path() -> None:
    frame = pl.DataFrame({"activation_dtype": ["fp32", "fp16", "tf32", "fp8", "int8", "bf16", "fp8", *["q4_k"] * 3, None]})
    assert usual_paths(frame) == ("fp8",)
    assert usual_paths(pl.DataFrame({"activation_dtype": ["q4_k"]})) == ("bf16",)


def test_a_ridge_is_a_ceiling_over_the_bandwidth_of_its_kind() -> None:
    known = pl.DataFrame(
        [
            ("datasheet", "dram", 10.0),
            ("datasheet", "bf16", 100.0),
            ("capture", "dram", 5.0),
            ("capture", "bf16", 90.0),
            ("capture", "l2", 30.0),
        ],
        schema=["kind", "what", "value"],
        orient="row",
    )
    assert lines(ridges(known)) == [("datasheet", "bf16", 10.0, 100.0), ("capture", "bf16", 18.0, 90.0)]


def test_a_capture_without_memory_clock_has_its_ridge_over_the_datasheets_bandwidth() -> None:
    known = pl.DataFrame(
        [("datasheet", "dram", 10.0), ("capture", "bf16", 90.0)], schema=["kind", "what", "value"], orient="row"
    )
    assert lines(ridges(known)) == [("capture", "bf16", 9.0, 90.0)]
    assert ridges(known.filter(what="bf16")).is_empty()
