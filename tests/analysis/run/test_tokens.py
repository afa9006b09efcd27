"""Bytes, work and seconds per token; what a user states about a run; the `tokens` command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.analysis.run.basis import decode_launches
from ncu_roofline.analysis.run.tokens import of_shown, per_token, totals
from ncu_roofline.analysis.study import Choices, study
from ncu_roofline.api import save
from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.capture.schema import PHASES, enum
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models import models
from ncu_roofline.readers.facts import SIDECAR, options, stated
from tests.command import run as command
from tests.corpus import CORPUS, needs_corpus
from tests.kernels import placed
from tests.stating import stating
from tests.synthetic import LLAMA_8B, TINY, Plan, capture, write_raw_csv

GEMMA = (
    "EricLBuehler__mistral.rs__gemma4_cuda_sweep_20260525__26b_bf16_moe_profile_20260526__vllm_26b_bf16_d128_g16_ncu_range.csv"
)
QWEN = "gujialiang123__MOEresearch__results__2026-06-09_sglang_triton_sweep__ncu__R_short_decode__ncu_raw_full.csv"


LAYERS = [("fc", 0, 100.0), ("attention", 0, 20.0), ("fc", 1, 140.0), ("attention", 1, 20.0), ("sampling", None, 8.0)]


def test_a_step_of_a_known_batch_gives_bytes_per_token() -> None:
    whole = totals(placed(LAYERS), stating(batch=4))
    # 100 + 20 + 140 + 20 + 8 = 288 bytes for 4 tokens
    assert (whole.basis, whole.tokens, whole.per_step("dram_bytes"), whole.per_token("dram_bytes")) == ("token", 4, 288, 72)


def test_accepted_tokens_divide_once_more() -> None:
    whole = totals(placed(LAYERS), stating(batch=4, accepted=3.0))
    assert whole.per_token("dram_bytes") == 24  # 288 / (4 x 3)


def test_without_batch_figures_are_per_step_and_no_token_is_assumed() -> None:
    whole = totals(placed(LAYERS), Run())
    assert (whole.basis, whole.tokens, whole.per_step("dram_bytes"), whole.per_token("dram_bytes")) == ("step", None, 288, None)


def test_without_steps_figures_are_of_the_whole_layers_of_the_capture() -> None:
    whole = totals(placed(LAYERS, whole=False), Run())
    # 100 + 20 + 140 + 20; sampling is in no layer
    assert (whole.basis, whole.steps, whole.sums["dram_bytes"], whole.torn) == ("capture", None, 280, 1)


def test_totals_beside_a_table_of_all_launches_count_all_of_them() -> None:
    torn, run = placed(LAYERS, whole=False), Run()
    # 280 bytes of whole layers and 8 of sampling, which the table beside them counts
    assert [found(torn, run).sums["dram_bytes"] for found in (totals, of_shown)] == [280, 288]
    assert of_shown(placed(LAYERS), stating(batch=4)) == totals(placed(LAYERS), stating(batch=4))


def test_what_repeats_without_a_matrix_is_no_layer() -> None:
    alone = [row for row in LAYERS if row[0] != "fc"]
    found = totals(placed(alone, whole=False), Run())
    assert (found.layers, found.unit, found.how) == (2, "repeat", "2 repeats; neither steps nor tokens are known")
    assert totals(placed(LAYERS, whole=False), Run()).how.startswith("2 whole layers; ")
    for option, unit in (("kernel-name regex:gemm|flash", "repeat"), ("launch-count 200", "whole layer")):
        picked = Run(launch_filter=Fact(option, "command line"))
        assert totals(placed(LAYERS, whole=False), picked).unit == unit


def test_a_part_of_the_layers_is_scaled_to_all_of_them() -> None:
    whole = totals(placed(LAYERS, whole=False), stating(batch=1, layers_captured=(2, 48)))
    # (100 + 20 + 140 + 20) x 48 / 2; sampling is in no layer
    assert whole.per_token("dram_bytes") == 280 * 24
    assert "as stated" in whole.how


def test_whole_layers_are_scaled_by_the_models_number_and_called_inferred() -> None:
    whole = totals(placed(LAYERS, whole=False), stating(batch=1, layers=4))
    assert whole.per_token("dram_bytes") == 280 * 2
    assert whole.how.startswith("inferred: 2 whole layers scaled to 4")


def test_prefill_never_counts() -> None:
    both = pl.concat([placed(LAYERS), placed([("fc", 0, 1e9)], phase="prefill").with_columns(index=pl.lit(9, pl.Int64))])
    assert totals(both, stating(batch=1)).sums["dram_bytes"] == 288


PROMPT = """"ID","Kernel Name","Grid Size","Block Size","Metric Name","Metric Unit","Metric Value"
"0","ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_32x3_tn","(32, 2, 1)","(128, 1, 1)","dram__bytes.sum","byte","2000"
"1","fmha_cutlassF_f16_aligned_64x128_rf_sm80","(2, 32, 1)","(32, 8, 1)","dram__bytes.sum","byte","1000"
"""


def test_what_stands_beside_nothing_but_prefill_is_no_decode() -> None:
    prompt = placed([("fc", 0, 5.0)], phase="prefill")
    rest = placed([("elementwise", None, 3.0)]).with_columns(phase=pl.lit(None, enum(PHASES)), step=pl.lit(None, pl.Int64))
    assert decode_launches(pl.concat([prompt, rest])).height == 0
    # what belongs to a pass of its own, or to no pass at all, may be decode
    assert decode_launches(pl.concat([prompt, rest.with_columns(step=pl.lit(0, pl.Int64))])).height == 1
    assert decode_launches(rest).height == 1
    assert decode_launches(pl.concat([prompt, rest, placed([("fc", 0, 1.0)])])).height == 2


def test_a_capture_of_prefill_alone_is_said_to_hold_no_token_of_decode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.csv").write_text(PROMPT)

    tokens = " ".join(command(capsys, "tokens", str(tmp_path / "p.csv"))[1].split())
    assert tokens.startswith("Both launches are prefill (")
    assert "where the tokens of a prompt share what is read: no bytes per token of decode. From p.csv." in tokens
    assert "By role" not in tokens and "not measured" not in tokens
    summary = " ".join(command(capsys, "summary", str(tmp_path / "p.csv"), "--full")[1].split())
    assert "Both launches are prefill (" in summary


def test_a_sum_of_nothing_known_is_unknown_not_zero() -> None:
    rows = per_token(placed([("fc", 0, None), ("attention", 0, 5.0), ("fc", 1, None)]), stating(batch=1))
    fc = rows.filter(role="fc").row(0, named=True)
    assert (fc["dram_bytes"], fc["dram_bytes_unknown"], fc["launches"]) == (None, 2, 2)


def test_a_sum_says_how_many_launches_it_does_not_know() -> None:
    assert totals(placed([("fc", 0, 3.0), ("fc", 1, None)]), Run()).unknown["dram_bytes"] == 1


def test_the_spread_over_layers_shows_routing_noise() -> None:
    fc = per_token(placed(LAYERS), stating(batch=1)).filter(role="fc").row(0, named=True)
    assert fc["spread_over"] == "layer"
    assert [fc[f"dram_bytes_{name}"] for name in ("low", "median", "high")] == [100, 120, 140]


def test_tensor_parallel_figures_are_of_one_gpu_and_over_all() -> None:
    whole = totals(placed(LAYERS), stating(batch=1, tp=8))
    assert (whole.per_token("dram_bytes"), whole.over_all("dram_bytes")) == (288, 8 * 288)


def test_two_gpus_in_one_capture_are_divided() -> None:
    other = placed(LAYERS).with_columns(device=pl.lit(1, pl.Int64))
    whole = totals(pl.concat([placed(LAYERS), other]), stating(batch=1))
    assert (whole.gpus, whole.per_token("dram_bytes"), whole.over_all("dram_bytes")) == (2, 288, 2 * 288)


def test_gpus_that_run_a_model_each_are_not_added_up() -> None:
    other = placed(LAYERS).with_columns(device=pl.lit(1, pl.Int64))
    both = pl.concat([placed(LAYERS), other])
    assert totals(both, stating(batch=1, tp=1)).over_all("dram_bytes") == 288
    assert totals(both, stating(batch=1, tp=4)).over_all("dram_bytes") == 4 * 288


@pytest.mark.parametrize(("stated", "said"), [((), True), (("--tp", "2"), False), (("--tp", "1"), False)])
def test_what_two_gpus_are_taken_to_share_is_said_until_it_is_stated(
    stated: tuple[str, ...], said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = capture(batch=8, layers=2)
    other = one.launches.with_columns(device=pl.lit(1, pl.Int64), index=pl.col("index") + one.launches.height)
    save(replace(one, launches=pl.concat([one.launches, other])), tmp_path / "two.parquet")
    told = command(capsys, "tokens", str(tmp_path / "two.parquet"), *stated).out
    assert ("taken to share one model" in " ".join(told.split())) == said


def test_more_tokens_than_the_launches_can_make_are_refused() -> None:
    # 5 launches at batch 2 are at most 5 steps, so 10 tokens
    with pytest.raises(UnusableInput, match="`tokens=` 11 is impossible: 5 decode launches at batch 2 make at most 10"):
        totals(placed(LAYERS), stating(tokens=11, batch=2))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("batch", 0, "`batch=` 0 is impossible"),
        ("tokens", -3, "`tokens=` -3 is impossible"),
        ("accepted", 0.5, "`accepted=` 0.5 is impossible"),
        ("weights", "fp7", "`weights=` 'fp7' is not a known data type"),
        ("layers_captured", "3/2", "`layers_captured=` '3/2' is impossible"),
    ],
)
def test_an_impossible_fact_is_named(key: str, value: object, said: str) -> None:
    with pytest.raises(UnusableInput, match=said):
        options({key: value})


def test_the_command_line_wins_over_the_file_beside_the_capture(tmp_path: Path) -> None:
    (tmp_path / f"decode{SIDECAR}").write_text('batch = 4\ncontext = 512\nlayers_captured = "2/48"\n')
    run = stated(Run(), [tmp_path / "decode.ncu-rep"], {"batch": 8, "steps": None})
    assert (run.batch.value, run.context.value, run.layers_captured.value) == (8, 512, (2, 48))
    assert run.context.evidence == f"stated in decode{SIDECAR}"


def test_a_strange_key_in_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / f"decode{SIDECAR}").write_text("bacth = 4\n")
    with pytest.raises(UnusableInput, match="key 'bacth' is not known; known: tokens, batch"):
        stated(Run(), [tmp_path / "decode.csv"], {})


def test_the_command_answers_in_sentences_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_raw_csv(tmp_path / "decode.csv", Plan(model=TINY, batch=8, layers=4, steps=2))
    answer = command(capsys, "tokens", str(tmp_path / "decode.csv"), "--gpu", "h100")
    assert answer.code == 0
    assert answer.out.replace("\n", " ").startswith("Per token: ")
    assert "2 whole decode steps" in answer.out.replace("\n", " ")


def test_batch_nought_ends_with_one_sentence_and_code_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_raw_csv(tmp_path / "decode.csv", Plan(model=TINY, batch=8, layers=4, steps=2))
    answer = command(capsys, "tokens", str(tmp_path / "decode.csv"), "--batch", "0")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err == "ncu-roofline: --batch 0 is impossible; give a whole number from 1 on\n"


@needs_corpus
def test_the_json_of_the_vllm_capture_tells_every_fact_with_origin_and_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(command(capsys, "tokens", str(CORPUS / "csv" / GEMMA), "--format", "json").out)["run"]
    facts = {name: told[name] for name in ("steps", "prefill_passes", "layers", "batch")}
    assert {name: fact["value"] for name, fact in facts.items()} == {"steps": 16, "prefill_passes": 1, "layers": 30, "batch": 1}
    assert {fact["origin"] for fact in facts.values()} == {"inferred"}
    assert all(fact["evidence"] for fact in facts.values())


@needs_corpus
def test_a_partial_window_with_a_model_is_measured_against_its_floor(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (
        "tokens",
        str(CORPUS / "csv" / QWEN),
        "--model",
        "qwen3-30b-a3b",
        "--layers-captured",
        "1/48",
        "--format",
        "json",
    )
    told = json.loads(command(capsys, *arguments).out)
    fc = told["floor"][0]
    # one layer: qkv 5120 x 2048, o 2048 x 4096, router 128 x 2048, 8 experts of 3 x 768 x 2048, two bytes each
    layer = 2 * (5120 * 2048 + 2048 * 4096 + 128 * 2048 + 8 * 3 * 768 * 2048)
    assert fc["floor_bytes"] == pytest.approx(48 * layer)
    assert fc["over_floor"] == pytest.approx(1.02, abs=0.02)


@needs_corpus
def test_a_context_beyond_memory_ends_with_code_three(capsys: pytest.CaptureFixture[str]) -> None:
    # 10 million tokens x 48 layers x 2,048 bytes = 983 GB
    arguments = ("--model", "qwen3-30b-a3b", "--context", "10000000", "--gpu", "h100")
    answer = command(capsys, "tokens", str(CORPUS / "csv" / QWEN), *arguments)
    assert answer.code == 3
    assert "--context 10000000 is beyond memory" in answer.err


def test_whole_steps_are_held_to_the_whole_floor_whatever_part_was_stated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_raw_csv(tmp_path / "decode.csv", Plan(model=TINY, batch=8, layers=4, steps=2))
    stated = ("--layers-captured", "3/5", "--model", "llama-3.2-1b", "--format", "json")
    told = json.loads(command(capsys, "tokens", str(tmp_path / "decode.csv"), *stated).out)
    # 16 layers of q, k, v, o and three matrices of the MLP, and a tied head of [128256, 2048] that is read whole
    layers = 16 * (2048 * (2048 + 2 * 512) + 2048 * 2048 + 3 * 2048 * 8192)
    assert told["floor"][0]["floor_bytes"] == 2 * (layers + 128256 * 2048)
    assert any("shows 2 whole decode steps" in note for note in told["notes"])


def test_attention_is_held_to_no_floor_of_its_own_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_raw_csv(tmp_path / "decode.csv", Plan(model=LLAMA_8B, batch=2, context=1024))
    arguments = ("tokens", str(tmp_path / "decode.csv"), "--model", "llama-3.1-8b", "--format", "json")
    inferred = json.loads(command(capsys, *arguments).out)
    assert inferred["run"]["context"]["origin"] == "inferred"
    attention = inferred["floor"][1]
    # the context was read off these bytes: they are no multiple of a floor by it
    assert (attention["role"], attention["over_floor"]) == ("attention", None)
    assert attention["measured_bytes"] > 0
    stated = json.loads(command(capsys, *arguments, "--context", "1024").out)
    # K and V, 32 layers, 8 heads of 128, two bytes, two sequences of 1,024 tokens
    assert stated["floor"][1]["floor_bytes"] == 2 * 32 * 8 * 128 * 2 * 2 * 1024


@pytest.mark.parametrize(("stated", "said"), [((), True), (("--weights", "fp8"), False)])
def test_bytes_below_the_floor_call_the_weights_narrower(
    stated: tuple[str, ...], said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_raw_csv(tmp_path / "decode.csv", Plan(model=LLAMA_8B, batch=2, weights="fp8"))
    told = command(capsys, "tokens", str(tmp_path / "decode.csv"), "--model", "llama-3.1-8b", *stated).out
    assert ("No run can move so little: the weights are narrower" in " ".join(told.split())) == said


def test_a_context_told_by_bytes_names_the_cache_type_that_it_assumes() -> None:
    model = models.load("llama-3.1-8b")
    made = capture(batch=2, kv_bytes=1)
    assumed = study(made, Choices(model=model)).run.context
    assert "taken to be bf16" in assumed.evidence
    told = study(replace(made, run=stating(made.run, kv="fp8")), Choices(model=model)).run.context
    assert (told.value, "taken to be" in told.evidence) == (2 * (assumed.value or 0), False)
