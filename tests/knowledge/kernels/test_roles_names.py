"""Kernel names as people and tools spell them, and what the rules read out of them."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ncu_roofline.knowledge.kernels import names
from ncu_roofline.knowledge.kernels.roles import IF_MIXED, UNLESS_PLAIN, classify_names, load_rules


def role(name: str) -> str | None:
    found: str | None = classify_names(pl.Series("name", [name]), load_rules())["role"].item()
    return found


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("void vllm::moe::topkGating<8, 4>(float const*, int)", ("vllm::moe", "topkGating", "8, 4")),
        ("void at::native::(anonymous namespace)::f<(int)4>(T1 *)", ("at::native", "f", "(int)4")),
        ("std::enable_if<((0)==(0)), void>::type a::g<int>(int*)", ("a", "g", "int")),
        ("_ZN4vllm3moe4gateILi8EfEEvPKfi", ("vllm::moe", "gate", "8")),
        ("_Z6squarePfi", ("", "square", "")),
        ("Memcpy HtoD", ("", "Memcpy HtoD", "")),
        ("void k<a<b, c(", ("", "k", "a<b, c(")),
    ],
    ids=["demangled", "nameless scope", "return type", "mangled", "mangled, flat", "not C++", "cut short"],
)
def test_a_name_has_scope_function_and_arguments(name: str, parts: tuple[str, str, str]) -> None:
    assert names.parts(names.demangled(name)) == parts


def test_identifiers_become_words_where_their_spelling_changes() -> None:
    text = pl.Series("text", ["fusedQKNormRope_v2", "FP8KVCache", "silu_and_mul"])

    assert pl.select(names.words(pl.lit(text))).to_series().to_list() == [
        "fused qk norm rope v2",
        "fp8 kv cache",
        "silu and mul",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<int>>>(T1::Params)", "attention"),
        ("void cutlass::device_kernel<cutlass::gemm::kernel::GemmUniversal<int>>(T1::Params)", "fc"),
        ("bmm_Bfloat16_MxE2m1MxE4m3_Fp32_t128x8x512_swiGlu_sm100f", "fc"),
        ("void vllm::reshape_and_cache_flash_kernel<float, float, 0>(float*)", "kv-cache"),
        ("rope_norm", "rope"),
        ("vllm::rotary_embedding_kernel", "rope"),
        ("kernel_cutlass_kernel_flashinfernormkernels_FusedAddRMSNormKernel_object_at__t0", "norm"),
        ("triton_red_fused_mm_14", "fc"),
        ("triton_poi_fused_addmm_gelu_3", "activation"),
        ("triton_poi_fused_constant_pad_nd_moe_forward_0", "copy"),
        ("fused_recurrent_gated_delta_rule_fwd_kernel", "ssm"),
        ("dequantize_block_q4_K", "quantize"),
        ("some_vendor_xyzzy", None),
        ("kernel", None),
        ("void vit_attention::mlp::fused_fc1_gelu_kernel<float>(float*)", "fc"),
        ("void attention::gate_up_kernel<float>(float*)", "fc"),
        ("void models::attention::silu_and_mul_kernel<float>(float*)", "activation"),
        ("void attention::gated_delta_rule_fwd_kernel<128>(float*)", "ssm"),
        ("void attention::kernel<128>(float*)", "attention"),
        ("linear_attention_recurrent_kernel", "ssm"),
        ("moe_expert_mlp_kernel", "fc"),
        ("swiglu_ffn_kernel", "fc"),
        ("quantized_linear_kernel", "fc"),
        ("quantize_linear_kernel", "quantize"),
        ("quantized_attention_scores_kernel", "attention"),
        ("split_qkv_mlp_kernel", "copy"),
        ("_gemm_mha_v2_0x9f1a", "attention"),
        ("block_all_reduce_sum_f32x4_f32_kernel", "elementwise"),
        ("persistent_kernel(mirage::runtime::RuntimeConfig)", "fused-step"),
        ("decode_step_mega", "fused-step"),
    ],
)
def test_names_that_lie_are_read_for_what_they_are(name: str, expected: str | None) -> None:
    assert role(name) == expected


HOSTILE = {
    "newlines": "void flash_fwd_kernel<\n1,\r\n2>(\n)",
    "control characters": "flash\x1b[31m_fwd_kernel\x00",
    "nothing": "",
    "spaces": "   ",
    "only brackets": "<<<<((((",
    "closing first": ">>>)))a::b<",
    "julia": "_Z3gpu_julia_broadcast_kernel_8112CuKernelContext",
    "mojo": "matmul_kernel[DType(f32), _matmul_cublas::Layout, 128]_a1b2",
    "mangled lie": "_ZN99999999999999999999EvE",
    "bidirectional": "\u202eflash_fwd_kernel\u2066",
    "outside ASCII": "ядро_注意力_kernel🦀",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_strange_name_is_classified_or_not_but_never_breaks(name: str) -> None:
    answer = classify_names(pl.Series("name", [name]), load_rules())

    assert answer["name"].to_list() == [name]


@pytest.mark.parametrize("unit", ["a", "<", "(", ">", "aB", "x::", "_Z1a", "<unnamed>::", "1a", " "])
def test_a_name_of_100000_characters_is_what_its_first_4000_are(unit: str) -> None:
    names = [(start + unit * 100_000)[:100_000] for start in ("", "_ZN")]
    long, short = (
        classify_names(pl.Series("name", cut), load_rules()).drop("name") for cut in (names, [n[:4_000] for n in names])
    )

    assert_frame_equal(long, short)


def test_nothing_beyond_4000_characters_decides() -> None:
    assert role("x" * 4_000 + "_flash_fwd_kernel") is None


def test_each_distinct_name_is_answered_once() -> None:
    answer = classify_names(pl.Series("name", ["gemv", "gemv", None, "rope"]), load_rules())

    assert answer.select("name", pl.col("role").cast(pl.String)).rows() == [("gemv", "fc"), ("rope", "rope")]


def test_every_built_in_rule_says_why_and_has_its_own_id() -> None:
    rules = load_rules().rules

    assert len({rule.id for rule in rules}) == len(rules)
    assert all(len(rule.why) > 15 for rule in rules)


def dtypes(name: str) -> tuple[str | None, ...]:
    return (
        classify_names(pl.Series("name", [name]), load_rules()).select("weight_dtype", "activation_dtype", "cache_dtype").row(0)
    )


@pytest.mark.parametrize(
    ("name", "weights", "activations", "cache"),
    [
        ("nvjet_tst_64x8_64x16_4x1_v_bz_TNT", "bf16", "bf16", None),
        ("nvjet_sm100_hsh_64x8_64x16_4x1_v_bz_TNT", "fp16", "fp16", None),
        ("void mul_mat_vec_q<(ggml_type)8, 1, false>(void const*)", "int8", None, None),
        ("void mul_mat_vec_q<(ggml_type)12, 1, false>(void const*)", "int4", None, None),
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128", "bf16", "bf16", None),
        ("void marlin::Marlin<__nv_bfloat16, 1125899906909960l, 256>(int4 const*)", None, "bf16", None),
        (
            "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, __nv_bfloat16, (vllm::Fp8KVCacheDataType)0>(x)",
            None,
            "bf16",
            None,
        ),
        (
            "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, unsigned char, (vllm::Fp8KVCacheDataType)1>(x)",
            None,
            "bf16",
            "fp8",
        ),
        ("fmhaSm100fKernel_QkvBfloat16OBfloat16H128PagedKvCausal", None, "bf16", "bf16"),
        ("fmhaSm100aKernel_QkvE4m3OBfloat16H128PagedKvDense", None, "fp8", "fp8"),
        ("bmm_Bfloat16_MxE2m1MxE4m3_Fp32_t128x8x512", "fp4", "fp8", None),
        ("mul_mat_q", None, None, None),
    ],
)
def test_types_are_read_from_names_only_where_they_stand_there(
    name: str, weights: str | None, activations: str | None, cache: str | None
) -> None:
    assert dtypes(name) == (weights, activations, cache)


@pytest.mark.parametrize(
    ("name", "role", "likely"),
    [
        # `copy` is a broad word: beside plain words alone it proves a copy, beside others it may be what another does first
        ("copy_rows_vec4_bf16_kernel", "copy", False),
        ("copy_trellis_kernel", "copy", True),
        # a product is one by name, but not where a word tells that something is only prepared for it
        ("awq_gemm_kernel", "fc", False),
        ("awq_gemm_init_offset_kernel", "fc", True),
        # a rule that never was wrong proves its role whatever stands beside it
        ("gate_up_residual_gemv_kernel", "fc", False),
    ],
)
def test_a_broad_or_mixed_name_makes_its_role_only_likely(name: str, role: str, likely: bool) -> None:
    told = classify_names(pl.Series("name", [name]), load_rules())

    assert told.select(pl.col("role").cast(pl.String), "likely").rows() == [(role, likely)]


def test_a_name_without_a_role_is_neither_likely_nor_certain() -> None:
    assert classify_names(pl.Series("name", ["xyzzy"]), load_rules())["likely"].item() is None


def test_every_likely_rule_of_broad_words_reads_the_function() -> None:
    broad = [rule for rule in load_rules().rules if rule.likely == UNLESS_PLAIN]

    assert broad
    assert all(rule.function for rule in broad)
    assert {rule.likely for rule in load_rules().rules} == {None, UNLESS_PLAIN, IF_MIXED}
