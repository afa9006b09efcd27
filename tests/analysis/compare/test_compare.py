"""The closed set of verdicts, one by one and in its order, on kernels stated by hand."""

from dataclasses import replace
from math import exp, log
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import Comparison, compare, eaters
from ncu_roofline.analysis.compare.noise import Noise
from ncu_roofline.analysis.compare.verdict import Change, change, exactly, judge
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Fact
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.verdicts import VERDICTS
from tests.planted import plain

QUIET = Noise(variance=0.0, dof=50)


def told(quantity: str, base: float | None, head: float | None, noise: Noise) -> Change:
    """The change of numbers that are wholly known, by sides of two captures."""
    return change(quantity, exactly(base), exactly(head), noise, captures=2)


def told_of(bytes_: float | None, flops: float | None, seconds: float | None) -> tuple[Change, Change, Change]:
    """What bytes, FLOPs and time became, where nothing is noisy: multiples of 100, None where the head lacks it."""
    heads = [None if factor is None else 100.0 * factor for factor in (bytes_, flops, seconds)]
    return told("bytes", 100.0, heads[0], QUIET), told("flops", 100.0, heads[1], QUIET), told("seconds", 100.0, heads[2], QUIET)


def verdict(bytes_: float = 1.0, flops: float = 1.0, seconds: float = 1.0, beyond: float = 0.0) -> str:
    """The verdict where the head has these multiples of the base and nothing is noisy."""
    return judge(*told_of(bytes_, flops, seconds), beyond).verdict


def one_of(fact: str, value: int) -> dict[str, Any]:
    return {fact: value}


def one(base: dict[str, Any], head: dict[str, Any], **facts: Any) -> Comparison:
    return compare([plain(base, **facts)], [plain(head, **facts)])


def test_nothing_changed_is_no_change() -> None:
    assert verdict() == "no_change"


def test_half_the_bytes_in_four_fifths_of_the_time_realises_a_third() -> None:
    # ln(1.25) / ln(2) = 0.2231 / 0.6931 = 0.32
    judged = judge(*told_of(0.5, 1.0, 0.8), 0.0)
    assert judged.verdict == "bytes_cut_time_kept"
    assert judged.realised == pytest.approx(log(1.25) / log(2)) == pytest.approx(0.32, abs=0.002)
    assert judged.allowed == pytest.approx(2.0)
    assert judged.speedup == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.5, "cuts_bytes"), (0.7, "cuts_bytes"), (0.72, "bytes_cut_time_kept"), (1.1, "bytes_cut_slower")],
)
def test_half_realised_is_the_border_between_paid_and_kept(seconds: float, expected: str) -> None:
    # half of ln(0.5) is ln(0.7071)
    assert verdict(bytes_=0.5, seconds=seconds) == expected


def test_fewer_flops_are_a_mirage_only_where_neither_bytes_nor_time_fell() -> None:
    assert verdict(flops=0.75) == "flop_mirage"
    # 0.6 % fewer FLOPs beside 40 % less time were called worth about nothing
    assert verdict(flops=0.994, seconds=0.6) == verdict(flops=0.75, seconds=0.9) == "same_bytes_faster"


def test_the_same_bytes_and_work_in_another_time_say_which_way() -> None:
    assert (verdict(seconds=0.8), verdict(seconds=1.2)) == ("same_bytes_faster", "same_bytes_slower")


def test_fewer_bytes_in_more_time_never_kept_it() -> None:
    assert verdict(bytes_=0.7, seconds=2.4) == "bytes_cut_slower"  # 140 % more time was 'time mostly kept'


def test_more_bytes_are_more_bytes_even_when_faster() -> None:
    assert verdict(bytes_=1.1, seconds=0.8) == "moves_more"


def test_beyond_the_ridge_comes_before_every_change() -> None:
    assert verdict(bytes_=0.5, seconds=0.5, beyond=0.31) == "outside_regime"
    assert verdict(bytes_=0.5, seconds=0.5, beyond=0.30) == "cuts_bytes"


def test_not_comparable_comes_before_everything() -> None:
    assert judge(*told_of(0.5, 0.5, 0.5), 0.9, comparable=False).verdict == "not_comparable"


def test_missing_bytes_cannot_tell_and_missing_time_or_flops_can() -> None:
    assert judge(*told_of(None, 1.0, 1.0), 0.0).verdict == "cannot_tell"
    assert judge(*told_of(1.0, None, 1.0), 0.0).verdict == "no_change"
    assert judge(*told_of(1.0, 1.0, None), 0.0).verdict == "same_bytes"


