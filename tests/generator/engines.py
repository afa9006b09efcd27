"""The order in which engines launch: the grammar of a pass, engine by engine.

Each engine is three functions of a pass: what comes before the layers, one layer, what comes after. Sources: the traces
and captures that docs/evidence names, and the engines' own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil

from tests.engines import eager as hf
from tests.engines import llama_cpp as ggml
from tests.engines.names import (
    ACT,
    ALL_GATHER,
    ALL_REDUCE,
    ARGMAX,
    CAST,
    FA3,
    FA3_COMBINE,
    FI_ACT,
    FI_ADD_NORM,
    FI_NORM,
    GATHER,
    LAST_ROWS,
    PREPARE,
    SPLIT_K,
    VLLM_CACHE,
)
from tests.engines.vllm import ADD_NORM, PLAIN_NORM, ROPE
from tests.generator import names
from tests.generator.kernels import ROWS, SAMPLED, SEQUENCES, Kernel, Pass, grouped, product, rowwise, spread
from tests.generator.shapes import Shape

Launches = Iterator[Kernel]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How one engine launches a pass."""

    name: str
    begin: Callable[[Pass], Launches]
    layer: Callable[[Pass, int], Launches]
    end: Callable[[Pass], Launches]
    takes: Callable[[Shape], bool] = lambda shape: True
    most: int = 256
    """Most sequences that it decodes at once."""
    nvtx: str = ""
    """Whose ranges it opens when asked to."""
    tp: bool = False
    speculative: bool = False


def gathered(one: Pass) -> Kernel:
    """The embedding: few rows are gathered by blocks over the width, which count nothing."""
    hidden = one.shape.hidden
    if one.rows <= 16:
        return spread(names.SMALL_GATHER, "embedding", hidden, 128, reads=2.0 * one.rows * hidden)
    size = 2.0 * one.rows * hidden
    return Kernel(GATHER, "embedding", (one.rows, ceil(hidden / 2048), 1), size, 0.4 * size, tells=ROWS, threads=256)


def linear(one: Pass, n: int, k: int, split: bool = False) -> Launches:
    """A product by cuBLAS, in two launches where the inner dimension is split."""
    yield product(names.MARLIN if one.shape.weights == "int4" else names.nvjet(one.rows, split), n, k, one)
    if split:
        yield spread(SPLIT_K, "fc", one.rows * n, 4096)


def reduced(one: Pass) -> Launches:
    """The sum over tensor-parallel ranks."""
    if one.tp > 1:
        name = names.CROSS.format(tp=one.tp) if one.rows <= 256 else ALL_REDUCE
        size = 2.0 * one.rows * one.shape.hidden
        yield Kernel(name, "comm", (16 if name == ALL_REDUCE else 36, 1, 1), size, size, threads=512)


def head(one: Pass) -> Kernel:
    """The product with the vocabulary, 16-bit whatever the layers are."""
    shape = one.shape
    return product(
        names.nvjet(one.sampled),
        shape.vocabulary,
        shape.hidden,
        one,
        rows=one.sampled,
        size=2.0 * shape.vocabulary * shape.hidden,
    )


def logits(one: Pass, argmax: str = ARGMAX) -> Launches:
    """LM head, gathered over ranks, cast, arg-max, and what closes a speculative step."""
    if not one.head:
        return
    yield head(one)
    vocabulary = one.shape.vocabulary * one.tp
    if one.tp > 1:
        yield Kernel(ALL_GATHER, "comm", (16, 1, 1), 2.0 * one.sampled * vocabulary, 2.0 * one.sampled * vocabulary)
    if argmax == ARGMAX:
        yield spread(CAST, "elementwise", one.sampled * vocabulary)
    yield Kernel(argmax, "sampling", (one.sampled, 1, 1), 2.0 * one.sampled * vocabulary, 512.0, tells=SAMPLED, threads=512)
    for name in one.ends:
        grid = (max(1, len(one.contexts)), 1, 1)
        yield Kernel(name, "sampling", grid, 2048.0, 512.0, tells=SEQUENCES, phase="verify", threads=32)


