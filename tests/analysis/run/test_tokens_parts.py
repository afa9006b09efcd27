"""Figures per step and token by their arithmetic: divisors, rows that are parts, spreads, matrices read more than once."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.basis import Basis
from ncu_roofline.analysis.run.tokens import (
    MEASURES,
    Totals,
    divisions,
    every_matrix,
    ordered,
    per_token,
    spreads,
    streamed,
    sums,
    totals,
    unknowns,
)
from ncu_roofline.capture.capture import Run
from tests.analysis.run.test_tokens import LAYERS
from tests.kernels import placed
from tests.stating import stating


def of(**given: Any) -> Totals:
    """288 bytes of two steps of four tokens, counted on half of the layers of two GPUs."""
    usual: dict[str, Any] = {
        "basis": "token",
        "tokens": 8.0,
        "steps": 2.0,
        "scale": 2.0,
        "gpus": 2,
        "tp": 1,
        "launches": 5,
        "how": "",
        "sums": {"dram_bytes": 288.0, "flops": None},
        "unknown": {},
    }
    return Totals(**(usual | given))


def test_figures_are_of_one_gpu_and_of_all_layers() -> None:
    # 288 x 2 layers for each counted / 2 GPUs = 288; of 2 steps and 8 tokens
    assert (of().per_step("dram_bytes"), of().per_token("dram_bytes")) == (144.0, 36.0)
    assert not of().layers_only


def test_over_all_gpus_a_token_counts_once_for_each_that_shares_the_model() -> None:
    assert of(tp=2).over_all("dram_bytes") == 72.0
    assert of(tp=4).over_all("dram_bytes") == 144.0
    assert of(tokens=None).over_all("dram_bytes") is None


def test_a_figure_needs_its_sum_and_its_divisor() -> None:
    assert (of().per_step("flops"), of().per_token("flops")) == (None, None)
    assert (of(steps=None).per_step("dram_bytes"), of(tokens=0.0).per_token("dram_bytes")) == (None, None)


def test_totals_carry_what_they_stand_on() -> None:
    found = totals(placed([*LAYERS, ("other", None, None)]), stating(batch=4, tp=2))
    assert (found.basis, found.tokens, found.steps, found.scale, found.gpus, found.tp) == ("token", 4, 1, 1.0, 1, 2)
    assert (found.launches, found.layers_only, found.how.startswith("1 whole decode step")) == (6, False, True)
    assert (found.sums["dram_bytes"], found.unknown["dram_bytes"]) == (288.0, 1)
    assert (found.sums["flops"], found.unknown["flops"]) == (None, 6)
    assert totals(placed(LAYERS), Run()).tp == 1
    assert totals(placed(LAYERS, whole=False), stating(layers_captured=(2, 8))).layers_only


def test_sums_leave_out_what_is_unknown_and_count_it() -> None:
    frame = pl.DataFrame({m: [1.0, None] for m in MEASURES})
    assert frame.select(*sums(), *unknowns()).row(0) == (1.0,) * 6 + (1,) * 6
    assert frame.tail(1).select(sums()).row(0) == (None,) * 6


def divided(by: str, **given: Any) -> tuple[float | None, float | None]:
    """1200 bytes of a row, per step and per token."""
    row = pl.DataFrame({m: [1200.0] for m in MEASURES})
    basis = Basis(**{"kind": "token", "launches": row, "steps": 4.0, "tokens": 24.0, "scale": 3.0, "gpus": 2, **given})
    found = row.select(divisions(basis, by)).row(0, named=True)
    return found["dram_bytes_per_step"], found["dram_bytes_per_token"]


def test_a_row_is_divided_by_steps_tokens_and_gpus() -> None:
    # 1200 x 3 / 2 = 1800: of 4 steps and 24 tokens
    assert divided("role") == (450.0, 75.0)


def test_a_row_of_one_step_holds_one_step_and_its_share_of_the_tokens() -> None:
    # 1800 of one step of 24 / 4 = 6 tokens
    assert divided("step") == (1800.0, 300.0)
    assert divided("step", steps=None) == (None, 75.0)


def test_a_single_layer_does_not_stand_for_others() -> None:
    # 1200 / 2 GPUs = 600: of 4 steps and 24 tokens
    assert divided("layer") == (150.0, 25.0)


def test_without_steps_or_tokens_there_is_nothing_to_divide_by() -> None:
    assert divided("role", steps=None) == (None, 75.0)
    assert divided("role", tokens=None) == (450.0, None)
    assert divided("step", tokens=None) == (1800.0, None)


def matrices(**columns: list[Any]) -> dict[str, Any]:
    """Launches of one weight matrix of 100 bytes, read in whole and nothing beside it."""
    count = len(next(iter(columns.values())))
    names = ("matrix_bytes", "dram_read_bytes", "dram_bytes", "experts_read", "activation_bytes", "output_bytes")
    usual: dict[str, list[Any]] = {
        "matrix_bytes": [100.0] * count,
        "dram_read_bytes": [100.0] * count,
        "dram_bytes": [150.0] * count,
        "experts_read": [None] * count,
        "activation_bytes": [0.0] * count,
        "output_bytes": [0.0] * count,
    }
    frame = pl.DataFrame(usual | columns, schema_overrides=dict.fromkeys(names, pl.Float64))
    return frame.select(streamed("projection")).row(0, named=True)


def test_a_matrix_read_whole_once_is_read_once() -> None:
    found = matrices(dram_read_bytes=[100.0])
    assert (found["matrix_bytes"], found["read_amplification"], found["unexplained"]) == (100.0, 1.0, 0.0)
    assert (found["explained_low"], found["explained_high"]) == (0.0, 0.0)
    small = matrices(dram_read_bytes=[1.5], matrix_bytes=[1.0], activation_bytes=[0.5])
    explained = ("read_amplification", "explained_low", "explained_high", "unexplained")
    assert [small[k] for k in explained] == [1.5, 0.5, 0.5, 0.0]


def test_reads_count_before_all_bytes_of_a_matrix() -> None:
    assert matrices(dram_read_bytes=[120.0, 140.0])["read_amplification"] == pytest.approx(1.3)
    assert matrices(dram_read_bytes=[None])["read_amplification"] == pytest.approx(1.5)
    # a launch without a matrix, or without bytes, tells nothing of the ratio
    assert matrices(dram_read_bytes=[120.0, 999.0], matrix_bytes=[100.0, None])["read_amplification"] == pytest.approx(1.2)
    unknown = matrices(dram_read_bytes=[120.0, None], dram_bytes=[150.0, None], activation_bytes=[5.0, 9.0])
    assert (unknown["read_amplification"], unknown["explained_low"]) == (pytest.approx(1.2), pytest.approx(0.05))


def test_activations_explain_reads_beyond_the_matrix() -> None:
    found = matrices(dram_read_bytes=[130.0], activation_bytes=[10.0], output_bytes=[7.0])
    assert (found["explained_low"], found["explained_high"]) == (pytest.approx(0.1), pytest.approx(0.1))
    assert found["unexplained"] == pytest.approx(0.3 - 0.1)


def test_where_only_all_bytes_are_known_the_output_may_be_among_them() -> None:
    columns: dict[str, list[Any]] = {"dram_read_bytes": [None], "activation_bytes": [10.0], "output_bytes": [15.0]}
    found = matrices(dram_bytes=[120.0], **columns)
    # 20 % more than the matrix lie between 10 % and 10 + 15 %
    assert (found["explained_low"], found["explained_high"]) == (pytest.approx(0.1), pytest.approx(0.25))
    assert found["unexplained"] == pytest.approx(0.0)
    assert matrices(dram_bytes=[140.0], **columns)["unexplained"] == pytest.approx(0.4 - 0.25)
    assert matrices(dram_bytes=[105.0], **columns)["unexplained"] == pytest.approx(0.05 - 0.1)


def test_experts_that_each_step_chooses_anew_have_no_ratio() -> None:
    found = matrices(experts_read=[3.0, 5.0])
    assert found["experts_read"] == 4.0
    explained = ("read_amplification", "explained_low", "explained_high", "unexplained")
    assert [found[k] for k in explained] == [None] * 4


def test_a_matrix_of_unknown_size_has_no_ratio() -> None:
    for size in (None, 0.0):
        found = matrices(matrix_bytes=[size])
        assert [found[k] for k in ("read_amplification", "explained_low", "explained_high", "unexplained")] == [None] * 4


@pytest.mark.parametrize("by", ["role", "layer", "kernel", "step"])
def test_only_weight_matrices_are_streamed(by: str) -> None:
    assert streamed(by) == []


def test_a_matrix_is_counted_in_layers_that_the_window_cuts_too() -> None:
    frame = placed(LAYERS, whole=False)
    scaled = every_matrix(frame, stating(batch=1, layers_captured=(2, 8)))
    assert (scaled.launches.height, scaled.steps, scaled.tokens, scaled.scale) == (5, None, None, 1.0)
    whole = every_matrix(placed(LAYERS), stating(batch=1))
    assert (whole.launches.height, whole.steps, whole.tokens, whole.scale) == (5, 1.0, 1.0, 1.0)


def several(*rows: tuple[int, int | None, bool, float]) -> pl.DataFrame:
    """FC launches of (step, layer, step whole, bytes)."""
    steps, at, whole, size = (list(column) for column in zip(*rows, strict=True))
    frame = placed([("fc", layer, b) for layer, b in zip(at, size, strict=True)])
    return frame.with_columns(step=pl.Series(steps), step_whole=pl.Series(whole))


def test_figures_spread_over_whole_steps_where_there_are_two() -> None:
    frame = several((0, 0, True, 1.0), (0, 1, True, 2.0), (1, 0, True, 4.0), (1, 1, True, 5.0), (2, 0, False, 99.0))
    found = spreads(frame, ["role"], "role").row(0, named=True)
    # 1 + 2 in step 0, 4 + 5 in step 1
    assert [found[k] for k in ("spread_over", "dram_bytes_low", "dram_bytes_median", "dram_bytes_high")] == [
        "step",
        3.0,
        6.0,
        9.0,
    ]
    assert found["seconds_low"] is None


def test_figures_spread_over_whole_layers_of_a_single_step() -> None:
    frame = several((0, 0, True, 1.0), (0, 1, True, 2.0), (0, 2, True, 6.0), (0, None, True, 50.0))
    found = spreads(frame, ["role"], "role").row(0, named=True)
    assert [found[k] for k in ("spread_over", "dram_bytes_low", "dram_bytes_median", "dram_bytes_high")] == [
        "layer",
        1.0,
        2.0,
        6.0,
    ]


def test_figures_of_a_step_spread_over_its_layers_and_of_a_layer_over_steps() -> None:
    frame = several((0, 0, True, 1.0), (0, 1, True, 2.0), (1, 0, True, 4.0), (1, 1, True, 5.0))
    by_step = spreads(frame, ["step"], "step").sort("step")
    assert by_step.select("spread_over", "dram_bytes_low", "dram_bytes_high").rows() == [
        ("layer", 1.0, 2.0),
        ("layer", 4.0, 5.0),
    ]
    by_layer = spreads(frame, ["layer"], "layer").sort("layer")
    assert by_layer.select("spread_over", "dram_bytes_low", "dram_bytes_high").rows() == [
        ("step", 1.0, 4.0),
        ("step", 2.0, 5.0),
    ]


def test_a_step_of_which_nothing_tells_that_it_is_whole_is_left_out_of_the_spread() -> None:
    frame = several((0, 0, True, 1.0), (1, 0, True, 4.0), (2, 0, True, 99.0))
    untold = frame.with_columns(step_whole=pl.Series([True, True, None]))
    assert spreads(untold, ["role"], "role")["dram_bytes_high"].to_list() == [4.0]


def test_one_layer_of_one_step_has_no_spread() -> None:
    found = spreads(several((0, 0, True, 1.0), (0, 0, True, 2.0)), ["role"], "role")
    assert found.row(0, named=True) == {
        "role": "fc",
        "spread_over": None,
        "dram_bytes_low": None,
        "dram_bytes_median": None,
        "dram_bytes_high": None,
        "seconds_low": None,
        "seconds_median": None,
        "seconds_high": None,
    }
    assert found.height == 1


def test_layers_and_steps_stand_in_order_and_the_rest_by_bytes_and_then_time() -> None:
    table = pl.DataFrame(
        {
            "layer": [2, 0, 1, 3],
            "role": ["a", "b", "c", "d"],
            "dram_bytes": [1.0, 5.0, 5.0, None],
            "seconds": [1.0, 2.0, 3.0, 9.0],
        }
    )
    assert ordered(table, ["layer"], "layer")["layer"].to_list() == [0, 1, 2, 3]
    assert ordered(table.rename({"layer": "step"}), ["step"], "step")["step"].to_list() == [0, 1, 2, 3]
    assert ordered(table, ["role"], "role")["role"].to_list() == ["c", "b", "a", "d"]


def test_rows_of_roles_steps_and_layers_add_up_and_leave_out_what_has_no_place() -> None:
    frame = placed(LAYERS)
    roles = per_token(frame, stating(batch=4))
    assert roles.select("role", "launches", "dram_bytes", "dram_bytes_per_token").rows() == [
        ("fc", 2, 240.0, 60.0),
        ("attention", 2, 40.0, 10.0),
        ("sampling", 1, 8.0, 2.0),
    ]
    layers = per_token(frame, stating(batch=4), "layer")
    assert layers.select("layer", "launches", "dram_bytes").rows() == [(0, 2, 120.0), (1, 2, 160.0)]
    steps = per_token(frame, stating(batch=4), "step")
    assert steps.select("step", "launches", "dram_bytes_per_step", "dram_bytes_per_token").rows() == [(0, 5, 288.0, 72.0)]


def test_roles_that_are_unknown_keep_their_row_and_their_spread() -> None:
    frame = placed(LAYERS).with_columns(role=pl.lit(None, pl.String))
    found = per_token(frame, stating(batch=4)).row(0, named=True)
    # 120 and 160 bytes in the two layers
    assert (found["role"], found["launches"], found["spread_over"]) == (None, 5, "layer")
    assert (found["dram_bytes_low"], found["dram_bytes_high"]) == (120.0, 160.0)


def test_matrices_count_in_cut_layers_and_roles_only_in_whole_ones() -> None:
    run = stating(batch=1, layers_captured=(2, 8))
    lacking = dict.fromkeys(("experts_read", "activation_bytes", "output_bytes"), pl.lit(None, pl.Float64))
    known = {"matrix_n": pl.lit(2), "matrix_k": pl.lit(3), "matrix_bytes": pl.lit(4.0)}
    frame = placed(LAYERS, whole=False).with_columns(projection=pl.Series(["q", None, "q", "o", "head"]), **known, **lacking)
    found = per_token(frame, run, "projection")
    assert found.select("projection", "launches", "dram_bytes", "dram_bytes_per_token").rows() == [
        ("q", 2, 240.0, None),
        ("o", 1, 20.0, None),
        ("head", 1, 8.0, None),
    ]
    # 2 of 8 layers stand for all, and the sampling is in none
    roles = per_token(frame, run).select("role", "dram_bytes_per_token").rows()
    assert roles == [("fc", 240.0 * 4), ("attention", 40.0 * 4)]


def test_kernels_have_a_row_for_each_role_where_roles_are_known() -> None:
    frame = placed(LAYERS).with_columns(kernel=pl.lit("k"))
    assert per_token(frame, Run(), "kernel").select("kernel", "role").height == 3


def test_rows_that_are_alike_stand_in_the_order_of_the_capture() -> None:
    names = ["rope", "fc", "norm", "copy", "attention", "sampling", "comm", "embedding", "other", "activation"]
    assert per_token(placed([(name, 0, 5.0) for name in names]), Run())["role"].to_list() == names
