"""How a capture was measured, from the session details of its report."""

from __future__ import annotations

import pytest

from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.readers.report.protocol import NO_FILTER, run, settings, spelled
from tests.report_bytes import field, session


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
    assert known.launch_filter.value == "kernel-name"


def test_damaged_session_details_leave_the_facts_unknown() -> None:
    assert run([b"\xff\xff\xff", b"\x42\x7f"]) == Run()


# one step at a time


def told(*fields: bytes) -> Run:
    return run([b"".join(fields)])


def version(name: str, shown: str) -> bytes:
    return field(8, field(1, name) + field(2, shown) + field(3, 5))


def test_versions_are_the_numbers_at_the_beginning_of_known_entries() -> None:
    known = told(
        version("Nsight Compute Target", "2025.1.0 (build 1)"),
        version("Display Driver Version", "580.65.06"),
        version("CUDA Version", "13"),
        version("Operating System", "5.15"),
        version("Nsight Compute Target", "2024.1"),
    )
    evidence = ("report", "session details")
    assert known == Run(
        profiler_version=Fact("2025.1.0", *evidence),
        driver_version=Fact("580.65.06", *evidence),
        cuda_version=Fact("13", *evidence),
    )
    assert told(version("CUDA Version", "secret 13")) == Run()
    assert told(field(8, field(1, "CUDA Version"))) == told(field(8, field(2, "5.1"))) == Run()


def test_the_first_command_line_counts_and_an_empty_one_is_none() -> None:
    first, second = field(11, "ncu --set full app"), field(11, "ncu --set basic app")
    assert told(first, second).metric_set.value == "full"
    assert run([first, second]).metric_set.value == "full"
    assert told(field(11, "")) == Run()
    assert told(version("Nsight Compute Target", "2025.1"), field(11, "")).clock_control == Fact()
    assert told(field(11, ""), second).metric_set.value == "basic"
    assert told(field(12, "ncu --set basic app")) == Run()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("ncu", []),
        ("ncu --set", [("set", "")]),
        ("ncu --set=full", [("set", "full")]),
        ("ncu --set= app", [("set", "")]),
        ("ncu -f --nvtx app", [("f", ""), ("nvtx", "")]),
        ("ncu -o out -i in app", [("export", "out"), ("import", "in")]),
        ("ncu 'a b' --set full", []),
        ("ncu --kernel-name 'a b' app", [("kernel-name", "a b")]),
    ],
)
def test_an_option_has_the_next_word_unless_it_is_a_flag_or_joined(command: str, options: list[tuple[str, str]]) -> None:
    assert list(spelled(command)) == options


STATED = "command line"
FILTERS = "filters of the profiler"


@pytest.mark.parametrize("value", ["/a", "~/a", "file:a", r"C:\a", r"regex:C:\a"])
def test_a_filter_that_names_a_file_is_not_shown(value: str) -> None:
    shown = settings([("kernel-name", value), ("launch-count", "3"), ("export", "x")], None)
    assert shown == {"launch_filter": Fact("kernel-name, launch-count 3", STATED, FILTERS)}


@pytest.mark.parametrize(("name", "value"), list(NO_FILTER.items()))
def test_a_filter_at_its_default_leaves_nothing_out(name: str, value: str) -> None:
    assert settings([(name, value)], None) == {}
    other = {"filter-mode": "per-gpu"}.get(name, value + "0")
    assert settings([(name, other)], None) == {"launch_filter": Fact(f"{name} {other}", STATED, FILTERS)}
    assert settings([(name, value + "-x")], None) == {"launch_filter": Fact(name, STATED, FILTERS)}


@pytest.mark.parametrize("unreadable", [None, "", "x", "2025"])
def test_without_a_readable_version_there_are_no_defaults(unreadable: str | None) -> None:
    assert settings([], unreadable) == {}


@pytest.mark.parametrize(
    ("release", "clock", "metrics"),
    [
        ("2020.3", "base", "default"),
        ("2021.1", "base", "default"),
        ("2021.2", "base", "basic"),
        ("2022.1", "base", "basic"),
        ("2025.9", "base", "basic"),
        ("2026.1", "boost", "basic"),
        ("2027.0", "boost", "basic"),
    ],
)
def test_defaults_change_with_the_release(release: str, clock: str, metrics: str) -> None:
    expected = {
        "cache_control": "all",
        "clock_control": clock,
        "replay_mode": "kernel",
        "graph_profiling": "node",
        "metric_set": metrics,
    }
    assert settings([], release) == {
        name: Fact(value, "version default", f"default of {release}") for name, value in expected.items()
    }


def test_a_choice_that_is_no_word_is_neither_shown_nor_replaced_by_the_default() -> None:
    found = settings([("cache-control", "a/b"), ("replay-mode", "x" * 81), ("clock-control", "x" * 80)], "2025.1")
    assert "cache_control" not in found
    assert "replay_mode" not in found
    assert found["clock_control"].value == "x" * 80


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([("set", "full"), ("set", "roofline")], "full + roofline"),
        ([("section", "A"), ("section", "/home/b")], "sections A"),
        ([("set", "a/b"), ("section", "A")], "sections A"),
        ([("metrics", "a.sum")], "1 named metric"),
        ([("metrics", "a.sum,,b.sum"), ("metrics", "b.sum,c.sum")], "3 named metrics"),
        ([("set", "full"), ("metrics", "a.sum")], "full + 1 named metric"),
        ([("set", "/home/x")], None),
        ([("section", "/home/x")], None),
        ([("metrics", ",")], None),
        ([("other", "full")], "basic"),
    ],
)
def test_the_metric_set_names_what_was_asked_for(options: list[tuple[str, str]], shown: str | None) -> None:
    found = settings(options, "2025.1").get("metric_set", Fact())
    assert found.value == shown
    assert found.origin == {None: "unknown", "basic": "version default"}.get(shown, STATED)


@pytest.mark.parametrize(
    "command",
    [
        "ncu --null-stdin python -c 'TOKEN=abc'",
        "ncu --open-in-ui python -c 'TOKEN=abc'",
        "ncu --some-new-option TOKEN=abc python",
        "ncu --check-exit-code sh -c TOKEN=abc",
        "ncu --kill python -s TOKEN=abc",
        "ncu --devices TOKEN=abc app",
        "ncu --filter-mode TOKEN=abc app",
        "ncu --profile-from-start TOKEN=abc app",
        "ncu --launch-count --nvtx python TOKEN=abc",
        "ncu -k regex:/home/TOKEN=abc/x python",
        "ncu --kernel-name /home/TOKEN=abc/x python",
    ],
)
def test_no_word_of_the_application_becomes_a_fact(command: str) -> None:
    assert not [fact for fact in settings(list(spelled(command)), "2025.3").values() if "TOKEN" in str(fact.value)]


def test_a_filter_that_names_a_path_is_told_without_its_value() -> None:
    found = settings(list(spelled("ncu -k regex:/home/user/x -c 5 app")), "2025.3")["launch_filter"]
    assert found.value == "kernel-name, launch-count 5"