def router(one: Pass, layer: int, act: str) -> Launches:
    """Gate, choice of experts, two grouped products with the activation between, and their sum."""
    shape, rows = one.shape, one.rows
    chosen = rows * shape.per_token
    blocks = max(1, ceil(chosen / 16)) if chosen > shape.experts * 16 else min(chosen, shape.experts) + layer % 3
    yield product(names.nvjet(rows), shape.experts, shape.hidden, one, size=2.0 * shape.experts * shape.hidden)
    yield Kernel(names.TOP_K, "moe-routing", (ceil(rows / 8), 1, 1), 2.0 * rows * shape.experts + 2048)
    yield Kernel(names.ALIGN, "moe-routing", (2, 1, 1), threads=1024)
    yield Kernel(names.SORT, "moe-routing", (1, 4, 1), threads=256)
    yield grouped(names.EXPERTS, 2 * shape.ffn, shape.hidden, one, layer, (blocks * ceil(2 * shape.ffn / 64), 1, 1))
    yield rowwise(act, "activation", chosen, 2 * shape.ffn, "")
    yield grouped(names.EXPERTS, shape.hidden, shape.ffn, one, layer, (blocks * ceil(shape.hidden / 64), 1, 1))
    yield rowwise(names.MOE_SUM.format(k=shape.per_token), "moe-routing", rows, shape.hidden * shape.per_token)


def gated(one: Pass, act: str) -> Launches:
    """A dense MLP."""
    shape = one.shape
    yield from linear(one, 2 * shape.ffn, shape.hidden)
    yield rowwise(act, "activation", one.rows, 2 * shape.ffn)
    yield from linear(one, shape.hidden, shape.ffn, split=one.rows <= 16)


def block(one: Pass, layer: int, act: str) -> Launches:
    """Experts, or a dense MLP; the first layer of a model with MLA is dense."""
    if one.shape.experts and not (one.shape.latent and layer == 0):
        yield from router(one, layer, act)
    elif one.shape.latent:
        yield from gated(replace(one, shape=replace(one.shape, ffn=one.shape.ffn * 7)), act)
    else:
        yield from gated(one, act)
    yield from reduced(one)


def latent(one: Pass, norm: str) -> Launches:
    """Multi-head latent attention with absorbed projections."""
    shape, rows = one.shape, one.rows
    yield product(names.nvjet(rows), shape.heads * (shape.width + 64) + shape.latent, shape.hidden, one)
    yield rowwise(norm, "norm", rows, shape.latent - 64)
    absorbed = 2.0 * shape.heads * shape.width * (shape.latent - 64)
    yield Kernel("nvjet_tst_128x8_64x12_1x2_h_bz_NNT", "fc", (4, 1, shape.heads), absorbed, flops=8 * absorbed, threads=384)
    yield rowwise(ROPE, "rope", rows, shape.heads * 64)
    yield rowwise(names.MLA_CACHE, "kv-cache", rows, shape.latent)
    reads = shape.cached * one.seen
    grid = (one.seats, ceil(shape.heads / 16), 4)
    if one.prompt:
        yield Kernel(names.flash(192, prompt=True), "attention", (ceil(rows / 64), one.seats, shape.heads), reads)
    elif one.positions > 1:
        # several queries a sequence go the way of prompts (sglang extend_attention.py): the decode kernels take one
        yield Kernel("_fwd_kernel", "attention", (one.seats, shape.heads, ceil(one.positions / 64)), reads, 4e5)
    else:
        yield Kernel("_fwd_grouped_kernel_stage1", "attention", grid, reads, 4e5, tells=SEQUENCES, phase="decode")
        size = 4.0 * one.seats * shape.heads * 512 * 4
        yield Kernel("_fwd_kernel_stage2", "attention", (one.seats, shape.heads, 1), size, tells=SEQUENCES, phase="decode")
    yield Kernel("nvjet_tst_128x8_64x12_1x2_h_bz_TNN", "fc", (1, 1, shape.heads), absorbed, flops=8 * absorbed, threads=384)
    yield product(names.nvjet(rows), shape.hidden, shape.heads * shape.width, one)


# vLLM -----------------------------------------------------------------------------------------------------------------


