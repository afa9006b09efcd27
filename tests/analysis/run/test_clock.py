"""A stated time of the step: in place of kernel times, by hand, on our own captures, and what it refuses."""

import json
from pathlib import Path

import pytest

from ncu_roofline.analysis.run.clock import clocked, stated_seconds
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.errors import UnusableInput
from tests.command import run as command
from tests.kernels import h100, placed
from tests.stating import stating

MEASURED = Path(__file__).parents[3] / "fixtures" / "measured"
DENSE = str(MEASURED / "h100-dense-b8.ncu-repz")
ROWS = [("fc", 0, 100.0), ("attention", 0, 20.0), ("sampling", None, 8.0)]


def test_a_stated_step_stands_for_the_sum_of_kernel_times() -> None:
    run = stating(batch=4, step_time=2e-6)
    whole = totals(placed(ROWS, seconds=1e-6), run)
    clock = clocked(whole, h100())

    # three kernels of 1 us; 128 bytes in 2 us for 4 tokens
    assert clock is not None and (clock.seconds, clock.kernel_seconds) == (2e-6, pytest.approx(3e-6))
    assert whole.per_step("seconds") == 2e-6 and whole.per_token("seconds") == 0.5e-6
    assert clock.rate == pytest.approx(128 / 2e-6) and clock.share == pytest.approx(64e6 / 3.35e12)
    assert (clock.reads, clock.least) == (False, False)


def test_time_per_token_of_a_sequence_is_the_step_over_the_tokens_that_it_yields() -> None:
    assert stated_seconds(stating(tpot=2e-3, accepted=3.0)) == pytest.approx(6e-3)
    assert stated_seconds(stating(tpot=2e-3)) == 2e-3
    drafting = Run(accepted=Fact(None, "unknown", "drafts are verified"), tpot=Fact(2e-3, "given"))
    assert stated_seconds(drafting) is None


def test_both_spellings_at_once_are_refused() -> None:
    with pytest.raises(UnusableInput, match="leave one"):
        stated_seconds(stating(tpot=2e-3, step_time=2e-3))


def test_what_lacks_bytes_or_layers_reaches_at_least_so_much() -> None:
    unmeasured = clocked(totals(placed([*ROWS, ("norm", 0, None)]), stating(step_time=1.0)), None)
    window = clocked(totals(placed(ROWS, whole=False), stating(step_time=1.0, batch=1, layers_captured=(1, 2))), None)

    assert unmeasured is not None and unmeasured.least and unmeasured.share is None
    assert window is not None and window.least and window.rate == 240  # (100 + 20) x 2 layers


def test_without_a_step_a_stated_time_is_of_nothing() -> None:
    whole = totals(placed(ROWS, whole=False), stating(step_time=1.0))

    assert whole.steps is None and clocked(whole, None) is None and whole.stated_seconds is None


def test_the_step_of_our_h100_reads_at_64_percent_of_the_bandwidth(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(command(capsys, "tokens", DENSE, "--step-time", "1.432ms", "--format", "json").out)

    # 3,072,763,648 bytes read (known.tsv) in 1.432 ms of 3.35 TB/s
    assert told["step"]["achieved_bytes_per_second"] == pytest.approx(3_072_763_648 / 1.432e-3)
    assert told["step"]["bandwidth_share"] == pytest.approx(0.6405, abs=1e-4)
    assert told["step"]["kernel_seconds"] == pytest.approx(0.00160528)
    assert told["total"]["seconds_per_token"] == pytest.approx(1.432e-3 / 8)


@pytest.mark.parametrize("name", ["tokens", "summary"])
def test_it_says_that_the_time_is_stated_and_what_the_kernels_add_up_to(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(command(capsys, name, DENSE, "--tpot", "1.432 ms").out.split())

    assert "A step takes 1.43 ms as stated: it reads 2.15 TB/s, 64.1 % of the DRAM peak." in said
    assert "Its kernels add up to 1.61 ms under the profiler." in said


def test_a_capture_of_some_layers_warns_of_a_step_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(command(capsys, "tokens", DENSE, "--model", "llama-3.1-8b", "--step-time", "8.01ms").out.split())

    assert "The capture has 4 of 32 layers: this is true of a step of as many." in said


def test_more_than_the_gpu_can_is_said_to_be_no_time_of_this_step(capsys: pytest.CaptureFixture[str]) -> None:
    said = " ".join(command(capsys, "tokens", DENSE, "--step-time", "0.5ms").out.split())
    assert "No GPU can" in said


@pytest.mark.parametrize("odd", ["8", "8.0parsec", "-8ms", "0ms", "ms", "1e99s", "nan"])
def test_a_time_without_a_possible_unit_and_size_is_refused(odd: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = command(capsys, "tokens", DENSE, f"--step-time={odd}")

    assert answer.code == 3 and "no time of a step" in answer.err


def test_a_floor_says_how_many_times_itself_the_step_takes(capsys: pytest.CaptureFixture[str]) -> None:
    setting = ("--model", "llama-3.1-8b", "--gpu", "h100", "--context", "2048", "--batch", "8")
    told = json.loads(command(capsys, "floor", *setting, "--step-time", "8.01ms", "--format", "json").out)
    below = command(capsys, "floor", *setting, "--step-time", "2ms").out

    # (15,009,316,864 + 2,147,483,648) bytes at 3.35 TB/s take 5.121 ms; 8.01 / 5.121 = 1.564
    assert told["step"]["over_floor"] == pytest.approx(1.564, abs=1e-3)
    assert told["step"]["bandwidth_share"] == pytest.approx(1 / 1.564, abs=1e-3)
    assert "No run can be below its floor" in below
