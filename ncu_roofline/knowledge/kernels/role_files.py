"""A file of role rules as checked tables: every mistake is one sentence with its line."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from ncu_roofline.capture.schema import ROLES
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge import toml
from ncu_roofline.knowledge.kernels.patterns import required

PATTERNS = ("function", "scope", "arguments", "name", "nvtx", "unless")
TARGETS = PATTERNS[:-1]
KINDS = {"id": str, "why": str, "open": bool}
NAMES = {str: "a text", bool: "true or false"}
KEYS = ("id", "role", "why", "over", "open", *PATTERNS)


def joined(pattern: Any) -> Any:
    """A list of patterns as one pattern that any of them satisfies."""
    return "|".join(pattern) if isinstance(pattern, list) else pattern


def read(file: toml.Readable, taken: frozenset[str]) -> list[dict[str, Any]]:
    """The `[[rule]]` tables of a user's file, each with its line; raises UnusableInput."""
    content = toml.text(file)
    parsed = toml.parse(content, file.name)
    lines = toml.table_lines(content, "rule")
    if strange := sorted(set(parsed) - {"rule"}):
        _refuse(file.name, _line_of(content, strange[0]), f"unknown key {strange[0]!r}", "a rules file holds [[rule]] tables")
    rules = parsed.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(r, dict) for r in rules):
        _refuse(file.name, _line_of(content, "rule"), "rule is not a list of tables", "begin each rule with [[rule]]")
    numbered = lines if len(lines) == len(rules) else [1] * len(rules)
    made = [_checked(rule, file.name, line, content) for rule, line in zip(rules, numbered, strict=True)]
    ids = set[str]()
    for rule in made:
        named = str(rule.setdefault("id", f"line {rule['line']}"))
        if named in taken or named in ids:
            whose = "is taken by a built-in rule" if named in taken else "stands there twice"
            _refuse(file.name, rule["line"], f"the id {named!r} {whose}", "choose another id")
        ids.add(named)
    _refuse_unreachable(made, file.name)
    return made


def _checked(rule: dict[str, Any], name: str, line: int, content: str) -> dict[str, Any]:
    """The rule with its line and its lists joined, or the first thing wrong with it."""
    _known(rule, name, line, content)
    at = _line_of(content, "role", line)
    if rule.get("role") not in ROLES:
        wrong = f"unknown role {rule['role']!r}" if "role" in rule else "a rule without role"
        _refuse(name, at, wrong, f"roles: {', '.join(ROLES)}")
    if not any(key in rule for key in TARGETS):
        _refuse(name, line, "a rule without a pattern", f"add one of {', '.join(TARGETS)}")
    if "nvtx" in rule and any(key in rule for key in ("function", "scope", "arguments", "name")):
        _refuse(name, line, "a rule on both NVTX and a name", "state either nvtx or a name pattern")
    over = rule.get("over", [])
    if not isinstance(over, list) or not all(role in ROLES for role in over):
        _refuse(name, _line_of(content, "over", line), f"unknown role in over = {rule['over']!r}", f"roles: {', '.join(ROLES)}")
    made = {"why": "the user's rule"} | rule | {"line": line}
    for key in PATTERNS:
        if key in rule:
            made[key] = _pattern(rule[key], name, _line_of(content, key, line))
    return made


def _known(rule: dict[str, Any], name: str, line: int, content: str) -> None:
    """Refuses a rule with a key that is none, or with a value that is no text or flag where one belongs."""
    for key, value in rule.items():
        if key not in KEYS:
            _refuse(name, _line_of(content, key, line), f"unknown key {key!r}", f"known keys: {', '.join(KEYS)}")
        if key in KINDS and type(value) is not KINDS[key]:
            _refuse(name, _line_of(content, key, line), f"{key} = {value!r}", f"write {NAMES[KINDS[key]]} there")


def _pattern(given: Any, name: str, line: int) -> str:
    """One valid pattern out of a string or a list of strings."""
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(isinstance(p, str) and p for p in listed):
        _refuse(name, line, f"{given!r} is no pattern", "write a regular expression in quotes")
    pattern = "|".join(listed)
    try:
        pl.Series([""]).str.contains(pattern)
    except PolarsError as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("error: ")
        advice = "correct the regular expression (Rust syntax: no look-around)"
        _refuse(name, line, f"invalid pattern {pattern!r} ({reason})", advice)
    return pattern


def _refuse_unreachable(rules: list[dict[str, Any]], name: str) -> None:
    """Refuses a rule all of whose names an earlier one takes."""
    for earlier, later in combinations(rules, 2):
        if _covers(earlier, later):
            _refuse(
                name,
                later["line"],
                f"this rule can never match: the one on line {earlier['line']} takes all its names",
                "move it up, or narrow the earlier rule",
            )


def _covers(earlier: dict[str, Any], later: dict[str, Any]) -> bool:
    """Whether every name of the later rule is surely one of the earlier rule; False when in doubt."""
    if "unless" in earlier and earlier["unless"] != later.get("unless"):
        return False
    stated = [key for key in TARGETS if key in earlier]
    return all(key in later and _wider(earlier[key], later[key]) for key in stated)


def _wider(wide: str, narrow: str) -> bool:
    """Whether `wide` is found in every text in which `narrow` is found; False when in doubt."""
    if wide == narrow or re.fullmatch(r"\^?\(?\.[*]\)?\$?", wide):
        return True
    if re.search(r"[\^$\\]", wide):
        return False  # what stands around a match is not known
    return bool(pl.Series(required(narrow)).str.contains(wide).all())


def _line_of(content: str, key: str, start: int = 1) -> int:
    """The line, from `start` on, that sets this key; `start` where none does."""
    setting = re.compile(rf"\s*(?:\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*(?:=|\])")
    lines = content.splitlines()[start - 1 :]
    return next((start + n for n, line in enumerate(lines) if setting.match(line)), start)


def _refuse(name: str, line: int, wrong: str, advice: str) -> None:
    raise UnusableInput(f"{name}, line {line}: {wrong}; {advice}")
