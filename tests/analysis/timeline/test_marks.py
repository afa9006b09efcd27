"""Ranges that are torn, parts of a step or passes that draft (synthetic): by hand."""

from pathlib import Path

import pytest

from ncu_roofline.analysis.study import study
from ncu_roofline.analysis.timeline.steps import stepped
from ncu_roofline.readers.timeline.timeline import read
from tests.analysis.timeline.test_alone import step, timed
from tests.generator.timelines import timeline, write_kineto

STEP = "step[DECODE bs=4]"
VERIFY = ("void VerifyTreeGreedy<int, long>(int*)", 4)


def test_a_range_whose_first_kernels_the_trace_lacks_is_no_whole_step() -> None:
    found = timed(step(4, 4)[5:], step(4, 4), step(4, 4), step(4, 4), ranges=(STEP,) * 4)

    assert (found.steps.value, found.steps.low, found.steps.high) == (None, 3, 4)
    # 18 kernels of a microsecond each; the last of them is at the trace's end and has as many
    assert found.times == pytest.approx((18e-6, 18e-6))


def test_one_range_alone_is_a_step_where_its_kernels_are_those_of_a_whole_one() -> None:
    assert timed(step(4, 4), ranges=(STEP,)).steps.value == 1
    torn = timed(step(4, 4)[3:], ranges=(STEP,))
    assert (torn.steps.value, torn.times) == (None, ())


def test_several_ranges_until_tokens_are_drawn_are_one_step() -> None:
    # a graph in two parts, each with a range
    whole = step(4, 4)
    parts = [whole[:9], whole[9:]] * 3
    found = timed(*parts, ranges=(STEP,) * 6)

    assert (found.steps.value, found.steps.low, found.steps.high) == (None, 3, 6)
    assert found.times == pytest.approx((18e-6, 18e-6))


def test_ranges_of_drafts_with_as_many_kernels_are_told_by_their_verification() -> None:
    draft, target = step(4, 4, layers=1), [*step(8, 4), VERIFY]
    found = timed(*[draft, draft, draft, target] * 3, ranges=(STEP,) * 12)

    assert (found.steps.low, found.steps.high) == (3, 12)
    # three drafts of 11 kernels and a pass of 19
    assert found.times == pytest.approx((52e-6, 52e-6))


@pytest.mark.parametrize("seed", [37, 86])
def test_drafts_of_generated_engines_are_no_steps(seed: int, tmp_path: Path) -> None:
    kind = "speculative, tree" if seed == 37 else "speculative, chain"
    made = timeline(seed, "plain", kind)
    found = stepped(read(write_kineto(made, tmp_path / "t.json")))
    steps = len({p.step for p in made.capture.plan.passes})

    assert found.steps.value in (None, steps) and (found.steps.low or 0) <= steps <= (found.steps.high or steps)


def test_a_head_that_ends_a_prompt_marks_no_step(tmp_path: Path) -> None:
    made = timeline(35, "plain", "prompt in chunks, then decode", window="planned")
    trace = read(write_kineto(made, tmp_path / "t.json"))

    assert stepped(trace, beside=study(made.capture.capture)).steps.low in (None, 0)


def test_pieces_of_several_steps_on_one_stream_are_none(tmp_path: Path) -> None:
    made = timeline(81, "shuffled streams", "varying batch")
    found = stepped(read(write_kineto(made, tmp_path / "t.json")))

    assert all(any(t == pytest.approx(p, rel=0.02) for p in made.periods) for t in found.times)


def test_steps_of_decode_alone_are_told_from_those_that_carry_a_prompt(tmp_path: Path) -> None:
    for seed in (3, 4, 5, 20, 52):
        made = timeline(seed, "plain", "mixed steps")
        found = stepped(read(write_kineto(made, tmp_path / "t.json")))
        pure = sum(p.kind == "decode" for p in made.capture.plan.passes)

        assert found.steps.value in (None, pure)
        assert (found.steps.low or 0) <= pure <= (found.steps.high or pure)
        each = made.periods if found.to_next else made.step_seconds
        alone = [t for t, p in zip(each, made.capture.plan.passes, strict=False) if p.kind == "decode"]
        assert all(any(t == pytest.approx(a, rel=1e-9) for a in alone) for t in found.times)


def test_a_range_of_other_sequences_drafts_nothing_for_the_next() -> None:
    small, large = step(2, 2, layers=1), step(4, 4, layers=4)
    found = timed(*[small, large] * 3, ranges=("step[DECODE bs=2]", STEP) * 3)

    assert (found.steps.low or 0) <= 6 <= (found.steps.high or 6)
    # a small step takes 11 kernels of a microsecond, a large one 32
    assert found.times and all(any(t == pytest.approx(size) for size in (11e-6, 32e-6)) for t in found.times)


def test_a_prompt_as_deep_as_two_passes_may_hold_a_step(tmp_path: Path) -> None:
    # kernels around the end of the prompt are fused under names that nobody knows
    made = timeline(71043, "fused kernels", "prompt in chunks, then decode", window="planned")
    found = stepped(read(write_kineto(made, tmp_path / "t.json")))

    assert (found.steps.value, found.steps.low, found.steps.high) == (None, 2, None)
