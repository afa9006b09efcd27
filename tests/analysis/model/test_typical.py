"""Typical times by hand, and beside our own captures; what others measured judges in test_fits."""

from __future__ import annotations

import json
from dataclasses import replace
from math import exp, hypot, log
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.model.floor import floor
from ncu_roofline.analysis.model.floor_parts import matrix_floors
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.analysis.model.typical import of_launches, parts_of, untold
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models import models

MEASURED = Path("fixtures/measured")
LLAMA, H100 = models.load("llama-3.1-8b"), gpus.find("h100 sxm")


def test_a_step_of_llama_by_hand() -> None:
    # per layer QKV (6144 x 4096), O, gate and up as one (28672 x 4096), down: four products; then the LM head: 129 starts
    weights = 2 * (32 * (6144 * 4096 + 4096 * 4096 + 28672 * 4096 + 4096 * 14336) + 128256 * 4096)
    # 32 layers x 8 sequences x 2048 tokens x 2 x 8 heads x 128 x 2 bytes
    cache = 32 * 8 * 2048 * 2 * 8 * 128 * 2
    fc, attention = 129 * 5.7e-6 + weights / 2.98e12, 32 * 13.5e-6 + cache / 3.02e12

    found = floor(LLAMA, H100, Setting(batch=8, context=2048)).typical

    assert found is not None
    assert found.value == pytest.approx(fc + attention, rel=1e-9)
    assert found.low == pytest.approx(0.89 * fc + 0.78 * attention, rel=1e-9)
    assert found.high == pytest.approx(1.14 * fc + 1.27 * attention, rel=1e-9)


def test_the_matrices_of_a_fused_product_share_its_start() -> None:
    parts = {part.name: part for part in parts_of(LLAMA, H100, Setting(batch=1))}

    assert [parts[n].launches for n in ("q_proj", "k_proj", "v_proj")] == [pytest.approx(32 / 3)] * 3
    assert parts["o_proj"].launches == 32
    assert sum(part.launches for part in parts.values()) == pytest.approx(129)


def test_every_gpu_of_a_tensor_parallel_run_reads_its_part_and_starts_as_often() -> None:
    one, four = (floor(LLAMA, H100, Setting(batch=8, context=2048, tp=tp)).typical for tp in (1, 4))
    starts = 129 * 5.7e-6 + 32 * 13.5e-6

    assert one is not None and four is not None
    assert four.value - starts == pytest.approx((one.value - starts) / 4, rel=1e-6)


@pytest.mark.parametrize("gpu", ["h100 sxm", "h200", "l40s", "b200", "rtx pro 6000 server"])
@pytest.mark.parametrize("batch", [1, 8, 32, THRESHOLDS.fitted_rows])
@pytest.mark.parametrize("name", ["llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b"])
def test_what_is_typical_is_never_below_the_least(gpu: str, batch: int, name: str) -> None:
    least = floor(models.load(name), gpus.find(gpu), Setting(batch=batch, context=1024, tp=2))

    if least.typical is not None:
        assert least.step_seconds <= least.typical.low <= least.typical.value <= least.typical.high


def test_what_nobody_measured_is_not_told_and_named() -> None:
    int4 = floor(LLAMA, H100, Setting(batch=8, weights="int4"))
    wide = floor(LLAMA, H100, Setting(batch=2 * THRESHOLDS.fitted_rows))
    latent = parts_of(models.load("deepseek-v3"), H100, Setting(batch=1, context=2048))

    assert int4.typical is None and untold(list(int4.typical_parts)) == [("fc", "int4")]
    assert wide.typical is None
    assert ("mla", "bf16") in untold(latent)


def gains(model: str, gpu: str = "h100 sxm", **setting: Any) -> dict[str, float]:
    """Matrix by matrix, what FP8 typically gives."""
    rows = matrix_floors(models.load(model), Setting(**{"batch": 8, **setting}), gpus.find(gpu))
    return {r["name"]: r["halved_speedup"]["value"] for r in rows.to_dicts() if r["halved_speedup"]}


def test_half_of_the_bytes_gains_1_1_to_1_7_times_at_8b_and_1_4_to_2_5_times_at_a_hidden_size_of_8192() -> None:
    small, large = gains("llama-3.1-8b"), gains("llama-3.1-70b")
    # 4096 x 4096: 5.7 + 33.55 / 2.98 = 16.96 us against 9.4 + 16.78 / 2.854 = 15.28 us
    assert small["o_proj"] == pytest.approx(16.96 / 15.28, rel=1e-3)
    # 28672 x 4096, gate and up as one: 5.7 + 234.9 / 2.98 = 84.5 us against 9.4 + 117.4 / 2.854 = 50.5 us
    assert small["gate_proj"] == small["up_proj"] == pytest.approx(84.5 / 50.5, rel=1e-3)
    inside = {name: [g for n, g in each.items() if n != "lm_head"] for name, each in (("8b", small), ("70b", large))}

    assert min(inside["8b"]) >= 1.1 and max(inside["8b"]) <= 1.7
    assert min(inside["70b"]) >= 1.4 and max(inside["70b"]) <= 2.5