def vllm_begin(one: Pass) -> Launches:
    """Slots of the cache, the schedule of attention, the embedding."""
    yield Kernel(names.SLOTS, "other", (one.sequences + 1, 1, 1), core=False)
    if not one.shape.latent:
        yield Kernel(PREPARE, "attention", (1, 1, 1), core=False)
    yield gathered(one)


def vllm_attention(one: Pass) -> Launches:
    """FlashAttention 3 with its combine, alike for prompts and decode."""
    shape = one.shape
    yield Kernel(
        FA3, "attention", (132, 1, 1), shape.cached * one.seen, 2.0 * one.rows * shape.heads * shape.width, threads=384
    )
    if not one.chunks and one.seats * shape.kv_heads < 132:
        size = 4.0 * one.rows * shape.heads * shape.width * 4
        grid = (ceil(shape.heads * one.positions / 8), 1, one.seats)
        yield Kernel(FA3_COMBINE, "attention", grid, size, size / 8, tells=SEQUENCES, phase="decode", threads=256)


def vllm_layer(one: Pass, layer: int, compiled: bool = False) -> Launches:
    """One layer with norms of its own, or norms that the compiler wrote."""
    shape, rows = one.shape, one.rows
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width
    first = names.COMPILED_NORM.format(0) if compiled and not layer else PLAIN_NORM if not layer else ADD_NORM
    second = names.COMPILED_NORM.format(3) if compiled else ADD_NORM
    yield rowwise(names.COMPILED_NORM.format(2) if compiled and layer else first, "norm", rows, shape.hidden)
    if shape.latent:
        yield from latent(one, PLAIN_NORM)
    else:
        yield from linear(one, q + 2 * kv, shape.hidden)
        if shape.qk_norm:
            yield rowwise(PLAIN_NORM, "norm", rows * shape.heads, shape.width, "")
            yield rowwise(PLAIN_NORM, "norm", rows * shape.kv_heads, shape.width, "")
        yield rowwise(ROPE, "rope", rows, q + kv)
        yield rowwise(names.CACHE_FP8 if shape.kv_bytes == 1 else VLLM_CACHE, "kv-cache", rows, 2 * kv)
        yield from vllm_attention(one)
        yield from linear(one, shape.hidden, q, split=rows <= 8)
    yield from reduced(one)
    yield rowwise(second, "norm", rows, shape.hidden)
    yield from block(one, layer, ACT)


def vllm_end(one: Pass) -> Launches:
    """Final norm, last rows, logits."""
    yield rowwise(ADD_NORM, "norm", one.rows, one.shape.hidden)
    if one.head:
        yield spread(LAST_ROWS, "copy", one.sampled * one.shape.hidden)
    yield from logits(one)


# SGLang ---------------------------------------------------------------------------------------------------------------


def sglang_begin(one: Pass) -> Launches:
    """Positions and cache indices, the embedding."""
    yield Kernel("create_flashinfer_kv_indices_triton", "attention", (one.seats, 1, 1), tells=SEQUENCES, core=False)
    yield Kernel(
        "clamp_position_kernel" if not one.chunks else "compute_position_kernel", "other", (one.sequences, 1, 1), core=False
    )
    yield gathered(one)


