"""Gate rules: what can be written, what is refused, and what passes, fails or cannot be told."""

from dataclasses import replace

import pytest

from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.compare.gate import CANNOT_TELL, FAIL, PASS, outcome, rule, rules
from ncu_roofline.capture.capture import Fact
from ncu_roofline.errors import UnusableInput
from tests.planted import plain


def grown(factor: float) -> Comparison:
    """4 launches of 100 MB in 100 us each, and the head with this multiple of the bytes."""
    return compare([plain({})], [plain({"dram_bytes": 1e8 * factor})])


def word(comparison: Comparison, text: str) -> str:
    return outcome(comparison, rule(text)).word


@pytest.mark.parametrize(
    ("text", "quantity", "role", "limit", "relative"),
    [
        ("bytes_per_token > +2%", "bytes", None, 0.02, True),
        ("bytes_per_token>2%", "bytes", None, 0.02, True),
        ("seconds_per_token >= -10 %", "seconds", None, -0.10, True),
        ("bytes_per_token[fc] > 12 GB", "bytes", "fc", 12e9, False),
        ("bytes_per_token[kv-cache] < 1.5 MiB", "bytes", "kv-cache", 1.5 * 2**20, False),
        ("seconds_per_token > 5ms", "seconds", None, 5e-3, False),
        ("seconds_per_token > 5 µs", "seconds", None, 5e-6, False),
        ("flops_per_token <= 3e2 GFLOP", "flops", None, 3e11, False),
    ],
)
def test_a_rule_has_a_name_perhaps_a_role_a_comparison_and_a_limit(
    text: str, quantity: str, role: str | None, limit: float, relative: bool
) -> None:
    read = rule(text)
    assert (read.quantity, read.role, read.relative) == (quantity, role, relative)
    assert read.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a rule"),
        ("bytes_per_token", "not a rule"),
        ("bytes_per_token > 2", "not a rule"),
        ("bytes_per_token > 2% and more", "not a rule"),
        ("bytes_per_token == 2%", "not a rule"),
        ("> 2%", "not a rule"),
        ("bytes_per_token > nan%", "not a rule"),
        ("byte_per_token > 2%", "did you mean 'bytes_per_token'"),
        ("bytes_per_token[fcc] > 2%", "unknown role 'fcc', did you mean 'fc'"),
        ("bytes_per_token[] > 2%", "unknown role"),
        ("bytes_per_token > 2 ms", "not a unit of this number"),
        ("seconds_per_token > 2 GB", "not a unit of this number"),
        ("bytes_per_token > +2 GB", "without a sign"),
        ("bytes_per_token > 1e999 GB", "not a number"),
    ],
)
def test_what_is_not_a_rule_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(UnusableInput, match=said.replace("[", r"\[")):
        rule(text)


@pytest.mark.parametrize("texts", [[], [""], ["  "]])
def test_a_gate_without_a_rule_is_refused(texts: list[str]) -> None:
    with pytest.raises(UnusableInput, match="a gate needs a rule"):
        rules(texts)


@pytest.mark.parametrize(
    "texts",
    [
        ["bytes_per_token > 2%", "bytes_per_token < 5%"],
        ["bytes_per_token >= 2%", "bytes_per_token <= 2%"],
        ["bytes_per_token > 2%", "bytes_per_token <= 2%"],
        ["bytes_per_token[fc] < 4 GB", "seconds_per_token > 1%", "bytes_per_token[fc] > 3 GB"],
    ],
)
def test_rules_that_no_value_can_pass_are_refused(texts: list[str]) -> None:
    with pytest.raises(UnusableInput, match="contradict"):
        rules(texts)


@pytest.mark.parametrize(
    "texts",
    [
        ["bytes_per_token > 5%", "bytes_per_token < -5%"],
        ["bytes_per_token > 2%", "bytes_per_token < 2%"],
        ["bytes_per_token > 2%", "bytes_per_token[fc] < 5%"],
        ["bytes_per_token > 2%", "bytes_per_token < 900 GB"],
        ["bytes_per_token > 2%", "bytes_per_token > 3%"],
    ],
)
def test_rules_that_some_value_passes_are_kept(texts: list[str]) -> None:
    assert [r.text for r in rules(texts)] == texts


