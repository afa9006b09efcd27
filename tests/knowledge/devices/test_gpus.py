"""The device table: every row, every name, what a report's device becomes, and rates per clock."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import pytest

from ncu_roofline.capture.capture import Device
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.gpus import find, identify
from ncu_roofline.knowledge.devices.rates import dense_rates, pipe_rates, rates
from tests.command import run
from tests.corpus import REFERENCE

REPORTED = {  # as reports name their device (reference/metrics.md section 6)
    "Tesla P100-SXM2-16GB": "P100 SXM",
    "Tesla V100-SXM2-16GB": "V100 SXM 16GB",
    "Tesla V100-PCIE-32GB": "V100 PCIe",
    "Tesla T4": "T4",
    "A100-PCIE-40GB": "A100 PCIe 40GB",
    "NVIDIA A100-SXM4-40GB": "A100 SXM 40GB",
    "NVIDIA A100-SXM4-80GB": "A100 SXM 80GB",
    "NVIDIA A100 80GB PCIe": "A100 PCIe 80GB",
    "NVIDIA A10": "A10",
    "NVIDIA A10G": "A10G",
    "NVIDIA L4": "L4",
    "NVIDIA L40": "L40",
    "NVIDIA L40S": "L40S",
    "NVIDIA H100 PCIe": "H100 PCIe",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "NVIDIA H100 NVL": "H100 NVL",
    "NVIDIA H200": "H200",
    "NVIDIA H200 NVL": "H200 NVL",
    "NVIDIA H20": "H20",
    "NVIDIA H800": "H800",
    "NVIDIA GH200 480GB": "GH200",
    "NVIDIA GH200 120GB": "GH200",
    "NVIDIA B200": "B200",
    "NVIDIA GB200": "GB200",
    "NVIDIA B300 SXM6 AC": "B300",
    "NVIDIA GB10": "GB10",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "RTX PRO 6000 Server",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "RTX PRO 6000 Workstation",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": "RTX PRO 6000 Max-Q",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "NVIDIA A100-SXM4-40GB MIG 1g.5gb": "A100 SXM 40GB",
}

H200 = Device(
    name="NVIDIA H200",
    compute_capability="9.0",
    sms=132,
    sm_hertz=1.98e9,
    memory_hertz=3.201e9,
    bus_bits=6016,
    memory_bytes=150.1e9,
    integrated=False,
)


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="../shared/reference is not on this machine")
def test_every_row_of_the_reference_table_is_there_with_its_figures() -> None:
    with (REFERENCE / "gpus.tsv").open() as file:
        next(file)
        rows = list(csv.DictReader(file, delimiter="\t"))

    by_product = {gpu.product: gpu for gpu in gpus.table()}

    assert len(rows) == 47
    for row in rows:
        gpu = by_product[row["product"]]
        assert gpu.bandwidth == pytest.approx(float(row["bw_gbs"]) * 1e9)
        assert (gpu.sms or "") == (int(row["sm"]) if row["sm"] else "")
        assert gpu.bus_bits == int(row["bus_bits"])
        for column, precision in (
            ("bf16_fp32acc", "bf16"),
            ("fp8_fp32acc", "fp8"),
            ("fp32", "fp32"),
            ("fp64_tc", "fp64_tensor"),
            ("fp4", "fp4"),
            ("int8", "int8"),
        ):
            peak = float(row[column]) * 1e12 if row[column] else None
            assert gpu.peak(precision) == (None if peak is None else pytest.approx(peak))
        assert bool(gpu.doubts) == (row["status"] != "ok")
        assert gpu.source == row["source"]


@pytest.mark.parametrize(("reported", "name"), REPORTED.items())
def test_a_reported_name_finds_its_row_and_no_other(reported: str, name: str) -> None:
    bare = re.sub(r" MIG .*", "", reported)
    matching = [row["name"] for row, _ in gpus._rows() if re.search(row["pattern"], bare)]

    assert matching == [name]
    assert find(reported).name == name


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("h100", "H100 SXM"),
        ("H100", "H100 SXM"),
        ("h200", "H200"),
        ("l4", "L4"),
        ("b200", "B200"),
        ("a100", "A100 SXM 80GB"),
        ("rtx 5090", "RTX 5090"),
        ("rtx5090", "RTX 5090"),
        ("5090", "RTX 5090"),
        ("h100-nvl", "H100 NVL"),
        ("h100_pcie", "H100 PCIe"),
        ("H100 SXM5", "H100 SXM"),
        ("h100 sxm5 80 gb", "H100 SXM"),
        ("dgx spark", "GB10"),
    ],
)
def test_a_short_name_means_the_most_usual_variant(short: str, name: str) -> None:
    assert find(short).name == name


def test_every_gpu_is_found_by_its_own_name_and_product() -> None:
    assert all(find(gpu.name) == gpu and find(gpu.product) == gpu for gpu in gpus.table())


def test_a_short_name_with_variants_says_which_others_there_are() -> None:
    assert gpus.other_variants("h100") == ("H100 PCIe", "H100 NVL")
    assert gpus.other_variants("h100 nvl") == ()
    assert gpus.other_variants("l40") == ()


def test_an_unknown_name_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(UnusableInput, match=r"'h1000' is not a known GPU; nearest: H100 SXM"):
        find("h1000")


def test_a_name_that_fits_several_is_refused_with_all_of_them() -> None:
    with pytest.raises(UnusableInput, match="RTX 6000 Ada, RTX PRO 6000 Server"):
        find("rtx 6000")


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(UnusableInput, match="not a known GPU"):
        find("  ")


def test_a_report_of_a_known_device_needs_no_warning() -> None:
    assert identify(H200) == (replace(find("h200"), memory_bytes=H200.memory_bytes), ())


def test_other_sm_count_bus_and_memory_are_warned_of() -> None:
    gpu, warnings = identify(replace(H200, sms=114, bus_bits=5120, memory_bytes=80e9))

    assert gpu is not None
    assert gpu.memory_bytes == 80e9
    assert [w for w in warnings if "114 SMs" in w] and [w for w in warnings if "5120 bits" in w]
    assert [w for w in warnings if "4097 GB/s" in w]  # 2 x 3.201e9 x 5120 / 8 = 4097 GB/s


def test_an_unknown_device_is_computed_from_its_attributes_and_says_so() -> None:
    # an RTX 2080 Ti: 68 SMs, 1.62 GHz, 352 bit at 7 GHz
    device = Device(
        name="NVIDIA GeForce RTX 2080 Ti of tomorrow",
        compute_capability="7.5",
        sms=68,
        sm_hertz=1.62e9,
        memory_hertz=7e9,
        bus_bits=352,
        integrated=False,
    )

    gpu, warnings = identify(device)

    assert gpu is not None
    assert gpu.source == "computed from attributes" and "computed from attributes" in warnings[0]
    assert gpu.bandwidth == 2 * 7e9 * 352 / 8
    assert gpu.peak("fp16") == 68 * 1024 / 2 * 1.62e9  # GeForce halves FP32 accumulation
    assert gpu.peak("fp16_fp16acc") == 68 * 1024 * 1.62e9
    assert gpu.peak("bf16") is None


def test_a_gtx_16_has_no_tensor_roof() -> None:
    device = Device(
        name="NVIDIA GeForce GTX 1660 Ti", compute_capability="7.5", sms=24, sm_hertz=1.83e9, memory_hertz=6e9, bus_bits=192
    )

    gpu, _ = identify(device)

    assert gpu is not None
    assert set(gpu.peaks) == {"fp64", "fp32", "fp16_scalar"}


def test_an_integrated_memory_clock_is_already_the_data_rate() -> None:
    # 8.533 GHz x 256 bit / 8 = 273 GB/s: the GB10 figure that the vendor prints
    device = Device(name="NVIDIA N1", compute_capability="12.1", memory_hertz=8.533e9, bus_bits=256, integrated=True)

    gpu, _ = identify(device)

    assert gpu is not None
    assert gpu.bandwidth == pytest.approx(273e9, rel=1e-3)
    assert gpu.peaks == {}


def test_a_name_with_another_compute_capability_is_not_believed() -> None:
    gpu, warnings = identify(replace(H200, compute_capability="10.3"))

    assert gpu is not None
    assert gpu.source == "computed from attributes"
    assert "the row is not used" in warnings[0]


def test_a_device_of_a_capability_without_known_rates_has_a_bandwidth_and_no_peak() -> None:
    gpu, warnings = identify(Device(name="NVIDIA R200", compute_capability="13.0", sms=200, memory_hertz=4e9, bus_bits=8192))

    assert gpu is not None
    assert (gpu.bandwidth, dict(gpu.peaks)) == (2 * 4e9 * 8192 / 8, {})
    assert "no peak of it is known" in warnings[0]


def test_a_device_without_name_and_attributes_is_unknown_and_says_what_helps() -> None:
    gpu, warnings = identify(Device())

    assert gpu is None
    assert "`gpu=NAME`" in warnings[0]


def test_a_slice_has_the_peaks_of_its_sms_and_the_bandwidth_of_its_eighths() -> None:
    gpu, warnings = identify(Device(name="NVIDIA A100-SXM4-40GB MIG 1g.5gb", sms=14, mig=True))

    assert gpu is not None
    assert gpu.peak("bf16") == pytest.approx(312e12 * 14 / 108)
    assert gpu.bandwidth == pytest.approx(1555e9 / 8)
    assert "slice" in warnings[0]


def test_rates_per_clock_undo_the_clock_of_the_datasheet() -> None:
    # 989.4e12 / (132 x 1.98e9) = 3786 per SM and clock, but the part does 4096 (metrics.md 1.4)
    dense = dense_rates(find("h100"))

    assert (dense["bf16"], dense["fp8"], dense["fp64_tensor"]) == (4096, 8192, 256)


def test_rates_per_clock_keep_the_halving_of_geforce_and_the_pipe_ignores_it() -> None:
    geforce = find("rtx 4060 ti")

    assert dense_rates(geforce)["bf16"] == 512
    assert pipe_rates(geforce)["bf16"] == 1024
    assert pipe_rates(find("h20")) == dense_rates(find("h20"))


def test_every_peak_is_a_verified_rate_times_a_plausible_clock() -> None:
    """Peak = rate x SMs x clock; a clock between 80 % and 115 % of boost is a datasheet's rounding."""
    for gpu in gpus.table():
        if gpu.sms is None or gpu.boost_hertz is None or gpu.name == "H20":
            continue  # B100's SM count is unknown; of the H20 fp64 and fp32 are rounded or doubtful
        for precision, rate in dense_rates(gpu).items():
            assert rate != 0
            clock = gpu.peaks[precision] / (rate * gpu.sms)
            assert 0.80 < clock / gpu.boost_hertz < 1.15, (gpu.name, precision)
            assert rate / rates(gpu.compute_capability)[precision] in (1, 1 / 2, 1 / 32, 1 / 64)


def test_fp8_ridge_is_twice_the_bf16_ridge_on_every_part_that_has_fp8() -> None:
    for gpu in gpus.table():
        bf16, fp8 = gpu.ridge("bf16"), gpu.ridge("fp8")
        if bf16 is not None and fp8 is not None:
            assert fp8 / bf16 == pytest.approx(2, rel=0.03), gpu.name


def test_the_command_lists_all_rows_with_ridges_by_precision(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["name"]: row for row in json.loads(run(capsys, "gpus", "--format", "json").out)["rows"]}

    assert len(rows) == 50
    assert rows["H100 SXM"]["bandwidth"] == 3350e9
    assert rows["H100 SXM"]["ridge_spec"]["bf16"] == pytest.approx(989.4 / 3.35)
    assert rows["T4"]["ridge_spec"]["bf16"] is None


def test_the_command_names_every_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "gpus").out

    assert all(f"- {gpu.name}: " in out for gpu in gpus.table() if gpu.doubts)
