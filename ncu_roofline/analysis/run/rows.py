"""Grids and names -> token rows per launch, as far as the rows table knows the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from ncu_roofline.knowledge.kernels.rows import NamedRule, PhaseRule, RowRule, rules

AXES = {"x": 0, "y": 1, "z": 2}
Texts = tuple[str, ...]
MOST_REMEMBERED = 1_000
"""Distinct texts of which it is kept what was found in them; a step has some dozens."""


def votes(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per launch that a rule speaks of: index, its rule with the marks of that, and rows."""
    seen = texts(launches)
    told = [vote(launches, number, rule, seen) for number, rule in enumerate(rules(RowRule, "rows"))]
    spoke = [votes for votes in told if votes is not None]
    return pl.concat(spoke) if spoke else launches.clear().select(*columns_of(0, rules(RowRule, "rows")[0]))


def texts(launches: pl.DataFrame) -> dict[str, Texts]:
    """Function names and demangled names, each once."""
    return {column: distinct(launches[column]) for column in ("kernel", "name")}


def vote(launches: pl.DataFrame, number: int, rule: RowRule, seen: Mapping[str, Texts]) -> pl.DataFrame | None:
    """The launches of one rule with their rows; None where none of these names is the rule's."""
    chosen = launches.lazy()
    for column, pattern in rule.patterns.items():
        if not (mine := matching(seen[column], pattern)):
            return None
        chosen = chosen.filter(pl.col(column).is_in(mine))
    if rule.role:
        chosen = chosen.filter(pl.col("role").cast(pl.String) == rule.role)
    if rule.value is not None:
        # as many products at once as there are heads: attention, whose rows are none of the step
        chosen = chosen.filter(pl.col("grid").arr.get(2) == 1)
    if rule.flat:
        chosen = chosen.filter(pl.col("grid").arr.get(1) == 1)
    return chosen.select(columns_of(number, rule)).filter(pl.col("rows") > rule.over).collect()


def columns_of(number: int, rule: RowRule) -> list[pl.Expr]:
    """What a rule says of its launches."""
    return [
        pl.col("index"),
        pl.lit(number, pl.Int64).alias("rule"),
        pl.lit(rule.what).alias("what"),
        pl.lit(rule.least).alias("least"),
        pl.lit(rule.sampled).alias("sampled"),
        pl.lit(rule.sequences).alias("sequences"),
        pl.lit(rule.planned).alias("planned"),
        pl.lit(rule.role == "embedding").alias("embedding"),
        pl.lit(rule.value is not None).alias("fixed"),
        rows_of(rule).alias("rows"),
    ]


def rows_of(rule: RowRule) -> pl.Expr:
    """Rows by a side of the grid, a fixed number, or a number in the name; null where absent."""
    if rule.value is not None:
        return pl.lit(rule.value, pl.Int64)
    if rule.axis is not None:
        return pl.col("grid").arr.get(AXES[rule.axis])
    return pl.col("name").str.extract(str(rule.name), 1).cast(pl.Int64, strict=False)


def distinct(texts: pl.Series) -> Texts:
    """Each text once, in order: a capture has few names and many launches."""
    return tuple(texts.drop_nulls().unique().sort())


def matching(texts: Texts, pattern: str) -> list[str]:
    """The distinct texts in which the pattern is found."""
    return (_remembered if len(texts) <= MOST_REMEMBERED else _matching)(texts, pattern)


def _matching(texts: Texts, pattern: str) -> list[str]:
    every = pl.Series(texts, dtype=pl.String)
    found: list[str] = every.filter(every.str.contains(pattern)).to_list()
    return found


# several rules ask for one pattern, and captures of one engine have the same names
_remembered = lru_cache(maxsize=1 << 10)(_matching)


def phase_kinds(launches: pl.DataFrame) -> pl.DataFrame:
    """Launches of kernels that run in one phase only: index, phase, what."""
    kernels = distinct(launches["kernel"])
    return pl.concat([of_rule(launches, rule, kernels) for rule in rules(PhaseRule, "phase")])


def of_rule(launches: pl.DataFrame, rule: PhaseRule, kernels: Texts) -> pl.DataFrame:
    """The launches of one phase rule."""
    mine = matching(kernels, rule.patterns["kernel"])
    chosen = launches.filter(pl.col("kernel").is_in(mine)) if mine else launches.clear()
    if rule.axis is not None:
        chosen = chosen.filter(pl.col("grid").arr.get(AXES[rule.axis]) > rule.over)
    return chosen.select("index", phase=pl.lit(rule.phase), what=pl.lit(rule.what))


def verifying(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch closes a step whose drafts it accepts or refuses, by its name."""
    return pl.any_horizontal(named(launches, rule) for rule in rules(PhaseRule, "phase") if rule.verifies)


def satellite(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch only finishes or prepares a neighbour's work (split-K reduction, attention combine)."""
    return listed(launches, "satellite")


def of_experts(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch streams the matrices of several experts at once, by its name."""
    return listed(launches, "experts")


def listed(launches: pl.DataFrame, table: str) -> pl.Expr:
    """Whether a rule of this table of rows.toml names the launch."""
    return pl.any_horizontal(named(launches, rule) for rule in rules(NamedRule, table))


def named(launches: pl.DataFrame, rule: NamedRule) -> pl.Expr:
    """Whether the kernel's function name, or a part of its demangled name, is one of the rule's, and its role the rule's."""
    found = pl.lit(False)
    for column, pattern in rule.patterns.items():
        if mine := matching(distinct(launches[column]), pattern):
            found = found | pl.col(column).is_in(mine)
    return found if rule.role is None else found & (pl.col("role").cast(pl.String) == rule.role).fill_null(False)
