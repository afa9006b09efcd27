"""Steps, layers, batch and bytes of real engines' launch sequences (synthetic, real names), however the window is cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl
import pytest

from ncu_roofline.analysis.roles.roles import assign
from ncu_roofline.analysis.run import tokens
from ncu_roofline.analysis.run.sequence import Segmented, facts, segment
from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.kernels.roles import load_rules
from tests.engines import compiled, eager, llama_cpp, sglang, trtllm, vllm
from tests.engines.launches import K, frame, interleaved, k, noise
from tests.kernels import H100, h100
from tests.stating import stating

Engine = Callable[..., list[K]]
LAYERS = 8
BATCHED: dict[str, Engine] = {
    "vllm dense": vllm.dense,
    "vllm mla": vllm.mla,
    "vllm gpt-oss": vllm.gpt_oss,
    "vllm gated delta": vllm.gated_delta,
    "sglang deepseek": sglang.deepseek,
    "tensorrt-llm moe": trtllm.moe,
    "llama.cpp dense": llama_cpp.dense,
    "hf eager": eager.dense,
}
SILENT: dict[str, Engine] = {"gpt-fast": compiled.gpt_fast, "mlc": compiled.mlc, "llama.cpp moe": llama_cpp.moe}
EVERY = BATCHED | SILENT
ENGINES = pytest.mark.parametrize("engine", EVERY)


def segmented(launches: pl.DataFrame, run: Run | None = None) -> tuple[Segmented, Run]:
    """The launches with their steps and layers, and the run with what they tell."""
    worked = work(assign(launches, load_rules(None)), h100(), H100).with_columns(useful_flops=pl.lit(None, pl.Float64))
    found = segment(worked, drafts=run is not None and (run.accepted.value or 1) > 1)
    return found, facts(found, run or Run())[0]


def told(launches: Sequence[K], *names: str) -> tuple[object, ...]:
    run = segmented(frame(launches))[1]
    return tuple(getattr(run, name).value for name in names)


def moved(launches: Sequence[K]) -> float:
    return sum(one.read for one in launches)


def layers_of(launches: Sequence[K]) -> list[tuple[int | None, float]]:
    """Whole layers as found: the planted number of their first launch, and their bytes."""
    found = segmented(frame(launches))[0].launches.with_columns(planted=pl.Series([one.layer for one in launches]))
    whole = found.filter("layer_whole").group_by("step", "phase", "layer", maintain_order=True)
    return [
        (row[0], row[1])
        for row in whole.agg(pl.col("planted").first(), pl.col("dram_bytes").sum()).select("planted", "dram_bytes").iter_rows()
    ]


def planted_layers(step: Sequence[K]) -> dict[int, float]:
    """Layer -> its planted bytes."""
    numbers = {one.layer for one in step if one.layer is not None}
    return {n: moved([one for one in step if one.layer == n]) for n in numbers}


@pytest.mark.parametrize("batch", [1, 7, 8, 32, 100])
@pytest.mark.parametrize("engine", BATCHED)
def test_steps_layers_and_batch_of_a_served_batch(engine: str, batch: int) -> None:
    step = BATCHED[engine](batch, batch, LAYERS)
    if engine == "llama.cpp dense" and batch > 8:  # it samples on the CPU: many rows may as well be a prompt's
        assert told(step * 3, "steps", "layers", "batch", "prefill_passes") == (None, LAYERS, None, None)
    else:
        assert told(step * 3, "steps", "layers", "batch", "prefill_passes") == (3, LAYERS, batch, 0)


@pytest.mark.parametrize("engine", SILENT)
def test_steps_and_layers_where_no_sampling_is_seen(engine: str) -> None:
    assert told(SILENT[engine](1, 1, LAYERS) * 3, "steps", "layers") == (3, LAYERS)


@ENGINES
def test_bytes_per_token_are_those_of_a_step_over_its_batch(engine: str) -> None:
    batch = 1 if engine == "gpt-fast" else 8
    step = EVERY[engine](batch, batch, LAYERS)
    # the batch is stated: nothing in MLC's launches tells it
    found, run = segmented(frame(step * 2), stating(batch=batch))
    assert tokens.totals(found.launches, run).per_token("dram_bytes") == pytest.approx(moved(step) / batch)


@pytest.mark.parametrize("half", [0, pytest.param(1, marks=pytest.mark.slow)])  # of the places
@ENGINES
def test_a_layer_has_its_planted_bytes_wherever_the_window_is_cut(engine: str, half: int) -> None:
    step = EVERY[engine](1 if engine == "gpt-fast" else 8, 8, LAYERS)
    known = planted_layers(step)
    for at in range(3, len(step), max(len(step) // 9, 1))[half::2]:
        for number, size in layers_of((step * 3)[at : at + int(1.7 * len(step))]):
            assert number is not None and size == pytest.approx(known[number])


@ENGINES
def test_a_prefill_before_changes_no_decode_figure(engine: str) -> None:
    if engine == "gpt-fast":
        pytest.skip("decodes a single sequence only")
    decode, prefill = EVERY[engine](2, 2, LAYERS), EVERY[engine](700, 2, LAYERS, True)
    found, run = segmented(frame(prefill + decode * 3), stating(batch=2))
    if run.prefill_passes.value is None:
        assert run.prefill_passes.origin == "unknown"
        return
    assert (run.prefill_passes.value, run.steps.value) == (1, 3)
    assert tokens.totals(found.launches, run).per_token("dram_bytes") == pytest.approx(moved(decode) / 2)


@ENGINES
def test_noise_between_launches_hides_no_step(engine: str) -> None:
    step = EVERY[engine](1 if engine == "gpt-fast" else 8, 8, LAYERS)
    assert told(list(noise(step * 3, 7)), "steps", "layers") == (3, LAYERS)


@pytest.mark.parametrize(("sequences", "rows"), [(7, 8), (3, 4), (5, 8), (9, 16), (33, 40), (100, 104)])
@pytest.mark.parametrize("engine", [vllm.dense, sglang.deepseek])
def test_rows_that_pad_a_cuda_graph_are_no_sequences_and_no_prefill(engine: Engine, sequences: int, rows: int) -> None:
    assert told(engine(rows, sequences, LAYERS) * 3, "steps", "batch", "prefill_passes") == (3, sequences, 0)


@pytest.mark.parametrize("engine", [vllm.dense, llama_cpp.dense])
def test_sequences_that_come_while_others_decode_make_no_prefill(engine: Engine) -> None:
    steps = [one for batch in (1, 1, 1, 1, 3, 3, 3, 8, 8, 8) for one in engine(batch, batch, LAYERS)]
    assert told(steps, "steps", "prefill_passes") == (10, 0)


def test_drafts_that_are_verified_by_arg_max_alone_make_no_prefill() -> None:
    step = vllm.dense(16, 16, LAYERS) + vllm.dense(4, 4, 1) * 3
    assert told(step * 3, "steps", "layers", "prefill_passes") == (3, LAYERS, 0)


@pytest.mark.parametrize("chunk", [6, 11, 503])
def test_a_step_with_a_chunk_of_a_prompt_is_no_decode_step(chunk: int) -> None:
    mixed, decode = vllm.dense(9 + chunk, 9, LAYERS), vllm.dense(9, 9, LAYERS)
    assert told(mixed * 2 + decode * 3, "steps", "batch", "prefill_passes") == (3, 9, 2)


def speculative(sequences: int, drafts: int) -> list[K]:
    """A step that verifies `drafts` per sequence, then a draft model of one layer that proposes as many."""
    rows = sequences * (1 + drafts)
    verify = [*vllm.dense(rows, rows, LAYERS), k("rejection_greedy_sample_kernel", sequences)]
    return verify + vllm.dense(sequences, sequences, 1) * drafts


def test_drafting_passes_belong_to_the_step_that_they_serve() -> None:
    step = speculative(4, 3)
    found, run = segmented(frame(step * 3), stating(accepted=2.5))
    assert (run.steps.value, run.layers.value, run.batch.value) == (3, LAYERS, 4)
    # 4 sequences gain 2.5 tokens each
    assert tokens.totals(found.launches, run).per_token("dram_bytes") == pytest.approx(moved(step) / 10)
    assert found.launches["layer"].max() == LAYERS  # the draft's only layer follows those of the model


def test_rows_tell_no_batch_where_tokens_are_accepted() -> None:
    _, run = segmented(frame(sglang.deepseek(16, 16, LAYERS) * 3), stating(accepted=2.5))
    assert (run.batch.value, run.batch.origin) == (None, "unknown")
    assert "drafts" in run.batch.evidence


def test_two_ranks_that_take_turns_are_two_gpus_of_one_model() -> None:
    step = vllm.dense(8, 8, LAYERS, tp=True)
    found, run = segmented(interleaved(step * 3, step * 3))
    whole = tokens.totals(found.launches, run)
    assert (run.steps.value, run.batch.value, whole.gpus) == (3, 8, 2)
    assert whole.per_token("dram_bytes") == pytest.approx(moved(step) / 8)
    assert whole.over_all("dram_bytes") == pytest.approx(2 * moved(step) / 8)


def test_two_streams_with_loops_of_their_own_do_not_double_a_step() -> None:
    step = vllm.dense(4, 4, LAYERS)
    other = [replace(one, stream=9) for one in step]
    found, run = segmented(frame([one for pair in zip(step * 2, other * 2, strict=True) for one in pair]))
    assert run.steps.value == 4
    assert tokens.totals(found.launches, run).per_token("dram_bytes") == pytest.approx(moved(step) / 4)


@pytest.mark.parametrize("layers", [4, 6, 9, 13])
def test_one_attention_in_four_layers_is_no_plan_of_the_pass(layers: int) -> None:
    assert told(vllm.gated_delta(8, 8, layers) * 3, "layers") == (layers,)


@pytest.mark.parametrize("engine", ["vllm dense", "tensorrt-llm moe", "hf eager", "vllm mla", "sglang deepseek"])
def test_a_step_of_products_alone_is_not_taken_for_a_layer(engine: str) -> None:
    def product(one: K) -> bool:
        name = one.name.lower()
        return "splitkreduce" not in name and any(
            part in name for part in ("nvjet", "gemm", "gemvx", "fused_moe", "groupproblem")
        )

    products = [one for one in EVERY[engine](8, 8, 12) if product(one)]
    found, run = segmented(frame(products * 3), stating(layers=12, batch=8))
    assert found.whole_layers == 0
    assert tokens.totals(found.launches, run).basis == "capture"


def test_without_grids_nothing_is_said_of_batch_and_phase() -> None:
    bare = frame(vllm.dense(8, 8, LAYERS) * 3).with_columns(grid=pl.lit(None, pl.Array(pl.Int64, 3)))
    found, run = segmented(bare)
    assert (run.steps.value, run.batch.value, run.layers.value) == (None, None, LAYERS)
    assert "whole passes" in run.steps.evidence
    stated = segmented(bare, stating(batch=8))[1]
    assert tokens.totals(found.launches, stated).steps == 3
