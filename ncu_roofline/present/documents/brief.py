"""What an agent needs of a capture, in at most 4 KB with always the same keys (docs/schemas/brief.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.compare.verdict import Change
from ncu_roofline.analysis.health.health import BLOCKS, NOTES, WEAKENS, Finding, health
from ncu_roofline.analysis.roofline.gains import GLUE, fix_first
from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.roofline.overview import Overview, overview
from ncu_roofline.analysis.run.tokens import Totals, of_shown
from ncu_roofline.analysis.study import Study
from ncu_roofline.present.documents import answer as words
from ncu_roofline.present.documents import words_compare, words_health
from ncu_roofline.present.documents.grammar import options
from ncu_roofline.present.documents.words_tokens import filtered
from ncu_roofline.present.forms.text import clean

MOST_UNKNOWN, LONGEST = 6, 160
NOTHING: Mapping[str, Any] = {"value": None, "low": None, "high": None, "origin": None}


def of_capture(
    study: Study, numbers: Overview, groups: pl.DataFrame, findings: Sequence[Finding], whole: Totals
) -> dict[str, Any]:
    """The brief of one capture."""
    first = fix_first(groups)
    return {
        "answer": [*words.answer(study, numbers, whole, first), *filter(None, [filtered(study)])],
        "per_token": per_token(study, whole),
        "roles": roles(numbers.roles),
        "fix_first": [fix(row) for row in first.to_dicts()],
        "verdict": verdict(numbers),
        "unknown": unknown(whole, findings),
        "next": following(study, whole, findings),
    }


def of_study(study: Study) -> dict[str, Any]:
    """The same, from the study alone."""
    return of_capture(study, overview(study), group(study.launches), health(study), of_shown(study.launches, study.run))


def of_check(study: Study, findings: Sequence[Finding], verdict_words: str, recipe: str) -> dict[str, Any]:
    """The brief of a health check: whether the capture can be trusted, and the capture that would mend it."""
    worst = {f.severity for f in findings}
    kind = "blocked" if BLOCKS in worst else "doubtful" if WEAKENS in worst else "good"
    advice = dict.fromkeys(mend for f in findings if f.severity != NOTES and (mend := options(words_health.words(f)[1])))
    said = of_study(study)
    return said | {"verdict": kind, "answer": [f"{verdict_words}.", *advice][:4], "next": recipe or said["next"]}


def of_comparison(comparison: Comparison) -> dict[str, Any]:
    """The brief of a comparison: the head's figures between the bounds of noise, the base beside them."""
    known = comparison.verdict not in ("not_comparable", "cannot_tell")
    return {
        "answer": list(words_compare.answer(comparison)),
        "per_token": {"dram_bytes": compared(comparison, "bytes"), "seconds": compared(comparison, "seconds")},
        "roles": changes(comparison) if comparison.verdict != "not_comparable" else [],
        "fix_first": [],
        "verdict": comparison.verdict,
        "unknown": [] if known else [{"what": "verdict", "why": words_compare.reason(comparison).replace("\n", " ")[:LONGEST]}],
        "next": retry(comparison),
    }


def compared(comparison: Comparison, quantity: str) -> dict[str, Any]:
    """One figure of the head with the base; the bounds are those that chance may have made."""
    each: Change = getattr(comparison.judged, quantity)
    if comparison.per != "token" or each.head is None or comparison.verdict == "not_comparable":
        return dict(NOTHING)
    origin = f"head; base {each.base:.6g}; noise {'measured' if each.measured else 'assumed'}"
    return {"value": each.head, "low": each.head * exp(-each.reach), "high": each.head * exp(each.reach), "origin": origin}


def changes(comparison: Comparison) -> list[dict[str, Any]]:
    """Roles by what their bytes and time did."""
    rows = comparison.rows["role"].head(8)
    return rows.select(
        "role", pl.col("bytes_change", "seconds_change").round_sig_figs(4), pl.col("verdict").cast(pl.String)
    ).to_dicts()