def test_the_same_time_is_an_interval_inside_two_per_cent() -> None:
    quiet = told("bytes", 1.0, 1.0, QUIET)
    calm = Noise(variance=0.004**2, dof=1e6)  # 3.29 standard deviations at 1 in 1000: 1.3 %
    assert judge(quiet, quiet, told("seconds", 1.0, 1.006, calm), 0.0).verdict == "no_change"
    assert judge(quiet, quiet, told("seconds", 1.0, 1.010, calm), 0.0).verdict == "same_bytes"
    noisy = Noise(variance=0.01**2, dof=1e6)  # 3.3 %
    assert judge(quiet, quiet, told("seconds", 1.0, 1.03, noisy), 0.0).verdict == "same_bytes"
    assert judge(quiet, quiet, told("seconds", 1.0, 1.04, noisy), 0.0).verdict == "same_bytes_slower"
    wild = Noise(variance=0.1**2, dof=1e6)  # 33 %
    assert judge(quiet, quiet, told("seconds", 1.0, 1.04, wild), 0.0).verdict == "same_bytes"


def test_noise_that_nobody_measured_leaves_all_but_a_large_change_undecided() -> None:
    unknown = Noise()
    same = told("flops", 1.0, 1.0, unknown)
    assert judge(told("bytes", 1.0, 0.99, unknown), same, told("seconds", 1.0, 1.0, unknown), 0.0).verdict == "cannot_tell"
    assert judge(told("bytes", 1.0, 0.25, unknown), same, told("seconds", 1.0, 0.4, unknown), 0.0).verdict == "cuts_bytes"
    assert judge(told("bytes", 1.0, 1.0, unknown), same, told("seconds", 1.0, 1.0, unknown), 0.0).verdict == "cannot_tell"


def test_every_verdict_of_the_set_can_be_reached() -> None:
    reached = {
        verdict(),
        verdict(bytes_=2),
        verdict(flops=0.5),
        verdict(seconds=0.5),
        verdict(seconds=2.0),
        verdict(bytes_=0.5, seconds=2.0),
        verdict(bytes_=0.5),
        verdict(bytes_=0.5, seconds=0.5),
        verdict(beyond=1),
        judge(*told_of(1.0, 1.0, None), 0.0).verdict,
    }
    assert reached | {"not_comparable", "cannot_tell"} == set(VERDICTS)


def test_totals_are_per_token_and_repeated_captures_are_averaged() -> None:
    # 4 launches of 100 MB over 2 tokens; then two captures of 4 x 100 MB and 4 x 120 MB over 2 tokens each
    base = plain({"dram_bytes": 1e8}, tokens=2)
    comparison = compare([base], [plain({"dram_bytes": 1e8}, tokens=2), plain({"dram_bytes": 1.2e8}, tokens=2)])
    assert comparison.judged.bytes.base == pytest.approx(2e8)
    assert comparison.judged.bytes.head == pytest.approx(2.2e8)


def test_rows_add_up_to_the_total() -> None:
    base = plain(
        {"role": "fc"},
        {"kernel": "fa", "role": "attention", "dram_bytes": 3e7},
        {"kernel": "n", "role": "norm", "dram_bytes": 1e6},
    )
    head = plain({"role": "fc", "dram_bytes": 5e7}, {"kernel": "fa", "role": "attention", "dram_bytes": 3e7})
    comparison = compare([base], [head])
    for rows in comparison.rows.values():
        assert rows["base_bytes"].sum() == pytest.approx(comparison.judged.bytes.base)
        assert rows["head_bytes"].sum() == pytest.approx(comparison.judged.bytes.head)


def test_kernels_that_kept_the_time_are_named_with_their_excess() -> None:
    base = plain({"dram_bytes": 1e8, "seconds": 1e-4})
    head = plain(
        {"kernel": "gemm_fp8", "dram_bytes": 5e7, "seconds": 8e-5},
        {"kernel": "quant", "role": "quantize", "dram_bytes": 0.0, "seconds": 1e-5},
    )
    found = eaters(compare([base], [head])).select("head_kernel", "what", "excess").rows()
    # 4 x (80 - 100 x 0.5) us = 120 us more than the bytes explain; 4 x 10 us of a kernel that was not there
    assert found == [("gemm_fp8", "renamed", pytest.approx(1.2e-4)), ("quant", "added", pytest.approx(4e-5))]


def test_time_in_latency_bound_kernels_is_reported_and_decides_nothing() -> None:
    small = {"kernel": "tiny", "role": "norm", "dram_bytes": 1e3, "seconds": 3e-4, "flops": 0.0, "limited_by": "latency"}
    comparison = compare([plain({}, small)], [plain({"dram_bytes": 5e7, "seconds": 5e-5}, small)])
    assert comparison.latency[0] == pytest.approx(0.75)  # 300 of 400 us
    assert comparison.judged.realised == pytest.approx(log(350 / 400) / log(0.5), rel=1e-3)
    assert comparison.verdict == "bytes_cut_time_kept"


