"""Kernel names as the profiler prints them for vLLM on Hopper: (function name, demangled name)."""

from __future__ import annotations

Name = tuple[str, str]

_FLASH = "Flash_fwd_kernel_traits<128, {rows}, 64, 4, false, false, cutlass::bfloat16_t, Flash_kernel_traits<128, {rows}, 64, 4, cutlass::bfloat16_t> >"
_FP8 = "vllm::cutlass_3x_gemm_sm90_fp8<cutlass::float_e4m3_t, cutlass::bfloat16_t, vllm::c3x::ScaledEpilogue, cute::tuple<cute::C<64>, cute::C<{tile}>, cute::C<256> >, cute::tuple<cute::C<1>, cute::C<4>, cute::C<1> >, cutlass::gemm::KernelTmaWarpSpecializedFP8FastAccum, cutlass::epilogue::TmaWarpSpecialized, true>::GemmKernel"
_FA3_FP8 = "flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<flash::CollectiveMainloopFwdSm90<2, cute::tuple<cute::C<1>, cute::C<1>, cute::C<1> >, cute::tuple<cute::C<{rows}>, cute::C<128>, cute::C<128> >, 128, cutlass::float_e4m3_t, float, cutlass::arch::Sm90, false, false, true, true, false, false, false, false, true, true, true, false, false, cutlass::bfloat16_t, 1>, flash::CollectiveEpilogueFwd<cute::tuple<cute::C<{rows}>, cute::C<128>, cute::C<128> >, cute::tuple<cute::C<1>, cute::C<1>, cute::C<1> >, cutlass::bfloat16_t, cutlass::arch::Sm90, 128, true, true, false, true, 1>, flash::VarlenDynamicPersistentTileScheduler<{rows}, 128, 128, 128, false, true, true, false, false, true> > >"

EMBEDDING = (
    "vectorized_gather_kernel",
    "void at::native::vectorized_gather_kernel<16, long>(char*, char*, long*, int, long, long, long, long, bool)",
)
NORM = (
    "rms_norm_kernel",
    "void vllm::rms_norm_kernel<c10::BFloat16>(c10::BFloat16*, c10::BFloat16 const*, long, c10::BFloat16 const*, float, int, int)",
)
ADD_NORM = (
    "fused_add_rms_norm_kernel",
    "std::enable_if<((8)>(0))&&vllm::_typeConvert<c10::BFloat16>::exists, void>::type vllm::fused_add_rms_norm_kernel<c10::BFloat16, 8>(c10::BFloat16*, long, c10::BFloat16*, c10::BFloat16 const*, float, int, int)",
)
ROPE = (
    "rotary_embedding_kernel",
    "void vllm::rotary_embedding_kernel<c10::BFloat16, true>(long const*, c10::BFloat16*, c10::BFloat16*, c10::BFloat16 const*, int, long, long, long, int, int, int)",
)
ACTIVATION = (
    "act_and_mul_kernel",
    "void vllm::act_and_mul_kernel<c10::BFloat16, &(c10::BFloat16 vllm::silu_kernel<c10::BFloat16>(c10::BFloat16 const&)), true>(c10::BFloat16*, c10::BFloat16 const*, int)",
)
QUANTIZE = (
    "dynamic_per_token_scaled_fp8_quant_kernel",
    "void vllm::dynamic_per_token_scaled_fp8_quant_kernel<c10::BFloat16>(c10::Float8_e4m3fn*, float*, c10::BFloat16 const*, float const*, int)",
)
TOP_K = (
    "topkGatingSoftmax",
    "void vllm::moe::topkGatingSoftmax<4, 128, 4, 16>(float const*, bool const*, float*, int, int*, int*, int, int, int)",
)
ALIGN = (
    "moe_align_block_size_kernel",
    "void vllm::moe::moe_align_block_size_kernel<int>(int const*, int*, int*, int*, int, int, int, int, unsigned long, int*, int)",
)
SORT = (
    "count_and_sort_expert_tokens_kernel",
    "void vllm::moe::count_and_sort_expert_tokens_kernel<int>(int const*, int*, int*, unsigned long, int)",
)
EXPERTS = ("fused_moe_kernel", "fused_moe_kernel")
MOE_SUM = ("moe_sum_kernel", "void vllm::moe::moe_sum_kernel<c10::BFloat16, 8>(c10::BFloat16*, c10::BFloat16 const*, int)")
ARGMAX = (
    "reduce_kernel",
    "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::ArgMaxOps<float>, unsigned int, long, 4, 4> >(at::native::ReduceOp<float, at::native::ArgMaxOps<float>, unsigned int, long, 4, 4>)",
)
STRAY = (
    "vectorized_elementwise_kernel",
    "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, std::array<char*, 1ul> >(int, at::native::FillFunctor<float>, std::array<char*, 1ul>)",
)
COMBINE = (
    "flash_fwd_splitkv_combine_kernel",
    f"void flash::flash_fwd_splitkv_combine_kernel<{_FLASH.format(rows=64)}, 4, 4, true>(flash::Flash_fwd_params)",
)


def gemm(weights: str, tile: int, across: int) -> Name:
    """The matrix product for this kind of weights, whose tile has this many rows of tokens."""
    if weights == "fp8":
        kernel = _FP8.format(tile=tile)
        return ("device_kernel", f"void cutlass::device_kernel<{kernel}>({kernel}::Params)")
    if weights == "int4":
        return (
            "Marlin",
            "void marlin::Marlin<__nv_bfloat16, 1125899906843648l, 128, 1, 4, 8, false, 4, 2, false>(int4 const*, int4 const*, int4*, int4*, int4 const*, unsigned short const*, int4 const*, int const*, int, int, int, int, int, int*, bool, bool, int)",
        )
    if weights == "sparse24":
        name = f"sm90_xmma_sparse_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x{tile}x64_warpgroupsize1x1x1_execute_segment_k_off_kernel__5x_cublas"
        return name, name
    name = f"nvjet_tst_{across}x{tile}_64x{8 if tile > 64 else 16}_2x1_v_bz_TNT"
    return name, name


def attention(rows: int, kv_bytes: int, prefill: bool) -> Name:
    """Attention over the cache: split-KV in decode, causal forward in prefill."""
    if prefill:
        traits = _FLASH.format(rows=128)
        return (
            "flash_fwd_kernel",
            f"void flash::flash_fwd_kernel<{traits}, false, true, false, false, true, true, false, false>(flash::Flash_fwd_params)",
        )
    if kv_bytes == 1:
        kernel = _FA3_FP8.format(rows=rows)
        return ("device_kernel", f"void cutlass::device_kernel<{kernel}>({kernel}::Params)")
    traits = _FLASH.format(rows=rows)
    return (
        "flash_fwd_splitkv_kernel",
        f"void flash::flash_fwd_splitkv_kernel<{traits}, false, false, false, false, true, true, false, false>(flash::Flash_fwd_params)",
    )


def cache_write(kv_bytes: int) -> Name:
    """New keys and values into the paged cache."""
    cache, kind = ("unsigned char", 1) if kv_bytes == 1 else ("__nv_bfloat16", 0)
    return (
        "reshape_and_cache_flash_kernel",
        f"void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, {cache}, (vllm::Fp8KVCacheDataType){kind}>(__nv_bfloat16 const*, __nv_bfloat16 const*, {cache}*, {cache}*, long const*, long, long, long, long, long, int, int, int, float const*, float const*)",
    )
