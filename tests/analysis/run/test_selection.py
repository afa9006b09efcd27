"""Which launches a question is about: decode where it is told, prompts where they are asked for, else all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ncu_roofline.analysis.run.basis import selected
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.analysis.study import Choices, study
from ncu_roofline.capture.capture import Capture
from ncu_roofline.present.documents.words_notes import note
from tests.analysis.run.test_cases import layers, prompt, step, studied
from tests.command import run as command
from tests.kernels import launches

MIXED = str(Path(__file__).parents[3] / "fixtures/synthetic/prefill-decode.ncu-repz")


def test_where_decode_is_told_whole_steps_count_and_the_rest_is_said() -> None:
    found = studied(step(8), step(8), prompt(3000), step(8)[:12])
    assert found.launches.height == 2 * len(step(8))
    left = len(prompt(3000)) + 12
    assert any(
        note(n).startswith(f"{left} of {found.every.height} launches are outside of whole decode steps") for n in found.notes
    )


def test_where_nothing_tells_of_decode_everything_counts() -> None:
    found = studied(layers(100, 2))
    assert found.launches.height == found.every.height
    assert not any("--phase" in note(n) for n in found.notes)


def test_a_prompt_is_counted_by_its_own_tokens() -> None:
    frame = launches(*prompt(4096), *step(8), *step(8))
    asked = study(Capture(launches=frame), Choices(phase="prefill"))
    whole = totals(asked.launches, asked.run, asked.phase)
    # every launch of a layer reads 1 to 6 MB: 26 MB a layer, 4 layers, 1 MB of the embedding
    assert (whole.tokens, whole.sums["dram_bytes"], whole.per_token("dram_bytes")) == (4096, 105e6, 105e6 / 4096)


def test_all_launches_have_no_token() -> None:
    found = studied(step(8), prompt(3000))
    every = selected(found.every, found.run, "all")
    assert every.left_out == 0
    assert totals(every.launches, found.run, "all").basis == "capture"


@pytest.mark.parametrize(("phase", "tokens", "left_out"), [(None, 16, 44), ("decode", 16, 44), ("prefill", 4096, 96)])
def test_the_command_line_asks_for_a_phase(
    phase: str | None, tokens: int, left_out: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--phase", phase] if phase else []
    told = json.loads(command(capsys, "tokens", MIXED, "--format", "json", *options)[1])
    assert (told["tokens"], told["captured"]["launches_left_out"]) == (tokens, left_out)


def test_summary_and_tokens_tell_the_same_shares(capsys: pytest.CaptureFixture[str]) -> None:
    summary = json.loads(command(capsys, "summary", MIXED, "--format", "json")[1])
    tokens = json.loads(command(capsys, "tokens", MIXED, "--format", "json")[1])
    assert summary["total"]["launches"] == tokens["launches"]
    assert summary["total"]["dram_bytes"] == pytest.approx(tokens["total"]["dram_bytes"])
