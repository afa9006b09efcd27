"""What a change typically gives on matrices and attention, beside what it gave."""

from __future__ import annotations

from math import exp, hypot, log
from pathlib import Path

import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.compare.sides import side
from ncu_roofline.analysis.compare.typical import Amounts, AtCeiling, Expected, at_ceiling, expected
from ncu_roofline.analysis.model.typical import Span
from ncu_roofline.present.documents.words_expected import ceilings, data, doubts, sentence

MEASURED = Path("fixtures/measured")


def amounts(value: float, took: float, glue: float = 0.0) -> Amounts:
    return Amounts(typical=Span(low=0.9 * value, value=value, high=1.2 * value), took=took, glue=glue)


def of(*names: str) -> Expected | None:
    base, head = (side([nr.study(MEASURED / f"{name}.ncu-repz")], "token") for name in names)
    return expected(base, head)


def test_the_typical_gain_is_the_quotient_and_its_ends_are_independent() -> None:
    found = Expected(base=amounts(2.0, 3.0), head=amounts(1.0, 2.0))

    assert found.speedup.value == 2.0
    assert found.speedup.low == pytest.approx(2 * exp(-hypot(log(1 / 0.9), log(1.2))))
    assert found.speedup.high == pytest.approx(2 * exp(hypot(log(1 / 0.9), log(1.2))))
    assert found.seen == 1.5
    assert found.realised == pytest.approx(log(1.5) / log(2))


def test_where_no_gain_is_typical_none_is_realised() -> None:
    assert Expected(base=amounts(1.0, 1.0), head=amounts(1.0, 2.0)).realised is None


@pytest.mark.parametrize(("took", "word"), [(1.5, "as usual for"), (0.8, "more than usual"), (2.9, "less than usual")])
def test_what_was_seen_is_set_beside_the_spread_of_what_is_typical(took: float, word: str) -> None:
    (said,) = sentence(Expected(base=amounts(2.0, 3.0), head=amounts(1.0, took)), "token")

    assert word in said and "glue" not in said


def test_glue_is_named_apart_on_both_sides() -> None:
    _, said = sentence(Expected(base=amounts(2.0, 3.0, glue=0.5), head=amounts(1.0, 2.0, glue=0.75)), "step")

    assert said == "The other kernels (glue) took 500 ms per step before and 750 ms after."


def test_a_change_that_moves_nothing_is_not_worth_a_sentence() -> None:
    assert sentence(Expected(base=amounts(1.0, 1.0), head=amounts(1.0, 1.01)), "token") == ()
    assert sentence(None, "token") == () and data(None) is None


def test_fp8_on_our_h100_by_hand() -> None:
    found = of("h100-dense-b8", "h100-fp8-b8")
    assert found is not None
    # 16 bits: 17 products that read 2.8026 GB; 8 bits: 16 products that read 0.8730 GB, and the head of 1.0511 GB; the
    # cache of 4 layers, 268.6 MB, is the same on both sides; a step makes 8 tokens
    attention = 4 * 13.5e-6 + 268.57e6 / 3.02e12
    base = 17 * 5.7e-6 + 2.8026e9 / 2.98e12 + attention
    head = 16 * 9.4e-6 + 0.8730e9 / 2.854e12 + 5.7e-6 + 1.0511e9 / 2.98e12 + attention

    assert found.base.typical.value == pytest.approx(base / 8, rel=2e-3)
    assert found.head.typical.value == pytest.approx(head / 8, rel=2e-3)
    assert found.seen == pytest.approx((1098.6 + 132.8) / (767.6 + 135.4), rel=1e-3)
    assert found.speedup.low < found.seen < found.speedup.high


def test_matrices_of_which_nothing_typical_is_known_leave_it_untold() -> None:
    assert of("h100-dense-b8", "h100-sparse24-b8") is None


def test_what_a_typical_time_was_derived_from_is_said_of_the_device_that_has_no_fit_of_its_own() -> None:
    found = of("h100-dense-b8", "h200-dense-b8")
    assert found is not None

    # matrices were fitted on both devices, attention on H100 alone
    assert found.base.borrowed == ()
    assert [(family, gpu) for family, gpu, _ in found.head.borrowed] == [("attention", "H200")]
    (said,) = doubts(found)
    assert said.startswith("The typical time of attention on H200 is derived: the fit of H100 SXM")
    assert doubts(None) == ()


def test_a_grouped_product_of_experts_is_named_as_such_where_its_typical_time_is_derived() -> None:
    found = of("h100-moe-b8", "h100-moe-b8")

    assert found is not None
    assert ("experts", "H100 SXM") in [(family, gpu) for family, gpu, _ in found.base.borrowed]


def test_both_sides_at_their_ceilings_by_hand() -> None:
    base = at_ceiling(side([nr.study(MEASURED / "h100-dense-b8.ncu-repz", ceiling="2.98TB/s")], "step"))
    head = at_ceiling(side([nr.study(MEASURED / "h100-fp8-b8.ncu-repz")], "step"))
    assert base is not None and head is not None

    # 3.073 GB are read in a step: 1.031 ms at 2.98 TB/s, at most; a few kernels are nearer to another limit
    assert (base.bandwidth, base.kind, head.kind) == (2.98e12, "stated", "table")
    assert base.seconds == pytest.approx(1.605e-3, rel=1e-3)
    assert base.least == pytest.approx(3.073e9 / 2.98e12, rel=0.02)
    assert head.least == pytest.approx(2.200e9 / 3.13e12, rel=0.02)


def test_a_stated_ceiling_says_what_both_sides_would_take() -> None:
    base, head = (AtCeiling(bandwidth=3e12, kind="stated", seconds=2 * t, least=t) for t in (2e-3, 1e-3))

    (said,) = ceilings(base, head, "step")
    assert said == "At 3 TB/s, as stated, the kernels would take 2 ms before and 1 ms after, per step: 2.00x as fast."
    assert ceilings(AtCeiling(bandwidth=3e12, kind="table", seconds=1.0, least=1.0), head, "step") == ()
    assert ceilings(None, head, "step") == ()


def test_the_same_run_twice_has_no_typical_gain() -> None:
    found = of("h100-dense-b8", "h100-dense-b8")

    assert found is not None and found.speedup.value == found.seen == 1.0
