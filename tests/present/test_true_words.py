"""Sentences of summary and tokens that were once untrue of strange captures."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ncu_roofline.analysis.roofline.overview import overview
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.present.documents.answer import limits, moves
from ncu_roofline.present.documents.brief import verdict
from ncu_roofline.present.documents.grammar import sentence
from ncu_roofline.present.documents.tokens import repeated
from ncu_roofline.present.documents.words_tokens import amount, per
from ncu_roofline.present.forms.document import Table
from ncu_roofline.present.forms.short import file_name
from ncu_roofline.present.forms.terminal import table
from ncu_roofline.present.forms.text import shortened
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


def test_what_limits_is_unknown_for_a_reason() -> None:
    told = {
        what: limits(study, replace(overview(study), memory_bytes_share=None, sided_launches=0, bandwidth_share=None))
        for what, study in (
            ("flops", plain({"flops": None})),
            ("both", plain({"flops": None, "dram_bytes": None})),
            ("neither", plain({})),
        )
    }

    assert told["flops"] == "What limits it is unknown: the GPU is not named (--gpu) and no FLOPs were counted."
    assert told["both"].endswith("(--gpu) and neither DRAM bytes nor FLOPs were counted.")
    assert told["neither"] == "What limits it is unknown: the GPU is not named (--gpu)."


def test_the_brief_names_the_regime_that_the_answer_tells() -> None:
    numbers = replace(overview(plain({})), memory_bytes_share=1.0, side_known_bytes_share=1.0, limit_known_time_share=1.0)

    # 51 % of the time in kernels that reach neither roof: bytes left of the ridge do not decide
    assert [verdict(replace(numbers, latency_time_share=share)) for share in (0.5, 0.51)] == ["memory", "neither"]


def test_a_long_file_name_does_not_widen_a_screen() -> None:
    assert file_name("a" * 200 + ".ncu-rep").endswith(".ncu-rep") and len(file_name("a" * 200 + ".ncu-rep")) == 44
    assert file_name("decode.ncu-rep") == "decode.ncu-rep"


def test_names_that_would_look_alike_keep_what_tells_them_apart() -> None:
    names = ["nvjet_sm90_tst_384x8_64x4_v_bz_TNT", "nvjet_sm90_tst_128x8_64x12_v_bz_TNT"]
    short = shortened(names, 17)

    assert len(set(short)) == 2 and all(len(text) <= 17 for text in short)
    assert "384x8" in short[0] and "128x8" in short[1]
    assert len(set(shortened([names[0]] * 2, 17))) == 1


def test_a_table_narrows_its_names_when_nothing_else_can_go() -> None:
    rows = pl.DataFrame({"kernel": ["k" * 60], "role": ["attention"], "gain_seconds": [1e-6]})
    drawn = table(Table("", rows, ("kernel", "role", "gain_seconds")), 36)

    # role 9, gain 4, two gaps of 2: 19 are left for the name
    assert max(len(line) for line in drawn.splitlines()) <= 36


def test_sums_of_a_part_are_not_called_those_of_the_whole_capture() -> None:
    study = plain({"role": "copy"}, {})
    beside = replace(study, every=pl.concat([study.launches, study.launches]))
    layered = replace(beside, launches=study.launches.with_columns(layer_whole=True))
    sums = replace(totals(study.launches, study.run), basis="capture", layers=1)

    def told(of: Study) -> list[str]:
        return [moves(of, overview(of), sums), per(of, sums)]

    assert all("in the whole capture" in said for said in told(study))
    assert all(f"in {study.launches.height} decode launches" in said for said in told(beside))
    assert all("in 1 whole layer" in said for said in told(layered))


def test_shares_are_those_of_the_kernels_that_move_the_bytes() -> None:
    # FC writes too, and reads more than weights: of our dense step at batch 128 FC moves 57 %, weights are 53 %
    study = plain({"role": "fc"})
    assert moves(study, overview(study), totals(study.launches, study.run)).endswith(": 100 % FC.")


def test_bytes_that_were_read_are_not_said_to_be_uncounted() -> None:
    study = plain({"flops": None, "dram_bytes": None})
    numbers = replace(overview(study), memory_bytes_share=None, sided_launches=0, bandwidth_share=None, reads_known=1)
    assert limits(study, numbers).endswith("(--gpu) and neither DRAM writes nor FLOPs were counted.")
