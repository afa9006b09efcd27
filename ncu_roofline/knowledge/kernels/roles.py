"""Role rules: read from data, checked, and matched on the distinct names of a capture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from ncu_roofline.capture.schema import ROLES
from ncu_roofline.knowledge.kernels import names as spelled
from ncu_roofline.knowledge.kernels import role_files
from ncu_roofline.knowledge.kernels.names import PARTS
from ncu_roofline.knowledge.kernels.patterns import narrowed, required
from ncu_roofline.knowledge.toml import read_once

ROLE = pl.Enum(list(ROLES))
DTYPE_COLUMNS = ("weight_dtype", "activation_dtype", "cache_dtype")
UNLESS_PLAIN, IF_MIXED = "unless plain", "if mixed"
"""A broad word proves its role only beside plain words, a surer one only without a telling word of another role."""
MOST_REMEMBERED = 1_000
"""Names of a capture whose roles are kept for the next one; a step has some dozens."""


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
    likely: str | None = None
    """When the name makes the role only likely: UNLESS_PLAIN or IF_MIXED; it proves it where null."""
    user: bool = False
    line: int = 0

    def named(self) -> pl.Expr:
        """Whether a row of `described` names is matched."""
        wanted = {c: getattr(self, c) for c in (*PARTS, "name", "nvtx")}
        found = [_holds(column, text) for column, text in wanted.items() if text is not None]
        if self.unless is not None:
            found.append(~_holds("nvtx" if self.nvtx else "function", self.unless))
        return pl.all_horizontal(found) if len(found) > 1 else found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class DtypeRule:
    """What a name says of the type of weights, activations or cache."""

    columns: tuple[str, ...]
    roles: tuple[str, ...]
    name: str
    values: Mapping[str, str]
    why: str
    unless: str | None = None

    def told(self) -> pl.Expr:
        """The type of a row with `readable` and `role`; null where the name does not tell."""
        word = pl.col("readable").str.extract(_ascii(self.name))
        holds = pl.col("role").is_in(self.roles)
        if self.unless is not None:
            holds &= ~_holds("readable", self.unless)
        return pl.when(holds).then(word.replace_strict(self.values, default=None, return_dtype=pl.String))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rules:
    """All rules in order of precedence; the user's stand first. Equal where they are the same object."""

    rules: tuple[Rule, ...]
    spellings: Mapping[str, str] = field(default_factory=dict)
    dtypes: tuple[DtypeRule, ...] = ()
    nameless: Mapping[str, str] = field(default_factory=dict)
    """Function names that say nothing, by what may settle them: `generic` or `reduce`."""
    plain: str = ""
    """Words that say how a kernel works and not what it is for."""
    telling: Mapping[str, str] = field(default_factory=dict)
    """Words by the role that they tell, unless they are only the operand of another."""

    def of(self, *, nvtx: bool) -> tuple[Rule, ...]:
        """Rules on NVTX ranges, or those on names."""
        return tuple(r for r in self.rules if (r.nvtx is not None) == nvtx)

    def by_id(self) -> dict[str, Rule]:
        """Rules by id; of equal ids the user's."""
        return {rule.id: rule for rule in reversed(self.rules)}


def load_rules(user: Path | None = None) -> Rules:
    """The built-in rules behind the user's; raises UnusableInput naming the line of a bad rule."""
    built_in = _built_in()
    if user is None:
        return built_in
    rules = built_in.rules
    return replace(built_in, rules=(*_rules(role_files.read(user, frozenset(r.id for r in rules)), user=True), *rules))


@lru_cache(maxsize=1)
def _built_in() -> Rules:
    tables = read_once("kernels/roles.toml")
    dtypes = tuple(_made(DtypeRule, table) for table in tables["dtype"])
    spellings = {word: role_files.joined(said) for word, said in tables["spelling"].items()}
    nameless = {kind: role_files.joined(said) for kind, said in tables["nameless"].items()}
    return Rules(
        rules=_rules(tables["rule"], user=False),
        spellings=spellings,
        dtypes=dtypes,
        nameless=nameless,
        plain=role_files.joined(tables["plain"]["words"]),
        telling=tables["telling"],
    )


