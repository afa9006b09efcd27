"""The CSV reader on every public CSV export, and against the reports of the same captures."""

from __future__ import annotations

import csv as table
import io
import re
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.capture.capture import Capture
from ncu_roofline.capture.units import factor
from ncu_roofline.readers.csv import csv
from tests.corpus import CORPUS, actions, files, needs_corpus

pytestmark = needs_corpus

CSV = files("csv-raw", "csv-details", "csv-metrics")
AWQ = "chuanbinp__uncertainty-aware-inference__TeamB__"
FLUX = "keridone__FLUX2-OPT__profiling__results__ncu-hotspots-v1__"
QWEN = "gujialiang123__MOEresearch__results__2026-06-09_sglang_triton_sweep__ncu__R_"
VLLM = (
    "EricLBuehler__mistral.rs__gemma4_cuda_sweep_20260525__26b_bf16_moe_profile_20260526__vllm_26b_bf16_d128_g16_ncu_range.csv"
)
PAIRS = {
    f"csv/{AWQ}llama__results__ncu__llama2_7b_awq_int4_metrics.csv": f"rep/{AWQ}llama__results__ncu__llama2_7b_awq_int4.ncu-rep",
    f"csv/{AWQ}nsight_profiler_results__ncu__mistral_awq_int4_metrics.csv": f"rep/{AWQ}nsight_profiler_results__ncu__mistral_awq_int4.ncu-rep",
    f"csv/{FLUX}flash_attention.csv": f"rep/{FLUX}flash_attention.ncu-rep",
    f"csv/{FLUX}mul_mat_q_type8.csv": f"rep/{FLUX}mul_mat_q_type8.ncu-rep",
}
WITHOUT_TIME = re.compile(r"section_(MemoryWorkload|Scheduler|Occupancy|SpeedOfLight_Roofline)|cutlass_microbench")
"""Exports whose sections or metric lists have no duration."""


@cache
def read(file: str) -> Capture:
    """A public export as it is read; three tests look at each."""
    return csv.read(CORPUS / file)


@pytest.mark.parametrize("file", CSV)
def test_every_public_csv_has_as_many_launches_as_the_manifest_counts(file: str) -> None:
    capture = read(file)
    assert capture.launches.height == actions(file)
    assert capture.launches["kernel"].null_count() == 0
    assert capture.device.compute_capability is not None
    timed = capture.launches["seconds"].is_not_null()
    assert not timed.any() if WITHOUT_TIME.search(file) else timed.all()


@pytest.mark.parametrize("file", CSV)
def test_no_label_or_unit_of_a_public_csv_is_unknown(file: str) -> None:
    assert [note for note in read(file).notes if " n/a: " not in note] == []


@pytest.mark.parametrize("file", CSV)
def test_private_columns_stay_out(file: str) -> None:
    columns = read(file).launches.columns
    assert not {c for c in columns if "host" in c.lower() or "process_name" in c.lower()}


def printed(path: Path) -> dict[tuple[int, str], tuple[str, str]]:
    """(row, metric) -> text and unit of a CSV, taken apart with Python's own csv module."""
    text = path.read_text(encoding="utf-8-sig")
    rows = list(table.reader(io.StringIO(text[re.search(r'^"?ID"?,', text, re.M).start() :])))  # type: ignore[union-attr]
    header = rows[0]
    if "Metric Value" not in header:
        return {
            (n, name): (text, unit)
            for n, row in enumerate(rows[2:])
            for name, unit, text in zip(header, rows[1], row, strict=True)
        }
    ids = list(dict.fromkeys((row[0], row[1]) for row in rows[1:]))
    at = [header.index(name) for name in ("Metric Name", "Metric Value", "Metric Unit")]
    return {(ids.index((row[0], row[1])), row[at[0]]): (row[at[1]], row[at[2]]) for row in rows[1:]}