def test_the_ends_of_a_gain_hold_the_spreads_of_both_types() -> None:
    row = next(r for r in matrix_floors(LLAMA, Setting(batch=8), H100).to_dicts() if r["name"] == "o_proj")["halved_speedup"]

    # BF16 0.89 to 1.14, FP8 0.88 to 1.18: lower by the root of the squares of ln(1 / 0.89) and ln 1.18
    assert row["low"] == pytest.approx(row["value"] * exp(-hypot(log(1 / 0.89), log(1.18))))
    assert row["high"] == pytest.approx(row["value"] * exp(hypot(log(1.14), log(1 / 0.88))))


def test_what_half_of_the_bytes_gives_is_not_told_beyond_what_the_fits_know() -> None:
    assert gains("llama-3.1-8b", weights="fp8") == {}  # no 16 bits
    assert gains("llama-3.1-8b", gpu="b200") == {}  # no fit of FP8
    assert gains("llama-3.1-8b", batch=256) == {}
    # QKV of 21 and the output of 17 MB are less than half of an L2 of 63; the experts have no fit in FP8
    assert set(gains("qwen3-30b-a3b", gpu="h200")) == {"lm_head"}


# --- our own captures

CAPTURES = ("h100-dense-b8", "h100-dense-b8-flushed", "h100-dense-b32", "h100-dense-b128", "h200-dense-b8", "h100-fp8-b8")


@pytest.mark.parametrize("file", CAPTURES)
@pytest.mark.parametrize("family", ["fc", "attention"])
def test_typical_is_within_a_tenth_of_what_our_captures_took(file: str, family: str) -> None:
    study = nr.study(MEASURED / f"{file}.ncu-repz")
    rows = of_launches(study.launches, study.gpu, study.run).filter(pl.col("family").cast(pl.String) == family)
    took, typical = rows["seconds"].sum(), rows["typical_seconds"].sum()
    least = (rows["dram_read_bytes"] / study.gpu.bandwidth).sum()  # type: ignore[union-attr]

    assert typical == pytest.approx(took, rel=0.10)
    assert least < typical


def test_the_lm_head_and_its_layers_by_hand() -> None:
    study = nr.study(MEASURED / "h100-fp8-b8.ncu-repz")
    rows = of_launches(study.launches, study.gpu, study.run).filter(pl.col("typical_seconds").is_not_null())
    head = rows.sort("dram_read_bytes").row(-1, named=True)
    narrow = rows.filter(pl.col("precision").cast(pl.String) == "fp8").row(0, named=True)

    assert head["typical_seconds"] == pytest.approx(5.7e-6 + 1.05108e9 / 2.98e12, rel=1e-4)  # 16 bits
    assert narrow["typical_seconds"] == pytest.approx(9.4e-6 + narrow["dram_read_bytes"] / 2.854e12)
    assert rows.height == 16 + 1 + 4  # four products a layer, the head, and attention; reductions and combines are helpers


def test_glue_has_no_typical_time() -> None:
    study = nr.study(MEASURED / "h100-dense-b8.ncu-repz")
    rows = of_launches(study.launches, study.gpu, study.run)

    assert rows.filter(pl.col("family").cast(pl.String) == "other")["typical_seconds"].count() == 0


def steps(gpu: str) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (MEASURED / f"timings-{gpu}.jsonl").read_text().splitlines()]
    return [r for r in rows if r["variant"] in ("dense", "fp8") and r["layers"] == 32 and r["shape"] == "llama-3.1-8b"]


@pytest.mark.parametrize("gpu", ["h100", "h200"])
def test_measured_steps_lie_above_what_is_typical_by_their_glue(gpu: str) -> None:
    for row in steps(gpu):
        fp8 = row["variant"] == "fp8"
        how = Setting(batch=row["batch"], context=row["context"], weights="fp8" if fp8 else None, head="bf16" if fp8 else None)  # type: ignore[arg-type]
        found = floor(LLAMA, gpus.find(gpu), how).typical
        assert found is not None
        glue = float(row["seconds"]) - found.value  # type: ignore[arg-type]

        # 14 to 26 kernels of glue a layer, of about a microsecond each inside a graph: 0.4 to 2.3 ms in 32 layers
        assert -0.1 * found.value < glue < 2.5e-3, row


def test_a_slice_is_as_slow_as_its_bandwidth() -> None:
    half_of_it = replace(H100, bandwidth=H100.bandwidth / 2, achieved=H100.achieved.sliced(0.5))
    whole, part = (floor(LLAMA, gpu, Setting(batch=1)).typical for gpu in (H100, half_of_it))
    starts = 129 * 5.7e-6

    assert whole is not None and part is not None
    assert part.value - starts == pytest.approx(2 * (whole.value - starts))
