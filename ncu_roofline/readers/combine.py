"""Several captures of one run -> one capture, in the given order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import polars as pl

from ncu_roofline.capture.capture import UNKNOWN, Capture, Device, Fact, File, Run
from ncu_roofline.capture.schema import OPCODES
from ncu_roofline.errors import UnreadableCapture

IDENTITY = ("name", "compute_capability", "sms")


def combine(captures: Sequence[Capture]) -> Capture:
    """One capture of all launches; refused where the files come from different devices."""
    if len(captures) == 1:
        return captures[0]
    launches = pl.concat(alike([c.launches for c in apart(captures)]), how="diagonal_relaxed")
    return Capture(
        launches=launches.with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64)),
        device=device([c.device for c in captures], [c.name for c in captures]),
        run=run([c.run for c in captures]),
        notes=notes(captures),
        name=f"{captures[0].name} and {len(captures) - 1} more",
        files=tuple(File(name=c.name, launches=c.launches.height, run=c.run) for c in captures),
    )


def apart(captures: Sequence[Capture]) -> Iterator[Capture]:
    """The captures; processes that a file numbers by itself get numbers that no other file has, below those of systems."""
    taken = 0
    for capture in captures:
        if capture.own_processes:
            numbers = capture.launches["process"] - (1 << 32) + taken
            taken += capture.launches["process"].n_unique()
            yield replace(capture, launches=capture.launches.with_columns(numbers))
        else:
            yield capture


def alike(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """The frames, without the sum of a counter (as in a CSV) where another file has its parts (as in a report)."""
    parted = {name for frame in frames for name, kind in frame.schema.items() if kind == OPCODES}
    return [frame.drop([n for n in parted if n in frame.columns and frame.schema[n] != OPCODES]) for frame in frames]


def notes(captures: Sequence[Capture]) -> tuple[str, ...]:
    """What the readers noted, each once, with the file or the number of files that it holds for."""
    files: dict[str, list[str]] = {}
    for capture in captures:
        for note in capture.notes:
            files.setdefault(note, []).append(capture.name)
    return tuple(f"{names[0] if len(names) == 1 else f'{len(names)} files'}: {note}" for note, names in files.items())


def device(devices: Sequence[Device], names: Sequence[str]) -> Device:
    """The one device, each attribute from the first file that tells it."""
    for attribute in IDENTITY:
        seen = {value: name for d, name in zip(devices, names, strict=True) if (value := getattr(d, attribute)) is not None}
        if len(seen) > 1:
            kinds = ", ".join(f"{value} in {name}" for value, name in sorted(seen.items(), key=str))
            raise UnreadableCapture(f"mixed devices in one capture ({kinds}); read the files of each device on their own")
    first = {f.name: next((v for d in devices if (v := getattr(d, f.name)) is not None), None) for f in fields(Device)}
    return Device(**first)


def run(runs: Sequence[Run]) -> Run:
    """Facts on which all files agree; the others become unknown and say why."""
    return Run(**{f.name: agreed([getattr(r, f.name) for r in runs]) for f in fields(Run)})


def agreed(facts: Sequence[Fact[Any]]) -> Fact[Any]:
    """The fact that all share, or an unknown one naming the values."""
    values = list(dict.fromkeys(str(f.value) for f in facts))
    if len(values) == 1:
        return facts[0]
    told = [v for v in values if v != "None"]
    return Fact(None, "unknown", f"differs between the files: {', '.join(told)}") if len(told) > 1 else UNKNOWN
