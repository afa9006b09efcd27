"""The pairs of our own captures: each verdict, its bytes and its time, checked by hand against known.tsv."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.compare.compare import Comparison
from tests.command import run

FOLDER = Path(__file__).parents[3] / "fixtures" / "measured"
KNOWN = {
    row["file"].split(".")[0]: row for row in csv.DictReader((FOLDER / "known.tsv").read_text().splitlines(), delimiter="\t")
}


def pair(base: str, head: str, *vary: str, anyway: bool = False) -> Comparison:
    return nr.compare(FOLDER / f"{base}.ncu-repz", FOLDER / f"{head}.ncu-repz", vary=vary, anyway=anyway)


def per_token(name: str) -> tuple[float, float]:
    """Bytes and seconds per token by the truth of the file."""
    row = KNOWN[name]
    moved = float(row["dram_read"]) + float(row["dram_write"])
    return moved / int(row["tokens"]), float(row["kernel_seconds"]) / int(row["tokens"])


@pytest.mark.parametrize(
    ("base", "head", "vary", "verdict"),
    [
        # 396.7 -> 282.8 MB, 200.7 -> 176.8 us: ln(0.881) / ln(0.713) = 0.37 of what the bytes allow
        ("h100-dense-b8", "h100-fp8-b8", "weights", "cuts_bytes"),
        # 396.7 -> 297.2 MB, 200.7 -> 263.3 us: the flagship claim was 'outside the regime' by 256 rows of padding
        ("h100-dense-b8", "h100-sparse24-b8", "weights", "bytes_cut_slower"),
        # 396.7 -> 125.7 MB, 200.7 -> 58.5 us
        ("h100-dense-b8", "h100-dense-b32", "batch", "cuts_bytes"),
        # 396.7 -> 395.7 MB, 200.7 -> 146.2 us
        ("h100-dense-b8", "h200-dense-b8", "device", "same_bytes_faster"),
    ],
)
def test_a_real_pair_has_the_verdict_of_its_bytes_and_time(base: str, head: str, vary: str, verdict: str) -> None:
    found = pair(base, head, vary).judged
    (one, took), (other, takes) = per_token(base), per_token(head)

    assert found.verdict == verdict
    assert (found.bytes.base, found.bytes.head) == (pytest.approx(one), pytest.approx(other))
    assert (found.seconds.base, found.seconds.head) == (pytest.approx(took), pytest.approx(takes))


@pytest.mark.parametrize(
    ("base", "head", "vary", "verdict"),
    [
        ("h100-fp8-b8", "h100-dense-b8", "weights", "moves_more"),
        ("h100-sparse24-b8", "h100-dense-b8", "weights", "moves_more"),
        ("h100-dense-b32", "h100-dense-b8", "batch", "moves_more"),
        ("h200-dense-b8", "h100-dense-b8", "device", "same_bytes_slower"),
    ],
)
def test_the_same_pair_the_other_way_round(base: str, head: str, vary: str, verdict: str) -> None:
    assert pair(base, head, vary).verdict == verdict


def test_weights_in_fp8_move_half_of_the_layers_bytes_and_the_head_stays() -> None:
    rows = pair("h100-dense-b8", "h100-fp8-b8", "weights").rows["role"]
    fc = rows.filter(pl.col("role") == "fc").row(0, named=True)

    # four layers of 436.2 MB in 16 bits become 218.1; the LM head of 1,050.7 MB stays: 2,795.5 -> 1,923.1 MB of weights,
    # and activations beside them
    assert fc["bytes_change"] == pytest.approx(1923.1 / 2795.5 - 1, abs=0.02)
    attention = rows.filter(pl.col("role") == "attention").row(0, named=True)
    assert attention["bytes_change"] == pytest.approx(0.0, abs=0.01)


PAIRS = [
    ("h100-dense-b8", "h100-fp8-b8", "weights"),
    ("h100-dense-b8", "h100-sparse24-b8", "weights"),
    ("h100-dense-b8", "h100-dense-b32", "batch"),
    ("h100-dense-b8", "h200-dense-b8", "device"),
    ("h100-dense-b8", "h100-dense-b8-flushed", "clocks"),
]
"""Base, head and what was changed on purpose; the flushed one is shown although its caches were."""


def raw(name: str, by: str) -> dict[str, tuple[float, float]]:
    """Bytes and seconds per token of each role or kernel name: the counters of the launches, added up one by one."""
    study = nr.study(FOLDER / f"{name}.ncu-repz")
    sums: dict[str, tuple[float, float]] = {}
    labels = study.launches.select("index", pl.col("role").cast(pl.String), "name")
    columns = ("index", "m:dram__bytes_read.sum", "m:dram__bytes_write.sum", "m:gpu__time_duration.sum")
    for launch in study.capture.launches.select(columns).join(labels, on="index").iter_rows(named=True):
        moved, took = sums.get(launch[by], (0.0, 0.0))
        _, read, written, seconds = (launch[c] for c in columns)
        sums[launch[by]] = (moved + read + written, took + seconds)
    tokens = int(KNOWN[name]["tokens"])
    return {label: (moved / tokens, took / tokens) for label, (moved, took) in sums.items()}


@pytest.mark.parametrize(("base", "head", "vary"), PAIRS)
def test_the_bytes_of_each_role_are_the_sums_of_its_counters(base: str, head: str, vary: str) -> None:
    rows = {r["role"]: r for r in pair(base, head, vary, anyway=True).rows["role"].to_dicts()}
    for name, side in ((base, "base"), (head, "head")):
        by_role = raw(name, "role")
        assert {r for r, row in rows.items() if row[f"{side}_launches"]} == set(by_role)
        for role, (moved, took) in by_role.items():
            assert rows[role][f"{side}_bytes"] == pytest.approx(moved), (name, role)
            assert rows[role][f"{side}_seconds"] == pytest.approx(took), (name, role)
        # and the roles together are what the file is known to move
        assert sum(moved for moved, _ in by_role.values()) == pytest.approx(per_token(name)[0])
        assert sum(took for _, took in by_role.values()) == pytest.approx(per_token(name)[1])


@pytest.mark.parametrize(("base", "head", "vary"), PAIRS)
def test_the_time_of_each_kernel_is_the_sum_of_its_launches(base: str, head: str, vary: str) -> None:
    rows = pair(base, head, vary, anyway=True).rows["kernel"]
    for name, side in ((base, "base"), (head, "head")):
        alone = rows.filter(pl.col(f"{side}_name").is_not_null())
        said = dict(alone.group_by(f"{side}_name").agg(pl.col(f"{side}_seconds").sum()).iter_rows())
        by_kernel = raw(name, "name")
        assert set(said) == set(by_kernel)
        for kernel, (_, took) in by_kernel.items():
            assert said[kernel] == pytest.approx(took), (name, kernel)


def test_every_capture_against_itself_is_no_change() -> None:
    for name in KNOWN:
        assert pair(name, name).verdict == "no_change", name


def test_a_mixture_of_experts_is_not_compared_with_a_dense_model(capsys: pytest.CaptureFixture[str]) -> None:
    files = (str(FOLDER / f"{name}.ncu-repz") for name in ("h100-dense-b8", "h100-moe-b8"))
    answer = run(capsys, "compare", *files, "--format", "json")

    assert (answer.code, json.loads(answer.out)["verdict"]) == (4, "not_comparable")


def test_flushed_caches_are_refused_and_shown_anyway() -> None:
    assert pair("h100-dense-b8", "h100-dense-b8-flushed").verdict == "not_comparable"
    # 3,072.8 -> 3,081.4 MB read, 101.0 -> 49.2 written: 3,173.8 -> 3,130.6
    shown = pair("h100-dense-b8", "h100-dense-b8-flushed", anyway=True).judged
    assert shown.bytes.part == pytest.approx(3130.6 / 3173.8 - 1, abs=1e-4)


def test_the_json_of_a_comparison_has_both_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    files = (str(FOLDER / f"{name}.ncu-repz") for name in ("h100-dense-b8", "h100-sparse24-b8"))
    found = json.loads(run(capsys, "compare", *files, "--vary", "weights", "--format", "json").out)

    for change in (found["bytes_change"], found["time_change"]):
        assert change["low"] < change["value"] < change["high"]
    assert found["bytes_change"]["high"] < 0 < found["time_change"]["low"]
    assert found["coverage"]["base"]["measured"] == {"bytes": 1.0, "flops": 1.0, "seconds": 1.0}


def test_the_time_that_bytes_do_not_explain_is_given_by_kernel_with_its_share_of_the_peak(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [str(FOLDER / f"h100-{name}-b8.ncu-repz") for name in ("dense", "sparse24")]
    found = json.loads(run(capsys, "compare", *files, "--vary", "weights", "--format", "json").out)
    first = found["time_beyond_bytes"][0]
    columns = ("m:dram__bytes_read.sum", "m:dram__bytes_write.sum", "m:gpu__time_duration.sum")

    def summed(file: str, name: str, blocks: list[int]) -> tuple[float, float]:
        mine = (pl.col("name") == name) & (pl.col("grid") == pl.lit(blocks, pl.Array(pl.Int64, 3)))
        rows = nr.study(file).capture.launches.filter(mine).select(columns).rows()
        assert len(rows) == 4  # gate and up of four layers
        return sum(read + written for read, written, _ in rows) / 8, sum(seconds for *_, seconds in rows) / 8

    moved, took = summed(files[0], first["base_name"], [2, 66, 1])
    moves, takes = summed(files[1], first["head_name"], [132, 1, 1])
    # 42.8 us for 119.9 MB would be 24.5 us for 68.5 MB, and are 68.8: 44.3 us more
    assert first["seconds"] == pytest.approx(takes - took * moves / moved)
    # 2.80 and 1.00 TB/s of 3.35: shares go as the rates
    rates = (moves / takes) / (moved / took)
    assert first["head_bandwidth_share"] / first["base_bandwidth_share"] == pytest.approx(rates, rel=0.01)
    assert "share of the DRAM peak 83.6 % to 29.7 %" in found["reason"]
