"""The rules of a gate in words: what was measured, and why a rule failed or cannot be told."""

from __future__ import annotations

from ncu_roofline.analysis.compare.gate import CANNOT_TELL, NAMES, Outcome
from ncu_roofline.capture.units import text

WHY = {
    "not_comparable": "base and head are not comparable",
    "no_tokens": "tokens are unknown, numbers are per {basis}",
    "other_parts": "base and head hold different parts of a run",
    "none_in_base": "the base has none of it: no per cent",
    "unmeasured": "not measured on both sides",
    "noise": "{measured} is measured to ±{reach} only",
    "first": "there is no point before it",
    "other_facts": "the change may be that of a context or batch that nobody tells",
}


def measured(outcome: Outcome) -> str:
    """The number as people read it."""
    if outcome.value is None:
        return "unknown"
    unit = next(u for q, u in NAMES.values() if q == outcome.rule.quantity)
    return f"{100 * outcome.value:+.2f} %" if outcome.rule.relative else text(outcome.value, unit)


def why(outcome: Outcome, basis: str) -> str:
    """Why a rule cannot be told; `basis` is what the comparison's numbers are per."""
    return WHY[outcome.why].format(basis=basis, measured=measured(outcome), reach=f"{100 * (outcome.reach or 0.0):.2f} %")


def sentence(outcome: Outcome, basis: str) -> str:
    """What the rule found."""
    if outcome.word == CANNOT_TELL:
        return f"'{outcome.rule.text}' cannot be told ({why(outcome, basis)})"
    return f"'{outcome.rule.text}' fails: {measured(outcome)} measured"
