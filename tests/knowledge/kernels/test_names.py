"""The function name of a kernel, as the profiler itself would print it."""

from __future__ import annotations

import doctest

import polars as pl
import pytest

from ncu_roofline.capture import names
from tests.corpus import CORPUS, files, needs_corpus

NAMES = [
    # return type, namespaces, template arguments, parameters
    (
        "void at::native::vectorized_elementwise_kernel<4, at::FillFunctor<int>, std::array<char *, 1>>(int, T2, T3)",
        "vectorized_elementwise_kernel",
    ),
    # a qualified return type in front of the name
    ("enable_if<!T7, void>::type kernel<int, int, __half, cublasGemvParamsEx<int, X<const __half>>>(T4)", "kernel"),
    # lambdas inside template arguments
    (
        "void at::index_elementwise_kernel<128, 4, void at::gpu_index_kernel<void f(at::A &)::[lambda(char *, long) "
        "(instance 1)]>(at::A &)::[lambda(int) (instance 1)]>(long, T3)",
        "index_elementwise_kernel",
    ),
    # operators that contain brackets or angle signs
    ("void ns::Functor<int>::operator()(int, float) const", "operator()"),
    ("void ns::A::operator<<(int)", "operator<<"),
    # unnamed namespaces
    ("void <unnamed>::softmax_warp_forward<float, 8>(float *)", "softmax_warp_forward"),
    ("(anonymous namespace)::copy_kernel(int)", "copy_kernel"),
    ("void ns::(anonymous namespace)::copy_kernel<3>(int)", "copy_kernel"),
    # negative and cast template arguments
    ("void cutlass::Kernel2<(int)-1, (bool)1, (cutlass::E)2>(Params)", "Kernel2"),
    # pointers and references in the return type
    ("float const *& ns::get<int>(int *)", "get"),
    # names without any decoration stay
    ("nvjet_tst_64x8_64x16_1x2_h_bz_TNT", "nvjet_tst_64x8_64x16_1x2_h_bz_TNT"),
    ("triton_red_fused__to_copy_add_mean_0d1d2d3de", "triton_red_fused__to_copy_add_mean_0d1d2d3de"),
    ("_ZN7cutlass6KernelINS_4gemmEEEvNT_6ParamsE", "_ZN7cutlass6KernelINS_4gemmEEEvNT_6ParamsE"),
    ("ncclDevKernel_AllReduce_Sum_f16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "ncclDevKernel_AllReduce_Sum_f16_RING_LL"),
    ("mul_mat_vec_q<(ggml_type)12, 1, false, false>(const void *, const void *)", "mul_mat_vec_q"),
    # brackets that never close: the name as far as it goes, never an empty one
    ("void broken<int, (float)", "broken"),
    ("Memcpy DtoH (Device -> Pinned)", "Memcpy DtoH (Device -> Pinned)"),
    ("", ""),
    ("(", "("),
    ("<>", "<>"),
]


@pytest.mark.parametrize(("name", "function"), NAMES)
def test_a_kernel_name_is_reduced_to_its_function(name: str, function: str) -> None:
    assert names.function_name(name) == function


def test_a_column_of_names_keeps_its_order_and_its_nulls() -> None:
    column = pl.Series(["void b<1>(int)", None, "a(int)", "void b<1>(int)"])
    assert names.function_names(column).to_list() == ["b", None, "a", "b"]


def test_the_examples_in_the_docstrings_hold() -> None:
    failed, ran = doctest.testmod(names)
    assert (failed, ran > 1) == (0, True)


@needs_corpus
@pytest.mark.parametrize("file", files("rep"))
def test_the_profilers_own_function_names_are_met(file: str) -> None:
    ncu_report = pytest.importorskip("ncu_report")
    context = ncu_report.load_report(str(CORPUS / file))
    actions = [context[r][a] for r in range(len(context)) for a in range(len(context[r]))]
    printed = {a.name(a.NameBase_DEMANGLED): a.name(a.NameBase_FUNCTION) for a in actions}
    assert {name: names.function_name(name) for name in printed if name} == {n: f for n, f in printed.items() if n}
