"""How a capture was measured, from the session details of its report."""

from __future__ import annotations

import pytest

from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.readers.protocol import run, settings, spelled
from tests.report_bytes import session


def test_options_end_where_the_application_begins() -> None:
    command = "/opt/ncu --nvtx --set full -f -o out ./app --cache-control none --set basic"
    assert dict(spelled(command)) == {"nvtx": "", "set": "full", "f": "", "export": "out"}


def test_short_joined_and_old_spellings_are_the_same_options() -> None:
    assert list(spelled("ncu -k regex:gemm -c 3 -s 5 --set=full app")) == [
        ("kernel-name", "regex:gemm"),
        ("launch-count", "3"),
        ("launch-skip", "5"),
        ("set", "full"),
    ]
    assert list(spelled("nv-nsight-cu-cli --kernel-regex gemm app")) == [("kernel-name", "gemm")]


def test_a_windows_path_with_spaces_is_one_word() -> None:
    command = r'"C:\Program Files\NVIDIA\ncu.exe" --set basic --export E:\x\y E:\app.exe --set full'
    assert dict(spelled(command)) == {"set": "basic", "export": r"E:\x\y"}


def test_a_regular_expression_with_an_open_quote_is_still_read() -> None:
    assert dict(spelled("ncu --kernel-name regex:it's --set full app"))["set"] == "full"


@pytest.mark.parametrize(("version", "clock"), [("2025.4.1.0", "base"), ("2026.1.0.0", "boost"), ("2026.3", "boost")])
def test_what_is_not_stated_is_the_default_of_that_version(version: str, clock: str) -> None:
    known = run([session("ncu app", f"{version} (build 1)")])
    year = ".".join(version.split(".")[:2])
    assert known.clock_control == Fact(clock, "version default", f"default of {year}")
    assert known.cache_control == Fact("all", "version default", f"default of {year}")
    assert known.replay_mode.value == "kernel"
    assert known.graph_profiling.value == "node"
    assert known.metric_set.value == "basic"


def test_what_is_stated_comes_from_the_command_line() -> None:
    options = "--cache-control none --clock-control none --replay-mode application --graph-profiling graph"
    known = run([session(f"ncu {options} --set full app")])
    assert known.cache_control == Fact("none", "command line", "--cache-control")
    assert known.clock_control.value == "none"
    assert (known.replay_mode.value, known.graph_profiling.value) == ("application", "graph")
    assert known.metric_set.value == "full"


def test_sections_and_metrics_are_named_as_such() -> None:
    known = run([session("ncu --section SpeedOfLight --section Occupancy --metrics a.sum,b.sum,a.sum app")])
    assert known.metric_set.value == "sections SpeedOfLight, Occupancy + 2 named metrics"


def test_filters_that_leave_nothing_out_are_no_filters() -> None:
    assert "launch_filter" not in settings(list(spelled("ncu --launch-skip 0 --filter-mode global app")), "2025.1")
    known = run([session("ncu --launch-skip 20 -c 1 -k regex:gemm app")])
    assert known.launch_filter.value == "launch-skip 20, launch-count 1, kernel-name regex:gemm"


def test_without_a_command_line_no_setting_is_guessed() -> None:
    known = run([session()])
    assert known.profiler_version == Fact("2025.1.0.0", "report", "session details")
    assert known == Run(profiler_version=known.profiler_version)


def test_a_path_as_value_is_never_taken() -> None:
    known = run([session("ncu --set /home/secret/own.set --kernel-name /home/secret/list app")])
    assert known.metric_set.value is None
    assert known.launch_filter.value is None


def test_damaged_session_details_leave_the_facts_unknown() -> None:
    assert run([b"\xff\xff\xff", b"\x42\x7f"]) == Run()
