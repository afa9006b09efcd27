"""Columns of one value in captures of very many launches: the same frame, in a part of the memory."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.capture import schema
from ncu_roofline.capture.schema import thin

MIXED = pl.DataFrame(
    {
        "one": [7.0, 7.0, 7.0],
        "several": [1.0, 2.0, 1.0],
        "none": [None, None, None],
        "some": [None, 3, 3],
        "word": ["a", "a", "a"],
        "list": [["x"], ["x"], ["x"]],
    },
    schema_overrides={"none": pl.Float64, "word": pl.Enum(["a", "b"])},
)


def test_a_thinned_frame_is_the_same_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MANY", 1)
    assert_frame_equal(thin(MIXED), MIXED)


def test_only_columns_without_lists_are_compared() -> None:
    assert schema.flat(MIXED) == ["one", "several", "none", "some", "word"]
