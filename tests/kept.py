"""Captures of the repository and of the corpus are read and studied once per process: frames never change.

A test that patches anything, and those of the readers themselves, get what is read and worked out anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ncu_roofline import readers
from ncu_roofline.analysis import study as studies
from ncu_roofline.analysis.study import Choices, Study
from ncu_roofline.capture.capture import Capture
from tests.corpus import CORPUS

FOLDERS = (Path(__file__).resolve().parents[1] / "fixtures", CORPUS)
MOST = 64
"""Captures that are kept before all are forgotten."""
AFRESH = "tests/readers/"

anew: list[bool] = [True]
captures: dict[Hashable, Capture] = {}
of_frames: dict[int, Capture] = {}
"""The captures above by the identity of their frame; kept alive, so that no other frame gets its number."""
worked_out: dict[Hashable, tuple[Study, Choices | None]] = {}


def sharing(item: pytest.Item) -> bool:
    """Whether a test may get what another one read."""
    return "monkeypatch" not in getattr(item, "fixturenames", ()) and not item.nodeid.startswith(AFRESH)


def keep() -> None:
    """From now on readers.read and study remember; before any module imports them by name."""
    readers.read = _read(readers.read)
    studies.study = _study(studies.study)


def _read(real: Callable[..., Capture]) -> Callable[..., Capture]:
    def read(source: Any, *, reader: str = "auto", metrics: Sequence[str] = ()) -> Capture:
        key = None if anew[0] else _stamp(source, reader, metrics)
        if key is None:
            return real(source, reader=reader, metrics=metrics)
        if len(captures) >= MOST:
            for kept in (captures, of_frames, worked_out):
                kept.clear()
        if key not in captures:
            captures[key] = read_now = real(source, reader=reader, metrics=metrics)
            of_frames[id(read_now.launches)] = read_now
        return captures[key]

    return read


def _stamp(source: Any, *how: Any) -> Hashable | None:
    """What was asked for, where every file of it stands in one of the folders; else None."""
    paths = [source] if isinstance(source, str | os.PathLike) else list(source)
    found = [Path(os.fspath(path)) for path in paths]
    try:
        if not all(path.is_file() and any(path.resolve().is_relative_to(folder) for folder in FOLDERS) for path in found):
            return None
    except (OSError, ValueError):  # a name that no system can have
        return None
    stats = [path.stat() for path in found]
    return (*((str(p), str(p.resolve()), s.st_mtime_ns, s.st_size) for p, s in zip(found, stats, strict=True)), repr(how))


def _study(real: Callable[..., Study]) -> Callable[..., Study]:
    def study(capture: Capture, choices: Choices | None = None) -> Study:
        if anew[0] or id(capture.launches) not in of_frames:
            return real(capture, choices)
        rules = choices.rules if choices else None
        asked = replace(choices, rules=None) if choices else None
        # by their words, not by equality: that of facts leaves their witnesses out
        key = (id(capture.launches), repr(replace(capture, launches=pl.DataFrame())), repr(asked), id(rules))
        if key not in worked_out:
            worked_out[key] = real(capture, choices), choices
        return worked_out[key][0]

    return study
