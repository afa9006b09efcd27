"""Sweeps: fits on numbers made by hand, planted runs along batch, context and width, and the real batches."""

import json
from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sweep.fits import power_law, proportional
from ncu_roofline.analysis.sweep.sweep import crossover, sweep
from ncu_roofline.capture.capture import Fact
from ncu_roofline.cli import main
from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.charts.sweep import draw, trajectories
from ncu_roofline.present.documents.sweep import answer, document
from tests import planted
from tests.corpus import CORPUS, needs_corpus

BATCHES = (1, 4, 16, 64)
SGLANG = "gujialiang123__MOEresearch__results__2026-06-09_sglang_triton_sweep__ncu__{}__ncu_raw_full.csv"


def along_batch(*batches: int, **options: Any) -> list[Study]:
    return [planted.study(batch=b, layers=4, context=1024, **options) for b in batches]


def test_a_power_law_is_found_exactly_and_without_interval_from_two_points() -> None:
    exact = power_law([(1, 3.0), (4, 6.0), (16, 12.0)])  # 3 x^0.5
    assert exact is not None and exact.exponent_low is not None
    assert (exact.exponent, exact.factor, exact.exponent_low) == pytest.approx((0.5, 3.0, 0.5))
    two = power_law([(1, 1.0), (2, 2.0)])
    assert two is not None and two.exponent == pytest.approx(1.0) and two.exponent_low is None


def test_an_interval_is_that_of_the_residuals() -> None:
    # ln y = 0, 0.1, 0 at ln x = -1, 0, 1: slope 0, residuals -1/30, 2/30, -1/30, sum of squares 6/900, one degree of
    # freedom, spread of x 2: standard error sqrt(6/900/2) = 0.0577, times 12.706
    fit = power_law([(exp(-1), 1.0), (1.0, exp(0.1)), (exp(1), 1.0)])
    assert fit is not None and fit.exponent_high is not None
    assert fit.exponent == pytest.approx(0.0, abs=1e-12)
    assert fit.exponent_high == pytest.approx(12.706 * (6 / 900 / 2) ** 0.5, rel=1e-3)


def test_points_that_are_no_line_have_no_fit() -> None:
    assert power_law([(2, 1.0), (2, 2.0)]) is None
    assert power_law([(0, 1.0), (2, 2.0)]) is None
    assert proportional([]) is None


def test_fc_climbs_with_the_batch_as_two_over_the_width_and_attention_stays() -> None:
    found = sweep(along_batch(*BATCHES))
    assert found.fc_expected == 1.0  # 2 / 2 bytes
    assert found.fc_slope is not None and found.fc is not None and found.attention is not None
    assert found.fc_slope.value == pytest.approx(1.0, rel=0.05)
    assert found.fc.exponent == pytest.approx(1.0, abs=0.03)
    assert found.attention.exponent == pytest.approx(0.0, abs=0.03)
    # 4 query heads share keys of 2 bytes: 2 x 4 / 2 FLOP/byte
    assert found.rows["attention_useful_intensity"].to_list() == pytest.approx([4.0] * 4, rel=0.03)


def test_fp8_weights_climb_twice_as_steeply() -> None:
    found = sweep(along_batch(1, 8, 64, weights="fp8"))
    assert found.fc_slope is not None
    # the LM head stays in 16 bits, which holds the slope below 2
    assert 1.3 < found.fc_slope.value < 2.0


def test_bytes_of_roles_add_up_at_every_place() -> None:
    found = sweep(along_batch(*BATCHES))
    sums = found.roles.group_by("along", maintain_order=True).agg(pl.col("bytes").sum())
    assert sums["bytes"].to_list() == pytest.approx(found.rows["bytes"].to_list())


def test_captures_stand_in_the_order_of_their_places_however_they_are_named() -> None:
    assert sweep(along_batch(16, 1, 4)).rows["along"].to_list() == [1, 4, 16]


