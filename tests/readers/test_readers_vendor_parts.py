"""What is asked of NVIDIA's reader, with a stand-in for its objects."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import rows, vendor
from ncu_roofline.readers.report.plan import BLOCK, GRID, KERNEL, NAME, NVTX
from tests.report_bytes import saved, simple

BYTES, TIME, OPCODES = "dram__bytes_read.sum", "gpu__time_duration.sum", "sass__inst_executed_per_opcode_with_modifier_all"


@dataclass
class Metric:
    """A metric as NVIDIA's reader hands it out."""

    first: Any = None
    parts: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    measure: str = ""

    def value(self, at: int | None = None) -> Any:
        return self.first or 0 if at is None else self.parts[at]

    def has_value(self) -> bool:
        return self.first is not None

    def num_instances(self) -> int:
        return len(self.parts)

    def has_correlation_ids(self) -> bool:
        return bool(self.names)

    def correlation_ids(self) -> Any:
        return SimpleNamespace(value=lambda at: self.names[at])

    def unit(self) -> str:
        return self.measure


@dataclass
class Action:
    """A launch as NVIDIA's reader hands it out."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    state: dict[int, list[str]] | None = None
    NameBase_FUNCTION, NameBase_DEMANGLED = 0, 1

    def __len__(self) -> int:
        return len(self.metrics)

    def __iter__(self) -> Any:
        return iter(self.metrics)

    def __getitem__(self, name: str) -> Metric:
        return self.metrics[name]

    def metric_by_name(self, name: str) -> Metric | None:
        return self.metrics.get(name)

    def name(self, base: int) -> str:
        return ("k", "k(int)")[base]

    def workload_type(self) -> int:
        return 0

    def nvtx_state(self) -> Any:
        if self.state is None:
            return None
        return {domain: SimpleNamespace(push_pop_ranges=lambda names=names: names) for domain, names in self.state.items()}


class Missing(Metric):
    """A metric of a newer reader: without a value it must not be asked for one."""

    def value(self, at: int | None = None) -> Any:
        raise AssertionError("asked for a value that is not there")


def shape(what: str, *sides: Any) -> dict[str, Metric]:
    return {
        f"launch__{what}_dim_{axis}": Missing() if side is None else Metric(side)
        for axis, side in zip("xyz", sides, strict=False)
    }


def test_a_metric_without_a_value_is_none_and_zero_is_zero() -> None:
    assert (vendor.value(Metric()), vendor.value(Metric(0)), vendor.value(Metric(5))) == (None, 0, 5)


def test_instances_have_their_identifiers_where_there_are_any() -> None:
    assert vendor.instances(Metric(5)) is None
    assert vendor.instances(Metric(5, (2, 3), ("FFMA", "HMMA"))) == [("FFMA", 2), ("HMMA", 3)]
    assert vendor.instances(Metric(5, (2, 3))) == [(None, 2), (None, 3)]


@pytest.mark.parametrize(
    ("sides", "found"), [((2, 3, 4), [2, 3, 4]), ((2, 3), None), ((2, 0, 4), None), ((2, None, 4), None), ((), None)]
)
def test_a_shape_has_three_sides_that_are_not_zero(sides: tuple[Any, ...], found: list[int] | None) -> None:
    assert vendor._extent(Action(shape("grid", *sides)), "grid") == found


def test_ranges_are_ordered_by_domain_and_none_without_nvtx() -> None:
    assert vendor.ranges(Action(state={1: ["c"], 0: ["a", "b"]})) == ["a", "b", "c"]
    assert vendor.ranges(Action(state={})) == []
    assert vendor.ranges(Action()) is None


def test_a_row_has_values_instances_names_shapes_and_ranges() -> None:
    kept = rows.columns([BYTES, OPCODES], (), frozenset())
    metrics = {BYTES: Metric(7), OPCODES: Metric(5, (5,), ("FFMA",)), **shape("grid", 2, 3, 4), **shape("block", 5, 6, 7)}
    cells = vendor._row(Action(metrics, {0: ["a"]}), kept)
    assert (cells[kept.places[BYTES]], cells[kept.places[OPCODES]], cells[kept.places[TIME]]) == (7, [("FFMA", 5)], None)
    assert [cells[place] for place in (KERNEL, NAME, GRID, BLOCK, NVTX)] == ["k", "k(int)", [2, 3, 4], [5, 6, 7], ["a"]]
    assert len(cells) == 7 + len(kept.places)


def with_actions(monkeypatch: pytest.MonkeyPatch, *parts: list[Action]) -> None:
    """NVIDIA's module, answering with these launches."""
    module = ModuleType("ncu_report")
    module.load_report = lambda path: parts  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ncu_report", module)


def test_launches_of_all_parts_are_read_and_empty_ones_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Action({TIME: Metric(2000.0, measure="ns"), BYTES: Metric(3, measure="byte")})
    second = Action({"x__time.sum": Metric(5, measure="ns")})
    with_actions(monkeypatch, [first, Action()], [second])
    capture = vendor.read(saved(tmp_path, simple()), metrics=["x__*"])
    assert capture.launches["seconds"].to_list() == [2e-6, None]
    assert capture.launches[f"m:{BYTES}"].to_list() == [3.0, None]
    assert capture.launches["m:x__time.sum"].to_list() == [None, 5 / 1e9]
    assert capture.notes == ("1 of 3 launches are damaged in the file and left out.",)
    with_actions(monkeypatch, [first])
    assert vendor.read(saved(tmp_path, simple())).notes == ()


def test_a_report_of_empty_launches_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_actions(monkeypatch, [Action()])
    with pytest.raises(UnreadableCapture, match="finds no kernel"):
        vendor.read(saved(tmp_path, simple()))
