"""Where a group's mark stands, and the shares that say what a picture rests on."""

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.roofline.picture import known_time, l2_intensity, latency_time, picture, place, placed
from ncu_roofline.capture.capture import Capture, Device, Run
from ncu_roofline.knowledge.limits import THRESHOLDS
from tests import planted
from tests.kernels import h100

MARK: dict[str, Any] = {
    "seconds": 2.0,
    "dram_bytes": 10.0,
    "flops": 100.0,
    "tensor_flops": 0.0,
    "flops_complete": True,
    "intensity": 10.0,
    "useful_intensity": None,
    "padding": None,
    "flops_per_second": 50.0,
    "useful_flops_per_second": None,
}
NUMBERS = {name: pl.Float64 for name in MARK if name != "flops_complete"}


def mark(**given: Any) -> pl.DataFrame:
    return pl.DataFrame([{**MARK, **given}], schema_overrides=NUMBERS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"useful_intensity": 5.0}, "useful"),
        ({"useful_intensity": THRESHOLDS.least_intensity}, "useful"),
        ({"useful_intensity": THRESHOLDS.least_intensity / 2}, "counted"),
        ({"useful_intensity": 5.0, "tensor_flops": 50.0}, "useful"),
        ({}, "counted"),
        ({"tensor_flops": None}, "counted"),
        ({"tensor_flops": 0.5}, "upper"),
        ({"tensor_flops": 0.5, "flops_complete": False}, "upper"),
        ({"flops_complete": False}, "partial"),
        ({"intensity": THRESHOLDS.least_intensity}, "counted"),
        ({"intensity": THRESHOLDS.least_intensity / 2}, "bytes"),
        ({"flops": 0.0, "intensity": 0.0}, "bytes"),
        ({"flops": 0.0, "intensity": None}, "bytes"),
        ({"flops": None, "intensity": None}, "bytes"),
        ({"flops": None, "intensity": None, "tensor_flops": 0.5}, "bytes"),
        ({"intensity": None, "tensor_flops": None}, "flops"),
        ({"dram_bytes": 0.5, "seconds": 0.5}, "counted"),
        ({"dram_bytes": 0.0, "intensity": None}, "flops"),
        ({"dram_bytes": 0.0, "intensity": None, "tensor_flops": 0.5, "useful_intensity": 5.0}, "flops"),
        ({"dram_bytes": None, "intensity": None, "flops": 0.5, "seconds": 0.5}, "flops"),
        ({"dram_bytes": None, "intensity": None, "flops": 0.0}, "nowhere"),
        ({"dram_bytes": None, "intensity": None, "flops": None}, "nowhere"),
        ({"seconds": 0.0, "tensor_flops": 0.5, "useful_intensity": 5.0}, "nowhere"),
        ({"seconds": 0.0, "flops": 0.0}, "nowhere"),
        ({"seconds": None}, "nowhere"),
    ],
)
def test_a_mark_stands_on_the_best_that_is_known_of_it(given: dict[str, Any], expected: str) -> None:
    assert mark(**given).select(place()).item() == expected


def coordinates(**given: Any) -> tuple[float | None, ...]:
    return placed(mark(**given)).select("x", "y", "executed_x", "executed_y", "bytes_per_second").row(0)


@pytest.mark.parametrize("given", [{}, {"tensor_flops": 1.0}, {"flops_complete": False}])
def test_executed_work_has_its_own_intensity_and_rate(given: dict[str, Any]) -> None:
    assert coordinates(**given) == (10.0, 50.0, None, None, 5.0)


def test_useful_work_stands_beside_executed_work_where_tiles_are_padded() -> None:
    useful = {"useful_intensity": 4.0, "useful_flops_per_second": 20.0}
    assert coordinates(**useful, padding=2.5) == (4.0, 20.0, 10.0, 50.0, 5.0)
    assert coordinates(**useful, padding=1.03) == (4.0, 20.0, 10.0, 50.0, 5.0)
    assert coordinates(**useful, padding=1.02) == (4.0, 20.0, None, None, 5.0)
    assert coordinates(padding=2.5) == (10.0, 50.0, None, None, 5.0)


def test_a_mark_without_bytes_has_a_rate_and_one_without_work_has_bytes_only() -> None:
    assert coordinates(dram_bytes=None, intensity=None) == (None, 50.0, None, None, None)
    assert coordinates(flops=0.0, intensity=0.0) == (None, None, None, None, 5.0)
    assert coordinates(seconds=0.5) == (10.0, 50.0, None, None, 20.0)
    assert coordinates(seconds=0.0) == (None, None, None, None, None)


