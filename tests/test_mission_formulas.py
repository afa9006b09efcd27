"""Every row of the mission's table of formulas, asked of what the commands compute with, arithmetic in sight."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.model.floor import Floor, floor
from ncu_roofline.analysis.model.footprint import Setting, memory_batch
from ncu_roofline.analysis.model.theory import theory
from ncu_roofline.analysis.sums import ratio
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.devices.gpus import find
from ncu_roofline.knowledge.models import models
from ncu_roofline.knowledge.models.model import Cache, Model, Weight
from tests.small_model import small
from tests.stating import stating

TYPES = ("family", "weight_dtype", "cache_dtype", "activation_dtype", "precision")
NOTHING_RAN = pl.DataFrame(schema=dict.fromkeys(TYPES, pl.String) | {"dram_bytes": pl.Float64})

NEAR: dict[str, Any] = {"rel": 0.005}
"""The mission prints two or three digits."""


def part(peak: float, bandwidth: float, memory: float = 80e9) -> Gpu:
    """A device of a peak in 16 bits, twice that in 8, and a bandwidth."""
    peaks = {"bf16": peak, "fp8": 2 * peak}
    unknown: dict[str, Any] = {
        "chip": None,
        "compute_capability": None,
        "sms": None,
        "l2_bytes": None,
        "bus_bits": None,
        "boost_hertz": None,
    }
    return Gpu(name="part", product="Part", memory_bytes=memory, bandwidth=bandwidth, peaks=peaks, **unknown)


H100 = part(989e12, 3.35e12)


def dense(*weights: Weight, layers: int = 32, width: int = 4096, group: int = 1) -> Model:
    """A dense model of these matrices; keys and values of `width` / `group` elements a layer."""
    return small(
        name="dense",
        architecture="Dense",
        heads=64,
        layer_kinds=("full",) * layers,
        weights=weights,
        caches=(Cache(kind="full", elements=2 * width // group, flops=4 * width, split=1),) * layers,
    )


def of(parameters: int, **shape: int) -> Model:
    """A dense model of so many parameters in one matrix."""
    return dense(Weight(name="all", n=parameters // 1000, k=1000, role="fc"), **shape)


def classic(layers: int, width: int) -> Model:
    """12 L d^2: four matrices of d x d around attention, and d to 4 d and back."""
    square = Weight(name="qkvo", n=width, k=width, copies=4, role="fc", layers=tuple(range(layers)))
    wide = Weight(name="mlp", n=4 * width, k=width, copies=2, role="fc", layers=tuple(range(layers)))
    return dense(square, wide, layers=layers, width=width)


def weights_of(least: Floor) -> float:
    """Useful FLOP per byte of weights."""
    return least.flops / least.weight_bytes


@pytest.mark.parametrize(
    ("peak", "bandwidth", "ridge"),
    [(989e12, 3.35e12, 295), (836e12, 3.9e12, 214), (312e12, 2.0e12, 156), (835.5e12, 3.9e12, 428 / 2)],
)
def test_the_ridge_is_peak_over_bandwidth(peak: float, bandwidth: float, ridge: float) -> None:
    found = part(peak, bandwidth)

    assert found.ridge("bf16") == pytest.approx(ridge, **NEAR)
    assert found.ridge("fp8") == pytest.approx(2 * ridge, **NEAR)  # FP8 doubles the ridge of the same part


def test_the_table_has_these_ridges() -> None:
    # the table's H100 NVL has 3938 GB/s, the mission rounds to 3.9 TB/s: 1 % apart
    assert find("h100").ridge("bf16") == pytest.approx(295, **NEAR)
    assert find("h100").ridge("fp8") == pytest.approx(2 * 295, **NEAR)
    assert find("h100 nvl").ridge("bf16") == pytest.approx(214, rel=0.01)
    assert find("h100 nvl").ridge("fp8") == pytest.approx(428, rel=0.01)


def test_eight_sequences_in_fp8_stand_at_3_7_percent_of_the_nvl_ridge_and_cross_at_214() -> None:
    nvl = part(835.5e12, 3.9e12)  # 1671e12 in FP8: ridge 428
    least = floor(of(7_000_000_000), nvl, Setting(batch=8, weights="fp8"))

    assert weights_of(least) == 16  # 2 x 8 / 1
    assert weights_of(least) / 428 == pytest.approx(0.037, rel=0.02)
    assert least.crossover_batch == pytest.approx(214, **NEAR)  # 428 x 1 / 2


def test_the_step_floor_of_a_7b_is_4_2_milliseconds() -> None:
    least = floor(of(7_000_000_000), H100, Setting())

    assert least.weight_bytes == 14e9  # 7e9 x 2
    assert least.step_seconds == pytest.approx(4.2e-3, rel=0.01)  # 14e9 / 3.35e12
    assert least.tokens_per_second == pytest.approx(240, rel=0.01)


def test_the_step_floor_of_a_70b_is_42_milliseconds_against_0_14_of_arithmetic() -> None:
    least = floor(of(70_000_000_000), part(989e12, 3.35e12, memory=200e9), Setting())

    assert least.weight_bytes == 140e9
    assert least.step_seconds == pytest.approx(42e-3, rel=0.01)  # 140e9 / 3.35e12
    assert least.tokens_per_second == pytest.approx(24, rel=0.01)
    assert least.compute_seconds == pytest.approx(0.14e-3, rel=0.02)  # 2 x 70e9 / 989e12


def test_the_classic_transformer_reads_12_9_gigabytes_per_token() -> None:
    least = floor(classic(32, 4096), part(312e12, 2.0e12), Setting())

    assert least.weight_bytes == 12 * 32 * 4096**2 * 2
    assert least.weight_bytes == pytest.approx(12.9e9, **NEAR)
    assert least.step_seconds == pytest.approx(6.44e-3, **NEAR)  # 12.9e9 / 2.0e12


@pytest.mark.parametrize(("batch", "dtype", "intensity"), [(1, "bf16", 1), (16, "bf16", 16), (64, "bf16", 64), (8, "fp8", 16)])
def test_fc_intensity_climbs_with_the_batch(batch: int, dtype: str, intensity: float) -> None:
    assert weights_of(floor(classic(32, 4096), H100, Setting(batch=batch, weights=dtype))) == intensity
    (line,) = theory(NOTHING_RAN, stating(batch=batch, weights=dtype))
    assert line.intensity == intensity


def test_the_exact_intensity_counts_the_activations() -> None:
    # 2 x 4096^2 / (2 x 4096^2 + 2 x 8192) = 33554432 / 33570816
    launch = pl.DataFrame({"flops": [2.0 * 4096**2], "bytes": [2.0 * 4096**2 + 2.0 * (4096 + 4096)]})

    exact = launch.select(ratio(pl.col("flops"), pl.col("bytes"))).item()

    assert exact == 33554432 / 33570816
    assert exact == pytest.approx(0.9995, abs=5e-5)


@pytest.mark.parametrize(("dtype", "intensity"), [("fp32", 0.5), ("bf16", 1), ("fp8", 2)])
def test_attention_intensity_is_set_by_the_cache_type(dtype: str, intensity: float) -> None:
    (line,) = theory(NOTHING_RAN, stating(kv=dtype))
    assert line.intensity == intensity


@pytest.mark.parametrize("group", [1, 4, 8, 16])
@pytest.mark.parametrize("context", [1, 366, 131072])
@pytest.mark.parametrize("batch", [1, 8])
def test_attention_intensity_is_that_of_a_head_times_its_sharing_at_any_context(group: int, context: int, batch: int) -> None:
    model = of(1_000_000, group=group)
    least = floor(model, part(989e12, 3.35e12, memory=1e15), Setting(batch=batch, context=context))
    attended = least.flops - batch * 2 * 1_000_000

    assert attended == batch * 4 * 32 * context * 4096  # 4 L S d
    assert least.kv_bytes == batch * 2 * 32 * context * 4096 * 2 / group  # 2 L S d s / g
    assert attended / least.kv_bytes == group


def test_crossover_on_an_h100_in_bf16_is_295() -> None:
    assert floor(of(7_000_000_000), H100, Setting()).crossover_batch == pytest.approx(295, **NEAR)


def test_the_batch_that_memory_allows_is_what_is_left_over_the_cache_of_one() -> None:
    # 80 GB - 14 GB of weights; a 7B caches 2 x 32 x 4096 x 4096 x 2 = 2.147 GB at context 4096: 30.7
    least = floor(of(7_000_000_000), H100, Setting(context=4096))

    assert least.kv_bytes == 2147483648
    assert least.memory_batch == 30


def test_without_room_for_the_weights_no_sequence_fits() -> None:
    assert memory_batch(of(70_000_000_000), H100, Setting(context=1)) == (0, 140e9)


@pytest.mark.parametrize(("bandwidth", "gain"), [(3.35e12, 1), (4.8e12, 1.43), (8.0e12, 2.39), (7.7e12, 2.30)])
def test_a_memory_bound_step_scales_with_bandwidth(bandwidth: float, gain: float) -> None:
    before, after = (floor(of(7_000_000_000), part(989e12, b), Setting()) for b in (3.35e12, bandwidth))

    assert before.step_seconds / after.step_seconds == pytest.approx(gain, **NEAR)


@pytest.mark.parametrize("name", ["h200", "b200"])
def test_the_floor_of_a_model_scales_with_the_table_s_bandwidths(name: str) -> None:
    model, here, there = models.load("llama-2-7b"), find("h100"), find(name)

    before, after = floor(model, here, Setting()), floor(model, there, Setting())

    assert before.step_seconds / after.step_seconds == pytest.approx(there.bandwidth / here.bandwidth)


def test_distinct_experts_grow_with_the_batch_towards_all() -> None:
    model = models.load("qwen3-30b-a3b")  # 128 experts, 8 per token

    assert model.expected_experts(1) == pytest.approx(8)
    assert model.expected_experts(2) == pytest.approx(15.5)  # 128 (1 - (120/128)^2)
    assert model.expected_experts(10_000) == pytest.approx(128)
