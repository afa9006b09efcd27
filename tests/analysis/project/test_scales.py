"""Factors from a capture to a target, and what each takes for granted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.project.scales import Scales, Target, scales_of, times_as_many, width
from ncu_roofline.analysis.study import Study
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models.dtypes import find
from tests.kernels import h100
from tests.planted import plain

FC, ATTENTION = {"role": "fc"}, {"role": "attention", "kernel": "attend"}


def study(**facts: Any) -> Study:
    return plain({"count": 1, **FC}, {"count": 1, **ATTENTION}, **facts)


def test_a_target_that_names_nothing_leaves_everything_as_it_is() -> None:
    assert scales_of(study(), Target()) == Scales() == Scales(weights=1.0, kv=1.0, batch=1.0, tp=1.0, bandwidth=1.0)


def test_each_factor_is_the_target_over_the_capture() -> None:
    run = study(weights="bf16", kv="fp32", batch=2, tp=2)
    own, other = replace(h100(), bandwidth=6e12), replace(h100(), bandwidth=2e12)
    found = scales_of(replace(run, gpu=own), Target(gpu=other, weights="fp8", kv="fp8", batch=6, tp=8))
    # 1 byte for 2, 1 for 4, 6 for 2, a quarter each where 8 GPUs stand for 2, and a third of the bandwidth
    assert found == Scales(weights=0.5, kv=0.25, batch=3.0, tp=0.25, experts=0.25, bandwidth=3.0)


def test_a_capture_whose_gpus_are_not_stated_is_of_one() -> None:
    assert scales_of(study(), Target(tp=4)).tp == 0.25


def test_another_device_needs_the_captures_own() -> None:
    with pytest.raises(UnusableInput, match="gpu=NAME"):
        scales_of(study(), Target(gpu=h100()))


def test_the_kernels_names_tell_the_types_that_nobody_stated() -> None:
    named = study()
    frame = named.launches.with_columns(weight_dtype=pl.Series(["fp8", None]), cache_dtype=pl.Series([None, "fp8"]))
    found = scales_of(replace(named, launches=frame), Target(weights="bf16", kv="bf16"))
    assert (found.weights, found.kv) == (2.0, 2.0)
    stated = study(weights="bf16", kv="bf16")
    found = scales_of(replace(stated, launches=frame), Target(weights="bf16", kv="bf16"))
    assert (found.weights, found.kv) == (1.0, 1.0)


def typed(rows: list[tuple[str, float | None, str | None, str | None]]) -> Study:
    """Launches of (family, bytes, weight type, precision)."""
    frame = pl.DataFrame(rows, schema=["family", "dram_bytes", "weight_dtype", "precision"], orient="row")
    return replace(study(), launches=frame)


def test_a_width_is_bytes_wanted_over_bytes_there() -> None:
    assert width("fp32", find("fp8"), "weights") == 4.0
    assert width("fp8", find("fp32"), "kv") == 0.25
    assert width(None, find("bf16"), "weights") == width(None, None, "weights") == 1.0
    with pytest.raises(UnusableInput, match="kv=DTYPE"):
        width("fp8", None, "kv")


def test_a_number_is_wanted_over_there_from_one_on() -> None:
    assert times_as_many(8, 2, "batch") == 4.0
    assert times_as_many(1, 2, "batch") == 0.5
    assert times_as_many(None, None, "batch") == 1.0
    with pytest.raises(UnusableInput, match="`batch=` 0 is impossible"):
        times_as_many(0, 2, "batch")
    with pytest.raises(UnusableInput, match="batch=N"):
        times_as_many(8, None, "batch")


@pytest.mark.parametrize("name", ["2:4", "sparse24"])
def test_either_name_of_2_4_weights_is_sparse(name: str) -> None:
    assert scales_of(study(weights="bf16"), Target(weights=name)).sparse
    assert not scales_of(study(weights="bf16"), Target(weights="fp8")).sparse
