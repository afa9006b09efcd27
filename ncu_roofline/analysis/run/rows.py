"""Grids and names -> token rows per launch, as far as the rows table knows the kernel."""

from __future__ import annotations

import polars as pl

from ncu_roofline.knowledge.kernels.rows import (
    NamedRule,
    PhaseRule,
    RowRule,
    embedding_fusions,
    expert_kernels,
    opening_kernels,
    phase_rules,
    residual_norms,
    row_rules,
    satellites,
)

AXES = {"x": 0, "y": 1, "z": 2}


def votes(launches: pl.DataFrame) -> pl.DataFrame:
    """One row per launch that a rule speaks of: index, rule, what, least, sampled, sequences, embedding, fixed, rows."""
    return pl.concat([vote(launches, number, rule) for number, rule in enumerate(row_rules())])


def vote(launches: pl.DataFrame, number: int, rule: RowRule) -> pl.DataFrame:
    """The launches of one rule with their rows."""
    chosen = launches.lazy()
    if rule.kernel:
        chosen = chosen.filter(pl.col("kernel").is_in(matching(launches["kernel"], f"^(?:{rule.kernel})$")))
    if rule.name:
        chosen = chosen.filter(pl.col("name").is_in(matching(launches["name"], rule.name)))
    if rule.role:
        chosen = chosen.filter(pl.col("role").cast(pl.String) == rule.role)
    if rule.flat:
        chosen = chosen.filter(pl.col("grid").arr.get(1) == 1)
    counted = chosen.select(
        "index",
        rule=pl.lit(number, pl.Int64),
        what=pl.lit(rule.what),
        least=pl.lit(rule.least),
        sampled=pl.lit(rule.sampled),
        sequences=pl.lit(rule.sequences),
        embedding=pl.lit(rule.role == "embedding"),
        fixed=pl.lit(rule.value is not None),
        rows=rows_of(rule),
    )
    return counted.filter(pl.col("rows") > rule.over).collect()


def rows_of(rule: RowRule) -> pl.Expr:
    """Rows by a side of the grid, a fixed number, or a number in the name; null where absent."""
    if rule.value is not None:
        return pl.lit(rule.value, pl.Int64)
    if rule.axis is not None:
        return pl.col("grid").arr.get(AXES[rule.axis])
    return pl.col("name").str.extract(str(rule.name), 1).cast(pl.Int64, strict=False)


def matching(texts: pl.Series, pattern: str) -> list[str]:
    """The distinct texts in which the pattern is found; each is looked at once."""
    distinct = texts.drop_nulls().unique()
    found: list[str] = distinct.filter(distinct.str.contains(pattern)).to_list()
    return found


def phase_kinds(launches: pl.DataFrame) -> pl.DataFrame:
    """Launches of kernels that run in one phase only: index, phase, what."""
    told = [of_rule(launches, rule) for rule in phase_rules()]
    return pl.concat(told)


def of_rule(launches: pl.DataFrame, rule: PhaseRule) -> pl.DataFrame:
    """The launches of one phase rule."""
    mine = launches.filter(pl.col("kernel").is_in(matching(launches["kernel"], f"^(?:{rule.kernel})$")))
    if rule.axis is not None:
        mine = mine.filter(pl.col("grid").arr.get(AXES[rule.axis]) > rule.over)
    return mine.select("index", phase=pl.lit(rule.phase), what=pl.lit(rule.what))


def satellite(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch only finishes or prepares a neighbour's work (split-K reduction, attention combine)."""
    return pl.any_horizontal(
        (pl.col("role").cast(pl.String) == rule.role).fill_null(False) & named(launches, rule) for rule in satellites()
    )


def of_experts(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch streams the matrices of several experts at once, by its name."""
    return named(launches, expert_kernels())


def residual(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch adds the residual stream before it normalises, by its name."""
    return named(launches, residual_norms())


def opening(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch may be the embedding that opens a step, by its name."""
    return named(launches, opening_kernels())


def embedding_fused(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch looks up the tokens and does more, by its name."""
    return named(launches, embedding_fusions())


def named(launches: pl.DataFrame, rule: NamedRule) -> pl.Expr:
    """Whether the kernel's function name, or a part of its demangled name, is one of the rule's."""
    found = pl.lit(False)
    if rule.kernel:
        found = found | pl.col("kernel").is_in(matching(launches["kernel"], f"^(?:{rule.kernel})$"))
    if rule.name:
        found = found | pl.col("name").is_in(matching(launches["name"], rule.name))
    return found
