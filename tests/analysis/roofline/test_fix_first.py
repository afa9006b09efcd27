"""What to fix first, and what would help it."""

from __future__ import annotations

import polars as pl
import pytest

from ncu_roofline.analysis.roofline.gains import fix_first, small
from ncu_roofline.present.documents.answer import mend, to_do
from ncu_roofline.present.documents.words_gain import why, with_why


def group(**columns: object) -> pl.DataFrame:
    """One kernel group."""
    row = {
        "group": 0,
        "kernel": "gemm",
        "name": "gemm",
        "grid": None,
        "role": "fc",
        "launches": 1,
        "seconds": 1e-3,
        "time_share": 0.5,
        "gain_seconds": 5e-4,
        "gain_reason": "share",
        "waves": 1.0,
        "bandwidth_share": 0.5,
        "ceiling_share": 0.5,
        "limited_by": "memory",
        "bound": "memory",
        "compute_share": 0.1,
        "padding": None,
        "fusion_bytes": None,
    }
    return pl.DataFrame([row | columns])


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({}, "memory"),
        ({"limited_by": "compute", "bound": "compute"}, "compute"),
        # tiles of 256 rows for 8 sequences: the units are busy, the work that anybody needs is left of the ridge
        ({"limited_by": "compute", "bound": "memory"}, "padding"),
        ({"limited_by": "latency"}, "latency"),
        ({"limited_by": "latency", "role": "norm", "launches": 100}, "glue"),
        # one that takes a millisecond is worth a row of its own
        ({"limited_by": "latency", "role": "norm"}, "latency"),
        # no FLOPs were counted, so no roof is told; no longer than a launch costs it is glue all the same
        ({"limited_by": None, "role": "norm", "gain_reason": "launch"}, "glue"),
        ({"limited_by": None, "gain_reason": "launch"}, "memory"),
    ],
)
def test_what_helps_follows_the_roof_and_the_side(columns: dict[str, object], why: str) -> None:
    assert fix_first(group(**columns))["why"].to_list() == [why]


UNTOLD = {"gain_seconds": None, "gain_reason": None, "bandwidth_share": None, "ceiling_share": None, "limited_by": None}


def test_a_kernel_whose_gain_is_not_known_stands_where_its_time_would_put_it() -> None:
    rows = pl.concat(
        [
            group(),
            group(group=1, kernel="untold", seconds=2e-3, **UNTOLD),
            group(group=2, kernel="short", seconds=1e-4, **UNTOLD),
        ],
        how="vertical_relaxed",
    )
    first = fix_first(rows)

    # 2 ms of which nothing is known, 0.5 ms of gain, 0.1 ms of which nothing is known
    assert first["kernel"].to_list() == ["untold", "gemm", "short"]
    assert first["why"].to_list() == ["unknown", "memory", "unknown"]
    assert first["gain_seconds"].to_list() == [None, 5e-4, None]


def test_what_is_at_its_ceiling_comes_last_and_alone_is_called_so() -> None:
    best = group(group=1, kernel="best", seconds=1e-2, gain_seconds=4e-4, gain_reason="at_ceiling")  # 4 % of ten milliseconds
    rows = pl.concat([best, group(gain_seconds=1e-4)])

    assert fix_first(rows)["kernel"].to_list() == ["gemm", "best"]
    assert to_do(fix_first(best)) == (
        "No kernel has much left to gain: best (fc) takes 50 % of the time and is at its ceiling, where only fewer bytes help."
    )


def test_without_any_known_gain_nothing_comes_first() -> None:
    assert fix_first(group(**UNTOLD)).is_empty()
    assert fix_first(group(gain_seconds=0.0, gain_reason="at_ceiling")).is_empty()


def test_what_was_not_measured_is_said_where_a_kernel_comes_first() -> None:
    (bytes_,) = fix_first(pl.concat([group(seconds=2e-3, **UNTOLD), group(group=1)], how="vertical_relaxed")).head(1).to_dicts()
    (work,) = [{**bytes_, "bandwidth_share": 0.2}]

    assert "what it could gain is not known, as its bytes were not measured" in to_do(pl.DataFrame([bytes_]))
    assert "as its FLOPs were not measured" in to_do(pl.DataFrame([work]))
    assert (mend(bytes_), mend(work)) == ("measure its bytes", "measure its FLOPs")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "streams at 50 % of the ceiling"),
        ({"limited_by": "latency"}, "far below both roofs"),
        ({"limited_by": "compute", "compute_share": 0.69}, "works at 69 % of the peak"),
        ({"gain_reason": "tail", "waves": 1.2}, "1.2 waves: the last is part empty"),
        ({"gain_reason": "part_wave", "waves": 0.24}, "fills 24 % of the GPU"),
        ({"gain_reason": "padding", "padding": 16.0}, "padding: 16x the useful work"),
        ({"gain_reason": "reads"}, "reads more than its matrix"),
        ({"gain_reason": "fusion", "fusion_bytes": 5e7}, "50 MB go to its neighbours through DRAM"),
        ({"gain_reason": "helper"}, "finishes a split kernel"),
        ({"gain_reason": "launch"}, "launch cost: graph or fusion"),
        (UNTOLD, "bytes not measured"),
    ],
)
def test_every_reason_is_said_alike_in_a_summary_and_in_a_list(columns: dict[str, object], said: str) -> None:
    rows = pl.concat([group(group=1, gain_seconds=9e-4), group(**columns)], how="vertical_relaxed")
    first = fix_first(rows).filter(pl.col("gain_seconds").fill_null(0) != 9e-4).row(0, named=True)

    assert why(first) == said
    assert with_why(rows)["why"][1] == said


def test_a_kernel_near_the_peak_of_arithmetic_is_told_by_that_peak() -> None:
    first = fix_first(group(limited_by="compute", bound="compute", compute_share=0.69))

    assert (
        to_do(first)
        == "First: gemm (fc) takes 50 % of the time at 69 % of the arithmetic peak, 500 µs more than at its ceiling."
    )
    assert mend(first.row(0, named=True)) == "another kernel, or fewer FLOPs"


def test_small_kernels_are_counted_by_one_rule() -> None:
    glue = group(group=1, role="norm", seconds=3e-4, gain_seconds=2.5e-4, gain_reason="launch", launches=100)
    other = group(group=2, role="copy", seconds=1e-4, gain_seconds=0.9e-4, limited_by="latency", launches=10)
    rows = pl.concat([group(), glue, other])
    (together,) = fix_first(rows).filter(pl.col("why") == "glue").to_dicts()

    counted = small(rows)
    assert (counted.launches, counted.gain) == (110, pytest.approx(3.4e-4))
    assert (together["launches"], together["gain_seconds"]) == (110, pytest.approx(3.4e-4))
