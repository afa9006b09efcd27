"""A report through NVIDIA's own reader: the reference, and the way out for unknown format versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import rows
from ncu_roofline.readers.report import recognise
from ncu_roofline.readers.report.plan import BLOCK, FIXED, GRID, KERNEL, NAME, NVTX, Cell, Opcodes

WORKLOADS = {1: "range", 2: "range", 3: "graph"}
"""Kinds of results that are no kernel (ranges, command lists, graphs), as their rows are named."""
Action = Any
"""ncu_report is not typed."""


def read(path: str | Path, *, metrics: Sequence[str] = ()) -> Capture:
    """All launches as NVIDIA's reader gives them: no process numbers and no facts about the run."""
    path = Path(path)
    with recognise.opened(path) as (_, size, notes):
        actions = list(_actions(path))
    whole = [action for action in actions if len(action)]
    if not whole:
        raise UnreadableCapture(f"{path.name}: NVIDIA's reader finds no kernel in it; capture again")
    owners = {name: action for action in whole for name in action}
    times = frozenset(name for name, action in owners.items() if action[name].unit() == "ns")
    kept = rows.columns(owners, metrics, times)
    table = rows.table((_row(action, kept) for action in whole), kept, size)
    frame, strange = rows.launches(table, kept, path.name)
    if lost := len(actions) - len(whole):
        notes.append(f"{lost} of {len(actions)} launches are damaged in the file and left out.")
    device = rows.device(table.devices, path.name)
    return Capture(launches=frame, device=device, notes=(*notes, *strange), name=path.name)


def _actions(path: Path) -> Iterator[Action]:
    try:
        import ncu_report
    except ImportError as error:
        raise UnreadableCapture(
            f"{path.name}: NVIDIA's reader is not installed; `pip install ncu-report`, or `reader=native`"
        ) from error
    # load_report never raises on bad content: it returns a context without ranges
    for part in ncu_report.load_report(str(path)):
        yield from part


def _row(action: Action, kept: rows.Columns) -> list[Cell]:
    cells: list[Cell] = [None] * (FIXED + len(kept.places))
    for name, place in kept.places.items():
        metric = action.metric_by_name(name)
        if metric is not None:
            cells[place] = instances(metric) if name in kept.listed else value(metric)
    cells[KERNEL] = action.name(action.NameBase_FUNCTION)
    cells[NAME] = action.name(action.NameBase_DEMANGLED)
    if kind := WORKLOADS.get(int(action.workload_type())):
        cells[KERNEL] = cells[NAME] = kind
    else:
        cells[GRID], cells[BLOCK] = _extent(action, "grid"), _extent(action, "block")
    cells[NVTX] = ranges(action)
    return cells


def value(metric: Any) -> Any:
    """The value of a metric; None where it has none (older readers give 0 then)."""
    return metric.value() if metric.has_value() else None


def instances(metric: Any) -> Opcodes | None:
    """Identifier and value of each instance; None where the metric has none."""
    count = metric.num_instances()
    if not count:
        return None
    ids = metric.correlation_ids() if metric.has_correlation_ids() else None
    return [(ids.value(n) if ids else None, metric.value(n)) for n in range(count)]


def _extent(action: Action, what: str) -> list[int] | None:
    sides = [action.metric_by_name(f"launch__{what}_dim_{axis}") for axis in "xyz"]
    found = [int(side.value()) for side in sides if side is not None and side.has_value()]
    return found if len(found) == 3 and all(found) else None


def ranges(action: Action) -> list[str] | None:
    """Names of the open push/pop ranges, outermost first; None where NVTX was not captured."""
    state = action.nvtx_state()
    if state is None:
        return None
    return [name for domain in sorted(state) for name in state[domain].push_pop_ranges()]
