"""What a study starts from: the device that counts, and whether launches stand in their order."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ncu_roofline.analysis.study import Choices, device_of, in_order, study
from ncu_roofline.capture.capture import Capture, Device
from ncu_roofline.present.documents.words_notes import note
from tests.kernels import EVERY_SCALAR, EVERY_TENSOR, H100, full, launch, launches


def test_launches_of_one_capture_stand_in_their_order() -> None:
    assert in_order(full(pl.DataFrame({"index": [0, 1]})))
    assert in_order(full(pl.DataFrame({"capture": ["a", "a"]})))
    assert in_order(full(pl.DataFrame({"capture": []})))


def test_launches_of_several_captures_or_added_up_have_no_order() -> None:
    assert not in_order(full(pl.DataFrame({"capture": ["a", "b"]})))
    assert not in_order(full(pl.DataFrame({"times": [1, 2]})))
    assert not in_order(full(pl.DataFrame({"times": [1, 2], "capture": ["a", "a"]})))


def of(device: Device) -> Capture:
    return Capture(launches=launches(launch()), device=device)


def test_the_device_of_the_capture_counts_unless_another_is_named() -> None:
    gpu, notes = device_of(of(H100), None)
    assert gpu is not None and (gpu.chip, notes) == ("GH100", ())
    other, differs = device_of(of(H100), "A100 SXM 40GB")
    assert other is not None and other.chip == "GA100"
    assert note(differs[-1]).startswith(f"The capture says {gpu.product}, `gpu=` says {other.product}")


def test_naming_the_captures_own_device_is_no_contradiction() -> None:
    own, _ = device_of(of(H100), None)
    gpu, notes = device_of(of(H100), "h100")
    assert gpu is not None and own is not None and gpu.product == own.product
    assert notes == gpu.doubts


def test_a_named_device_stands_in_for_an_unknown_one_without_contradiction() -> None:
    gpu, notes = device_of(of(Device()), "h100")
    assert gpu is not None and notes == gpu.doubts


def test_a_named_device_of_another_capability_than_the_captures_is_a_contradiction() -> None:
    gpu, notes = device_of(of(Device(compute_capability="8.0")), "h100")
    assert gpu is not None and gpu.compute_capability == "9.0"
    assert note(notes[-1]).startswith("The capture says compute capability 8.0, `gpu=` says H100")
    assert device_of(of(Device(compute_capability="9.0")), "h100")[1] == gpu.doubts


def test_an_unknown_device_is_left_to_health() -> None:
    assert device_of(of(Device()), None) == (None, ())
    # its name is that of an H100, its capability is not, and nothing else tells what it is
    assert device_of(of(Device(name=H100.name, compute_capability="9.9")), None) == (None, ())


def test_what_is_doubtful_about_a_known_device_is_passed_on() -> None:
    gpu, notes = device_of(of(replace(H100, sms=100)), None)
    assert gpu is not None and gpu.chip == "GH100"
    assert [n for n in notes if "reports 100 SMs" in note(n)] == list(notes) != []


def test_ridge_and_latency_share_of_the_choice_decide_the_place() -> None:
    m = {**EVERY_SCALAR, **EVERY_TENSOR, "sm__ops_path_tensor_src_bf16_dst_fp32.sum": 1e6, "dram__bytes.sum": 1e8}
    clocks = {"sm__cycles_elapsed.avg.per_second": 1e9, "dram__cycles_elapsed.avg.per_second": 2e9}
    taken = Capture(launches=launches(launch(m={**m, **clocks})), device=H100, notes=("read with a doubt",))
    usual = study(taken)
    assert usual.notes[0] == "read with a doubt"
    row = usual.launches.row(0, named=True)
    assert row["ridge"] == row["ridge_profiled"]
    # 1e8 bytes in 1e-4 s are 1e12 byte/s: 0.39 of 2.56e12
    assert row["limited_by"] == "memory"
    chosen = study(taken, Choices(ridge="spec", latency_share=0.5)).launches.row(0, named=True)
    assert (chosen["ridge"], chosen["limited_by"]) == (row["ridge_spec"], "latency")


STEP = ("RMSNormKernel", "gemm_bf16", "SingleDecodeWithKVCacheKernel", "gemm_bf16", "SamplingFromProbKernel")


def test_steps_are_followed_in_one_capture_and_not_in_several() -> None:
    frame = launches(*(launch(name, kernel=name) for name in STEP * 2))
    one = study(Capture(launches=frame, device=H100)).launches
    assert one["layer"].is_not_null().any()
    several = study(Capture(launches=frame.with_columns(capture=pl.Series(["a"] * 5 + ["b"] * 5)), device=H100)).launches
    assert several["layer"].null_count() == 10
