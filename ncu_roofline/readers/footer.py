"""The JSON in a saved capture's footer: device, run facts, notes and name, written and read back with suspicion."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any

from ncu_roofline.capture.capture import ORIGINS, Capture, Device, Fact, Run
from ncu_roofline.errors import UnreadableCapture, UnusableInput
from ncu_roofline.knowledge.models.models import portable
from ncu_roofline.readers.facts import CHECKS

SCHEMA_VERSION = 1
LONGEST = 16 << 20
"""Characters of a footer; the longest notes seen have a few thousand."""
LARGEST = 1e18
"""No clock, size or count of a device comes near."""
KINDS: dict[str, type] = {"str | None": str, "int | None": int, "float | None": float, "bool | None": bool}
"""What the annotation of a device's field allows besides None."""


def written(capture: Capture) -> str:
    """Everything of a capture but its launches, as JSON."""
    kept = ("value", "origin", "evidence")
    model = capture.run.model
    told = replace(capture.run, model=replace(model, value=portable(model.value)) if model.value else model)
    run = {name: {part: getattr(fact, part) for part in kept} for name, fact in told.known().items()}
    parts: dict[str, Any] = {"device": asdict(capture.device), "run": run, "notes": capture.notes, "name": capture.name}
    if capture.taken is not None:
        parts["taken"] = capture.taken
    return json.dumps({"schema_version": SCHEMA_VERSION, **parts}, sort_keys=True)


def parsed(text: str, name: str) -> dict[str, Any]:
    """Device, run, notes and name, as this version knows them; raises UnreadableCapture for anything else."""
    try:
        facts = json.loads(text if len(text) <= LONGEST else "")
        version = facts["schema_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise damaged(name) from error
    if version != SCHEMA_VERSION:
        raise UnreadableCapture(
            f"{name}: saved in format {str(version)[:20]}, this program reads format {SCHEMA_VERSION}; "
            "update ncu-roofline or save again"
        )
    try:
        known = {part: check(facts[part]) for part, check in PARTS.items()}
        return known | ({"taken": moment(facts["taken"])} if "taken" in facts else {})
    except (KeyError, TypeError, AttributeError, ValueError, UnusableInput) as error:
        raise damaged(name) from error


def damaged(name: str) -> UnreadableCapture:
    """The one sentence for a footer that nobody of ours wrote."""
    return UnreadableCapture(f"{name}: its ncu-roofline footer is damaged; save the capture again")


def word(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def moment(value: Any) -> float:
    """A time in seconds since 1970, which files of earlier versions do not tell."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LARGEST:
        raise TypeError(value)
    return float(value)


def notes(values: Any) -> tuple[str, ...]:
    """A list of sentences."""
    if not isinstance(values, list):
        raise TypeError(values)
    return tuple(word(value) for value in values)


def device(values: dict[str, Any]) -> Device:
    """A device whose fields have their types; numbers are finite and not negative."""
    known = {field.name: values.get(field.name) for field in fields(Device)}
    for field in fields(Device):
        value = known[field.name]
        kind = KINDS[str(field.type)]
        if value is not None and not isinstance(value, (int, float) if kind is float else kind):
            raise TypeError(field.name)
        if isinstance(value, int | float) and not 0 <= value < LARGEST:
            raise ValueError(field.name)
    return Device(**known)


def run(values: dict[str, dict[str, Any]]) -> Run:
    """The facts that this version knows; others, of a later one, are left out."""
    known = {f.name for f in fields(Run)}
    return Run(**{name: fact(name, fact_) for name, fact_ in values.items() if name in known})


def fact(name: str, values: dict[str, Any]) -> Fact[Any]:
    """One fact: what a user can state is checked as if it were stated now."""
    value, origin = values["value"], word(values["origin"])
    if origin not in ORIGINS:
        raise ValueError(origin)
    if isinstance(value, list):  # JSON has no tuples: 2 of 48 layers
        value = tuple(value)
    if name in CHECKS:
        text = "/".join(map(str, value)) if isinstance(value, tuple) else value
        value = CHECKS[name](name, text)
    elif not isinstance(value, str | bool | int) and not (isinstance(value, float) and math.isfinite(value)):
        raise TypeError(name)
    return Fact(value, origin, word(values["evidence"]))


PARTS: dict[str, Callable[[Any], Any]] = {"device": device, "run": run, "notes": notes, "name": word}
