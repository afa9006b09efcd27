"""The history of a fleet as a document: what changed, since which commit and in which role, and whether the last one did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.gate import NAMES as GATED
from ncu_roofline.analysis.compare.gate import Outcome
from ncu_roofline.analysis.compare.sides import per
from ncu_roofline.analysis.compare.verdict import Change
from ncu_roofline.analysis.fleet.history import ChangePoint, Story, wobble
from ncu_roofline.analysis.fleet.series import METRICS, WHOLE
from ncu_roofline.capture.units import number, text
from ncu_roofline.knowledge.verdicts import QUANTITIES
from ncu_roofline.present.documents import words_gate
from ncu_roofline.present.documents.words_compare import TITLES
from ncu_roofline.present.forms.columns import change as signed
from ncu_roofline.present.forms.document import Document, Table

MOST_SAID, MOST_CHANGES, LETTERS = 3, 30, 12
WORDS = {"bytes": "bytes", "read_bytes": "bytes read", "seconds": "time", "flops": "FLOPs"}
FACTS = {
    "accepted": "accepted tokens",
    "kv": "cache type",
    "weights": "weight type",
    "inferred_context": "context, as counters tell it",
}
Gates = Sequence[tuple[Story, tuple[Outcome, ...]]]


def document(stories: Sequence[Story], gates: Gates = (), by: str = "role") -> Document:
    """Everything there is to say of an archive's history."""
    return Document(
        answer=tuple(answer(stories)),
        tables=tuple(tables(stories, gates, by)),
        doubts=tuple(doubts(stories)),
        data={"by": by, "series": [data(told) for told in stories], "gate": [gated(t, o) for t, found in gates for o in found]},
    )


def answer(stories: Sequence[Story]) -> Iterator[str]:
    """What changed in the longest series, the last point first where it did."""
    for told in stories[:MOST_SAID]:
        begin = f"{setting(told.series.workload)}: "
        yield begin + " ".join((sentence_of_last(told), sentence_of_changes(told)))
    if len(stories) > MOST_SAID:
        yield f"{len(stories) - MOST_SAID:,} more series stand below."


def sentence_of_last(told: Story) -> str:
    """The verdict of the last point, and how it compares."""
    points = told.series.points.height
    if told.judged is None:
        moved = told.trends[told.metrics[0]]["value"][-1]
        only = f"{amount(moved, told.metrics[0])} per {per(told.basis)}"
        return f"one point ({name_of(told.last_commit)}), {only}; a history needs two."
    verdict = TITLES[told.judged.verdict].lower()
    against = f"against the {told.against:,} before it" if told.against > 1 else "against the one before it"
    parts = ", ".join(f"{WORDS[q]} {part}" for q in ("bytes", "seconds") if (part := moved_by(getattr(told.judged, q))))
    return f"the last of {points:,} points ({name_of(told.last_commit)}): {verdict} {against}{f' ({parts})' if parts else ''}."


def moved_by(each: Change) -> str:
    """A change with its noise; nothing where there is none to tell."""
    return "" if each.part is None else f"{signed(each.part)} ±{100 * each.room:.1f} %"


def sentence_of_changes(told: Story) -> str:
    """The latest change points."""
    if not told.changes:
        return "No change point." if told.series.points.height > 2 * MOST_SAID else "Too few points for a change point."
    latest = sorted(told.changes, key=lambda c: -c.point)[:MOST_SAID]
    listed = "; ".join(f"{role(c)} {WORDS[METRICS[c.metric][0]]} {size(c)} at {name_of(c.commit)}" for c in latest)
    count = f"{len(told.changes):,} change point{'s' if len(told.changes) > 1 else ''}"
    return f"{count}{', the latest' if len(told.changes) > MOST_SAID else ''}: {listed}."


def role(point: ChangePoint) -> str:
    """The role, or that it is the whole."""
    return "all roles together" if point.role == WHOLE else point.role


def size(point: ChangePoint) -> str:
    """How large a change is."""
    if point.relative is None:
        return f"from nothing to {amount(point.after, point.metric)}"
    return signed(point.relative)


def amount(value: float | None, metric: str) -> str:
    """A number with the unit of its metric."""
    return text(value, METRICS[metric][1])


def name_of(commit: str | None) -> str:
    """A commit as people write it."""
    return commit[:LETTERS] if commit else "no commit"


UNUSUAL = {"caches all": "caches flushed", "clocks base": "clocks locked", "graphs graph": "whole graphs"}
"""What the recipe does not ask the profiler for, and what tells a series from one that was measured as it says."""


def setting(workload: Mapping[str, Any]) -> str:
    """A workload in a few words."""
    measured = [UNUSUAL[part] for part in workload["protocol"].split(", ") if part in UNUSUAL]
    parts = [
        workload["model"] or "model not told",
        workload["device"] or "unknown GPU",
        f"batch {workload['batch']}" if workload["batch"] else "batch unknown",
        f"context {workload['context']:,}" if workload["context"] else "",
        f"{workload['layers']} layers" if workload["layers"] else "",
        f"TP {workload['tp']}" if (workload["tp"] or 1) > 1 else "",
        "" if workload["phase"] == "decode" else str(workload["phase"]),
        *measured,
        "made up" if workload["synthetic"] else "",
    ]
    return ", ".join(part for part in parts if part)


