"""Every column that an analysis makes stands in the dictionary, with its type; every name there is made by something."""

import re
from functools import lru_cache

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.model import floor_parts, measured
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.analysis.roofline.devices import DEVICES as DEVICE_FRAME
from ncu_roofline.capture.frames import FRAMES
from ncu_roofline.capture.schema import MEASURED, PATHS, Column
from ncu_roofline.knowledge.models import models

DENSE = "fixtures/synthetic/dense-b8.ncu-repz"
CHAIN = ("launches", "archived", "work", "role", "sequence", "useful", "placed", "gained", "grouped", "tokens")
PARTS = {
    "launches": ("launches", "archived", "work", "role", "sequence", "useful", "placed", "gained"),
    "kernels": ("launches", "work", "role", "sequence", "useful", "placed", "gained", "grouped"),
    "tokens": ("launches", "work", "role", "sequence", "useful", "grouped", "tokens"),
    "compared": ("sequence", "role", "compared"),
    "swept": ("swept",),
    "projected": ("projected",),
    "floor": ("floor", "placed", "useful", "role"),
    "devices": ("devices", "placed"),
    "runs": ("runs",),
    "kept": ("launches", "archived", "kept"),
}
MEASURES = {c.name for part in ("launches", "work", "useful") for c in FRAMES[part]}
PLACEHOLDERS = {
    "path": "|".join(PATHS),
    "measure": "|".join(sorted(MEASURES)),
    "side": "base|head",
    "quantity": "bytes|flops|seconds",
    "family": "fc|attention|other",
    "work": "executed|useful|dense",
}


@lru_cache
def pattern(name: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"<(\w+)>", lambda hit: f"({PLACEHOLDERS[hit[1]]})", name))


def kept_launches() -> pl.Schema:
    launches = nr.ingest(DENSE).launches
    assert launches is not None
    return launches.drop("device_number").schema


@lru_cache
def frames() -> dict[str, list[pl.Schema]]:
    studied = nr.study(nr.read(DENSE, model="llama-3.1-8b"))
    compared = nr.compare(studied, studied)
    swept = nr.sweep([studied], "kind", ["dense"])
    model = models.load("llama-3.1-8b")
    least = [
        nr.floor("llama-3.1-8b", "h100", context=2048),
        floor_parts.matrix_floors(model, Setting()),
        measured.against_floor(studied.launches, studied.run, model),
    ]
    return {
        "launches": [nr.place(studied, raw=True).schema],
        "kernels": [nr.kernels(studied, by).schema for by in ("kernel", "role", "family", "layer")],
        "tokens": [nr.per_token(studied, by).schema for by in ("role", "layer", "kernel", "step", "projection")]
        + [measured.projections(studied.launches, studied.run, model).schema],
        "compared": [rows.schema for rows in compared.rows.values()],
        "swept": [swept.rows.schema, swept.roles.schema, swept.projections.schema],
        "projected": [nr.project(studied, gpu="b200").rows.schema],
        "floor": [rows.schema for rows in least],
        "devices": [pl.Schema(DEVICE_FRAME)],
        "runs": [nr.ingest(DENSE).runs.schema],
        "kept": [kept_launches()],
    }


def entry(name: str, parts: tuple[str, ...]) -> Column | None:
    known = [c for part in parts for c in FRAMES[part]]
    exact = [c for c in known if c.name == name]
    return next(iter(exact or [c for c in known if pattern(c.name).fullmatch(name)]), None)


def kind(dtype: pl.DataType) -> str:
    """Counts are whole numbers, whatever their width; closed sets are words."""
    if dtype.is_integer():
        return "whole"
    return "word" if dtype in (pl.String, pl.Enum) else str(dtype.base_type())


@pytest.mark.parametrize("frame", list(PARTS))
def test_every_column_of_the_frame_stands_in_the_dictionary_with_its_type(frame: str) -> None:
    columns = {n: t for schema in frames()[frame] for n, t in schema.items() if not n.startswith(MEASURED)}

    unknown = sorted(n for n in columns if entry(n, PARTS[frame]) is None)
    other_type = [n for n, t in columns.items() if (c := entry(n, PARTS[frame])) and kind(c.dtype) != kind(t)]

    assert (unknown, other_type) == ([], [])


def test_the_dictionary_has_no_column_that_nothing_makes() -> None:
    made = {n for schemas in frames().values() for schema in schemas for n in schema}
    listed = {c.name for part in FRAMES.values() for c in part}

    assert sorted(name for name in listed if not any(pattern(name).fullmatch(n) for n in made)) == []


def test_no_column_of_the_chain_is_described_twice() -> None:
    names = [c.name for part in CHAIN for c in FRAMES[part]]

    assert sorted({n for n in names if names.count(n) > 1}) == []


def test_every_column_says_what_it_means_and_what_null_means() -> None:
    assert [c.name for part in FRAMES.values() for c in part if not c.meaning or not c.null] == []
