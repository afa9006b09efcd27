"""What to fix first, and what would help it."""

from __future__ import annotations

import polars as pl
import pytest

from ncu_roofline.analysis.roofline.gains import fix_first


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
