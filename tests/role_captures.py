"""Kernel -> role tables of real captures: `python -m tests.role_captures` rewrites tests/golden/roles_*.tsv.

Review the diff before committing it: each line says what a kernel of that capture is taken for.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import polars as pl

from ncu_roofline.analysis.roles.roles import assign
from ncu_roofline.readers import read
from tests.corpus import CORPUS

GOLDEN = Path(__file__).parent / "golden"
CAPTURES = {
    "vllm_gemma_gb10": "vllm_26b_bf16_d128_g16_ncu_range",
    "sglang_qwen3_h200_short": "R_short_decode__ncu_raw_full",
    "sglang_qwen3_h200_medium": "R_medium_balanced__ncu_raw_full",
    "sglang_qwen3_h200_concurrent": "R_concurrent_decode__ncu_raw_full",
    "sglang_qwen3_h200_prefill": "R_long_prefill__ncu_raw_full",
    "sglang_qwen3_h200_b32": "v19b_ncu_decode__qwen3-30b",
    "sglang_lfm25_c1": "lfm2.5-8b-a1b__cookbook_baseline__R_decode_c1_",
    "sglang_lfm25_c128": "lfm2.5-8b-a1b__cookbook_baseline__R_decode_c128",
    "sglang_lfm25_conc": "lfm2.5-8b-a1b__cookbook_baseline__R_conc_ref",
    "hf_deepseek_ocr_rtx5090": "20251107-dsocr__ncu-v2",
    "hf_deepseek_ocr_rtx5090_first": "20251107-dsocr__ncu__",
    "llamacpp_gemma_q8_p512": "llamacpp_26b_q8_p512_ncu_full",
    "llamacpp_gemma_q8_p8192": "llama_26b_a4b_q8_p8192",
    "mistralrs_gemma_bf16_p512": "mistralrs_26b_bf16_p512",
    "mistralrs_gemma_q8_p512": "mistralrs_26b_q8_p512",
    "mistralrs_gemma_q8_chunk": "mistral_26b_a4b_q8_p16384",
    "mistralrs_e4b_q8_long": "current_prefill_long",
    "mistralrs_e4b_attn_range": "ranges_gemma4__mistral_e4b_q8_p2048_gemma4_attn",
    "mistralrs_e4b_flash_range": "ranges_gemma4_flash__mistral",
    "mistralrs_e4b_mlp_range": "test_gemma4_mlp",
    "flashinfer_b200": "flashinfer_paged_decode",
    "torch_sdpa_b200": "torch_sdpa_",
    "hf_gemv_decode": "decode-roofline__bench__results__ncu_gemv",
    "hf_mistral_fp16_l4": "mistral_fp16_metrics",
    "hf_mistral_awq_l4": "mistral_awq_int4_metrics",
    "hf_llama2_nf4_l4": "llama2_7b_nf4",
}
"""A capture, or a set of single-kernel files of one run, by a part of its file name."""

WIDTH = 120


@cache
def launches(part: str) -> pl.DataFrame:
    """Launches with roles of every capture whose file name holds this text; each file for itself."""
    files = sorted(f for f in CORPUS.rglob("*") if f.is_file() and part in f.name)
    columns = ("name", "role", "role_source", "role_rule", "seconds")
    return pl.concat([assign(read(file).launches).select(columns) for file in files])


def table(part: str) -> str:
    """One line per kernel and role: name (shortened), role, source, rule, launches."""
    counted = (
        launches(part)
        .with_columns(pl.col("name").map_elements(shortened, return_dtype=pl.String), pl.col("role").fill_null("unclassified"))
        .group_by("name", "role", "role_source", "role_rule")
        .agg(launches=pl.len())
        .sort("role", "name", "role_source", "role_rule")
    )
    return counted.select(pl.col(pl.String, pl.Enum).cast(pl.String), "launches").write_csv(separator="\t", quote_style="never")


def shortened(name: str) -> str:
    """The name without parameters, namespaces without names, and all beyond 120 characters."""
    bare = re.sub(r"^void |\(anonymous namespace\)::|<?unnamed>::|[\t\n\r]", "", name)
    return bare if len(bare) <= WIDTH else bare[:WIDTH] + "..."


def main() -> None:
    """Rewrite every golden table."""
    for slug, part in CAPTURES.items():
        (GOLDEN / f"roles_{slug}.tsv").write_text(table(part))


if __name__ == "__main__":
    main()