def test_bytes_unknown_for_a_large_part_of_the_time_cannot_tell() -> None:
    comparison = one({}, {"dram_bytes": [1e8, None, None, 1e8]})
    assert (comparison.verdict, comparison.judged.doubt) == ("cannot_tell", "missing:bytes")


def test_bytes_unknown_for_a_small_part_of_the_time_widen_the_change_and_never_count_as_equal() -> None:
    short = {"kernel": "tiny", "role": "norm", "dram_bytes": None, "seconds": 1e-6, "bandwidth": 3e12}
    comparison = compare([plain({}, short)], [plain({}, {**short, "seconds": 1.001e-6})])
    # 4 launches of 1 us at 3e12 byte/s: at most 12 MB beside 400 MB, on either side
    assert comparison.judged.bytes.interval == pytest.approx((log(400 / 412) - 0.005, log(412 / 400) + 0.005), rel=1e-3)
    assert (comparison.verdict, comparison.judged.doubt) == ("cannot_tell", "unknown:bytes")


def test_a_cut_larger_than_all_that_is_unknown_is_a_cut() -> None:
    short = {"kernel": "tiny", "role": "norm", "dram_bytes": None, "seconds": 1e-6, "bandwidth": 3e12}
    assert compare([plain({}, short)], [plain({"dram_bytes": 8e7}, short)]).judged.bytes.direction == -1
    # 2.8 % of the time without bytes may hold what seems to be cut
    assert compare([plain({}, short)], [plain({"dram_bytes": 9.8e7}, short)]).judged.bytes.direction is None


def test_a_tensor_counter_that_one_side_lacks_is_no_fewer_flops() -> None:
    blind = {"flops": 1e6, "flops_complete": False, "tensor_flops": None}
    found = compare([plain({})], [plain(blind)])
    assert found.judged.flops.direction is None
    assert found.verdict == "same_bytes"


def test_unknown_tokens_make_numbers_per_capture() -> None:
    studies = [replace(plain({}), run=replace(plain({}).run, tokens=Fact())) for _ in range(2)]
    assert compare(studies[:1], studies[1:]).basis == "capture"


def test_tokens_known_on_one_side_only_are_not_comparable() -> None:
    blind = replace(plain({}), run=replace(plain({}).run, tokens=Fact()))
    comparison = compare([plain({})], [blind])
    assert comparison.verdict == "not_comparable"
    assert [d.what for d in comparison.blocking] == ["tokens basis"]


@pytest.mark.parametrize("fact", ["batch", "context", "cache_control", "replay_mode", "clock_control", "weights", "kv", "tp"])
def test_a_difference_in_how_it_was_run_or_measured_is_named_with_its_effect(fact: str) -> None:
    comparison = compare([plain({}, **one_of(fact, 1))], [plain({}, **one_of(fact, 2))])
    assert comparison.verdict == "not_comparable"
    (difference,) = comparison.blocking
    assert (difference.base, difference.head) == ("1", "2")
    assert difference.effect and difference.numbers


@pytest.mark.parametrize("fact", ["batch", "context", "weights", "kv", "tp"])
def test_a_difference_made_on_purpose_does_not_block(fact: str) -> None:
    comparison = compare([plain({}, **one_of(fact, 1))], [plain({}, **one_of(fact, 2))], vary=frozenset({fact}))
    assert comparison.verdict == "no_change"


def test_anyway_judges_and_keeps_the_differences() -> None:
    comparison = compare([plain({}, cache_control="all")], [plain({}, cache_control="none")], anyway=True)
    assert comparison.verdict == "no_change"
    assert [d.what for d in comparison.blocking] == ["cache control"]


def test_captures_of_different_models_are_refused() -> None:
    with pytest.raises(UnusableInput, match=r"llama.*qwen.*`vary=model`"):
        compare([plain({}, model="llama")], [plain({}, model="qwen")])


def test_bytes_of_another_rung_are_not_comparable() -> None:
    def by(source: str) -> Study:
        made = plain({})
        return replace(made, launches=made.launches.with_columns(pl.lit(source).alias("dram_bytes_source")))

    assert compare([by("counter")], [by("rate")]).verdict == "no_change"
    assert compare([by("counter")], [by("l2_miss")]).verdict == "not_comparable"


def test_swapping_base_and_head_flips_every_log_exactly() -> None:
    base, head = plain({"dram_bytes": [1e8, 1.1e8, 9e7, 1e8]}), plain({"dram_bytes": [7e7, 6e7, 7e7, 8e7], "seconds": 9e-5})
    there, back = compare([base], [head]).judged, compare([head], [base]).judged
    assert there.bytes.log == -(back.bytes.log or 0.0)
    assert there.seconds.log == -(back.seconds.log or 0.0)
    assert exp(there.bytes.log or 0.0) == pytest.approx(2.8e8 / 4e8)
