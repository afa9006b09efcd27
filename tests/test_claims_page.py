"""The page of claims is what the tool writes, and every number on it is printed by a command that stands there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.command import run
from tools import claims

ROOT = Path(__file__).parent.parent
EVERY = claims.steps()


def printed(command: str) -> dict[str, float]:
    """The one line of the timings that a command of the page prints."""
    done = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


def test_the_page_is_the_one_that_the_tool_writes() -> None:
    assert claims.PAGE.read_text(encoding="utf-8") == claims.page()


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.claim)
def test_clocks_and_sizes_are_what_their_commands_print(claim: claims.Claim) -> None:
    base, head = (printed(command) for command in claims.commands(claim, EVERY)[:2])
    _, _, size, clock, _ = claims.row(claim, EVERY)
    before, after = (line["weight_bytes"] + line["kv_bytes"] for line in (base, head))

    assert clock.endswith(f" {base['seconds'] / head['seconds']:.2f}x")
    said = re.search(r"([+-]?)([\d.]+) % by size|the same size|by size", size.replace("32 layers: ", ""))
    change = float(f"{said[1]}{said[2]}") if said and said[2] else 0.0
    assert change == pytest.approx(100 * (after / before - 1), abs=0.05)


@pytest.mark.parametrize("claim", [c for c in claims.CLAIMS if c.captures], ids=lambda claim: claim.claim)
def test_reads_and_verdicts_are_what_their_commands_print(claim: claims.Claim, capsys: pytest.CaptureFixture[str]) -> None:
    base, head, compared = (shlex.split(command)[1:] for command in claims.commands(claim, EVERY)[2:])
    for command in (base, head):
        said = re.search(r"\(([\d.]+ GB) read", run(capsys, *command).out)
        assert said and said[1] in claims.row(claim, EVERY)[2]
    assert run(capsys, *compared).code == 0


def test_what_measurement_contradicts_stands_with_its_reason() -> None:
    text = claims.PAGE.read_text(encoding="utf-8")

    assert "6.1 ms, 1.31x | gains more than claimed" in text  # FP8 at batch 8: claimed under 25 %
    assert "12.9 ms, 0.62x | fails: fewer bytes, more time" in text  # 2:4 at batch 8: 61 % more time
    assert "4.44 ms, 1.70x | holds" in text  # INT4 at batch 1
    assert "8.15 ms, 0.98x | fails: this kernel" in text  # INT4 at batch 8


def test_the_readme_of_the_captures_lists_every_timing() -> None:
    text = (claims.MEASURED / "README.md").read_text(encoding="utf-8")
    files = [claims.MEASURED / f"timings-{device}.jsonl" for device in ("h100", "h200")]
    lines = [(file.stem[-4:].upper(), json.loads(line)) for file in files for line in file.read_text().splitlines()]
    for device, line in lines:
        least = (line["weight_bytes"] + line["kv_bytes"]) / 1e9
        who = f"| {device} | {line['variant']} | {line['batch']} | {line['context']:,} | {line['layers']} | "
        assert f"{who}{1e3 * line['seconds']:.2f} | {1e3 * line['seconds_eager']:.2f} | {least:.2f} |" in text
    assert text.count("| H100 | ") + text.count("| H200 | ") == len(lines)
