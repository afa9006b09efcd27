"""Kernel names as the profiler prints them, beyond those of tests/engines."""

from __future__ import annotations

from tests.engines.names import FA3, FA3_COMBINE

FLASH = "Flash_fwd_kernel_traits<(int){width}, (int)64, (int)128, (int)4, (bool)0, (bool)0, cutlass::bfloat16_t, Flash_kernel_traits<(int){width}, (int)64, (int)128, (int)4, cutlass::bfloat16_t>>"
SMALL_GATHER = "void at::native::<unnamed>::indexSelectSmallIndex<c10::BFloat16, long, unsigned int, (int)2, (int)2, (int)-2>(at::cuda::detail::TensorInfo<T1, T3>, at::cuda::detail::TensorInfo<const T1, T3>, at::cuda::detail::TensorInfo<const T2, T3>, int, int, T3, long)"
LAYER_NORM = "void at::native::<unnamed>::vectorized_layer_norm_kernel<c10::BFloat16, float, (bool)1>(int, T2, const T1 *, const T1 *, const T1 *, T2 *, T2 *, T1 *)"
REDUCED = "void cudnn::fusion::lean_reduction_kernel<(bool)0, (bool)0, (bool)0>(void *, float *, float *, float *, float *, const float *)"
SDPA = "cudnn_generated_fort_native_sdpa_sm80_flash_fprop_wmma_f16_knob_35_16x{width}x{width}_1x4x1_cga1x1x1_kernel0_0"
ARGMAX_BF16 = "void at::native::reduce_kernel<(int)512, (int)1, at::native::ReduceOp<c10::BFloat16, at::native::ArgMaxOps<float>, unsigned int, long, (int)4, (int)4>>(T3)"
SDPA_PROMPT = "cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16_knob_7_64x128x128_4x1x1_kernel0_0"
SLOTS = "_compute_slot_mapping_kernel"
CROSS = "void vllm::cross_device_reduce_1stage<__nv_bfloat16, (int){tp}>(vllm::RankData *, vllm::RankSignals, vllm::Signal *, T1 *, int, int)"
ROPE_SGLANG = "void flashinfer::BatchQKApplyRotaryPosIdsCosSinCacheEnhancedHeadParallelismKernel<(bool)0, (unsigned int)128, (unsigned int)8, (unsigned int)16, __nv_bfloat16, long>(T5 *, T5 *, T5 *, T5 *, float *, T6 *, unsigned int)"
BATCH_DECODE = "void flashinfer::BatchDecodeWithPagedKVCacheKernel<(flashinfer::PosEncodingMode)0, (unsigned int)2, (unsigned int)4, (unsigned int)8, (unsigned int)16, (unsigned int){group}, (unsigned int)1, flashinfer::DefaultAttention<(bool)0, (bool)0, (bool)0, (bool)0>, flashinfer::BatchDecodeParams<__nv_bfloat16, __nv_bfloat16, __nv_bfloat16, int>>(T9)"
BATCH_PREFILL = "void flashinfer::BatchPrefillWithPagedKVCacheKernel<flashinfer::KernelTraits<(flashinfer::MaskMode)1, (unsigned int)128, (unsigned int)2, (unsigned int)8>>(T1)"
MERGE = "void flashinfer::PersistentVariableLengthMergeStatesKernel<(unsigned int)8, (unsigned int)16, (unsigned int)8, (unsigned int)4, __nv_bfloat16, __nv_bfloat16, int>(T5 *, float *, T7 *, T6 *, float *, unsigned int, unsigned int *, unsigned int)"
STORE = "void store_kvcache_kernel<(int)2048>(const void *, const void *, void *, void *, const long *, int)"
UNIFIED = "kernel_unified_attention_2d"
VERIFY_TREE = (
    "void VerifyTreeGreedy<long, long>(T1 *, T1 *, T1 *, T2 *, T2 *, T2 *, T2 *, unsigned int, unsigned int, unsigned int)"
)
BUILD_TREE = "build_tree_efficient(long *, long *, long *, bool *, long *, long *, long *, long *, int, int, int, int)"
REJECTION = "rejection_greedy_sample_kernel"
TOP_K = "void vllm::moe::topkGatingSoftmax<(int)4, (int)128, (int)4, (int)16, (int)32, int, float>(const T7 *, const bool *, float *, int, T6 *, int *, int, int, int, bool)"
ALIGN = "void vllm::moe::moe_align_block_size_kernel<int>(const T1 *, int *, int *, int *, int, int, int, int, unsigned long, int *, int)"
SORT = "void vllm::moe::count_and_sort_expert_tokens_kernel<int>(const T1 *, int *, int *, unsigned long, int)"
MOE_SUM = "void vllm::moe::moe_sum_kernel<c10::BFloat16, (int){k}>(T1 *, const T1 *, int)"
CACHE_FP8 = "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, unsigned char, (vllm::Fp8KVCacheDataType)1>(const T1 *, const T1 *, T2 *, T2 *, const long *, long, long, long, long, long, int, int, int, const float *, const float *)"
MLA_CACHE = "void vllm::concat_and_cache_mla_kernel<__nv_bfloat16, __nv_bfloat16, (vllm::Fp8KVCacheDataType)0>(const T1 *, const T1 *, T2 *, const long *, int, int, int, int, int, const float *)"
MARLIN = "void marlin::Marlin<__nv_bfloat16, 1125899906843648l, 128, 1, 4, 8, false, 4, 2, false>(int4 const*, int4 const*, int4*, int4*, int4 const*, unsigned short const*, int4 const*, int const*, int, int, int, int, int, int*, bool, bool, int)"
COMPILED_NORM = "triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_{}"
COMPILED_ACT = "triton_poi_fused_mul_silu_slice_1"
EXPERTS = "fused_moe_kernel"

__all__ = ["FA3", "FA3_COMBINE"]


def nvjet(rows: int, split: bool = False) -> str:
    """A cuBLAS product on Hopper, whose tile holds the rows."""
    high = next((t for t in (8, 16, 32, 64, 128) if rows <= t), 256)
    wide, deep = (64, 16) if high < 64 else (128, 8 if high < 128 else 4)
    return f"nvjet_tst_{wide}x{high}_64x{deep}_2x1_v_bz_{'splitK_' if split else ''}TNT"


def flash(width: int, *, prompt: bool, combine: bool = False) -> str:
    """FlashAttention 2, whose traits name the width of a head."""
    traits = FLASH.format(width=width)
    if combine:
        return f"void flash::flash_fwd_splitkv_combine_kernel<{traits}, (int)4, (int)4, (bool)1>(flash::Flash_fwd_params)"
    if prompt:
        return f"void flash::flash_fwd_kernel<{traits}, (bool)0, (bool)1, (bool)0, (bool)0, (bool)1, (bool)1, (bool)0, (bool)0>(flash::Flash_fwd_params)"
    return f"void flash::flash_fwd_splitkv_kernel<{traits}, (bool)0, (bool)0, (bool)0, (bool)0, (bool)1, (bool)1, (bool)1, (bool)0>(flash::Flash_fwd_params)"
