"""Roles in a sequence: NVTX ranges and neighbours where a name leaves the role open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.roles.roles import ADDED, assign
from ncu_roofline.capture.schema import FAMILIES, ROLE_SOURCES, ROLES
from ncu_roofline.knowledge.kernels.roles import load_rules
from tests.kernels import launch, launches

GEMM = "ampere_fp16_s16816gemm_fp16_64x64_ldg8_f2f_stages_64x5_tn"
SOFTMAX = "void cunn_SoftMaxForward<4, float>(float*)"
CAST = "void at::native::elementwise_kernel<4, direct_copy_kernel_cuda>(int)"
SCALE = "void at::native::vectorized_elementwise_kernel<4, MulFunctor<float>>(int)"
NORM, ROPE, CACHE, FLASH = "rms_norm_kernel", "rotary_embedding_kernel", "reshape_and_cache_kernel", "flash_fwd_kernel"
GENERIC = "void cutlass::device_kernel<T>(T1::Params)"


def roles(*names: str, **columns: Sequence[Any]) -> list[str | None]:
    rows = [launch(name, **{c: values[i] for c, values in columns.items()}) for i, name in enumerate(names)]
    found: list[str | None] = assign(launches(*rows))["role"].cast(pl.String).to_list()
    return found


def test_every_launch_gets_the_columns_of_the_schema() -> None:
    named = assign(launches(launch(GEMM), launch("xyzzy")))

    assert named.select(ADDED).schema == {
        "role": pl.Enum(ROLES),
        "role_source": pl.Enum(ROLE_SOURCES),
        "role_rule": pl.String,
        "weight_dtype": pl.String,
        "activation_dtype": pl.String,
        "cache_dtype": pl.String,
        "family": pl.Enum(FAMILIES),
    }
    assert named.select(ADDED).row(1) == (None, None, None, None, None, None, "other")


def test_a_gemm_on_either_side_of_a_softmax_is_unfused_attention() -> None:
    layer = [GEMM, GEMM, SCALE, SOFTMAX, CAST, GEMM, GEMM]

    assert roles(*layer) == ["fc", "attention", "elementwise", "attention", "copy", "attention", "fc"]


def test_a_softmax_after_the_last_gemm_of_a_step_is_sampling() -> None:
    steps = [NORM, ROPE, FLASH, GEMM] * 8 + [GEMM, SOFTMAX, "argmax_kernel"]

    assert roles(*steps)[-3:] == ["fc", "sampling", "sampling"]


COMPILED = "triton_red_fused__softmax_4"


@pytest.mark.parametrize("draw", ["argmax_kernel", "triton_red_fused_argmax_9"])
def test_a_compiled_softmax_right_before_the_draw_is_sampling(draw: str) -> None:
    steps = [NORM, ROPE, FLASH, GEMM] * 8 + [GEMM, COMPILED, SCALE, draw]

    assert roles(*steps)[-3] == "sampling"


def test_a_compiled_softmax_between_the_products_of_the_last_layer_is_attention() -> None:
    steps = [NORM, ROPE, GEMM, COMPILED, GEMM, GEMM] * 8 + ["argmax_kernel"]

    assert {role for name, role in zip(steps, roles(*steps), strict=True) if name == COMPILED} == {"attention"}


def test_a_last_softmax_behind_a_normed_product_may_draw_or_choose_which_the_windows_end_leaves_open() -> None:
    layer = [NORM, ROPE, FLASH, GEMM]

    assert roles(*layer, NORM, GEMM, "triton_red_fused__softmax_22")[-1] is None
    assert assign(launches(*map(launch, [*layer, NORM, GEMM, "triton_red_fused__softmax_22"])))["role_rule"][-1] is None
    # where it recurs, or where more than one product lies between, it is attention's
    assert roles(*[NORM, GEMM, ROPE, GEMM, COMPILED] * 3)[-1] == "attention"


def test_a_softmax_and_top_k_of_every_layer_choose_experts() -> None:
    layer = [NORM, FLASH, GEMM, SOFTMAX, "gatherTopK", "fused_moe_kernel"]

    assert roles(*layer * 6)[3:6] == ["moe-routing", "moe-routing", "fc"]


def test_a_top_k_behind_which_a_step_ends_draws_however_few_layers_there_are() -> None:
    step = ["embeddingLookup", *[NORM, FLASH, GEMM, NORM, GEMM] * 3, NORM, GEMM, "topKStage1", "topKStage2Sampling"]

    assert roles(*step * 2)[-2:] == ["sampling", "sampling"]
    # experts are multiplied behind their choice
    assert roles(*[NORM, FLASH, GEMM, "gatherTopK", GEMM] * 4, NORM)[3] == "moe-routing"


def test_what_goes_right_into_experts_chooses_them_however_few_layers_there_are() -> None:
    pointers = "void at::cuda::detail::prepare_grouped_gemm_data<T>(int)"
    layer = [NORM, FLASH, GEMM, NORM, GEMM, SOFTMAX, "gatherTopK", "bitonicSortKVInPlace", GATHER, pointers, GENERIC]

    for few in (1, 2):
        assert roles(*layer * few, NORM)[5:10] == ["moe-routing"] * 5
    # behind a draw another step begins
    assert roles(*layer, NORM, GEMM, SOFTMAX, "gatherTopK", GATHER, *layer)[-16:-11] == [
        "norm",
        "fc",
        *["sampling"] * 2,
        "embedding",
    ]


@pytest.mark.parametrize(("product", "expected"), [(GEMM, "fc"), ("mqa_attn_kernel", "attention")])
def test_a_nameless_sum_belongs_to_the_product_before_it(product: str, expected: str) -> None:
    assert roles(product, "reduce")[1] == expected


def test_a_nameless_sum_after_anything_else_stays_unclassified() -> None:
    assert roles(NORM, ROPE, CACHE, "reduce")[3] is None


def test_a_split_k_sum_behind_the_product_of_unfused_attention_is_attention() -> None:
    assert roles(GEMM, "splitKreduce_kernel", SOFTMAX, GEMM)[1] == "attention"


def test_a_nameless_kernel_is_settled_by_what_stands_around_it() -> None:
    layer = [NORM, GENERIC, ROPE, CACHE, GENERIC, GEMM]

    assert roles(*layer) == ["norm", "fc", "rope", "kv-cache", "attention", "fc"]


def test_a_nameless_kernel_alone_stays_unclassified() -> None:
    assert roles(GENERIC) == [None]


def test_an_eager_norm_is_one_role_from_cast_to_weight() -> None:
    pointwise = "void at::native::vectorized_elementwise_kernel<4, {}>(int)"
    chain = [
        CAST,
        pointwise.format("pow_tensor_scalar_kernel_impl<float>"),
        "void at::native::reduce_kernel<512, MeanOps<float>>(R)",
        pointwise.format("CUDAFunctorOnSelf_add<float>"),
        pointwise.format("rsqrt_kernel_cuda"),
        SCALE,
        CAST,
        SCALE,
    ]

    assert roles(GEMM, *chain, GEMM) == ["fc", *["norm"] * 8, "fc"]


def test_rotate_half_is_rope_from_its_negation_to_the_addition() -> None:
    neg = "void at::native::elementwise_kernel<4, neg_kernel_cuda>(int)"
    cat = "void at::native::CatArrayBatchedCopy<T, 4>(T*)"
    add = "void at::native::vectorized_elementwise_kernel<4, CUDAFunctor_add<float>>(int)"

    assert roles(GEMM, SCALE, neg, cat, SCALE, add, GEMM) == ["fc", *["rope"] * 5, "fc"]


def test_concatenations_between_rope_and_attention_grow_the_cache() -> None:
    cat = "void at::native::CatArrayBatchedCopy<T, 4>(T*)"

    assert roles(ROPE, cat, cat, FLASH) == ["rope", "kv-cache", "kv-cache", "attention"]


def test_neighbours_are_looked_for_within_one_stream() -> None:
    names, streams = [GEMM, "other_gemm", SOFTMAX, "other_gemm", GEMM], [7, 8, 7, 8, 7]

    assert roles(*names, stream=streams) == ["attention", "fc", "attention", "fc", "attention"]


def ranged(name: str, *ranges: str) -> tuple[str | None, str | None]:
    named = assign(launches(launch(name, nvtx=list(ranges))))
    return named.select(pl.col("role", "role_source").cast(pl.String)).row(0)


@pytest.mark.parametrize(
    ("name", "ranges", "expected"),
    [
        ("xyzzy", ["model.layers.3.mlp.down_proj"], ("fc", "nvtx")),
        ("xyzzy", ["model.layers.3.self_attn"], ("attention", "nvtx")),
        ("xyzzy", ["model.layers.3.self_attn", "model.layers.3.self_attn.q_proj"], ("fc", "nvtx")),
        (SCALE, ["model.layers.3.input_layernorm"], ("norm", "nvtx")),
        (GEMM, ["aten::scaled_dot_product_attention"], ("attention", "nvtx")),
        (GEMM, ["model.layers.3.self_attn.rotary_emb"], ("rope", "nvtx")),
        (SOFTMAX, ["model.layers.3.mlp.gate"], ("moe-routing", "nvtx")),
        ("scaled_fp8_quant_kernel", ["model.layers.3.mlp.down_proj"], ("quantize", "name")),
        ("reshape_and_cache_kernel", ["model.layers.3.self_attn.attn"], ("kv-cache", "name")),
        ("xyzzy", ["step 4"], (None, None)),
    ],
)
def test_a_range_decides_where_the_name_is_less_exact(
    name: str, ranges: list[str], expected: tuple[str | None, str | None]
) -> None:
    assert ranged(name, *ranges) == expected


def test_the_users_rules_stand_before_ranges_names_and_neighbours(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "[[rule]]\nid = 'm'\nrole = 'comm'\nfunction = '^ampere'\n[[rule]]\nid = 'n'\nrole = 'ssm'\nnvtx = 'mixer'\n"
    )
    rows = launches(launch(GEMM, nvtx=["self_attn"]), launch(SOFTMAX), launch(GEMM), launch(FLASH, nvtx=["mixer"]))

    named = assign(rows, load_rules(file)).select(pl.col("role", "role_source", "role_rule").cast(pl.String))

    assert [named.row(i) for i in (0, 2, 3)] == [("comm", "user", "m"), ("comm", "user", "m"), ("ssm", "user", "n")]


def test_families_are_fc_attention_and_everything_else() -> None:
    named = assign(launches(launch(GEMM), launch(FLASH), launch(CACHE), launch("xyzzy")))

    assert named["family"].cast(pl.String).to_list() == ["fc", "attention", "other", "other"]


def test_no_launch_gives_no_role() -> None:
    assert assign(launches(launch(GEMM)).clear()).height == 0


GATHER, ARGMAX = "void at::native::vectorized_gather_kernel<16, long>(char*)", "void at::native::reduce_kernel<ArgMaxOps>(T3)"
ROWS, LLAMA_NORM = "void k_get_rows_float<float, float>(const T1*)", "void rms_norm_f32<1024, true>(const float*)"


@pytest.mark.parametrize(
    ("step", "of_rows"),
    [
        # behind the draw, whatever plans the step comes between
        ([GATHER, "prepare_varlen_num_blocks_kernel", NORM, GEMM, FLASH, GEMM, ARGMAX], GATHER),
        # no draw on the GPU: between the head and a norm
        ([ROWS, LLAMA_NORM, GEMM, "flash_attn_ext_f16", GEMM, LLAMA_NORM, GEMM], ROWS),
    ],
)
def test_a_gather_that_begins_a_step_of_a_single_layer_is_the_embedding(step: list[str], of_rows: str) -> None:
    assert [role for name, role in zip(step * 3, roles(*step * 3), strict=True) if name == of_rows] == ["embedding"] * 3


def test_rows_picked_between_attention_and_its_norm_are_no_embedding() -> None:
    step = [ROWS, LLAMA_NORM, GEMM, "flash_attn_ext_f16", GEMM, ROWS, LLAMA_NORM, GEMM, LLAMA_NORM, GEMM]

    assert [role for name, role in zip(step * 6, roles(*step * 6), strict=True) if name == ROWS] == ["embedding", "copy"] * 6


def test_a_softmax_right_before_the_draw_is_its_own_however_few_layers_there_are() -> None:
    step = ["triton_red_fused_mm_9", "triton_red_fused_bmm_5", COMPILED, "triton_red_fused_bmm_8", "triton_red_fused_mm_21"]
    step += ["triton_red_fused__softmax_22", "triton_red_fused_argmax_23"]

    assert roles(*step * 3)[5::7] == ["sampling"] * 3
    # and where the window ends behind it
    assert roles(*(step * 3)[:-1])[-1] == "sampling"


def test_normal_numbers_fill_a_tensor_and_draw_no_token() -> None:
    drawn = "void at::native::<unnamed>::distribution_elementwise_grid_stride_kernel<float, 4, {}<at::CUDAGeneratorImpl *>>"
    assert roles(drawn.format("at::native::templates::cuda::normal_and_transform"))[0] == "other"
    assert roles(drawn.format("at::native::templates::cuda::exponential_kernel"))[0] == "sampling"
