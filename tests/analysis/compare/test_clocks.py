"""Time from the real steps in place of kernel times: verdicts by hand, and one of our own pairs."""

from math import log, pi, sqrt
from pathlib import Path

import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.compare.clocks import Clocks, noise_of, per_unit, timed
from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.study import Study
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.verdicts import limit
from tests.command import run as command
from tests.planted import study

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
