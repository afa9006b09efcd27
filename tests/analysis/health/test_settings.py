"""What clocks, caches and graphs of the profiler do to the numbers is said, and only where it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.health.health import cache, clocks, replay
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.present.documents.words_health import words
from tests.kernels import h100

SM = "m:sm__cycles_elapsed.avg.per_second"


def of(*hertz: float | None, device: Device | None = None, gpu: Gpu | None = None, **facts: Fact[Any]) -> Study:
    frame = pl.DataFrame({SM: hertz}, schema={SM: pl.Float64})
    return Study(
        capture=Capture(launches=frame, device=device or Device()), launches=frame, gpu=gpu, run=Run(**facts), notes=()
    )


def codes(study: Study) -> list[str]:
    return [found.code for found in clocks(study)]


@pytest.mark.parametrize(("seen", "said"), [(0.84e9, ["clocks_locked"]), (0.85e9, []), (1.0e9, [])])
def test_a_clock_far_below_the_devices_maximum_is_said(seen: float, said: list[str]) -> None:
    assert codes(of(seen, device=Device(sm_hertz=1e9))) == said


def test_the_clock_is_the_median_over_the_launches() -> None:
    found = list(clocks(of(0.4e9, 0.5e9, 1e9, None, device=Device(sm_hertz=1e9))))
    assert [f.code for f in found] == ["clocks_locked"]
    assert "50 % of its maximum" in words(found[0])[0]


def test_the_captures_own_maximum_comes_before_that_of_the_table() -> None:
    slow = replace(h100(), boost_hertz=1e9)
    assert codes(of(0.9e9, gpu=slow)) == []
    assert codes(of(0.5e9, gpu=slow)) == ["clocks_locked"]
    assert codes(of(0.9e9, device=Device(sm_hertz=2e9), gpu=slow)) == ["clocks_locked"]


def test_clocks_that_were_not_measured_are_said_where_the_device_is_known() -> None:
    assert codes(of(None, gpu=h100())) == ["clocks_unknown"]
    assert codes(of(None)) == codes(of(1e9)) == codes(of(1.98e9, gpu=h100())) == []


def test_flushed_caches_are_the_default_and_kept_ones_are_said() -> None:
    assert [f.code for f in cache(of(cache_control=Fact("none", "command line")))] == ["cache_kept"]
    told = list(cache(of(cache_control=Fact("all", "command line"))))
    assert [f.code for f in told] == ["cache_flushed"]
    assert "(command line)" in words(told[0])[0]
    assumed = list(cache(of()))
    assert [f.code for f in assumed] == ["cache_flushed"]
    assert "the profiler's default" in words(assumed[0])[0]


def test_graphs_profiled_whole_are_said() -> None:
    assert [f.code for f in replay(of(graph_profiling=Fact("graph", "command line")))] == ["whole_graphs"]
    assert list(replay(of(graph_profiling=Fact("node", "command line")))) == list(replay(of())) == []


@pytest.mark.parametrize("mode", ["range", "app-range"])
def test_ranges_profiled_whole_are_said(mode: str) -> None:
    assert [f.code for f in replay(of(replay_mode=Fact(mode, "command line")))] == ["whole_ranges"]
    assert list(replay(of(replay_mode=Fact("application", "command line")))) == []
