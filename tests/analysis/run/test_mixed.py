"""Mixed steps, a piece of a prompt beside rows that decode: told by ranges and by kernels, left out of figures per token."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.run.cuts.ranges import TOLD, told
from ncu_roofline.analysis.run.mixed import Mixed, mixed
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.capture.capture import Capture, Device, Run
from ncu_roofline.present.documents.tokens import doubts
from ncu_roofline.present.documents.words_tokens import mixed_steps
from tests.analysis.run.test_cases import READ, Kernels, account, head, kernel, prompt, step, studied
from tests.command import run as command
from tests.kernels import launches

VLLM = "execute_context_{n}({tokens})_generation_{batch}({batch})"


def layer(rows: int, decoding: int, new: int, **given: Any) -> Kernels:
    """A layer in which prompts and rows that decode have attention of their own, as TensorRT-LLM launches it."""
    context = [kernel("fmha_v2_flash_attention_bf16_64_128_S_qkv_128_causal_tma_ws_sm90_kernel", 132, 1e6, **given)]
    return [
        kernel("fused_add_rms_norm_kernel", rows, **given),
        kernel("nvjet_qkv", 32, 3e6, **given),
        kernel("reshape_and_cache_flash_kernel", rows, **given),
        *(context if new else []),
        *([kernel("kernel_mha", 8, 4e6, **given)] if decoding else []),
        kernel("nvjet_out", 32, 3e6, **given),
        kernel("fused_add_rms_norm_kernel", rows, **given),
        kernel("nvjet_gate_up", 64, 6e6, **given),
        kernel("silu_and_mul_kernel", rows, **given),
        kernel("nvjet_down", 32, 6e6, **given),
    ]


def apart(decoding: int, new: int = 0, **given: Any) -> Kernels:
    """A step of four layers; a prompt's piece yields one token."""
    rows = decoding + new
    inner = [one for _ in range(4) for one in layer(rows, decoding, new, **given)]
    return [kernel("vectorized_gather_kernel", rows, **given), *inner, *head(decoding + bool(new), **given)]


def ranged(name: str, kernels: Kernels) -> Kernels:
    return [one | {"nvtx": [name]} for one in kernels]


def of(found: Study) -> Mixed:
    """The mixed steps, of which there are some."""
    seen = mixed(found.every, found.run)
    assert seen is not None
    return seen


def test_kernels_of_both_phases_in_each_layer_make_a_step_mixed_and_leave_it_out() -> None:
    found = studied(apart(8, 100), apart(8), apart(8))

    # 2 x 8, not 3 steps, and not the 9 rows that the first one samples
    assert account(found) == (2, 8, 4, 16)
    assert found.run.prefill_passes.value == 0
    assert found.every["phase"].cast(pl.String).unique().sort().to_list() == ["decode", "mixed"]


def test_attention_is_told_apart_where_its_kernels_are_and_weights_are_not() -> None:
    seen = of(studied(apart(8, 100), apart(8)))

    # four layers: 4 MB of rows that decode, 1 MB of the prompt; the rest of 4 x 27 + 12 MB serves both
    assert (seen.steps, seen.sequences, seen.decode_bytes, seen.prompt_bytes) == (1, None, 16e6, 4e6)
    assert (seen.dram_bytes, seen.shared_bytes) == (120e6, 100e6)
    # nothing counts the rows that decode
    assert (seen.low, seen.high) == (None, None)


def test_a_range_with_both_counts_bounds_what_a_token_of_a_mixed_step_costs() -> None:
    name = VLLM.format(n=1, tokens=100, batch=8)
    plain = VLLM.format(n=0, tokens=0, batch=8)
    found = studied(ranged(name, apart(8, 100)), ranged(name, apart(8, 100)), ranged(plain, apart(8)))
    seen = of(found)

    assert account(found) == (1, 8, 4, 8)
    assert (seen.steps, seen.sequences, seen.prompt_tokens, seen.tokens) == (2, 16, 200, 16.0)
    # 2 x 4 layers x 4 MB; 2 x 120 MB without 2 x 4 layers x 1 MB
    assert (seen.low, seen.high) == (32e6 / 16, (240e6 - 8e6) / 16)
    said = mixed_steps(found)
    assert said.startswith("2 mixed steps (16 rows that decode, 200 prompt tokens) move ")
    assert said.endswith(" A token of theirs costs 2 MB (its own attention) to 14.5 MB.")


