"""Counts and notes in grammar: what every document says in the same words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.present.forms.text import clean


def of_all(number: int, total: int) -> str:
    """How many launches of how many.

    >>> of_all(30, 30), of_all(2, 2), of_all(3, 4991), of_all(1, 1)
    ('all 30 launches', 'both launches', '3 of 4,991 launches', 'the only launch')
    """
    if number < total:
        return f"{number:,} of {total:,} launches"
    return {1: "the only launch", 2: "both launches"}.get(total, f"all {total:,} launches")


def options(text: str) -> str:
    """Parameters of the library as the command line spells them.

    >>> options("`layers_captured=` 3/2 is impossible; `gpu=NAME` names one, `read(..., kv=DTYPE)` states it")
    '--layers-captured 3/2 is impossible; --gpu NAME names one, --run kv=DTYPE states it'
    """
    elsewhere = re.sub(r"`read\(\.\.\., (\w+=\w+)\)`", r"--run \1", text).replace("`study(..., gpu=NAME)`", "--from-gpu NAME")
    return re.sub(r"`(\w+)=(\w*)`", lambda found: f"--{found[1].replace('_', '-')} {found[2]}".rstrip(), elsewhere)


def its(number: int) -> str:
    """`its` for one launch, `their` for several."""
    return "its" if number == 1 else "their"


def s(number: int) -> str:
    """The ending of a verb: one launch uses, two use."""
    return "s" if number == 1 else ""


def capital(text: str) -> str:
    """A sentence's beginning."""
    return text[:1].upper() + text[1:]


def sentence(note: str) -> str:
    """A note with a full stop where it asks nothing, and a capital unless it begins with the name of a file, a GPU or a model.

    >>> sentence("context is stated as 400"), sentence("q1.csv: damaged."), sentence("h100 has 4 layers: is it that?")
    ('Context is stated as 400.', 'q1.csv: damaged.', 'h100 has 4 layers: is it that?')
    """
    begun = capital(note) if re.match(r"[a-z]+[ ,]", note) else note
    return begun if begun.endswith((".", "?")) else f"{begun}."


def fact(value: object) -> str:
    """A run's fact as people write it.

    >>> fact(2049), fact(1.5), fact((4, 32)), fact("bf16"), fact(True), fact(None)
    ('2,049', '1.5', '4/32', 'bf16', 'yes', 'unknown')
    """
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return f"{value:,}" if isinstance(value, int | float) else clean(str(value))


def unsaid(name: str, known: Fact[Any]) -> bool:
    """Whether a fact is the usual one that nobody stated: no prefill, a token a step."""
    return (name == "prefill_passes" and not known.value) or (name == "accepted" and known.origin == "inferred")


def invented(runs: Sequence[Run]) -> tuple[str, ...]:
    """A sentence where some of the captures are synthetic; nothing where all were measured."""
    number = sum(bool(run.synthetic.value) for run in runs)
    if not number:
        return ()
    if len(runs) == 1:
        return ("This capture is synthetic: a generator wrote it, no GPU measured it.",)
    who = "The captures are" if number == len(runs) else f"{number:,} of {len(runs):,} captures are"
    return (f"{who} synthetic: a generator wrote them, no GPU measured them.",)
