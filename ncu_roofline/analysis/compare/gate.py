"""Rules that fail a pull request: parsed from a closed grammar, judged against a comparison.

    NAME[ROLE] COMPARISON LIMIT     bytes_per_token > +2%      bytes_per_token[fc] >= 12 GB

NAME is bytes_per_token, seconds_per_token or flops_per_token. A LIMIT in per cent is the change from base
to head; one with a unit is the head's own value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf, isfinite, log1p, nan

import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.compare.verdict import Change
from ncu_roofline.capture.schema import ROLES
from ncu_roofline.capture.units import factor
from ncu_roofline.errors import UnusableInput

NAMES = {"bytes_per_token": ("bytes", "byte"), "seconds_per_token": ("seconds", "s"), "flops_per_token": ("flops", "FLOP")}
GRAMMAR = re.compile(
    r"\s*(?P<name>[A-Za-z_]+)\s*(?:\[\s*(?P<role>[^\]]*?)\s*\])?\s*(?P<sign>>=|<=|>|<)\s*"
    r"(?P<limit>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(?P<unit>%|[A-Za-zµμ]+)\s*"
)
UNITS = {
    "byte": r"([kKMGTP]|[KMGT]i)?(B|byte|bytes)",
    "s": r"(s|ms|us|µs|μs|ns)",
    "FLOP": r"([kKMGTP])?(FLOP|FLOPs|flop|flops)",
}
EXAMPLE = "write for example 'bytes_per_token > +2%' or 'bytes_per_token[fc] > 12 GB'"
PASS, FAIL, CANNOT_TELL = "pass", "fail", "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Fails where the measured number stands in this relation to the limit."""

    text: str
    quantity: str
    role: str | None
    sign: str
    limit: float
    """A part (0.02 is 2 %) where `relative`, else base SI units."""
    relative: bool

    def broken(self, value: float) -> bool:
        """Whether a value breaks the rule."""
        if value == self.limit:
            return "=" in self.sign
        return (value > self.limit) == (self.sign[0] == ">")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A rule with what was measured and whether it passes."""

    rule: Rule
    value: float | None
    word: str
    allowed: bool
    """Whether cannot tell passes."""
    why: str = ""
    """For cannot tell the reason, a word that `words_gate` puts into a sentence."""
    reach: float | None = None
    """Up to which part chance may have made the change."""

    @property
    def fails(self) -> bool:
        """Whether the gate fails by this rule."""
        return self.word == FAIL or (self.word == CANNOT_TELL and not self.allowed)


def rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """The rules of a gate; raises UnusableInput for one that cannot be read, and for rules that contradict."""
    if not texts or not any(t.strip() for t in texts):
        raise UnusableInput(f"a gate needs a rule; {EXAMPLE}")
    found = tuple(rule(t) for t in texts)
    for one, other in combinations(found, 2):
        if contradict(one, other):
            raise UnusableInput(f"--fail-if '{one.text}' and '{other.text}' contradict: every value breaks one of them")
    return found


def rule(written: str) -> Rule:
    """One rule from its text."""
    found = GRAMMAR.fullmatch(written)
    if not found:
        raise UnusableInput(f"--fail-if {written!r} is not a rule; {EXAMPLE}")
    if found["name"] not in NAMES:
        raise UnusableInput(f"--fail-if {written!r}: {unknown('name', found['name'], list(NAMES))}")
    role = found["role"]
    if role is not None and role not in ROLES:
        raise UnusableInput(f"--fail-if {written!r}: {unknown('role', role, list(ROLES))}")
    quantity, unit = NAMES[found["name"]]
    relative = found["unit"] == "%"
    return Rule(
        text=" ".join(written.split()),
        quantity=quantity,
        role=role,
        sign=found["sign"],
        relative=relative,
        limit=float(found["limit"]) / 100 if relative else absolute(written, found["limit"], found["unit"], unit),
    )


def unknown(what: str, name: str, known: list[str]) -> str:
    """That there is no such name, the nearest one, and all of them."""
    near = difflib.get_close_matches(name, known)
    meant = f", did you mean {near[0]!r}" if near else ""
    return f"unknown {what} {name!r}{meant}; known: {', '.join(known)}"


def absolute(written: str, number: str, unit: str, base_unit: str) -> float:
    """A limit in base SI units; refuses a unit of another kind, and a sign, which only a change has."""
    if not re.fullmatch(UNITS[base_unit], unit):
        raise UnusableInput(f"--fail-if {written!r}: {unit!r} is not a unit of this number; {EXAMPLE}")
    if number[0] in "+-":
        raise UnusableInput(
            f"--fail-if {written!r}: a limit with a unit is the head's own value, without a sign; a change is in %"
        )
    spelled = unit.replace("FLOPs", "FLOP").replace("bytes", "byte")
    value = float(number) * (factor(spelled) or nan)
    if not isfinite(value):
        raise UnusableInput(f"--fail-if {written!r}: the limit is not a number that can be reached")
    return value


def contradict(one: Rule, other: Rule) -> bool:
    """Whether no value passes both: all above one limit fail, and all below a higher one fail."""
    if (one.quantity, one.role, one.relative) != (other.quantity, other.role, other.relative):
        return False
    upper, lower = (one, other) if one.sign[0] == ">" else (other, one)
    if upper.sign[0] == lower.sign[0]:
        return False
    touching = upper.limit == lower.limit and not (upper.sign == ">" and lower.sign == "<")
    return upper.limit < lower.limit or touching


def outcome(comparison: Comparison, rule: Rule, *, allowed: bool = False) -> Outcome:
    """One rule judged; a change beyond the limit but inside the noise cannot be told, which passes where it is allowed."""
    untold = {
        "not_comparable": comparison.verdict == "not_comparable",
        "no_tokens": comparison.basis not in ("token", "part"),
        "other_parts": comparison.judged.doubt == "missing:basis",
        "other_facts": comparison.judged.doubt.startswith("assumed:"),
    }
    why = next((why for why, holds in untold.items() if holds), None)
    if why is not None:
        return Outcome(rule=rule, value=None, word=CANNOT_TELL, allowed=allowed and why != "not_comparable", why=why)
    return decided(rule, change_of(comparison, rule), allowed)


def decided(rule: Rule, each: Change, allowed: bool) -> Outcome:
    """A rule and the change that it is about: kept, broken, or neither."""

    def untold(why: str, value: float | None = None, reach: float | None = None) -> Outcome:
        return Outcome(rule=rule, value=value, word=CANNOT_TELL, allowed=allowed, why=why, reach=reach)

    value = each.part if rule.relative else each.head
    if rule.relative and each.log is None and each.base == 0 and each.head is not None:
        value = 0.0 if each.head == 0 else None
    if value is None:
        return untold("none_in_base" if each.base == 0 and each.head else "unmeasured")
    if rule.relative and each.log is not None and len({rule.broken(end) for end in ends(each)}) > 1:
        return untold("noise", value, each.reach)
    return Outcome(rule=rule, value=value, word=FAIL if rule.broken(value) else PASS, allowed=allowed)


def ends(each: Change) -> tuple[float, float]:
    """The least and the most that a change can be, noise and what was not measured in it."""
    return (-1.0 if each.low is None else each.low, inf if each.high is None else each.high)


def change_of(comparison: Comparison, rule: Rule) -> Change:
    """The change that a rule is about; a role that neither side has moves nothing."""
    if rule.role is None:
        found: Change = getattr(comparison.judged, rule.quantity)
        return found
    rows = comparison.rows["role"].filter(pl.col("role") == rule.role).to_dicts()
    if not rows:
        return Change(base=0.0, head=0.0, log=None, reach=0.0, measured=True)
    row = rows[0]
    sides = [row[f"{s}_{rule.quantity}"] if row[f"{s}_launches"] else 0.0 for s in ("base", "head")]
    ratio, reach, low, high = (row[f"{rule.quantity}_{name}"] for name in ("log", "noise", "low", "high"))
    inner = [None if part is None else log1p(part) for part in (low, high)]
    return Change(
        base=sides[0],
        head=sides[1],
        log=ratio,
        reach=reach,
        measured=True,
        least=None if inner[0] is None else inner[0] + reach,
        most=None if inner[1] is None else inner[1] - reach,
        gap=True,
    )