def _rules(tables: Iterable[dict[str, Any]], *, user: bool) -> tuple[Rule, ...]:
    return tuple(_made(Rule, table | {"user": user}) for table in tables)


def _made(kind: Any, table: dict[str, Any]) -> Any:
    lists = ("roles", "over", "columns")
    return kind(**{k: tuple(v) if k in lists else role_files.joined(v) for k, v in table.items()})


def _holds(column: str, pattern: str) -> pl.Expr:
    """Whether the pattern is found; words are ASCII, and ASCII classes compile many times faster."""
    return pl.col(column).str.contains(_ascii(pattern) if column in (*PARTS, "readable") else pattern)


def _ascii(pattern: str) -> str:
    return pattern.replace(r"\b", r"(?-u:\b)").replace(r"\w", "[0-9A-Za-z_]").replace(r"\d", "[0-9]").replace(".*", "[ -~]*")


def described(names: pl.Series, rules: Rules) -> pl.DataFrame:
    """Each name with the words of its scope, function and arguments."""
    split = spelled.split(names)
    lines = [pl.col(part).str.slice(0, 1_000) for part in PARTS]
    # one text of three lines a name: one pass of each pattern, not one per name
    text = spelled.words(pl.concat_str(lines, separator="\n").str.join("\n"))
    for word, said in rules.spellings.items():
        text = text.str.replace_all(_ascii(rf"\b(?:{said})\b"), word)
    spoken = split.select(text)["scope"].item().split("\n") if split.height else []
    words = {part: pl.Series(spoken[at :: len(PARTS)], dtype=pl.String).str.strip_chars() for at, part in enumerate(PARTS)}
    return split.select(given="name", name="readable").with_columns(**words)


def first_of(told: Iterable[tuple[pl.Expr, str]]) -> pl.Expr:
    """The word of the first condition that holds for a described name; null where none does."""
    words = [pl.when(holds).then(pl.lit(word)) for holds, word in told]
    return pl.coalesce(words) if words else pl.lit(None, pl.String)


def matched(rules: Iterable[Rule], seen: pl.DataFrame) -> pl.Series:
    """Id of the first rule that each described name meets; only names that hold a rule's plain text are asked."""
    told: list[str | None] = [None] * seen.height
    left = seen.select(*PARTS, "name", row=pl.int_range(pl.len()))
    texts = _texts(seen)
    for rule in rules:
        if left.is_empty():
            break
        needed = {c: required(pattern) for c in texts if (pattern := getattr(rule, c)) is not None}
        if not all(any(word in texts[c] for word in words) for c, words in needed.items()):
            continue
        held = [pl.col(c).str.contains_any(list(words)) for c, words in needed.items() if "" not in words]
        asked = left.filter(held) if held else left
        near = _near(rule, asked) if asked.height else None
        if near is None:
            continue
        rows = asked.filter(near.named())["row"].to_list()
        for row in rows:
            told[row] = rule.id
        left = left.filter(~pl.col("row").is_in(rows)) if rows else left
    return pl.Series("rule", told, dtype=pl.String)


def _texts(seen: pl.DataFrame) -> dict[str, str]:
    """Everything that described names say, column by column."""
    return {c: "\n".join(seen[c].to_list()) for c in (*PARTS, "name")}


def _near(rule: Rule, asked: pl.DataFrame) -> Rule | None:
    """The rule without the alternatives that occur in none of these names; None where a pattern it needs is left empty."""
    texts = _texts(asked)
    texts["unless"] = texts["function"]
    stated = {c: pattern for c in texts if (pattern := getattr(rule, c)) is not None}
    left: dict[str, Any] = {c: narrowed(pattern, texts[c]) for c, pattern in stated.items()}
    if any(pattern is None for c, pattern in left.items() if c != "unless"):
        return None
    return rule if left == stated else replace(rule, **left)


def classify_names(names: pl.Series, rules: Rules) -> pl.DataFrame:
    """One row per distinct name: role, rule, whether only likely, and dtypes by the name alone; null where it says nothing."""
    distinct = names.drop_nulls().unique(maintain_order=True)
    return (_remembered if len(distinct) <= MOST_REMEMBERED else _classified)(tuple(distinct), rules)


