"""Runs the command line inside the test's process: exit code, standard output, standard error."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ncu_roofline.cli import main


class Answer(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Answer:
    """The command as a user would run it; every command ends in an exit code."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    streams = capsys.readouterr()
    return Answer(int(left.value.code or 0), streams.out, streams.err)
