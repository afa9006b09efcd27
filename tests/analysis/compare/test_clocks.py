"""Time from the real steps in place of kernel times: verdicts by hand, and one of our own pairs."""

from dataclasses import replace
from math import log, pi, sqrt
from pathlib import Path

import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.compare.clocks import Clocks, noise_of, per_unit, timed
from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.study import Study
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.verdicts import limit
from ncu_roofline.readers import saved
from tests.command import run as command
from tests.generator.timelines import Timeline, timeline, write_kineto
from tests.planted import study
from tests.stating import stating

MEASURED = Path(__file__).parents[3] / "fixtures" / "measured"
DENSE, FP8 = (str(MEASURED / f"h100-{name}-b8.ncu-repz") for name in ("dense", "fp8"))
STEPS = (0.98, 0.99, 1.0, 1.01, 1.02, 1.0, 1.0, 1.0, 1.0, 1.0)


def pair() -> tuple[Study, Study]:
    """Half of the weight bytes, and kernels that keep most of their time."""
    return study(layers=4, steps=2), study(layers=4, steps=2, weights="fp8")


def judged(base: tuple[float, ...], head: tuple[float, ...], stated: bool = False) -> Comparison:
    one, other = pair()
    return compare([one], [other], vary=frozenset({"weights"}), clocks=Clocks(base=base, head=head, stated=stated))


def test_without_a_clock_the_kernels_tell() -> None:
    one, other = pair()
    found = compare([one], [other], vary=frozenset({"weights"}))

    assert found.judged.seconds.direction == -1 and found.clocks is None


@pytest.mark.parametrize(("factor", "verdict"), [(1.5, "bytes_cut_slower"), (1.0, "bytes_cut_time_kept"), (0.55, "cuts_bytes")])
def test_the_real_steps_decide_whether_cut_bytes_paid(factor: float, verdict: str) -> None:
    found = judged(STEPS, tuple(factor * t for t in STEPS))

    assert found.verdict == verdict
    assert found.judged.seconds.part == pytest.approx(factor - 1)


def test_time_is_divided_like_the_bytes() -> None:
    one, other = pair()
    found = compare([one], [other], vary=frozenset({"weights"}), clocks=Clocks(base=(1.0, 1.0), head=(2.0, 2.0)))
    batch = one.run.batch.value

    assert found.basis == "token" and batch is not None
    assert (found.judged.seconds.base, found.judged.seconds.head) == (pytest.approx(1 / batch), pytest.approx(2 / batch))
    assert per_unit(found.base) == batch


def test_noise_is_that_of_two_medians() -> None:
    # ln(1.1) apart: a standard deviation of ln(1.1) / sqrt(2) on both sides, of two steps each
    pairs = (1.0, 1.1)
    each = log(1.1) / sqrt(2)

    assert noise_of((pairs, pairs)).variance == pytest.approx(2 * pi / 2 * each**2 / 2)
    assert noise_of((pairs, pairs)).dof == 2


def test_one_stall_among_many_steps_does_not_hide_a_change() -> None:
    found = judged((*STEPS, 30.0), tuple(0.55 * t for t in STEPS))

    assert found.verdict == "cuts_bytes"


def test_steps_that_vary_as_much_as_the_change_tell_nothing() -> None:
    wild = tuple(2.0 ** (n % 3) for n in range(9))

    found = judged(wild, tuple(0.8 * t for t in wild))
    assert (found.verdict, found.judged.answers) == ("cuts_bytes", {"bytes": -1, "seconds": None})


def test_a_stated_time_is_believed_up_to_the_drift_between_runs() -> None:
    drift = limit("prior_seconds")
    inside, beyond = (timed(Clocks(base=(1.0,), head=(1 + part,), stated=True), (1.0, 1.0)) for part in (0.03, 0.08))

    assert inside.reach == beyond.reach == drift and not inside.measured
    assert (inside.direction, beyond.direction) == (0, 1)


def test_a_side_without_a_step_is_refused() -> None:
    with pytest.raises(UnusableInput, match="head shows no decode step"):
        Clocks(base=(1.0,), head=())


def test_stating_the_time_of_one_side_alone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnusableInput, match="of both sides"):
        nr.compare(nr.study(nr.read(DENSE, step_time=0.001)), FP8, vary=["weights"])
    answer = command(capsys, "compare", DENSE, FP8, "--vary", "weights", "--step-time", "1ms")
    assert answer.code == 3 and "needs two times" in answer.err


def test_a_stated_time_makes_the_verdict_and_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("compare", DENSE, FP8, "--vary", "weights")
    slower = command(capsys, *options, "--step-time", "1.4ms,1.7ms").out
    same = command(capsys, *options, "--base-run", "step_time=1.4ms", "--head-run", "step_time=1.7ms").out

    assert slower.startswith("Bytes cut, slower") and slower == same
    assert "Time is that of the step as stated" in " ".join(slower.split())


def slower(made: Timeline, factor: int) -> Timeline:
    """The same run at so many times the pace."""
    events = [replace(e, start=factor * e.start, end=factor * e.end, launched=factor * e.launched) for e in made.events]
    return replace(made, events=events)


@pytest.mark.parametrize(("factor", "verdict"), [(1, "Same bytes: "), (2, "Same bytes, slower: ")])
def test_traces_of_both_sides_tell_whether_the_step_got_faster(
    factor: int, verdict: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = timeline(2, "plain")
    capture = tmp_path / "capture.parquet"
    capture.write_bytes(saved.packed(made.capture.capture))
    base = write_kineto(made, tmp_path / "base.json")
    head = write_kineto(slower(made, factor), tmp_path / "head.json.gz")
    answer = command(capsys, "compare", str(capture), str(capture), "--base-trace", str(base), "--head-trace", str(head))

    assert answer.code == 0, answer.err
    assert answer.out.startswith(verdict)
    assert "Time is the median of 8 steps of the base and 8 of the head" in " ".join(answer.out.split())
    assert "of one run" not in answer.out


def test_a_trace_of_one_side_alone_and_one_without_a_step_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "capture.parquet"
    capture.write_bytes(saved.packed(timeline(2, "plain").capture.capture))
    dull = str(write_kineto(timeline(1, "plain"), tmp_path / "dull.json"))
    pair_of = ("compare", str(capture), str(capture), "--base-trace", dull)

    assert "needed of both sides" in command(capsys, *pair_of).err
    assert "shows no decode step" in command(capsys, *pair_of, "--head-trace", dull).err
    told = command(capsys, *pair_of, "--head-trace", dull, "--step-time", "1ms,1ms")
    assert told.code == 3


def test_traces_and_stated_times_together_are_refused() -> None:
    one, other = (replace(s, run=stating(s.run, step_time=1.0)) for s in pair())
    with pytest.raises(UnusableInput, match="leave one"):
        compare([one], [other], vary=frozenset({"weights"}), clocks=Clocks(base=(1.0,), head=(1.0,)))


def test_time_that_the_captures_do_not_show_is_not_blamed_on_small_kernels_alone() -> None:
    from ncu_roofline.present.documents.compare import document

    one, other = study(layers=4, steps=2), study(layers=4, steps=2)
    found = compare([one], [other], clocks=Clocks(base=STEPS, head=tuple(2 * t for t in STEPS)))

    assert found.verdict == "same_bytes_slower"
    assert "it is between kernels" in " ".join(document(found, "role", ()).answer)
