"""Prefill passes in the place of decode steps, and the whole trace (synthetic): by hand."""

import json
from pathlib import Path

import pytest

from tests.analysis.timeline.test_alone import step, timed
from tests.command import run as command
from tests.generator.timelines import timeline, write_kineto

PROMPT, DECODE = "execute_context_1(512)_generation_0(0)", "execute_context_0(0)_generation_4(4)"


@pytest.mark.parametrize("ranges", [(), (PROMPT, PROMPT, DECODE, DECODE)])
def test_passes_of_prompts_have_their_time_and_their_tokens(ranges: tuple[str, ...]) -> None:
    found = timed(step(512, 1), step(256, 1), step(4, 4), step(4, 4), ranges=ranges, phase="prefill")

    assert found.steps.value == 2
    # 18 kernels of a microsecond each; by order alone the pass before a decode step ends with its own last kernel
    assert found.times[0] == pytest.approx(18e-6)
    assert found.rows is not None and found.rows[0] == 512


def test_the_whole_trace_has_no_step() -> None:
    found = timed(step(4, 4), step(4, 4), ranges=(DECODE, DECODE), phase="all")

    assert (found.steps.value, found.times, found.kernels["number"].count()) == (None, (), 0)
    assert found.busy == pytest.approx(36 * 0.9 / 35.9)


def test_the_command_says_what_it_is_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = timeline(2, "plain", "prompt whole, then decode")
    path = str(write_kineto(made, tmp_path / "t.json"))
    asked = {phase: command(capsys, "step", path, "--phase", phase, "--format", "json") for phase in ("prefill", "all")}
    told = {phase: json.loads(answer.out) for phase, answer in asked.items()}

    assert [told[phase]["phase"] for phase in told] == ["prefill", "all"]
    assert told["prefill"]["steps"]["value"] == 1
    assert told["prefill"]["measured_step_seconds"]["median"] == pytest.approx(made.step_seconds[0], rel=1e-6)
    assert told["all"]["kernels"] == len(made.events)
