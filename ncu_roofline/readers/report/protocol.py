"""The session details of a report -> how the measurement was made.

Only the facts named here are taken. The command line, host, user, paths and environment stay behind.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.readers.report.wire import BROKEN, message, part, text

VERSIONS = {
    "Nsight Compute Target": "profiler_version",
    "Display Driver Version": "driver_version",
    "CUDA Version": "cuda_version",
}
FLAGS = frozenset(
    {
        "f",
        "force-overwrite",
        "nvtx",
        "csv",
        "details-all",
        "call-stack",
        "q",
        "quiet",
        "v",
        "version",
        "h",
        "help",
        "verbose",
        "list-sets",
        "list-sections",
        "list-rules",
        "list-metrics",
        "list-chips",
        "query-metrics",
        "query-metrics-collection",
        "lockstep-kernel-launch",
        "lockstep-nccl-launch",
        "disable-extra-suffixes",
        "null-stdin",
        "open-in-ui",
        "support-32bit",
        "print-fp",
        "list-sources",
        "suppress-repeats",
    }
)
"""Options without a value: Nsight Compute CLI, "Command Line Options"."""

VALUED = frozenset(
    {
        "o",
        "export",
        "i",
        "import",
        "k",
        "kernel-name",
        "kernel-name-base",
        "kernel-id",
        "kernel-regex",
        "kernel-base",
        "c",
        "launch-count",
        "s",
        "launch-skip",
        "launch-skip-before-match",
        "nvtx-include",
        "nvtx-exclude",
        "nvtx-push-pop-scope",
        "range-filter",
        "profile-from-start",
        "devices",
        "filter-mode",
        "cache-control",
        "clock-control",
        "replay-mode",
        "app-replay-mode",
        "app-replay-match",
        "app-replay-buffer",
        "range-replay-options",
        "graph-profiling",
        "set",
        "section",
        "section-folder",
        "section-folder-recursive",
        "section-folder-restore",
        "rule",
        "metrics",
        "apply-rules",
        "import-source",
        "import-sass",
        "source-folders",
        "resolve-source-file",
        "sampling-interval",
        "sampling-max-passes",
        "sampling-buffer-size",
        "pm-sampling-interval",
        "pm-sampling-buffer-size",
        "pm-sampling-max-passes",
        "warp-sampling-interval",
        "warp-sampling-max-passes",
        "warp-sampling-buffer-size",
        "target-processes",
        "target-processes-filter",
        "mode",
        "hostname",
        "port",
        "max-connections",
        "injection-path-32",
        "injection-path-64",
        "preload-library",
        "communicator",
        "communicator-num-peers",
        "communicator-tcp-num-peers",
        "communicator-shmem-num-peers",
        "kill",
        "check-exit-code",
        "log-file",
        "page",
        "print-details",
        "print-units",
        "print-metric-name",
        "print-metric-instances",
        "print-metric-attribution",
        "print-nvtx-rename",
        "print-rule-details",
        "print-source",
        "print-summary",
        "print-kernel-base",
        "rename-kernels",
        "rename-kernels-export",
        "rename-kernels-path",
        "config-file",
        "config-file-path",
        "chips",
        "chip",
        "query-metrics-mode",
        "pipeline-boost-state",
        "verify-kernel-name",
        "call-stack-type",
        "disable-profiler-start-stop",
        "lockstep-timeout",
        "cpu-call-stack",
        "python-call-stack",
        "data-parallel",
        "counter-set",
    }
)
"""Options with a value, of 2020 to 2026. At any other one reading stops: the next word may be the application's."""

SHORT = {"k": "kernel-name", "c": "launch-count", "s": "launch-skip", "o": "export", "i": "import"}
OLD = {"kernel-regex": "kernel-name", "kernel-base": "kernel-name-base"}  # up to 2020
FILTERS = (
    "kernel-name",
    "kernel-id",
    "launch-skip",
    "launch-skip-before-match",
    "launch-count",
    "nvtx-include",
    "nvtx-exclude",
    "range-filter",
    "profile-from-start",
    "devices",
    "filter-mode",
)
NO_FILTER = {"launch-skip": "0", "launch-skip-before-match": "0", "profile-from-start": "1", "filter-mode": "global"}
"""Values that leave nothing out; a run from the user interface spells them all."""
SHOWN = re.compile(r"\d+(?:\.\d+)*")
FILTER = re.compile(r"(?:regex:)?[\w .*+?|()\[\]^$,<>@&!=-]{1,120}/?")
"""What the value of a filter may look like to be shown: names and patterns, no path. Else the option alone is told."""
COUNT = re.compile(r"[0-9]{1,9}")
WORD = re.compile(r"\w{1,20}")
PLAIN = {
    "launch-skip": COUNT,
    "launch-skip-before-match": COUNT,
    "launch-count": COUNT,
    "devices": re.compile(r"[0-9]{1,9}(,[0-9]{1,9}){0,31}"),
    "profile-from-start": WORD,
    "filter-mode": re.compile("global|per-gpu|per-launch-config"),
}
"""Filters that take a number or one of few words: no other value of theirs is shown."""
CHOICE = re.compile(r"[\w-]{1,80}")
"""What the value of a choice may look like; anything else is not taken."""


