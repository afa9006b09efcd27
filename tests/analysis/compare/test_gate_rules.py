"""Rules judged against numbers that are stated: at the limit, at zero, unknown, inside the noise."""

from __future__ import annotations

from itertools import product
from math import expm1, log
from typing import Any, cast

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.compare.gate import CANNOT_TELL, FAIL, PASS, Outcome, contradict, outcome, rule, rules
from ncu_roofline.analysis.compare.sides import Side
from ncu_roofline.analysis.compare.verdict import Change, Judged
from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.documents.words_gate import measured, sentence, why


def changed(base: float | None, head: float | None, reach: float = 0.0) -> Change:
    ratio = log(head / base) if base and head else None
    return Change(base=base, head=head, log=ratio, reach=reach, measured=True)


def comparison(
    bytes_: Change | None = None, *, verdict: str = "no_change", basis: str = "token", roles: list[dict[str, Any]] | None = None
) -> Comparison:
    """Of these bytes, and of as many FLOPs and seconds on both sides."""
    none = cast("Side", None)
    same = changed(8.0, 8.0)
    judged = Judged(verdict=verdict, bytes=bytes_ or same, flops=same, seconds=changed(2e-3, 1e-3), beyond=None)
    kinds = dict.fromkeys(
        ("base_bytes", "head_bytes", "bytes_log", "bytes_noise", "bytes_low", "bytes_high", "base_launches", "head_launches"),
        pl.Float64,
    )
    table = pl.DataFrame(roles or [], schema={"role": pl.String, **kinds})
    return Comparison(
        judged=judged,
        differences=(),
        anyway=False,
        basis=basis,
        base=none,
        head=none,
        rows={"role": table},
        latency=(None, None),
        useful=(None, None),
    )


def of_role(role: str, base: float | None, head: float | None, counts: tuple[float, float] = (1.0, 1.0)) -> dict[str, Any]:
    ratio = log(head / base) if base and head else None
    sides = {"base_bytes": base, "head_bytes": head, "base_launches": counts[0], "head_launches": counts[1]}
    ends: dict[str, float | None] = {"bytes_low": None, "bytes_high": None}
    if ratio is not None:
        ends = {"bytes_low": expm1(ratio - 0.01), "bytes_high": expm1(ratio + 0.01)}
    return {"role": role, **sides, "bytes_log": ratio, "bytes_noise": 0.01, **ends}


def found(made: Comparison, text: str, *, allowed: bool = False) -> Outcome:
    return outcome(made, rule(text), allowed=allowed)


@pytest.mark.parametrize(
    ("sign", "below", "at", "above"),
    [(">", False, False, True), (">=", False, True, True), ("<", True, False, False), ("<=", True, True, False)],
)
def test_a_value_breaks_a_rule_on_its_side_of_the_limit_and_at_it_where_the_rule_says_so(
    sign: str, below: bool, at: bool, above: bool
) -> None:
    limit = rule(f"bytes_per_token {sign} 5 B")

    assert [limit.broken(value) for value in (4.0, 5.0, 6.0)] == [below, at, above]


@pytest.mark.parametrize(("one", "other"), list(product([">", ">=", "<", "<="], repeat=2)))
def test_two_rules_contradict_if_every_value_breaks_one(one: str, other: str) -> None:
    values = (3.0, 4.0, 5.0, 6.0, 7.0)
    for low, high in ((4, 6), (5, 5), (6, 4)):
        first, second = rule(f"bytes_per_token {one} {low} B"), rule(f"bytes_per_token {other} {high} B")
        assert contradict(first, second) == all(first.broken(v) or second.broken(v) for v in values)


def test_rules_on_other_numbers_roles_or_kinds_of_limit_do_not_contradict() -> None:
    more = rule("bytes_per_token > 2 B")
    for other in ("flops_per_token < 5 FLOP", "bytes_per_token[fc] < 5 B", "bytes_per_token < 5%"):
        assert not contradict(more, rule(other))
    assert contradict(more, rule("bytes_per_token < 5 B"))


def test_a_contradiction_is_found_between_any_two_rules() -> None:
    more, less, other = "bytes_per_token > 2%", "bytes_per_token < 5%", "seconds_per_token > 1%"

    for texts in ([more, less, other], [more, other, less], [other, less, more]):
        with pytest.raises(UnusableInput, match="contradict"):
            rules(texts)
    assert len(rules([more, more, other])) == 3