def half_a_digit(text: str, unit: str) -> float:
    """How far a value may lie from its printed text, in base units."""
    return float(0.501 * 10.0 ** -len(text.partition(".")[2]) * (factor(unit) or 1))


@pytest.mark.parametrize(("exported", "report"), PAIRS.items())
def test_an_export_agrees_with_the_report_it_was_made_from(exported: str, report: str) -> None:
    ncu_report = pytest.importorskip("ncu_report")
    context = ncu_report.load_report(str(CORPUS / report))
    launches = csv.read(CORPUS / exported, metrics=["*"]).launches
    texts = printed(CORPUS / exported)
    compared = 0
    for row in launches.iter_rows(named=True):
        action = context[0][row["index"]]
        assert row["kernel"] == action.name(action.NameBase_FUNCTION)
        for column in (c for c in row if c.startswith("m:")):
            text, unit = texts.get((row["index"], column[2:]), ("", ""))
            metric = action.metric_by_name(column[2:])
            # ncu prints 2400 %/byte as 2.40 %/Kbyte, scaled the wrong way round
            if metric is None or not metric.has_value() or unit == "%/Kbyte":
                continue
            expected = metric.value() * (factor(metric.unit()) or 1)
            assert row[column] == pytest.approx(expected, abs=half_a_digit(text, unit)), column
            compared += 1
    assert compared >= 6 * launches.height


@pytest.mark.parametrize("capture", ["short_decode", "medium_balanced", "concurrent_decode"])
def test_the_labels_of_a_details_page_are_the_counters_of_its_raw_page(capture: str) -> None:
    details = csv.read(CORPUS / f"csv/{QWEN}{capture}__ncu_raw.csv").launches
    raw = csv.read(CORPUS / f"csv/{QWEN}{capture}__ncu_raw_full.csv", metrics=["*"]).launches
    shared = [c for c in details.columns if c.startswith("m:")]
    assert len(shared) >= 60 and set(shared) <= set(raw.columns)
    for column in (*shared, "seconds", "kernel", "name", "grid", "block"):
        if details[column].dtype == pl.Float64:
            # both pages print two decimals of the same number, perhaps in another unit
            far = (details[column] - raw[column]).abs() > 0.0051 * raw[column].abs().clip(1e-30) + 0.006
            assert not far.any(), column
        else:
            assert details[column].equals(raw[column]), column


def test_decode_of_qwen3_reads_its_projection_weights() -> None:
    # QKV of Qwen3-30B-A3B: 2048 x 5120 weights of 2 bytes = 20.97 MB
    launches = csv.read(CORPUS / f"csv/{QWEN}short_decode__ncu_raw_full.csv").launches
    weights = 2048 * 5120 * 2
    near = launches.filter((pl.col("m:dram__bytes_read.sum") / weights - 1).abs() < 0.01)
    assert near.height >= 1


def test_nvtx_ranges_of_a_public_capture_are_read() -> None:
    stem = "csv/EricLBuehler__mistral.rs__gemma4_cuda_sweep_20260525__kernel_percentages__"
    pushed = csv.read(CORPUS / f"{stem}ranges_gemma4__mistral_e4b_q8_p2048_gemma4_attn_paged.csv").launches
    prefill = pushed.filter(pl.col("nvtx").list.len() == 2)
    assert pushed.filter(pl.col("nvtx").list.last() != "gemma4.attn.paged").height == 0
    assert set(prefill["nvtx"].list.first()) == {"mistralrs.bench.prefill"}
    started = csv.read(CORPUS / f"{stem}ranges_syntax__test_gemma4_mlp.csv").launches
    assert set(started["nvtx"].list.last()) <= {"gemma4.mlp", "gemma4.attn.qkv", "mistralrs.bench.prefill"}


def test_ten_thousand_launches_keep_their_order() -> None:
    launches = csv.read(CORPUS / "csv" / VLLM).launches
    assert launches["index"].to_list() == list(range(10_111))
    assert launches.filter(pl.col("process") == launches["process"][0])["profiler_id"].is_sorted()
