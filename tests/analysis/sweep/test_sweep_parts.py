"""One row of a sweep and its helpers, on captures of a few kernels stated by hand."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.sides import side
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import total, weighted
from ncu_roofline.analysis.sweep.fits import PowerLaw
from ncu_roofline.analysis.sweep.sweep import (
    Crossover,
    as_number,
    bounds,
    by_projection,
    by_role,
    crossover,
    dense,
    expected,
    intensity,
    labels,
    part,
    points,
    roof,
    row,
    sweep,
)
from ncu_roofline.errors import UnusableInput
from tests.planted import plain

FC = {"count": 2, "dram_bytes": 100.0, "flops": 800.0, "seconds": 1.0, "ridge": 16.0, "share": 0.8}
ATTEND = {
    "role": "attention",
    "count": 1,
    "dram_bytes": 50.0,
    "flops": 100.0,
    "seconds": 2.0,
    "share": 0.2,
    "limited_by": "latency",
}
NORM = {"role": "norm", "count": 1, "dram_bytes": 10.0, "flops": 0.0, "seconds": 4.0, "share": None, "limited_by": None}


def study(name: str = "plain", columns: dict[str, list[Any]] | None = None, **facts: Any) -> Study:
    """Two products, an attention, a norm."""
    taken = plain(FC, ATTEND, NORM, name=name, **facts)
    given = {"tensor_flops": [800.0, 800.0, 100.0, 0.0], **(columns or {})}
    told = [pl.Series(k, v, dtype=pl.Float64 if set(v) == {None} else None) for k, v in given.items()]
    return replace(taken, launches=taken.launches.with_columns(told))


def test_a_capture_stands_where_it_is_stated_else_where_its_run_says() -> None:
    two = [study("a", batch=4), study("b", batch=8)]
    assert labels(two, "batch", None) == [4, 8]
    assert labels(two, "batch", ["1.5", " long "]) == [1.5, "long"]
    assert labels(two, "capture", None) == ["a", "b"]
    assert labels([study(weights="fp8")], "width", None) == labels([study(weights="fp8")], "weights", None) == ["fp8"]
    assert labels([study(accepted=1.5)], "accepted", None) == [1.5]
    assert labels([study(layers_captured=(2, 8))], "layers_captured", None) == ["(2, 8)"]


@pytest.mark.parametrize(
    ("along", "values", "said"), [("batch", ["1"], "`values=`"), ("weather", None, "weather"), ("batch", None, "^b: ")]
)
def test_a_place_that_is_not_known_is_refused(along: str, values: list[str] | None, said: str) -> None:
    with pytest.raises(UnusableInput, match=said):
        labels([study("a", batch=4), study("b")], along, values)


def test_a_word_that_is_a_number_is_one() -> None:
    assert [as_number(t) for t in ("4", " 1.5 ", "1e3", "v2", "-1")] == [4.0, 1.5, "1e3", "v2", "-1"]


def test_a_row_holds_the_sums_and_intensities_of_both_families() -> None:
    taken = study(batch=4, context=7, columns={"useful_flops": [400.0, 200.0, 75.0, None]})
    found = row(4, taken, side([taken], "token").launches)
    sums = {"bytes": 260.0, "seconds": 8.0, "flops": 1700.0, "fc_bytes": 200.0, "attention_bytes": 50.0, "other_bytes": 10.0}
    assert {k: found[k] for k in sums} == sums
    assert (found["along"], found["capture"], found["batch"], found["context"]) == (4, "plain", 4, 7)
    assert (found["fc_executed_intensity"], found["fc_useful_intensity"], found["fc_dense_intensity"]) == (8.0, 3.0, None)
    assert (found["attention_executed_intensity"], found["attention_useful_intensity"]) == (2.0, 1.5)
    assert (found["cache_share"], found["ridge"], found["roof"]) == (0.25, 16.0, None)
    # 2 of the 2 x 1 + 2 seconds whose limit is known; (0.8 x 2 + 0.2 x 2) / 4
    assert (found["latency_share"], found["bandwidth_share"]) == (0.5, pytest.approx(0.5))
    assert (found["fc_seconds"], found["attention_seconds"]) == (2.0, 2.0)
    assert (found["attention_low"], found["attention_high"]) == (None, None)


def test_dense_products_stream_a_known_matrix_and_no_experts() -> None:
    taken = study(columns={"projection": ["q", "w1", "k", None], "experts_read": [None, 4.0, None, None]})
    fc = taken.launches.filter(pl.col("family").cast(pl.String) == "fc")
    assert dense(taken, fc)["index"].to_list() == [0]
    assert dense(study(), fc).is_empty()


def test_the_roof_is_at_the_clocks_of_the_capture_else_of_the_datasheet() -> None:
    datasheet = {"bandwidth": [9.0] * 4}
    assert roof(study(columns={**datasheet, "bandwidth_at_clock": [5.0, 6.0, 7.0, 6.5]})) == 7.0
    assert roof(study(columns=datasheet)) == 9.0
    assert roof(study(columns={"bandwidth": [None] * 4})) is None
    assert roof(study()) is None


def test_attention_lies_between_the_least_and_the_most_of_its_bounds() -> None:
    given = {"useful_intensity_low": [9.0, 9.0, 2.0, 0.0], "useful_intensity_high": [99.0, 99.0, 32.0, 99.0]}
    assert bounds(study(columns=given)) == {"attention_low": 2.0, "attention_high": 32.0}
    nothing = {"attention_low": None, "attention_high": None}
    assert bounds(study()) == nothing


def rows(**columns: list[Any]) -> pl.DataFrame:
    text = {"limited_by"}
    return pl.DataFrame(columns, schema={k: pl.String if k in text else pl.Float64 for k in columns})


def test_a_total_of_nothing_known_is_unknown() -> None:
    assert total(rows(bytes=[1.0, None, 2.0]), "bytes") == 3.0
    assert total(rows(bytes=[0.0]), "bytes") == 0.0
    assert total(rows(bytes=[None]), "bytes") is None


def test_an_intensity_is_of_launches_that_have_both() -> None:
    frame = rows(bytes=[10.0, 30.0, None], flops=[20.0, 100.0, 900.0])
    assert intensity(frame, "flops") == 3.0
    assert intensity(rows(bytes=[None], flops=[1.0]), "flops") is None
    assert intensity(rows(bytes=[0.0], flops=[1.0]), "flops") is None


def test_an_intensity_is_unknown_where_more_than_a_twentieth_of_the_bytes_lacks_its_work() -> None:
    lacking: dict[str, list[Any]] = {"useful_flops": [40.0, None], "flops": [40.0, 1.0]}
    assert intensity(rows(bytes=[19.0, 1.0], **lacking), "useful_flops") == pytest.approx(40 / 19)
    assert intensity(rows(bytes=[18.0, 1.0], **lacking), "useful_flops") is None
    assert intensity(rows(bytes=[18.0, 1.0], useful_flops=[40.0, None], flops=[40.0, None]), "useful_flops") is None
    # what did no work lacks none
    assert intensity(rows(bytes=[18.0, 1.0], useful_flops=[36.0, None], flops=[40.0, 0.0]), "useful_flops") == 2.0


def test_a_mean_is_weighed_by_what_is_known_of_both() -> None:
    frame = rows(ridge=[2.0, 4.0, None, 9.0], bytes=[1.0, 3.0, 5.0, None], seconds=[1.0, 1.0, 1.0, 1.0])
    assert weighted(frame, "ridge", "bytes") == 3.5
    assert weighted(frame, "ridge") == 5.0
    assert weighted(rows(ridge=[None], bytes=[1.0]), "ridge", "bytes") is None
    assert weighted(rows(ridge=[2.0], bytes=[0.0]), "ridge", "bytes") is None


def test_a_part_needs_both_and_something_to_divide_by() -> None:
    assert part(1.0, 4.0) == 0.25
    assert part(0.0, 4.0) == 0.0
    assert part(None, 4.0) is part(1.0, None) is part(1.0, 0.0) is None


def test_points_have_a_number_and_a_value() -> None:
    frame = pl.DataFrame({"along": [1, 2, 4], "y": [3.0, None, 5.0]})
    assert points(frame, "y") == [(1.0, 3.0), (4.0, 5.0)]
    assert points(frame.with_columns(along=pl.Series(["a", "b", "c"])), "y") == []


def placed(*places: Any, **options: Any) -> list[tuple[Any, Study, pl.DataFrame]]:
    taken = study(**options)
    return [(place, taken, side([taken], "token").launches) for place in places]


def test_bytes_of_roles_stand_by_place_and_size() -> None:
    assert by_role(placed(2, 1)).rows() == [
        (1, "fc", 200.0),
        (1, "attention", 50.0),
        (1, "norm", 10.0),
        (2, "fc", 200.0),
        (2, "attention", 50.0),
        (2, "norm", 10.0),
    ]


def test_each_matrix_has_the_intensity_of_its_launches_that_moved_and_worked() -> None:
    given = {"projection": ["q", "q", "o", None], "useful_flops": [300.0, 100.0, 75.0, 9.0]}
    assert by_projection(placed(4, columns=given)).rows() == [(4, "o", 1.5), (4, "q", 2.0)]
    idle = {**given, "useful_flops": [300.0, 0.0, None, 9.0]}
    assert by_projection(placed(4, columns=idle)).rows() == [(4, "q", 3.0)]
    still = {**given, "dram_bytes": [0.0, 0.5, 1.0, 1.0], "useful_flops": [300.0, 1.0, 1.0, 9.0]}
    assert by_projection(placed(4, columns=still)).rows() == [(4, "o", 1.0), (4, "q", 2.0)]


def test_without_a_model_no_matrix_has_a_row() -> None:
    found = by_projection(placed(4))
    assert found.is_empty()
    assert found.columns == ["along", "projection", "useful_intensity"]


def test_the_slope_to_expect_is_two_flops_per_byte_of_a_weight() -> None:
    assert expected([study(weights="bf16"), study(weights="bf16")]) == 1.0
    assert expected([study(weights="fp8")]) == 2.0
    assert expected([study(weights="bf16"), study(weights="fp8")]) is None
    assert expected([study()]) is None


def crossed(*shares: float | None, fit: PowerLaw | None = None, measure: str = "useful") -> Crossover:
    """Batches 1, 4, 16 ... whose FC stands at these shares of a ridge of 10."""
    count = len(shares)
    values = [None if s is None else 10 * s for s in shares]
    column = pl.Series(f"fc_{measure}_intensity", values, dtype=pl.Float64)
    frame = pl.DataFrame({"along": [4**n for n in range(count)], "ridge": [10.0] * count}).with_columns(column)
    return crossover(frame, measure, fit)


def law(exponent: float) -> PowerLaw:
    return PowerLaw(exponent=exponent, exponent_low=None, exponent_high=None, factor=1.0, points=2)


def test_a_crossing_lies_where_the_line_between_two_captures_meets_the_ridge() -> None:
    # half and twice the ridge: in the middle of the logarithms, at batch 2
    found = crossed(0.5, 2.0, 3.0)
    assert (found.low, found.high, found.reached, found.share) == (1.0, 4.0, True, 3.0)
    assert found.estimate == pytest.approx(sqrt(1 * 4))
    # a quarter and twice: two thirds of the way from 4 to 16
    assert crossed(0.1, 0.25, 2.0).estimate == pytest.approx(4 * 4 ** (2 / 3))


def test_a_capture_on_the_ridge_has_reached_it() -> None:
    found = crossed(0.5, 1.0)
    assert (found.low, found.high, found.reached, found.estimate) == (1.0, 4.0, True, pytest.approx(4.0))
    assert crossed(1.0, 2.0) == Crossover(high=1.0, reached=True, share=2.0)


def test_a_ridge_that_is_not_reached_is_estimated_by_the_fit() -> None:
    # half of the ridge at batch 4, growing as the square root: four times the batch
    assert (found := crossed(0.25, 0.5, fit=law(0.5))).estimate == pytest.approx(16.0)
    assert replace(found, estimate=16.0) == Crossover(low=4.0, estimate=16.0, share=0.5)
    assert crossed(0.25, 0.5).estimate is None
    assert crossed(0.25, 0.5, fit=law(0.1)).estimate is None
    assert crossed(0.25, 0.5, fit=law(0.5), measure="executed").estimate is None


def test_captures_without_intensity_or_ridge_tell_no_crossing() -> None:
    assert crossed(None, None) == Crossover()
    assert crossed(None, 2.0) == Crossover(high=4.0, reached=True, share=2.0)
    frame = pl.DataFrame({"along": [1, 4], "ridge": [None, 0.0], "fc_useful_intensity": [5.0, 5.0]})
    assert crossover(frame, "useful", None) == Crossover()
    assert crossover(frame.with_columns(ridge=pl.Series([0.5, 0.5])), "useful", None).reached


def test_a_crossing_that_is_not_looked_for_is_not_reached() -> None:
    assert Crossover() == Crossover(low=None, high=None, estimate=None, reached=False, share=None)


def batch(size: int, **columns: list[Any]) -> Study:
    """FC and attention whose useful work grows with the batch."""
    useful: dict[str, list[Any]] = {"useful_flops": [100.0 * size, 100.0 * size, 75.0, None]}
    return study(f"b{size}", batch=size, weights="bf16", columns=useful | columns)


def test_a_sweep_along_the_batch_fits_both_families() -> None:
    found = sweep([batch(8), batch(2), batch(4)])
    assert (found.along, found.numeric, found.basis, found.fc_measure) == ("batch", True, "token", "useful")
    assert found.rows["along"].to_list() == [2, 4, 8]
    assert found.fc is not None and found.fc_slope is not None and found.attention is not None
    # 100 FLOPs a sequence for 100 bytes: one FLOP per byte and sequence, the ridge of 16 at batch 16
    assert (found.fc.exponent, found.fc_slope.value, found.attention.exponent) == pytest.approx((1.0, 1.0, 0.0))
    assert (found.fc_expected, found.crossover.reached, found.crossover.estimate) == (1.0, False, pytest.approx(16.0))


def test_matrices_read_whole_come_before_useful_and_executed_work() -> None:
    known: dict[str, list[Any]] = {"projection": ["q", None, None, None], "experts_read": [None] * 4}
    assert sweep([batch(2, **known), batch(4, **known)]).fc_measure == "dense"
    assert sweep([batch(2, **known), batch(4)]).fc_measure == "useful"
    assert sweep([study(batch=2), study(batch=4)]).fc_measure == "executed"


def test_along_anything_else_no_slope_and_no_crossing_are_looked_for() -> None:
    found = sweep([batch(2), batch(4)], "context", ["10", "20"])
    assert (found.numeric, found.fc_slope, found.fc_expected, found.crossover) == (True, None, None, Crossover())
    assert found.fc is not None and found.attention is not None
    words = sweep([batch(2), batch(4)], "engine", ["x", "y"])
    assert (words.numeric, words.fc, words.attention) == (False, None, None)
    named_batch = sweep([batch(2), batch(4)], "batch", ["small", "large"])
    assert (named_batch.numeric, named_batch.crossover, named_batch.fc_slope) == (False, Crossover(), None)


def test_attention_is_fitted_by_executed_work_where_useful_is_unknown() -> None:
    found = sweep([study(batch=2), study(batch=4)])
    assert found.attention is not None
    assert found.attention.factor == pytest.approx(2.0)  # 100 FLOPs for 50 bytes
    useful = sweep([batch(2), batch(4)])
    assert useful.attention is not None and useful.attention.factor == pytest.approx(1.5)


def test_nothing_is_no_sweep() -> None:
    with pytest.raises(UnusableInput, match="none was named"):
        sweep([])