def run(sessions: Iterable[bytes]) -> Run:
    """What the sessions of a report tell about the measurement; facts they do not tell stay unknown."""
    facts: dict[str, Fact[Any]] = {}
    options: list[tuple[str, str]] | None = None
    for session in sessions:
        for name, value in _details(session):
            if name == "command":
                options = options if options is not None else list(spelled(value))
            else:
                facts.setdefault(name, Fact(value, "report", "session details"))
    if options is not None:
        version = facts["profiler_version"].value if "profiler_version" in facts else None
        facts |= settings(options, version)
    return replace(Run(), **facts)


def asked(sessions: Iterable[bytes]) -> list[tuple[str, str]] | None:
    """The profiler's own options with their values; None where no session tells how it was called."""
    commands = (value for session in sessions for name, value in _details(session) if name == "command")
    return next((list(spelled(command)) for command in commands), None)


def launch_count(options: list[tuple[str, str]]) -> int:
    """How many launches the capture was to stop at; 0 where it was not told."""
    counts = [value for name, value in options if name == "launch-count"]
    return int(counts[-1]) if counts and COUNT.fullmatch(counts[-1]) else 0


CREATED = 2
"""Field of a session: the time at which it began."""
SINCE, UNTIL = 946_684_800, 4_102_444_800
"""2000 and 2100: a time outside of them is none."""


def taken(sessions: Iterable[bytes]) -> float | None:
    """When the first session began, in seconds since 1970; None where none tells."""
    try:
        times = [content for session in sessions for number, content in message(session) if number == CREATED]
    except BROKEN:
        return None
    return next((float(t) for t in times if isinstance(t, int) and SINCE <= t < UNTIL), None)


def _details(session: bytes) -> Iterator[tuple[str, str]]:
    try:
        for number, content in message(session):
            if number == 8:
                pair = {n: text(c) for n, c in message(part(content)) if n in (1, 2)}
                name, shown = VERSIONS.get(pair.get(1, "")), SHOWN.match(pair.get(2, ""))
                if name and shown:
                    yield name, shown[0]
            elif number == 11 and content:
                yield "command", text(content)
    except BROKEN:
        return


def spelled(command: str) -> Iterator[tuple[str, str]]:
    """Options of the profiler with their values, up to the application that it starts."""
    words = _words(command)[1:]
    while words and words[0].startswith("-"):
        name, joined, value = words.pop(0).lstrip("-").partition("=")
        name = SHORT.get(name, OLD.get(name, name))
        if name not in FLAGS and name not in VALUED:
            return  # whether the next word is its value, or the application, nobody knows
        if not joined and name not in FLAGS and words:
            if words[0].startswith("-"):
                continue
            value = words.pop(0)
        yield name, value


def _words(command: str) -> list[str]:
    if "\\" in command:  # a Windows path: the backslash is no escape
        return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
    try:
        return shlex.split(command)
    except ValueError:  # the profiler stores regular expressions without their quotes
        return command.split()


def settings(options: list[tuple[str, str]], version: str | None) -> dict[str, Fact[str]]:
    """The facts that the options state, or that the version of the profiler takes as default."""
    given = dict(options)
    facts = {
        "cache_control": _choice(given, "cache-control", "all", version),
        "clock_control": _choice(given, "clock-control", _clock_default(version), version),
        "replay_mode": _choice(given, "replay-mode", "kernel", version),
        "graph_profiling": _choice(given, "graph-profiling", "node", version),
        "metric_set": _metric_set(options, version),
    }
    facts["launch_filter"] = _launch_filter(options)
    return {name: fact for name, fact in facts.items() if fact.value is not None}


def _launch_filter(options: list[tuple[str, str]]) -> Fact[str]:
    filters = [
        f"{name} {value}" if PLAIN.get(name, FILTER).fullmatch(value) else name
        for name, value in options
        if name in FILTERS and NO_FILTER.get(name) != value
    ]
    return Fact(", ".join(filters), "command line", "filters of the profiler") if filters else Fact()


def _year(version: str | None) -> tuple[int, int] | None:
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(numbers[1]), int(numbers[2])) if numbers else None


def _clock_default(version: str | None) -> str | None:
    # Nsight Compute release notes 2026.1: the default changed from base to boost
    year = _year(version)
    return None if year is None else ("base" if year < (2026, 1) else "boost")


def _default(value: str | None, version: str | None) -> Fact[str]:
    year = _year(version)
    if value is None or year is None:
        return Fact()
    return Fact(value, "version default", f"default of {year[0]}.{year[1]}")


def _choice(given: dict[str, str], option: str, default: str | None, version: str | None) -> Fact[str]:
    value = given.get(option)
    if value is None:
        return _default(default, version)
    return Fact(value, "command line", f"--{option}") if CHOICE.fullmatch(value) else Fact()


def _metric_set(options: list[tuple[str, str]], version: str | None) -> Fact[str]:
    sets = [v for name, v in options if name == "set" and CHOICE.fullmatch(v)]
    sections = [v for name, v in options if name == "section" and CHOICE.fullmatch(v)]
    metrics = sorted({m for name, v in options if name == "metrics" for m in v.split(",") if m})
    parts = sets + (["sections " + ", ".join(sections)] if sections else [])
    parts += [f"{len(metrics)} named metric{'s' * (len(metrics) > 1)}"] if metrics else []
    if parts:
        return Fact(" + ".join(parts), "command line", "--set, --section, --metrics")
    if any(name in ("set", "section", "metrics") for name, _ in options):
        return Fact()  # stated, but not in a form that may be shown
    # the set was called default before 2021.2 (seen in reports of 2020.3 and 2021.2)
    year = _year(version)
    return _default("basic" if year and year >= (2021, 2) else "default", version)
