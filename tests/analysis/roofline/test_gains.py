"""Time above the ceiling by hand, what explains it, and what the launches would take without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.roofline import gains
from ncu_roofline.analysis.roofline.ceilings import Ceiling, ceiling, with_ceiling
from ncu_roofline.analysis.roofline.gains import fix_first, gained, reachable, small
from ncu_roofline.capture.schema import FAMILIES, PHASES, ROLES, enum
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.achieved import Achieved
from ncu_roofline.readers.facts import byte_rate
from tests.kernels import H100, full, h100

BEST = Ceiling(bandwidth=2e12, kind="stated")
ENUMS = {"role": enum(ROLES), "family": enum(FAMILIES), "phase": enum(PHASES)}


def placed(*rows: dict[str, Any]) -> pl.DataFrame:
    """Launches of one stream, in order: 100 us each, 100 MB read, nothing written, where a test says nothing else."""
    usual = {
        "kernel": "k", "name": "k", "role": "fc", "family": "fc", "phase": "decode", "seconds": 100e-6, "dram_bytes": 100e6,
        "dram_read_bytes": 100e6, "dram_write_bytes": 0.0, "suspect": False, "bandwidth": 3.35e12,
    }  # fmt: skip
    each = [{**usual, **row} for row in rows]
    names = dict.fromkeys(n for row in each for n in row)
    floats = {n: pl.Float64 for n in names if isinstance(each[0].get(n), float) or n.startswith("m:")}
    frame = pl.DataFrame({n: [row.get(n) for row in each] for n in names}, schema_overrides={**floats, **ENUMS})
    return full(frame)


def one(**row: Any) -> dict[str, Any]:
    return gained(placed(row), BEST).row(0, named=True)


def waves(number: float) -> dict[str, float]:
    return {f"m:{gains.WAVES[0]}": number}


def test_the_gain_is_the_time_above_the_bytes_at_the_ceiling() -> None:
    row = one()  # 100 MB at 2 TB/s are 50 us

    assert row["least_seconds"] == pytest.approx(50e-6)
    assert row["gain_seconds"] == pytest.approx(50e-6)
    assert row["ceiling_share"] == pytest.approx(0.5)
    assert row["gain_reason"] == "share"


def test_a_product_in_decode_is_held_to_what_it_reads_and_a_copy_to_all_that_it_moves() -> None:
    wrote = {"dram_bytes": 140e6, "dram_write_bytes": 40e6}

    assert one(**wrote)["least_seconds"] == pytest.approx(50e-6)
    counted = {"compute_share": 0.1, "flops": 1e9, "tensor_flops": 1e9}
    assert one(**wrote, **counted, phase="prefill")["least_seconds"] == pytest.approx(70e-6)
    assert one(**wrote, role="copy", family="other")["least_seconds"] == pytest.approx(70e-6)


def test_useful_work_at_its_peak_holds_where_it_takes_longer_than_the_bytes() -> None:
    # 90 us of executed work, of which a half is needed: 45 us, below the 50 of the bytes; of which all is: 90 us
    half = one(compute_share=0.9, flops=2e9, useful_flops=1e9)
    whole = one(compute_share=0.9, flops=2e9, useful_flops=2e9)

    assert half["least_seconds"] == pytest.approx(50e-6)
    assert half["gain_reason"] == "padding"  # 90 - 50 us of the 50 us are tiles that nobody needs
    assert whole["least_seconds"] == pytest.approx(90e-6)


def test_bytes_beyond_a_known_matrix_can_be_gained_too() -> None:
    row = one(matrix_bytes=60e6, activation_bytes=10e6, read_amplification=100 / 60)

    assert row["least_seconds"] == pytest.approx(70e6 / 2e12)
    # 65 us of gain, of which 30 MB at 2 TB/s are 15: reads are not the reason; of 30 us they are
    assert row["gain_reason"] == "share"
    assert one(seconds=52e-6, matrix_bytes=60e6, activation_bytes=10e6, read_amplification=1.67)["gain_reason"] == "reads"


def test_a_last_wave_that_is_part_empty_is_told_by_its_waves() -> None:
    # 1.2 waves take two: 40 % of 100 us are lost, of 50 us of gain
    assert one(**waves(1.2))["gain_reason"] == "tail"
    assert one(**waves(1.9))["gain_reason"] == "share"  # 5 us of 50
    assert one(**waves(1.2))["waves"] == pytest.approx(1.2)


def test_blocks_that_do_not_fill_the_gpu_are_told_by_their_waves() -> None:
    assert one(**waves(0.6))["gain_reason"] == "part_wave"  # 40 us of 50
    assert one(**waves(0.9))["gain_reason"] == "share"  # 10 us of 50


def test_a_launch_shorter_than_a_launch_costs_gains_nothing_by_fewer_bytes() -> None:
    assert one(seconds=4e-6, dram_bytes=1e3, dram_read_bytes=1e3)["gain_reason"] == "launch"


def test_a_row_that_stands_for_many_launches_is_as_short_as_each_of_them() -> None:
    many = {"seconds": 400e-6, "dram_bytes": 1e5, "dram_read_bytes": 1e5}

    assert one(**many, times=100)["gain_reason"] == "launch"  # 4 us each
    assert one(**many, times=10)["gain_reason"] == "share"  # 40 us each
    # 100 of 3.2 TB/s in 100 us all together: 3.2 MB each, which the L2 holds
    summed = placed({"dram_read_bytes": 320e6, "times": 100})
    found = ceiling(summed, h100(), H100)
    assert found is not None and found.kind == "table"


def test_waves_below_zero_are_no_waves() -> None:
    assert one(**waves(-1.0))["waves"] is None


def test_a_kernel_near_its_ceiling_has_nothing_left() -> None:
    assert one(seconds=52e-6)["gain_reason"] == "at_ceiling"
    beyond = one(seconds=40e-6)
    assert (beyond["gain_seconds"], beyond["gain_reason"]) == (0.0, "at_ceiling")


def test_a_reduction_of_a_split_product_is_named_as_its_helper() -> None:
    assert one(kernel="splitKreduce_kernel", seconds=4e-6)["gain_reason"] == "at_ceiling"  # 50 us of bytes: no gain at all
    assert one(kernel="splitKreduce_kernel", seconds=4e-6, dram_read_bytes=1e3)["gain_reason"] == "helper"


def test_bytes_that_go_to_the_next_launch_through_dram_could_be_fused_away() -> None:
    glue = {"role": "elementwise", "family": "other", "seconds": 60e-6}
    rows = gained(
        placed(
            {**glue, "dram_read_bytes": 10e6, "dram_write_bytes": 60e6, "dram_bytes": 70e6},
            {**glue, "dram_read_bytes": 50e6, "dram_write_bytes": 5e6, "dram_bytes": 55e6},
            {**glue, "dram_read_bytes": 40e6, "dram_write_bytes": 0.0, "dram_bytes": 40e6, "stream": 7},
        ),
        BEST,
    )

    # the first hands 50 of its 60 MB to the second, at most; the third is on another stream
    assert rows["fusion_bytes"].to_list() == [50e6, 50e6, 0.0]
    # 60 us, of which 35 are its bytes: 25 us of gain, and 50 MB at 2 TB/s are 25 us
    assert rows["gain_reason"][0] == "fusion"


def test_what_was_not_measured_has_no_gain_and_no_sum() -> None:
    rows = gained(placed({}, {"dram_bytes": None, "dram_read_bytes": None, "dram_write_bytes": None}), BEST)

    assert rows["gain_seconds"].to_list() == [pytest.approx(50e-6), None]
    assert rows["gain_reason"][1] is None
    assert reachable(rows) is None


def test_a_kernel_of_unknown_phase_that_moves_few_bytes_may_be_held_by_work_that_nobody_counted() -> None:
    bare: dict[str, Any] = {"role": "other", "family": "other", "phase": None}

    # 100 MB in 100 us are half of 2 TB/s, 90 MB less: what else takes its time is not known, unless its work was counted
    assert one(**bare)["gain_seconds"] == pytest.approx(50e-6)
    assert one(**bare, dram_bytes=90e6)["gain_seconds"] is None
    assert one(**bare, dram_bytes=90e6, compute_share=0.2, flops=1e9, flops_complete=True)["gain_seconds"] == pytest.approx(
        55e-6
    )
    assert one(**bare, dram_bytes=90e6, compute_share=0.2, flops=1e9, flops_complete=False)["gain_seconds"] is None
    # a third of the peak is what holds it, whatever else was not counted; and so is a GPU that is three quarters empty
    assert one(**bare, dram_bytes=90e6, compute_share=0.4, flops=1e9, flops_complete=False)["gain_seconds"] == pytest.approx(
        55e-6
    )
    assert one(**bare, **waves(0.25), dram_bytes=90e6)["gain_reason"] == "part_wave"
    # what moves or normalises is held by its bytes, and a short kernel by neither
    assert one(role="norm", family="other", phase=None, dram_bytes=90e6)["gain_seconds"] == pytest.approx(55e-6)
    assert one(**bare, seconds=10e-6, dram_bytes=2e6)["gain_seconds"] == pytest.approx(9e-6)
    assert one(phase="decode", dram_read_bytes=90e6)["gain_seconds"] == pytest.approx(55e-6)


def test_no_device_has_no_gain() -> None:
    assert gained(placed({}), None)["gain_seconds"].to_list() == [None]


def test_kernel_time_less_the_gains_is_what_the_launches_would_take() -> None:
    tiny = {"seconds": 4e-6, "dram_bytes": 2e3, "dram_read_bytes": 2e3, "role": "norm", "family": "other"}
    found = reachable(gained(placed({}, {"seconds": 70e-6}, tiny), BEST))

    assert found is not None
    assert found.seconds == pytest.approx(174e-6)
    assert found.least == pytest.approx(50e-6 + 50e-6 + 1e-9)


def test_a_product_of_a_prompt_whose_work_was_not_counted_has_no_gain() -> None:
    # 50 us of bytes in 100 us: in a prompt the other 50 may be arithmetic that nobody counted; in decode they are not
    assert one(phase="prefill")["gain_seconds"] is None
    assert one(phase="prefill", compute_share=0.9, flops=2e9)["gain_seconds"] is None  # nor that of its tensor units
    assert one(phase="prefill", compute_share=0.9, flops=2e9, tensor_flops=2e9)["gain_seconds"] == pytest.approx(10e-6)
    assert one(phase="prefill", role="norm", family="other")["gain_seconds"] == pytest.approx(50e-6)


# --- the ceiling


def test_a_stated_ceiling_stands() -> None:
    assert ceiling(placed({}), h100(), H100, 2.98e12) == Ceiling(bandwidth=2.98e12, kind="stated")


def test_a_stated_ceiling_above_the_memory_is_refused() -> None:
    with pytest.raises(UnusableInput, match=r"`ceiling=` 9 TB/s is above the 3.35 TB/s of H100 SXM"):
        ceiling(placed({}), h100(), H100, 9e12)
    with pytest.raises(UnusableInput, match=r"is above the 3\.35 TB/s"):
        with_ceiling(h100(), 9e12)
    assert with_ceiling(h100(), 3e12).achieved.ceiling == 3e12


@pytest.mark.parametrize(
    "said", ["3", "-1TB/s", "0TB/s", "1e400TB/s", "2.98TB", "nanTB/s", "TB/s", "9999999999999PB/s", True, None]
)
def test_what_is_no_bandwidth_is_refused(said: object) -> None:
    with pytest.raises(UnusableInput, match="is no bandwidth"):
        byte_rate("`ceiling=`", said)


@pytest.mark.parametrize(
    ("said", "rate"), [("2.98TB/s", 2.98e12), ("2980 GB/s", 2.98e12), (2.98e12, 2.98e12), ("1TiB/s", 2.0**40)]
)
def test_a_bandwidth_takes_its_unit(said: object, rate: float) -> None:
    assert byte_rate("`ceiling=`", said) == pytest.approx(rate)


def test_the_best_that_kernels_reached_is_the_ceiling_of_a_known_device() -> None:
    assert ceiling(placed({}), h100(), H100) == Ceiling(bandwidth=3.13e12, kind="table")


def test_a_kernel_that_beats_the_table_raises_it_and_is_named() -> None:
    fast = {"kernel": "fast", "dram_read_bytes": 320e6, "dram_bytes": 330e6}  # 3.2 TB/s read

    found = ceiling(placed({}, fast), h100(), H100)

    assert found is not None
    assert replace(found, bandwidth=3.2e12) == Ceiling(bandwidth=3.2e12, kind="capture", table=3.13e12, kernel="fast")
    assert found.bandwidth == pytest.approx(3.2e12)


@pytest.mark.parametrize(
    "why",
    [
        {"suspect": True},  # above a roof: its counters are doubtful
        {"seconds": 10e-6, "dram_read_bytes": 32e6},  # too short, and its bytes may have come from the L2
        {"dram_read_bytes": 320e6, "seconds": None},
    ],
)
def test_what_cannot_be_believed_raises_nothing(why: dict[str, Any]) -> None:
    found = ceiling(placed({}, {"dram_read_bytes": 320e6, **why}), h100(), H100)

    assert found is not None and found.kind == "table"


def test_a_kernel_of_another_device_raises_nothing() -> None:
    other = replace(H100, name="NVIDIA H200", bus_bits=6016)

    found = ceiling(placed({"dram_read_bytes": 320e6}), h100(), other)

    assert found is not None and found.kind == "table"


def test_a_slower_memory_clock_lowers_the_tables_ceiling_with_it() -> None:
    found = ceiling(placed({"bandwidth_at_clock": 3.35e12 / 2}), h100(), H100)

    assert found is not None and found.bandwidth == pytest.approx(3.13e12 / 2)


def test_without_a_ceiling_the_datasheet_stands_and_is_named() -> None:
    bare = replace(h100(), achieved=Achieved())

    assert ceiling(placed({}), bare, H100) == Ceiling(bandwidth=3.35e12, kind="datasheet")
    assert ceiling(placed({}), None, H100) is None


# --- our own captures


def row_of(file: str, grid: list[int], launches: int) -> dict[str, Any]:
    rows = nr.kernels(f"fixtures/measured/{file}.ncu-repz").filter(pl.col("launches") == launches)
    return next(r for r in rows.to_dicts() if r["grid"] == grid and r["role"] in ("fc", "attention"))


def test_the_lm_head_at_batch_8_on_h100_by_hand() -> None:
    row = row_of("h100-dense-b8", [2, 66, 1], 1)

    # 1.051 GB in 378.7 us: 2.776 TB/s, 83 % of the datasheet's 3.35; at 3.13 TB/s 335.8 us: 43 us could be gained
    assert row["dram_read_bytes"] == pytest.approx(1.051e9, rel=1e-3)
    assert row["seconds"] == pytest.approx(378.7e-6, rel=1e-3)
    assert row["bandwidth_share"] == pytest.approx(0.83, abs=0.006)
    assert row["gain_seconds"] == pytest.approx(43e-6, abs=0.5e-6)
    assert row["gain_seconds"] == pytest.approx(378.656e-6 - 1.0511e9 / 3.13e12, rel=2e-3)
    assert (row["gain_reason"], row["waves"]) == ("share", 1.0)


def test_the_qkv_product_fills_96_of_132_multiprocessors() -> None:
    row = row_of("h100-dense-b8", [4, 24, 1], 4)

    # four of 50.36 MB in 23.54 us each: 16.09 us at 3.13 TB/s, so 7.45 us each could be gained; 4 x 24 = 96 blocks on 132
    assert row["gain_seconds"] == pytest.approx(4 * (23.536e-6 - 50.362e6 / 3.13e12), rel=1e-3)
    assert row["waves"] == pytest.approx(96 / 132)
    assert row["gain_reason"] == "part_wave"


def test_the_lm_head_on_h200_stands_at_the_ceiling_that_it_set() -> None:
    row = row_of("h200-dense-b8", [2, 66, 1], 1)

    # 1.0511 GB in 240.86 us are 4.364 TB/s
    assert row["gain_seconds"] == pytest.approx(0.0, abs=0.1e-6)
    assert row["gain_reason"] == "at_ceiling"


def test_the_split_ks_helpers_and_the_arg_max_have_their_own_reasons() -> None:
    rows = nr.kernels("fixtures/measured/h100-dense-b8.ncu-repz")
    reasons = dict(rows.select("kernel", "gain_reason").iter_rows())

    assert reasons["splitKreduce_kernel"] == "helper"
    assert reasons["reduce_kernel"] == "part_wave"  # 8 blocks on 132 multiprocessors, for 40 us
    first = fix_first(rows)
    assert first["why"][0] == "glue" and first["launches"][0] == 89 + 1  # and the embedding's look-up


def test_the_sum_of_the_gains_is_shown_once_and_adds_up() -> None:
    study = nr.study("fixtures/measured/h100-dense-b8.ncu-repz")
    found = reachable(study.launches)

    assert found is not None
    assert found.least == pytest.approx(found.seconds - float(study.launches["gain_seconds"].sum()))
    assert 0 < small(nr.kernels("fixtures/measured/h100-dense-b8.ncu-repz")).gain < found.seconds - found.least
