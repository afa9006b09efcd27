"""Useful work beside executed work, and which matrix a kernel streams."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.model.alignment import Matrix, Product, aligned
from ncu_roofline.analysis.model.useful import useful
from ncu_roofline.analysis.run.context import with_context
from ncu_roofline.analysis.run.tokens import per_token
from ncu_roofline.analysis.study import Choices, study
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import PHASES, ROLES, SOURCES, enum
from ncu_roofline.knowledge.models import models
from ncu_roofline.readers import read
from tests.corpus import CORPUS, needs_corpus
from tests.kernels import launch, launches
from tests.stating import stating
from tests.synthetic import capture

GUJIALIANG = "gujialiang123__MOEresearch__results__"
TRITON = GUJIALIANG + "2026-06-09_sglang_triton_sweep__ncu__R_{}__ncu_raw_full.csv"
LFM = GUJIALIANG + "2026-07-08_v6_ncu__lfm2.5-8b-a1b__cookbook_baseline__R_{}__ncu.ncu-rep"
QWEN = {"short_decode": 1, "medium_balanced": 8, "concurrent_decode": 32}


def of(path: str, model: str) -> tuple[pl.DataFrame, Run]:
    found = study(read(CORPUS / path), Choices(model=models.load(model)))
    return found.every, found.run


def qwen(name: str) -> pl.DataFrame:
    return of("csv/" + TRITON.format(name), "qwen3-30b-a3b")[0]


def one(frame: pl.DataFrame, **where: Any) -> dict[str, Any]:
    """The first launch with these values."""
    return frame.filter(**where).row(0, named=True)


def decode(**columns: Any) -> pl.DataFrame:
    """One decode launch with these columns beside those of every analysis before."""
    rows = launches(launch(str(columns.pop("kernel", "kernel")), index=0))
    given = {
        "role": "fc",
        "phase": "decode",
        "step": 0,
        "layer": None,
        "position": None,
        "layer_whole": None,
        "flops": None,
        "flops_complete": True,
        "flops_source": None,
        "tensor_flops": None,
        "dram_bytes": None,
        "dram_read_bytes": None,
        "weight_dtype": None,
        "cache_dtype": None,
    } | columns
    types = {
        "role": enum(ROLES),
        "phase": enum(PHASES),
        "step": pl.Int64(),
        "layer": pl.Int64(),
        "position": pl.Int64(),
        "layer_whole": pl.Boolean(),
        "flops_complete": pl.Boolean(),
        "flops_source": enum(SOURCES),
        "weight_dtype": pl.String(),
        "cache_dtype": pl.String(),
    }
    return rows.with_columns(pl.lit(v, types.get(k, pl.Float64())).alias(k) for k, v in given.items())


def test_without_a_model_the_weights_that_were_read_are_used_once_per_sequence() -> None:
    frame = decode(weight_dtype="bf16", dram_read_bytes=2e6, flops=1e9)
    row = useful(frame, stating(batch=4)).row(0, named=True)
    # 2e6 bytes of 2 = 1e6 weights; 2 FLOPs x 4 sequences each
    assert (row["useful_flops"], row["useful_flops_source"]) == (8e6, "weight_bytes")


def test_an_estimate_from_bytes_never_exceeds_the_executed_work() -> None:
    frame = decode(weight_dtype="bf16", dram_read_bytes=2e6, flops=5e6)
    assert useful(frame, stating(batch=4))["useful_flops"].item() == 5e6


@pytest.mark.parametrize(("source", "useful_flops"), [("pipe", 5e6), ("counter", 5e6), ("instructions", 8e6)])
def test_counted_tensor_work_cuts_an_estimate_even_where_other_families_were_not_counted(
    source: str, useful_flops: float
) -> None:
    # 2 x 4 sequences x 1e6 weights; a count of instructions is up to 2x off, so it cuts nothing
    frame = decode(
        weight_dtype="bf16", dram_read_bytes=2e6, flops=5e6, tensor_flops=5e6, flops_source=source, flops_complete=False
    )
    assert useful(frame, stating(batch=4))["useful_flops"].item() == useful_flops


def test_layers_of_an_unknown_weight_width_stream_no_matrix() -> None:
    # in 4 bits down_proj has nearly the bytes of o_proj in 16, and must not be taken for it
    made = study(capture(batch=8, weights="int4", layers=4), Choices(model=models.load("llama-3.1-8b")))
    products = made.launches.filter(pl.col("layer").is_not_null(), role="fc")
    assert products.height == 4 * 4
    assert products["matrix_n"].null_count() == products["useful_flops"].null_count() == products.height


def test_the_name_of_a_sparse_product_tells_its_width_and_so_its_side() -> None:
    # 2:4 in 16 bits takes 9/8 byte a weight: 2 x 8 / 1.125 = 14.2 FLOP/byte, where tiles of 256 rows execute 440
    made = study(capture(batch=8, weights="sparse24", layers=4))
    products = made.launches.filter(pl.col("layer").is_not_null(), role="fc")
    assert products["useful_flops"].to_list() == pytest.approx((16 / 1.125 * products["dram_read_bytes"]).to_list())
    assert set(products["bound"]) == {"memory"}


def test_the_stated_weight_width_finds_the_matrices_of_every_layer() -> None:
    made = capture(batch=8, weights="int4", layers=4)
    told = study(replace(made, run=stating(made.run, weights="int4")), Choices(model=models.load("llama-3.1-8b")))
    down = told.launches.filter(projection="down_proj")
    assert down["matrix_bytes"].to_list() == [14336 * 4096 / 2] * 4


def test_without_batch_there_is_no_useful_work() -> None:
    frame = decode(weight_dtype="bf16", dram_read_bytes=2e6, flops=1e9)
    assert useful(frame, Run())["useful_flops"].to_list() == [None]


@pytest.mark.parametrize(("dtype", "low", "high"), [("fp32", 0.5, 8.0), ("bf16", 1.0, 16.0), ("int8", 2.0, 32.0)])
def test_attention_without_a_model_is_bounded_by_its_cache_type(dtype: str, low: float, high: float) -> None:
    # 2 g / s with s = 4, 2, 1 and g from 1 to 16
    frame = useful(decode(role="attention", cache_dtype=dtype, dram_read_bytes=1e6), stating(batch=8))
    assert frame.select("useful_intensity_low", "useful_intensity_high").row(0) == (low, high)
    assert frame["useful_flops"].to_list() == [None]


def test_attention_with_a_model_does_two_flops_per_query_head_and_cached_element() -> None:
    frame = decode(role="attention", cache_dtype="bf16", dram_read_bytes=2e6, flops=1e9)
    row = useful(frame, stating(batch=8), models.load("llama-3.1-8b")).row(0, named=True)
    # 2e6 bytes of 2 = 1e6 elements of K or V; 32 / 8 query heads share each: 1e6 x 2 x 4
    assert (row["useful_flops"], row["useful_flops_source"]) == (8e6, "kv_bytes")


def test_prefill_has_no_useful_work_by_decode_rules() -> None:
    frame = decode(phase="prefill", weight_dtype="bf16", dram_read_bytes=2e6, flops=1e9)
    assert useful(frame, stating(batch=4))["useful_flops"].to_list() == [None]


MATRICES = [
    Matrix(name="q", n=40, k=100, bytes=8_000.0, first=0),
    Matrix(name="k", n=10, k=100, bytes=2_000.0, first=1),
    Matrix(name="o", n=30, k=100, bytes=6_000.0, first=2),
    Matrix(name="qk", n=50, k=100, bytes=10_000.0, first=0, parts=2),
]


def names(reads: list[float | None]) -> list[str | None]:
    chosen = aligned([Product(r) for r in reads], MATRICES)[1]
    return [m.name if m else None for m in chosen]


def test_fused_and_separate_matrices_are_told_apart_by_bytes() -> None:
    assert names([8_000.0, 2_000.0, 6_000.0]) == ["q", "k", "o"]
    assert names([10_100.0, 6_000.0]) == ["qk", "o"]


def test_a_product_that_fits_no_matrix_streams_none() -> None:
    assert names([10_000.0, 77.0, 6_000.0]) == ["qk", None, "o"]


@needs_corpus
@pytest.mark.parametrize(("name", "batch"), QWEN.items())
def test_qkv_of_qwen3_does_two_flops_per_weight_and_sequence(name: str, batch: int) -> None:
    row = one(qwen(name), projection="qkv_proj")
    # [5120, 2048]: (32 + 2 x 4) heads of 128, hidden 2048
    assert row["useful_flops"] == 2 * batch * 5120 * 2048
    assert row["useful_flops"] / row["dram_bytes"] == pytest.approx(batch, rel=0.05)  # 2 B / 2 bytes


@needs_corpus
def test_qkv_of_qwen3_at_batch_one_executes_eight_times_its_useful_work() -> None:
    row = one(qwen("short_decode"), projection="qkv_proj")
    assert row["intensity"] == pytest.approx(8, rel=0.05)  # a tile of 8 rows for one
    assert row["padding"] == pytest.approx(8, rel=0.01)


@needs_corpus
@pytest.mark.parametrize(
    ("name", "by_bytes", "by_work"),
    [("short_decode", 366, 384), ("medium_balanced", 1741, 1792), ("concurrent_decode", 535, 640)],
)
def test_decode_attention_of_qwen3_fills_tiles_of_128(name: str, by_bytes: int, by_work: int) -> None:
    launches_, run = of("csv/" + TRITON.format(name), "qwen3-30b-a3b")
    row = one(launches_.sort("dram_bytes", descending=True), role="attention")
    batch = QWEN[name]
    # a cached token: K and V of 4 heads, width 128, 2 bytes = 2,048 bytes
    assert round(row["dram_read_bytes"] / (2 * 4 * 128 * 2) / batch) == by_bytes
    assert run.context.value == by_bytes
    # executed: 4 FLOPs x 128 wide x 128 rows of a tile x 4 KV heads, per cached token
    assert row["tensor_flops"] / (4 * 128 * 128 * 4 * batch) == by_work
    assert by_work % 128 == 0
    assert by_work >= by_bytes
    # useful: 32 query heads on 4 KV heads, 2 bytes: 2 x 8 / 2 = 8, while the executed one is 131 to 151
    assert row["useful_flops"] / row["dram_read_bytes"] == pytest.approx(8)
    assert 131 <= row["intensity"] <= 151


@needs_corpus
@pytest.mark.parametrize(("name", "distinct"), [("short_decode", 8), ("medium_balanced", 17), ("concurrent_decode", 33)])
def test_the_first_expert_product_reads_so_many_distinct_experts(name: str, distinct: int) -> None:
    row = one(qwen(name), projection="experts.gate_up_proj")
    assert round(row["experts_read"]) == distinct  # bytes / (1536 x 2048 x 2)
    # even routing would hit 128 (1 - (1 - 8/128)^B)
    assert models.load("qwen3-30b-a3b").expected_experts(1) == pytest.approx(8)


@needs_corpus
def test_the_matrices_of_lfm2_5_are_found_by_order_and_bytes() -> None:
    launches_, run = of("rep/" + LFM.format("decode_c1_out2k"), "lfm2.5-8b-a1b")
    table = per_token(launches_, run, "projection")
    shapes = {row["projection"]: [row["matrix_n"], row["matrix_k"]] for row in table.iter_rows(named=True)}
    assert shapes == {
        "conv.in_proj": [6144, 2048],
        "conv.out_proj": [2048, 2048],
        "w2": [2048, 7168],
        "gate_up_proj": [14336, 2048],
        "qkv_proj": [3072, 2048],
    }
    times = dict(table.select("projection", "read_amplification").iter_rows())
    assert times.pop("gate_up_proj") == pytest.approx(1.05, abs=0.005)
    assert all(1 <= t <= 1.02 for t in times.values())


@needs_corpus
@pytest.mark.parametrize("name", ["conc_ref", "decode_c128_out256"])
def test_activations_and_partial_sums_explain_what_a_product_moves_beside_its_matrix(name: str) -> None:
    launches_, run = of("rep/" + LFM.format(name), "lfm2.5-8b-a1b")
    table = per_token(launches_, run, "projection").filter(pl.col("projection") != "gate_up_proj")
    assert table.height == 4
    assert table.select(pl.col("read_amplification").max()).item() < 1.094
    assert table.select(pl.col("unexplained").abs().max()).item() < 0.03


@needs_corpus
def test_partial_sums_of_a_product_split_in_three_are_four_bytes_each() -> None:
    row = one(of("rep/" + LFM.format("conc_ref"), "lfm2.5-8b-a1b")[0], projection="w2")
    # grid 4 x 24 = 96 tiles of 64 x 32; the result [32, 2048] has 32 of them: K is split in 3
    assert row["output_bytes"] == 3 * 32 * 2048 * 4
    assert row["activation_bytes"] == 2 * 32 * 7168


def test_every_gpu_reads_all_latents_and_computes_its_own_heads() -> None:
    model = models.load("deepseek-v3")
    frame = decode(role="attention", cache_dtype="bf16", dram_read_bytes=2 * 576e6, flops=1e15)
    alone, shared = (useful(frame, stating(batch=8, tp=tp), model)["useful_flops"].item() for tp in (1, 8))
    # 576e6 elements of [512 + 64] latents are 1e6 cached tokens; on 8 GPUs each has 16 of the 128 heads
    assert shared == pytest.approx(alone / 8)


def test_layers_with_a_window_do_not_tell_the_context() -> None:
    model = models.load("gpt-oss-20b")
    # a cached token: K and V of 8 heads of 64, two bytes = 2,048 bytes; windows of 128 tokens, the others 4,096
    read = [128 * 2048.0, 4096 * 2048.0] * 3
    rows = pl.concat([decode(role="attention", cache_dtype="bf16", dram_read_bytes=r) for r in read])
    run, _ = with_context(useful(rows, stating(batch=1), model), stating(batch=1), model)
    assert run.context.value == 4096