@pytest.mark.parametrize(
    ("factor", "text", "expected"),
    [
        (1.03, "bytes_per_token > +2%", FAIL),
        (1.01, "bytes_per_token > +2%", PASS),
        (0.5, "bytes_per_token > +2%", PASS),
        (0.5, "bytes_per_token > -40%", PASS),
        (0.7, "bytes_per_token > -40%", FAIL),  # less than the 40 % that was promised
        (1.03, "bytes_per_token > 410 MB", FAIL),
        (1.03, "bytes_per_token > 420 MB", PASS),  # 4 x 103 MB
        (1.03, "bytes_per_token[fc] > +2%", FAIL),
        (1.03, "bytes_per_token[attention] > +2%", PASS),
        (1.03, "seconds_per_token > +1%", CANNOT_TELL),  # the same, to 5.7 % from capture to capture
        (1.03, "seconds_per_token > +6%", PASS),
        (1.03, "seconds_per_token > 0.3 ms", FAIL),  # 4 x 100 us
    ],
)
def test_a_rule_fails_where_it_holds(factor: float, text: str, expected: str) -> None:
    assert word(grown(factor), text) == expected


def test_a_change_beyond_the_limit_but_inside_the_noise_cannot_be_told() -> None:
    base = plain({"seconds": [1.0e-4, 1.2e-4, 0.9e-4, 1.1e-4]})
    head = plain({"seconds": [1.1e-4, 1.1e-4, 1.1e-4, 1.1e-4]})
    comparison = compare([base], [head])
    # 440 / 420 us = +4.8 %, with launches that differ by 10 %
    limits = ("seconds_per_token > +1%", "seconds_per_token > +6%", "seconds_per_token > +90%")
    found = [outcome(comparison, rule(limit)) for limit in limits]
    assert [o.word for o in found] == [CANNOT_TELL, CANNOT_TELL, PASS]
    assert [o.fails for o in found] == [True, True, False]
    assert not outcome(comparison, rule("seconds_per_token > +1%"), allowed=True).fails


def test_what_was_not_measured_cannot_be_told() -> None:
    blind = compare([plain({})], [plain({"dram_bytes": None})])
    assert word(blind, "bytes_per_token > +2%") == CANNOT_TELL


def test_per_token_is_not_known_where_tokens_are_not() -> None:
    made = plain({})
    untold = replace(made, run=replace(made.run, tokens=Fact()))
    assert word(compare([untold], [untold]), "bytes_per_token > +2%") == CANNOT_TELL


def test_a_pair_that_is_not_comparable_never_passes() -> None:
    comparison = compare([plain({}, batch=1)], [plain({}, batch=8)])
    assert outcome(comparison, rule("bytes_per_token > +2%"), allowed=True).fails


def test_parts_of_a_run_that_differ_break_no_rule_and_keep_none() -> None:
    comparison = compare([plain({})], [plain({"dram_bytes": 9e9})])
    lost = replace(comparison, judged=replace(comparison.judged, verdict="cannot_tell", doubt="missing:basis"))
    strict, lax = (outcome(lost, rule("bytes_per_token > +2%"), allowed=lenient) for lenient in (False, True))
    assert (strict.word, strict.value, strict.fails, lax.fails) == (CANNOT_TELL, None, True, False)
    assert strict.why == "other_parts"


def test_bytes_where_the_base_had_none_have_no_per_cent() -> None:
    comparison = compare([plain({})], [plain({}, {"kernel": "quant", "role": "quantize", "dram_bytes": 1e6})])
    assert word(comparison, "bytes_per_token[quantize] > +2%") == CANNOT_TELL
    assert word(comparison, "bytes_per_token[quantize] > 1 MB") == FAIL