@pytest.mark.parametrize(
    ("shares", "low", "high", "estimate", "reached"),
    [
        ([0.25, 0.5], 2.0, None, 4.0, False),  # doubling with the batch: 0.5 at 2, 1 at 4
        ([0.5, 2.0], 1.0, 2.0, 2**0.5, True),  # half way in logarithms
        ([1.5, 3.0], None, 1.0, None, True),
    ],
)
def test_the_crossing_lies_between_two_captures_or_is_not_reached(
    shares: list[float], low: float | None, high: float | None, estimate: float | None, reached: bool
) -> None:
    rows = pl.DataFrame({"along": [1, 2], "fc_useful_intensity": [100 * s for s in shares], "ridge": [100.0, 100.0]})
    fit = power_law([(1, shares[0]), (2, shares[1])])
    found = crossover(rows, "useful", fit)
    assert (found.low, found.high, found.reached) == (low, high, reached)
    assert found.estimate == (None if estimate is None else pytest.approx(estimate))


def test_a_planted_crossing_is_measured_where_intensity_meets_the_ridge() -> None:
    found = sweep(along_batch(64, 256, 512))
    assert found.crossover.reached and found.crossover.low is not None and found.crossover.high is not None
    ridge = float(found.rows["ridge"][1])
    # exact intensity of a square matrix: 1 / (1/B + 1/K); B = ridge / (1 - ridge/K), between ridge and twice it
    assert ridge < (found.crossover.estimate or 0) < 1.3 * ridge


def test_context_grows_the_cache_and_leaves_fc() -> None:
    found = sweep([planted.study(batch=8, layers=4, context=c) for c in (1024, 4096, 16384)], "context")
    assert found.rows["attention_bytes"][2] / found.rows["attention_bytes"][0] == pytest.approx(16, rel=0.05)
    assert found.rows["fc_bytes"][2] == pytest.approx(found.rows["fc_bytes"][0], rel=0.01)
    assert found.crossover.share is None


def test_a_label_is_any_word_with_a_value_for_each_capture() -> None:
    found = sweep([planted.study(batch=8, layers=2, weights=w) for w in ("bf16", "fp8")], "engine", ["old", "new"])
    assert found.rows["along"].to_list() == ["new", "old"]
    assert found.fc is None
    assert "from engine new to old" in next(iter(answer(found)))


@pytest.mark.parametrize(
    ("along", "values", "said"),
    [
        ("engine", None, "state it with `values=`"),
        ("batch", ["1"], "names 1 for a sweep of 2"),
        ("tp", None, "tp is not known"),
    ],
)
def test_a_place_that_is_not_known_is_asked_for(along: str, values: list[str] | None, said: str) -> None:
    with pytest.raises(UnusableInput, match=said):
        sweep(along_batch(1, 2), along, values)


def test_one_capture_is_a_row_and_says_that_a_sweep_needs_two() -> None:
    assert "a sweep needs two" in document(sweep(along_batch(4))).answer[0]
    part = document(replace(sweep(along_batch(4)), basis="part", windows=1))
    assert part.answer[0].endswith("per token of what was captured; a sweep needs two.")
    assert "The capture is a part of a step: bytes are a token's share of what was captured." in part.doubts


def test_executed_work_is_called_so_where_nothing_is_swept_too() -> None:
    found = sweep(along_batch(4))
    useful, executed = (
        document(replace(found, rows=found.rows.with_columns(attention_useful_intensity=value)))
        for value in (pl.lit(4.0), pl.lit(None, pl.Float64))
    )
    assert found.attention is None  # no line through one point
    assert [["Attention stands on executed work" in d for d in said.doubts].count(True) for said in (useful, executed)] == [
        0,
        1,
    ]


def test_the_chart_holds_a_mark_for_each_family_and_capture_at_its_intensity() -> None:
    found = sweep(along_batch(*BATCHES))
    marks = trajectories(found)
    assert marks.group_by("family", maintain_order=True).len().rows() == [("FC", 4), ("attention", 4)]
    fc = marks.filter(pl.col("family") == "FC")
    assert fc["intensity"].to_list() == pytest.approx(found.rows["fc_useful_intensity"].to_list(), rel=1e-4)
    spec = json.dumps(draw(found).to_dict(), allow_nan=False)
    assert "ridge 2" in spec and "FC climbs with the batch, attention stays" in spec


