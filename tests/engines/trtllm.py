"""TensorRT-LLM, PyTorch flow: Qwen3-30B-A3B on H100."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.launches import K, k, stack
from tests.engines.names import ARGMAX, FI_ADD_NORM, FI_NORM, GATHER, SPLIT_K, nvjet

GROUPED = "void fused_moe::run_global<fused_moe::Fused_Moe_Kernel_sm80<cutlass::bfloat16_t, cutlass::bfloat16_t, cutlass::bfloat16_t, 32, 128, 64, 4, (fused_moe::Activation_Type)3> >"
ARRAY = "_ZN7cutlass13device_kernelINS_4gemm6kernel13GemmUniversalINS1_17GroupProblemShapeIN4cute5tupleIJlllEEEEENS1_10collective13CollectiveMmaINS1_39MainloopSm90ArrayTmaGmmaWarpSpecializedILi12E"
SPACE = "tensorrt_llm::kernels::cutlass_kernels::"


def moe(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """XQA attention, products with split K, grouped experts."""

    def layer(number: int) -> Iterator[K]:
        yield k(FI_ADD_NORM if number else FI_NORM, rows)
        yield k(nvjet("64x8_64x16"), 80, read=21e6)
        yield k(
            "void tensorrt_llm::kernels::fusedQKNormRopeKernel<128, false>(__nv_bfloat16*, int, int, int, float, __nv_bfloat16 const*)",
            -(-rows * 36 // 8),
        )
        yield k(
            "void tensorrt_llm::kernels::applyBiasRopeUpdateKVCacheV2<__nv_bfloat16, __nv_bfloat16, 256, 128, false, false, false, true, tensorrt_llm::kernels::KVBlockArray, (tensorrt_llm::kernels::RotaryPositionEmbeddingType)0>",
            -(-rows // 4),
            4,
        )
        if prefill:
            yield k("fmha_v2_flash_attention_bf16_64_128_S_qkv_128_causal_tma_ws_sm90_kernel", 132, read=4e6)
        else:
            yield k("kernel_mha", 8, 4, sequences, read=4e6)
        yield k("nvjet_tst_64x8_64x16_2x1_v_bz_splitK_TNT", 64, read=17e6)
        yield k(SPLIT_K, 32)
        yield k(FI_ADD_NORM, rows)
        yield k(nvjet("64x8_64x16"), 2, read=5e5)
        yield k("customMoeRoutingKernel", -(-rows // 4))
        yield k(f"void {SPACE}fusedBuildExpertMapsSortFirstTokenKernel<32, 8>(int const*, int*, int*)", 1)
        yield k(f"void {SPACE}expandInputRowsKernel<__nv_bfloat16, __nv_bfloat16>(__nv_bfloat16 const*)", rows * 8)
        yield k(
            f"void {SPACE}computeStridesTmaWarpSpecializedKernel<__nv_bfloat16, __nv_bfloat16, __nv_bfloat16, __nv_bfloat16>", 1
        )
        yield k(GROUPED, 132, read=50e6 + 6e6 * (number % 4))
        yield k(ARRAY, 132, read=25e6)
        yield k(
            f"void {SPACE}finalizeMoeRoutingKernel<__nv_bfloat16, __nv_bfloat16, __nv_bfloat16>(__nv_bfloat16 const*)", rows
        )

    return [
        k(GATHER, rows),
        *stack(layers, layer),
        k(FI_ADD_NORM, rows),
        k(nvjet("192x8_64x8"), 792, read=6e8),
        k(ARGMAX, sequences),
    ]
