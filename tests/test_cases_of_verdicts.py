"""Verdicts that were false once, a test each by its name, with base and head swapped too.

Planted launches carry round numbers; the sums stand beside them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.compare.gate import outcome, rule
from ncu_roofline.analysis.notes import Note
from ncu_roofline.analysis.study import Study
from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.documents.compare import document
from ncu_roofline.present.documents.doubts_compare import doubts
from ncu_roofline.present.documents.words_compare import answer
from tests.planted import plain

MEASURED = Path(__file__).parents[1] / "fixtures" / "measured"
MB = 1e6


def both(base: Study, head: Study, *vary: str) -> tuple[Comparison, Comparison]:
    """The comparison, and the same with base and head swapped; one is the other turned round."""
    there, back = (compare(*pair, vary=frozenset(vary)) for pair in (([base], [head]), ([head], [base])))
    if there.judged.bytes.log is not None and back.judged.bytes.log is not None:
        assert back.judged.bytes.log == pytest.approx(-there.judged.bytes.log)
    return there, back


def verdicts(pair: tuple[Comparison, Comparison]) -> tuple[str, str]:
    return pair[0].verdict, pair[1].verdict


def window(kernels: list[tuple[str, str, float]], **facts: Any) -> Study:
    """Launches in this order, (kernel, role, MB), of a window that is less than a step; one token would be one step."""
    rows = [{"kernel": k, "role": r, "dram_bytes": b * MB, "seconds": b * 5e-7, "count": 1} for k, r, b in kernels]
    return plain(*rows, **{"tokens": None, "batch": 1, "context": 2048, **facts})


def test_tp_1_against_both_ranks_of_tp_2_of_the_same_total_is_refused() -> None:
    # 4 x 100 MB on one GPU; 4 x 50 MB on each of two: 400 MB both, and "-50 %" a GPU
    one = plain({"dram_bytes": 100 * MB}, batch=1, steps=1)
    half = plain({"dram_bytes": 50 * MB}, batch=1, steps=1)
    ranks = [half.launches.with_columns(device=pl.lit(n, pl.Int64), process=pl.lit(n, pl.Int64)) for n in (0, 1)]
    joined = pl.concat(ranks).with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))
    for found in both(one, replace(half, launches=joined)):
        assert found.verdict == "not_comparable"
        assert "GPUs in the capture" in [d.what for d in found.blocking]
        assert outcome(found, rule("bytes_per_token > +2%")).fails


@pytest.mark.parametrize("head", [21, 19, 40])
def test_20_against_21_whole_layers_of_one_model_is_no_change(head: int) -> None:
    # 20 x 100 MB = 2.0 GB, 21 x 100 MB = 2.1 GB: 100 MB a layer both
    def layers(count: int) -> Study:
        study = plain({"dram_bytes": 100 * MB, "count": count}, tokens=None)
        return replace(study, launches=study.launches.with_columns(layer_whole=pl.lit(True)))

    for found in both(layers(20), layers(head)):
        assert (found.basis, found.judged.bytes.base) == ("layer", pytest.approx(100 * MB))
        assert found.judged.bytes.head == pytest.approx(100 * MB)
        assert found.judged.answers["bytes"] == 0
        assert found.verdict in ("same_bytes", "no_change")


def test_20_against_21_captured_layers_that_are_told_are_refused() -> None:
    for found in both(plain({"count": 20}, layers_captured=(20, 32)), plain({"count": 21}, layers_captured=(21, 32))):
        assert found.verdict == "not_comparable"


LAYER = [
    ("qkv", "fc", 30.0),
    ("rope", "rope", 1.0),
    ("flash", "attention", 10.0),
    ("o", "fc", 20.0),
    ("norm", "norm", 1.0),
    ("up", "fc", 60.0),
    ("down", "fc", 60.0),
]
"""Seven launches of 182 MB; six of 181 MB where rope is fused into its neighbour."""
FUSED = [kernel for kernel in LAYER if kernel[0] != "rope"]


def test_fused_rope_in_a_window_of_equal_launch_count_is_no_more_bytes() -> None:
    # 14 launches: 2 layers of seven, 364 MB; 2 layers of six and qkv and flash of the next, 362 + 40 = 402 MB: "+10.4 %"
    there, back = both(window(LAYER * 2), window((FUSED * 3)[:14]))
    # what both hold: 364 against 362; with the next layer's 40 it would be 402
    assert (there.judged.bytes.base, there.judged.bytes.head) == (pytest.approx(364 * MB), pytest.approx(362 * MB))
    assert there.judged.bytes.low is not None and there.judged.bytes.low < 362 / 364 - 1
    assert there.judged.bytes.high is not None and there.judged.bytes.high >= 402 / 364 - 1
    for found in (there, back):
        assert (found.verdict, found.judged.doubt) == ("cannot_tell", "windows:bytes")
        assert "cut differently" in answer(found)[0]


def test_a_cut_is_told_though_the_windows_end_elsewhere() -> None:
    # four matrices in half the bytes: 170 -> 85 MB of 182 a layer; the head's window holds 15 MB of the next one
    halved = [(k, r, b / 2 if r == "fc" else b) for k, r, b in LAYER]
    there, back = both(window(LAYER * 2), window([*halved * 2, halved[0]]))
    assert there.judged.answers["bytes"] == -1 and back.judged.answers["bytes"] == 1
    # 2 x 182 -> 2 x 97 MB by what both hold
    assert there.judged.bytes.part == pytest.approx(97 / 182 - 1)


def test_a_kernel_between_others_that_the_base_never_runs_counts() -> None:
    # a dequantisation that writes 60 MB stands inside each layer: 182 -> 242 MB
    added = [*LAYER[:4], ("dequantize", "quantize", 60.0), *LAYER[4:]]
    there, back = both(window(LAYER * 3), window(added * 3))
    assert verdicts((there, back)) == ("moves_more", "cuts_bytes")
    assert there.judged.bytes.part == pytest.approx(242 / 182 - 1)


def test_six_thousandths_fewer_flops_and_40_per_cent_less_time_is_faster_and_no_mirage() -> None:
    base, head = plain({"flops": 200e6, "seconds": 100e-6}), plain({"flops": 198.8e6, "seconds": 60e-6})
    assert verdicts(both(base, head)) == ("same_bytes_faster", "same_bytes_slower")


def test_a_tensor_counter_missing_on_one_side_makes_no_fewer_flops() -> None:
    # 200 MFLOP a launch; of the head only the 0.2 MFLOP of its scalar pipes were counted
    base = plain({"flops": 200e6})
    head = plain({"flops": 0.2e6, "flops_complete": False, "tensor_flops": None})
    for found in both(base, head):
        assert found.verdict != "flop_mirage"
        assert found.judged.flops.direction is None
        assert found.judged.answers["bytes"] == 0


def test_bytes_unknown_for_28_thousandths_of_the_time_are_no_cut() -> None:
    # 35 launches of 100 us and 100 MB at 2 TB/s: one of 36 is 2.8 % of the time; unknown it moved 0 to 200 MB of 3,600
    many = {"count": 36, "bandwidth": 2e12}
    base, head = plain({**many, "dram_bytes": 100 * MB}), plain({**many, "dram_bytes": [None] + [100 * MB] * 35})
    there, back = both(base, head)
    assert verdicts((there, back)) == ("cannot_tell", "cannot_tell")
    # 3,500 / 3,600 = -2.8 % to 3,700 / 3,600 = +2.8 %
    assert there.judged.bytes.low == pytest.approx(-1 / 36, abs=0.006)
    assert there.judged.bytes.high == pytest.approx(1 / 36, abs=0.006)


def test_unknown_device_names_get_no_invented_cause() -> None:
    blind = {"share": None, "limited_by": None}
    pair = both(plain({"seconds": 1e-4, **blind}), plain({"seconds": 5e-5, **blind}))
    assert verdicts(pair) == ("same_bytes_faster", "same_bytes_slower")
    for found in pair:
        text = " ".join(answer(found))
        assert "not known" in text
        assert not [cause for cause in ("too small for either roof", "latency", "ridge", "clock") if cause in text]


@pytest.mark.parametrize("told", [None, 2048])
def test_the_context_halved_is_no_cut(told: int | None) -> None:
    # attention reads 80 or 40 MB a layer, everything else stays
    def attending(bytes_: float, context: int | None) -> Study:
        return plain({}, {"kernel": "fa", "role": "attention", "dram_bytes": bytes_}, batch=8, context=context)

    for found in both(attending(80 * MB, told), attending(40 * MB, told and told // 2)):
        assert found.verdict == ("cannot_tell" if told is None else "not_comparable")


def test_the_context_halved_on_purpose_is_said_in_the_answer() -> None:
    def attending(bytes_: float, context: int) -> Study:
        return plain({}, {"kernel": "fa", "role": "attention", "dram_bytes": bytes_}, batch=8, context=context)

    # 4 x 100 + 4 x 80 = 720 MB -> 4 x 100 + 4 x 40 = 560 MB
    there, back = both(attending(80 * MB, 2048), attending(40 * MB, 1024), "context")
    assert there.judged.bytes.part == pytest.approx(560 / 720 - 1)
    assert (there.judged.answers["bytes"], back.judged.answers["bytes"]) == (-1, 1)
    assert "Changed on purpose: context 2048 to 1024." in answer(there)
    assert "Changed on purpose: context 1024 to 2048." in answer(back)


def test_fewer_bytes_in_140_per_cent_more_time_is_slower_and_not_time_kept() -> None:
    base, head = plain({"dram_bytes": 100 * MB, "seconds": 100e-6}), plain({"dram_bytes": 50 * MB, "seconds": 240e-6})
    there, back = both(base, head)
    assert verdicts((there, back)) == ("bytes_cut_slower", "moves_more")
    assert there.judged.seconds.part == pytest.approx(1.4)
    assert answer(there)[0].startswith("Bytes cut, slower: ")


@pytest.mark.parametrize("times", [1.0, 0.5])
def test_attention_padded_to_128_rows_without_a_batch_is_not_outside_the_regime(times: float) -> None:
    # 500 executed FLOP/byte beside a ridge of 300, of which nobody tells how many are useful; against itself too
    def padded(bytes_: float) -> Study:
        attention = {"kernel": "fa", "role": "attention", "dram_bytes": 200 * MB, "flops": 200 * MB * 500, "ridge": 300.0}
        return plain({"dram_bytes": bytes_}, attention, batch=None, context=None)

    pair = both(padded(100 * MB), padded(100 * MB * times))
    # 4 x 100 + 4 x 200 MB -> 4 x 50 + 4 x 200 MB in the same time: a sixth fewer bytes
    assert verdicts(pair) == (("no_change",) * 2 if times == 1 else ("bytes_cut_time_kept", "moves_more"))
    assert pair[0].judged.bytes.part == pytest.approx(0.0 if times == 1 else 1000 / 1200 - 1)


def test_dense_against_2_of_4_at_batch_8_moves_fewer_bytes_in_more_time() -> None:
    """The flagship claim, measured: cuSPARSELt fills 256 rows of 8, so the executed work is no work of the model."""
    dense, sparse = (nr.study(MEASURED / f"h100-{name}-b8.ncu-repz") for name in ("dense", "sparse24"))
    pair = both(dense, sparse, "weights")
    assert verdicts(pair) == ("bytes_cut_slower", "moves_more")
    there = pair[0].judged
    # known.tsv: 3,072.8 + 101.0 -> 2,307.0 + 70.6 MB a step of 8 tokens; 1,605.3 -> 2,106.4 us
    assert there.bytes.part == pytest.approx((2307.017 + 70.623) / (3072.764 + 100.990) - 1, abs=1e-5)
    assert there.seconds.part == pytest.approx(2106.368 / 1605.280 - 1, abs=1e-5)
    # executed work is 17 times as much, useful work stays: nothing is beyond its ridge
    assert there.flops.part is not None and there.flops.part > 10
    assert pair[0].useful[0] == pytest.approx(pair[0].useful[1])
    assert (there.beyond or 0.0) == 0.0


def test_ranks_that_are_told_to_be_2_on_both_sides_are_compared() -> None:
    pair = both(plain({}, tp=2), plain({"dram_bytes": 50 * MB}, tp=2))
    assert (pair[0].judged.answers["bytes"], pair[1].judged.answers["bytes"]) == (-1, 1)


def test_a_capture_and_its_csv_of_three_digits_are_one_capture() -> None:
    # a dozen launches of 100 to 111 us and MB: no number of the head is further off than its third digit
    sizes = [100.0 + n for n in range(12)]
    base = plain({"count": 12, "dram_bytes": [s * MB * 1.0004 for s in sizes], "seconds": [s * 1.0004e-6 for s in sizes]})
    head = plain({"count": 12, "dram_bytes": [s * MB for s in sizes], "seconds": [s * 1e-6 for s in sizes]})
    for found in both(base, head):
        assert (found.verdict, found.judged.answers) == ("no_change", {"bytes": 0, "seconds": 0})
        assert any("taken to be one capture" in doubt for doubt in doubts(found))


def test_a_csv_with_shorter_names_and_fewer_counters_is_the_same_capture() -> None:
    base, head = plain({}), plain({"flops": None})
    shorter = replace(head, launches=head.launches.with_columns(name=pl.lit("gemm<float>(float*)")))
    for found in both(base, shorter):
        assert found.verdict == "no_change" and found.judged.itself


def test_a_side_without_launches_is_refused_and_not_compared_with() -> None:
    empty = replace(plain({}), launches=plain({}).launches.clear())
    for pair in (([empty], [plain({})]), ([plain({})], [empty])):
        with pytest.raises(UnusableInput, match="no launches to compare"):
            compare(*pair)


def test_a_refused_pair_tells_no_answer_in_its_json() -> None:
    there, back = both(plain({}, context=2048), plain({"dram_bytes": 50 * MB}, context=1024))
    for found in (there, back):
        data = document(found).data
        assert data["answers"] == {"bytes": "cannot_tell", "time": "cannot_tell"}
        assert (data["bytes_change"], data["time_change"]) == (None, None)


def test_a_share_above_a_roof_is_doubted() -> None:
    base, head = plain({"seconds": 1e-4}), plain({"seconds": 5e-5, "share": 1.3})
    marked = replace(head, launches=head.launches.with_columns(suspect=pl.col("bandwidth_share") > 1.0))
    assert any(
        "4 launches of the head stand above a roof, at up to 130 % of it" in d for d in doubts(compare([base], [marked]))
    )
    assert not any("above a roof" in d for d in doubts(compare([base], [base])))


def test_prompts_alone_with_stated_tokens_are_compared_and_no_crash() -> None:
    # no launch is of decode, so that no token of decode is told, whatever is stated
    def prompt(bytes_: float) -> Study:
        study = plain({"dram_bytes": bytes_}, tokens=1)
        return replace(study, launches=study.launches.with_columns(phase=pl.lit("prefill", study.launches["phase"].dtype)))

    for found in both(prompt(100 * MB), prompt(50 * MB)):
        assert found.basis == "capture"
        assert any("are prefill, not decode" in doubt for doubt in doubts(found))


def test_20_launches_against_the_same_counters_in_other_units_are_no_change(tmp_path: Path) -> None:
    head = (
        '"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC",'
    )
    head += '"Section Name","Metric Name","Metric Unit","Metric Value"\n'

    def written(name: str, bytes_: tuple[str, float], time: tuple[str, float]) -> Path:
        lines = [head]
        for n in range(20):
            moved, took = (2_000_000 + 64_000 * n) / bytes_[1], (4_000 + 320 * n) / time[1]
            start = f'"{n}","1","python","127.0.0.1","gemm","1","7","(128, 1, 1)","(512, 8, 1)","0","9.0","Command line profiler metrics"'
            lines.append(f'{start},"dram__bytes.sum","{bytes_[0]}","{moved:.10g}"\n')
            lines.append(f'{start},"gpu__time_duration.sum","{time[0]}","{took:.10g}"\n')
        path = tmp_path / f"{name}.csv"
        path.write_text("".join(lines))
        return path

    one, other = written("one", ("byte", 1), ("nsecond", 1)), written("other", ("Mbyte", 1e6), ("usecond", 1e3))
    for pair in ((one, other), (other, one)):
        found = nr.compare(*pair)
        assert (found.verdict, found.judged.bytes.part) == ("no_change", pytest.approx(0.0, abs=1e-9))


def test_the_notes_of_both_captures_are_said_once_in_words() -> None:
    beyond = Note("long_context", {"model": "llama-2-7b", "context": 5000, "longest": 4096})
    base, head = (replace(plain({}, name=name), notes=(beyond,)) for name in ("a", "b"))
    said = [d for d in doubts(compare([base], [head])) if "llama-2-7b was made for" in d]
    assert said == ["Context 5,000 is beyond the 4,096 tokens that llama-2-7b was made for."]
