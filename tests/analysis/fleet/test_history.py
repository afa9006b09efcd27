"""Histories of a made-up fleet: the planted changes by commit, role and size, and the last point by a comparison's rules."""

from __future__ import annotations

import polars as pl
import pytest

from ncu_roofline.analysis.compare import gate
from ncu_roofline.analysis.fleet.history import Story, history, line, outcome
from ncu_roofline.analysis.fleet.series import of_kernels, series
from tests.analysis.fleet.fleets import Planted, grown, one

PLANTED: Planted = {50: ("fc", "bytes", 0.02), 100: ("attention", "bytes", 0.05), 150: ("fc", "seconds", 0.10)}


def only(stories: list[Story]) -> Story:
    (story,) = stories
    return story


@pytest.fixture(scope="module")
def story() -> Story:
    return only(history(grown(200, PLANTED)))


def test_200_commits_tell_the_three_changes_and_their_roles(story: Story) -> None:
    found = [(c.commit, c.metric, c.role) for c in story.changes]

    assert found == [
        ("c0050", "bytes_per_token", "fc"),
        ("c0100", "bytes_per_token", "attention"),
        ("c0150", "seconds_per_token", "fc"),
    ]
    assert [c.relative for c in story.changes] == [pytest.approx(part, abs=0.01) for _, _, part in PLANTED.values()]


def test_no_drift_of_20_fleets_is_a_change() -> None:
    alarms = [c for seed in range(20) for c in only(history(grown(60, {}, seed=seed))).changes]

    assert alarms == []


def test_the_level_parts_at_a_change_and_most_points_lie_in_the_band(story: Story) -> None:
    rows = story.trends["bytes_per_token"]
    inside = rows.select(pl.col("value").is_between("low", "high").mean()).item()
    jump = rows["level"][50] - rows["level"][49]

    assert inside >= 0.95
    assert jump == pytest.approx(0.02 * one().filter(pl.col("role") == "fc")["bytes"].item() / 8, rel=0.05)


def test_the_last_point_is_judged_by_the_rules_of_a_comparison(story: Story) -> None:
    grew = only(history(grown(60, {59: ("fc", "bytes", 0.05)})))
    slower = only(history(grown(60, {59: ("fc", "seconds", 0.08)}, drift=0.0)))

    assert story.judged is not None and (story.judged.verdict, story.against) == ("no_change", 20)
    assert grew.judged is not None and grew.judged.verdict == "moves_more"
    assert grew.judged.bytes.part == pytest.approx(0.05 * 0.9086, abs=0.003)  # fc is 2,883.6 of 3,173.8 MB
    assert slower.judged is not None and slower.judged.verdict == "same_bytes_slower"


def test_a_gate_fails_where_the_last_commit_grew_and_says_so_of_a_role() -> None:
    grew = only(history(grown(60, {59: ("fc", "bytes", 0.05)})))
    rules = gate.rules(["bytes_per_token > +2%", "bytes_per_token[attention] > +2%"])
    words = [outcome(grew, rule).word for rule in rules]
    first = only(history(one()))

    assert words == [gate.FAIL, gate.PASS]
    assert outcome(first, gate.rule("bytes_per_token > +2%")).why == "first"


def test_captures_of_one_commit_are_one_point_at_their_mean() -> None:
    twice = [grown(2, {}, noise=0.0, drift=0.0), grown(2, {0: ("fc", "bytes", 0.02)}, noise=0.0, drift=0.0)]
    runs = pl.concat([twice[0], twice[1].with_columns(id=pl.lit("b") + pl.col("id"))])
    (found,) = series(runs)

    assert found.points["captures"].to_list() == [2, 2]
    fc = found.rows.filter((pl.col("role") == "fc") & (pl.col("point") == 0))["bytes"].item()
    assert fc == pytest.approx(1.01 * one().filter(pl.col("role") == "fc")["bytes"].item() / 8)


def test_batches_are_series_of_their_own_and_contexts_that_counters_tell_are_not() -> None:
    runs = grown(12, {})
    number = pl.col("commit").str.slice(1).cast(pl.Int64)
    parted = history(runs.with_columns(batch=pl.when(number < 4).then(1).otherwise(8)))
    inferred = only(history(runs.with_columns(context=2000 + 100 * number)))
    told = history(runs.with_columns(context=2000 + 4 * number + 1000 * (number // 6), inferred=pl.lit("batch")))

    assert sorted((s.series.workload["batch"], s.series.points.height) for s in parted) == [(1, 4), (8, 8)]
    assert inferred.series.workload["context"] is None and len(inferred.varied["inferred_context"]) == 12
    assert sorted(s.series.workload["context"] for s in told) == [2000, 3024]


def test_facts_that_vary_unnoticed_are_named() -> None:
    runs = grown(8, {}).with_columns(
        driver=pl.when(pl.col("commit") < "c0004").then(pl.lit("580.1")).otherwise(pl.lit("590.2"))
    )

    assert only(history(runs)).varied == {"driver": ["580.1", "590.2"]}


def test_a_role_of_which_much_was_not_measured_has_no_number_and_the_whole_has_none() -> None:
    fc = pl.col("role") == "fc"
    runs = one().with_columns(
        bytes=pl.when(~fc).then("bytes"), bytes_lacking=pl.when(fc).then("seconds").otherwise("bytes_lacking")
    )
    (found,) = series(runs)

    known = dict(found.rows.select("role", "bytes").iter_rows())
    assert (known["fc"], known["all"]) == (None, None)
    assert known["attention"] == pytest.approx(286_279_936 / 8)


def test_kernels_are_followed_by_what_their_launches_share() -> None:
    import ncu_roofline as nr
    from tests.analysis.fleet.fleets import DENSE

    rows = nr.ingest(DENSE, meta={"commit": "a"})
    assert rows.launches is not None
    launches = rows.launches.with_columns(date=pl.lit("2026-11-27"))
    told = only(history(of_kernels(rows.runs, launches.lazy())))
    whole = told.trends["bytes_per_token"]["value"].to_list()

    assert whole == [pytest.approx(rows.runs["bytes"].sum() / 8)]
    assert told.series.rows["role"].n_unique() == launches["kernel"].n_unique() + 1


def test_a_line_is_the_one_by_hand() -> None:
    # 1, 2, 3, 4 at 0 to 3: at place 5 it is 6, of variance 1/4 + 3.5² / 5
    assert line([(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)], 5) == (pytest.approx(6.0), pytest.approx(0.25 + 3.5**2 / 5))
    assert line([(0, 1.0), (1, 2.0)], 5) == (1.5, 0.5)
