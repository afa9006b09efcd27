"""SGLang: DeepSeek in FP8 through DeepGEMM, with MLA."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.launches import K, k, stack
from tests.engines.names import ARGMAX, CAST, FI_ACT, FI_ADD_NORM, FI_NORM, GATHER, LAST_ROWS, nvjet

QUANT = "void per_token_group_quant_8bit_kernel<__nv_bfloat16, __nv_fp8_e4m3, false, false, float>(__nv_bfloat16 const*, void*, float*, int, int, int, float, float, float, int, int)"
GEMM = "void deep_gemm::sm90_fp8_gemm_1d2d_impl<0u, {}u, {}u, 1u, 64u, 128u, 128u>(float*, int*, unsigned int, unsigned int, unsigned int, CUtensorMap_st)"
EXPERTS = "void deep_gemm::sm90_fp8_gemm_1d2d_impl<0u, {}u, {}u, 256u, 64u, 128u, 128u, 128u, (deep_gemm::GemmType)2>(float*, int*, unsigned int, unsigned int)"


def product(n: int, depth: int, rows: int) -> Iterator[K]:
    """Quantise the input, then multiply."""
    yield k(QUANT, max(1, rows * depth // 2048))
    yield k(GEMM.format(n, depth), 132, read=float(n * depth))


def deepseek(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """DeepSeek-V3: norm, MLA, norm, experts."""

    def layer(number: int) -> Iterator[K]:
        yield k(FI_ADD_NORM if number else FI_NORM, rows)
        yield from product(2112, 7168, rows)
        yield k(FI_NORM, rows)
        yield from product(24576, 1536, rows)
        yield k(FI_NORM, rows)
        yield k("nvjet_tst_128x8_64x12_1x2_h_bz_NNT", 4, 1, 128, read=17e6)
        yield k("fused_rope_kernel", rows, 3)
        yield k("set_mla_kv_buffer_kernel", rows, 2)
        yield k("_fwd_grouped_kernel_stage1", sequences, 8, 8, read=7e6)
        yield k("_fwd_kernel_stage2", sequences, 128)
        yield k("nvjet_tst_128x8_64x12_1x2_h_bz_TNN", 1, 1, 128, read=17e6)
        yield from product(7168, 16384, rows)
        yield k(FI_ADD_NORM, rows)
        if number < 3:
            yield from product(36864, 7168, rows)
            yield k(FI_ACT, rows)
            yield from product(7168, 18432, rows)
            return
        yield from product(4096, 7168, rows)
        yield k(FI_ACT, rows)
        yield from product(7168, 2048, rows)
        yield k(nvjet("64x8_64x16"), 4, read=4e6)
        yield k("void moe_fused_gate_kernel<bfloat16_t, 8, 32, 8, 1, 6, 6>(void*, void*, float*, int*, long)", -(-rows // 6))
        yield k("_fwd_kernel_ep_scatter_1", 256)
        yield k(EXPERTS.format(4096, 7168), 132, read=2.3e8 + 1e7 * (number % 3))
        yield k("_silu_and_mul_post_quant_kernel", 4, 132)
        yield k(EXPERTS.format(7168, 2048), 132, read=1.2e8)
        yield k("_fwd_kernel_ep_gather", 14, 132)

    begin = [
        k("create_flashinfer_kv_indices_triton", sequences),
        k("compute_position_kernel" if prefill else "clamp_position_kernel", sequences),
        k(GATHER, rows),
    ]
    end = [k(LAST_ROWS, sequences), k(nvjet("192x8_64x8"), 674, read=1.8e9), k(CAST, 505), k(ARGMAX, sequences)]
    return [*begin, *stack(layers, layer), k(FI_ADD_NORM, rows), *end]
