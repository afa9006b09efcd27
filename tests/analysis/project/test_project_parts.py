"""Parts of a projection, each by its own arithmetic."""

from dataclasses import replace
from types import MappingProxyType, SimpleNamespace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.project.project import activations, by_bytes, by_work, executed, moved, peaks, per_basis, times
from ncu_roofline.analysis.project.scales import Scales, Target
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.verdicts import limit
from tests.kernels import full, h100


def gpu(**peaks: float) -> Gpu:
    return replace(h100(), peaks=MappingProxyType(peaks))


def on(device: Gpu | None) -> Any:
    return SimpleNamespace(gpu=device)


def frame(**columns: list[Any]) -> pl.DataFrame:
    """Launches of 100 bytes, 10 FLOPs and one second, and what else is asked for."""
    count = len(next(iter(columns.values())))
    usual = {"dram_bytes": 100.0, "flops": 10.0, "useful_flops": None, "seconds": 1.0, "name": "gemm", "limited_by": "memory"}
    more = {"compute_share": 0.5, "path": "bf16", "role": "fc", "bytes_low": 100.0, "bytes_high": 100.0, "work": 10.0}
    kinds = {"useful_flops": pl.Float64, "role": pl.String, "limited_by": pl.String}
    stated = {**{k: [v] * count for k, v in {**usual, **more}.items()}, **columns}
    return full(pl.DataFrame(stated, schema_overrides=kinds, strict=False))


def test_weights_scale_with_their_type_and_activations_with_the_batch() -> None:
    rows = frame(role=["fc", "fc"], activation_bytes=[10.0] * 2, output_bytes=[20.0] * 2, layer=[0, None])
    found = moved(rows, Scales(weights=0.5, tp=0.25, batch=4.0, kv=100.0))
    # 70 bytes of weights, 30 beside them; outside of layers it may be an LM head that keeps its type
    narrow, wide = 70 * 0.5 * 0.25 + 30 * 4, 70 * 0.25 + 30 * 4
    assert found.select("bytes_low", "bytes_high").rows() == [(narrow, narrow), (narrow, wide)]
    assert found["work"][0] == 10 * 4 * 0.25


def test_a_head_that_is_stated_scales_with_its_own_type() -> None:
    rows = frame(role=["fc", "fc"], activation_bytes=[10.0] * 2, output_bytes=[20.0] * 2, layer=[0, None])
    found = moved(rows, Scales(weights=0.5, head=0.25))
    # 70 bytes of weights and 30 beside them: the head is known, and no range
    assert found.select("bytes_low", "bytes_high").rows() == [(65.0, 65.0), (47.5, 47.5)]
    # a capture without layers has no head that a place tells
    assert moved(rows.with_columns(layer=pl.lit(None, pl.Int64)), Scales(head=0.25))["bytes_low"].to_list() == [100.0, 100.0]


@pytest.mark.parametrize("role", ["attention", "kv-cache"])
def test_the_cache_scales_with_its_type_the_batch_and_the_gpus(role: str) -> None:
    found = moved(frame(role=[role]), Scales(weights=100.0, kv=0.5, batch=4.0, tp=0.25))
    assert found.select("bytes_low", "bytes_high", "work").row(0) == (50.0, 50.0, 10 * 4 * 0.25)


@pytest.mark.parametrize("role", ["norm", None])
def test_everything_else_scales_with_the_batch_alone(role: str | None) -> None:
    found = moved(frame(role=[role]), Scales(weights=100.0, kv=0.5, batch=4.0, tp=0.25))
    assert found.select("bytes_low", "bytes_high", "work").row(0) == (400.0, 400.0, 40.0)


@pytest.mark.parametrize("name", ["fused_moe", "Expert", "grouped_gemm"])
def test_experts_are_read_at_most_as_many_times_more_as_there_are_sequences(name: str) -> None:
    more = moved(frame(role=["fc"], name=[name], kernel=[name]), Scales(batch=4.0))
    assert more.select("bytes_low", "bytes_high").row(0) == (100.0, 400.0)
    fewer = moved(frame(role=["fc"], name=[name], kernel=[name]), Scales(batch=0.5))
    assert fewer.select("bytes_low", "bytes_high").row(0) == (100.0, 100.0)


def test_a_matched_expert_is_one_whatever_its_name_and_only_as_fc() -> None:
    rows = frame(role=["fc", "fc", "norm"], experts_read=[3.0, None, 3.0], name=["gemm", "gemm", "moe"])
    found = moved(rows, Scales(batch=4.0))
    assert found["bytes_high"].to_list() == [400.0, 100.0, 400.0]
    assert found["bytes_low"].to_list() == [100.0, 100.0, 400.0]


def test_the_low_end_is_never_above_the_high_one() -> None:
    rows = frame(role=["fc"], name=["moe"], activation_bytes=[40.0], output_bytes=[None])
    found = moved(rows, Scales(batch=0.5))
    assert found["bytes_low"][0] <= found["bytes_high"][0] == 60 + 40 * 0.5


def test_inputs_and_outputs_are_at_most_half_of_what_moves() -> None:
    rows = frame(
        activation_bytes=[10.0, None, 10.0, None, 40.0], output_bytes=[20.0, 20.0, None, None, 40.0], dram_bytes=[100.0] * 5
    )
    assert rows.select(activations()).to_series().to_list() == [30.0, 20.0, 10.0, 0.0, 50.0]


@pytest.mark.parametrize(
    ("batch", "expected"), [(1.0, [10.0, 10.0]), (2.0, [20.0, 10.0]), (8.0, [80.0, 16.0]), (0.5, [5.0, 10.0])]
)
def test_padded_tiles_fill_up_before_there_are_more(batch: float, expected: list[float]) -> None:
    # of the second launch 2 of 10 FLOPs are useful
    rows = frame(useful_flops=[None, 2.0])
    assert rows.select(executed(Scales(batch=batch))).to_series().to_list() == expected


