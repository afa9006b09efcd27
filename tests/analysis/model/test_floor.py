"""The floor of a step: bytes, times, batches that matter, and settings that cannot be."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import polars as pl
import pytest

from ncu_roofline.analysis.model.floor import batches, floor, over_batches
from ncu_roofline.analysis.model.floor_parts import matrix_floors
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.gpus import find
from ncu_roofline.knowledge.models import dtypes, models
from ncu_roofline.present.documents.words_notes import note
from tests.command import run

LLAMA = models.load("llama-2-7b")
H100 = find("h100")


def test_the_floor_of_llama_2_7b_on_an_h100() -> None:
    least = floor(LLAMA, H100, Setting())

    # 6738415616 parameters less the embedding 32000 x 4096, plus one row: x 2 bytes / 3.35e12
    moved = (6738415616 - 32000 * 4096 + 4096) * 2
    assert least.bytes == moved
    assert least.step_seconds == pytest.approx(moved / 3.35e12)
    assert least.bound == "memory"
    assert (least.memory_batch, least.fits, least.first) == (None, None, None)


def test_the_cache_adds_to_the_step_and_not_to_the_weights() -> None:
    without, beside = (floor(LLAMA, H100, Setting(batch=4)), floor(LLAMA, H100, Setting(batch=4, context=1000)))

    assert beside.kv_bytes == 4 * 2 * 32 * 1000 * 4096 * 2  # B x 2 L S d s
    assert beside.bytes == without.bytes + beside.kv_bytes


def test_weights_are_shared_by_the_batch_and_caches_are_not() -> None:
    one, eight = (floor(LLAMA, H100, Setting(batch=b, context=1000)) for b in (1, 8))

    assert eight.weight_bytes - one.weight_bytes == 7 * 4096 * 2  # seven more embedding rows
    assert eight.kv_bytes == 8 * one.kv_bytes


@pytest.mark.parametrize(("weights", "crossover"), [(None, 295.34), ("fp8", 295.34), ("int4", 73.84)])
def test_the_crossover_is_ridge_times_width_over_two(weights: str | None, crossover: float) -> None:
    # bf16: 295.34 x 2 / 2; fp8 at the fp8 peak: 590.7 x 1 / 2; int4 unpacked to bf16: 295.34 x 0.5 / 2
    least = floor(LLAMA, H100, Setting(weights=weights))

    assert least.crossover_batch == pytest.approx(crossover, rel=1e-3)


def test_at_the_crossover_both_terms_of_fc_are_equal_with_experts_too() -> None:
    model = models.load("mixtral-8x7b")
    cross = floor(model, find("b200"), Setting()).crossover_batch
    assert cross is not None

    at = floor(model, find("b200"), Setting(batch=round(cross)))

    # norms and embedding rows are read beside the matrices: less than 0.1 %
    assert at.memory_seconds == pytest.approx(at.compute_seconds, rel=2e-3)
    # every expert is read by then: ridge x s / 2 x (all / active matrix parameters)
    fc = 46702792704 - 32000 * 4096
    assert cross == pytest.approx(2250e12 / 7.7e12 * fc / model.matmul_parameters, rel=1e-3)


def test_memory_is_full_long_before_the_crossover() -> None:
    least = floor(LLAMA, H100, Setting(context=4096))

    # (80e9 - 6738415616 x 2) / (2 x 32 x 4096 x 4096 x 2) = 30.98
    assert least.memory_batch == 33  # (85.02 - 13.48) GB / 2.147 GB
    assert least.first == "memory"


def test_a_small_cache_lets_the_crossover_come_first() -> None:
    least = floor(models.load("qwen2.5-1.5b"), find("h200"), Setting(context=128))

    assert least.first == "crossover"


def test_weights_beyond_memory_keep_their_floor_and_say_so() -> None:
    least = floor(models.load("llama-3.1-70b"), H100, Setting(context=1024))

    assert least.memory_batch == 0 and least.fits is False
    assert [(d.what, d.of["gpus"]) for d in least.doubts] == [("too_large", 1)]
    assert least.step_seconds == pytest.approx(42e-3, rel=0.02)


def test_what_an_h200_can_use_and_not_its_name_holds_the_weights_of_70b() -> None:
    model, h200 = models.load("llama-3.1-70b"), find("h200")
    # 70,553,706,496 parameters x 2 B = 141.1e9 B: more than the 141 GB of the name, less than the 150.11e9 B that the device states;
    # the 9.0e9 B left hold 26 sequences of 1,024 tokens x 80 layers x 2 x 8 x 128 x 2 B = 335.5e6 B
    of_its_name = floor(model, replace(h200, memory_bytes=141e9), Setting(context=1024))
    least = floor(model, h200, Setting(context=1024))

    assert (of_its_name.fits, least.fits) == (False, True)
    assert least.memory_batch == (150_109_880_320 - 141_107_412_992) // 335_544_320 == 26


def test_tensor_parallelism_divides_time_and_repeats_only_what_it_cannot_divide() -> None:
    one, four = (floor(LLAMA, H100, Setting(context=1000, tp=tp)) for tp in (1, 4))

    assert four.memory_seconds == pytest.approx(one.memory_seconds / 4, rel=1e-3)
    # norms (65 x 4096) and one embedding row stand on each of four GPUs
    assert four.bytes - one.bytes == 3 * 66 * 4096 * 2


def test_published_types_are_used_where_none_is_stated() -> None:
    table = matrix_floors(models.load("gpt-oss-20b"), Setting())
    types = dict(table.select("name", "weight_dtype").iter_rows())

    assert types["experts.down_proj"] == "mxfp4"
    assert types["q_proj"] == types["lm_head"] == "bf16"


def test_deepseek_v3_reads_fp8_but_its_head_in_16_bits() -> None:
    table = matrix_floors(models.load("deepseek-v3"), Setting())
    types = dict(table.select("name", "weight_dtype").iter_rows())

    assert (types["o_proj"], types["lm_head"], types["router"]) == ("fp8", "bf16", "bf16")


def test_a_head_of_another_type_is_read_as_such() -> None:
    plain, split = (floor(LLAMA, H100, Setting(weights="fp8", head=h)) for h in (None, "bf16"))

    assert split.weight_bytes - plain.weight_bytes == 32000 * 4096


def test_a_batch_of_one_reads_8_of_128_experts_and_its_intensity_is_one() -> None:
    table = matrix_floors(models.load("qwen3-30b-a3b"), Setting())
    expert = table.filter(pl.col("name") == "experts.down_proj").row(0, named=True)

    assert expert["weight_bytes"] == pytest.approx(48 * 8 * 2048 * 768 * 2)
    assert expert["useful_flops"] == pytest.approx(48 * 8 * 2048 * 768 * 2)
    assert expert["useful_intensity"] == pytest.approx(1)


@pytest.mark.parametrize("name", models.shipped())
@pytest.mark.parametrize("batch", [1, 7])
def test_parts_add_up_to_the_whole(name: str, batch: int) -> None:
    model, setting = models.load(name), Setting(batch=batch, context=2000)
    gpu = replace(find("b300"), memory_bytes=1e13)

    least = floor(model, gpu, setting)

    matrix_bytes = matrix_floors(model, setting)["weight_bytes"].sum()
    assert matrix_bytes == pytest.approx(least.weight_bytes, rel=0.01)


def test_a_table_over_batches_falls_per_token_and_never_beats_the_limit() -> None:
    setting = Setting(context=4096)
    table = over_batches(LLAMA, H100, setting, batches(LLAMA, H100, setting))

    assert table["batch"].to_list() == [1, 2, 4, 8, 16, 32, 33, 64, 128, 256, 512]
    assert table["bytes_per_token"].is_sorted(descending=True)
    assert table.filter(~pl.col("fits"))["batch"].min() == 64
    assert table["experts_read"].null_count() == table.height


def test_no_context_leaves_the_cache_null_and_not_zero() -> None:
    assert over_batches(LLAMA, H100, Setting(), [1])["kv_bytes"].to_list() == [None]


@pytest.mark.parametrize(
    ("setting", "option"),
    [
        (Setting(batch=0), "`batch=` 0"),
        (Setting(batch=-3), "`batch=` -3"),
        (Setting(context=0), "`context=` 0"),
        (Setting(batch=10**9), "`batch=`"),
        (Setting(tp=0), "`tp=` 0"),
        (Setting(tp=5), "`tp=` 5"),
        (Setting(weights="fp7"), "`weights=` 'fp7'"),
        (Setting(kv="x", context=1), "`kv=` 'x'"),
        (Setting(context=10_000_000), "`context=` 10000000 is beyond memory"),
    ],
)
def test_an_impossible_setting_is_refused_by_its_option(setting: Setting, option: str) -> None:
    with pytest.raises(UnusableInput, match=option):
        floor(LLAMA, H100, setting)


def test_an_unknown_quantisation_asks_for_the_type() -> None:
    model = replace(LLAMA, stored=(("layers", "unknown"),))

    with pytest.raises(UnusableInput, match="`weights=`"):
        floor(model, H100, Setting())
    assert floor(model, H100, Setting(weights="fp8")).bytes > 0


def test_a_context_beyond_the_model_is_said() -> None:
    doubts = floor(LLAMA, H100, Setting(context=5000)).doubts

    assert any("beyond the 4,096 tokens" in note(found) for found in doubts)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("bf16", 2),
        ("float16", 2),
        ("fp8", 1),
        ("int8", 1),
        ("int4", 0.5),
        ("mxfp4", 4.25 / 8),
        ("nvfp4", 4.5 / 8),
        ("awq", 4.15625 / 8),
        ("nf4", 4.127 / 8),
        ("q4_k", 144 / 256),
        ("q6_k", 210 / 256),
        ("q8_0", 34 / 32),
    ],
)
def test_a_type_takes_its_bits_with_its_scales(name: str, width: float) -> None:
    assert dtypes.find(name).bytes == pytest.approx(width)


def test_the_command_answers_first_and_then_shows_batches_and_matrices(capsys: pytest.CaptureFixture[str]) -> None:
    out = " ".join(run(capsys, "floor", "--model", "llama-2-7b", "--gpu", "h100 sxm", "--context", "4096").out.split())

    # 13.2 GB of weights and 2.1 GB of cache at 3.35 TB/s
    assert out.startswith(
        "At least 15.4 GB per token and 4.59 ms per step, so at most 218 token/s: llama-2-7b on H100 SXM, batch 1"
    )
    assert "A step reads 13.2 GB of weights and 2.15 GB of KV cache." in out
    assert "reach the ridge at batch 295, but memory allows 33 sequences" in out
    # a narrow terminal has no room for the kind of layer
    assert re.search(r"gate_proj (full\+mlp )?11008 4096 32 fp16", out)


def test_the_json_form_holds_rows_matrices_and_limits(capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(
        run(
            capsys, "floor", "--model", "llama-2-7b", "--gpu", "h100", "--batch", "1,8", "--context", "100", "--format", "json"
        ).out
    )

    assert [row["batch"] for row in answer["rows"]] == [1, 8]
    assert answer["crossover_batch"] == pytest.approx(295, rel=0.005)
    assert {m["name"] for m in answer["matrices"]} >= {"q_proj", "down_proj", "lm_head"}
    assert any("H100 PCIe" in note for note in answer["notes"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--batch", "0"),
        ("--batch", "1,x"),
        ("--batch", ""),
        ("--context", "0"),
        ("--weights", "fp7"),
        ("--tp", "5"),
        ("--model", "tomorrow"),
        ("--gpu", "tomorrow"),
    ],
)
def test_an_impossible_option_is_one_line_and_exit_code_3(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]
) -> None:
    options = {"--model": "llama-2-7b", "--gpu": "h100", arguments[0]: arguments[1]}

    answer = run(capsys, "floor", *(word for pair in options.items() for word in pair))

    assert (answer.code, answer.out, answer.err.count("\n")) == (3, "", 1)
