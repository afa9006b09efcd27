"""Where the formulas put FC and attention, by facts that were stated and by types that names tell."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.model.theory import theory, usual
from ncu_roofline.capture.capture import Run
from tests.kernels import full


def launches(*rows: tuple[str, float | None, str | None, str | None], column: str = "weight_dtype") -> pl.DataFrame:
    """Launches of (family, bytes, type, precision)."""
    types = {"family": pl.String, "dram_bytes": pl.Float64, column: pl.String, "precision": pl.String}
    return full(pl.DataFrame(rows, schema=types, orient="row"))


def placed(run: dict[str, Any], frame: pl.DataFrame | None = None) -> dict[str, float]:
    return {t.family: t.intensity for t in theory(launches() if frame is None else frame, Run().given(**run))}


@pytest.mark.parametrize(
    ("weights", "intensity"), [("bf16", 8.0), ("fp8", 16.0), ("fp4", 32.0), ("fp32", 4.0), ("fp6", 64 / 3)]
)
def test_a_product_does_two_flops_per_weight_and_sequence(weights: str, intensity: float) -> None:
    # 2 x batch 8 / bytes per weight
    assert placed({"batch": 8, "weights": weights}) == {"fc": pytest.approx(2 * 8 / (16 / intensity))}


BITS = {"fp32": 32, "tf32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "int8": 8, "fp6": 6, "fp4": 4, "int4": 4}


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
    assert placed({"batch": 8, "weights": "q4_k"}, named) == {"fc": 16.0}


def test_a_cache_type_is_read_off_attention() -> None:
    named = launches(("attention", 1.0, "fp8", None), ("fc", 9.0, "bf16", None), column="cache_dtype")
    assert placed({}, named) == {"attention": 2.0}
    assert placed({"kv": "bf16"}, named) == {"attention": 1.0}
    assert placed({"kv": "q8_0"}, named) == {"attention": 2.0}


def test_the_usual_format_is_that_of_most_bytes_of_the_family() -> None:
    frame = launches(
        ("fc", 3.0, "fp8", None), ("fc", 2.0, "bf16", None), ("fc", 2.0, "bf16", None), ("attention", 9.0, "fp4", None)
    )
    assert usual(frame, "weight_dtype", "fc") == "bf16"
    assert usual(frame, "weight_dtype", "other") is None


def test_formats_that_are_no_number_type_count_for_nothing() -> None:
    assert usual(launches(("fc", 9.0, "q4_k", None), ("fc", 1.0, "bf16", None)), "weight_dtype", "fc") == "bf16"


def test_activations_and_then_precision_stand_in_for_the_name() -> None:
    frame = launches(("fc", 9.0, None, "fp16"))
    assert usual(frame, "weight_dtype", "fc") == "fp16"
    assert usual(frame.with_columns(activation_dtype=pl.lit("bf16")), "weight_dtype", "fc") == "bf16"


def test_formulas_are_told_in_words() -> None:
    told = theory(launches(), Run().given(batch=8, weights="fp8", kv="bf16"))
    assert [t.text for t in told] == [
        "theory, FC: 2 × batch 8 / 1 B (fp8)",
        "theory, attention: 2 / 2 B (bf16), times query heads per KV head",
    ]
