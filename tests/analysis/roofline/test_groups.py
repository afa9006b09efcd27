"""Groups of launches: ratios of sums, and what is unknown stays unknown."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.roofline import groups
from ncu_roofline.capture.frames import STUDIED

TYPES = {c.name: c.dtype for c in STUDIED}


def launches(*rows: dict[str, Any]) -> pl.DataFrame:
    """Placed launches; a row states only what it is about."""
    usual = {
        "name": "gemm",
        "kernel": "gemm",
        "grid": [8, 1, 1],
        "block": [128, 1, 1],
        "seconds": 1e-5,
        "family": "fc",
        "role": "fc",
        "layer": 0,
        "path": "bf16",
        "flops_complete": True,
    }
    return pl.DataFrame([{"index": i, **usual, **row} for i, row in enumerate(rows)], schema=TYPES)


def test_a_group_divides_sums_and_never_averages_ratios() -> None:
    grouped = groups.group(launches({"flops": 1.0, "dram_bytes": 1.0}, {"flops": 100.0, "dram_bytes": 10.0}))

    # (1 + 100) / (1 + 10) = 9.18, where the mean of 1/1 and 100/10 would be 5.5
    assert grouped["intensity"].to_list() == [pytest.approx(101 / 11)]


def test_the_same_kernel_on_another_grid_is_another_group() -> None:
    grouped = groups.group(launches({}, {"grid": [16, 1, 1], "seconds": 3e-5}, {}))

    assert grouped.select("launches", "seconds").rows() == [(1, 3e-5), (2, 2e-5)]


def test_a_sum_of_unknown_values_is_unknown_and_not_zero() -> None:
    row = groups.group(launches({"dram_bytes": None}, {"dram_bytes": None})).row(0, named=True)

    assert (row["dram_bytes"], row["dram_bytes_unknown"], row["bytes_share"]) == (None, 2, None)


def test_a_sum_that_lacks_launches_says_how_many_and_its_ratio_leaves_them_out() -> None:
    row = groups.group(launches({"flops": 8.0, "dram_bytes": 4.0}, {"flops": 800.0, "dram_bytes": None})).row(0, named=True)

    # the second launch has no bytes, so its 800 FLOPs may not be divided by the first one's 4 bytes
    assert (row["flops"], row["dram_bytes"], row["dram_bytes_unknown"], row["intensity"]) == (808.0, 4.0, 1, 2.0)


def test_useful_work_of_some_launches_does_not_stand_for_the_others() -> None:
    row = groups.group(
        launches(
            {"flops": 16.0, "useful_flops": 2.0, "dram_bytes": 2.0}, {"flops": 16.0, "useful_flops": None, "dram_bytes": 2.0}
        )
    ).row(0, named=True)

    assert (row["useful_intensity"], row["useful_flops"], row["padding"]) == (None, None, None)


def test_useful_intensity_decides_the_side_of_a_group() -> None:
    row = groups.group(
        launches({"flops": 512.0, "useful_flops": 32.0, "dram_bytes": 4.0, "ridge": 100.0, "bandwidth": 1e12})
    ).row(0, named=True)

    # executed 512 / 4 = 128 is right of the ridge at 100, useful 32 / 4 = 8 is left of it
    assert (row["intensity"], row["useful_intensity"], row["bound"], row["bound_source"]) == (128.0, 8.0, "memory", "useful")


@pytest.mark.parametrize(("sides", "expected"), [(("memory", "memory"), "memory"), (("memory", None), None)])
def test_a_group_without_a_path_is_on_the_side_that_all_its_launches_share(
    sides: tuple[str | None, str | None], expected: str | None
) -> None:
    rows = launches(*({"flops": None, "path": None, "ridge": None} for _ in sides))
    both = rows.with_columns(bound=pl.Series(sides, dtype=pl.Enum(["memory", "compute"])))
    assert groups.group(both)["bound"].to_list() == [expected]


def test_a_share_of_a_roof_is_weighted_by_time() -> None:
    row = groups.group(launches({"seconds": 3e-5, "bandwidth_share": 0.9}, {"seconds": 1e-5, "bandwidth_share": 0.1})).row(
        0, named=True
    )

    # (0.9 x 30 us + 0.1 x 10 us) / 40 us: 28 us of the 40 would do at the full bandwidth
    assert row["bandwidth_share"] == pytest.approx(28 / 40)


def test_shuffled_launches_make_the_same_groups() -> None:
    frame = launches(
        *(
            {"name": n, "grid": [g, 1, 1], "flops": f, "dram_bytes": 2.0}
            for f, (n, g) in enumerate([("a", 1), ("b", 1), ("a", 2), ("a", 1), ("b", 1)])
        )
    )

    shuffled = frame.sample(fraction=1, shuffle=True, seed=3)

    assert groups.group(shuffled).equals(groups.group(frame))


@pytest.mark.parametrize(("by", "rows"), [("kernel", 2), ("launch", 3), ("role", 2), ("layer", 3)])
def test_every_way_of_grouping_keeps_all_time(by: str, rows: int) -> None:
    frame = launches({"layer": 0}, {"layer": 1}, {"name": "flash", "family": "attention", "role": "attention", "layer": 1})

    grouped = groups.group(frame, by)

    assert (grouped.height, grouped["seconds"].sum()) == (rows, pytest.approx(3e-5))


def test_launches_of_unknown_role_stay_one_group_of_their_own() -> None:
    grouped = groups.group(launches({"role": None, "family": None}, {"role": None, "family": None}, {}), "role")

    assert grouped.select("role", "family", "launches").rows() == [(None, "other", 2), ("fc", "fc", 1)]


def test_a_group_names_the_least_exact_rung_among_its_launches() -> None:
    frame = launches({}, {}).with_columns(
        dram_bytes_source=pl.Series(
            ["counter", "cycles"], dtype=pl.Enum(["counter", "rate", "cycles", "opcodes", "instructions", "pipe", "l2_miss"])
        )
    )

    assert groups.group(frame)["dram_bytes_source"].to_list() == ["cycles"]


def test_the_ridge_of_a_group_is_that_of_the_path_which_did_most_of_its_work() -> None:
    row = groups.group(
        launches(
            {"flops": 1e9, "path": "bf16", "ridge": 200.0, "seconds": 1e-5},
            {"flops": 1e3, "path": "fp32", "ridge": 13.0, "seconds": 5e-5, "name": "prepare"},
        ),
        "role",
    ).row(0, named=True)

    # a mean over time would be (200 x 10 + 13 x 50) / 60 = 44, the ridge of nothing
    assert (row["path"], row["ridge"]) == ("bf16", 200.0)
