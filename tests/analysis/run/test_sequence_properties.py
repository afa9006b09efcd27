"""What must hold for any run: planted steps and layers are found, wherever the window is cut."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncu_roofline.analysis.roles.roles import assign
from ncu_roofline.analysis.run import tokens
from ncu_roofline.analysis.run.sequence import Segmented, facts, segment
from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import ROLES, enum
from ncu_roofline.knowledge.kernels.roles import load_rules
from tests.kernels import H100, h100, launch, launches
from tests.synthetic import QWEN3_MOE, TINY, Plan, decode_run, truth

RULES = load_rules(None)
few = settings(max_examples=15)
PER_LAYER = 11
"""Launches of one layer of the dense synthetic model."""


def segmented(frame: pl.DataFrame) -> Segmented:
    worked = work(assign(frame, RULES), h100(), H100)
    zero = pl.lit(None, pl.Float64)
    return segment(worked.with_columns(useful_flops=zero))


def with_run(frame: pl.DataFrame) -> tuple[pl.DataFrame, Run]:
    found = segmented(frame)
    return found.launches, facts(found, Run())[0]


@cache
def known(layers: int) -> Segmented:
    """A step of so many layers, as it is found."""
    return segmented(decode_run(model=TINY, batch=2, layers=layers, steps=1))


def renumbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))


@few
@given(
    batch=st.sampled_from([1, 2, 8, 32]),
    layers=st.integers(2, 7),
    steps=st.integers(1, 4),
    prefill=st.sampled_from([0, 0, 64]),
    stray=st.integers(0, 12),
    seed=st.integers(0, 99),
)
def test_planted_steps_layers_and_batch_are_recovered(
    batch: int, layers: int, steps: int, prefill: int, stray: int, seed: int
) -> None:
    _, run = with_run(decode_run(model=TINY, batch=batch, layers=layers, steps=steps, prefill=prefill, stray=stray, seed=seed))
    seen = (run.steps.value, run.layers.value, run.batch.value, run.prefill_passes.value)
    assert seen == (steps, layers, batch, 1 if prefill else 0)


@few
@given(model=st.sampled_from([TINY, QWEN3_MOE]), layers=st.integers(2, 5), steps=st.integers(1, 3))
def test_every_launch_is_put_into_its_own_step_and_layer(model: object, layers: int, steps: int) -> None:
    plan: dict[str, Any] = {"model": model, "batch": 4, "layers": layers, "steps": steps}
    found, known = segmented(decode_run(**plan)).launches, truth(**plan)
    assert found["layer"].to_list() == known["layer"].to_list()
    assert found["step"].to_list() == known["step"].to_list()


@few
@given(missing=st.integers(1, 30))
def test_a_missing_tail_costs_one_step_and_no_more(missing: int) -> None:
    whole = decode_run(model=TINY, batch=2, layers=4, steps=3)
    assert with_run(whole.head(whole.height - missing))[1].steps.value == 2


@few
@given(offset=st.integers(1, 3 * PER_LAYER))
def test_a_window_rotated_by_any_offset_gives_the_same_layer(offset: int) -> None:
    step = decode_run(model=TINY, batch=2, layers=8, steps=1)
    window = segmented(renumbered(step.slice(offset, 4 * PER_LAYER))).launches
    each = window.filter("layer_whole").group_by("layer").agg(pl.col("dram_bytes").sum())
    inside = known(8).launches.filter(pl.col("layer") == 4)["dram_bytes"].sum()
    assert each.height >= 2
    assert each["dram_bytes"].to_list() == [pytest.approx(inside)] * each.height


@few
@given(rotation=st.integers(0, 8))
def test_a_rotated_sequence_without_roles_has_the_same_layer(rotation: int) -> None:
    turned = [at % 9 for at in range(rotation, rotation + 21)]
    rows = launches(*[launch(f"gemv{each}", index=at) for at, each in enumerate(turned)])
    moved = pl.Series([float(each + 1) for each in turned])
    found = segment(rows.with_columns(role=pl.lit("fc").cast(enum(ROLES)), dram_bytes=moved)).launches
    each = found.filter("layer_whole").group_by("layer").agg(pl.col("dram_bytes").sum())
    assert each["dram_bytes"].to_list() == [45.0, 45.0]  # 1 + 2 + ... + 9


@few
@given(order=st.permutations(range(1, 5)))
def test_shuffling_equal_layers_changes_no_total(order: list[int]) -> None:
    plan: dict[str, Any] = {"model": TINY, "batch": 2, "layers": 6, "steps": 1}
    frame, layer = decode_run(**plan), truth(**plan)["layer"]
    place = {old: new for new, old in enumerate(order, start=1)}
    moved = layer.replace_strict(place, default=layer, return_dtype=pl.Int64)
    head = pl.int_range(pl.len()) < layer.is_not_null().arg_max()
    turned = frame.with_columns(key=pl.when(head).then(-1).otherwise(moved.fill_null(99))).sort("key", maintain_order=True)
    before, after = (known(6).launches, facts(known(6), Run())[0]), with_run(renumbered(turned.drop("key")))
    assert tokens.totals(*after).sums == pytest.approx(tokens.totals(*before).sums)
    assert after[1].layers.value == before[1].layers.value


@few
@given(by=st.sampled_from(["role", "kernel", "step"]), steps=st.integers(1, 3))
def test_the_parts_add_up_to_the_whole(by: str, steps: int) -> None:
    frame, run = with_run(decode_run(model=TINY, batch=2, layers=3, steps=steps, noise=0.2))
    parts, whole = tokens.per_token(frame, run, by), tokens.totals(frame, run)
    for measure in ("dram_bytes", "seconds", "flops"):
        assert parts[measure].sum() == pytest.approx(whole.sums[measure])
    assert parts["launches"].sum() == whole.launches


def test_two_concatenated_steps_give_the_same_figures_per_token() -> None:
    one = decode_run(model=TINY, batch=4, layers=5, steps=1)
    once, twice = (tokens.totals(*with_run(renumbered(f))) for f in (one, pl.concat([one, one])))
    assert (once.steps, twice.steps) == (1, 2)
    for measure in ("dram_bytes", "seconds", "flops"):
        assert twice.per_token(measure) == pytest.approx(once.per_token(measure))


def test_a_prefill_pass_changes_nothing_per_token() -> None:
    plan = Plan(model=TINY, batch=4, layers=3, steps=2)
    alone = tokens.totals(*with_run(decode_run(plan)))
    after = tokens.totals(*with_run(decode_run(model=TINY, batch=4, layers=3, steps=2, prefill=128)))
    assert after.per_token("flops") == pytest.approx(alone.per_token("flops"))
    assert after.launches == alone.launches


def test_ten_thousand_launches_are_segmented() -> None:
    step = assign(decode_run(model=TINY, batch=2, layers=40, steps=1), RULES)
    many = renumbered(pl.concat([step] * (10_000 // step.height + 1)))
    found = segment(many)
    assert found.steps.value == 10_000 // step.height + 1