def tables(stories: Sequence[Story], gates: Gates, by: str) -> Iterator[Table]:
    """Every series in a line, its change points, and the gate."""
    rows = [line(number_, told) for number_, told in enumerate(stories, 1)]
    columns = ("series", "workload", "points", "latest", "noise", "changes", "last verdict")
    yield Table("Series", pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String)), columns, spare=("noise",))
    found = [(n, told, c) for n, told in enumerate(stories, 1) for c in told.changes]
    if found:
        lines = [change_line(n, told, c) for n, told, c in found[-MOST_CHANGES:]]
        names = ("series", "commit", "when", "metric", by, "before", "after", "change", "reach")
        title = "Change points" if len(found) <= MOST_CHANGES else f"The last {MOST_CHANGES} of {len(found):,} change points"
        yield Table(title, pl.DataFrame(lines, schema=dict.fromkeys(names, pl.String)), names, spare=("when", "before"))
    judged = [(n, o) for n, (_, each) in enumerate(gates, 1) for o in each]
    if judged:
        lines = [
            {"series": str(n), "rule": o.rule.text, "measured": words_gate.measured(o), "outcome": o.word} for n, o in judged
        ]
        yield Table("Gate", pl.DataFrame(lines), ("series", "rule", "measured", "outcome"))


def line(number_: int, told: Story) -> dict[str, str]:
    """One series."""
    metric = told.metrics[0]
    noise = wobble(told, metric)
    return {
        "series": str(number_),
        "workload": setting(told.series.workload),
        "points": f"{told.series.points.height:,}",
        "latest": f"{amount(told.trends[metric]['value'][-1], metric)} per {per(told.basis)}",
        "noise": "–" if noise is None else f"±{number(100 * noise)} %",
        "changes": str(len(told.changes)),
        "last verdict": TITLES[told.judged.verdict] if told.judged else "–",
    }


def change_line(number_: int, told: Story, point: ChangePoint) -> dict[str, str]:
    """One change point."""
    doubt = ""
    if point.first != point.last:
        commits = told.series.points["commit"]
        doubt = f" ({name_of(commits[point.first])} to {name_of(commits[point.last])})"
    return {
        "series": str(number_),
        "commit": name_of(point.commit) + doubt,
        "when": f"{point.when:%Y-%m-%d}" if point.when else "–",
        "metric": WORDS[METRICS[point.metric][0]],
        "role": role(point),
        "kernel": role(point),
        "before": amount(point.before, point.metric),
        "after": amount(point.after, point.metric),
        "change": size(point),
        "reach": f"±{number(100 * point.reach)} %" if point.relative is not None else "–",
    }


def doubts(stories: Sequence[Story]) -> Iterator[str]:
    """What varies unnoticed, what was made up, and what nothing orders."""
    made_up = sum(bool(told.series.workload["synthetic"]) for told in stories)
    if made_up:
        yield f"{made_up:,} of {len(stories):,} series are synthetic: a generator wrote them, no GPU measured them."
    for number_, told in enumerate(stories, 1):
        for fact, each in told.varied.items():
            shown = ", ".join(each[:MOST_SAID]) + (f" and {len(each) - MOST_SAID:,} more" if len(each) > MOST_SAID else "")
            keep = "" if fact in FACTS else f"; --where {fact}=... keeps one"
            yield f"Series {number_}: {FACTS.get(fact, fact)} varies ({shown}){keep}."
    several = [told for told in stories if told.series.points.height > 1]
    untold = sum(told.series.workload["model"] is None for told in several)
    if untold:
        yield f"Nobody told the model of {untold:,} series: captures of several may stand in one; --meta model=NAME parts them."
    by_file = sum(told.series.unordered for told in several)
    if by_file:
        yield f"{by_file:,} captures are ordered by the time of their file; --meta commit_time=TIME tells their place."
    together = sum(told.series.points.height - told.series.points["when"].n_unique() for told in several)
    if together:
        yield f"{together:,} points have the time of another one: those are ordered by the names of their files."
    unnamed = sum(told.series.points["commit"].null_count() for told in several)
    if unnamed:
        yield f"{unnamed:,} captures name no commit: each is a point of its own."


def data(told: Story) -> dict[str, Any]:
    """A series for programs."""
    points = told.series.points.select("point", "commit", "when", "captures").with_columns(
        pl.col("when").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    for metric in told.metrics:
        named = {"value": metric, **{c: f"{metric}_{c}" for c in ("level", "low", "high")}}
        points = points.join(told.trends[metric].rename(named), on="point", how="left", maintain_order="left")
    commits = told.series.points["commit"]
    return {
        "workload": told.series.workload,
        "per": per(told.basis),
        "points": points,
        "changes": [change_data(c, commits) for c in told.changes],
        "last": last_data(told),
        "varied": told.varied,
    }


def change_data(point: ChangePoint, commits: pl.Series) -> dict[str, Any]:
    """A change point for programs."""
    return {
        "commit": point.commit,
        "when": f"{point.when:%Y-%m-%dT%H:%M:%SZ}" if point.when else None,
        "metric": point.metric,
        "role": point.role,
        "relative": point.relative,
        "reach": point.reach,
        "before": point.before,
        "after": point.after,
        "point": point.point,
        "earliest_commit": commits[point.first],
        "latest_commit": commits[point.last],
    }


def last_data(told: Story) -> dict[str, Any] | None:
    """The verdict of the last point for programs."""
    if told.judged is None:
        return None
    each = {q: getattr(told.judged, q) for q in QUANTITIES}
    return {
        "commit": told.last_commit,
        "verdict": told.judged.verdict,
        "doubt": told.judged.doubt or None,
        "against": told.against,
        "numbers": {q: {"base": c.base, "head": c.head, "change": c.part, "noise": c.reach} for q, c in each.items()},
    }


def gated(told: Story, outcome: Outcome) -> dict[str, Any]:
    """A rule for programs."""
    names = {quantity: metric for metric, (quantity, _) in GATED.items()}
    return {
        "workload": told.series.workload,
        "metric": names[outcome.rule.quantity],
        "rule": outcome.rule.text,
        "outcome": outcome.word,
        "measured": outcome.value,
    }