def sglang_attention(one: Pass) -> Launches:
    """FlashInfer over pages: the decode kernel's grid counts pieces of work, not sequences."""
    shape = one.shape
    size = shape.cached * one.seen
    pieces = max(one.seats, 132 * 2 // max(1, shape.kv_heads))
    if one.chunks or one.positions > 1:
        yield Kernel(names.BATCH_PREFILL, "attention", (max(ceil(one.rows / 64), 8), 1, shape.kv_heads), size, size / 50)
        return
    name = names.BATCH_DECODE.format(group=max(1, shape.heads // shape.kv_heads))
    yield Kernel(name, "attention", (pieces, shape.kv_heads, 1), size, size / 50, phase="decode")
    if pieces > one.seats:
        yield Kernel(names.MERGE, "attention", (132 * 3, 1, 1), size / 30, size / 100)


def sglang_layer(one: Pass, layer: int) -> Launches:
    """Norms of FlashInfer, rope by heads, the cache written by a kernel of its own."""
    shape, rows = one.shape, one.rows
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width
    yield rowwise(FI_ADD_NORM if layer else FI_NORM, "norm", rows, shape.hidden)
    if shape.latent:
        yield from latent(one, FI_NORM)
    else:
        yield from linear(one, q + 2 * kv, shape.hidden)
        if shape.qk_norm:
            yield rowwise(FI_NORM, "norm", rows * shape.heads, shape.width, "")
            yield rowwise(FI_NORM, "norm", rows * shape.kv_heads, shape.width, "")
        grid = (ceil(rows / 8), shape.heads + shape.kv_heads, 1)
        yield Kernel(names.ROPE_SGLANG, "rope", grid, 2.0 * rows * (q + kv) + 2048, 0.8 * rows * (q + kv))
        yield spread(names.STORE, "kv-cache", rows * 2 * kv, 4096)
        yield from sglang_attention(one)
        yield from linear(one, shape.hidden, q, split=rows <= 32)
    yield from reduced(one)
    yield rowwise(FI_ADD_NORM, "norm", rows, shape.hidden)
    yield from block(one, layer, FI_ACT)


def sglang_end(one: Pass) -> Launches:
    """Final norm, last rows of prompts, logits."""
    yield rowwise(FI_ADD_NORM, "norm", one.rows, one.shape.hidden)
    if one.chunks and one.head:
        yield spread(LAST_ROWS, "copy", one.sampled * one.shape.hidden)
    yield from logits(one)


# TensorRT-LLM ---------------------------------------------------------------------------------------------------------

FUSED_ROPE = (
    "void tensorrt_llm::kernels::fusedQKNormRopeKernel<128, false>(__nv_bfloat16*, int, int, int, float, __nv_bfloat16 const*)"
)
BIAS_ROPE = "void tensorrt_llm::kernels::applyBiasRopeUpdateKVCacheV2<__nv_bfloat16, __nv_bfloat16, 256, 128, false, false, false, true, tensorrt_llm::kernels::KVBlockArray, (tensorrt_llm::kernels::RotaryPositionEmbeddingType)0>"
CONTEXT = "fmha_v2_flash_attention_bf16_64_128_S_qkv_128_causal_tma_ws_sm90_kernel"


def trtllm_begin(one: Pass) -> Launches:
    """The embedding."""
    yield gathered(one)


def trtllm_layer(one: Pass, layer: int) -> Launches:
    """XQA for decode, a context kernel for prompts, each on its own rows."""
    shape, rows = one.shape, one.rows
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width
    yield rowwise(FI_ADD_NORM if layer else FI_NORM, "norm", rows, shape.hidden)
    yield from linear(one, q + 2 * kv, shape.hidden)
    if shape.qk_norm:
        yield Kernel(FUSED_ROPE, "rope", (ceil(rows * (shape.heads + shape.kv_heads) / 8), 1, 1), 2.0 * rows * (q + kv))
    yield Kernel(BIAS_ROPE, "kv-cache", (ceil(rows / 4), max(1, shape.kv_heads), 1), 2.0 * rows * (q + 2 * kv) + 2048)
    if one.chunks:
        prompts = shape.cached * sum(new + cached for new, cached in one.chunks)
        yield Kernel(CONTEXT, "attention", (132, 1, 1), prompts, phase="prefill", threads=384)
    if one.contexts:
        decoded = shape.cached * sum(c + one.positions for c in one.contexts)
        grid = (8, shape.kv_heads, one.seats - len(one.chunks))
        yield Kernel("kernel_mha", "attention", grid, decoded, 2.0 * rows * q, tells="decoding", phase="decode")
    yield from linear(one, shape.hidden, q, split=rows <= 8)
    yield from reduced(one)
    yield rowwise(FI_ADD_NORM, "norm", rows, shape.hidden)
    yield from block(one, layer, FI_ACT)


def trtllm_end(one: Pass) -> Launches:
    """Final norm and logits."""
    yield rowwise(FI_ADD_NORM, "norm", one.rows, one.shape.hidden)
    yield from logits(one)


# llama.cpp ------------------------------------------------------------------------------------------------------------


def ggml_linear(one: Pass, n: int, k: int, size: float | None = None, rows: int | None = None) -> Launches:
    """Quantise, then a vector product whose name has the number of rows, or a matrix product beyond eight."""
    m = one.rows if rows is None else rows
    yield Kernel(ggml.Q8, "quantize", (ceil(k / 256), m, 1), 4.0 * m * k, threads=256)
    plain = product("", n, k, one, rows=m, size=0.5625 * n * k if size is None else size)
    if m <= 8:
        yield replace(plain, name=ggml.VECTOR.format(m), grid=(n, 1, 1), flops=0.0, tells=ROWS if rows is None else SAMPLED)
        return
    yield replace(plain, name=ggml.MATRIX, grid=(ceil(n / 128), ceil(m / 64), 1))
    yield Kernel("void mul_mat_q_stream_k_fixup<(ggml_type)12, (int)64, (bool)0>(...)", "fc", (132, 1, 1))


def ggml_begin(one: Pass) -> Launches:
    """The embedding, where it is not on the CPU."""
    name = "void k_get_rows_float<float, float>(const T1 *, const int *, T2 *, long, long, uint3, unsigned long)"
    yield Kernel(name, "embedding", (one.rows, ceil(one.shape.hidden / 256), 1), 4.0 * one.rows * one.shape.hidden, tells=ROWS)


def ggml_attention(one: Pass) -> Launches:
    """A vector kernel for one row, tiles for more."""
    shape, size = one.shape, one.shape.cached * one.seen
    if one.rows == 1:
        name = f"void flash_attn_ext_vec<(int){shape.width}, (int)1, (ggml_type)1, (ggml_type)1, false>(const char *, const char *)"
        yield Kernel(name, "attention", (1, 4, shape.heads), size, phase="decode")
        combine = f"void flash_attn_combine_results<(int){shape.width}>(const float *, const float2 *, float *, int)"
        yield Kernel(combine, "attention", (1, shape.heads, 1), size / 50)
        return
    name = f"void flash_attn_ext_f16<(int){shape.width}, (int){shape.width}, (int)2, (int)4, false, false>"
    yield Kernel(name, "attention", (132, 1, 1), size)
    fixup = "void flash_attn_stream_k_fixup_uniform<(int)256, (int)2, (int)4>(float *, const float2 *, int)"
    yield Kernel(fixup, "attention", (132, 1, 1), size / 50)


def ggml_layer(one: Pass, layer: int) -> Launches:
    """Q, K and V apart; rope and cache writes apart; gate and up apart."""
    shape, rows = one.shape, one.rows
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width
    added = Kernel(ggml.ADD, "elementwise", (ceil(shape.hidden / 256), rows, 1), 8.0 * rows * shape.hidden)
    norm = replace(rowwise(ggml.NORM, "norm", rows, 2 * shape.hidden), threads=1024)
    yield norm
    yield from ggml_linear(one, q, shape.hidden)
    yield from ggml_linear(one, kv, shape.hidden)
    yield from ggml_linear(one, kv, shape.hidden)
    yield Kernel(ggml.ROPE, "rope", (rows * shape.heads, 1, 1), 4.0 * rows * q)
    yield Kernel(ggml.ROPE, "rope", (rows * shape.kv_heads, 1, 1), 4.0 * rows * kv)
    for _ in range(2):
        yield spread("k_set_rows<float,longlong,__half>", "kv-cache", rows * kv, 256)
    yield from ggml_attention(one)
    yield from ggml_linear(one, shape.hidden, q)
    yield added
    yield norm
    yield from ggml_linear(one, shape.ffn, shape.hidden)
    yield from ggml_linear(one, shape.ffn, shape.hidden)
    act = "void unary_gated_op_kernel<&op_silu, float>(const T2 *, const T2 *, T2 *, long, long, long, long)"
    yield spread(act, "activation", rows * shape.ffn, 256)
    yield from ggml_linear(one, shape.hidden, shape.ffn)
    yield added


def ggml_end(one: Pass) -> Launches:
    """Final norm and LM head over the rows that are sampled, on the CPU."""
    shape = one.shape
    if one.head:
        yield replace(rowwise(ggml.NORM, "norm", one.sampled, 2 * shape.hidden, SAMPLED), threads=1024)
        yield from ggml_linear(one, shape.vocabulary, shape.hidden, 0.82 * shape.vocabulary * shape.hidden, one.sampled)


# transformers ---------------------------------------------------------------------------------------------------------


def hf_linear(one: Pass, n: int, k: int, rows: int | None = None) -> Kernel:
    """A matrix-vector product for one row, cuBLAS else."""
    m = one.rows if rows is None else rows
    if m == 1:
        return replace(product(hf.GEMV, n, k, one, rows=1), grid=(ceil(n / 4), 1, 1), flops=0.0)
    return product(hf.GEMM if m <= 64 else names.nvjet(m), n, k, one, rows=m)


def mean(one: Pass) -> Kernel:
    """A mean over the width: up to 16 rows share a block (559 blocks of 32 x 16 for 8,944 rows in a trace of an H100)."""
    high = min(16, 1 << (one.rows.bit_length() - 1))
    size = 4.0 * one.rows * one.shape.hidden
    return Kernel(hf.MEAN, "norm", (ceil(one.rows / high), 1, 1), size, threads=max(32, 512 // high), high=high)


def hf_norm(one: Pass) -> Launches:
    """Eight launches, none of which counts rows."""
    elements = one.rows * one.shape.hidden
    yield spread(CAST, "norm", elements)
    yield spread(hf.POW, "norm", elements)
    yield mean(one)
    yield spread(hf.ADD_SCALAR, "norm", one.rows)
    yield spread(hf.RSQRT, "norm", one.rows)
    yield spread(hf.MUL, "norm", elements)
    yield spread(CAST, "norm", elements)
    yield spread(hf.MUL, "norm", elements)


def hf_attention(one: Pass) -> Launches:
    """SDPA by FlashAttention 2: split where few blocks would leave the device idle."""
    shape, width = one.shape, one.shape.width
    heads = one.seats * shape.heads
    size = 2.0 * shape.heads * width * shape.kv_bytes * one.seen
    if one.prompt or heads >= 105:
        new = one.chunks[0][0] if one.chunks else 1
        grid = (ceil(new / 128), one.seats, shape.heads)
        yield Kernel(names.flash(width, prompt=True), "attention", grid, size, tells=SEQUENCES)
        return
    yield Kernel(names.flash(width, prompt=False), "attention", (1, max(2, 105 // heads), heads), size, phase="decode")
    yield Kernel(names.flash(width, prompt=False, combine=True), "attention", (ceil(heads / 4), 1, 1), size / 60)


def hf_begin(one: Pass) -> Launches:
    """The embedding and the table of rotations."""
    yield gathered(one)
    yield Kernel(
        "void gemmk1_kernel<int, float, 256, 5, false, false, false, false, cublasGemvTensorStridedBatched<float const> >",
        "rope",
        (1, 1, 1),
        core=False,
    )
    for name in (
        hf.CAT,
        f"{hf.AT}cos_kernel_cuda(at::TensorIteratorBase &)>",
        f"{hf.AT}sin_kernel_cuda(at::TensorIteratorBase &)>",
    ):
        yield Kernel(name, "rope", (1, 1, 1), core=False)


def hf_layer(one: Pass, layer: int) -> Launches:
    """Norms and rotations in pieces, the cache grown by concatenation and repeated over the heads."""
    shape, rows = one.shape, one.rows
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width
    cache = shape.cached * one.seen / 2
    yield from hf_norm(one)
    yield hf_linear(one, q, shape.hidden)
    yield hf_linear(one, kv, shape.hidden)
    yield hf_linear(one, kv, shape.hidden)
    for heads in (shape.heads, shape.kv_heads):
        for name in (hf.MUL, hf.NEG, hf.CAT, hf.MUL, hf.ADD):
            yield spread(name, "rope", rows * heads * shape.width)
    for _ in range(2):
        yield Kernel(hf.CAT, "kv-cache", (132, 2, 1), cache, cache)
    for _ in range(2 if shape.heads > shape.kv_heads else 0):
        yield spread(hf.COPY, "copy", cache / 2 * shape.heads / shape.kv_heads, reads=cache)
    yield from hf_attention(one)
    yield spread(hf.COPY, "copy", rows * q)
    yield hf_linear(one, shape.hidden, q)
    yield spread(hf.ADD, "elementwise", rows * shape.hidden)
    yield from hf_norm(one)
    yield hf_linear(one, shape.ffn, shape.hidden)
    yield spread(hf.SILU, "activation", rows * shape.ffn)
    yield hf_linear(one, shape.ffn, shape.hidden)
    yield spread(hf.MUL, "activation", rows * shape.ffn)
    yield hf_linear(one, shape.hidden, shape.ffn)
    yield spread(hf.ADD, "elementwise", rows * shape.hidden)


def hf_end(one: Pass) -> Launches:
    """Final norm, LM head over the last rows, arg-max."""
    yield from hf_norm(one)
    if one.head:
        yield hf_linear(one, one.shape.vocabulary, one.shape.hidden, one.sampled)
        yield Kernel(
            ARGMAX, "sampling", (one.sampled, 1, 1), 4.0 * one.sampled * one.shape.vocabulary, tells=SAMPLED, threads=512
        )


# a plain loop in PyTorch, as in our own captures ------------------------------------------------------------------------


def loop_begin(one: Pass) -> Launches:
    """The embedding."""
    yield gathered(one)


def loop_layer(one: Pass, layer: int) -> Launches:
    """The launches of fixtures/capture/decode_step.py, in their order."""
    shape, rows = one.shape, one.rows
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width
    norm = rowwise(names.LAYER_NORM, "norm", rows, shape.hidden)
    yield norm
    yield product(names.nvjet(rows), q + 2 * kv, shape.hidden, one)
    for heads in (q, kv):
        for _ in range(4):
            yield spread(hf.MUL, "rope", rows * heads, 1024)
        yield spread(hf.ADD, "rope", rows * heads, 2048)
    yield spread(hf.COPY, "copy", rows * kv, 512)
    yield spread(hf.COPY, "copy", rows * kv, 512)
    size = shape.cached * one.seen
    splits = 4 if one.seats * shape.kv_heads < 132 else 1
    if one.prompt:
        yield Kernel(
            names.SDPA_PROMPT, "attention", (ceil(one.chunks[0][0] / 128), shape.heads, one.seats), size, phase="prefill"
        )
    else:
        grid = (splits, shape.kv_heads, one.seats)
        yield Kernel(names.SDPA.format(width=shape.width), "attention", grid, size, tells=SEQUENCES, phase="decode")
        if splits > 1:
            yield Kernel(names.REDUCED, "attention", (1, shape.heads, one.seats), size / 500, tells=SEQUENCES, threads=256)
    yield from linear(one, shape.hidden, q, split=rows <= 8)
    yield spread(hf.ADD, "elementwise", rows * shape.hidden, 1024)
    yield norm
    yield product(names.nvjet(rows), 2 * shape.ffn, shape.hidden, one)
    yield spread(hf.SILU, "activation", rows * shape.ffn)
    yield spread(hf.MUL, "activation", rows * shape.ffn)
    yield from linear(one, shape.hidden, shape.ffn, split=rows <= 8)
    yield spread(hf.ADD, "elementwise", rows * shape.hidden, 1024)


def loop_end(one: Pass) -> Launches:
    """Final norm, LM head, arg-max of 16-bit logits."""
    yield rowwise(names.LAYER_NORM, "norm", one.rows, one.shape.hidden)
    yield from logits(one, names.ARGMAX_BF16)


# compiled whole -------------------------------------------------------------------------------------------------------


def compiled_begin(one: Pass) -> Launches:
    """Nothing: the embedding is in the first norm."""
    del one
    yield from ()


def compiled_layer(one: Pass, layer: int) -> Launches:
    """gpt-fast: every product a reduction of inductor, for a single row."""
    shape = one.shape
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width

    def vector(name: str, n: int, k: int) -> Kernel:
        return replace(product(name, n, k, one), grid=(n, 1, 1), flops=0.0, threads=64)

    first = (
        "triton_red_fused__to_copy_embedding_mean_pow_0" if not layer else "triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_23"
    )
    yield rowwise(first, "norm", one.rows, shape.hidden)
    yield vector("triton_red_fused_mm_9", q, shape.hidden)
    yield vector("triton_red_fused_mm_10", kv, shape.hidden)
    yield vector("triton_red_fused_index_put_mm_15", kv, shape.hidden)
    yield Kernel("triton_poi_fused_index_put_3", "kv-cache", (ceil(kv / 256), 1, 1))
    half = shape.cached * one.seen / 2
    yield Kernel("triton_red_fused_bmm_5", "attention", (shape.heads * 16, 1, 1), half)
    yield Kernel(
        "triton_per_fused__safe_softmax_add_index_scalar_tensor_where_6",
        "attention",
        (shape.heads, 1, 1),
        4.0 * one.seen * shape.heads,
    )
    yield Kernel("triton_per_fused_bmm_8", "attention", (q, 1, 1), half)
    yield vector("triton_red_fused_mm_14", shape.hidden, q)
    yield rowwise("triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_5", "norm", one.rows, shape.hidden)
    yield vector("triton_red_fused_mm_15", shape.ffn, shape.hidden)
    yield vector("triton_red_fused_mm_mul_silu_t_9", shape.ffn, shape.hidden)
    yield vector("triton_red_fused_mm_17", shape.hidden, shape.ffn)


def compiled_end(one: Pass) -> Launches:
    """Final norm, LM head, sampling by temperature."""
    shape = one.shape
    yield rowwise("triton_red_fused__to_copy_mean_mul_11", "norm", one.rows, shape.hidden)
    lm = product("triton_red_fused_div_mm_21", shape.vocabulary, shape.hidden, one, rows=one.sampled)
    yield replace(lm, grid=(shape.vocabulary, 1, 1), flops=0.0)
    yield Kernel("triton_red_fused__softmax_22", "sampling", (one.sampled, 1, 1), 4.0 * shape.vocabulary)
    yield Kernel(
        "triton_red_fused_argmax_div_exponential_23", "sampling", (one.sampled, 1, 1), 4.0 * shape.vocabulary, tells=SAMPLED
    )


def plain(shape: Shape) -> bool:
    """Dense with an ordinary cache."""
    return not shape.experts and not shape.latent


def compiled_norms(one: Pass, layer: int) -> Launches:
    """vLLM with norms that the compiler wrote."""
    return vllm_layer(one, layer, compiled=True)


ENGINES = {
    e.name: e
    for e in (
        Engine(name="vllm", begin=vllm_begin, layer=vllm_layer, end=vllm_end, nvtx="vllm", tp=True, speculative=True),
        Engine(
            name="vllm-compiled", begin=vllm_begin, layer=compiled_norms, end=vllm_end, nvtx="vllm", tp=True, speculative=True
        ),
        Engine(name="sglang", begin=sglang_begin, layer=sglang_layer, end=sglang_end, nvtx="sglang", tp=True, speculative=True),
        Engine(
            name="trtllm",
            begin=trtllm_begin,
            layer=trtllm_layer,
            end=trtllm_end,
            takes=lambda s: not s.latent,
            nvtx="trtllm",
            tp=True,
        ),
        Engine(
            name="llama.cpp",
            begin=ggml_begin,
            layer=ggml_layer,
            end=ggml_end,
            takes=lambda s: plain(s) and s.weights == "bf16" and s.kv_bytes == 2,
            most=8,
        ),
        Engine(
            name="transformers",
            begin=hf_begin,
            layer=hf_layer,
            end=hf_end,
            takes=lambda s: plain(s) and s.weights == "bf16" and s.kv_bytes == 2,
            most=32,
        ),
        Engine(
            name="loop",
            begin=loop_begin,
            layer=loop_layer,
            end=loop_end,
            takes=lambda s: plain(s) and s.weights == "bf16" and s.kv_bytes == 2,
            nvtx="ours",
        ),
        Engine(
            name="gpt-fast",
            begin=compiled_begin,
            layer=compiled_layer,
            end=compiled_end,
            takes=lambda s: plain(s) and s.weights == "bf16" and s.kv_bytes == 2 and s.heads == s.kv_heads,
            most=1,
        ),
    )
}
