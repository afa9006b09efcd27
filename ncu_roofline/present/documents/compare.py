"""A comparison as a document: verdict sentence, base/head/change, what changed in kernels, doubts."""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison, eaters
from ncu_roofline.analysis.compare.gate import FAIL, Outcome
from ncu_roofline.analysis.compare.sides import UNKNOWN_SHAPE, Side, gaps
from ncu_roofline.analysis.compare.typical import AtCeiling, Expected, at_ceiling, expected
from ncu_roofline.analysis.compare.verdict import Change
from ncu_roofline.capture.units import three
from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.documents import words_compare as words
from ncu_roofline.present.documents import words_expected
from ncu_roofline.present.documents.answer import whole_percent
from ncu_roofline.present.documents.brief import of_comparison
from ncu_roofline.present.documents.doubts_compare import doubts
from ncu_roofline.present.documents.words_gate import measured, sentence
from ncu_roofline.present.forms.columns import change
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.short import called

MOST_KERNELS = 8
KERNEL_COLUMNS = ("what", "head_kernel", "grid", "base_bytes", "head_bytes", "bytes_change", "time_change")
BYTES = {1: "more", 0: "same", -1: "cut", None: "cannot_tell"}
TIME = {1: "slower", 0: "same", -1: "faster", None: "cannot_tell"}
WORTH = 0.002
"""Kernels that changed less than this part of all bytes and of all time are not listed."""


def document(comparison: Comparison, by: str = "role", outcomes: tuple[Outcome, ...] = ()) -> Document:
    """Everything there is to say of a comparison; a pair that cannot be compared has no numbers."""
    withheld = comparison.verdict == "not_comparable"
    return Document(
        answer=(*gate_answer(outcomes, comparison.basis), *words.answer(comparison), *beside(comparison)),
        tables=(*gate_table(outcomes), *(() if withheld else tables(comparison, by))),
        doubts=() if withheld else doubted(comparison),
        brief=partial(of_comparison, comparison),
        data=data(comparison, by, outcomes),
    )


def beside(comparison: Comparison) -> tuple[str, ...]:
    """What is typical of such a change, where the numbers tell one."""
    if comparison.verdict in ("not_comparable", "cannot_tell"):
        return ()
    at_best = words_expected.ceilings(*ceilings(comparison), comparison.per)
    return (*words_expected.sentence(typical(comparison), comparison.per), *at_best)


def typical(comparison: Comparison) -> Expected | None:
    """What is typical of both sides; None where they are windows that hold other launches each."""
    return None if comparison.cut else expected(comparison.base, comparison.head)


def ceilings(comparison: Comparison) -> tuple[AtCeiling | None, AtCeiling | None]:
    """What both sides would take at their ceilings; None where they are windows that hold other launches each."""
    return (None, None) if comparison.cut else (at_ceiling(comparison.base), at_ceiling(comparison.head))


def doubted(comparison: Comparison) -> tuple[str, ...]:
    """What cannot be trusted; where a typical time is told, what it was derived from as well."""
    usual = typical(comparison) if beside(comparison) else None
    return (*doubts(comparison), *words_expected.doubts(usual))


def tables(comparison: Comparison, by: str) -> tuple[Table, ...]:
    """Totals, then rows, then what happened to kernels."""
    if by not in comparison.rows:
        raise UnusableInput(f"--by {by}: the captures do not tell their {by}s; --by role and --by kernel need none")
    first = Table("", words.judged_table(comparison), ("number", "base", "head", "change", "noise"))
    rows = spoken(comparison.rows[by])
    if by == "kernel":
        return (first, kernel_table(f"DRAM bytes per {comparison.per} by kernel", rows))
    table = Table(
        f"DRAM bytes per {comparison.per} by {by}",
        rows,
        (by, "base_bytes", "head_bytes", "bytes_change", "time_change", "verdict"),
    )
    changed = kernels_changed(comparison)
    if not changed.height:
        return (first, table)
    return (first, table, kernel_table("What changed in kernels", changed))


def kernel_table(title: str, rows: pl.DataFrame) -> Table:
    """Kernels, with their grids where one name has several."""
    several = rows.height > rows["head_kernel"].n_unique()
    return Table(title, rows, tuple(c for c in KERNEL_COLUMNS if several or c != "grid"), spare=("grid",))


