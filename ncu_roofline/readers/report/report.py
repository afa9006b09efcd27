""".ncu-rep or .ncu-repz -> Capture, as a stream: memory grows with the launches kept, not with the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import BinaryIO

from ncu_roofline.capture import units
from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import rows
from ncu_roofline.readers.report import container, protocol, recognise
from ncu_roofline.readers.report.container import Block, Head
from ncu_roofline.readers.report.launches import graph_row
from ncu_roofline.readers.report.layouts import Layouts
from ncu_roofline.readers.report.plan import Cell, Plan, plan
from ncu_roofline.readers.report.wire import BROKEN

MOST_DAMAGED = 1_000
"""Launches that cannot be decoded, after which the rest of the file is given up."""


class RangesOnly(UnreadableCapture):
    """A report that NVIDIA's reader can read and this one cannot."""


def read(path: str | Path, *, metrics: Sequence[str] = ()) -> Capture:
    """All launches of a report with the counters that the project uses and those named in `metrics`.

    `metrics` takes names and glob patterns. A damaged report gives what stands before the damage, and
    a note; raises UnreadableCapture where nothing can be read.
    """
    path = Path(path)
    with recognise.opened(path) as (file, size, notes):
        if container.version(file) != container.VERSION:
            raise UnreadableCapture(
                f"{path.name}: an Nsight Compute report of an unknown format version; read it with `reader=vendor`"
            )
        return _capture(file, size, path.name, metrics, notes)


def knows(path: str | Path) -> bool:
    """Whether this reader is the right one: false only for a report of another format version."""
    start = recognise.beginning(Path(path))
    return not start.startswith(container.MAGIC) or container.version(BytesIO(start)) == container.VERSION


def _capture(file: BinaryIO, size: int, name: str, metrics: Sequence[str], notes: list[str]) -> Capture:
    head = container.head(file, size)
    names = dict.fromkeys(head.names)
    kept = rows.columns(names, metrics, rows.times(names))
    loss = Loss(size, stream=bool(notes))
    decoded = launches(file, head, plan(head.names, kept.places, kept.listed, rows.STEADY), loss)
    table = rows.table(decoded, kept, size)
    if table.frame.is_empty():
        raise _empty(head, loss, name)
    frame, strange = rows.launches(table, name)
    device = rows.device(table.devices, name)
    notes += [*loss.notes(len(frame), table.cut), *_short(head, loss, len(frame)), *_ranges(head), *strange]
    return Capture(
        launches=frame,
        device=device,
        run=protocol.run(head.sessions),
        notes=tuple(notes),
        name=name,
        taken=protocol.taken(head.sessions),
    )


@dataclass(slots=True)
class Loss:
    """What could not be read of a file of `size` bytes."""

    size: int
    damaged: int = 0
    stopped: int | None = None
    """Where in the file reading had to stop; None where it came to the end."""
    stream: bool = False
    """Whether the compressed stream around the report broke off."""
    overfull: int = 0
    """Blocks that hold more than the launches that their headers count."""

    def notes(self, launches: int, cut: bool) -> Iterator[str]:
        """A sentence for each kind of loss."""
        if self.damaged:
            total = launches + self.damaged
            yield f"{self.damaged:,} of {total:,} launches are damaged in the file and left out."
        if self.stopped is not None and not self.stream:
            lost = 100 * (self.size - self.stopped) / self.size
            yield (
                f"The report is damaged or cut off at byte {self.stopped:,} of {self.size:,}: "
                f"{lost:.1f} % of the file could not be read, {launches:,} launches before it were."
            )
        if cut:
            yield f"More launches than a file of this size can hold: only {launches:,} were read."


def launches(file: BinaryIO, head: Head, wanted: Plan, loss: Loss) -> Iterator[list[Cell]]:
    """The rows of all launches that can be decoded, in file order; the rest is counted in `loss`."""
    at, decoder = 0, Layouts(wanted)
    try:
        for block in head.blocks():
            at = block.start
            yield from _decoded(file, block, decoder, loss)
        loss.stopped = head.stopped
    except BROKEN:
        loss.stopped = at


def _decoded(file: BinaryIO, block: Block, by: Layouts, loss: Loss) -> Iterator[list[Cell]]:
    every = chain(zip(container.results(file, block), repeat(by.row)), zip(container.graphs(file, block), repeat(graph_row)))
    end = block.start
    for entry, decoded in every:
        end += 4 + len(entry)
        try:
            cells = decoded(entry, by.wanted)
        except BROKEN:
            loss.damaged += 1
            if loss.damaged > MOST_DAMAGED:
                raise
            continue
        yield cells
    loss.overfull += end != block.end and container.overfull(file, block)


def _short(head: Head, loss: Loss, launches: int) -> Iterator[str]:
    """What a report that was cut off between two launches still shows of it."""
    if loss.stopped is not None or loss.stream:
        return
    if overfull := head.overfull + loss.overfull:
        parts = "A part of the report holds" if overfull == 1 else f"{overfull:,} parts of the report hold"
        yield f"{parts} more than the header says: launches may be missing."
    if head.unfinished:
        yield "The report ends where another launch begins: it was cut off there."
    asked = protocol.asked(head.sessions)
    if asked is None:
        yield "The report does not tell how the profiler was called, as one that was cut off after its first launches."
    elif launches < (wanted := protocol.launch_count(asked)):
        yield (
            f"{units.counted(wanted, 'launch')} were asked for (--launch-count) and {launches:,} are in the report: "
            "the program ended before, or the report was cut off."
        )


def _ranges(head: Head) -> Iterator[str]:
    if head.range_results:
        yield (f"{head.range_results} results of whole ranges are not read; they carry no kernel (`reader=vendor` shows them).")


def _empty(head: Head, loss: Loss, name: str) -> UnreadableCapture:
    if loss.stopped is not None or loss.damaged or loss.stream:
        return UnreadableCapture(
            f"{name}: a damaged Nsight Compute report without a readable kernel; "
            "copy it again from where it was captured, or capture again"
        )
    if head.range_results:
        return RangesOnly(f"{name}: holds results of ranges only, no kernel; read it with `reader=vendor`")
    return UnreadableCapture(
        f"{name}: an Nsight Compute report without any kernel; check the filters of the capture "
        "(--kernel-name, --launch-skip, --launch-count, --nvtx-include, --profile-from-start)"
    )
