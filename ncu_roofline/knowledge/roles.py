"""Role rules: read from data, checked, and matched on the distinct names of a capture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from ncu_roofline.capture.schema import ROLES
from ncu_roofline.knowledge import names as spelled
from ncu_roofline.knowledge import role_files
from ncu_roofline.knowledge.names import PARTS

NAME_ROLES = {"name": pl.String, "role": pl.Enum(list(ROLES)), "rule": pl.String}
DTYPE_COLUMNS = ("weight_dtype", "activation_dtype", "cache_dtype")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One reason to give a role: every pattern that is stated must be found, `unless` must not."""

    id: str
    role: str
    why: str
    function: str | None = None
    scope: str | None = None
    arguments: str | None = None
    name: str | None = None
    nvtx: str | None = None
    unless: str | None = None
    over: tuple[str, ...] = ()
    """Of a rule on NVTX ranges: roles by name that it overrules (a kernel without one always)."""
    open: str | None = None
    """What the name leaves open and the neighbours may settle: gemm, softmax, topk, ..."""
    user: bool = False
    line: int = 0

    def named(self) -> pl.Expr:
        """Whether a row of `described` names is matched."""
        wanted = {c: getattr(self, c) for c in (*PARTS, "name")}
        found = [_holds(column, text) for column, text in wanted.items() if text is not None]
        if self.unless is not None:
            found.append(~_holds("function", self.unless))
        return pl.all_horizontal(found) if len(found) > 1 else found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class DtypeRule:
    """What a name says of the type of weights, activations or cache."""

    column: str
    value: str
    name: str
    roles: tuple[str, ...]
    unless: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rules in order of precedence; the user's stand first."""

    rules: tuple[Rule, ...]
    spellings: Mapping[str, str] = field(default_factory=dict)
    dtypes: tuple[DtypeRule, ...] = ()

    def of(self, *, nvtx: bool, user: bool) -> tuple[Rule, ...]:
        """Rules on NVTX ranges or on names, the user's or the built-in ones."""
        return tuple(r for r in self.rules if (r.nvtx is not None) == nvtx and r.user == user)

    def by_id(self) -> dict[str, Rule]:
        """Rules by id; of equal ids the user's."""
        return {rule.id: rule for rule in reversed(self.rules)}


def load_rules(user: Path | None = None) -> Rules:
    """The built-in rules behind the user's; raises UnusableInput naming the line of a bad rule."""
    rules, spellings, dtypes = _built_in()
    stated = _rules(role_files.read(user, frozenset(r.id for r in rules)), user=True) if user else ()
    return Rules(rules=(*stated, *rules), spellings=spellings, dtypes=dtypes)


@lru_cache(maxsize=1)
def _built_in() -> tuple[tuple[Rule, ...], dict[str, str], tuple[DtypeRule, ...]]:
    tables = role_files.tables(files(__package__) / "roles.toml")
    dtypes = tuple(_made(DtypeRule, table) for table in tables["dtype"])
    spellings = {word: role_files.joined(said) for word, said in tables["spelling"].items()}
    return _rules(tables["rule"], user=False), spellings, dtypes


def _rules(tables: Iterable[dict[str, Any]], *, user: bool) -> tuple[Rule, ...]:
    return tuple(_made(Rule, table | {"user": user}) for table in tables)


def _made(kind: Any, table: dict[str, Any]) -> Any:
    lists = ("roles", "over")
    return kind(**{k: tuple(v) if k in lists else role_files.joined(v) for k, v in table.items()})


def _holds(column: str, pattern: str) -> pl.Expr:
    return pl.col(column).str.contains(pattern)


def described(names: pl.Series, rules: Rules) -> pl.DataFrame:
    """Each name with the words of its scope, function and arguments."""
    split = spelled.split(names)
    parts = [spelled.words(pl.col(part).str.slice(0, 1_000)) for part in PARTS]
    for word, said in rules.spellings.items():
        parts = [part.str.replace_all(rf"\b(?:{said})\b", word) for part in parts]
    return split.with_columns(parts).select(*PARTS, given="name", name="readable")


def first(rules: Iterable[Rule]) -> pl.Expr:
    """Id of the first rule that matches a described name; null where none does."""
    ids = [pl.when(rule.named()).then(pl.lit(rule.id)) for rule in rules]
    return pl.coalesce(ids) if ids else pl.lit(None, pl.String)


def classify_names(names: pl.Series, rules: Rules) -> pl.DataFrame:
    """One row per distinct name: role, rule and dtypes by the name alone; null where it says nothing."""
    seen = described(names.drop_nulls().unique(maintain_order=True), rules)
    roles = {rule.id: rule.role for rule in reversed(rules.rules)}
    matched = seen.select(
        "given",
        readable="name",
        rule=pl.coalesce(first(rules.of(nvtx=False, user=True)), first(rules.of(nvtx=False, user=False))),
    ).with_columns(role=pl.col("rule").replace_strict(roles, default=None, return_dtype=NAME_ROLES["role"]))
    return matched.select(pl.col("given").alias("name"), "role", "rule", *dtypes(rules))


def dtypes(rules: Rules) -> list[pl.Expr]:
    """The three dtype columns of rows with `readable` and `role`; null where the name does not tell."""
    return [
        pl.coalesce([_told(r) for r in rules.dtypes if r.column == c] or [pl.lit(None, pl.String)]).alias(c)
        for c in DTYPE_COLUMNS
    ]


def _told(rule: DtypeRule) -> pl.Expr:
    told = pl.col("readable").str.contains(rule.name) & pl.col("role").is_in(rule.roles)
    if rule.unless is not None:
        told &= ~pl.col("readable").str.contains(rule.unless)
    return pl.when(told).then(pl.lit(rule.value))
