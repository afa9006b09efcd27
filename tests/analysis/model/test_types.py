"""The one rule of types: as stated, else as names tell, else as the work is done; and the bytes of an element."""

from __future__ import annotations

import polars as pl
import pytest

from ncu_roofline.analysis.model.types import element_bytes, most, named, stored
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.models import dtypes
from tests.stating import stating

Row = tuple[str, float | None, str | None, str | None]


def typed(*rows: Row) -> pl.DataFrame:
    """Launches by family, bytes, the type that their name tells, and the precision that they compute in."""
    kinds = {"family": pl.String, "dram_bytes": pl.Float64, "weight_dtype": pl.String, "precision": pl.String}
    frame = pl.DataFrame(list(rows), schema=kinds, orient="row")
    return frame.with_columns(cache_dtype="weight_dtype", activation_dtype=pl.lit(None, pl.String))


def name(launches: pl.DataFrame, what: str = "weights", **facts: object) -> str | None:
    found = stored(launches, stating(**facts), what)
    return found.name if found else None


def test_what_is_stated_comes_first() -> None:
    assert name(typed(("fc", 9.0, "fp8", "bf16")), weights="awq") == "awq"
    assert name(typed(("fc", 9.0, "fp8", "bf16")), "kv", kv="int8") == "int8"


def test_the_type_is_that_of_most_bytes_of_the_family() -> None:
    rows = typed(
        ("fc", 3.0, "fp8", None), ("fc", 2.0, "bf16", None), ("fc", 2.0, "bf16", None), ("attention", 9.0, "fp4", None)
    )
    assert (name(rows), name(rows, "kv")) == ("bf16", "nvfp4")
    assert most(rows, "other", "weight_dtype") is None


def test_types_that_nobody_knows_count_for_nothing() -> None:
    assert name(typed(("fc", 9.0, "nonsense", None), ("fc", 1.0, "bf16", None))) == "bf16"


def test_a_name_comes_before_the_work_and_the_work_before_nothing() -> None:
    assert name(typed(("fc", 9.0, None, "fp16"), ("fc", 1.0, "int4", "fp16"))) == "int4"
    assert name(typed(("fc", 9.0, None, "fp16"))) == "fp16"
    assert name(typed(("fc", 9.0, None, "tf32"))) == "fp32"
    assert name(typed(("fc", 9.0, None, None))) is None


def test_the_work_is_no_name() -> None:
    assert named(typed(("fc", 9.0, None, "fp16")), Run(), "weights") is None


def test_where_no_bytes_were_measured_launches_decide() -> None:
    assert name(typed(("fc", None, "fp8", None), ("fc", None, "fp8", None), ("fc", None, "int4", None))) == "fp8"


def test_an_element_of_a_type_takes_the_bytes_of_the_table() -> None:
    frame = pl.DataFrame({"weight_dtype": ["fp8", "bf16", "nonsense", None]})
    assert frame.select(w=element_bytes("weight_dtype"))["w"].to_list() == [1.0, 2.0, None, None]


@pytest.mark.parametrize(("type_", "bits"), [("sparse24", (2 * 16 + 4 * 1) / 4), ("2:4", 9.0), ("awq", 4 + 20 / 128)])
def test_a_packed_type_takes_what_its_parts_take(type_: str, bits: float) -> None:
    # 2:4: of four 16-bit values two are kept, with two bits of place each: 36 bits for four
    assert dtypes.find(type_).bytes == bits / 8
