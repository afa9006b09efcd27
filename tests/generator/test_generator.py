"""The truth beside generated runs is itself right: checked by hand on runs drawn up here."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from tests.generator.engines import ENGINES
from tests.generator.judge import agrees, outcome, page
from tests.generator.judge_pairs import claim
from tests.generator.kernels import Pass
from tests.generator.plans import KINDS, Plan, plan
from tests.generator.runs import Change, generated, run
from tests.generator.shapes import LLAMA
from tests.generator.timelines import VARIANTS, Event, Timeline, kineto, timeline, write_nsys
from tests.generator.truths import Told


def of_two_layers(*passes: Pass, window: str = "whole") -> Plan:
    return Plan(seed=0, kind="constant batch", engine=ENGINES["loop"], passes=passes, window=window)


def decode(step: int, batch: int) -> Pass:
    return Pass(shape=replace(LLAMA, layers=2), kind="decode", step=step, contexts=(1023,) * batch)


def test_a_seed_gives_the_same_run_again() -> None:
    assert run(7).capture.launches.equals(run(7).capture.launches)


def test_every_kind_of_run_takes_its_turn() -> None:
    assert [plan(seed).kind for seed in range(len(KINDS))] == list(KINDS)


def test_tokens_are_the_sum_of_the_rows_of_steps() -> None:
    facts = generated(of_two_layers(decode(0, 8), decode(1, 4))).truth.facts
    assert facts["tokens"] == Told(accepted=((12, 12),), determined=True)
    assert facts["batch"] == Told(accepted=((4, 8),), determined=True)


def test_bytes_of_a_step_are_its_weights_and_its_cache() -> None:
    made = generated(of_two_layers(decode(0, 8)), noise=0.0)
    layer = 4096 * (4096 + 2 * 1024) + 4096 * 4096 + 3 * 4096 * 14336
    weights = 2 * (2 * layer + 4096 * 128256)
    cache = 2 * 8 * 1024 * 2 * 8 * 128 * 2  # layers, sequences, tokens, K and V, heads, width, bytes
    ((least, _),) = made.truth.facts["read_per_token"].accepted
    assert weights + cache < 8 * least < 1.01 * (weights + cache)


def test_a_window_without_a_whole_step_has_no_tokens() -> None:
    made = generated(of_two_layers(decode(0, 8), window="layers"))
    assert made.truth.facts["steps"].accepted == ((0, 0),)
    assert made.truth.facts["tokens"].accepted == ()


def test_an_interval_is_right_where_it_holds_the_truth_and_known_where_it_is_narrow() -> None:
    told = Told(accepted=((8.0, 8.0),), determined=True)
    assert [outcome(told, said) for said in ((8.0, 8.0), (8.0, 64.0), (6.0, 6.0), None)] == [
        "right",
        "withheld",
        "false",
        "withheld",
    ]


def test_a_point_is_false_where_the_batch_varies() -> None:
    assert not agrees(Told(), (4.0, 8.0), (8.0, 8.0))
    assert agrees(Told(), (4.0, 8.0), (4.0, 8.0))


def test_a_planted_change_moves_the_sum_by_what_was_planted() -> None:
    made = of_two_layers(decode(0, 8))
    fc = sum(k.reads for k in generated(made, noise=0.0).shown.kernels if k.role == "fc")
    before, after = (sum(generated(made, 0.0, c).taken[0]) for c in (Change(), Change(role="fc", bytes_=0.9)))
    assert abs(before - after - 0.1 * fc) < 32 * len(generated(made).shown.kernels)  # whole sectors


def test_time_that_is_kept_does_not_follow_bytes() -> None:
    made = of_two_layers(decode(0, 8))
    kept = generated(made, 0.0, Change(role="fc", bytes_=0.5, kept=True))
    assert sum(kept.taken[2]) == sum(generated(made, 0.0).taken[2])


def test_a_claim_is_false_where_the_sign_is_wrong_or_the_margin_is_left() -> None:
    assert claim("bytes", "cut", -0.02, 1.0) == ""
    assert claim("bytes", "cut", 0.0, 1.0) == "bytes cut, is +0.0 %"
    assert claim("time", "same", 0.05, 1.0) == "time same, is +5.0 %"
    assert claim("time", "same", 0.01, 1.0) == ""


def event(start: int, end: int, number: int = 0) -> Event:
    return Event(name="k", start=start, end=end, launched=start, stream=7, grid=(1, 1, 1), threads=32, number=number)


def test_overlaps_count_twice_as_kernels_and_once_as_busy() -> None:
    made = Timeline(seed=0, variant="plain", events=[event(0, 100), event(50, 150), event(250, 300, 1)], capture=run(0))
    assert (made.kernel_seconds, made.busy_seconds, made.span_seconds) == (250e-9, 200e-9, 300e-9)
    assert (made.step_seconds, made.periods) == ([150e-9, 50e-9], [250e-9])


def test_both_traces_hold_every_kernel_of_every_variant(tmp_path: Path) -> None:
    for seed, variant in enumerate(VARIANTS):
        made = timeline(seed)
        written = [e for e in kineto(made)["traceEvents"] if e["cat"] == "kernel"]
        with sqlite3.connect(write_nsys(made, tmp_path / f"{seed}.sqlite")) as base:
            count, total = base.execute("SELECT count(*), sum(end - start) FROM CUPTI_ACTIVITY_KIND_KERNEL").fetchone()
        base.close()
        assert made.variant == variant
        assert len(written) == count == len(made.events)
        assert total == round(made.kernel_seconds * 1e9) == round(1e3 * sum(e["dur"] for e in written))


def test_a_part_of_the_page_that_was_not_judged_again_stays() -> None:
    before = "# What the judge found\n\nwords\n\n## Facts of runs\n\nold\n\n## Verdicts on pairs\n\nkept\n"
    assert page(["## Facts of runs\n\nnew\n"], before).split("## ")[1:] == [
        "Facts of runs\n\nnew\n\n",
        "Verdicts on pairs\n\nkept\n",
    ]
