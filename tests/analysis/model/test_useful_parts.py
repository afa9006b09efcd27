"""Each estimate of useful work by itself: rows, widths, shares of GPUs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.model.useful import (
    at_most_executed,
    attention_bounds,
    by_cache,
    by_matrix,
    by_weights,
    cache_width,
    in_decode,
    is_role,
    numbered,
    useful,
)
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.models.model import Cache, Model
from ncu_roofline.knowledge.models.models import load
from tests.analysis.model.test_useful import decode
from tests.small_model import CACHE, MODEL
from tests.stating import stating

TYPES: dict[str, Any] = {
    "role": pl.String,
    "phase": pl.String,
    "kernel": pl.String,
    "name": pl.String,
    "weight_dtype": pl.String,
    "cache_dtype": pl.String,
    "flops_source": pl.String,
    "decode": pl.Boolean,
    "satellite": pl.Boolean,
    "flops_complete": pl.Boolean,
    "step_whole": pl.Boolean,
    "layer": pl.Int64,
    "matrix_rows": pl.Int64,
    "matrix_n": pl.Int64,
    "matrix_k": pl.Int64,
    **dict.fromkeys(("read", "flops", "tensor_flops", "dram_bytes", "dram_read_bytes"), pl.Float64),
}


def frame(**columns: Any) -> pl.DataFrame:
    """Main decode launches of FC; a column is one value for all or a list."""
    count = max([len(v) for v in columns.values() if isinstance(v, list)], default=1)
    usual = {"role": "fc", "phase": "decode", "kernel": "gemm", "name": "gemm", "decode": True, "satellite": False}
    counted = {"flops_complete": True, "flops_source": "counter", "flops": 1e15, "tensor_flops": 1e15}
    given = {**dict.fromkeys(TYPES), **usual, **counted, **columns}
    return pl.DataFrame({k: v if isinstance(v, list) else [v] * count for k, v in given.items()}, schema=TYPES)


def told(on: pl.DataFrame, expr: pl.Expr) -> list[Any]:
    return on.select(expr.alias("found"))["found"].to_list()


def test_a_stated_batch_makes_launches_of_unknown_phase_decode() -> None:
    phases = frame(phase=["decode", "prefill", None])
    assert told(phases, in_decode(Run())) == [True, False, None]
    assert told(phases, in_decode(stating(batch=4))) == [True, False, True]


def test_main_launches_of_a_role_are_of_decode_and_finish_nobodys_work() -> None:
    on = frame(role=["fc", "norm", "fc", "fc"], decode=[True, True, False, True], satellite=[False, False, False, True])
    assert told(on, is_role("fc")) == [True, False, False, False]


def test_a_matrix_does_two_flops_per_row_and_element_on_its_share_of_gpus() -> None:
    on = frame(matrix_rows=[3, None, 3], matrix_n=[4, 4, 4], matrix_k=[5, 5, 5], role=["fc", "fc", "norm"])
    assert told(on, by_matrix(Run())) == [120.0, None, None]
    assert told(on, by_matrix(stating(tp=2))) == [60.0, None, None]


def attending(**columns: Any) -> pl.DataFrame:
    return frame(role="attention", **{"cache_dtype": "bf16", **columns})


def by_cache_of(on: pl.DataFrame, model: Model | None = MODEL, **facts: Any) -> list[Any]:
    run = stating(**facts)
    return told(on, by_cache(run, model))


def test_a_cached_element_is_worked_on_by_the_models_flops() -> None:
    # 100 bytes are 50 elements; 48 FLOPs for 8 elements are 6 each
    on = attending(read=[100.0])
    assert by_cache_of(on) == [300.0]
    assert by_cache_of(on, kv="fp8") == [600.0]
    assert by_cache_of(on, None) == [None]
    assert by_cache_of(frame(read=[100.0])) == [None]


def test_heads_that_are_split_keep_their_flops_per_byte_and_latents_lose_them() -> None:
    on = attending(read=[100.0])
    assert by_cache_of(on, tp=4) == [300.0]
    assert by_cache_of(on, tp=8) == [150.0]
    latent = replace(MODEL, caches=(replace(CACHE, split=1),))
    assert by_cache_of(on, latent, tp=2) == [150.0]
    assert by_cache_of(on, latent) == [300.0]


def test_layers_of_different_caches_need_their_number() -> None:
    # 6 FLOPs an element in layer 0, 3 in layer 1, no cache in layer 2
    mixed = replace(MODEL, caches=(CACHE, replace(CACHE, flops=24), Cache(kind="conv")))
    on = attending(read=[100.0] * 4, layer=[0, 1, 2, 0], step_whole=[True, True, True, False])
    assert by_cache_of(on, mixed) == [300.0, 150.0, None, None]


def test_a_model_without_caches_tells_nothing_of_attention() -> None:
    assert by_cache_of(attending(read=[100.0]), replace(MODEL, caches=(Cache(kind="conv"),))) == [None]


def test_a_layers_number_is_the_models_in_a_whole_step_only() -> None:
    on = frame(step_whole=[True, False, None])
    assert told(on, numbered()) == [True, False, False]


def test_a_cache_is_as_wide_as_stated_else_as_named_else_as_the_model_computes() -> None:
    on = frame(cache_dtype=["fp8", None])
    assert told(on, cache_width(stating(kv="fp32"), MODEL).repeat_by(2).explode()) == [4.0, 4.0]
    assert told(on, cache_width(Run(), MODEL)) == [1.0, 2.0]
    assert told(on, cache_width(Run(), replace(MODEL, native="fp8"))) == [1.0, 1.0]
    assert told(on, cache_width(Run(), replace(MODEL, native=""))) == [1.0, 2.0]
    assert told(on, cache_width(Run(), None)) == [1.0, None]


def test_weights_that_were_read_do_two_flops_for_each_sequence() -> None:
    on = frame(
        read=[100.0, 100.0, 100.0, 100.0, None],
        weight_dtype=["bf16", "fp8", "bf16", "bf16", "bf16"],
        kernel=["gemm", "gemm", "fused_moe_kernel", "gemm", "gemm"],
        role=["fc", "fc", "fc", "norm", "fc"],
    )
    # 50 or 100 weights x 2 x 3 sequences; experts share no rows
    assert told(on, by_weights(on, stating(batch=3))) == [300.0, 600.0, None, None, None]
    assert told(on, by_weights(on, stating(batch=3, weights="fp8"))) == [600.0, 600.0, None, None, None]
    assert told(on.head(1), by_weights(on, Run())) == [None]


def test_an_estimate_is_cut_at_work_that_was_counted() -> None:
    on = frame(flops=[4.0, 9.0, 4.0, 0.0, None], flops_complete=[True, True, None, True, True], tensor_flops=0.0)
    assert told(on, at_most_executed(pl.lit(5.0))) == [4.0, 5.0, 5.0, 5.0, 5.0]
    assert told(on, at_most_executed(pl.when(pl.col("flops") > 4).then(5.0))) == [None, 5.0, None, None, None]


def test_counted_tensor_work_cuts_an_estimate_though_other_families_were_not_counted() -> None:
    on = frame(
        flops=[4.0] * 3, flops_complete=False, tensor_flops=[3.0, 0.0, 3.0], flops_source=["counter", "counter", "instructions"]
    )
    assert told(on, at_most_executed(pl.lit(5.0))) == [4.0, 5.0, 5.0]
    small = frame(flops=[0.5], flops_complete=False, tensor_flops=0.5)
    assert told(small, at_most_executed(pl.lit(5.0))) == [0.5]


def test_attention_lies_between_one_and_sixteen_query_heads_for_each_key() -> None:
    on = frame(role=["attention", "attention", "fc"], cache_dtype=["fp8", "fp32", "fp8"])
    found = on.select(**attention_bounds(Run()))
    assert found["useful_intensity_low"].to_list() == [2.0, 0.5, None]
    assert found["useful_intensity_high"].to_list() == [32.0, 8.0, None]


def test_a_kernel_that_finishes_anothers_work_has_none_beside_one_that_has() -> None:
    main = decode(role="attention", cache_dtype="bf16", dram_read_bytes=100.0, flops=1e15)
    helper = decode(kernel="attention_combine", role="attention", cache_dtype="bf16", dram_read_bytes=7.0, flops=9.0)
    found = useful(pl.concat([main, helper]), stating(batch=2), MODEL)
    assert found["useful_flops"].to_list() == [300.0, 0.0]
    assert found["useful_flops_source"].to_list() == ["kv_bytes", "none"]
    alone = useful(helper, stating(batch=2), MODEL)
    assert (alone["useful_flops"].item(), alone["useful_flops_source"].item()) == (None, None)
    assert {"read", "decode", "satellite"}.isdisjoint(found.columns)


def test_absorbed_latent_attention_reuses_its_cache_by_every_head() -> None:
    # 128 heads use 576 numbers for scores and 512 of them for values: 128 x (576 + 512) x 2 / (576 x 2 B) = 241.8
    on = frame(role=["attention"] * 2, cache_dtype=["bf16"] * 2, kernel=["flash_fwd_splitkv_mla_kernel", "formlayout"])
    assert on.select(**attention_bounds(Run()))["useful_intensity_high"].to_list() == [pytest.approx(241.78, abs=0.01), 16.0]
    latent = load("deepseek-v3")
    assert on.select(**attention_bounds(Run(), latent))["useful_intensity_high"][1] == pytest.approx(241.78, abs=0.01)


def test_the_model_bounds_the_heads_for_each_key() -> None:
    on = frame(role=["attention"], cache_dtype=["bf16"])
    # Llama 3.1 8B: 32 query heads on 8 key/value heads, 2 x 4 / 2 B
    assert on.select(**attention_bounds(Run(), load("llama-3.1-8b")))["useful_intensity_high"].to_list() == [4.0]
