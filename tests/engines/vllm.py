"""vLLM v1: dense on Hopper, compiled; DeepSeek with MLA and shared experts; gpt-oss on Blackwell; Qwen3-Next."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.launches import K, k, stack
from tests.engines.names import (
    ACT,
    ALL_GATHER,
    ALL_REDUCE,
    ARGMAX,
    CAST,
    FA3,
    FA3_COMBINE,
    GATHER,
    LAST_ROWS,
    PREPARE,
    SPLIT_K,
    VLLM_CACHE,
    nvjet,
)

NORM = "triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_{}"
PLAIN_NORM = "void vllm::rms_norm_kernel<c10::BFloat16, (int)8, (int)2>(T1 *, const T1 *, long, const T1 *, float, int, int)"
ADD_NORM = "std::enable_if<((8)>(0))&&vllm::_typeConvert<c10::BFloat16>::exists, void>::type vllm::fused_add_rms_norm_kernel<c10::BFloat16, 8>(c10::BFloat16*, long, c10::BFloat16*, c10::BFloat16 const*, float, int, int)"
ROPE = "void vllm::rotary_embedding_kernel<c10::BFloat16, (bool)1>(const long *, T1 *, T1 *, const T1 *, int, long, long, long, int, int, int)"


def tail(sequences: int, *, head: float, tp: bool = False) -> Iterator[K]:
    """Last rows, LM head, arg-max."""
    yield k(LAST_ROWS, max(1, sequences // 2))
    yield k(nvjet("384x8_64x4"), 396, read=head)
    if tp:
        yield k(ALL_GATHER, 16)
    yield k(CAST, 512)
    yield k(ARGMAX, sequences)


def dense(rows: int, sequences: int, layers: int, prefill: bool = False, tp: bool = False) -> list[K]:
    """Llama on H100: FA3, norms compiled by inductor."""
    del prefill

    def layer(number: int) -> Iterator[K]:
        yield k(NORM.format(0 if number == 0 else 3), rows)
        yield k(nvjet("64x8_64x16"), 96, read=50e6)
        yield k("triton_poi_fused_2", 4 * rows)
        yield k(VLLM_CACHE, rows)
        yield k(FA3, 132, read=9e6)
        yield k(FA3_COMBINE, 4, sequences)
        yield k("nvjet_tst_64x8_64x16_1x2_h_bz_splitK_TNT", 128, read=33e6)
        yield k(SPLIT_K, 64)
        if tp:
            yield k(ALL_REDUCE, 16)
        yield k(NORM.format(1), rows)
        yield k(nvjet("128x8_64x12"), 224, read=235e6)
        yield k("triton_poi_fused_mul_silu_slice", 7 * rows)
        yield k(nvjet("64x8_64x16"), 64, read=117e6)
        if tp:
            yield k(ALL_REDUCE, 16)

    begin = [k("_compute_slot_mappings_kernel", rows), k(PREPARE, 1), k(GATHER, rows, read=8192.0 * rows)]
    return [*begin, *stack(layers, layer), k(NORM.format(4), rows), *tail(sequences, head=1e9, tp=tp)]


def mla(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """DeepSeek-V2-Lite with MLA; the first layer dense, then shared experts on a side stream."""

    def layer(number: int) -> Iterator[K]:
        yield k(ADD_NORM if number else PLAIN_NORM, rows)
        yield k(nvjet("64x8_64x16"), 36, read=15e6)
        yield k(PLAIN_NORM, rows)
        yield k(nvjet("64x8_64x12"), 24, read=12e6)
        yield k("nvjet_tst_128x8_64x12_1x2_h_bz_NNT", 4, 1, 16, read=2e6)
        yield k(ROPE, rows)
        yield k(
            "void vllm::concat_and_cache_mla_kernel<__nv_bfloat16, __nv_bfloat16, (vllm::Fp8KVCacheDataType)0>(const T1 *)",
            rows,
        )
        if prefill:  # the Triton kernels take one query of a sequence: prompts go through FlashAttention
            yield k(FA3, 132, read=5e6)
        else:
            yield k("_fwd_grouped_kernel_stage1", sequences, 1, 4, read=5e6)
            yield k("_fwd_kernel_stage2", sequences, 16)
        yield k("nvjet_tst_128x8_64x12_1x2_h_bz_TNN", 1, 1, 16, read=2e6)
        yield k(nvjet("64x8_64x16"), 32, read=8e6)
        yield k(ADD_NORM, rows)
        if number == 0:
            yield k(nvjet("64x8_64x16"), 342, read=90e6)
            yield k(ACT, rows)
            yield k(nvjet("64x8_64x16"), 32, read=45e6)
            return
        yield k(nvjet("64x8_64x16"), 44, read=11e6, stream=21)
        yield k(
            "void gemmSN_TN_kernel<float, 128, 16, 2, 4, 8, 9, false, cublasGemvTensorStridedBatched<__nv_bfloat16 const> >",
            8,
            read=3e5,
        )
        yield k(ACT, rows, stream=21)
        yield k("void vllm::moe::topkGatingSoftmax<4, 64, 4, 16>(float const*, bool const*, float*, int, int*)", -(-rows // 4))
        yield k(nvjet("64x8_64x16"), 32, read=5e6, stream=21)
        yield k("void vllm::moe::moe_align_block_size_kernel<int>(int const*, int*, int*, int*, int)", 1)
        yield k("void vllm::moe::count_and_sort_expert_tokens_kernel<int>(int const*, int*, int*, unsigned long)", 1)
        yield k("fused_moe_kernel", 44 * 6 + number % 3, read=34e6 + 5e6 * (number % 3))
        yield k(ACT, rows * 6)
        yield k("fused_moe_kernel", 32 * 6 + number % 3, read=17e6)
        yield k("void vllm::moe::moe_sum_kernel<c10::BFloat16, 6>(T1 *, const T1 *, int)", rows)

    return [k(GATHER, rows), *stack(layers, layer), k(ADD_NORM, rows), *tail(sequences, head=4e8)]


def gpt_oss(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """gpt-oss on B200: sliding and dense attention in turn, experts in MXFP4 of trtllm-gen."""
    mode = "Context" if prefill else "ForGen"
    window = f"fmhaSm100fKernel_QkvBfloat16OBfloat16H64PagedKvSlidingOrChunkedCausalP16VarSeqQ8Kv128StaticSwapsAb{mode}"
    full = f"fmhaSm100fKernel_QkvBfloat16OBfloat16H64PagedKvCausalP16MultiCtasKvVarSeqQ8Kv128StaticSwapsAb{mode}"
    expert = "bmm_Bfloat16_MxE2m1MxE4m3_Fp32_t128x8x512u2_s5_et128x8_m128x8x32_cga1x1x1_16dp256b_rM_TN_transOut_schedS_biasM_bN_{}dynBatch_sm100f"

    def layer(number: int) -> Iterator[K]:
        yield k(NORM.format(2), rows)
        yield k("nvjet_sm100_tst_64x8_64x16_4x2_h_bz_bias_TNT", 80, read=29e6)
        yield k("triton_poi_fused_cat_1", 10 * rows)
        yield k(VLLM_CACHE, rows)
        yield k(window if number % 2 == 0 else full, 8, sequences, read=3e5 if number % 2 == 0 else 4e6)
        yield k("nvjet_sm100_tst_32x64_64x16_4x1_v_bz_bias_TNN", 45, read=24e6)
        yield k(NORM.format(3), rows)
        yield k("nvjet_sm100_tst_64x8_64x16_4x1_v_bz_splitK_bias_TNN", 8, read=2e5)
        yield k("void flashinfer::mxfp8_quantization::quantize_with_block_size<(int)1>(int)", rows)
        yield k("routingIndicesClusterKernel", 8)
        yield k(expert.format("swiGlu_"), 45, 4 * rows, read=60e6 + 1e6 * (number % 5))
        yield k(expert.format(""), 45, 4 * rows, read=30e6)
        yield k("finalizeKernelVecLoad", rows)

    return [k(GATHER, rows), *stack(layers, layer), k(NORM.format(9), rows), *tail(sequences, head=1.1e9)]


def gated_delta(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """Qwen3-Next: three gated delta nets, then one attention."""

    def mixer(number: int) -> Iterator[K]:
        if number % 4 == 3:
            yield k(nvjet("64x8_64x16"), 72, read=37e6)
            yield k("triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_6", 18 * rows)
            yield k(VLLM_CACHE, rows)
            yield k(FA3, 132, read=9e6)
            yield k(nvjet("64x8_64x16"), 32, read=16e6)
            return
        yield k(nvjet("64x8_64x16"), 96, read=50e6)
        yield k(nvjet("64x8_64x16"), 1, read=3e5)
        yield k("causal_conv1d_fwd_kernel" if prefill else "_causal_conv1d_update_kernel", sequences, 32)
        yield k(
            "chunk_gated_delta_rule_fwd_kernel_h" if prefill else "fused_recurrent_gated_delta_rule_fwd_kernel",
            1,
            4,
            sequences * 32,
            read=2e6 * sequences,
        )
        yield k("layer_norm_fwd_kernel", rows * 8)
        yield k(nvjet("64x8_64x16"), 32, read=16e6)

    def layer(number: int) -> Iterator[K]:
        yield k(NORM.format(7), rows)
        yield from mixer(number)
        yield k(NORM.format(8), rows)
        yield k(nvjet("64x8_64x16"), 16, read=2e6)
        yield k("void vllm::moe::topkGatingSoftmax<16, 512, 4, 16>(float const*, bool const*, float*, int)", -(-rows // 4))
        yield k("fused_moe_kernel", 170, read=42e6)
        yield k(ACT, rows * 10)
        yield k("fused_moe_kernel", 170, read=21e6)
        yield k("void vllm::moe::moe_sum_kernel<c10::BFloat16, 10>(T1 *, const T1 *, int)", rows)

    return [k(GATHER, rows), *stack(layers, layer), k(NORM.format(9), rows), *tail(sequences, head=6e8)]