def _classified(names: tuple[str, ...], rules: Rules) -> pl.DataFrame:
    seen = described(pl.Series("name", names, dtype=pl.String), rules)
    roles = {rule.id: rule.role for rule in reversed(rules.rules)}
    nameless = first_of((_holds("function", said), kind) for kind, said in rules.nameless.items())
    told = seen.select(
        "given", "function", readable="name", rule=matched(rules.of(nvtx=False), seen), nameless=nameless
    ).with_columns(role=pl.col("rule").replace_strict(roles, default=None, return_dtype=ROLE))
    likely = _likely(rules, frozenset(told["rule"].drop_nulls()))
    return told.select(pl.col("given").alias("name"), "role", "rule", likely, "nameless", *dtypes(rules))


# captures of one engine have the same names, and a fleet has thousands of them
_remembered = lru_cache(maxsize=16)(_classified)


def _likely(rules: Rules, decided: frozenset[str]) -> pl.Expr:
    """Whether the words of the rule that decided do not prove the role of a described name; null where none did."""
    words = pl.col("function")
    plain = rf"^ *(?:(?:{_ascii(rules.plain)}) *(?-u:\b) *)*$"
    doubts = list[pl.Expr]()
    for rule in (rule for rule in rules.rules if rule.id in decided):
        if rule.likely == UNLESS_PLAIN:
            unread = words.str.replace_all(_ascii(str(rule.function)), " ")
            doubts.append(pl.when(pl.col("rule") == rule.id).then(~unread.str.contains(plain)))
        elif rule.likely == IF_MIXED:
            others = "|".join(said for role, said in rules.telling.items() if role != rule.role)
            doubts.append(pl.when(pl.col("rule") == rule.id).then(_holds("function", rf"\b(?:{others})\b")))
    return pl.coalesce(*doubts, pl.when(pl.col("rule").is_not_null()).then(pl.lit(False))).alias("likely")


def first_of_ranges(ranges: pl.Series, rules: Rules) -> pl.DataFrame:
    """One row per distinct list of NVTX ranges: what the innermost range known to a rule says."""
    lists = pl.DataFrame({"nvtx": ranges.unique()}).with_row_index("list")
    apart = lists.explode("nvtx", empty_as_null=True).drop_nulls("nvtx")
    by_id = rules.by_id()
    first = first_of((rule.named(), rule.id) for rule in rules.of(nvtx=True))
    ids = apart.select("nvtx").unique().with_columns(range_rule=first)
    innermost = apart.join(ids.drop_nulls(), on="nvtx", maintain_order="left").group_by("list").agg(pl.col("range_rule").last())
    told = innermost.with_columns(
        range_role=pl.col("range_rule").replace_strict({k: r.role for k, r in by_id.items()}, return_dtype=ROLE),
        range_user=pl.col("range_rule").is_in([k for k, r in by_id.items() if r.user]),
    )
    overs = pl.DataFrame(
        {"range_rule": list(by_id), "range_over": [list(r.over) for r in by_id.values()]},
        schema={"range_rule": pl.String, "range_over": pl.List(pl.String)},
    )
    return lists.join(told, on="list", how="left").join(overs, on="range_rule", how="left").drop("list")


def dtypes(rules: Rules) -> list[pl.Expr]:
    """The three dtype columns of rows with `readable` and `role`; null where the name does not tell."""
    told = {c: [rule.told() for rule in rules.dtypes if c in rule.columns] for c in DTYPE_COLUMNS}
    return [pl.coalesce(answers or [pl.lit(None, pl.String)]).alias(c) for c, answers in told.items()]


def matching(name: str, rules: Rules) -> list[Rule]:
    """Every rule on names that matches this one, in order: the first decides, it beats the others."""
    seen = described(pl.Series("name", [name]), rules)
    return [rule for rule in rules.of(nvtx=False) if matched([rule], seen).null_count() == 0]


def only_likely(name: str, rules: Rules) -> bool:
    """Whether this name makes its role likely and does not prove it."""
    return bool(classify_names(pl.Series("name", [name], dtype=pl.String), rules)["likely"].fill_null(False).any())
