"""Graphs compiled whole: gpt-fast through inductor, and MLC-LLM through TVM; both decode a single sequence."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.launches import K, k, stack
from tests.engines.names import ARGMAX


def gpt_fast(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """Llama-2-7B: every product is a reduction of inductor."""
    del rows, sequences, prefill

    def layer(number: int) -> Iterator[K]:
        yield k(
            "triton_red_fused__to_copy_embedding_mean_pow_0"
            if number == 0
            else "triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_23",
            1,
        )
        yield k("triton_red_fused_mm_9", 4096, read=33e6)
        yield k("triton_red_fused_mm_10", 4096, read=33e6)
        yield k("triton_red_fused_index_put_mm_15", 4096, read=33e6)
        yield k("triton_poi_fused_index_put_3", 16)
        yield k("triton_red_fused_bmm_5", 512, read=4e6)
        yield k("triton_per_fused__safe_softmax_add_index_scalar_tensor_where_6", 32)
        yield k("triton_per_fused_bmm_8", 4096, read=4e6)
        yield k("triton_red_fused_mm_14", 4096, read=33e6)
        yield k("triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_5", 1)
        yield k("triton_red_fused_mm_15", 11008, read=90e6)
        yield k("triton_red_fused_mm_mul_silu_t_9", 11008, read=90e6)
        yield k("triton_red_fused_mm_17", 4096, read=90e6)

    end = [k("triton_red_fused__to_copy_mean_mul_11", 1), k("triton_red_fused_div_mm_21", 32000, read=262e6)]
    soft = [k("triton_red_fused__softmax_22", 1), k("triton_red_fused_argmax_div_exponential_23", 1)]
    return [*stack(layers, layer), *end, *soft]


def mlc(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """Llama-3-8B in q4f16_1."""
    attention = "batch_prefill_paged_kv_kernel" if prefill else "batch_decode_paged_kv_kernel"

    def layer(number: int) -> Iterator[K]:
        yield k("fuse_add_norm_prefill_kernel" if number else "rms_norm2_kernel", rows)
        yield k("fused_fused_dequantize1_NT_matmul10_kernel", 1536, read=14e6)
        yield k("fused_rope_kernel", 6 * rows)
        yield k("tir_kv_cache_transpose_append_kernel", rows)
        yield k(attention, sequences, 8, read=4e6)
        yield k("fused_dequantize2_NT_matmul11_kernel", 1024, read=9e6)
        yield k("fuse_add_norm_prefill_kernel", rows)
        yield k("fused_fused_dequantize3_NT_matmul12_kernel", 7168, read=66e6)
        yield k("fused_split2_silu2_multiply2_kernel", 14 * rows)
        yield k("fused_fused_dequantize4_NT_matmul13_kernel", 1024, read=33e6)

    begin = [k("fused_fused_dequantize_take1_kernel", 4 * rows)]
    end = [
        k("fuse_add_norm_prefill_kernel", rows),
        k("fused_fused_dequantize_fused_NT_matmul14_cast1_kernel", 32064, read=295e6),
        k("divide_kernel", 501),
        k("softmax_kernel", sequences),
    ]
    return [*begin, *stack(layers, layer), *end]


__all__ = ["ARGMAX", "gpt_fast", "mlc"]
