"""The synthetic run obeys the formulas of the mission, and NVIDIA's reader reads what is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ncu_report
import polars as pl
import pytest
import zstandard
from polars.testing import assert_frame_equal

from ncu_roofline.capture.schema import LAUNCHES, MEASURED
from ncu_roofline.readers import read
from tests.synthetic import (
    LLAMA_8B_MHA,
    QWEN3_MOE,
    RTX_5090,
    TINY,
    Plan,
    capture,
    decode_run,
    truth,
    write_details_csv,
    write_metrics_csv,
    write_raw_csv,
    write_report,
)
from tests.synthetic.fixtures import FOLDER, REPORTS, build
from tests.synthetic.launches import launches


def total(column: str, role: str | None = None, **options: Any) -> float:
    known = truth(**options)
    return float(known.filter(pl.col("role") == role if role else True)[column].sum())


def test_dense_step_reads_every_weight_once() -> None:
    # 8,030,261,248 parameters published; the embedding's 128256 x 4096 are read by the row, norms are small
    read_once = 8_030_261_248 - 128256 * 4096 - 65 * 4096
    embedded = 8 * 4096  # one row per sequence
    assert total("weight_bytes", batch=8) == 2 * (read_once + embedded)


def test_kv_cache_is_read_once_per_sequence() -> None:
    # 2 (K and V) x 32 layers x 2048 tokens x 8 heads x 128 wide x 2 bytes x 8 sequences
    assert total("kv_bytes", batch=8, context=2048) == 2 * 32 * 2048 * 8 * 128 * 2 * 8
    assert total("kv_bytes", model=LLAMA_8B_MHA) == 4 * total("kv_bytes")


@pytest.mark.parametrize("batch", [1, 8, 32, 128])
def test_useful_fc_intensity_is_twice_the_batch_over_the_weight_bytes(batch: int) -> None:
    fc = truth(batch=batch).filter(role="fc")
    assert float(fc["useful_flops"].sum()) / float(fc["dram_bytes"].sum()) == pytest.approx(2 * batch / 2, rel=1e-6)


def test_useful_attention_intensity_is_that_of_the_cache() -> None:
    # 1 FLOP per byte for 16-bit values, times 32 query heads over 8 key heads
    attention = truth(batch=8).filter(role="attention")
    assert float(attention["useful_flops"].sum()) / float(attention["kv_bytes"].sum()) == 32 / 8


def test_executed_work_comes_in_whole_tiles() -> None:
    one = truth(batch=1, weights="bf16").filter(role="fc")  # one row in a tile of eight
    assert one["tensor_flops"].sum() == 8 * one["useful_flops"].sum()
    attention = truth(batch=8).filter(pl.col("role") == "attention", pl.col("tensor_flops") > 0)
    assert attention["tensor_flops"].sum() == 64 / 4 * float(attention["useful_flops"].sum())


def test_zeroed_weights_change_nothing_that_is_measured() -> None:
    assert_frame_equal(decode_run(zeroed=True), decode_run())


def test_weight_kinds_change_the_bytes_of_the_layers_only() -> None:
    head = 128256 * 4096 * 2 + 8 * 4096 * 2  # LM head and embedding rows stay BF16
    layers = total("weight_bytes") - head
    for kind, share in {"fp8": 1 / 2, "sparse24": 0.5625, "int4": (0.5 + 2 / 128) / 2}.items():
        assert total("weight_bytes", weights=kind) - head == pytest.approx(layers * share)


def test_fp8_is_under_a_quarter_faster_and_sparsity_about_a_quarter() -> None:
    dense = total("seconds")
    assert 1.15 < dense / total("seconds", weights="fp8") < 1.25
    assert dense / total("seconds", weights="sparse24") == pytest.approx(1.25, abs=0.03)


def test_skipped_experts_save_bytes_only_where_they_are_not_read() -> None:
    moe: dict[str, Any] = {"model": QWEN3_MOE, "batch": 8}
    dense = total("dram_bytes", **moe)
    assert total("dram_bytes", **moe, skip=0.5) == dense
    assert total("useful_flops", "fc", **moe, skip=0.5) < total("useful_flops", "fc", **moe)
    assert total("dram_bytes", **moe, skip=0.5, skip_reads=False) < 0.65 * dense


def test_distinct_experts_grow_with_the_batch() -> None:
    # one token reads its 8 experts; 8 tokens read 128 (1 - (1 - 8/128)^8) = 51.6, rounded 52
    def experts(batch: int) -> float:
        known = decode_run(model=QWEN3_MOE, batch=batch, layers=1).with_columns(
            truth(model=QWEN3_MOE, batch=batch, layers=1)["weight_bytes"]
        )
        return float(known.filter(kernel="fused_moe_kernel")["weight_bytes"].sum())

    one = 3 * 768 * 2048 * 2
    assert experts(1) == 8 * one
    assert experts(8) == 52 * one


def test_large_batch_is_slower_by_its_arithmetic() -> None:
    # batch 1024: 2 x 1024 / 2 = 1024 FLOP/byte, far beyond the ridge of about 300
    def seconds(batch: int) -> float:
        return total("seconds", "fc", batch=batch, context=16, layers=1)

    assert seconds(2048) > 1.8 * seconds(1024)
    assert seconds(8) < 1.05 * seconds(1)


def test_grids_carry_the_batch() -> None:
    frame = decode_run(model=TINY, batch=24)
    for kernel in ("fused_add_rms_norm_kernel", "rotary_embedding_kernel", "reduce_kernel"):
        grids = frame.filter(kernel=kernel)["grid"].arr.to_list().list.first()
        assert set(grids) == {24}


def test_frame_has_the_columns_of_a_reader() -> None:
    frame = decode_run(model=TINY, counters="full", nvtx=True, stray=2, noise=0.1)
    assert dict(list(frame.schema.items())[: len(LAUNCHES)]) == {c.name: c.dtype for c in LAUNCHES}
    assert frame["nvtx"].null_count() == 0


def test_truth_and_frame_are_the_same_launches() -> None:
    options: dict[str, Any] = {"model": TINY, "noise": 0.05, "stray": 4, "steps": 2, "prefill": 16, "seed": 3}
    assert_frame_equal(truth(**options).select("index", "seconds"), decode_run(**options).select("index", "seconds"))


def test_window_is_a_cut_of_the_whole_run() -> None:
    whole, cut = launches(Plan(model=TINY)), launches(Plan(model=TINY, window=(3, 7)))
    assert cut == whole[3:10]


def test_skipped_flush_leaves_activations_in_the_cache() -> None:
    norms = {cache: total("dram_bytes", "norm", cache=cache) for cache in ("none", "all")}
    # 65 norms read 8 rows of 4096 16-bit values
    assert norms == {"none": 0, "all": 65 * 8 * 4096 * 2}


def test_basic_set_leads_back_to_the_bytes() -> None:
    basic = decode_run(counters="basic")["m:dram__cycles_active.avg"] * 2 * 5120 / 8
    assert basic.sum() == pytest.approx(total("dram_bytes"))
    assert not [name for name in decode_run(counters="basic").columns if "bytes" in name]


def test_consumer_blackwell_has_its_own_names() -> None:
    columns = decode_run(model=TINY, gpu=RTX_5090).columns
    assert "m:dram__bytes_op_read.sum" in columns
    assert "m:dram__bytes_read.sum" not in columns


def test_capture_says_that_it_is_synthetic() -> None:
    assert capture(model=TINY).run.synthetic.value is True
    assert set(decode_run(model=TINY)["m:ncu_roofline__synthetic"]) == {1.0}


NOISY = Plan(model=TINY, noise=0.1, stray=3, nvtx=True, counters="full", steps=2)


def test_nvidias_reader_reads_every_value(tmp_path: Path) -> None:
    frame, path = decode_run(NOISY), write_report(tmp_path / "a.ncu-rep", NOISY)
    actions = list(ncu_report.load_report(str(path))[0])
    assert [a.name() for a in actions] == frame["kernel"].to_list()
    assert [a.name(a.NameBase_DEMANGLED) for a in actions] == frame["name"].to_list()
    for column in frame.select(pl.col(pl.Float64)).columns:
        if column.startswith(MEASURED) and "duration" not in column:
            values = [a[column.removeprefix(MEASURED)].value() for a in actions]
            assert values == frame[column].to_list()
    assert [a["gpu__time_duration.sum"].value() for a in actions] == pytest.approx((frame["seconds"] * 1e9).to_list())
    assert {a["gpu__time_duration.sum"].unit() for a in actions} == {"ns"}
    assert {a["device__attribute_display_name"].value() for a in actions} == {NOISY.gpu.name}


def test_nvidias_reader_reads_grids_ranges_and_opcodes(tmp_path: Path) -> None:
    frame, path = decode_run(NOISY), write_report(tmp_path / "a.ncu-rep", NOISY)
    for action, row in zip(ncu_report.load_report(str(path))[0], frame.iter_rows(named=True), strict=True):
        assert [action[f"launch__grid_dim_{a}"].value() for a in "xyz"] == list(row["grid"])
        domains = [action.nvtx_state()[i] for i in action.nvtx_state()]
        assert [list(d.push_pop_ranges()) for d in domains] == [row["nvtx"]]
        opcodes = action["sass__inst_executed_per_opcode_with_modifier_all"]
        ids, number = opcodes.correlation_ids, opcodes.num_instances()
        found = [(ids().value(i), opcodes.value(i)) for i in range(number)]
        wanted = row["m:sass__inst_executed_per_opcode_with_modifier_all"]
        assert found == [(item["id"], item["value"]) for item in wanted]


def test_our_reader_gives_the_frame_back_from_report_and_compressed_report(tmp_path: Path) -> None:
    frame = decode_run(NOISY).with_columns(process=pl.lit(0, pl.Int64))  # no number of a process leaves the reader
    for name in ("a.ncu-rep", "a.ncu-repz"):
        found = read(write_report(tmp_path / name, NOISY))
        assert_frame_equal(found.launches.select(frame.columns), frame)
        assert (found.device.name, found.device.sms, found.device.bus_bits) == (NOISY.gpu.name, 132, 5120)
        assert found.run.cache_control.value == "none"


@pytest.mark.parametrize("write", [write_raw_csv, write_metrics_csv, write_details_csv])
def test_csv_pages_give_the_counters_back(tmp_path: Path, write: Any) -> None:
    plan = replace(NOISY, counters="recipe")
    frame, found = (decode_run(plan), read(write(tmp_path / "a.csv", plan, base=True)).launches)
    keys = ["seconds", "m:dram__bytes_read.sum", "m:sm__ops_path_tensor_src_bf16_dst_fp32.sum"]
    assert_frame_equal(found.select(keys), frame.select(keys))
    assert found["grid"].to_list() == frame["grid"].to_list()
    assert found["nvtx"].to_list() == frame["nvtx"].to_list()


def test_scaled_csv_is_right_to_its_printed_digits(tmp_path: Path) -> None:
    found = read(write_metrics_csv(tmp_path / "a.csv", replace(NOISY, counters="recipe"))).launches
    expected = decode_run(NOISY)
    assert found["m:dram__bytes_read.sum"].to_list() == pytest.approx(expected["m:dram__bytes_read.sum"].to_list(), rel=5e-3)


def test_kept_fixtures_are_what_the_writer_writes(tmp_path: Path) -> None:
    for path in build(tmp_path):
        kept, made = (FOLDER / path.name).read_bytes(), path.read_bytes()
        if path.suffix == ".ncu-repz":  # compressors of other versions may differ in their output
            kept, made = zstandard.decompress(kept), zstandard.decompress(made)
        assert kept == made, path.name


def test_fixtures_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 400_000
    assert (FOLDER / "demo.ncu-rep").stat().st_size < 300_000
    assert set(REPORTS) <= {path.name for path in FOLDER.iterdir()}
