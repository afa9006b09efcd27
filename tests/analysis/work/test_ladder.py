"""Ladders: the first rung whose counters were all measured."""

import polars as pl
import pytest

from ncu_roofline.analysis.work import ladder
from ncu_roofline.knowledge import counters
from tests.kernels import launch, launches


def value(frame: pl.DataFrame, expression: pl.Expr) -> list[float | None]:
    return frame.select(expression.alias("x"))["x"].to_list()


def test_the_first_counter_of_each_launch_counts() -> None:
    frame = launches(launch(m={"a": 1.0, "b": 2.0}), launch(m={"b": 3.0}), launch())
    assert value(frame, ladder.measured(frame, ["nothing", "a", "b"])) == [1.0, 3.0, None]
    assert value(frame, ladder.measured(frame, ["nothing"])) == [None]


def test_a_sum_is_unknown_where_a_part_is_and_where_there_are_none() -> None:
    frame = launches(launch(m={"a": 1.0, "b": 2.0}), launch(m={"b": 3.0}))
    assert value(frame, ladder.added([pl.col("m:a"), pl.col("m:b")])) == [3.0, None]
    assert value(frame, ladder.added([])) == [None]


def test_a_rung_is_a_sum_times_its_factor_and_per_second_times_the_duration() -> None:
    frame = launches(launch(seconds=0.5, m={"a": 1.0, "b": 2.0}))
    one = ladder.rung(frame, {"sum": ["a", "b"]})
    assert one is not None
    assert value(frame, one) == [3.0]
    factored = ladder.rung(frame, {"sum": ["a", "b"], "factor": 4})
    assert factored is not None
    assert value(frame, factored) == [12.0]
    rate = ladder.rung(frame, {"sum": ["a", "b"], "factor": 4, "per": "second"})
    assert rate is not None
    assert value(frame, rate) == [6.0]


def test_a_rung_of_which_a_counter_was_never_collected_does_not_exist() -> None:
    frame = launches(launch(m={"a": 1.0}))
    assert ladder.rung(frame, {"sum": ["a", "b"]}) is None


def test_the_first_known_rung_is_taken_and_named() -> None:
    frame = pl.DataFrame({"exact": [1.0, None, None], "rough": [10.0, 20.0, None]})
    rungs = [("counter", pl.col("exact")), ("rate", pl.col("rough"))]
    found = frame.select(ladder.climb("x", rungs))
    assert found["x"].to_list() == [1.0, 20.0, None]
    assert found["x_source"].to_list() == ["counter", "rate", None]


def test_without_rungs_a_column_is_unknown() -> None:
    found = pl.DataFrame({"a": [1]}).select(ladder.climb("x", []))
    assert found.row(0) == (None, None)


def test_the_rungs_of_a_column_are_those_of_the_table_that_the_capture_has() -> None:
    frame = launches(launch(m={"dram__bytes_read.sum": 1.0, "dram__bytes_write.sum": 2.0}))
    found = ladder.rungs(frame, "dram_bytes")
    assert [source for source, _ in found] == ["counter"]
    assert value(frame, found[0][1]) == [3.0]
    assert ladder.rungs(launches(launch()), "dram_bytes") == []


CYCLES = counters.table()["clocks"]["sm_cycles"][0]
LONGEST = counters.table()["clocks"]["sm_cycles_longest"][0]
CLOCK = counters.table()["clocks"]["sm"][0]


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({CYCLES: 100.0, CLOCK: 10.0, LONGEST: 7.0}, 100.0),
        ({CLOCK: 10.0, LONGEST: 7.0}, 10.0 * 0.5),
        ({LONGEST: 7.0}, 7.0),
        ({}, None),
    ],
)
def test_cycles_are_counted_else_clock_times_duration_else_the_longest(
    counters: dict[str, float], expected: float | None
) -> None:
    frame = launches(launch(seconds=0.5, m=counters))
    assert value(frame, ladder.sm_cycles(frame)) == [expected]


def test_clocks_are_as_measured() -> None:
    memory = counters.table()["clocks"]["dram"][0]
    frame = launches(launch(m={CLOCK: 10.0, memory: 20.0}))
    assert value(frame, ladder.sm_hertz(frame)) == [10.0]
    assert value(frame, ladder.dram_hertz(frame)) == [20.0]