@needs_corpus
def test_real_batches_of_qwen_show_fc_climbing_and_attention_staying(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    captures = [
        str(CORPUS / "csv" / SGLANG.format(name)) for name in ("R_concurrent_decode", "R_short_decode", "R_medium_balanced")
    ]
    main_or_exit(["sweep", *captures, "--model", "qwen3-30b-a3b", "--format", "json", "--chart", str(tmp_path / "s.json")])
    found = json.loads(capsys.readouterr().out)
    qkv = {p["along"]: p["useful_intensity"] for p in found["projections"] if p["projection"] == "qkv_proj"}
    assert qkv == {1: pytest.approx(1, rel=0.05), 8: pytest.approx(8, rel=0.05), 32: pytest.approx(32, rel=0.05)}
    # 8 query heads to a key, 2 bytes: 8 FLOP/byte, less the bytes of queries and outputs
    assert [r["attention_useful_intensity"] for r in found["rows"]] == [pytest.approx(8, rel=0.05)] * 3
    assert found["fits"]["fc_slope"]["value"] == pytest.approx(found["fits"]["fc_expected_slope"], rel=0.05)
    assert found["fits"]["crossover"]["reached"] is False
    assert json.loads((tmp_path / "s.json").read_text())["layer"]


@needs_corpus
def test_without_the_model_only_executed_work_is_known_and_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    captures = [
        str(CORPUS / "csv" / SGLANG.format(name)) for name in ("R_short_decode", "R_medium_balanced", "R_concurrent_decode")
    ]
    main_or_exit(["sweep", *captures])
    out = capsys.readouterr().out.replace("\n  ", " ").replace("\n", " ")
    assert "executed FLOP/byte" in out and "an upper bound" in out and "counts whole tiles" in out
    assert "the fit reaches it" not in out


def main_or_exit(arguments: list[str]) -> None:
    """Runs the command line and fails on any exit code but 0."""
    code: object = 0
    try:
        main(arguments)
    except SystemExit as end:
        code = end.code
    assert not code


@pytest.mark.parametrize("arguments", [["none-*.csv"], ["a.parquet", "--along", "weather"]])
def test_nothing_to_sweep_is_exit_3(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["sweep", *arguments])
    assert end.value.code == 3
    assert capsys.readouterr().out == ""


def unmeasured(study: Study) -> Study:
    return replace(study, launches=study.launches.with_columns(pl.lit(None, dtype=pl.Float64).alias("dram_bytes")))


def test_bytes_that_nobody_measured_are_no_bytes_of_zero() -> None:
    found = sweep([unmeasured(s) for s in along_batch(1, 4)])
    assert found.roles["bytes"].null_count() == found.roles.height
    said = document(found)
    assert said.answer[0] == "From batch 1 to 4: DRAM bytes were not measured at both ends."
    assert set(said.tables[1].rows["1"]) == {None}
    alone = document(sweep([unmeasured(s) for s in along_batch(4)]))
    assert alone.answer == ("One capture at batch 4: DRAM bytes were not measured; a sweep needs two.",)


def test_captures_at_one_place_sweep_nothing_and_say_so() -> None:
    said = document(sweep(along_batch(8, 8)))
    assert said.answer == (
        "Both captures stand at batch 8: nothing is swept; name captures that differ in it, or state where each stands with "
        "--values.",
    )
    assert said.tables[1].columns == ("role", "8")  # the mean of the two, as one doubt says
    assert "Several captures share one batch: by role their mean is shown." in said.doubts


@pytest.mark.parametrize(
    ("basis", "windows", "of_what", "doubt"),
    [
        ("token", 0, "per token, from", None),
        ("part", 2, "per token of what each captured, from", "The captures are parts of a step:"),
        (
            "part",
            1,
            "per token of what each captured, here a whole step and there a part of one, from",
            "1 of 2 captures is a part of a step:",
        ),
    ],
)
def test_bytes_of_windows_are_not_called_those_of_a_token(basis: str, windows: int, of_what: str, doubt: str | None) -> None:
    said = document(replace(sweep(along_batch(1, 4)), basis=basis, windows=windows))
    assert of_what in said.answer[0]
    assert [d for d in said.doubts if "of a step" in d] == (
        [next(d for d in said.doubts if d.startswith(doubt))] if doubt else []
    )


def test_windows_among_captures_are_counted() -> None:
    whole, window = along_batch(1, 4)
    assert sweep([whole, window]).windows == 0
    cut = replace(window, run=replace(window.run, tokens=Fact(), steps=Fact(), batch=window.run.batch))
    assert (sweep([whole, cut]).windows, sweep([whole, cut]).basis) == (1, "part")


def test_a_context_that_changes_beside_the_batch_is_said_and_taken_out() -> None:
    one, other = planted.study(batch=8, layers=4, context=2048), planted.study(batch=128, layers=4, context=1024)
    found = sweep([other, one])
    assert set(found.beside) == {"context"} and [round(c, -1) for c in found.beside["context"]] == [2050, 1020]
    last = found.rows.row(-1, named=True)
    first = found.rows.row(0, named=True)
    # the cache at the first context: its bytes times the quotient of the contexts; the rest stays
    rest = last["bytes"] - last["attention_bytes"]
    assert found.at_first_context == pytest.approx(rest + last["attention_bytes"] * first["context"] / last["context"])
    assert "Not batch alone changes: context " in " ".join(answer(found))


def test_settings_of_the_profiler_that_change_along_the_batch_are_said() -> None:
    one, other = along_batch(1, 4)
    kept, flushed = (
        replace(s, run=replace(s.run, cache_control=Fact(c, "report"))) for s, c in ((one, "none"), (other, "all"))
    )

    assert "Not batch alone changes: cache control none, all." in answer(sweep([kept, flushed]))
    assert not any("alone changes" in line for line in answer(sweep([kept, one])))


def test_a_sweep_of_one_context_says_nothing_of_it() -> None:
    found = sweep(along_batch(1, 4))
    assert not found.beside and found.at_first_context is None
    assert not any("alone changes" in line for line in answer(found))


def test_points_of_unlike_parts_are_not_on_one_line() -> None:
    # windows that are less than a step: 100 + 20 MB at batch 1, and at batch 4 the head of 300 MB beside them
    def window(batch: int, *head: float) -> Study:
        kernels = [("gemm", "fc", 100.0), ("flash", "attention", 20.0), *(("lm_head", "fc", size) for size in head)]
        rows = [{"kernel": k, "role": r, "dram_bytes": b * 1e6, "count": 1} for k, r, b in kernels]
        return planted.plain(*rows, name=f"b{batch}", tokens=None, batch=batch, context=2048)

    unlike, alike = sweep([window(1), window(4, 300.0)]), sweep([window(1), window(4)])
    assert (unlike.basis, unlike.apart, alike.apart) == ("part", {"fc"}, set())
    assert unlike.fc is None and unlike.attention is not None and alike.fc is not None
    # 120 MB for one token, and 120 for four of what both hold
    assert unlike.common == (120e6, 30e6) and alike.common is None
    assert "120 MB to 30 MB per token of what both ends captured" in next(iter(answer(unlike)))
    assert "The captures hold other launches of FC each: such points are not of one line." in document(unlike).doubts
    joined = draw(unlike).to_dict()["layer"]
    lines = [part for part in joined if part["mark"].get("type") == "line" and part["mark"].get("opacity") == 0.55]
    assert len(lines) == 1


@needs_corpus
def test_real_windows_that_end_elsewhere_are_compared_by_what_both_hold() -> None:
    found = sweep([nr.study(CORPUS / "csv" / SGLANG.format(name)) for name in ("R_short_decode", "R_concurrent_decode")])
    assert "fc" in found.apart and found.fc is None
    # 117.7 MB less the second product of the experts, 25.3, that the window of 32 ends before
    assert found.common is not None and found.common[0] == pytest.approx(117.7e6 - 25.3e6, rel=0.002)
