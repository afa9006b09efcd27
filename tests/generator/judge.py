"""How often the package is right, wrong or silent about generated runs: `python -m tests.generator.judge --runs 1000`.

A statement is false where it excludes what is so. Silence counts only where the window determines the fact.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import ncu_roofline as nr
from ncu_roofline.analysis.study import Study
from tests.generator.plans import KINDS
from tests.generator.runs import Generated, run
from tests.generator.truths import Told

RUN_FACTS = ("steps", "batch", "tokens", "layers", "context", "prefill_passes", "tp")
PER_TOKEN = {"read_per_token": "dram_read_bytes_per_token", "written_per_token": "dram_write_bytes_per_token"}
VERDICTS = ("right", "false", "withheld")
RESULTS = Path(__file__).with_name("RESULTS.md")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
WIDE = 1.06
"""An interval wider than this does not make a fact known."""
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One fact of one run: what was said against what is so."""

    seed: int
    kind: str
    engine: str
    fact: str
    outcome: str
    """right, false, withheld (though the window determines it) or silent."""
    determined: bool
    said: str = ""
    truth: str = ""


def main() -> None:
    """Judges and prints; writes the page where asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=0)
    options.add_argument("--pairs", type=int, default=0)
    options.add_argument("--traces", type=int, default=0)
    options.add_argument("--seed", type=int, default=0, help="the first seed")
    options.add_argument("--kind", default=None, choices=KINDS)
    options.add_argument("--show", type=int, default=12, help="false statements to print")
    options.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    asked = options.parse_args()
    pages = []
    if asked.runs or not (asked.pairs or asked.traces):
        found = list(judged_runs(range(asked.seed, asked.seed + (asked.runs or 100)), asked.kind))
        pages.append(runs_page(found))
        print(pages[-1])
        print(worst(found, asked.show))
    if asked.pairs:
        from tests.generator.judge_pairs import judged_pairs, pairs_page, worst_pairs

        verdicts = list(judged_pairs(range(asked.seed, asked.seed + asked.pairs)))
        pages.append(pairs_page(verdicts))
        print(pages[-1])
        print(worst_pairs(verdicts, asked.show))
    if asked.traces:
        from tests.generator.judge_traces import judged_traces, traces_page

        found = list(judged_traces(range(asked.seed, asked.seed + asked.traces), asked.kind))
        pages.append(traces_page(found))
        print(pages[-1])
        print(worst(found, asked.show))
    if asked.write:
        RESULTS.write_text(page(pages, RESULTS.read_text() if RESULTS.exists() else ""))


TITLE = "# What the judge found\n\nSynthetic runs; `make judge` writes this page.\n\n"


def page(parts: list[str], before: str) -> str:
    """The page with these parts in the place of those of the same heading; the others stay."""
    known = {part.splitlines()[0]: part.rstrip() + "\n" for part in re.split(r"(?m)^(?=## )", before)[1:]}
    known |= {part.splitlines()[0]: part.rstrip() + "\n" for part in parts}
    return TITLE + "\n".join(known.values())


def judged_runs(seeds: Iterable[int], kind: str | None = None) -> Iterator[Judged]:
    """Every fact of every run."""
    for seed in seeds:
        yield from judged(run(seed, kind))


def judged(made: Generated) -> Iterator[Judged]:
    """Every fact of one run; a crash is a false statement of everything."""
    common: dict[str, Any] = {"seed": made.plan.seed, "kind": made.plan.kind, "engine": made.plan.engine.name}
    try:
        study = nr.study(made.capture)
        said = statements(study)
    except Exception as error:  # a crash of what is judged must not end the judging
        yield crashed(error, common)
        return
    for fact, told in made.truth.facts.items():
        yield held(fact, told, said.get(fact), common)
    yield from (Judged(**common, **rest) for rest in by_launch(made, study))


def held(fact: str, told: Told, said: Range | None, common: dict[str, Any]) -> Judged:
    """What was said of a fact, against what is so."""
    return Judged(
        **common,
        fact=fact,
        outcome=outcome(told, said),
        determined=told.determined,
        said=shown(said),
        truth=" or ".join(dict.fromkeys(shown(one) for one in told.accepted)) or "nothing",
    )


def crashed(error: Exception, common: dict[str, Any]) -> Judged:
    """A false statement of everything."""
    return Judged(**common, fact="crash", outcome="false", determined=True, said=f"{type(error).__name__}: {error}"[:200])


def statements(study: Study) -> dict[str, Range | None]:
    """What the package says, as a range each; None where it says nothing."""
    said = {name: ranged(getattr(study.run, name)) for name in RUN_FACTS}
    answer = answered(study)
    for name in ("tokens", "steps"):
        said[name] = said[name] or point(answer[name])
    return said | {fact: summed(answer["total"], name) for fact, name in PER_TOKEN.items()}


def summed(total: dict[str, Any], name: str) -> Range | None:
    """A sum per token; the least that it can be where launches are named beside it that lack the counter."""
    value = total[name]
    if value is None or not total[name.replace("_per_token", "_unknown")]:
        return point(value)
    return float(value), float("inf")


def answered(study: Study) -> dict[str, Any]:
    """The JSON of `tokens`."""
    from ncu_roofline.analysis.run.tokens import totals
    from ncu_roofline.present.documents.tokens import Tables, data

    rows = nr.per_token(study, by="role")
    return data(study, totals(study.every, study.run), Tables(main=rows, by="role", steps=rows, layers=rows))


def point(value: float | None) -> Range | None:
    """A number as a range."""
    return None if value is None else (float(value), float(value))


def ranged(fact: Any) -> Range | None:
    """A fact as a range: its bounds, its value, or the numbers in its words."""
    low, high = getattr(fact, "low", None), getattr(fact, "high", None)
    if low is not None and high is not None:
        return float(low), float(high)
    value = fact.value
    if value is None:
        return None
    if isinstance(value, str):
        value = [float(n.replace(",", "")) for n in NUMBER.findall(value)]
    if isinstance(value, list | tuple):
        return (float(min(value)), float(max(value))) if value else None
    return float(value), float(value)


def outcome(told: Told, said: Range | None) -> str:
    """right, false, withheld or silent."""
    if said is None:
        return "withheld" if told.determined else "silent"
    if not any(agrees(told, truth, said) for truth in told.accepted):
        return "false"
    known = said[1] <= WIDE * said[0] or any(said == truth for truth in told.accepted)
    return "right" if known or not told.determined else "withheld"


def agrees(told: Told, truth: Range, said: Range) -> bool:
    """Whether the statement leaves room for what is so."""
    room = told.tolerance or 1e-9
    if told.loose:
        return said[0] <= truth[1] and said[1] >= truth[0]
    return said[0] <= truth[0] * (1 + room) and said[1] >= truth[1] * (1 - room)


def by_launch(made: Generated, study: Study) -> Iterator[dict[str, Any]]:
    """Phase and role of the launches: one that contradicts makes the fact false."""
    frame = study.every.sort("index")
    for fact, column, truth, sure, most in (
        ("phase", "phase", made.truth.phases, made.truth.phases_determined, 0.95),
        ("role", "role", made.truth.roles, True, 0.9),
    ):
        both = pl.DataFrame({"said": frame[column].cast(pl.String), "true": truth}).drop_nulls("true")
        spoken = both.drop_nulls("said")
        wrong = spoken.filter(pl.col("said") != pl.col("true"))
        known = spoken.height >= most * both.height
        yield {
            "fact": fact,
            "outcome": "false"
            if wrong.height
            else "right"
            if spoken.height and known
            else "withheld"
            if sure and both.height
            else "silent",
            "determined": sure and both.height > 0,
            "said": ", ".join(f"{s} for {t}" for s, t in wrong.unique(maintain_order=True).rows()[:3]),
            "truth": f"{wrong.height} of {both.height} launches",
        }


def shown(said: Range | None) -> str:
    """A range in words."""
    if said is None:
        return "nothing"
    low, high = (f"{v:,.0f}" if v >= 1000 else f"{v:g}" for v in said)
    return low if low == high else f"{low} to {high}"


def runs_page(found: list[Judged]) -> str:
    """The tables by kind of run and by fact."""
    seeds = {(j.kind, j.seed) for j in found}
    wrong = [j for j in found if j.outcome == "false"]
    sure = [j for j in found if j.determined]
    known = [j for j in sure if j.outcome == "right"]
    lines = [
        "## Facts of runs",
        "",
        f"{len(seeds):,} runs, {sum(j.outcome in ('right', 'false') for j in found):,} statements: {len(wrong):,} false; "
        f"{100 * len(known) / max(1, len(sure)):.1f} % known of the {len(sure):,} facts that the windows determine.",
        "",
        *table("kind", found),
        "",
        *table("fact", found),
        "",
        *table("engine", found),
        "",
    ]
    return "\n".join(lines)


def table(by: str, found: list[Judged]) -> Iterator[str]:
    """One row per kind, fact or engine."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        row = counts[getattr(one, by)]
        row[one.outcome] += 1
        row["determined"] += one.determined
        row["known"] += one.determined and one.outcome == "right"
    yield f"| {by} | stated | right | false | determined | known of them | withheld |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name, row in counts.items():
        share = f"{100 * row['known'] / row['determined']:.0f} %" if row["determined"] else "–"
        yield (
            f"| {name} | {row['right'] + row['false']} | {row['right']} | {row['false']} "
            f"| {row['determined']} | {share} | {row['withheld']} |"
        )


def worst(found: list[Judged], most: int) -> str:
    """False statements with the seed that shows each, the commonest first."""
    groups: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for one in found:
        if one.outcome == "false":
            groups[one.fact, one.kind, one.engine].append(one)
    ranked = sorted(groups.items(), key=lambda item: -len(item[1]))[:most]
    return "\n".join(
        f"{len(g):4} x {fact} / {kind} / {engine}: seed {g[0].seed} says {g[0].said}, is {g[0].truth}"
        for (fact, kind, engine), g in ranked
    )


if __name__ == "__main__":
    main()
