"""Sentences of summary and tokens that were once untrue of strange captures."""

from __future__ import annotations

from dataclasses import replace

from ncu_roofline.analysis.roofline.overview import overview
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.present.documents.answer import limits, moves
from ncu_roofline.present.documents.grammar import sentence
from ncu_roofline.present.documents.tokens import repeated
from ncu_roofline.present.documents.words_tokens import amount
from tests.planted import plain


def test_a_question_keeps_its_mark() -> None:
    assert sentence("h100 has 4 layers: is it that?") == "h100 has 4 layers: is it that?"


def test_attention_alone_repeats_and_is_no_layer() -> None:
    assert repeated(plain({"role": "attention"})) == "repeat"
    assert repeated(plain({"role": "attention"}, {})) == "layer"


def test_no_roof_limits_a_capture_of_which_most_time_reaches_neither() -> None:
    study = plain({})
    numbers = replace(overview(study), memory_bytes_share=1.0, side_known_bytes_share=1.0, limit_known_time_share=1.0)
    assert limits(study, replace(numbers, latency_time_share=0.5)).startswith("Memory bandwidth limits it")
    assert limits(study, replace(numbers, latency_time_share=0.51)).startswith("Neither roof limits most of it: 51 %")


def test_bytes_of_neither_weights_nor_cache_are_said_to_be() -> None:
    study = plain({"role": "copy"})
    told = moves(study, overview(study), totals(study.launches, study.run))
    assert "next to none of it weights or KV cache" in told and "100 %" not in told


def test_work_of_nothing_that_was_counted_in_part_is_not_told() -> None:
    none, some = (plain({"flops": flops, "flops_complete": False}) for flops in (0.0, 2e8))
    at_least = [amount(s, replace(totals(s.launches, s.run), flops_partial=4)) for s in (none, some)]
    assert "executed" not in at_least[0] and "at least 800 MFLOP executed" in at_least[1]