def retry(comparison: Comparison) -> str:
    """The next command of a comparison."""
    base, head = (quoted(side.studies[0].capture.name) for side in (comparison.base, comparison.head))
    if comparison.verdict == "not_comparable":
        told = ",".join(dict.fromkeys(d.what.split()[0] for d in comparison.blocking))
        return f"ncu-roofline compare {base} {head} --vary {told}"
    return f"ncu-roofline compare {base} {head} --by kernel"


def per_token(study: Study, whole: Totals) -> dict[str, Any]:
    """Bytes (read and written) and kernel time of a token: where launches lack one, only a lower bound is known."""
    return {"dram_bytes": figure(study, whole, "dram_bytes"), "seconds": figure(study, whole, "seconds")}


def figure(study: Study, whole: Totals, measure: str) -> dict[str, Any]:
    """One figure between its bounds, and where it comes from."""
    value = whole.per_token(measure)
    if value is None:
        return dict(NOTHING)
    tokens = study.run.tokens if study.run.tokens.value else study.run.batch
    stated = measure == "seconds" and whole.stated_seconds is not None
    partial = bool(whole.unknown[measure]) and not stated
    counted = "stated step" if stated else "measured" if measure == "seconds" else by_rung(study)
    origin = f"{counted}; tokens {tokens.origin}"
    return {"value": None if partial else value, "low": value, "high": None if partial else value, "origin": origin}


def by_rung(study: Study) -> str:
    """What most bytes stand on."""
    known = study.launches.select("dram_bytes", "dram_bytes_source").filter(pl.col("dram_bytes") > 0)
    rungs = known.group_by("dram_bytes_source").agg(pl.col("dram_bytes").sum()).sort("dram_bytes", descending=True)
    return str(rungs["dram_bytes_source"][0]) if rungs.height else "measured"


def roles(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Shares of time and bytes of the roles that have any worth."""
    worth = rows.filter(pl.max_horizontal(pl.col("time_share", "bytes_share").fill_null(0)) >= 0.005).head(8)
    return worth.select(
        pl.col("role").cast(pl.String).fill_null("unclassified"), pl.col("time_share", "bytes_share").round_sig_figs(4)
    ).to_dicts()


def fix(row: dict[str, Any]) -> dict[str, Any]:
    """One thing to fix."""
    glue = row["why"] == GLUE
    return {
        "kernel": None if glue else clean(row["kernel"] or row["name"] or "")[:80],
        "role": row["role"],
        "launches": row["launches"],
        "time_share": round(row["time_share"], 4) if row["time_share"] is not None else None,
        "gain_seconds": None if row["gain_seconds"] is None else float(f"{row['gain_seconds']:.4g}"),
        "why": row["why"],
        "how": words.mend(row),
    }


def verdict(numbers: Overview) -> str:
    """memory, compute, mixed, neither or unknown: what the answer says."""
    found = words.regime(numbers)
    return "unknown" if found == "uncertain" else found


def unknown(whole: Totals, findings: Sequence[Finding]) -> list[dict[str, str]]:
    """What is not known, and why."""
    told = [{"what": f.code, "why": words_health.short(f)[:LONGEST]} for f in findings if f.severity != "note"]
    if whole.per_token("dram_bytes") is None and whole.basis != "token":
        told.insert(0, {"what": "per_token", "why": "tokens are not known: neither batch nor steps are told"})
    return told[:MOST_UNKNOWN]


def following(study: Study, whole: Totals, findings: Sequence[Finding]) -> str:
    """The next command, ready to run."""
    name = quoted(study.capture.name)
    if any(f.severity == BLOCKS for f in findings):
        return f"ncu-roofline check {name}"
    if whole.basis != "token":
        return f"ncu-roofline tokens {name} --batch N"
    return f"ncu-roofline kernels {name} --sort gain"


def quoted(name: str) -> str:
    """A file's name as one word of a command."""
    shown = clean(name)
    return shown if all(c.isalnum() or c in "._-+=" for c in shown) else "'" + shown.replace("'", "'\\''") + "'"
