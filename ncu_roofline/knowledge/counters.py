"""The counters table: which profiler counters feed which column, and which a reader keeps."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import Any

from ncu_roofline.knowledge.toml import read_once

table = partial(read_once, "counters.toml")


def named(value: Any) -> Iterator[str]:
    """Every counter name that occurs in a part of the table."""
    if isinstance(value, str):
        if "__" in value:
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from named(part)
    elif isinstance(value, list):
        for part in value:
            yield from named(part)


@cache
def _pattern(extra: tuple[str, ...]) -> re.Pattern[str]:
    facts = table()
    exact = {re.escape(n) for key, part in facts.items() if key != "wanted" for n in named(part)}
    globs = [*facts["wanted"]["patterns"], *extra]
    return re.compile("|".join([*sorted(exact), *(fnmatch.translate(g) for g in globs)]))


def wanted(names: Iterable[str], extra: Iterable[str] = ()) -> set[str]:
    """Those of the names that the project uses, or that an extra name or glob pattern asks for."""
    pattern = _pattern(tuple(extra))
    return {name for name in names if pattern.fullmatch(name)}
