"""Sums, means and quotients: what is unknown stays unknown, and zero is zero."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.sums import share, total, weighted


def test_a_mean_over_time_leaves_out_what_lacks_either() -> None:
    frame = pl.DataFrame({"value": [10.0, 20.0, None, 99.0], "seconds": [1.0, 3.0, 5.0, None]})
    assert weighted(frame, pl.col("value")) == 17.5  # (10 x 1 + 20 x 3) / 4
    assert weighted(frame.head(1), pl.col("value") * 0) == 0.0
    assert weighted(frame.tail(2), pl.col("value")) is None


def test_a_total_of_nothing_known_is_unknown() -> None:
    assert total(pl.DataFrame({"value": [1.0, None, 2.0]}), "value") == 3.0
    assert total(pl.DataFrame({"value": [0.0]}), "value") == 0.0
    assert total(pl.DataFrame({"value": [None]}, schema={"value": pl.Float64}), "value") is None


def test_a_share_is_of_a_total_that_is_there() -> None:
    frame = pl.DataFrame({"side": ["a", "b", None], "seconds": [1.0, 2.0, 1.0]})
    assert share(frame, pl.col("side") == "a", "seconds") == 0.25
    assert share(frame.head(0), pl.col("side") == "a", "seconds") is None
    assert share(frame.with_columns(seconds=pl.lit(0.0)), pl.col("side") == "a", "seconds") is None
