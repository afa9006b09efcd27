"""Waterfall and before/after: bars that add up, arrows at the places of the kernels; the bundle of a pair."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.cli import main
from ncu_roofline.present.charts.compare import steps, waterfall
from ncu_roofline.present.charts.moves import arrows, draw
from ncu_roofline.readers import saved
from tests import planted, synthetic
from tests.planted import plain


def fp8() -> Comparison:
    return compare([planted.study(batch=8, layers=4)], [planted.study(batch=8, layers=4, weights="fp8")])


def test_the_waterfall_steps_from_the_base_to_the_head() -> None:
    comparison = compare(
        [plain({"dram_bytes": 1e8}, {"kernel": "fa", "role": "attention", "dram_bytes": 3e7})],
        [plain({"dram_bytes": 5e7}, {"kernel": "fa", "role": "attention", "dram_bytes": 4e7})],
    )
    # 4 launches each: 400 + 120 MB; -200 MB of FC; +40 MB of attention; 360 MB
    assert steps(comparison).select("place", "start", "end", "kind").rows() == [
        ("base", 0.0, 5.2e8, "whole"),
        ("FC", 5.2e8, 3.2e8, "less"),
        ("attention", 3.2e8, 3.6e8, "more"),
        ("head", 0.0, 3.6e8, "whole"),
    ]


def test_each_step_begins_where_the_last_one_ended_and_the_last_at_the_head() -> None:
    bars = steps(fp8())
    inner = bars.filter(pl.col("kind") != "whole")
    ends = [bars["end"][0], *inner["end"]]
    assert [*inner["start"], bars["end"][-1]] == pytest.approx(ends, rel=1e-4)


def test_arrows_go_from_the_old_intensity_to_the_new_one() -> None:
    ways = arrows(fp8())
    fc = ways.filter(pl.col("what") == "renamed")
    assert fc.height == 4 and ways["useful"].all()
    # 8 sequences: 2 x 8 / 2 bytes, then 2 x 8 / 1 byte
    assert fc["x"].to_list() == pytest.approx([8.0] * 4, rel=0.03)
    assert fc["x2"].to_list() == pytest.approx([16.0] * 4, rel=0.03)


def test_executed_work_is_said_to_be_executed() -> None:
    ways = compare([plain({})], [plain({"dram_bytes": 5e7})])
    assert not arrows(ways)["useful"].any()
    assert "Executed work" in json.dumps(draw(ways).to_dict())


def test_charts_are_valid_where_nothing_has_a_place() -> None:
    empty = compare([plain({"flops": None})], [plain({"flops": None})])
    for chart in (draw(empty), waterfall(empty)):
        json.dumps(chart.to_dict(), allow_nan=False)
    assert "No kernel has bytes" in json.dumps(draw(empty).to_dict())


def test_a_report_of_two_captures_is_a_comparison(tmp_path: Path) -> None:
    pair = [str(tmp_path / name) for name in ("base.parquet", "head.parquet")]
    for path, options in zip(pair, ({}, {"weights": "int4", "seed": 1}), strict=True):
        Path(path).write_bytes(saved.packed(synthetic.capture(layers=2, **options)))
    main_code(["report", *pair, "-o", str(tmp_path / "out")], 0)
    written = {p.name for p in (tmp_path / "out").iterdir()}
    assert written >= {
        "comment.md",
        "index.html",
        "summary.json",
        "waterfall-light.png",
        "before-after-dark.png",
        "kernels.csv",
    }
    comment = (tmp_path / "out" / "comment.md").read_text()
    assert comment.startswith("### Cuts bytes: ")
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["verdict"] == "cuts_bytes"


def test_a_report_of_a_pair_that_is_not_comparable_holds_words_only_and_exits_4(tmp_path: Path) -> None:
    pair = [str(tmp_path / name) for name in ("base.parquet", "head.parquet")]
    for path, cache in zip(pair, ("all", "none"), strict=True):
        Path(path).write_bytes(saved.packed(synthetic.capture(layers=2, cache=cache)))
    main_code(["report", *pair, "-o", str(tmp_path / "out")], 4)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"comment.md", "summary.json"}


def main_code(arguments: list[str], expected: int) -> None:
    """Runs the command line and checks its exit code."""
    code: Any = 0
    try:
        main(arguments)
    except SystemExit as end:
        code = end.code or 0
    assert code == expected
