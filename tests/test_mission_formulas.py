"""Every row of the mission's table of formulas, with the arithmetic that must come out."""

from __future__ import annotations

import pytest

from ncu_roofline.analysis import formulas as f
from ncu_roofline.analysis.floor import Setting, floor
from ncu_roofline.knowledge import models
from ncu_roofline.knowledge.gpus import find

NEAR = {"rel": 0.005}
"""The mission prints two or three digits."""


@pytest.mark.parametrize(
    ("peak", "bandwidth", "ridge"),
    [(989e12, 3.35e12, 295), (836e12, 3.9e12, 214), (312e12, 2.0e12, 156), (1671e12, 3.9e12, 428)],
)
def test_the_ridge_is_peak_over_bandwidth(peak: float, bandwidth: float, ridge: float) -> None:
    assert f.ridge(peak, bandwidth) == pytest.approx(ridge, **NEAR)


def test_the_table_has_these_ridges() -> None:
    # the table's H100 NVL has 3938 GB/s, the mission rounds to 3.9 TB/s: 1 % apart
    assert find("h100").ridge("bf16") == pytest.approx(295, **NEAR)
    assert find("h100 nvl").ridge("bf16") == pytest.approx(214, rel=0.01)
    assert find("h100 nvl").ridge("fp8") == pytest.approx(428, rel=0.01)


def test_fp8_doubles_the_ridge_of_the_same_part() -> None:
    bf16, fp8 = find("h100").ridge("bf16"), find("h100").ridge("fp8")

    assert bf16 is not None and fp8 is not None
    assert fp8 / bf16 == pytest.approx(2, rel=1e-3)


def test_eight_sequences_in_fp8_stand_at_3_7_percent_of_the_nvl_ridge_and_cross_at_214() -> None:
    ridge = f.ridge(1671e12, 3.9e12)  # 428

    assert f.fc_intensity(8, 1) == 16  # 2 x 8 / 1
    assert f.fc_intensity(8, 1) / ridge == pytest.approx(0.037, rel=0.02)
    assert f.crossover_batch(ridge, 1) == pytest.approx(214, **NEAR)  # 428 x 1 / 2


def test_weight_bytes_are_parameters_times_width() -> None:
    assert f.weight_bytes(7e9, 2) == 14e9
    assert f.weight_bytes(70e9, 2) == 140e9


def test_the_step_floor_of_a_7b_is_4_2_milliseconds() -> None:
    seconds = f.step_seconds(f.weight_bytes(7e9, 2), 3.35e12)  # 14e9 / 3.35e12

    assert seconds == pytest.approx(4.2e-3, rel=0.01)
    assert 1 / seconds == pytest.approx(240, rel=0.01)


def test_the_step_floor_of_a_70b_is_42_milliseconds_against_0_14_of_arithmetic() -> None:
    seconds = f.step_seconds(f.weight_bytes(70e9, 2), 3.35e12)  # 140e9 / 3.35e12

    assert seconds == pytest.approx(42e-3, rel=0.01)
    assert 1 / seconds == pytest.approx(24, rel=0.01)
    assert f.compute_seconds(70e9, 1, 989e12) == pytest.approx(0.14e-3, rel=0.02)  # 2 x 70e9 / 989e12


def test_the_classic_transformer_reads_12_9_gigabytes_per_token() -> None:
    moved = f.weight_bytes(f.classic_parameters(32, 4096), 2)  # 12 x 32 x 4096^2 x 2

    assert moved == 12 * 32 * 4096**2 * 2
    assert moved == pytest.approx(12.9e9, **NEAR)
    assert f.step_seconds(moved, 2.0e12) == pytest.approx(6.44e-3, **NEAR)


@pytest.mark.parametrize(("batch", "width", "intensity"), [(1, 2, 1), (16, 2, 16), (64, 2, 64), (8, 1, 16)])
def test_fc_intensity_climbs_with_the_batch(batch: int, width: float, intensity: float) -> None:
    assert f.fc_intensity(batch, width) == intensity


def test_the_exact_intensity_counts_the_activations() -> None:
    # 2 x 4096^2 / (2 x 4096^2 + 2 x 8192) = 33554432 / 33570816
    exact = f.exact_fc_intensity(1, (4096, 4096), 2)

    assert exact == 33554432 / 33570816
    assert exact == pytest.approx(0.9995, abs=5e-5)


@pytest.mark.parametrize(("width", "intensity"), [(4, 0.5), (2, 1), (1, 2)])
def test_attention_intensity_is_set_by_the_cache_type(width: float, intensity: float) -> None:
    assert f.attention_intensity(width) == intensity


@pytest.mark.parametrize("group", [1, 4, 8, 16])
@pytest.mark.parametrize("context", [1, 366, 131072])
def test_attention_intensity_is_flops_over_bytes_at_any_context(group: int, context: int) -> None:
    flops = f.attention_flops(48, context, 4096)  # 4 L S d
    moved = f.attention_bytes(48, context, 4096, 2, group)  # 2 L S d s / g

    assert flops / moved == f.attention_intensity(2, group) == group


def test_crossover_on_an_h100_in_bf16_is_295() -> None:
    assert f.crossover_batch(989e12 / 3.35e12, 2) == pytest.approx(295, **NEAR)


def test_the_batch_that_memory_allows_is_what_is_left_over_the_cache_of_one() -> None:
    # 80 GB - 14 GB of weights; a 7B caches 2 x 32 x 4096 x 4096 x 2 = 2.147 GB at context 4096
    per_sequence = f.attention_bytes(32, 4096, 4096, 2)

    assert per_sequence == 2147483648
    assert f.kv_batch_limit(80e9, 14e9, per_sequence) == pytest.approx(30.7, abs=0.05)


def test_without_room_for_the_weights_no_sequence_fits() -> None:
    assert f.kv_batch_limit(80e9, 140e9, 1e9) == 0


@pytest.mark.parametrize(("bandwidth", "gain"), [(3.35e12, 1), (4.8e12, 1.43), (8.0e12, 2.39), (7.7e12, 2.30)])
def test_a_memory_bound_step_scales_with_bandwidth(bandwidth: float, gain: float) -> None:
    before, after = f.step_seconds(14e9, 3.35e12), f.step_seconds(14e9, bandwidth)

    assert before / after == pytest.approx(gain, **NEAR)


@pytest.mark.parametrize("name", ["h200", "b200"])
def test_the_floor_of_a_model_scales_with_the_table_s_bandwidths(name: str) -> None:
    model, here, there = models.load("llama-2-7b"), find("h100"), find(name)

    before, after = floor(model, here, Setting()), floor(model, there, Setting())

    assert before.step_seconds / after.step_seconds == pytest.approx(there.bandwidth / here.bandwidth)


def test_distinct_experts_grow_with_the_batch_towards_all() -> None:
    # 128 experts, 8 per token: batch 1 hits 8, batch 2 hits 128 (1 - (120/128)^2) = 15.5
    assert f.expected_experts(128, 8, 1) == pytest.approx(8)
    assert f.expected_experts(128, 8, 2) == pytest.approx(15.5)
    assert f.expected_experts(128, 8, 10_000) == pytest.approx(128)
