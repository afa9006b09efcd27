"""Gains, ceilings and typical times as a user sees them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.roofline.ceilings import Ceiling
from ncu_roofline.analysis.roofline.gains import Reachable, Small
from ncu_roofline.analysis.roofline.picture import picture
from ncu_roofline.capture.units import three
from ncu_roofline.present.charts import roofs
from ncu_roofline.present.documents.words_gain import reach
from ncu_roofline.present.forms.plane import plane
from tests import planted
from tests.command import run

MEASURED = Path(__file__).parents[2] / "fixtures/measured"
DENSE, FP8 = (str(MEASURED / f"h100-{name}-b8.ncu-repz") for name in ("dense", "fp8"))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    answer = run(capsys, *words, "--format", "json")
    assert answer.code == 0
    found: dict[str, Any] = json.loads(answer.out)
    return found


def test_the_time_at_the_ceilings_is_said_once_and_is_the_time_less_the_gains(capsys: pytest.CaptureFixture[str]) -> None:
    data = told(capsys, "kernels", DENSE, "--sort", "gain", "--top", "0")
    gains = [row["gain_seconds"] for row in data["rows"]]
    said = " ".join(run(capsys, "kernels", DENSE).out.split())

    assert gains == sorted(gains, reverse=True)
    assert data["at_ceilings"]["least"] == pytest.approx(data["at_ceilings"]["seconds"] - sum(gains))
    assert {"gain_seconds", "gain_reason", "waves"} <= data["rows"][0].keys()
    assert said.count("If every kernel reached its ceiling") == 1
    assert "(3.13 TB/s, the most that a kernel was seen to reach on H100 SXM)" in said
    assert "a CUDA graph or fusion helps there, fewer bytes do not" in said


@pytest.mark.parametrize("name", ["h100-dense-b8", "h100-fp8-b8", "h100-moe-b8", "h100-sparse24-b8", "h200-dense-b8"])
def test_kernels_and_summary_count_the_same_small_kernels(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(MEASURED / f"{name}.ncu-repz")
    found = told(capsys, "kernels", file)["at_ceilings"]
    listed = " ".join(run(capsys, "summary", file).out.split())

    assert f"{found['tiny']} small kernels" in listed
    assert f"{three(found['fixed'], 's')} launch cost: graph or fusion" in listed
    assert f"{three(found['fixed'], 's')} of the difference is {found['tiny']} small kernels" in " ".join(
        run(capsys, "kernels", file).out.split()
    )


def test_the_time_of_a_step_is_that_of_one_gpu_and_only_of_whole_steps() -> None:
    study = planted.plain({"count": 4, "seconds": 1e-4}, steps=2, batch=8)
    whole = replace(
        study, launches=study.launches.with_columns(step_whole=True), ceiling=Ceiling(bandwidth=3e12, kind="stated")
    )
    ranks = replace(whole, launches=whole.launches.with_columns(device=pl.Series([0, 1] * 2)))
    torn = replace(whole, launches=study.launches.with_columns(step_whole=False), phase="all")
    found, none = Reachable(seconds=4e-4, least=1e-4), Small(launches=0, gain=0.0)
    # 400 µs of kernels: of two steps 200 µs each, of two GPUs side by side 100 µs a step
    assert [reach(s, found, none)[0].split("), ")[1] for s in (whole, ranks, torn)] == [
        "a captured step would take 50 µs instead of 200 µs of kernel time.",
        "a captured step on one GPU would take 25 µs instead of 100 µs of kernel time.",
        "the capture would take 100 µs instead of 400 µs of kernel time.",
    ]


def test_kernels_by_gain_show_why_even_on_a_narrow_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "kernels", DENSE, "--sort", "gain", "--top", "3").out.splitlines()
    (heading,) = [at for at, line in enumerate(lines) if line.startswith("kernel  ")]

    assert lines[heading].split()[-2:] == ["gain", "why"]
    assert lines[heading + 1].endswith("launch cost: graph or fusion")
    assert lines[heading + 3].endswith("streams at 77 % of the ceiling")
    assert max(map(len, lines)) <= 100


def test_a_kernel_of_the_capture_that_beats_the_table_raises_it_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # synthetic: the LM head of our capture, 1.0511 GB read in 378.7 us, told to have taken 87 % of it: 3.19 TB/s
    capture = nr.read(DENSE)
    head = pl.col("seconds") == pl.col("seconds").max()
    faster = capture.launches.with_columns(seconds=pl.when(head).then(0.87 * pl.col("seconds")).otherwise("seconds"))
    nr.save(replace(capture, launches=faster), tmp_path / "faster.parquet")
    data = told(capsys, "kernels", str(tmp_path / "faster.parquet"))["ceiling"]
    said = " ".join(run(capsys, "kernels", str(tmp_path / "faster.parquet")).out.split())

    assert data["bandwidth"] == pytest.approx(1.05113e9 / (0.87 * 378.656e-6), rel=1e-4)
    assert (data["kind"], data["table"]) == ("capture", 3.13e12)
    assert data["kernel"].startswith("nvjet_sm90_tst_384x8")
    assert (
        "(3.19 TB/s, which nvjet_sm90_tst_384x8_64x4_2x1_v_bz_TNT of this capture reached, beyond the 3.13 TB/s known" in said
    )


def test_a_stated_ceiling_is_named_and_changes_every_gain(capsys: pytest.CaptureFixture[str]) -> None:
    stated = told(capsys, "kernels", DENSE, "--ceiling", "2.98TB/s")
    usual = told(capsys, "kernels", DENSE)

    assert stated["ceiling"] == {"bandwidth": 2.98e12, "kind": "stated", "table": None, "kernel": None}
    assert usual["ceiling"]["kind"] == "table"
    assert stated["at_ceilings"]["least"] > usual["at_ceilings"]["least"]
    assert "(2.98 TB/s, as stated)" in run(capsys, "kernels", DENSE, "--ceiling", "2.98TB/s").out


@pytest.mark.parametrize(
    "command",
    [
        ["kernels", DENSE],
        ["summary", DENSE],
        ["plot", DENSE],
        ["compare", DENSE, FP8],
        ["floor", "--model", "llama-3.1-8b", "--gpu", "h100"],
    ],
)
@pytest.mark.parametrize("said", ["fast", "0TB/s", "9TB/s"])
def test_a_ceiling_that_cannot_be_is_refused_in_a_sentence(
    command: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, *command, "--ceiling", said)

    assert answer.code == 3 and answer.out == ""
    assert answer.err.startswith("ncu-roofline: --ceiling ") and answer.err.count("\n") == 1


def test_a_comparison_takes_a_stated_ceiling(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", DENSE, FP8, "--vary", "weights,kernel"]
    usual, stated = told(capsys, *words), told(capsys, *words, "--ceiling", "2.98TB/s")
    said = " ".join(run(capsys, *words, "--ceiling", "2.98TB/s").out.split())

    assert usual["at_ceilings"]["base"]["kind"] == "table"
    assert stated["at_ceilings"]["base"]["bandwidth"] == 2.98e12
    assert stated["at_ceilings"]["head"]["least"] > usual["at_ceilings"]["head"]["least"]
    assert "At 2.98 TB/s, as stated, the kernels would take" in said
    assert "as stated" not in " ".join(run(capsys, *words).out.split())


def test_a_chart_draws_the_stated_ceiling_and_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the ceiling is stated as 2.5 TB/s" in " ".join(run(capsys, "plot", DENSE, "--ceiling", "2.5TB/s").out.split())
    assert "kernels were seen to reach 3.13 TB/s" in " ".join(run(capsys, "plot", DENSE).out.split())


def test_a_ceiling_that_was_only_reported_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["floor", "--model", "llama-3.1-8b", "--batch", "8"]

    assert "1.63 TB/s, the most that a kernel was reported to reach" in run(capsys, *words, "--gpu", "rtx 5090").out
    assert "3.13 TB/s, the most that a kernel was seen to reach" in run(capsys, *words, "--gpu", "h100 sxm").out
    assert told(capsys, "kernels", DENSE, "--gpu", "rtx 5090")["ceiling"]["kind"] == "reported"


def test_with_a_model_reads_beyond_the_matrix_are_no_need(capsys: pytest.CaptureFixture[str]) -> None:
    plain, matched = (told(capsys, "kernels", DENSE, *more) for more in ([], ["--model", "llama-3.1-8b"]))
    head = [next(r for r in data["rows"] if r["dram_read_bytes"] > 1e9) for data in (plain, matched)]

    # 1.05113 GB read of a matrix of 1.05067: 0.46 MB less, of which the inputs are 0.07 (8 x 4096 x 2)
    assert head[1]["projection"] == "lm_head"
    assert (head[0]["least_seconds"] - head[1]["least_seconds"]) * 3.13e12 == pytest.approx(
        head[0]["dram_read_bytes"] - 128256 * 4096 * 2 - 8 * 4096 * 2, rel=1e-3
    )


def test_a_floor_tells_the_least_the_ceiling_and_the_typical_time(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["floor", "--model", "llama-3.1-8b", "--gpu", "h100 sxm", "--batch", "8,256", "--context", "2048"]
    first, second = told(capsys, *words)["rows"]
    said = " ".join(run(capsys, *words).out.split())

    assert first["step_seconds"] < first["ceiling_seconds"] < first["typical_seconds"]["value"]
    assert first["typical_seconds"]["low"] < first["typical_seconds"]["value"] < first["typical_seconds"]["high"]
    assert second["typical_seconds"] is None
    assert "Typically its matrices and attention take 6.92 ms (6.03 ms to 8.03 ms), in 161 kernels" in said
    assert "glue come on top" in said


def test_a_floor_says_what_half_of_the_bytes_typically_gives(capsys: pytest.CaptureFixture[str]) -> None:
    small, large = (
        " ".join(run(capsys, "floor", "--model", name, "--gpu", "h100 sxm", "--batch", "8").out.split())
        for name in ("llama-3.1-8b", "llama-3.1-70b")
    )

    assert "Stored in FP8, half of the bytes, the matrices of its layers typically become 1.11x to 1.67x as fast." in small
    assert "the matrices of its layers typically become 1.54x to 1.84x as fast" in large


def test_a_step_without_a_typical_time_says_of_what_it_lacks_one(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "floor", "--model", "llama-3.1-8b", "--gpu", "h100 sxm", "--batch", "8", "--weights", "int4").out

    assert "none is known of weight matrices in int4 on H100 SXM" in " ".join(answer.split())
    assert "Typically" not in answer


def test_a_comparison_sets_what_was_seen_beside_what_is_typical(capsys: pytest.CaptureFixture[str]) -> None:
    data = told(capsys, "compare", DENSE, FP8, "--vary", "weights,kernel")
    said = " ".join(run(capsys, "compare", DENSE, FP8, "--vary", "weights,kernel").out.split())

    assert data["typical"]["seen"] == pytest.approx(1.364, rel=1e-3)
    assert "Matrices and attention became 1.36x as fast, as usual for their sizes and types: 1.23x" in said
    assert "The other kernels (glue) took" in said


def test_the_slope_that_kernels_reach_lies_under_the_memorys_and_ends_at_the_highest_ceiling() -> None:
    drawn = picture(nr.study(DENSE))
    on = plane(drawn)
    (line,) = [s for s in roofs.segments(drawn, on) if s["kind"] == "reached"]
    (memory,) = [s for s in roofs.segments(drawn, on) if s["kind"] == "capture" and s["what"] == "dram" and s["x"] == line["x"]]

    assert line["y"] / line["x"] == pytest.approx(3.13e12)
    assert line["y2"] / line["x2"] == pytest.approx(3.13e12)
    assert line["y"] < memory["y"]
    assert line["y2"] == pytest.approx(max(drawn.ridges["rate"]))


def test_a_device_without_a_known_best_draws_no_second_slope() -> None:
    drawn = picture(nr.study(DENSE, gpu="h100 pcie"))

    assert drawn.ceiling is None
    assert not [s for s in roofs.segments(drawn, plane(drawn)) if s["kind"] == "reached"]
