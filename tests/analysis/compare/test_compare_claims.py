"""The claims table of the mission: each technique as a planted pair, at batch 1, 8 and 32.

Planted runs come from tests/synthetic: exact bytes and FLOPs, 5 % noise on each launch's time and 0.5 % on
its bytes, another seed on each side. Where the mission states how the time went, the pair is given that time.
"""

from dataclasses import replace
from functools import cache
from math import log
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import Comparison, compare, eaters
from ncu_roofline.analysis.study import Study
from tests import planted
from tests.synthetic import LLAMA_8B_MHA, QWEN3_MOE

BATCHES = (1, 8, 32)
at_every_batch = pytest.mark.parametrize("batch", BATCHES)


@cache
def run(batch: int, **options: Any) -> Study:
    return planted.study(batch=batch, noise=0.05, **options)


def pair(base: Study, head: Study, *vary: str) -> Comparison:
    return compare([base], [head], vary=frozenset(vary))


@at_every_batch
def test_zeros_in_dense_weights_change_nothing(batch: int) -> None:
    assert pair(run(batch), run(batch, zeroed=True, seed=1)).verdict == "same_bytes"


@at_every_batch
def test_two_of_four_sparsity_cuts_bytes_and_allows_their_ratio_never_two(batch: int) -> None:
    head = run(batch, weights="sparse24", seed=1)
    # sparse kernels that stream at 0.80 of the bandwidth instead of the generator's 0.63
    faster = pl.when(pl.col("name").str.contains("sparse")).then(pl.col("seconds") * 0.63 / 0.80).otherwise("seconds")
    comparison = pair(run(batch), replace(head, launches=head.launches.with_columns(faster.alias("seconds"))))
    judged = comparison.judged
    assert comparison.verdict == "cuts_bytes"
    assert judged.allowed == pytest.approx((judged.bytes.base or 0) / (judged.bytes.head or 1))
    # weights shrink to 9/16 (half the values, two bits for each kept one): 1.78x at most, less what is not weights
    assert judged.allowed is not None and judged.speedup is not None
    assert 1.2 < judged.allowed < 16 / 9 < 2
    assert judged.speedup < judged.allowed


@at_every_batch
def test_fp8_with_half_the_bytes_in_four_fifths_of_the_time_keeps_the_time(batch: int) -> None:
    base = run(batch)
    halved = base.launches.with_columns(pl.col("dram_bytes") * 0.5, pl.col("seconds") * 0.8, pl.col("bandwidth_share") * 0.625)
    comparison = pair(base, replace(base, launches=halved))
    assert comparison.verdict == "bytes_cut_time_kept"
    assert comparison.judged.realised == pytest.approx(log(1.25) / log(2)) == pytest.approx(0.32, abs=0.002)


@at_every_batch
def test_fp8_w8a8_is_eaten_by_its_own_kernels_and_by_added_quantisation(batch: int) -> None:
    comparison = pair(run(batch), run(batch, weights="fp8", seed=1))
    assert comparison.verdict in ("bytes_cut_time_kept", "cuts_bytes")
    # 1.25x at batch 1, where weights are nearly all; less where the cache keeps its bytes
    assert 1.1 < (comparison.judged.speedup or 0) < 1.3
    named = eaters(comparison).head(2)
    assert named["role"].to_list() == ["fc", "quantize"]
    assert named["what"].cast(pl.String).to_list() == ["renamed", "added"]


@at_every_batch
def test_skipped_layers_whose_experts_are_read_all_the_same_are_a_flop_mirage(batch: int) -> None:
    comparison = pair(run(batch, model=QWEN3_MOE), run(batch, model=QWEN3_MOE, skip=0.25, seed=1))
    assert comparison.verdict == "flop_mirage"
    assert (comparison.judged.flops.part or 0) < -0.1


@at_every_batch
def test_skipped_layers_that_are_not_read_cut_bytes(batch: int) -> None:
    comparison = pair(run(batch, model=QWEN3_MOE), run(batch, model=QWEN3_MOE, skip=0.5, skip_reads=False, seed=1))
    assert comparison.verdict == "cuts_bytes"


@at_every_batch
def test_four_bit_weights_cut_bytes(batch: int) -> None:
    assert pair(run(batch), run(batch, weights="int4", seed=1)).verdict == "cuts_bytes"


@at_every_batch
def test_a_cache_of_half_the_width_cuts_bytes(batch: int) -> None:
    # at 16 k tokens, so that the cache is a share of the bytes that 5 % noise of time does not hide at batch 1
    base, head = (run(batch, context=16384, kv_bytes=width, seed=width) for width in (2, 1))
    comparison = pair(base, head, "kv")
    assert comparison.verdict == "cuts_bytes"
    rows = {r["role"]: r for r in comparison.rows["role"].to_dicts()}
    assert rows["attention"]["bytes_change"] == pytest.approx(-0.5, abs=0.01)


@at_every_batch
def test_a_window_on_the_cache_cuts_bytes(batch: int) -> None:
    assert pair(run(batch, context=16384), run(batch, context=4096, seed=1), "context").verdict == "cuts_bytes"


@at_every_batch
def test_grouped_queries_cut_bytes(batch: int) -> None:
    assert pair(run(batch, model=LLAMA_8B_MHA), run(batch, seed=1), "model").verdict == "cuts_bytes"


@pytest.mark.parametrize(("before", "after"), [(1, 8), (8, 32), (1, 32)])
def test_batching_cuts_weight_bytes_per_token_as_one_over_the_batch(before: int, after: int) -> None:
    comparison = pair(run(before), run(after, seed=1), "batch")
    assert comparison.verdict == "cuts_bytes"
    rows = {r["role"]: r for r in comparison.rows["role"].to_dicts()}
    assert rows["fc"]["head_bytes"] / rows["fc"]["base_bytes"] == pytest.approx(before / after, rel=0.05)
    assert rows["attention"]["bytes_change"] == pytest.approx(0.0, abs=0.01)


def test_batching_that_nobody_called_the_experiment_is_not_comparable() -> None:
    comparison = pair(run(1), run(8, seed=1))
    assert comparison.verdict == "not_comparable"
    assert [(d.what, d.base, d.head) for d in comparison.blocking] == [("batch", "1", "8")]


@at_every_batch
def test_fc_beyond_the_ridge_is_outside_the_regime(batch: int) -> None:
    # a prefill of many tokens per sequence has every weight matrix beyond the ridge; its kernels stand here as decode
    def prefill(seed: int) -> Study:
        made = run(batch, prefill=max(4096 // batch, 1024), context=1024, layers=4, seed=seed)
        passes = made.launches.filter(pl.col("phase").cast(pl.String) == "prefill")
        return replace(made, launches=passes.with_columns(pl.lit("decode").alias("phase")))

    comparison = pair(prefill(0), prefill(1))
    assert comparison.verdict == "outside_regime"
    assert (comparison.judged.beyond or 0) > 0.3


@at_every_batch
def test_a_run_against_itself_is_no_change_with_no_noise_of_its_own(batch: int) -> None:
    comparison = pair(run(batch), run(batch))
    assert comparison.verdict == "no_change"
    assert comparison.judged.bytes.log == comparison.judged.seconds.log == 0.0
