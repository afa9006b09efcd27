"""Rows told by grids and names: which launches speak, what they count, and whose work they only finish."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.rows import listed, named, of_experts, phase_kinds, rows_of, satellite, texts, vote, votes
from ncu_roofline.capture.schema import ROLES, enum
from ncu_roofline.knowledge.kernels.rows import NamedRule, RowRule, rules
from tests.kernels import launch, launches


def voted(on: pl.DataFrame, number: int, rule: RowRule) -> pl.DataFrame:
    found = vote(on, number, rule, texts(on))
    assert found is not None
    return found


def frame(*rows: dict[str, Any], roles: list[str | None] | None = None) -> pl.DataFrame:
    """Launches with their roles."""
    told = roles or [None] * len(rows)
    return launches(*rows).with_columns(pl.Series("role", told, dtype=enum(ROLES)))


def grids(*sides: list[int], kernel: str = "k", role: str | None = None) -> pl.DataFrame:
    return frame(*(launch(kernel, kernel=kernel, grid=grid) for grid in sides), roles=[role] * len(sides))


def told(rule: RowRule, on: pl.DataFrame) -> list[int]:
    return voted(on, 0, rule)["rows"].to_list()


@pytest.mark.parametrize(("axis", "rows"), [("x", 5), ("y", 6), ("z", 7)])
def test_a_rule_counts_rows_by_its_side_of_the_grid(axis: str, rows: int) -> None:
    assert told(RowRule(what="w", kernel="k", axis=axis), grids([5, 6, 7])) == [rows]


def test_a_rule_may_state_a_number_or_find_it_in_the_name() -> None:
    assert told(RowRule(what="w", kernel="k", value=1), grids([5, 6, 1])) == [1]
    # a product for each head is attention's
    assert told(RowRule(what="w", kernel="k", value=1), grids([5, 6, 7])) == []
    named_so = frame(launch("mul<8>", kernel="mul"), launch("mul<x>", kernel="mul"))
    assert told(RowRule(what="w", name=r"mul<(\d+|x)>"), named_so) == [8]


def test_a_rule_speaks_of_whole_function_names_and_of_parts_of_demangled_ones() -> None:
    on = frame(launch("void norm(x)", kernel="norm"), launch("void norm2(x)", kernel="norm2"))
    assert voted(on, 0, RowRule(what="w", kernel="norm", axis="x"))["index"].to_list() == [0]
    assert voted(on, 0, RowRule(what="w", name="norm", axis="x"))["index"].to_list() == [0, 1]
    assert voted(on, 0, RowRule(what="w", kernel="norm|norm2", name=r"norm2\(", axis="x"))["index"].to_list() == [1]


def test_a_rule_of_a_role_speaks_of_launches_of_that_role() -> None:
    on = frame(launch("k", kernel="k"), launch("k", kernel="k"), launch("k", kernel="k"), roles=["norm", "fc", None])
    assert voted(on, 0, RowRule(what="w", kernel="k", role="norm", axis="x"))["index"].to_list() == [0]


def test_a_flat_rule_counts_only_grids_of_one_row_of_blocks() -> None:
    on = grids([4, 1, 1], [4, 2, 1], [4, 1, 3])
    assert voted(on, 0, RowRule(what="w", kernel="k", axis="x", flat=True))["index"].to_list() == [0, 2]
    assert voted(on, 0, RowRule(what="w", kernel="k", axis="x"))["index"].to_list() == [0, 1, 2]


def test_no_rows_are_no_vote() -> None:
    on = frame(
        launch("k", kernel="k", grid=None), launch("k", kernel="k", grid=[0, 1, 1]), launch("k", kernel="k", grid=[1, 1, 1])
    )
    assert told(RowRule(what="w", kernel="k", axis="x"), on) == [1]


def test_a_vote_carries_what_its_rule_says() -> None:
    on = grids([4, 1, 1], role="embedding")
    rule = RowRule(what="w", kernel="k", axis="x", least=True, sequences=True, role="embedding")
    assert voted(on, 7, rule).row(0, named=True) == {
        "index": 0,
        "rule": 7,
        "what": "w",
        "least": True,
        "sampled": False,
        "sequences": True,
        "planned": False,
        "embedding": True,
        "fixed": False,
        "rows": 4,
    }
    fixed = voted(on, 8, RowRule(what="w", kernel="k", value=3, sampled=True)).row(0, named=True)
    assert (fixed["least"], fixed["sampled"], fixed["embedding"], fixed["fixed"]) == (False, True, False, True)


def test_every_rule_of_the_table_votes_under_its_number() -> None:
    on = frame(
        launch("rotary_embedding_kernel", kernel="rotary_embedding_kernel", grid=[9, 1, 1]),
        launch("gemm", kernel="gemm"),
        launch("RMSNormKernel", kernel="RMSNormKernel", grid=[4, 1, 1]),
        roles=["rope", "fc", "norm"],
    )
    found = votes(on).sort("index")
    assert found.select("index", "what", "least", "rows").rows() == [(0, "rope grids", False, 9), (2, "norm grids", True, 4)]
    assert [rules(RowRule, "rows")[n].what for n in found["rule"]] == ["rope grids", "norm grids"]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("void mul_mat_vec_q<(ggml_type)12, (int)3, (bool)0>(const void *)", 3),
        ("void mul_mat_vec_q<8, 1, 0, 0>(const void *)", 1),
        ("void mul_mat_vec_q_moe<(ggml_type)12, (int)2>(const void *)", None),  # 2 is rows of the matrix per block
    ],
)
def test_vector_products_of_llama_cpp_name_their_columns(name: str, rows: int | None) -> None:
    found = votes(frame(launch(name, kernel="k"), roles=["fc"]))
    assert found["rows"].to_list() == ([] if rows is None else [rows])


FMHA = "fmha_v2_flash_attention_bf16_64_128_S_"
TRTLLM = "fmhaSm100aKernel_QkvE4m3OBfloat16H128PagedKvCausalP32VarSeqQ16Kv128"


@pytest.mark.parametrize(
    ("kernel", "blocks", "phase"),
    [
        (f"{FMHA}qkv_128_causal_tma_ws_sm90_kernel", 1, "prefill"),
        (f"{FMHA}q_paged_kv_128_causal_sm90_kernel", 1, "prefill"),
        (f"{FMHA}q_k_v_192x128_causal_sm90_kernel", 1, "prefill"),
        (f"{FMHA}q_paged_kv_576x512_sm89_kernel", 1, None),  # MLA generates with it too
        (f"{TRTLLM}PersistentContext", 1, "prefill"),
        (f"{TRTLLM}StaticSwapsAbForGen", 1, "decode"),
        ("flash_fwd_splitkv_kernel", 2, None),  # 71 heads of one key are two blocks
        ("flash_fwd_splitkv_kernel", 3, "prefill"),
        ("rms_norm_f32", 256, None),
        ("rms_norm_f32", 257, "prefill"),  # llama.cpp has 256 sequences at most
        ("flash_fwd_kernel", 1, None),
        ("flash_fwd_kernel", 2, "prefill"),
    ],
)
def test_prompts_are_known_by_name_or_by_their_blocks(kernel: str, blocks: int, phase: str | None) -> None:
    found = phase_kinds(frame(launch(kernel, kernel=kernel, grid=[blocks, 1, 1])))
    assert found["phase"].to_list() == ([] if phase is None else [phase])


def test_launches_of_no_rule_give_an_empty_table_of_the_same_columns() -> None:
    found = votes(frame(launch("gemm", kernel="gemm")))
    assert found.is_empty()
    assert found.schema == votes(grids([4, 1, 1], kernel="RMSNormKernel")).schema


def test_rows_of_a_fixed_number_come_before_the_axis() -> None:
    assert grids([5, 6, 7]).select(rows_of(RowRule(what="w", value=2, axis="x"))).item() == 2


def test_kernels_of_one_phase_tell_it() -> None:
    on = frame(
        launch("compute_position_kernel", kernel="compute_position_kernel"),
        launch("gemm", kernel="gemm"),
        launch("reduce_segments", kernel="reduce_segments"),
    )
    assert phase_kinds(on).sort("index").rows() == [
        (0, "prefill", "SGLang extend metadata"),
        (2, "decode", "decode-only kernels"),
    ]


def flags(expr: pl.Expr, on: pl.DataFrame) -> list[bool]:
    return on.select(expr.alias("found"))["found"].to_list()


def test_a_satellite_only_finishes_the_work_of_its_own_role() -> None:
    on = frame(
        launch("splitKreduce_kernel", kernel="splitKreduce_kernel"),
        launch("splitKreduce_kernel", kernel="splitKreduce_kernel"),
        launch("splitKreduce_kernel", kernel="splitKreduce_kernel"),
        launch("attention_combine", kernel="attention_combine"),
        launch("device_kernel<flash::FlashAttnFwdCombine<int>>", kernel="device_kernel"),
        launch("gemm", kernel="gemm"),
        roles=["fc", "norm", None, "attention", "attention", "fc"],
    )
    assert flags(satellite(on), on) == [True, False, False, True, True, False]


def test_experts_residual_norms_and_gathers_are_known_by_name() -> None:
    on = frame(
        launch("fused_moe_kernel", kernel="fused_moe_kernel"),
        launch("void run<MoeGemm>()", kernel="run"),
        launch("fused_add_rms_norm_kernel", kernel="fused_add_rms_norm_kernel"),
        launch("vectorized_gather_kernel", kernel="vectorized_gather_kernel"),
        launch("gemm", kernel="gemm"),
    )
    assert flags(of_experts(on), on) == [True, True, False, False, False]
    assert flags(listed(on, "residual"), on) == [False, False, True, False, False]
    assert flags(listed(on, "opening"), on) == [False, False, False, True, False]


def test_a_name_rule_holds_by_either_of_its_patterns_or_by_none() -> None:
    on = frame(launch("void a(x)", kernel="a"), launch("void b<a>()", kernel="b"), launch("void c()", kernel="c"))
    assert flags(named(on, NamedRule(kernel="a")), on) == [True, False, False]
    assert flags(named(on, NamedRule(kernel="a", name="<a>")), on) == [True, True, False]
    assert flags(named(on, NamedRule(name="void")), on) == [True, True, True]
    assert on.select(named(on, NamedRule())).item() is False
