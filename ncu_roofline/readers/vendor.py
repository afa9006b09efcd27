"""A report through NVIDIA's own reader: the reference, and the way out for unknown format versions."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import rows, saved
from ncu_roofline.readers.report import recognise
from ncu_roofline.readers.report.plan import BLOCK, FIXED, GRID, KERNEL, NAME, NVTX, Cell, Opcodes

WORKLOADS = {1: "range", 2: "range", 3: "graph"}
"""Kinds of results that are no kernel (ranges, command lists, graphs), as their rows are named."""
Action = Any
"""ncu_report is not typed."""


def apart(path: str | Path, *, metrics: Sequence[str] = ()) -> Capture:
    """As read(), in a process of its own: on some damage NVIDIA's code ends the process in which it runs."""
    path = Path(path)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "capture.parquet")
        # isolated, with this process's own places: a module in the folder of the captures is nobody's import
        begin = f"import sys; sys.path[:] = {list(filter(None, sys.path))!r}; from {__name__} import child; child()"
        line = [sys.executable, "-I", "-c", begin, str(path), str(target), *metrics]
        # its input stays open as long as this process lives: the child ends with it
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            try:
                told = run.stdout.read() if run.stdout else b""
            finally:
                if run.stdin:
                    run.stdin.close()
        if target.exists():
            return saved.read(target)
        refusal = told.rpartition(MARK)[2].decode("utf-8", "replace")
        raise UnreadableCapture(refusal or f"{path.name}: NVIDIA's reader broke off on it; the file is damaged, capture again")


MARK = b"\0refused:"
"""Stands before a refusal in the child's output; whatever NVIDIA's code prints comes before."""


def child() -> None:
    """What apart() runs: the capture into a file, or the refusal to standard output."""
    threading.Thread(target=_follow, daemon=True).start()
    path, target, *metrics = sys.argv[1:]
    try:
        Path(target + ".tmp").write_bytes(saved.packed(read(path, metrics=metrics)))
        os.replace(target + ".tmp", target)
    except UnreadableCapture as refusal:
        sys.stdout.buffer.write(MARK + str(refusal).encode("utf-8", "replace"))
        sys.stdout.buffer.flush()


def _follow() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


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
    frame, strange = rows.launches(table, path.name)
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