def test_a_gate_of_which_one_rule_is_empty_is_refused_for_that_rule() -> None:
    with pytest.raises(UnusableInput, match="is not a rule"):
        rules(["bytes_per_token > 2%", " "])


def test_the_text_of_a_rule_is_kept_with_single_spaces() -> None:
    read = rule("  bytes_per_token   >  +2 % ")

    assert (read.text, read.sign) == ("bytes_per_token > +2 %", ">")


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("B", 3.0),
        ("bytes", 3.0),
        ("kB", 3e3),
        ("KB", 3e3),
        ("Mbytes", 3e6),
        ("GiB", 3 * 2.0**30),
        ("TiB", 3 * 2.0**40),
        ("PB", 3e15),
    ],
)
def test_a_limit_of_bytes_is_in_bytes(unit: str, value: float) -> None:
    assert rule(f"bytes_per_token > 3 {unit}").limit == value


@pytest.mark.parametrize(("unit", "value"), [("FLOP", 3.0), ("FLOPs", 3.0), ("flops", 3.0), ("TFLOPs", 3e12), ("Gflop", 3e9)])
def test_a_limit_of_flops_is_in_flops(unit: str, value: float) -> None:
    assert rule(f"flops_per_token > 3 {unit}").limit == value


@pytest.mark.parametrize("limit", ["+3 GB", "-3 GB"])
def test_a_limit_with_a_unit_has_no_sign(limit: str) -> None:
    with pytest.raises(UnusableInput, match="without a sign"):
        rule(f"bytes_per_token > {limit}")


def test_a_name_that_resembles_none_is_told_all_of_them_without_a_guess() -> None:
    with pytest.raises(UnusableInput) as told:
        rule("zzzz > 2%")

    assert "unknown name 'zzzz'; known: bytes_per_token, seconds_per_token, flops_per_token" in str(told.value)


def test_a_change_is_told_in_per_cent_and_a_limit_with_a_unit_by_the_heads_own_number() -> None:
    made = comparison(changed(8e6, 12e6))

    relative, absolute = found(made, "bytes_per_token > 2%"), found(made, "bytes_per_token > 2 MB")

    assert (relative.word, measured(relative)) == (FAIL, "+50.00 %")
    assert relative.value == pytest.approx(0.5)
    assert sentence(relative, "token") == "'bytes_per_token > 2%' fails: +50.00 % measured"
    assert (absolute.word, absolute.value) == (FAIL, 12e6)
    assert measured(absolute) == "12 MB"


def test_each_number_is_judged_by_its_own_change_and_told_in_its_own_unit() -> None:
    made = comparison(changed(8.0, 12.0))

    assert found(made, "seconds_per_token < -20%").value == pytest.approx(-0.5)
    assert found(made, "flops_per_token >= +0%").value == 0.0
    assert measured(found(made, "seconds_per_token > 1 us")) == "1 ms"


def test_no_change_that_is_known_to_a_fifth_may_be_either() -> None:
    assert found(comparison(changed(8.0, 8.0, reach=0.2)), "bytes_per_token > 0%").word == CANNOT_TELL
    exact = comparison(changed(8.0, 8.0))

    assert found(exact, "bytes_per_token >= 0%").word == FAIL
    assert found(exact, "bytes_per_token > 0%").word == PASS


@pytest.mark.parametrize(
    ("head", "reach", "word"),
    [
        (11.0, log(1.1 / 1.05) - 1e-6, FAIL),
        (11.0, log(1.1 / 1.05) + 1e-6, CANNOT_TELL),
        (10.1, log(1.05 / 1.01) - 1e-6, PASS),
        (10.1, log(1.05 / 1.01) + 1e-6, CANNOT_TELL),  # below the limit, and as far as is known above it
    ],
)
def test_a_change_inside_the_noise_cannot_be_told(head: float, reach: float, word: str) -> None:
    assert found(comparison(changed(10.0, head, reach)), "bytes_per_token > 5%").word == word


def test_the_noise_is_told_and_the_heads_own_number_has_none() -> None:
    made = comparison(changed(10.0, 11.0, 0.2))

    noisy = found(made, "bytes_per_token > 5%")

    assert why(noisy, "token") == "+10.00 % is measured to ±20.00 % only"
    assert noisy.value == pytest.approx(0.1)
    assert sentence(noisy, "token") == f"'bytes_per_token > 5%' cannot be told ({why(noisy, 'token')})"
    assert found(made, "bytes_per_token > 5 B").word == FAIL


