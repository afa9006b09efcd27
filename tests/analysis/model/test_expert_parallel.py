"""Experts dealt whole among GPUs: what a GPU holds, what a launch streams, and what a projection makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.model.footprint import Setting, check, held_here, streamed
from ncu_roofline.analysis.project.scales import Target, dealt
from ncu_roofline.capture.capture import Run
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.models import models
from tests.stating import stating

QWEN = models.load("qwen3-30b-a3b")
EXPERT = next(w for w in QWEN.weights if w.copies > 1 and w.matrix)
PLAIN = next(w for w in QWEN.weights if w.copies == 1 and w.role == "fc")


def test_a_gpu_holds_its_share_of_whole_experts_and_of_other_matrices_by_tp() -> None:
    how = Setting(tp=2, ep=8)
    # 128 experts: 16 whole ones on each of 8 GPUs; the other matrices in halves
    assert (held_here(EXPERT, how), held_here(PLAIN, how)) == (1 / 8, 1 / 2)
    assert (streamed(EXPERT, how), streamed(PLAIN, how)) == ((1.0, 16), (0.5, 1))
    # without it experts are divided like the rest: half of each of 128
    assert streamed(EXPERT, Setting(tp=2)) == (0.5, 128)


@pytest.mark.parametrize("ep", [0, 3, 129])
def test_a_number_of_gpus_that_does_not_divide_the_experts_is_refused(ep: int) -> None:
    with pytest.raises(UnusableInput, match=f"`ep=` {ep}"):
        check(QWEN, Setting(ep=ep))
    check(QWEN, Setting(ep=8))


def test_a_model_without_experts_deals_none() -> None:
    with pytest.raises(UnusableInput, match="does not divide the 0 experts"):
        check(models.load("llama-3.1-8b"), Setting(ep=2))


def test_a_projection_scales_experts_by_the_gpus_that_they_are_dealt_among() -> None:
    assert dealt(Run(), Target(ep=8)) == 1 / 8
    # divided among 4 before, one of 8 each then: half of what a GPU read
    assert dealt(stating(tp=4), Target(ep=8)) == 0.5
    assert dealt(stating(tp=4), Target(tp=8)) == 0.5
    # dealt among 8 before: another number of GPUs that share the other matrices changes nothing
    assert dealt(stating(tp=1, ep=8), Target(tp=2)) == 1.0
    assert replace(Target(), ep=2) != Target()


def test_a_projection_deals_the_experts_of_a_capture_and_leaves_the_rest() -> None:
    found = nr.project("fixtures/measured/h100-moe-b8.ncu-repz", ep=8)
    # 8 grouped products move 1,974.6 of the 2,763 MB of FC; an eighth of their matrices stays: 1,728 MB less, or 216 a token
    saved = found.total["bytes"] - found.total["bytes_high"]
    assert saved == pytest.approx(1974.6e6 * 7 / 8 / 8, rel=0.02)
    with pytest.raises(UnusableInput, match="no kernel of experts"):
        nr.project("fixtures/measured/h100-dense-b8.ncu-repz", ep=8)
