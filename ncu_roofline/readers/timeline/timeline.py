"""read(): any file that holds a timeline, recognised by its content -> Timeline."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from ncu_roofline.capture.timeline import Timeline
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import COMPRESSED, NSYS, PARQUET, REPORT, SQLITE, TO_EXPORT, first_bytes
from ncu_roofline.readers.csv.text import table_head
from ncu_roofline.readers.spool import copied, plain


def read(path: Path) -> Timeline:
    """One timeline from a trace as it is, or packed with gzip or zstd."""
    with plain(path) as near, unpacked(near) as here:
        head = first_bytes(here)
        if not head:
            raise UnreadableCapture(f"{path.name}: an empty file; write the trace again")
        if head.startswith(SQLITE):
            from ncu_roofline.readers.timeline import nsys

            return nsys.read(here, path.name)
        if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
            from ncu_roofline.readers.timeline import kineto

            return kineto.read(here, path.name)
        if head.startswith((REPORT, PARQUET)) or table_head(head):
            raise UnreadableCapture(
                f"{path.name}: a capture, not a timeline: its kernels ran one at a time; `ncu-roofline summary` reads it"
            )
        if path.name.endswith(NSYS):
            raise UnreadableCapture(f"{path.name}: {TO_EXPORT}")
        if b"\0" in head:
            raise UnreadableCapture(
                f"{path.name}: no timeline; name a trace of PyTorch's profiler or an export of Nsight Systems"
            )
        from ncu_roofline.readers.timeline import trace_csv

        return trace_csv.read(here, path.name)


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The content of a zstd file; the path itself where it is none."""
    if not first_bytes(path).startswith(COMPRESSED):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="ncu-roofline-") as folder:
        target = Path(folder) / "unpacked"
        try:
            with path.open("rb") as file, zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(file) as source:
                copied(source, target, packed=path)
        except zstandard.ZstdError as error:
            raise UnreadableCapture(f"{path.name}: a damaged zstd file; pack it again") from error
        yield target