def test_l2_intensity_is_the_marks_work_over_its_l2_bytes() -> None:
    frame = pl.DataFrame(
        {
            "x": [8.0, 8.0, 8.0, 8.0, 8.0],
            "dram_bytes": [2.0] * 5,
            "l2_bytes": [4.0, 4.0, 4.0, 0.0, 0.5],
            "dram_bytes_unknown": [0, 1, 0, 0, 0],
            "l2_bytes_unknown": [0, 0, 1, 0, 0],
        }
    )
    assert frame.select(l2_intensity()).to_series().to_list() == [8 * 2 / 4, None, None, None, 8 * 2 / 0.5]


def limits(seconds: list[float | None], limited_by: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"seconds": seconds, "limited_by": limited_by}, schema={"seconds": pl.Float64, "limited_by": pl.String})


def test_the_known_part_of_time_is_a_share_of_all_of_it() -> None:
    assert known_time(limits([0.25, 0.75], ["memory", None]), "limited_by") == 0.25
    assert known_time(limits([1.0], [None]), "limited_by") == 0.0
    assert known_time(limits([None], ["memory"]), "limited_by") == 0.0


def test_time_at_neither_roof_is_a_share_of_the_time_whose_limit_is_known() -> None:
    assert latency_time(limits([0.25, 0.5, 0.25], ["latency", "memory", None])) == pytest.approx(0.25 / 0.75)
    assert latency_time(limits([0.25, 0.25], ["memory", "compute"])) == 0.0
    assert latency_time(limits([0.25, 0.25], ["latency", None])) == 1.0
    assert latency_time(limits([0.25, 0.5], ["latency", None])) is None


def study(**columns: list[Any]) -> Any:
    base = planted.study(batch=1, layers=1).launches.head(2)
    frame = base.with_columns(**{name: pl.Series(values, dtype=base.schema[name]) for name, values in columns.items()})
    capture = Capture(launches=frame, device=Device(name="seen"), name="small")
    return SimpleNamespace(capture=capture, launches=frame, gpu=h100(), run=Run(), ceiling=None, model=None)


def test_marks_are_sized_by_bytes_where_they_are_known_of_half_the_time() -> None:
    half = picture(study(seconds=[0.5, 0.5], dram_bytes=[10.0, None]))
    assert half.size_by == "bytes"
    assert half.marks["share"].drop_nulls().to_list() == [1.0]
    less = picture(study(seconds=[0.4, 0.6], dram_bytes=[10.0, None]))
    assert less.size_by == "time"
    assert sorted(less.marks["share"].to_list()) == pytest.approx([0.4, 0.6])
    assert picture(study(dram_bytes=[None, None])).size_by == "time"


def test_a_picture_says_what_it_is_of() -> None:
    found = picture(study(seconds=[0.5, 0.25]))
    assert (found.device, found.name, found.launches, found.seconds) == (h100().product, "small", 2, 0.75)
    assert (found.by, found.levels) == ("kernel", ("dram",))
    unknown = study()
    unknown.gpu = None
    assert picture(unknown).device == "seen"


def test_the_ridge_is_the_captures_unless_asked_or_there_is_none() -> None:
    assert picture(study()).ridge == "capture"
    assert picture(study(), ridge="spec").ridge == "datasheet"
    unclocked = study()
    bare = unclocked.launches.select(pl.exclude("^m:.*$")).with_columns(
        pl.lit(None, pl.Float64).alias(c) for c in ("peak_at_clock", "bandwidth_at_clock")
    )
    unclocked.launches = bare
    assert picture(unclocked).ridge == "datasheet"


def test_l2_is_drawn_only_where_asked_for() -> None:
    counted = study(dram_bytes=[10.0, 10.0], l2_bytes=[20.0, 20.0])
    assert picture(counted).marks["l2_x"].null_count() == picture(counted).marks.height
    asked = picture(counted, levels=("dram", "l2")).marks
    placed_marks = asked.filter(pl.col("x").is_not_null())
    assert placed_marks["l2_x"].to_list() == pytest.approx((placed_marks["x"] / 2).to_list())
    assert placed_marks.height


def test_an_empty_capture_is_sized_by_time() -> None:
    empty = study()
    empty.launches = empty.launches.clear()
    assert picture(empty).size_by == "time"
