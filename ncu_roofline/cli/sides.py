"""Which captures stand on which side: by place, by option, or as a stored baseline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ncu_roofline import api, whole
from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.compare.gate import FAIL, Outcome
from ncu_roofline.cli.notes import note
from ncu_roofline.errors import GateFailed, GateUntold, NotComparable, UnusableInput
from ncu_roofline.present.documents.words_gate import sentence
from ncu_roofline.readers import CAPTURES, expand, saved
from ncu_roofline.readers.facts import CHECKS

USAGE = "give BASE HEAD, or --base A1 A2 --head B1 B2, or --baseline NAME HEAD"


def chosen(
    captures: list[str], base: list[str], head: list[str], baseline: str | None, folder: Path
) -> tuple[list[str], list[str]]:
    """The captures of base and head; each side is named in exactly one way."""
    if baseline is not None:
        if base:
            raise UnusableInput(f"--baseline and --base both name the base; {USAGE}")
        base = [str(p) for p in files_of(baseline, folder)]
    left = list(captures)
    before = base or ([left.pop(0)] if left else [])
    after = head or ([left.pop(0)] if left else [])
    if not before or not after or left:
        named = f"{len(captures)} {'was' if len(captures) == 1 else 'were'} named"
        raise UnusableInput(f"a comparison needs one base and one head, {named}; {USAGE}")
    return before, after


def facts_of(stated: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE words as run facts; numbers become numbers."""
    facts: dict[str, Any] = {}
    for word in stated or []:
        key, mark, value = word.partition("=")
        if not mark or not key or not value:
            raise UnusableInput(f"{word!r} is not KEY=VALUE; write for example batch=8")
        if key not in CHECKS:
            raise UnusableInput(f"{word!r}: {key!r} is not a fact of a run; known: {', '.join(CHECKS)}")
        told = value if key in ("step_time", "tpot") else number_of(value)  # a time has its unit
        if key in facts and facts[key] != told:
            raise UnusableInput(f"{key} is stated twice: {facts[key]} and {value}; leave one")
        facts[key] = told
    return facts


def clocks_of(stated: dict[str, str | None]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`step_time: 8.0ms,6.1ms` as a fact of the base and one of the head."""
    sides: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name, value in stated.items():
        if value is None:
            continue
        parts = [part.strip() for part in value.split(",")]
        if len(parts) != 2:
            raise UnusableInput(f"--{name.replace('_', '-')} {value!r}: a comparison needs two times, as in 8.0ms,6.1ms")
        for side, part in zip(sides, parts, strict=True):
            side[name] = part
    return sides


def number_of(value: str) -> int | float | str:
    """A whole number, a number, or the word itself."""
    if re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    return float(value) if re.fullmatch(r"[+-]?\d*\.?\d+([eE][+-]?\d+)?", value) else value


def refuse(comparison: Comparison, outcomes: tuple[Outcome, ...]) -> None:
    """Exit 4 for a pair that cannot be compared, 1 for a broken gate; after the document was written."""
    if comparison.verdict == "not_comparable":
        what = ", ".join(d.what for d in comparison.blocking)
        raise NotComparable(f"base and head differ in {what}; --vary names what is changed on purpose, --anyway compares them")
    fail([(o, sentence(o, comparison.basis)) for o in outcomes if o.fails])


def fail(broken: Sequence[tuple[Outcome, str]]) -> None:
    """Exit 1 where a rule of a gate fails, 5 where none does and one cannot be told; each with its sentence."""
    if broken:
        kind = GateFailed if any(outcome.word == FAIL for outcome, _ in broken) else GateUntold
        raise kind("; ".join(said for _, said in broken))


def named(name: str) -> str:
    """A baseline's name, which becomes a folder's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UnusableInput(f"baseline {name!r}: a name has letters, digits, dots, dashes and underscores only")
    return name


def stored(folder: Path) -> list[tuple[str, int]]:
    """Names of the stored baselines, and how many captures each has."""
    found = [(p.name, len(list(p.glob("*.parquet")))) for p in sorted(folder.glob("*")) if p.is_dir()]
    return [(name, count) for name, count in found if count]


def files_of(name: str, folder: Path) -> list[Path]:
    """The captures of a baseline; raises UnusableInput with the names that exist."""
    found = sorted((folder / named(name)).glob("*.parquet"))
    if not found:
        known = ", ".join(n for n, _ in stored(folder)) or "none"
        advice = f"make it with `ncu-roofline baseline save {name} CAPTURE`"
        raise UnusableInput(f"baseline {name!r} does not exist; stored: {known}; {advice}")
    return found


def save(name: str, captures: list[str], folder: Path, *, reader: str, facts: dict[str, Any], force: bool) -> None:
    """Each capture as one Parquet file in the baseline's folder; an existing baseline is kept unless forced."""
    place = folder / named(name)
    old = sorted(place.glob("*.parquet"))
    if old and not force:
        raise UnusableInput(f"baseline {name!r} exists already; add --force to replace it")
    packed = [saved.packed(api.read(capture, reader=reader, **facts)) for capture in captures]
    files = {f"{number}.parquet": body for number, body in enumerate(packed, 1)}
    try:
        whole.write_all(files, place, gone=[file.name for file in old])
    except OSError as error:
        raise UnusableInput(f"baseline {name!r} cannot be written ({error.strerror}); what stood there stands") from error
    note(f"Stored {name} in {place}")


def files_in(captures: list[str]) -> list[Path]:
    """Every capture that is meant: a folder stands for the captures in it, a glob for its matches."""
    found: list[Path] = []
    for path in expand(captures):
        inside = sorted(p for p in path.rglob("*") if p.name.endswith(CAPTURES)) if path.is_dir() else [path]
        if not inside:
            raise UnusableInput(f"{path.name}: no capture in this folder ({', '.join(CAPTURES)}); name another")
        found += inside
    return found
