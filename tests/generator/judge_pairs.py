"""How often a verdict on a generated pair is false, and how often a planted change is found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import ncu_roofline as nr
from tests.generator.pairs import Pair, pair

CLAIMS: dict[str, tuple[str, str]] = {
    "no_change": ("same", "same"),
    "same_bytes": ("same", ""),
    "flop_mirage": ("same", ""),
    "moves_more": ("more", ""),
    "cuts_bytes": ("cut", ""),
    "bytes_cut_time_kept": ("cut", ""),
    "bytes_cut_slower": ("cut", "slower"),
    "same_bytes_faster": ("same", "faster"),
    "same_bytes_slower": ("same", "slower"),
    "efficiency": ("same", "faster"),
}
"""What each verdict says of bytes and of time; nothing for the verdicts that refuse or cannot tell."""
SAME = {"bytes": 0.01, "time": 0.02}
"""How much of a change may be called the same, as the margins of the verdicts are."""
PARTS = 2.0
"""Where a verdict stands on parts of a step, its own change may be that much larger or smaller than a token's."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One pair: what was said and whether it is so."""

    seed: int
    kind: str
    said: str
    wrong: str
    """What is false in it; empty for nothing."""
    found: bool | None
    """Whether a planted change of 3 % of bytes or more was found, on whole steps with every counter; null: none was planted."""
    timed: bool | None
    """The same of a change of time of 5 % or more."""
    missed: bool
    """The interval of bytes leaves out the truth."""
    engine: str


def judged_pairs(seeds: Iterable[int]) -> Iterator[Verdict]:
    """The verdict on each pair."""
    for seed in seeds:
        made = pair(seed)
        try:
            said = compared(made)
        except Exception as error:  # a crash of what is judged must not end the judging
            said = {"verdict": "crash", "reason": f"{type(error).__name__}: {error}"[:200]}
        yield verdict(made, said)


def compared(made: Pair) -> dict[str, Any]:
    """The JSON of `compare`."""
    from ncu_roofline.present.documents.compare import document

    return dict(document(nr.compare(made.base.capture, made.head.capture), "role", ()).data)


def verdict(made: Pair, said: dict[str, Any]) -> Verdict:
    """One pair, judged."""
    word = str(said["verdict"])
    bytes_, time = CLAIMS.get(word, ("", ""))
    parts = 1.0 if said.get("basis") in ("token", "step") else PARTS
    settled = made.full and not made.differs
    return Verdict(
        seed=made.seed,
        kind=made.kind,
        said=word,
        wrong=falsehood(made, said, parts),
        found=bytes_ == ("cut" if made.bytes_change < 0 else "more") if settled and abs(made.bytes_change) >= 0.03 else None,
        timed=time in ("faster", "slower") or word in ("cuts_bytes", "bytes_cut_slower")
        if settled and not made.bytes_change and abs(made.time_change) >= 0.05
        else None,
        missed=not made.differs and parts == 1 and outside(said.get("bytes_change"), made.bytes_change),
        engine=made.base.plan.engine.name,
    )


def falsehood(made: Pair, said: dict[str, Any], parts: float) -> str:
    """What is false in a verdict."""
    word = str(said["verdict"])
    if word == "crash":
        return str(said["reason"])
    if word == "outside_regime":
        return "outside the regime, though no useful work is beyond a ridge"
    if word not in CLAIMS:
        return ""
    if made.differs:
        named = f"{said.get('assumed')} {said.get('differences')}"
        if any(f in named for f in made.differs) and not (
            made.told and said.get("comparable", True) and not said.get("differences")
        ):
            return ""
        return f"{word} across {made.differs[0]}, {'which both windows tell' if made.told else 'not said to be assumed'}"
    bytes_, time = CLAIMS[word]
    return claim("bytes", bytes_, made.bytes_change, parts) or claim("time", time, made.time_change, parts)


def claim(what: str, said: str, true: float, parts: float) -> str:
    """What is false in a claim about one quantity."""
    less = said in ("cut", "faster")
    if said == "same":
        wrong = abs(true) > SAME[what] * parts + 0.002
    elif said:
        wrong = true >= -1e-9 if less else true <= 1e-9
    else:
        return ""
    return f"{what} {said}, is {100 * true:+.1f} %" if wrong else ""


def outside(interval: Any, true: float) -> bool:
    """Whether an interval leaves out what is so, beyond a thousandth."""
    if not interval or interval.get("low") is None or interval.get("high") is None:
        return False
    return not interval["low"] - 0.001 <= true <= interval["high"] + 0.001


def pairs_page(found: list[Verdict]) -> str:
    """The table by kind of pair."""
    wrong = sum(bool(v.wrong) for v in found)
    stated = sum(v.said in CLAIMS for v in found)
    seen, timed = ([getattr(v, what) for v in found if getattr(v, what) is not None] for what in ("found", "timed"))
    lines = [
        "## Verdicts on pairs",
        "",
        f"{len(found):,} pairs, {stated:,} verdicts that claim something, {wrong:,} false ({100 * wrong / max(1, len(found)):.2f} %). "
        f"Of {len(seen)} planted changes of 3 % of bytes or more on whole steps with every counter, {sum(seen)} found; "
        f"of {len(timed)} changes of time alone of 5 % or more, {sum(timed)}. "
        f"{sum(v.missed for v in found)} intervals of bytes leave out the truth.",
        "",
        "| pair | pairs | claims | false | cannot tell | refused | bytes found | time found |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *rows(found),
        "",
    ]
    return "\n".join(lines)


def rows(found: list[Verdict]) -> Iterator[str]:
    """One row per kind."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for one in found:
        groups[one.kind].append(one)
    for kind, group in groups.items():
        words = Counter(v.said for v in group)
        seen, timed = ([getattr(v, what) for v in group if getattr(v, what) is not None] for what in ("found", "timed"))
        yield (
            f"| {kind} | {len(group)} | {sum(words[w] for w in CLAIMS)} | {sum(bool(v.wrong) for v in group)} "
            f"| {words['cannot_tell']} | {words['not_comparable']} | {share(seen)} | {share(timed)} |"
        )


def share(found: list[bool]) -> str:
    """3 of 4, or nothing to find."""
    return f"{sum(found)} of {len(found)}" if found else "–"


def worst_pairs(found: list[Verdict], most: int) -> str:
    """False verdicts with a seed each, the commonest first."""
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for one in found:
        if one.wrong or one.found is False or one.missed:
            word = "false" if one.wrong else "missed interval" if one.missed else "not found"
            groups[one.kind, f"{word} ({one.said})"].append(one)
    ranked = sorted(groups.items(), key=lambda item: -len(item[1]))[:most]
    return "\n".join(
        f"{len(g):4} x {kind}: {word}: seeds {[v.seed for v in g[:4]]} {g[0].engine}: {g[0].wrong}"
        for (kind, word), g in ranked
    )