@pytest.mark.parametrize(
    ("base", "head", "word", "reason"),
    [
        (0.0, 0.0, PASS, ""),
        (0.0, 5.0, CANNOT_TELL, "none_in_base"),
        (0.0, None, CANNOT_TELL, "unmeasured"),
        (5.0, None, CANNOT_TELL, "unmeasured"),
        (None, 5.0, CANNOT_TELL, "unmeasured"),
        (5.0, 0.0, CANNOT_TELL, "unmeasured"),
    ],
)
def test_without_a_ratio_there_is_a_per_cent_only_of_nothing_on_both_sides(
    base: float | None, head: float | None, word: str, reason: str
) -> None:
    told = found(comparison(changed(base, head)), "bytes_per_token > 2%")

    assert (told.word, told.why) == (word, reason)
    assert measured(told) == ("+0.00 %" if word == PASS else "unknown")


def test_the_heads_own_number_needs_no_base() -> None:
    assert found(comparison(changed(None, 5.0)), "bytes_per_token > 2 B").word == FAIL
    assert found(comparison(changed(0.0, 5.0)), "bytes_per_token > 7 B").word == PASS
    assert found(comparison(changed(5.0, None)), "bytes_per_token > 2 B").word == CANNOT_TELL


@pytest.mark.parametrize("allowed", [False, True])
def test_what_cannot_be_told_fails_unless_that_is_allowed(allowed: bool) -> None:
    for made in (comparison(basis="step"), comparison(changed(0.0, 5.0)), comparison(changed(10.0, 11.0, 0.2))):
        told = outcome(made, rule("bytes_per_token > 2%"), allowed=allowed)
        assert told.word == CANNOT_TELL
        assert told.fails is not allowed


def test_numbers_that_are_not_per_token_are_said_to_be_what_they_are() -> None:
    told = found(comparison(basis="layer"), "bytes_per_token > 2%")
    assert why(told, "layer") == "tokens are unknown, numbers are per layer"
    assert found(comparison(basis="part"), "bytes_per_token > 2%").word == PASS


def test_a_pair_that_is_not_comparable_fails_even_where_cannot_tell_is_allowed() -> None:
    told = found(comparison(verdict="not_comparable"), "bytes_per_token > 2%", allowed=True)

    assert (told.word, told.fails, told.why) == (CANNOT_TELL, True, "not_comparable")


def test_passing_does_not_fail_and_breaking_fails_even_where_cannot_tell_is_allowed() -> None:
    made = comparison(changed(10.0, 11.0))

    assert not found(made, "bytes_per_token > 20%").fails
    assert found(made, "bytes_per_token > 5%", allowed=True).fails


def test_a_role_is_judged_by_its_own_row() -> None:
    made = comparison(roles=[of_role("norm", 10.0, 20.0), of_role("fc", 10.0, 15.0)])

    assert found(made, "bytes_per_token[fc] > 2%").value == pytest.approx(0.5)
    assert found(made, "bytes_per_token[norm] > 5 B").value == 20.0
    # its own noise is 1 %
    assert found(comparison(roles=[of_role("fc", 1000.0, 1005.0)]), "bytes_per_token[fc] > 0.1%").word == CANNOT_TELL


def test_a_role_that_no_side_has_moves_nothing() -> None:
    made = comparison(roles=[of_role("norm", 10.0, 20.0)])

    assert found(made, "bytes_per_token[fc] > 0%").value == 0.0
    assert found(made, "bytes_per_token[fc] >= 0%").word == FAIL
    assert found(made, "bytes_per_token[fc] > 2 B").value == 0.0


def test_a_role_that_one_side_lacks_moved_nothing_there() -> None:
    gone = comparison(roles=[of_role("fc", 10.0, None, (1.0, 0.0))])
    new = comparison(roles=[of_role("fc", None, 10.0, (0.0, 1.0))])

    assert found(gone, "bytes_per_token[fc] > 2 B").value == 0.0
    assert found(new, "bytes_per_token[fc] > 2%").why == "none_in_base"
    assert found(comparison(roles=[of_role("fc", 10.0, None)]), "bytes_per_token[fc] > 2 B").value is None
