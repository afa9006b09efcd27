"""Pairs that once had a false verdict, each by name, and swapped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Fact
from ncu_roofline.present.documents.compare import document
from ncu_roofline.present.documents.doubts_compare import doubts
from ncu_roofline.present.documents.words_compare import answer, judged_table
from tests.planted import plain


def both(base: Study, head: Study, **options: Any) -> tuple[Comparison, Comparison]:
    """The comparison, and the same with base and head swapped."""
    return compare([base], [head], **options), compare([head], [base], **options)


def ranked(study: Study, ranks: int) -> Study:
    """The study as run by so many GPUs side by side."""
    parts = [study.launches.with_columns(device=pl.lit(n, pl.Int64), process=pl.lit(n, pl.Int64)) for n in range(ranks)]
    joined = pl.concat(parts).with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))
    return replace(study, launches=joined)


def test_one_gpu_against_both_ranks_of_two_is_no_cut() -> None:
    whole, half = plain({"dram_bytes": 1e8}, batch=1, steps=1), ranked(plain({"dram_bytes": 5e7}, batch=1, steps=1), 2)
    for found in both(whole, half):
        assert found.verdict == "not_comparable"
        assert "GPUs in the capture" in [d.what for d in found.blocking]


def test_the_context_halved_where_nobody_tells_it_is_no_cut() -> None:
    def attending(bytes_: float) -> Study:
        return plain({}, {"kernel": "fa", "role": "attention", "dram_bytes": bytes_}, batch=8)

    for found in both(attending(8e7), attending(4e7)):
        assert (found.verdict, found.judged.doubt) == ("cannot_tell", "assumed:context")


def test_a_context_that_is_told_and_differs_is_refused() -> None:
    for found in both(plain({}, context=2048), plain({}, context=1024)):
        assert found.verdict == "not_comparable"


def test_attention_padded_to_128_rows_is_not_outside_the_regime() -> None:
    padded = {"kernel": "fa", "role": "attention", "dram_bytes": 2e8, "flops": 2e8 * 500, "ridge": 300.0}
    study = plain({"dram_bytes": 1e8}, padded, batch=None, context=None)
    assert compare([study], [study]).verdict == "no_change"


def test_unknown_devices_get_no_invented_cause() -> None:
    blind = {"share": None, "limited_by": None}
    found, back = both(plain({"seconds": 1e-4, **blind}), plain({"seconds": 5e-5, **blind}))
    assert (found.verdict, back.verdict) == ("same_bytes_faster", "same_bytes_slower")
    assert "too small for either roof" not in answer(found)[0]
    assert "not known" in answer(found)[0]


def test_facts_that_nobody_tells_stand_in_the_verdicts_own_sentence() -> None:
    first = answer(compare([plain({})], [plain({"dram_bytes": 5e7, "seconds": 5e-5})]))[0]
    assert first.startswith("Cuts bytes")
    assert "takes batch, context and device to be the same" in first


@pytest.mark.parametrize(("head", "verdict"), [(1.0, "no_change"), (1.5, "same_bytes_slower"), (0.5, "same_bytes_faster")])
def test_a_single_capture_a_side_tells_time_beyond_the_drift_alone(head: float, verdict: str) -> None:
    assert compare([plain({})], [plain({"seconds": 1e-4 * head})]).verdict == verdict


@pytest.mark.parametrize("drift", [0.98, 0.99, 1.01, 1.02, 1.04])
def test_drift_from_capture_to_capture_tells_nothing_of_time(drift: float) -> None:
    for found in both(plain({}), plain({"seconds": 1e-4 * drift})):
        assert (found.verdict, found.judged.answers) == ("same_bytes", {"bytes": 0, "seconds": None})


def layered(sizes: list[float], *extra: str) -> Study:
    """A window of whole layers, less than a step: one matrix each of so many bytes, and one tiny launch of each other role."""
    one = {"dram_bytes": sizes, "flops": 0.0, "count": len(sizes)}
    rest = [{"kernel": role, "role": role, "dram_bytes": 1e3, "count": len(sizes)} for role in extra]
    study = plain(one, *rest, tokens=None)
    return replace(study, launches=study.launches.with_columns(layer_whole=pl.lit(True)).sort("layer"))


def test_layers_of_several_kinds_in_other_windows_are_no_cut() -> None:
    # one dense layer of 1.0 GB and one of experts of 2.0: 1.5 GB a layer; two of experts: 2.0
    mixed, alike = layered([1e9, 2e9]), layered([2e9, 2e9])
    for found in both(mixed, alike):
        assert (found.basis, found.verdict, found.judged.doubt) == ("layer", "cannot_tell", "missing:layers")
        assert "capture whole steps" in answer(found)[0]


def test_one_layer_of_experts_tells_nothing_of_others() -> None:
    for found in both(layered([3.0e9], "moe-routing"), layered([2.6e9], "moe-routing")):
        assert (found.verdict, found.judged.doubt) == ("cannot_tell", "missing:layers")


def test_a_cut_of_the_same_layers_is_told_though_they_are_of_several_kinds() -> None:
    mixed, less = layered([1.0e9, 2.0e9, 1.0e9]), layered([0.8e9, 1.6e9, 0.8e9])
    found, back = both(mixed, less)
    assert (found.judged.bytes.direction, back.judged.bytes.direction) == (-1, 1)
    assert found.judged.bytes.part == pytest.approx(-0.2)
    assert "missing:layers" not in (found.judged.doubt, back.judged.doubt)


def test_a_cut_of_equal_layers_is_told_from_other_numbers_of_them() -> None:
    found, back = both(layered([1e9] * 2), layered([0.8e9] * 6))
    assert (found.judged.bytes.direction, back.judged.bytes.direction) == (-1, 1)
    assert "missing:layers" not in (found.judged.doubt, back.judged.doubt)


def test_half_a_model_on_a_gpu_that_communicates_is_no_cut() -> None:
    whole, half = layered([1e9] * 4), layered([5e8] * 4, "comm")
    for found in both(whole, half):
        assert found.verdict == "not_comparable"
        assert [d.what for d in found.blocking] == ["communication"]
    assert compare([whole], [half], vary=frozenset({"tp"})).verdict != "not_comparable"


def test_communication_that_comes_or_goes_is_compared_where_ranks_are_told() -> None:
    def told(study: Study) -> Study:
        return replace(study, run=replace(study.run, tp=Fact(2, "given", "planted")))

    for found in both(told(layered([1e9] * 4, "comm")), told(layered([1e9] * 4))):
        assert not found.blocking


def test_a_time_of_nothing_is_no_speed_up() -> None:
    for found in both(plain({}), plain({"seconds": 0.0})):
        assert (found.verdict, found.judged.answers["seconds"]) == ("same_bytes", None)
        assert "time was not measured on both sides" in answer(found)[0]


def test_bytes_that_are_gone_altogether_are_said_to_be() -> None:
    found, back = both(plain({}), plain({"dram_bytes": 0.0}))
    assert (found.verdict, back.verdict) == ("cuts_bytes", "moves_more")
    assert "bytes all gone" in answer(found)[0] and " to 0 B from DRAM" in answer(found)[1]
    assert "(none before)" in answer(back)[0]


def test_a_gain_too_small_to_print_is_none() -> None:
    found, _ = both(plain({}), plain({"dram_bytes": 5e7}))
    assert "1x: none of the gain that the bytes allow" in answer(found)[1]


def test_a_time_that_could_be_anything_above_has_one_end() -> None:
    # a twentieth of the launches lacks its time and nothing bounds it from above
    found, _ = both(plain({"count": 40}), plain({"count": 40, "seconds": [None] + [1e-4] * 39}))
    assert " or more possible." in answer(found)[0] and "any value" not in answer(found)[0]


def test_a_capture_against_itself_is_called_the_same_measurements() -> None:
    found, _ = both(plain({}), plain({}, name="copy"))
    assert answer(found)[0].startswith("No change: both sides hold the same measurements, to the last digit")
    assert not [d for d in doubts(found) if "noise" in d]


def test_what_was_not_measured_has_no_noise() -> None:
    found, _ = both(plain({"seconds": None}), plain({"seconds": None, "dram_bytes": 5e7}))
    assert judged_table(found).select("number", "noise").rows()[-1] == ("time per token", None)
    assert not [d for d in doubts(found) if "noise of time" in d]
    assert "Time of 100 % of the base's launches was not measured." in doubts(found)


def test_a_layer_of_a_prompt_beside_one_of_decode_is_no_change_of_bytes() -> None:
    # neither side tells its batch: 64 times the work of the same matrices is another pass, whatever its bytes
    for one, other in ((1.0, 64.0), (64.0, 1.0)):
        base, head = (
            replace(s, run=replace(s.run, batch=Fact()))
            for s in (plain({"flops": 1e9 * one}), plain({"flops": 1e9 * other, "dram_bytes": 1.05e8 if other > 1 else 0.95e8}))
        )
        found = compare([base], [head])
        assert (found.verdict, found.judged.doubt) == ("cannot_tell", "assumed:rows")


def test_of_a_pair_without_bytes_the_time_is_told() -> None:
    base, half, near = (plain({"dram_bytes": None, "seconds": 1e-4 * part}) for part in (1.0, 0.5, 1.01))
    told, open_ = (" ".join(answer(compare([base], [head]))) for head in (half, near))
    assert told.startswith("Cannot tell: DRAM bytes were not measured on both sides")
    assert "Time alone went from 400 µs to 200 µs per token: -50.0 %." in told  # four launches
    assert "Time alone went from 400 µs to 404 µs per token: +1.0 % seen, " in open_ and "possible." in open_
    assert "Time alone" not in " ".join(answer(compare([base], [plain({"dram_bytes": None, "seconds": None})])))


def test_flops_that_both_sides_print_are_not_called_unmeasured() -> None:
    # a capture of which the main kind of work was not counted: what stands there is the least that was done
    base, head = (plain({"flops": flops, "flops_complete": False, "tensor_flops": None}) for flops in (1e9, 2e9))
    found = compare([base], [head])
    assert found.judged.flops.direction is None and found.judged.flops.base and found.judged.flops.head
    said = " ".join(doubts(found))
    assert "FLOPs are known too loosely" in said and "FLOPs were not measured" not in said


def test_a_kernel_without_a_grid_is_listed_without_one() -> None:
    study = plain({"kernel": "one"}, {"kernel": "other", "grid": 8})
    bare = replace(study, launches=study.launches.with_columns(grid=pl.when(pl.col("kernel") == "other").then("grid")))
    listed = document(compare([bare], [bare]), "kernel").tables[1].rows
    assert dict(listed.select("head_kernel", "grid").iter_rows()) == {"one": None, "other": [8, 1, 1]}
