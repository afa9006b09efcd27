"""The chart of a history: a panel a metric, its change points marked, valid Vega-Lite."""

from __future__ import annotations

import json
import re

import polars as pl

from ncu_roofline.analysis.fleet.history import history
from ncu_roofline.present.charts.export import written
from ncu_roofline.present.charts.history import draw
from tests.analysis.fleet.fleets import grown


def test_a_panel_has_points_level_band_and_a_mark_at_each_change() -> None:
    chart = draw(history(grown(30, {12: ("fc", "bytes", 0.05)})))
    spec = json.loads(written(chart, "json"))
    chart.to_dict(validate=True)

    assert [len(panel["layer"]) for panel in spec["vconcat"]] == [5, 3]  # a rule and its word where something changed
    assert [panel["layer"][1]["encoding"]["detail"]["field"] for panel in spec["vconcat"]] == ["part", "part"]
    labels = [row["label"] for rows in spec["datasets"].values() for row in rows if "label" in row]
    assert labels and all(label.startswith("c0012: fc +5.0 %") for label in labels)


def test_a_series_of_one_point_is_drawn_and_says_that_it_needs_two() -> None:
    spec = json.loads(written(draw(history(grown(1, {}))), "json"))

    assert "a history needs two" in " ".join(spec["vconcat"][0]["title"]["subtitle"])
    assert spec["vconcat"][0]["layer"][0]["encoding"]["x"]["axis"]["values"] == [0]


def test_numbers_of_an_axis_stand_with_their_unit() -> None:
    svg = written(draw(history(grown(12, {}))), "svg").decode()

    assert re.search(r">\d+ [kMG]B<", svg) and re.search(r">\d+ [µm]?s<", svg)
    assert not re.search(r">\d+[kMGµm]<", svg)


def test_series_that_were_measured_in_two_ways_have_two_names() -> None:
    how = {"caches all": "caches flushed", "caches none": ""}
    runs = [grown(1, {}).with_columns(protocol=pl.lit(f"{part}, clocks none, replay kernel")) for part in how]
    spec = json.loads(written(draw(history(pl.concat(runs))), "json"))

    titles = {title for panel in spec["vconcat"] if (title := panel["title"]["text"])}
    assert len(titles) == 2 and sum(title.endswith(", caches flushed") for title in titles) == 1


def test_names_of_strangers_stay_text_that_every_form_can_hold() -> None:
    evil = "\x1b[31m<script>alert(1)</script>"
    runs = grown(12, {6: ("fc", "bytes", 0.05)}).with_columns(
        model=pl.lit(evil),
        commit=pl.lit(evil) + pl.col("commit"),
        role=pl.when(pl.col("role") == "fc").then(pl.lit(evil)).otherwise("role"),
    )
    chart = draw(history(runs))

    assert written(chart, "svg").startswith(b"<svg")
    assert b"<script>alert" not in written(chart, "svg") + written(chart, "html")
