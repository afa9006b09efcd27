"""read(): any file that holds a capture, recognised by its content -> Capture."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ncu_roofline.capture.capture import Capture, Fact
from ncu_roofline.capture.schema import numbered
from ncu_roofline.errors import UnreadableCapture

REPORT = b"NVR\0"
COMPRESSED = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1: magic number of a zstd frame
PARQUET = b"PAR1"
SQLITE = b"SQLite format 3\0"
LFS = b"version https://git-lfs"
NSYS = (".nsys-rep", ".qdrep")
A_TIMELINE = "a timeline, not a capture: no counters are in it; `ncu-roofline step` reads it"
TO_EXPORT = "a report of Nsight Systems; export it with `nsys export --type sqlite`, and give that to `ncu-roofline step`"
PACKED = {
    b"PK\x03\x04": "a ZIP archive; unpack it",
    b"BZh": "a bzip2 file; unpack it with bunzip2",
    b"\xfd7zXZ": "an xz file; unpack it with unxz",
}
CAPTURES = (".ncu-rep", ".ncu-repz", ".csv", ".csv.gz", ".parquet")
HEAD = 4096
SYNTHETIC = "m:ncu_roofline__synthetic"


def read(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, reader: str = "auto", metrics: Sequence[str] = ()
) -> Capture:
    """One capture from a file, a glob, or several of them in the given order.

    `metrics` keeps further counters, by name or glob; `reader` chooses between the native reader of
    reports and NVIDIA's own.
    """
    from ncu_roofline.readers.combine import combine

    paths = expand([source] if isinstance(source, str | os.PathLike) else source)
    whole = combine([marked(read_one(path, reader=reader, metrics=metrics)) for path in paths])
    return replace(whole, launches=numbered(whole.launches))


def marked(capture: Capture) -> Capture:
    """The capture, saying so itself where a generator wrote it and no profiler."""
    if SYNTHETIC not in capture.launches.columns:
        return capture
    told = Fact(True, "report", "the file carries the mark of its generator")
    return replace(capture, run=replace(capture.run, synthetic=told))


def expand(sources: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Every file that is meant: globs in name order, the rest as given."""
    paths: list[Path] = []
    for source in (os.fspath(s) for s in sources):
        if is_url(source) and glob.has_magic(source):
            from ncu_roofline.readers.fleet.captures import in_bucket

            paths += map(Path, in_bucket(source))
            continue
        pattern = glob.has_magic(source) and not os.path.lexists(source)
        found = sorted(glob.glob(source, recursive=True)) if pattern else [source]
        if not found:
            raise UnreadableCapture(f"{source}: no file has such a name; quote the pattern or check the folder")
        paths += map(Path, found)
    if not paths:
        raise UnreadableCapture("no capture was named; give a .ncu-rep, a CSV export of ncu, or a saved .parquet")
    return paths


def read_one(path: Path, *, reader: str = "auto", metrics: Sequence[str] = ()) -> Capture:
    """One file, by what stands in it; a folder if it is an archive or holds one capture; `-` is standard input."""
    if is_url(path):
        return from_url(path, reader=reader, metrics=metrics)
    if is_folder(path):
        from ncu_roofline.readers import archive

        if archive.is_archive(path):
            return archive.read(path)
        if (path / "runs").is_dir() and (found := of_a_fleet(path)) is not None:
            return found
        inside = sorted(p for p in path.iterdir() if p.name.endswith(CAPTURES))
        if len(inside) == 1:
            return read_one(inside[0], reader=reader, metrics=metrics)
        if inside:
            pattern = path / f"*{inside[0].suffix}"
            raise UnreadableCapture(f"{path.name or path}: a folder of captures; name those you mean, for example '{pattern}'")
    from ncu_roofline.readers.spool import plain

    with plain(path) as here:
        return read_plain(here, reader=reader, metrics=metrics)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether this names an object store; nothing else of a store is imported to know it."""
    return os.fspath(path).startswith(("s3:/", "s3a:/", "gs:/", "az:/", "abfs:/", "abfss:/"))


def from_url(path: Path, *, reader: str, metrics: Sequence[str]) -> Capture:
    """The capture at a URL, or the archive."""
    from ncu_roofline.readers.fleet import captures

    if path.name.endswith(CAPTURES):
        with captures.here(os.fspath(path)) as file:
            return read_one(file, reader=reader, metrics=metrics)
    found = of_a_fleet(path)
    if found is None:
        raise UnreadableCapture(f"{path.name}: no archive there; make one with `ncu-roofline ingest CAPTURES --to URL`")
    return found


def of_a_fleet(path: Path) -> Capture | None:
    """An archive of a fleet as one capture; None where there is none."""
    from ncu_roofline.readers.fleet import store, tables, whole

    place = store.at(path)
    return whole.read(place) if tables.is_fleet(place) else None


def read_plain(path: Path, *, reader: str, metrics: Sequence[str]) -> Capture:
    """One file that a reader can go back and forth in."""
    head = first_bytes(path)
    if head.startswith((REPORT, COMPRESSED)):
        return read_report(path, reader, metrics)
    if head.startswith(PARQUET):
        from ncu_roofline.readers import saved

        return saved.read(path)
    refuse(path, head)
    from ncu_roofline.readers.csv import csv

    return csv.read(path, metrics=metrics)


def is_folder(path: Path) -> bool:
    """Whether a folder stands there; a name that no system can have is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def first_bytes(path: Path) -> bytes:
    """The beginning of a file that exists and can be read."""
    try:
        if is_folder(path):
            raise UnreadableCapture(f"{path.name or path}: a folder, not a file; name a file in it")
        if path.exists() and not path.is_file():
            raise UnreadableCapture(f"{path.name}: not a file but a pipe or a device; write it to a file first")
        with path.open("rb") as file:
            return file.read(HEAD)
    except FileNotFoundError as error:
        raise UnreadableCapture(f"{path.name}: no such file; check the name and the folder") from error
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise UnreadableCapture(f"{path.name[:100]}: cannot be opened ({reason}); check its name and permissions") from error


def refuse(path: Path, head: bytes) -> None:
    """Say at once what a file is that is certainly no capture."""
    if not head:
        raise UnreadableCapture(f"{path.name}: an empty file; the profiler wrote nothing, capture again")
    if head.startswith(LFS):
        raise UnreadableCapture(f"{path.name}: a Git LFS pointer, not the file itself; run `git lfs pull` and try again")
    for magic, what in PACKED.items():
        if head.startswith(magic):
            raise UnreadableCapture(f"{path.name}: {what} and name the capture inside")
    if head.startswith(SQLITE):
        raise UnreadableCapture(f"{path.name}: {A_TIMELINE}")
    if path.name.endswith(NSYS):
        raise UnreadableCapture(f"{path.name}: {TO_EXPORT}")
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableCapture(
            f"{path.name}: no report of Nsight Compute (its signature is missing; the profiler may have been stopped while "
            "writing) and no CSV; capture again"
        )


def read_report(path: Path, reader: str, metrics: Sequence[str]) -> Capture:
    """A report by the chosen reader; auto is the native one wherever it knows the format."""
    from ncu_roofline.readers import vendor
    from ncu_roofline.readers.report import report

    if reader == "vendor":
        return vendor.apart(path, metrics=metrics)
    if reader == "native":
        return report.read(path, metrics=metrics)
    if report.knows(path):
        with suppress(report.RangesOnly):
            return report.read(path, metrics=metrics)
    capture = vendor.apart(path, metrics=metrics)
    return replace(capture, notes=(*capture.notes, "Read by NVIDIA's reader: this one does not know what the report holds."))
