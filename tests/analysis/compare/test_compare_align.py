"""Which kernel of the head is which of the base: by place, name, shape and bytes; and what became of the rest."""

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import compare
from tests import planted
from tests.planted import plain


def fates(base: list[dict[str, object]], head: list[dict[str, object]]) -> set[tuple[str | None, str | None, str]]:
    """(kernel of the base, kernel of the head, what became of it)."""
    rows = compare([plain(*base)], [plain(*head)]).rows["kernel"]
    return {(r["base_kernel"], r["head_kernel"], r["what"]) for r in rows.to_dicts()}


QKV = {"kernel": "nvjet_qkv", "dram_bytes": 5e7}
DOWN = {"kernel": "nvjet_down", "dram_bytes": 2e8}
FLASH = {"kernel": "flash_fwd", "role": "attention", "dram_bytes": 3e7}
NORM = {"kernel": "rms_norm", "role": "norm", "dram_bytes": 1e4, "flops": 1e4}


def test_equal_kernels_are_the_same() -> None:
    assert fates([NORM, QKV, FLASH, DOWN], [NORM, QKV, FLASH, DOWN]) == {
        ("rms_norm", "rms_norm", "same"),
        ("nvjet_qkv", "nvjet_qkv", "same"),
        ("flash_fwd", "flash_fwd", "same"),
        ("nvjet_down", "nvjet_down", "same"),
    }


def test_another_grid_is_reshaped() -> None:
    assert ("flash_fwd", "flash_fwd", "reshaped") in fates([QKV, FLASH], [QKV, {**FLASH, "grid": 64}])


def test_another_backend_is_matched_by_its_place_and_bytes() -> None:
    head = [NORM, {"kernel": "cutlass_a", "dram_bytes": 2.5e7}, FLASH, {"kernel": "cutlass_b", "dram_bytes": 1e8}]
    assert fates([NORM, QKV, FLASH, DOWN], head) >= {
        ("nvjet_qkv", "cutlass_a", "renamed"),
        ("nvjet_down", "cutlass_b", "renamed"),
    }


def test_an_added_quantise_is_added_and_the_renamed_product_stays_matched() -> None:
    quantise = {"kernel": "per_token_quant", "role": "quantize", "dram_bytes": 2e4, "flops": 1e4}
    head = [NORM, quantise, {"kernel": "cutlass_fp8", "dram_bytes": 2.5e7}, FLASH]
    assert fates([NORM, QKV, FLASH], head) == {
        ("rms_norm", "rms_norm", "same"),
        (None, "per_token_quant", "added"),
        ("nvjet_qkv", "cutlass_fp8", "renamed"),
        ("flash_fwd", "flash_fwd", "same"),
    }


def test_a_removed_kernel_is_removed() -> None:
    copy = {"kernel": "copy_kernel", "role": "copy", "dram_bytes": 1e5}
    assert ("copy_kernel", None, "removed") in fates([QKV, copy, FLASH], [QKV, FLASH])


def test_a_quantise_that_went_into_the_norm_is_fused_and_its_reverse_is_split() -> None:
    quantise = {"kernel": "per_token_quant", "role": "quantize", "dram_bytes": 2e4, "flops": 1e4}
    fused = {"kernel": "rms_norm_quant", "role": "norm", "dram_bytes": 2e4, "flops": 2e4}
    apart, together = [NORM, quantise, QKV], [fused, QKV]
    assert fates(apart, together) == {
        ("rms_norm", "rms_norm_quant", "renamed"),
        ("per_token_quant", None, "fused"),
        ("nvjet_qkv", "nvjet_qkv", "same"),
    }
    assert fates(together, apart) == {
        ("rms_norm_quant", "rms_norm", "renamed"),
        (None, "per_token_quant", "split"),
        ("nvjet_qkv", "nvjet_qkv", "same"),
    }


def test_a_product_split_over_k_is_matched_to_its_larger_part() -> None:
    head = [{"kernel": "nvjet_splitK", "dram_bytes": 5.1e7}, {"kernel": "splitKreduce", "dram_bytes": 2e5, "flops": 1e5}, FLASH]
    assert fates([QKV, FLASH], head) >= {("nvjet_qkv", "nvjet_splitK", "renamed"), (None, "splitKreduce", "split")}


def test_totals_do_not_depend_on_names() -> None:
    base, head = [NORM, QKV, FLASH], [NORM, {**QKV, "dram_bytes": 4e7}, FLASH]
    renamed = [{**k, "kernel": f"other_{n}"} for n, k in enumerate(head)]
    one, other = (compare([plain(*base)], [plain(*h)]).judged.bytes for h in (head, renamed))
    assert one.log == other.log


@pytest.mark.parametrize("weights", ["fp8", "int4", "sparse24"])
def test_every_product_of_a_planted_layer_finds_its_successor(weights: str) -> None:
    base = planted.study(batch=8, layers=4)
    rows = compare([base], [planted.study(batch=8, layers=4, weights=weights)]).rows["kernel"]
    products = rows.filter((pl.col("role") == "fc") & (pl.col("base_launches") > 0.2))  # 4 a step; the LM head once
    kept = products["base_bytes"] / products["head_bytes"]
    # 16 bits to 8, to 4 with a scale per 128, and to 9/16
    expected = {"fp8": 2.0, "int4": 16 / (4 + 16 / 128), "sparse24": 16 / 9}[weights]
    assert kept.to_list() == pytest.approx([expected] * 4, rel=0.03)
