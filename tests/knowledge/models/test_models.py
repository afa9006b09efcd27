"""Models from their config.json: exact parameter counts, shapes, caches, and configs that cannot be used."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models.model import Model
from ncu_roofline.knowledge.models.models import from_config, load
from tests.corpus import REFERENCE

PUBLISHED = {  # (all, active) as models.tsv has them; derived from the published shapes, equal to published counts
    "llama-2-7b": (6738415616, 6738415616),
    "llama-3.1-8b": (8030261248, 8030261248),
    "llama-3.1-70b": (70553706496, 70553706496),
    "llama-3.1-405b": (405853388800, 405853388800),
    "llama-3.2-1b": (1235814400, 1235814400),
    "mistral-7b-v0.1": (7241732096, 7241732096),
    "mixtral-8x7b": (46702792704, 12879925248),
    "qwen2.5-1.5b": (1543714304, 1543714304),
    "qwen2.5-7b": (7615616512, 7615616512),
    "qwen3-8b": (8190735360, 8190735360),
    "qwen3-30b-a3b": (30532122624, 3353032704),
    "gemma-2-9b": (9241705984, 9241705984),
    "phi-3-mini-4k": (3821079552, 3821079552),
    "deepseek-v3": (671026419200, 37552297472),
    "gpt-oss-20b": (20914757184, 4187440704),
}
SMALL: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 1000,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}


@pytest.mark.parametrize(("name", "counts"), PUBLISHED.items())
def test_parameters_come_out_exactly(name: str, counts: tuple[int, int]) -> None:
    model = load(name)

    assert (model.parameters, model.active_parameters) == counts


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="../shared/reference is not on this machine")
def test_the_counts_above_are_those_of_the_reference() -> None:
    lines = [n for n in (REFERENCE / "models.tsv").read_text().splitlines() if not n.startswith("#")]
    rows = csv.DictReader(lines, delimiter="\t")

    assert {r["name"]: (int(r["parameters"]), int(r["active_parameters"])) for r in rows} == PUBLISHED


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("phi-2", 2779683840),
        ("gemma-3-1b", 999885952),
        ("lfm2-1.2b", 1170340608),
        ("deepseek-v2-lite", 15706484224),
        ("gpt-oss-120b", 116829156672),
        ("qwen1.5-moe-a2.7b", 14315784192),
    ],
)
def test_models_outside_the_reference_match_their_published_counts_too(name: str, published: int) -> None:
    assert load(name).parameters == published


@pytest.mark.parametrize(("name", "published"), [("bamba-9b", 9.78e9), ("qwen3-next-80b-a3b", 79.7e9)])
def test_hybrids_with_state_spaces_match_their_rounded_published_counts(name: str, published: float) -> None:
    assert load(name).parameters == pytest.approx(published, rel=1e-3)


def test_a_state_space_layer_keeps_a_state_that_no_context_grows() -> None:
    model = load("bamba-9b")

    # 3 attention layers x 2 x 8 x 128 x 2 bytes a token; 29 states: conv (8192 + 256) x 4 + ssm 8192 x 128
    state = 29 * ((8192 + 256) * 4 + 8192 * 128) * 2
    assert model.kv_bytes(100, 2) == 3 * 2 * 8 * 128 * 2 * 100 + state
    assert model.kv_bytes(200, 2) - model.kv_bytes(100, 2) == 3 * 2 * 8 * 128 * 2 * 100


def test_lfm_has_the_shapes_that_its_captures_show() -> None:
    model = load("lfm2.5-8b-a1b")
    shapes = {(w.name, w.n, w.k) for w in model.weights}

    assert shapes >= {
        ("conv.in_proj", 6144, 2048),
        ("conv.out_proj", 2048, 2048),
        ("q_proj", 2048, 2048),
        ("k_proj", 512, 2048),
        ("v_proj", 512, 2048),
        ("w1", 7168, 2048),
        ("w3", 7168, 2048),
        ("w2", 2048, 7168),
    }
    assert model.parameters == pytest.approx(8.3e9, rel=0.01)
    assert model.active_parameters == pytest.approx(1.5e9, rel=0.05)


def read_parameters(model: Model, batch: int) -> float:
    return sum(elements for _, elements in model.reads(batch))


def test_decode_reads_the_head_whole_and_one_row_of_the_embedding() -> None:
    # 2 layers x (64x64 q + 2 x 16x64 k, v + 64x64 o + 3 x 128x64 mlp + 2 x 64 norms) + norm + head 1000x64
    layer = 4096 + 2 * 1024 + 4096 + 3 * 8192 + 128
    model = from_config(SMALL, "small")

    assert model.parameters == 2 * layer + 64 + 2 * 64000
    assert read_parameters(model, 1) == 2 * layer + 64 + 64000 + 64
    assert read_parameters(model, 10) == 2 * layer + 64 + 64000 + 640


def test_a_tied_head_is_counted_once_and_read_whole() -> None:
    tied = from_config({**SMALL, "tie_word_embeddings": True}, "small")
    untied = from_config(SMALL, "small")

    assert untied.parameters - tied.parameters == 64000
    assert read_parameters(untied, 1) == read_parameters(tied, 1)


@pytest.mark.parametrize(("heads", "factor"), [(8, 1.0), (2, 0.25), (1, 0.125)])
def test_grouped_queries_shrink_the_cache(heads: int, factor: float) -> None:
    model = from_config({**SMALL, "num_key_value_heads": heads}, "small")

    # 2 layers x 2 (k, v) x heads x 8 wide x 2 bytes x 100 tokens
    assert model.kv_bytes(100, 2) == 2 * 2 * heads * 8 * 2 * 100
    assert model.kv_bytes(100, 2) == factor * 2 * 2 * 64 * 2 * 100
    assert model.attention_flops(100) == 4 * 2 * 100 * 64  # 4 L S d, whatever the grouping


def test_a_sliding_window_stops_the_cache_from_growing() -> None:
    model = load("gemma-2-9b")
    # 21 of 42 layers see 4096 tokens; 2 x 8 x 256 elements a token and layer
    per_token = 2 * 8 * 256 * 2

    assert model.kv_bytes(4096, 2) == 42 * per_token * 4096
    assert model.kv_bytes(8192, 2) == 21 * per_token * 4096 + 21 * per_token * 8192
    assert [k.split("+")[0] for k in model.layer_kinds[:3]] == ["sliding", "full", "sliding"]


def test_gemma_3_has_one_full_layer_in_six() -> None:
    kinds = [k.split("+")[0] for k in load("gemma-3-1b").layer_kinds]

    assert [n for n, kind in enumerate(kinds) if kind == "full"] == [5, 11, 17, 23]


def test_latent_attention_caches_576_elements_a_token_and_layer() -> None:
    model = load("deepseek-v3")

    assert model.kv_bytes(1000, 2) == 61 * (512 + 64) * 2 * 1000
    assert model.kv_bytes(1000, 2, tp=8) == model.kv_bytes(1000, 2)  # every GPU holds the latent


def test_tensor_parallelism_divides_the_cache_until_the_heads_run_out() -> None:
    model = load("llama-3.1-8b")  # 8 key/value heads

    assert model.kv_bytes(100, 2, tp=4) == model.kv_bytes(100, 2) / 4
    assert model.kv_bytes(100, 2, tp=16) == model.kv_bytes(100, 2) / 8


def test_a_hybrid_caches_only_in_its_attention_layers_and_keeps_a_state_elsewhere() -> None:
    model = load("lfm2.5-8b-a1b")

    # 6 attention layers x 2 x 8 x 64 x 2 bytes a token, 18 convolutions x 2048 x 3 x 2 bytes
    assert model.kv_bytes(100, 2) == 6 * 2 * 8 * 64 * 2 * 100 + 18 * 2048 * 3 * 2
    assert [k.split("+")[0] for k in model.layer_kinds].count("conv") == 18


def test_mixture_layers_read_the_expected_distinct_experts() -> None:
    model = load("qwen3-30b-a3b")

    assert model.expected_experts(1) == pytest.approx(8)
    assert model.expected_experts(8) == pytest.approx(128 * (1 - (15 / 16) ** 8))
    assert read_parameters(model, 100_000) - 100_000 * 2048 == pytest.approx(30532122624 - 151936 * 2048)


def test_a_shared_expert_is_read_whole() -> None:
    (shared,) = (w for w in load("deepseek-v3").weights if w.name == "shared_expert.down_proj")

    assert (shared.n, shared.k, len(shared.layers), shared.copies, shared.read) == (7168, 2048, 58, 1, "whole")


def test_the_fused_projection_of_qwen3_is_5120_by_2048() -> None:
    qkv = [w for w in load("qwen3-30b-a3b").weights if w.fused == "qkv_proj"]

    assert sum(w.n for w in qkv) == 5120
    assert {(w.k, len(w.layers)) for w in qkv} == {(2048, 48)}


def test_full_layers_of_gemma_4_have_wider_heads_and_no_value_projection() -> None:
    weights = load("gemma-4-26b-a4b").weights
    shapes = {(w.kind, w.name, w.n) for w in weights if w.name in ("q_proj", "k_proj", "v_proj")}

    assert shapes == {
        ("sliding+moe", "q_proj", 16 * 256),
        ("sliding+moe", "k_proj", 8 * 256),
        ("sliding+moe", "v_proj", 8 * 256),
        ("full+moe", "q_proj", 16 * 512),
        ("full+moe", "k_proj", 2 * 512),
    }
    assert load("gemma-4-26b-a4b").parameters == pytest.approx(25.2e9, rel=0.01)


def test_a_config_file_its_folder_and_a_hub_name_are_all_taken(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SMALL))

    assert load(folder / "config.json") == load(folder)
    assert load(folder).name == "my-model"
    assert load("Qwen/Qwen3-8B") == load("qwen3-8b")


def test_the_text_half_of_a_multimodal_config_is_used() -> None:
    text = {k: v for k, v in SMALL.items() if k not in ("architectures", "torch_dtype")}
    nested = {
        "architectures": ["Mistral3ForConditionalGeneration"],
        "torch_dtype": "bfloat16",
        "text_config": {**text, "model_type": "mistral"},
        "vision_config": {"hidden_size": 9},
    }

    assert from_config(nested, "m").parameters == from_config(SMALL, "m").parameters


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ({"quant_method": "mxfp4"}, (("experts", "mxfp4"),)),
        ({"quant_method": "fp8"}, (("layers", "fp8"),)),
        ({"quant_method": "awq", "bits": 4}, (("layers", "awq"),)),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, (("layers", "nf4"),)),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 8}}}},
            (("layers", "fp8"),),
        ),
        ({"quant_method": "tomorrow"}, (("layers", "unknown"),)),
    ],
)
def test_quantised_weights_are_known_from_the_config(said: dict[str, Any], stored: tuple[Any, ...]) -> None:
    assert from_config({**SMALL, "quantization_config": said}, "m").stored == stored


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 0),
        ("num_hidden_layers", -1),
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", "32"),
        ("hidden_size", 64.5),
        ("hidden_size", True),
        ("vocab_size", [1]),
        ("num_attention_heads", 7),
        ("num_key_value_heads", 3),
        ("num_key_value_heads", 0),
        ("intermediate_size", 10**30),
        ("tie_word_embeddings", "yes"),
        ("head_dim", -2),
        ("layer_types", ["full_attention"]),
        ("layer_types", ["full_attention", "tomorrow"]),
    ],
)
def test_an_impossible_value_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(UnusableInput, match=r"^config\.json: key '\w+' ") as refused:
        from_config({**SMALL, key: value}, "m")

    named = {"num_attention_heads": ("head_dim", "num_key_value_heads")}.get(key, (key,))
    assert any(f"'{n}'" in str(refused.value) for n in named)


@pytest.mark.parametrize("key", ["num_hidden_layers", "hidden_size", "vocab_size", "num_attention_heads", "intermediate_size"])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(UnusableInput, match=f"key '{key}' is missing"):
        from_config({k: v for k, v in SMALL.items() if k != key}, "m")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architectures": ["TomorrowForCausalLM"]}, "'architectures' is 'TomorrowForCausalLM', which is not known"),
        ({"architectures": None}, "'architectures' is missing"),
        ({"architectures": "Llama"}, "'architectures'"),
        ({"architectures": ["MixtralForCausalLM"]}, "'num_local_experts' is missing"),
        (
            {"architectures": ["MixtralForCausalLM"], "num_local_experts": 4, "num_experts_per_tok": 8},
            "more than the 4 experts",
        ),
        ({"architectures": ["DeepseekV3ForCausalLM"]}, "'kv_lora_rank' is missing|'first_k_dense_replace' is missing"),
        ({"architectures": ["Lfm2ForCausalLM"]}, "'layer_types' is missing"),
    ],
)
def test_an_architecture_that_is_unknown_or_incomplete_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UnusableInput, match=said):
        from_config({**SMALL, **changes}, "m")


@pytest.mark.parametrize("content", ["", "not json", "[1, 2]", "{", '{"a": NaN}', "[" * 100_000])
def test_a_file_that_is_no_config_is_one_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)

    with pytest.raises(UnusableInput, match=r"^config\.json"):
        load(file)


def test_an_unknown_model_name_offers_the_nearest() -> None:
    with pytest.raises(UnusableInput, match=r"nearest: .*llama-3\.1-8b"):
        load("llama-3.1-9b")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(key=st.sampled_from(sorted({*SMALL, "head_dim", "layer_types", "quantization_config", "text_config"})), value=JSON)
def test_any_value_of_any_key_is_used_or_refused_in_one_sentence(key: str, value: Any) -> None:
    with contextlib.suppress(UnusableInput):  # anything else that is raised fails the test
        assert from_config({**SMALL, key: value}, "m").parameters > 0


def test_a_config_that_is_not_there_is_no_misspelt_name() -> None:
    with pytest.raises(UnusableInput, match=r"'nofile\.json': no such file"):
        load("nofile.json")
