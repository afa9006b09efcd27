"""llama.cpp: Llama in Q4_K and Qwen3 MoE; sampling is on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.launches import K, k, stack

NORM = "void rms_norm_f32<(int)1024, (bool)1, (bool)0>(const float *, float *, int, long, long, long, float, const float *)"
Q8 = "quantize_q8_1(float const*, void*, long, long, long, long, long, unsigned int, unsigned int)"
VECTOR = "void mul_mat_vec_q<(ggml_type)12, (int){}, (bool)0>(...)"
MATRIX = "void mul_mat_q<(ggml_type)12, (int)64, (bool)0>(...)"
ROPE = "void rope_norm<(bool)1, (bool)0, float, __half>"
ADD = "void k_bin_bcast<&op_add, float, float, float>(const T2 *, const T3 *, T4 *, int)"


def product(cols: int, rows: int, read: float) -> Iterator[K]:
    """Quantise the input; a vector product up to 8 rows, a matrix product beyond."""
    yield k(Q8, 16, rows)
    if rows <= 8:
        yield k(VECTOR.format(rows), cols, read=read)
        return
    yield k(MATRIX, -(-cols // 128), -(-rows // 64), read=read)
    yield k("void mul_mat_q_stream_k_fixup<(ggml_type)12, (int)64, (bool)0>(...)", 132)


def attend(rows: int, sequences: int, prefill: bool) -> Iterator[K]:
    """Rope, cache write, attention."""
    yield k(ROPE, rows, 32)
    yield k(ROPE, rows, 8)
    yield k("k_set_rows<float,longlong,__half>", 4 * rows)
    yield k("k_set_rows<float,longlong,__half>", 4 * rows)
    if prefill or sequences > 1:
        yield k("void flash_attn_ext_f16<(int)128, (int)128, (int)2, (int)4, false, false>", 132, read=5e6)
        yield k("void flash_attn_stream_k_fixup_uniform<(int)256, (int)2, (int)4>(float *, const float2 *, int)", 132)
        return
    yield k(
        "void flash_attn_ext_vec<(int)128, (int)1, (ggml_type)1, (ggml_type)1, false>(const char *, const char *)",
        1,
        4,
        32,
        read=5e6,
    )
    yield k("void flash_attn_combine_results<(int)128>(const float *, const float2 *, float *, int)", 1, 32)


def dense(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """Llama-3.1-8B; gate, up and activation in one kernel at a single row."""

    def layer(_: int) -> Iterator[K]:
        yield k(NORM, rows)
        yield from product(4096, rows, 9e6)
        yield from product(1024, rows, 2e6)
        yield from product(1024, rows, 3e6)
        yield from attend(rows, sequences, prefill)
        yield from product(4096, rows, 9e6)
        yield k(ADD, 16, rows)
        yield k(NORM, rows)
        yield from product(14336, rows, 33e6)
        yield from product(14336, rows, 33e6)
        yield k("void unary_gated_op_kernel<&op_silu, float>(const T2 *, const T2 *, T2 *, long, long, long, long)", 56 * rows)
        yield from product(4096, rows, 40e6)
        yield k(ADD, 16, rows)

    return [
        k("void k_get_rows_float<float, float>(const T1 *, const int *, T2 *, long, long, uint3, unsigned long)", rows, 16),
        *stack(layers, layer),
        k(NORM, sequences),
        *product(128256, sequences, 420e6),
    ]


def moe(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """Qwen3-30B-A3B: the token embedding on the CPU, routed vector products."""

    def layer(_: int) -> Iterator[K]:
        yield k(NORM, rows)
        yield from product(4096, rows, 5e6)
        yield k(NORM, 32, rows)
        yield from product(512, rows, 6e5)
        yield k(NORM, 4, rows)
        yield from product(512, rows, 7e5)
        yield from attend(rows, sequences, prefill)
        yield from product(2048, rows, 5e6)
        yield k(ADD, 8, rows)
        yield k(NORM, rows)
        yield k(
            "void mul_mat_vec_f<float, float, (int)1, (int)256, (bool)0, (bool)0>(const T1 *, const float *)", 128, read=1e6
        )
        yield k("void topk_moe_cuda<(int)128, (bool)1, (bool)0>(const float *, float *, int *, int)", -(-rows // 4))
        expert = MATRIX if prefill else VECTOR.format(1)
        yield k(Q8, 8, rows)
        yield k(expert, 768, 8, read=7e6)
        yield k(expert, 768, 8, read=7e6)
        yield k("void unary_gated_op_kernel<&op_silu, float>(const T2 *, const T2 *, T2 *, long, long, long, long)", 24 * rows)
        yield k(Q8, 3, 8 * rows)
        yield k(expert, 2048, 8, read=8e6)
        yield k("void k_bin_bcast<&op_mul, float, float, float>(const T2 *, const T3 *, T4 *, int)", 8, rows)
        for _expert in range(8):
            yield k(ADD, 8, rows)

    return [*stack(layers, layer), k(NORM, sequences), *product(151936, sequences, 250e6)]
