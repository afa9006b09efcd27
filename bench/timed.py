"""A pytest plugin: outcome and seconds of every test, as JSON, into the file that $TIMED_TESTS names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

SEEN: dict[str, dict[str, object]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds up the phases of a test; one that is not passed in any of them is not passed."""
    entry = SEEN.setdefault(report.nodeid, {"seconds": 0.0, "passed": True})
    entry["seconds"] = float(str(entry["seconds"])) + report.duration
    entry["passed"] = bool(entry["passed"]) and report.outcome == "passed"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes what was seen; workers of xdist leave it to their controller."""
    if "TIMED_TESTS" in os.environ and not hasattr(session.config, "workerinput"):
        Path(os.environ["TIMED_TESTS"]).write_text(json.dumps(SEEN))