def test_time_follows_bytes_and_bandwidth() -> None:
    rows = frame(bytes_low=[50.0], bytes_high=[200.0], dram_bytes=[100.0])
    assert rows.select(by_bytes("low", Scales(bandwidth=0.5))).item() == 0.25
    assert rows.select(by_bytes("high", Scales(bandwidth=0.5))).item() == 1.0


def test_wider_weights_pay_for_all_their_bytes() -> None:
    rows = frame(role=["fc"], bytes_high=[150.0])
    assert rows.select(by_bytes("high", Scales(weights=2.0, bandwidth=1.0))).item() == 1.5


def test_where_bytes_are_unknown_time_follows_the_bandwidth() -> None:
    rows = frame(bytes_low=[None], dram_bytes=[100.0]).cast({"bytes_low": pl.Float64})
    assert rows.select(by_bytes("low", Scales(bandwidth=0.5))).item() == 0.5


@pytest.mark.parametrize(
    ("end", "weights", "role", "high", "expected"),
    [
        ("high", 0.5, "fc", 50.0, 0.5 ** limit("realised_least")),
        ("low", 0.5, "fc", 50.0, 0.5),
        ("high", 1.0, "fc", 50.0, 0.5),
        ("high", 0.5, "norm", 50.0, 0.5),
        ("high", 0.5, None, 50.0, 0.5),
        ("high", 2.0, "fc", 200.0, 2.0),
    ],
)
def test_of_smaller_weights_a_part_may_be_realised(
    end: str, weights: float, role: str | None, high: float, expected: float
) -> None:
    rows = frame(role=[role], bytes_low=[50.0], bytes_high=[high], dram_bytes=[100.0])
    assert rows.select(by_bytes(end, Scales(weights=weights))).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("limited_by", "share", "expected"),
    [
        ("compute", 0.5, 2 * 4.0),  # keeps its share of the roof
        ("memory", 0.5, 2 * 4.0 * 0.5),  # may climb up to the roof
        (None, 0.5, 2 * 4.0 * 0.5),
        ("memory", 1.5, 2 * 4.0),
        ("memory", -1.0, 0.0),
        ("memory", None, 0.0),
    ],
)
def test_arithmetic_grows_with_work_and_slower_peaks(limited_by: str | None, share: float | None, expected: float) -> None:
    rows = frame(limited_by=[limited_by], compute_share=[share], work=[20.0]).cast({"compute_share": pl.Float64})
    before, after = gpu(bf16=8.0, fp32=1.0), gpu(bf16=2.0, fp32=1.0)
    assert rows.select(by_work(on(before), Target(gpu=after))).item() == pytest.approx(expected)


def test_a_path_that_one_device_lacks_limits_nothing() -> None:
    rows = frame(path=["bf16", "fp32", None], limited_by=["compute"] * 3)
    found = rows.select(by_work(on(gpu(bf16=8.0, fp32=1.0)), Target(gpu=gpu(bf16=2.0)))).to_series()
    assert found.to_list() == [4.0, 0.0, 0.0]
    assert rows.select(by_work(on(None), Target(gpu=gpu(bf16=2.0)))).to_series().to_list() == [0.0]


def test_without_another_device_peaks_stay() -> None:
    rows = frame(limited_by=["compute"], work=[20.0])
    assert rows.select(by_work(on(gpu(bf16=8.0)), Target())).item() == 2.0


def test_peaks_that_are_not_known_are_left_out() -> None:
    assert peaks(gpu(bf16=8.0, fp8=0.0)) == {"bf16": 8.0}
    assert peaks(None) == {}


def test_both_ends_keep_nothing_or_the_shortest_launch_and_small_kernels_stay() -> None:
    rows = frame(
        seconds=[1.0, 5.0, 3.0, 5.0],
        limited_by=["memory", "memory", "latency", None],
        bytes_low=[50.0] * 4,
        bytes_high=[200.0] * 4,
    )
    found = rows.with_columns(**times(rows, on(None), Target(), Scales()))
    # low: half of 5 s, or half of all but 1 s, or twice; high: 10 s, or 1 + 4 * 2
    assert found["seconds_low"].to_list() == [0.5, 2.5, 3.0, 2.5]
    assert found["seconds_high"].to_list() == [2.0, 10.0, 3.0, 10.0]


def test_the_fixed_part_lifts_the_end_of_what_gets_faster() -> None:
    rows = frame(seconds=[1.0, 5.0], bytes_low=[50.0] * 2, bytes_high=[50.0] * 2)
    found = rows.with_columns(**times(rows, on(None), Target(), Scales()))
    assert found["seconds_low"].to_list() == [0.5, 2.5]
    # of 5 s one is fixed, half of four remains
    assert found["seconds_high"].to_list() == [1.0, 3.0]


def test_measured_numbers_are_per_unit_and_projected_ones_per_sequence_too() -> None:
    rows = frame(role=["fc", None]).with_columns(seconds_low=pl.lit(2.0), seconds_high=pl.lit(4.0), bytes_high=pl.lit(200.0))
    found = per_basis(rows, 10.0, 4.0)
    assert found["role"].to_list() == ["fc", "unclassified"]
    assert found.drop("role").row(0, named=True) == {
        "bytes": 100 / 10,
        "seconds": 1 / 10,
        "bytes_low": 100 / 10 / 4,
        "bytes_high": 200 / 10 / 4,
        "seconds_low": 2 / 10 / 4,
        "seconds_high": 4 / 10 / 4,
    }