def test_one_kernel_for_both_tells_for_nobody_and_only_bounds_a_token_from_above() -> None:
    name = VLLM.format(n=1, tokens=100, batch=8)
    found = studied(ranged(name, step(108, sampled=9)))
    seen = of(found)

    assert (seen.decode_bytes, seen.prompt_bytes, seen.low) == (None, None, None)
    assert seen.high == sum(one["m:dram__bytes.sum"] for one in step(108, sampled=9)) / 8
    assert "nothing tells for whom" in mixed_steps(found)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (VLLM.format(n=2, tokens=512, batch=8), ("mixed", 8, 8, 512)),
        ("execute_520_context_2(sq512sk900sqsq1sqsk2)_generation_8(sq8sk4096sqsq8sqsk4096)", ("mixed", 8, 8, 512)),
        ("execute_context_2(512)_generation_0(0)", ("prefill", None, None, None)),
        ("execute_context_0(0)_generation_8(8)", ("decode", 8, 8, None)),
        ("execute_520_context_2_generation_8", ("mixed", 8, None, None)),
        ("execute_512_context_2_generation_0", ("prefill", None, None, None)),
        ("execute_new_2_cached_8", ("mixed", None, None, None)),
        ("execute_new_2_cached_0", ("prefill", None, None, None)),
        ("execute_new_0_cached_8", (None, 8, None, None)),
        ("[Executor] _forward_step 7: 2 ctx reqs, 512 ctx tokens, 8 gen reqs", ("mixed", 8, None, 512)),
        ("[Executor] _forward_step 7: 2 ctx reqs, 512 ctx tokens, 0 gen reqs", ("prefill", None, None, None)),
        ("step[MIXED bs=9]", ("mixed", None, None, None)),
        ("step[EXTEND bs=1 toks=107]", ("prefill", None, None, None)),
    ],
)
def test_ranges_of_engines_tell_prompts_from_rows_that_decode(name: str, expected: tuple[object, ...]) -> None:
    row = told((name,)).row(0, named=True)

    assert (row["nvtx_phase"], row["nvtx_batch"], row["nvtx_rows"], row["nvtx_prompt"]) == expected
    assert set(row) == {"name", *TOLD}


def test_requests_that_an_older_range_counts_are_sequences_and_no_phase() -> None:
    name = "execute_new_0_cached_8"
    decoding, piece = studied(ranged(name, step(8))), studied(ranged(name, step(600, sampled=8)))

    assert account(decoding) == (1, 8, 4, 8)
    assert "vLLM's step ranges" in [w.says for w in decoding.run.batch.witnesses]
    # eight requests, one of them a piece of a prompt: no decode step of eight
    assert piece.run.steps.value is None
    assert set(piece.every["phase"].cast(pl.String)) == {"prefill"}


def test_a_question_about_prompts_leaves_mixed_steps_out_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = VLLM.format(n=1, tokens=100, batch=8)
    frame = launches(*ranged(name, apart(8, 100)), *apart(8))
    path = tmp_path / "synthetic.parquet"
    nr.save(Capture(launches=frame, device=Device(name="NVIDIA H100 80GB HBM3"), run=Run(), name="synthetic"), path)

    text = command(capsys, "tokens", str(path), "--phase", "prefill")[1]
    assert text.startswith("Nothing tells of a pass of prompts alone: no bytes per prompt token.")
    found = json.loads(command(capsys, "tokens", str(path), "--format", "json")[1])
    assert (found["tokens"], found["mixed"]["sequences"], found["mixed"]["prompt_tokens"]) == (8, 8, 100)
    assert found["mixed"]["decode_attention_bytes"] == 16e6


def test_all_rows_of_a_pass_count_as_prompt_tokens_only_with_a_word_of_doubt() -> None:
    doubt = "No range tells whether sequences decode beside these prompts: every row is taken for a token of a prompt."
    whole = step(600, sampled=9)
    assert doubt in said_of_prompts(whole)
    assert doubt not in said_of_prompts(ranged("execute_context_9(600)_generation_0(0)", whole))


def said_of_prompts(kernels: Kernels) -> list[str]:
    """The doubts about figures per prompt token."""
    found = study(
        Capture(launches=launches(*kernels), device=Device(name="NVIDIA H100 80GB HBM3"), run=Run()), Choices(phase="prefill")
    )
    return list(doubts(found, totals(found.every, found.run, "prefill")))


def test_a_step_of_a_prompt_and_bytes_that_are_missing_are_no_guess() -> None:
    assert mixed(studied(prompt(3000)).every, Run()) is None
    lost = studied([one | {"m:" + READ: None, "m:dram__bytes.sum": None} for one in apart(8, 100)])
    assert of(lost).dram_bytes is None
    assert mixed_steps(lost) == "1 mixed step is left out; bytes of it are missing."
