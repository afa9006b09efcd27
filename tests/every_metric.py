"""Every metric of every launch of a report, as our reader finds it there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ncu_roofline.readers.report import container, recognise
from ncu_roofline.readers.report.plan import FIXED, plan
from ncu_roofline.readers.report.report import Loss, launches


def every_metric(path: str | Path) -> Iterator[dict[str, Any]]:
    """Each launch as its metrics by name: the value as it stands in the file, and the instances."""
    with recognise.opened(Path(path)) as (file, size, _):
        head = container.head(file, size)
        kept = {name: n + FIXED for n, name in enumerate(dict.fromkeys(head.names))}
        values = list(launches(file, head, plan(head.names, kept, ()), Loss(size)))
        listed = launches(file, head, plan(head.names, kept, kept), Loss(size))
        for cells, lists in zip(values, listed, strict=True):
            yield {name: (cells[place], lists[place]) for name, place in kept.items()}
