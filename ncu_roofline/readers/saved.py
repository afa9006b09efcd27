"""Saved captures: one Parquet file whose footer carries device, run facts and notes."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.errors import UnreadableCapture

SCHEMA_VERSION = 1
KEY = "ncu_roofline"


def header(capture: Capture) -> str:
    """Everything of a capture but its launches, as JSON."""
    run = {name: asdict(fact) for name, fact in capture.run.known().items()}
    parts = {"device": asdict(capture.device), "run": run, "notes": capture.notes, "name": capture.name}
    return json.dumps({"schema_version": SCHEMA_VERSION, **parts}, sort_keys=True)


def packed(capture: Capture) -> bytes:
    """The capture as the bytes of one Parquet file with one row group."""
    target = BytesIO()
    capture.launches.write_parquet(
        target, metadata={KEY: header(capture)}, row_group_size=max(capture.launches.height, 1), statistics=True
    )
    return target.getvalue()


def read(path: Path) -> Capture:
    """The capture as it was saved."""
    facts = facts_of(path)
    try:
        launches = pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableCapture(f"{path.name}: a damaged Parquet file; save the capture again") from error
    return unpacked(launches, facts)


def facts_of(path: Path) -> dict[str, Any]:
    """The footer of a saved capture; refuses other people's Parquet and newer versions of ours."""
    try:
        text = pl.read_parquet_metadata(path).get(KEY)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableCapture(f"{path.name}: a damaged Parquet file; save the capture again") from error
    if text is None:
        raise UnreadableCapture(
            f"{path.name}: a Parquet file, but not one of ncu-roofline's; make one with `ncu-roofline save REPORT -o X.parquet`"
        )
    return checked(text, path.name)


def checked(text: str, name: str) -> dict[str, Any]:
    """The footer as facts, if this version can read it."""
    try:
        facts = json.loads(text)
        version = facts["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableCapture(f"{name}: its ncu-roofline footer is damaged; save the capture again") from error
    if version != SCHEMA_VERSION:
        raise UnreadableCapture(
            f"{name}: saved in format {version}, this program reads format {SCHEMA_VERSION}; update ncu-roofline or save again"
        )
    return dict(facts)


def unpacked(launches: pl.DataFrame, facts: dict[str, Any]) -> Capture:
    """A capture from its frame and its footer."""
    known = {f.name for f in fields(Run)}
    try:
        return Capture(
            launches=launches,
            device=Device(**facts["device"]),
            run=Run(**{name: Fact(**fact) for name, fact in facts["run"].items() if name in known}),
            notes=tuple(facts["notes"]),
            name=facts["name"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableCapture("a saved capture whose footer is damaged; save the capture again") from error
