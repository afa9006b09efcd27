"""Where the formulas put FC and attention, by facts that were stated and by types that names tell."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.model.theory import theory
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.models import models
from tests.kernels import full
from tests.stating import stating


def launches(*rows: tuple[str, float | None, str | None, str | None], column: str = "weight_dtype") -> pl.DataFrame:
    """Launches of (family, bytes, type, precision)."""
    types = {"family": pl.String, "dram_bytes": pl.Float64, column: pl.String, "precision": pl.String}
    return full(pl.DataFrame(rows, schema=types, orient="row"))


def placed(run: dict[str, Any], frame: pl.DataFrame | None = None) -> dict[str, float]:
    return {t.family: t.intensity for t in theory(launches() if frame is None else frame, stating(**run))}


@pytest.mark.parametrize(
    ("weights", "intensity"), [("bf16", 8.0), ("fp8", 16.0), ("fp4", 16 / 0.5625), ("fp32", 4.0), ("sparse24", 16 / 1.125)]
)
def test_a_product_does_two_flops_per_weight_and_sequence(weights: str, intensity: float) -> None:
    # 2 x batch 8 / bytes per weight
    assert placed({"batch": 8, "weights": weights}) == {"fc": pytest.approx(2 * 8 / (16 / intensity))}


BITS = {"fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "int8": 8, "fp4": 4.5, "int4": 4, "q8_0": 8.5}


@pytest.mark.parametrize(("kv", "intensity"), [(name, 2 / (bits / 8)) for name, bits in BITS.items()])
def test_attention_does_two_flops_per_cached_element_whatever_the_batch(kv: str, intensity: float) -> None:
    assert placed({"kv": kv}) == {"attention": intensity}
    assert placed({"kv": kv, "batch": 8}) == {"attention": intensity}


def test_without_a_batch_products_have_no_place() -> None:
    assert placed({"weights": "bf16"}) == {}


def test_a_stated_type_comes_before_the_names() -> None:
    named = launches(("fc", 1.0, "fp8", None))
    assert placed({"batch": 8}, named) == {"fc": 16.0}
    assert placed({"batch": 8, "weights": "bf16"}, named) == {"fc": 8.0}
    assert placed({"batch": 8, "weights": "q4_k"}, named) == {"fc": pytest.approx(16 / (144 / 256))}


def test_a_cache_type_is_read_off_attention() -> None:
    named = launches(("attention", 1.0, "fp8", None), ("fc", 9.0, "bf16", None), column="cache_dtype")
    assert placed({}, named) == {"attention": 2.0}
    assert placed({"kv": "bf16"}, named) == {"attention": 1.0}
    assert placed({"kv": "q8_0"}, named) == {"attention": pytest.approx(2 / (34 / 32))}


def test_weights_of_four_bits_put_fc_where_their_scales_allow() -> None:
    # AWQ keeps 0.5195 bytes an element: 2 x 8 / 0.5195 = 30.8, where 16-bit inputs said 8
    told = theory(launches(("fc", 9.0, None, "fp16")), stating(batch=8, weights="awq"))
    assert told[0].intensity == pytest.approx(30.8, abs=0.01)


def test_formulas_are_told_in_words() -> None:
    told = theory(launches(), stating(batch=8, weights="fp8", kv="bf16"))
    assert [t.text for t in told] == [
        "theory, FC: 2 × batch 8 / 1 B (fp8)",
        "theory, attention: 2 / 2 B (bf16), times query heads per KV head",
    ]


def test_a_model_tells_how_many_query_heads_share_a_cached_element() -> None:
    # Llama-3.1-8B: 32 query heads over 8 KV heads, 2 x 4 FLOPs per cached number of 2 bytes
    (law,) = theory(launches(), Run(), models.load("llama-3.1-8b"))
    assert (law.family, law.intensity) == ("attention", 4.0)
    assert "GQA 4 / 2 B (bf16)" in law.text
