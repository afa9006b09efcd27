"""Launches or groups -> the kernel list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import polars as pl

from ncu_roofline.analysis.health.health import Finding
from ncu_roofline.analysis.roofline.gains import reachable, small
from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.frames import ARCHIVED
from ncu_roofline.capture.schema import MEASURED
from ncu_roofline.present.documents.summary import device_data
from ncu_roofline.present.documents.words_gain import reach, with_why
from ncu_roofline.present.documents.words_health import doubt
from ncu_roofline.present.forms.columns import filled
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.short import called, file_name, grids_tell

PER_LAUNCH = (
    "index",
    "kernel",
    "role",
    "seconds",
    "dram_bytes",
    "useful_intensity",
    "intensity",
    "precision",
    "bound",
    "bandwidth_share",
    "ceiling_share",
    "gain_seconds",
    "why",
)
SPARE = ("bandwidth_share", "intensity", "launches", "dram_bytes", "ceiling_share", "why")
PER_GROUP = (
    "kernel",
    "grid",
    "role",
    "launches",
    "time_share",
    "dram_bytes",
    "useful_intensity",
    "intensity",
    "bound",
    "bandwidth_share",
    "ceiling_share",
    "gain_seconds",
    "why",
)

RANKED = ("index", "kernel", "grid", "role", "launches", "seconds", "time_share", "ceiling_share", "gain_seconds", "why")
SPARE_RANKED = ("index", "ceiling_share", "seconds", "launches", "role")


def document(
    study: Study,
    rows: pl.DataFrame,
    total: int,
    findings: Sequence[Finding],
    *,
    grouped: bool,
    filtered: bool = False,
    ranked: bool = False,
) -> Document:
    """The chosen rows, and how many there are in all; ranked by gain they show what there is to gain, and why."""
    shown = RANKED if ranked else PER_GROUP if grouped else PER_LAUNCH
    named = with_why(called(rows))
    columns = filled(named, shown, ("kernel", "role"))
    grid = () if grouped and grids_tell(named) else ("grid",)
    spare = (*grid, *SPARE_RANKED) if ranked else ("precision", *grid, *SPARE)
    flagged = int(rows["suspect"].sum())
    above = f" {flagged} of them would exceed a roof and are suspect." if flagged else ""
    all_of_it, tiny = reachable(study.launches), small(group(study.launches))
    return Document(
        answer=(
            *(reach(study, all_of_it, tiny) if rows.height else ()),
            f"{counted(study.capture.name, rows.height, total, grouped, filtered)}.{above}",
        ),
        tables=() if rows.is_empty() else (Table("", named, columns, spare=spare),),
        doubts=tuple(doubt(f) for f in findings if f.severity != "note"),
        data={
            "rows": told(rows),
            "rows_total": total,
            "ceiling": study.ceiling,
            "at_ceilings": None if all_of_it is None else {**asdict(all_of_it), "fixed": tiny.gain, "tiny": tiny.launches},
            "run": study.run,
            "device": device_data(study),
            "notes": [doubt(f) for f in findings],
        },
    )


def told(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows for programs: without lists of opcodes, and without an archive's columns where there is no archive."""
    lists = {c for c, kind in rows.schema.items() if isinstance(kind, pl.List) and c.startswith(MEASURED)}
    unused = {c.name for c in ARCHIVED if c.name in rows.columns and not rows[c.name].count()}
    return rows.drop(lists | unused)


def counted(name: str, shown: int, total: int, grouped: bool, filtered: bool) -> str:
    """How many rows are shown, and of how many."""
    if not total:
        return f"No kernel of {file_name(name)} fits the filter"
    what = ("kernel group" if grouped else "launch") if total == 1 else ("kernel groups" if grouped else "launches")
    every = "All " if total > 1 and not filtered else ""
    count = f"{shown:,} of {total:,} {what}" if shown < total else f"{every}{total:,} {what}"
    return f"{count} of {file_name(name)}" + f" that fit{'s' * (total == 1)} the filter" * filtered
