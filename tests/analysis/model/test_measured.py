"""Measured bytes of a step beside the least that its model must read."""

from dataclasses import replace

import polars as pl
import pytest

from ncu_roofline.analysis.model.footprint import Setting, setting_of
from ncu_roofline.analysis.model.measured import against_floor, check_possible, least, projections
from ncu_roofline.capture.capture import Fact, Run, Witness
from ncu_roofline.capture.schema import ROLES, enum
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models.model import Cache, Weight
from tests.kernels import full, h100, launch, launches
from tests.small_model import small
from tests.stating import stating

INSIDE = Weight(name="w", n=10, k=100, role="fc", kind="full", layers=(0,))
MODEL = small(
    weights=(INSIDE, Weight(name="lm_head", n=50, k=100, role="fc"), Weight(name="norm", n=100, layers=(0,))),
    caches=(Cache(kind="full", elements=64, split=8),),
)
"""Weights of 1000 numbers in the layer and 5000 in the head; 64 numbers of cache a token."""
WEIGHTS, CACHE = 6000 * 2, 64 * 2
STATED = stating(batch=4, context=10)


def test_the_setting_is_what_the_run_tells() -> None:
    assert setting_of(Run()) == Setting(batch=1, context=None, weights=None, kv=None, tp=1)
    told = stating(batch=4, context=10, weights="fp8", head="bf16", kv="fp8", tp=2)
    assert setting_of(told) == Setting(batch=4, context=10, weights="fp8", head="bf16", kv="fp8", tp=2)


def test_the_least_is_all_matrices_once_and_the_cache_of_every_sequence() -> None:
    found = dict(least(MODEL, setting_of(STATED), STATED, inside=False).rows())
    assert found == {"fc": WEIGHTS, "attention": 4 * 10 * CACHE}


def test_inside_layers_the_head_does_not_count() -> None:
    assert dict(least(MODEL, setting_of(STATED), STATED, inside=True).rows())["fc"] == 1000 * 2


def test_without_batch_or_context_the_least_is_unknown() -> None:
    bare = stating(context=10)
    assert dict(least(MODEL, setting_of(bare), bare, inside=False).rows()) == {"fc": None, "attention": None}
    short = stating(batch=4)
    assert dict(least(MODEL, setting_of(short), short, inside=False).rows()) == {"fc": WEIGHTS, "attention": None}


def step(process: int = 0) -> pl.DataFrame:
    """One step: 24 kB of weights, 10.24 kB of cache."""
    rows = launches(launch("gemm", process=process, device=0), launch("attention", process=process, device=0))
    return full(rows).with_columns(
        role=pl.Series(["fc", "attention"], dtype=enum(ROLES)),
        dram_bytes=pl.Series([24_000.0, 10_240.0]),
        phase=pl.lit("decode"),
        step=pl.lit(0, pl.Int64),
        step_whole=pl.lit(True),
    )


@pytest.mark.parametrize("tp", [1, 2])
def test_measured_bytes_are_of_all_gpus_and_stand_over_the_least(tp: int) -> None:
    found = against_floor(step(), stating(STATED, steps=1, tp=tp), MODEL)
    assert found["role"].to_list() == ["fc", "attention"]
    assert found["measured_bytes"].to_list() == [24_000.0 * tp, 10_240.0 * tp]
    assert found["floor_bytes"].to_list() == [WEIGHTS, 4 * 10 * CACHE]
    assert found["over_floor"].to_list() == [2.0 * tp, 2.0 * tp]


def test_over_nothing_there_is_no_quotient() -> None:
    bare = replace(MODEL, weights=())
    assert against_floor(step(), stating(STATED, steps=1), bare)["over_floor"].to_list() == [None, 2.0]
    tiny = replace(MODEL, weights=(Weight(name="w", n=1, k=1, role="fc", layers=(0,)),))
    assert against_floor(step(), stating(STATED, steps=1, weights="int4"), tiny)["over_floor"][0] == 24_000 / 0.5


def test_a_context_that_the_bytes_told_is_no_measure_of_them() -> None:
    told = replace(stating(STATED, steps=1), context=Fact(10, "inferred", "bytes"))
    found = against_floor(step(), told, MODEL)
    assert found["floor_bytes"].to_list() == [WEIGHTS, 4 * 10 * CACHE]
    assert found["over_floor"].to_list() == [2.0, None]


def test_a_context_that_an_engines_range_told_is_a_measure_of_the_bytes() -> None:
    range_ = Witness(says="step ranges", low=10, high=10, rank="nvtx")
    told = replace(stating(STATED, steps=1), context=Fact(10, "inferred", "step ranges", witnesses=(range_,)))
    assert against_floor(step(), told, MODEL)["over_floor"].to_list() == [2.0, 2.0]


def test_experts_that_were_read_stand_beside_those_expected() -> None:
    model = replace(MODEL, experts=8, experts_per_token=2)
    rows = step().with_columns(
        projection=pl.Series(["up_proj", "o_proj"]),
        matrix_n=pl.lit(10),
        matrix_k=pl.lit(100),
        matrix_bytes=pl.lit(2000.0),
        activation_bytes=pl.lit(0.0),
        output_bytes=pl.lit(0.0),
        experts_read=pl.Series([3.0, None]),
    )
    found = dict(projections(rows, stating(STATED, steps=1), model).select("projection", "experts_expected").rows())
    assert found == {"up_proj": pytest.approx(8 * (1 - (6 / 8) ** 4)), "o_proj": None}
    unknown = projections(rows, stating(steps=1), model)
    assert unknown["experts_expected"].null_count() == 2


def test_what_cannot_be_is_refused() -> None:
    check_possible(MODEL, STATED, h100())
    with pytest.raises(UnusableInput, match="does not divide"):
        check_possible(MODEL, stating(STATED, tp=3), None)
    large = stating(STATED, context=10**8)
    huge = replace(MODEL, caches=(Cache(kind="full", elements=6400),))
    with pytest.raises(UnusableInput):
        check_possible(huge, large, h100())
    check_possible(huge, large, None)
    check_possible(huge, replace(large, context=Fact(10**8, "inferred", "bytes")), h100())


def test_the_least_of_experts_is_of_those_that_were_read() -> None:
    experts = Weight(name="experts.up_proj", n=5, k=10, role="fc", kind="full", layers=(0,), copies=4, read="experts")
    model = small(experts=4, experts_per_token=1, weights=(experts,))
    how = setting_of(STATED)
    # of 4 experts of 50 numbers, 1 was read; 4 x (1 - (3/4)^4) = 2.73 were expected
    assert dict(least(model, how, STATED, inside=False, experts=1.0).rows())["fc"] == 50 * 2
    assert dict(least(model, how, STATED, inside=False).rows())["fc"] == pytest.approx(50 * 2 * 4 * (1 - 0.75**4))