def spoken(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with verdicts as words, names for kernels that one side lacks, and time in words."""
    added, removed = pl.col("base_launches") == 0, pl.col("head_launches") == 0
    alone = pl.when(added).then(pl.lit("added")).when(removed).then(pl.lit("removed"))
    words_of = pl.col("verdict").cast(pl.String).replace({k: t[:1].lower() + t[1:] for k, t in words.TITLES.items()})
    gone = (pl.col("base_bytes") > 0) & (pl.col("head_bytes") == 0) & (pl.col("head_launches") > 0)
    shown = rows.with_columns(
        alone.otherwise(words_of).alias("verdict"),
        time_change=time_words(rows),
        bytes_change=pl.when(gone).then(-1.0).otherwise("bytes_change"),
    )
    if "head_kernel" in rows.columns:
        shown = shown.with_columns(pl.coalesce(f"head_{c}", f"base_{c}").alias(f"head_{c}") for c in ("kernel", "name"))
        shown = called(shown, "head_kernel", "head_name").with_columns(
            grid=pl.coalesce("head_grid", "base_grid").replace(UNKNOWN_SHAPE, None).str.split("x").cast(pl.List(pl.Int64))
        )
    return shown


def time_words(rows: pl.DataFrame) -> pl.Series:
    """The change of time; of rows that one side lacks the time itself, with its sign."""
    said: list[str | None] = []
    for row in rows.select("base_seconds", "head_seconds", "seconds_change", "base_launches", "head_launches").to_dicts():
        if row["seconds_change"] is not None:
            said.append(change(row["seconds_change"]))
        elif row["base_launches"] == 0 and row["head_seconds"]:
            said.append("+" + three(row["head_seconds"], "s"))
        elif row["head_launches"] == 0 and row["base_seconds"]:
            said.append("-" + three(row["base_seconds"], "s"))
        else:
            said.append(None)
    return pl.Series("time_change", said, dtype=pl.String)


def kernels_changed(comparison: Comparison) -> pl.DataFrame:
    """Kernels that are new, gone or renamed, or whose bytes or time changed, the largest change first."""
    kernels = comparison.rows["kernel"]
    weight = pl.sum_horizontal(
        *(
            (pl.col(f"head_{q}").fill_null(0.0) - pl.col(f"base_{q}").fill_null(0.0)).abs()
            / max(kernels[f"base_{q}"].sum(), kernels[f"head_{q}"].sum(), 1e-300)
            for q in ("bytes", "seconds")
        )
    )
    moved = (pl.col("bytes_moved") != 0) | (pl.col("seconds_moved") != 0)
    changed = moved | ~pl.col("what").cast(pl.String).is_in(["same", "reshaped"])
    found = kernels.with_columns(weight=weight).filter(changed & (pl.col("weight") > WORTH))
    return spoken(found.sort("weight", descending=True).head(MOST_KERNELS))


def gate_answer(outcomes: tuple[Outcome, ...], basis: str) -> tuple[str, ...]:
    """Whether the gate passed, first of all."""
    if not outcomes:
        return ()
    failed = [o for o in outcomes if o.fails]
    if not failed:
        return (f"Gate passed: {len(outcomes)} of {len(outcomes)} rules hold.",)
    found = "failed" if any(o.word == FAIL for o in failed) else "cannot tell"
    return (f"Gate {found}: {'; '.join(sentence(o, basis) for o in failed)}.",)


def gate_table(outcomes: tuple[Outcome, ...]) -> tuple[Table, ...]:
    """One row per rule."""
    if not outcomes:
        return ()
    rows = pl.DataFrame([{"rule": o.rule.text, "measured": measured(o), "outcome": o.word} for o in outcomes])
    return (Table("Gate", rows, ("rule", "measured", "outcome")),)


def data(comparison: Comparison, by: str, outcomes: tuple[Outcome, ...]) -> dict[str, Any]:
    """The JSON form."""
    judged, withheld = comparison.judged, comparison.verdict == "not_comparable"
    shown = {} if withheld else numbers(comparison)
    return {
        "verdict": comparison.verdict,
        "reason": words.reason(comparison).replace("\n", " "),
        "title": words.TITLES[comparison.verdict],
        "answers": answers(comparison),
        "basis": comparison.basis,
        "base": [s.capture.name for s in comparison.base.studies],
        "head": [s.capture.name for s in comparison.head.studies],
        "comparable": not comparison.blocking,
        "bytes_change": None if withheld else interval(judged.bytes),
        "time_change": None if withheld else interval(judged.seconds),
        "assumed": list(comparison.assumed),
        "coverage": {name: coverage(side) for name, side in (("base", comparison.base), ("head", comparison.head))},
        "differences": list(comparison.differences),
        **shown,
        "doubt": judged.doubt or None,
        "doubts": [] if withheld else list(doubted(comparison)),
        "by": by,
        "gate": [{"rule": o.rule.text, "outcome": o.word, "measured": o.value, "limit": o.rule.limit} for o in outcomes],
        "rows": comparison.rows[by].head(0) if withheld and by in comparison.rows else comparison.rows.get(by, pl.DataFrame()),
    }


def answers(comparison: Comparison) -> dict[str, str]:
    """What bytes and time did, each on its own; of a pair that is refused nothing is told."""
    told = {} if comparison.verdict in ("not_comparable", "cannot_tell") else comparison.judged.answers
    return {"bytes": BYTES[told.get("bytes")], "time": TIME[told.get("seconds")]}


def beyond_bytes(comparison: Comparison) -> list[dict[str, Any]]:
    """The time that the bytes do not explain, by kernel: with its share of the bandwidth on both sides, null where unknown."""
    if "kernel" not in comparison.rows:
        return []
    columns = ("what", "role", "base_name", "head_name", pl.col("excess").alias("seconds"))
    shares = ("base_bandwidth_share", "head_bandwidth_share")
    return eaters(comparison).select(*columns, *shares).head(MOST_KERNELS).to_dicts()


def strip(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """Four figures: the verdict, bytes, time, and the part of the gain that came; a dash where one is not known."""
    judged, withheld = comparison.judged, comparison.verdict == "not_comparable"
    changes = [
        (f"{name} per {comparison.per}", "–" if withheld or change.part is None else words.signed(change.part))
        for name, change in (("DRAM bytes", judged.bytes), ("time", judged.seconds))
    ]
    came = "–" if withheld or judged.realised is None else whole_percent(max(judged.realised, 0.0))
    return (("verdict", words.TITLES[comparison.verdict]), *changes, ("of the gain that the bytes allow", came))


def interval(change: Change) -> dict[str, float | None]:
    """head / base - 1 with all that is not known in it: null where a side has no bound."""
    return {"low": change.low, "value": change.part, "high": change.high}


def coverage(side: Side) -> dict[str, Any]:
    """What one side's numbers stand on: captures, launches, and the part of the time in which each number was measured."""
    known = {quantity: 1 - part for quantity, part in gaps(side.launches).items()}
    return {"captures": side.captures, "launches": side.launches.height, "per": side.basis, "measured": known}


def numbers(comparison: Comparison) -> dict[str, Any]:
    """Totals, the part realised and what caps it."""
    judged = comparison.judged
    each = {
        q: {
            "base": c.base,
            "head": c.head,
            "change": c.part,
            "log_change": c.log,
            "noise": c.reach,
            "noise_measured": c.measured,
            "moved": c.direction,
            "per": comparison.per,
        }
        for q in ("bytes", "flops", "seconds")
        for c in [getattr(judged, q)]
    }
    clocks = comparison.clocks
    return {
        "numbers": each,
        "time_of": "kernels" if clocks is None else "stated steps" if clocks.stated else "traced steps",
        "realised": judged.realised,
        "allowed_speedup": judged.allowed,
        "speedup": judged.speedup,
        "beyond_ridge": judged.beyond,
        "useful_flops": {"base": comparison.useful[0], "head": comparison.useful[1]},
        "typical": words_expected.data(typical(comparison)),
        "at_ceilings": dict(zip(("base", "head"), ceilings(comparison), strict=True)),
        "latency_share": {"base": comparison.latency[0], "head": comparison.latency[1]},
        "time_beyond_bytes": beyond_bytes(comparison),
    }
