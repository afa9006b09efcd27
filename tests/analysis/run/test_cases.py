"""Runs that once were told wrong with confidence: each is a case by name, as the kernels of an engine would show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import polars as pl

from ncu_roofline.analysis.run.ranks import ranks
from ncu_roofline.analysis.run.role_bytes import role_bytes
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.analysis.study import Study, study
from ncu_roofline.capture.capture import Capture, Device, Fact
from tests.kernels import launch, launches
from tests.stating import stating

Kernels = list[dict[str, Any]]
READ = "dram__bytes_read.sum"


def kernel(name: str, x: int, bytes_: float = 1e6, **given: Any) -> dict[str, Any]:
    """One launch with so many blocks along x, that reads so many bytes."""
    place = {"process": 1, "device": 0, "stream": 7}
    return launch(name, grid=[x, 1, 1], m={READ: bytes_, "dram__bytes.sum": bytes_}, **place | given)


def layer(rows: int, **given: Any) -> Kernels:
    """norm, QKV, cache write, attention, output, norm, gate-up, activation, down."""
    return [
        kernel("fused_add_rms_norm_kernel", rows, **given),
        kernel("nvjet_qkv", 32, 3e6, **given),
        kernel("reshape_and_cache_flash_kernel", rows, **given),
        kernel("some_attention_kernel", 64, 4e6, **given),
        kernel("nvjet_out", 32, 3e6, **given),
        kernel("fused_add_rms_norm_kernel", rows, **given),
        kernel("nvjet_gate_up", 64, 6e6, **given),
        kernel("silu_and_mul_kernel", rows, **given),
        kernel("nvjet_down", 32, 6e6, **given),
    ]


def layers(rows: int, depth: int, **given: Any) -> Kernels:
    return [one for _ in range(depth) for one in layer(rows, **given)]


def head(sampled: int, **given: Any) -> Kernels:
    """Final norm, LM head and sampling of so many rows."""
    sampler = kernel("TopKTopPSamplingFromProbKernel", sampled, **given)
    return [kernel("fused_add_rms_norm_kernel", sampled, **given), kernel("nvjet_lm_head", 500, 9e6, **given), sampler]


def step(rows: int, depth: int = 4, sampled: int | None = None, **given: Any) -> Kernels:
    """A whole pass from its embedding to its sampling."""
    opened = [kernel("vectorized_gather_kernel", rows, **given)]
    return [*opened, *layers(rows, depth, **given), *head(rows if sampled is None else sampled, **given)]


def prompt(rows: int, depth: int = 4, **given: Any) -> Kernels:
    """A pass that samples nothing and has no head."""
    return [kernel("vectorized_gather_kernel", rows, **given), *layers(rows, depth, **given)]


def studied(*kernels: Iterable[dict[str, Any]], **facts: Any) -> Study:
    """The study of these kernels in their order; synthetic."""
    frame = launches(*(one for part in kernels for one in part))
    run = replace(stating(**facts), synthetic=Fact(True))
    return study(Capture(launches=frame, device=Device(name="NVIDIA H100 80GB HBM3"), run=run))


def account(found: Study) -> tuple[int | None, int | None, int | None, float | None]:
    """Steps, batch, layers and tokens."""
    run, whole = found.run, totals(found.launches, found.run)
    return run.steps.value, run.batch.value, run.layers.value, whole.tokens


def test_plain_steps_are_told() -> None:
    assert account(studied(step(8), step(8))) == (2, 8, 4, 16)


def test_five_steps_at_8_and_one_at_256_are_296_tokens() -> None:
    found = studied(*[step(8)] * 5, step(256))
    # 5 x 8 + 256
    assert account(found) == (6, None, 4, 296)
    assert found.run.batch.span == (8, 256)


def test_nine_steps_at_8_and_one_at_64_are_136_tokens() -> None:
    # 9 x 8 + 64
    assert account(studied(*[step(8)] * 9, step(64))) == (10, None, 4, 136)


def test_a_draft_half_as_deep_is_no_step_and_no_token_is_assumed() -> None:
    drafts = [step(8, 2)] * 3
    found = studied(*[*drafts, step(32, 4)] * 3)
    steps, batch, depth, tokens = account(found)
    assert (steps, depth, tokens) == (3, 4, None)
    assert batch in (None, 8)
    assert found.run.accepted.value is None


def test_the_bytes_of_drafts_stand_in_the_steps_that_they_serve() -> None:
    one = [*step(8, 2), *step(8, 2), *step(24, 4)]
    found = studied(one, one)
    whole = totals(found.launches, found.run)
    assert whole.sums["dram_bytes"] == sum(k[f"m:{READ}"] for k in [*one, *one])
    assert whole.steps == 2


def test_verify_tree_greedy_behind_the_argmax_belongs_to_the_step_and_makes_tokens_unknown() -> None:
    verified = [*step(40), kernel("VerifyTreeGreedy", 8)]
    found = studied(*[verified] * 4)
    steps, batch, depth, tokens = account(found)
    # one block of the verification is a sequence: 40 rows are 8 of them
    assert (steps, batch, depth, tokens) == (4, 8, 4, None)
    assert found.run.prefill_passes.value in (0, None)


def test_argmax_over_all_verified_rows_is_no_batch() -> None:
    drafted = [*step(8, 1), *step(8, 1), *step(8, 1), *step(8, 1)]
    found = studied(*[[*drafted, *step(40, 4)]] * 3)
    assert account(found)[1] in (None, 8)
    assert account(found)[3] is None


def test_a_prompt_of_100_tokens_without_head_is_no_decode_step() -> None:
    for rows in (72, 100, 128):
        found = studied(prompt(rows))
        assert account(found) == (None, None, None, None) or account(found)[2] == 4
        assert (found.run.batch.value, found.run.steps.value) == (None, None)
        assert found.run.prefill_passes.value is None


def test_chunks_of_64_are_no_decode_steps() -> None:
    found = studied(*[prompt(64)] * 4)
    assert (found.run.steps.value, found.run.batch.value) == (None, None)
    assert totals(found.launches, found.run).tokens is None


def test_chunks_of_64_before_steps_at_8_are_no_steps() -> None:
    found = studied(*[prompt(64)] * 3, prompt(64), *[step(8)] * 5)
    assert account(found) == (5, 8, 4, 40)


def test_a_mixed_step_is_left_out_of_the_tokens() -> None:
    found = studied(*[step(8)] * 3, step(8 + 64, sampled=9), *[step(9)] * 2)
    # 3 x 8 + 2 x 9
    assert account(found)[3] == 42


def test_attn_kv_of_two_key_value_heads_is_no_batch_of_two() -> None:
    # one sequence: its vector products have one row, `attn_kv` a block for each of two heads
    one = [kernel("gemv2T_kernel_val", 32, 3e6), kernel("attn_kv", 2, 4e6), kernel("gemv2T_kernel_val", 64, 9e6)]
    assert studied(one * 4).run.batch.value in (None, 1)
    assert studied(*[[*step(1)[:4], kernel("attn_kv", 2), *step(1)[5:]]] * 2).run.batch.value == 1
    assert studied([kernel("attn_kv", 2)] * 4).run.batch.value is None


def test_a_plan_for_more_sequences_of_the_next_step_leaves_the_batch_of_a_torn_one_a_range() -> None:
    plan = kernel("create_flashinfer_kv_indices_triton", 32)
    found = studied([*layers(16, 1)[3:], *head(16), plan])
    assert (found.run.batch.value, found.run.batch.low, found.run.batch.high) == (None, 16, 32)
    # a plan for as many as a CUDA graph holds, 12 of them sampled: only a bound
    padded = studied(*[[kernel("create_flashinfer_kv_indices_triton", 16), *step(16, sampled=12)]] * 2)
    assert padded.run.batch.value == 12


def test_the_end_of_a_step_that_samples_other_rows_leaves_the_batch_of_the_next_a_range() -> None:
    found = studied(head(64), step(16)[:20], [kernel("reduce_segments", 16)])
    assert (found.run.batch.value, found.run.batch.low, found.run.batch.high) == (None, 16, 64)


def test_pieces_of_two_models_in_turn_are_not_of_one_batch() -> None:
    # the end of a step of 64 rows, then the beginning of one of 24 that may be decode or a prompt
    found = studied([*layers(64, 1)[3:], *head(64)], step(24)[:20])
    assert (found.run.batch.value, found.run.batch.low, found.run.batch.high) == (None, 24, 64)


def test_both_ranks_of_two_in_one_file_are_one_run() -> None:
    def with_reduce(process: int) -> Kernels:
        place = {"process": process, "device": 0}
        parts = [[*layer(8, **place), kernel("cross_device_reduce_1stage", 2, **place)] for _ in range(4)]
        return [kernel("vectorized_gather_kernel", 8, **place), *(k for p in parts for k in p), *head(8, **place)]

    found = studied(with_reduce(1), with_reduce(1), with_reduce(2), with_reduce(2))
    assert account(found) == (2, 8, 4, 16)
    assert totals(found.launches, found.run).gpus == 2


def test_a_prompt_on_two_ranks_is_one_prefill_pass() -> None:
    def rank(process: int) -> Kernels:
        place = {"process": process, "device": process}
        reduce = kernel("cross_device_reduce_1stage", 2, **place)
        return [reduce, *step(100, sampled=1, **place), reduce, *step(8, **place), *step(8, **place)]

    found = studied(rank(0), rank(1))
    assert (found.run.prefill_passes.value, found.run.steps.value, found.run.tp.value) == (1, 2, 2)


def test_ranks_that_move_unlike_bytes_say_by_how_much() -> None:
    def rank(process: int, bytes_: float) -> Kernels:
        place = {"process": process, "device": process}
        return [kernel("cross_device_reduce_1stage", 2, bytes_, **place), *step(8, **place)]

    found = studied(rank(0, 1e6), rank(1, 11e6))
    # 1 gather, 4 layers of 26 MB, final norm 1, head 9, sampling 1 and the exchange: 117 and 127 MB, 122 on average
    told = ranks(found.launches)
    assert told is not None
    assert (told.number, told.low, told.high, round(told.imbalance, 4)) == (2, 117e6, 127e6, round(5 / 122, 4))
    assert ranks(studied(step(8)).launches) is None


def test_one_rank_of_four_says_so() -> None:
    name = "void vllm::cross_device_reduce_1stage<__nv_bfloat16, 4>(RankData *, RankSignals, Signal *)"
    reduce = {**kernel("cross_device_reduce_1stage", 2), "name": name}
    parts = [[*layer(8), reduce] for _ in range(4)]
    one = [kernel("vectorized_gather_kernel", 8), *(k for p in parts for k in p), *head(8)]
    found = studied(one, one)
    assert account(found) == (2, 8, 4, 16)
    assert (found.run.tp.value, totals(found.launches, found.run).tp) == (4, 4)


def test_two_halves_of_a_batch_on_two_streams_are_no_deeper_model() -> None:
    halves = [one for pair in zip(layers(8, 4, stream=7), layers(8, 4, stream=8), strict=True) for one in pair]
    one = [kernel("vectorized_gather_kernel", 16), *halves, *head(16)]
    found = studied(one, one)
    assert found.run.layers.value in (None, 4)
    assert found.run.batch.value in (None, 16)
    assert account(found)[3] in (None, 32)


def test_two_halves_on_two_streams_in_less_than_a_layer_are_one_batch() -> None:
    torn = layer(8)[1:6]
    halves = [{**one, "stream": stream} for one in torn for stream in (7, 8)]
    found = studied(halves, [kernel("reduce_segments", 8, stream=stream) for stream in (7, 8)])
    assert found.run.batch.value in (None, 16)


def test_two_models_in_turn_are_not_one_model_of_either_depth() -> None:
    found = studied(*[[*step(8, 4), *step(8, 3)]] * 3)
    assert found.run.layers.value is None
    assert totals(found.launches, found.run).tokens is None


def test_a_window_of_one_layer_and_ten_launches_is_answered_from_the_layer() -> None:
    window = [*layer(1), *layer(1)[:4]]
    found = studied(window)
    whole = totals(found.every, found.run)
    assert found.launches.height == 9
    # norm 1, QKV 3, write 1, attention 4, output 3, norm 1, gate-up 6, activation 1, down 6
    assert (whole.sums["dram_bytes"], whole.torn, whole.layers) == (26e6, 4, 1)


def test_one_layer_and_ten_launches_are_decided_by_what_whole_layers_read() -> None:
    # a layer reads 18 MB of weights and 14 of the cache; with the torn rest they would be 21 and 28
    wide = [{**one, f"m:{READ}": 14e6, "m:dram__bytes.sum": 14e6} if "attention" in one["name"] else one for one in layer(1)]
    found = studied([*wide, *wide, *wide][:19])
    told = role_bytes(found.launches, found.run).rows.filter(pl.col("role").is_in(["fc", "attention"]))
    assert told.select("role", "bytes").rows() == [("fc", 36e6), ("attention", 28e6)]


def test_a_cut_step_at_the_end_is_no_step() -> None:
    assert account(studied(step(8), step(8), step(8)[:20])) == (2, 8, 4, 16)


def test_ranges_of_the_engine_tell_a_window_without_a_head() -> None:
    found = studied(layers(8, 2, nvtx=["step[DECODE bs=7]"]))
    assert (found.run.batch.value, found.run.batch.witnesses[0].rank) == (7, "nvtx")


def test_rows_are_shown_as_a_frame() -> None:
    found = studied(step(8), step(16))
    told = found.launches.group_by("step", maintain_order=True).agg(pl.col("step_batch").first())
    assert told.rows() == [(0, 8), (1, 16)]
