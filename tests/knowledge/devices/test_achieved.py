"""What kernels reach: every entry is a GPU of the table, below its datasheet, and says where it comes from."""

from dataclasses import replace

import pytest

from ncu_roofline.capture.capture import Device
from ncu_roofline.knowledge.devices import achieved, gpus
from tests.kernels import H100

NAMES = {gpu.name: gpu for gpu in gpus.table()}


def test_a_ceiling_lies_below_the_datasheet_of_a_gpu_that_is_known_and_names_its_source() -> None:
    for name, row in achieved.table()["ceiling"].items():
        assert 0.8 * NAMES[name].bandwidth < row["bandwidth_tbs"] * 1e12 < NAMES[name].bandwidth, name
        assert row["source"]


def test_a_typical_kernel_is_slower_than_the_best_one_and_its_spread_holds_it() -> None:
    for row in achieved.table()["typical"]:
        assert row["what"] in achieved.KINDS
        assert row["low"] < 1 < row["high"]
        assert row["source"] and ("derived" in row["source"]) == ("borrowed" in row)
        for name in row["gpus"]:
            assert row["bandwidth_tbs"] * 1e12 < (NAMES[name].achieved.ceiling or NAMES[name].bandwidth), row


def test_a_fit_is_the_start_and_then_bytes_over_bandwidth() -> None:
    fit = NAMES["H100 SXM"].achieved.fit("fc", "bf16")

    assert fit is not None
    # LM head of Llama 3.1 8B: 128256 x 4096 x 2 = 1.0507 GB, at 2.98 TB/s 352.6 us, after 5.7 us
    assert fit.seconds(128256 * 4096 * 2) == pytest.approx(358.3e-6, rel=1e-3)
    assert NAMES["H100 SXM"].achieved.fit("fc", "int4") is None
    assert NAMES["H100 SXM"].achieved.fit("fc", None) is None


def test_a_device_that_nobody_measured_has_neither() -> None:
    assert NAMES["T4"].achieved == achieved.Achieved()


def test_a_slice_reaches_its_part_of_the_bandwidth_and_starts_as_slowly() -> None:
    half = replace(H100, name="NVIDIA H100 80GB HBM3 MIG 3g.40gb", mig=True, sms=60, memory_bytes=40e9)
    part, _ = gpus.identify(half)
    whole = NAMES["H100 SXM"]

    assert part is not None and part.bandwidth == whole.bandwidth / 2
    assert part.achieved.ceiling == pytest.approx(3.13e12 / 2)
    fit, of_whole = part.achieved.fit("fc", "bf16"), whole.achieved.fit("fc", "bf16")
    assert fit is not None and of_whole is not None
    assert (fit.bandwidth, fit.start) == (of_whole.bandwidth / 2, of_whole.start)


def test_a_gpu_known_by_its_attributes_alone_has_no_ceiling() -> None:
    gpu, _ = gpus.identify(Device(name="NVIDIA Z1", memory_hertz=2e9, bus_bits=5120, sms=10, sm_hertz=1e9))

    assert gpu is not None and gpu.achieved.ceiling is None
