"""Hugging Face transformers without compilation: norms and rotations as chains of small kernels."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engines.launches import K, k, stack
from tests.engines.names import ARGMAX, CAST, GATHER

AT = "void at::native::vectorized_elementwise_kernel<(int)4, at::native::"
POW = "void at::native::vectorized_elementwise_kernel<(int)4, void at::native::<unnamed>::pow_tensor_scalar_kernel_impl<float, float>(at::TensorIteratorBase &, T2)::[lambda(float) (instance 1)], std::array<char *, (unsigned long)2>>(int, T2, T3)"
MEAN = "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float, float, float, float>, unsigned int, float, 4> >(at::native::ReduceOp<float, at::native::MeanOps<float, float, float, float>, unsigned int, float, 4>)"
RSQRT = f"{AT}rsqrt_kernel_cuda(at::TensorIteratorBase &)::[lambda() (instance 2)]::operator ()() const::[lambda() (instance 2)]::operator ()() const::[lambda(float) (instance 1)], std::array<char *, (unsigned long)2>>(int, T2, T3)"
ADD_SCALAR = f"{AT}CUDAFunctorOnSelf_add<float>, std::array<char *, (unsigned long)2>>(int, T2, T3)"
ADD = f"{AT}CUDAFunctor_add<c10::BFloat16>, std::array<char *, (unsigned long)3>>(int, T2, T3)"
MUL = "void at::native::elementwise_kernel<(int)128, (int)4, void at::native::gpu_kernel_impl_nocast<at::native::BinaryFunctor<c10::BFloat16, c10::BFloat16, c10::BFloat16, at::native::binary_internal::MulFunctor<float>>>(at::TensorIteratorBase &, const T1 &)::[lambda(int) (instance 1)]>(int, T3)"
NEG = "void at::native::elementwise_kernel<(int)128, (int)4, void at::native::gpu_kernel_impl_nocast<at::native::neg_kernel_cuda(at::TensorIteratorBase &)::[lambda() (instance 2)]::operator ()() const::[lambda() (instance 9)]::operator ()() const::[lambda(c10::BFloat16) (instance 1)]>(at::TensorIteratorBase &, const T1 &)::[lambda(int) (instance 1)]>(int, T3)"
CAT = "void at::native::<unnamed>::CatArrayBatchedCopy<at::native::<unnamed>::OpaqueType<(unsigned int)2>, unsigned int, (int)4, (int)64, (int)64>(T1 *, at::native::<unnamed>::CatArrInputTensorMetadata<T1, T2, T4, T5>, at::native::<unnamed>::TensorSizeStride<T2, (unsigned int)4>, int, T2)"
SILU = f"{AT}<unnamed>::silu_kernel(at::TensorIteratorBase &)::[lambda() (instance 1)]::operator ()() const::[lambda() (instance 6)]::operator ()() const::[lambda(c10::BFloat16) (instance 1)], std::array<char *, (unsigned long)2>>(int, T2, T3)"
COPY = "void at::native::elementwise_kernel<(int)128, (int)4, void at::native::gpu_kernel_impl_nocast<at::native::direct_copy_kernel_cuda(at::TensorIteratorBase &)::[lambda() (instance 3)]::operator ()() const::[lambda() (instance 12)]::operator ()() const::[lambda(c10::BFloat16) (instance 1)]>(at::TensorIteratorBase &, const T1 &)::[lambda(int) (instance 1)]>(int, T3)"
FA2 = "void pytorch_flash::flash_fwd_splitkv_kernel<Flash_fwd_kernel_traits<(int)128, (int)64, (int)128, (int)4, (bool)0, (bool)0, cutlass::bfloat16_t, Flash_kernel_traits<(int)128, (int)64, (int)128, (int)4, cutlass::bfloat16_t>>, (bool)0, (bool)0, (bool)0, (bool)0, (bool)1, (bool)0, (bool)1, (bool)0>(pytorch_flash::Flash_fwd_params)"
FA2_COMBINE = "void pytorch_flash::flash_fwd_splitkv_combine_kernel<Flash_fwd_kernel_traits<(int)128, (int)64, (int)128, (int)4, (bool)0, (bool)0, cutlass::bfloat16_t>, (int)4, (int)1, (bool)1>(pytorch_flash::Flash_fwd_params)"
FA2_FULL = "void pytorch_flash::flash_fwd_kernel<pytorch_flash::Flash_fwd_kernel_traits<128, 128, 64, 4, false, false, cutlass::bfloat16_t, pytorch_flash::Flash_kernel_traits<128, 128, 64, 4, cutlass::bfloat16_t> >, false, true, false, false, false, true, false>(pytorch_flash::Flash_fwd_params)"
GEMV = "std::enable_if<!(false), void>::type internal::gemvx::kernel<int, int, __nv_bfloat16, __nv_bfloat16, __nv_bfloat16, float, false, true, true, false, 7, false, cublasGemvParamsEx<int, cublasGemvTensorStridedBatched<__nv_bfloat16 const>, cublasGemvTensorStridedBatched<__nv_bfloat16 const>, cublasGemvTensorStridedBatched<__nv_bfloat16>, float> >(T13)"
GEMM = "ampere_bf16_s16816gemm_bf16_64x64_sliced1x2_ldg8_f2f_stages_64x5_tn"


def norm(rows: int) -> Iterator[K]:
    """x * rsqrt(mean(x^2) + eps) * w, launch by launch."""
    yield k(CAST, 4 * rows)
    yield k(POW, 4 * rows)
    yield k(MEAN, rows)
    yield k(ADD_SCALAR, 1)
    yield k(RSQRT, 1)
    yield k(MUL, 8 * rows)
    yield k(CAST, 4 * rows)
    yield k(MUL, 8 * rows)


def product(cols: int, rows: int, read: float) -> K:
    """cuBLAS takes one row as a matrix-vector product."""
    return k(GEMV, cols // 4, read=read) if rows == 1 else k(GEMM, -(-cols // 64), -(-rows // 64), read=read)


def rotated(rows: int, heads: int) -> Iterator[K]:
    """x cos + rotate_half(x) sin."""
    yield from (k(one, heads * rows) for one in (MUL, NEG, CAT, MUL, ADD))


def dense(rows: int, sequences: int, layers: int, prefill: bool = False) -> list[K]:
    """Llama in eager mode with SDPA."""

    def layer(_: int) -> Iterator[K]:
        yield from norm(rows)
        yield product(4096, rows, 33e6)
        yield product(1024, rows, 8e6)
        yield product(1024, rows, 8e6)
        yield from rotated(rows, 32)
        yield from rotated(rows, 8)
        yield from (k(CAT, 132, 2, read=4e6), k(CAT, 132, 2, read=4e6))
        yield from (k(COPY, 512, read=4e6), k(COPY, 512, read=4e6))
        yield from (
            [k(FA2_FULL, 8, sequences, 32, read=4e6)]
            if prefill
            else [k(FA2, 1, 4, 32 * sequences, read=4e6), k(FA2_COMBINE, 8 * sequences)]
        )
        yield k(COPY, 4 * rows)
        yield product(4096, rows, 33e6)
        yield k(ADD, 4 * rows)
        yield from norm(rows)
        yield product(14336, rows, 117e6)
        yield k(SILU, 14 * rows)
        yield product(14336, rows, 117e6)
        yield k(MUL, 14 * rows)
        yield product(4096, rows, 117e6)
        yield k(ADD, 4 * rows)

    begin = [
        k(GATHER, rows),
        k(
            "void gemmk1_kernel<int, float, 256, 5, false, false, false, false, cublasGemvTensorStridedBatched<float const> >",
            1,
        ),
        k(CAT, 1),
        k(f"{AT}cos_kernel_cuda(at::TensorIteratorBase &)::[lambda() (instance 2)]>", 1),
        k(f"{AT}sin_kernel_cuda(at::TensorIteratorBase &)::[lambda() (instance 2)]>", 1),
    ]
    return [*begin, *stack(layers, layer), *norm(rows), product(128256, sequences, 1.05e9), k(CAST, 501), k(ARGMAX, sequences)]
