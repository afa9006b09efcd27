"""The project's own reader of reports, on reports written byte by byte."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import zstandard

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.report import recognise, report
from tests.report_bytes import ATTRIBUTES, TIMED, block, field, launch, metric, saved, session, simple
from tests.report_bytes import report as whole

BYTES = "dram__bytes_read.sum"
OPCODES = "sass__inst_executed_per_opcode_with_modifier_all"


def test_a_launch_keeps_its_name_shape_process_and_time(tmp_path: Path) -> None:
    capture = report.read(saved(tmp_path, simple({BYTES: 64})))
    assert capture.launches.select("index", "kernel", "name", "process", "grid", "block", "seconds").row(0) == (
        0,
        "k",
        "k(int)",
        77,
        [2, 1, 1],
        [32, 1, 1],
        2e-6,  # 2000 ns
    )
    assert capture.launches[f"m:{BYTES}"].to_list() == [64.0]


def test_the_device_comes_from_the_attributes_in_base_units(tmp_path: Path) -> None:
    device = report.read(saved(tmp_path, simple())).device
    assert (device.name, device.compute_capability, device.sms) == ("NVIDIA Test", "9.0", 4)
    assert (device.bus_bits, device.sm_hertz) == (64, 1e9)  # 1,000,000 kHz
    assert device.memory_bytes is None


def test_metric_names_are_counted_through_all_blocks_also_later_ones(tmp_path: Path) -> None:
    names = list(TIMED)
    metrics = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
    later = len(names) + 1  # one name more in the first table, so the next table begins here
    first = block(launches=[launch(metrics + metric(later, 5.0))], names=[*names, "unused"])
    capture = report.read(saved(tmp_path, whole(first, block(names=[BYTES]))))
    assert capture.launches[f"m:{BYTES}"].to_list() == [5.0]


def test_zero_is_measured_and_absent_is_null_and_not_a_number_is_null_with_a_note(tmp_path: Path) -> None:
    names = [*TIMED, BYTES, "dram__bytes_write.sum"]
    known = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
    read, write = len(TIMED), len(TIMED) + 1
    made = [launch(known + metric(read, 0.0) + metric(write, math.nan)), launch(known + metric(write, 3.0))]
    capture = report.read(saved(tmp_path, whole(block(launches=made, names=names, session=session("ncu ./a")))))
    assert capture.launches[f"m:{BYTES}"].to_list() == [0.0, None]
    assert capture.launches["m:dram__bytes_write.sum"].to_list() == [None, 3.0]
    assert capture.notes == (
        "1 counter values of 1 launch are not a number, or none that a GPU counts, in the report; they are read as not measured.",
    )


def test_a_metric_that_no_launch_has_gives_no_column(tmp_path: Path) -> None:
    capture = report.read(saved(tmp_path, simple({BYTES: None})))
    assert f"m:{BYTES}" not in capture.launches.columns


def test_a_grid_of_zeros_is_unknown(tmp_path: Path) -> None:
    capture = report.read(saved(tmp_path, simple(grid=(0, 0, 0))))
    assert capture.launches["grid"].to_list() == [None]


def test_opcodes_are_kept_one_value_each(tmp_path: Path) -> None:
    metrics = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
    counted = metric(len(TIMED), 12, {"HMMA.16816.F32": 8, "FFMA": 4.0})
    made = whole(block(launches=[launch(metrics + counted)], names=[*TIMED, OPCODES]))
    capture = report.read(saved(tmp_path, made))
    assert capture.launches[f"m:{OPCODES}"].to_list() == [
        [{"id": "HMMA.16816.F32", "value": 8.0}, {"id": "FFMA", "value": 4.0}]
    ]


def test_open_nvtx_ranges_are_a_stack_by_domain(tmp_path: Path) -> None:
    def stack(domain: int, *names: str) -> bytes:
        return field(2, field(1, domain) + b"".join(field(3, field(1, name)) for name in names))

    state = field(21, field(2, field(1, 77) + stack(1, "layer") + stack(0, "decode", "step")))
    capture = report.read(saved(tmp_path, simple(more=state)))
    assert capture.launches["nvtx"].to_list() == [["decode", "step", "layer"]]


def test_no_nvtx_is_null_and_not_an_empty_stack(tmp_path: Path) -> None:
    assert report.read(saved(tmp_path, simple())).launches["nvtx"].to_list() == [None]


def test_further_metrics_are_kept_by_name_or_pattern_times_in_seconds(tmp_path: Path) -> None:
    path = saved(tmp_path, simple({"x__odd.sum": 3, "profiler__pmsampler_interval_time": 1e9}))
    assert "m:x__odd.sum" not in report.read(path).launches.columns
    assert report.read(path, metrics=["x__odd.sum"]).launches["m:x__odd.sum"].to_list() == [3.0]
    every = report.read(path, metrics=["*"]).launches
    assert every["m:profiler__pmsampler_interval_time"].to_list() == [1.0]


def test_kernels_without_a_mangled_name_are_called_by_their_function(tmp_path: Path) -> None:
    metrics = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
    plain = field(5, "nvjet") + field(6, "nvjet") + field(7, "") + metrics
    capture = report.read(saved(tmp_path, whole(block(launches=[plain], names=list(TIMED)))))
    assert capture.launches.select("kernel", "name").row(0) == ("nvjet", "nvjet")


def test_mixed_devices_are_refused_and_equal_ones_are_not(tmp_path: Path) -> None:
    other = {**TIMED, "device__attribute_display_name": "NVIDIA Other"}
    made = [launch(b"".join(metric(n, v) for n, v in enumerate(values.values()))) for values in (TIMED, other)]
    path = saved(tmp_path, whole(block(launches=made, names=list(TIMED))))
    with pytest.raises(UnreadableCapture, match=r"mixed devices \(NVIDIA Other, NVIDIA Test\)"):
        report.read(path)
    twins = simple({"launch__device_id": 0.0}) + block(
        launches=[launch(b"".join(metric(n, v) for n, v in enumerate({**TIMED, "launch__device_id": 1.0}.values())))]
    )
    assert report.read(saved(tmp_path, twins)).launches["device"].to_list() == [0, 1]


def test_sources_and_unknown_fields_are_skipped(tmp_path: Path) -> None:
    metrics = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
    fixed = b"\xa5\x03abcd" + b"\xa1\x03abcdefgh"  # field 52, four and eight bytes wide
    made = block(launches=[field(12, b"source line" * 9) + launch(metrics) + fixed], names=list(TIMED), sources=[b"cubin"] * 3)
    assert len(report.read(saved(tmp_path, whole(made))).launches) == 1


def test_private_facts_of_the_session_appear_nowhere(tmp_path: Path) -> None:
    capture = report.read(saved(tmp_path, simple()))
    told = repr(capture) + capture.launches.write_json()
    assert not [word for word in ("secret", "10.1.2.3", "a.out", "USER") if word in told]


# what is no report, and what is half of one


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"hello, this is text\n", "text where a report"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "not an Nsight Compute report"),
        (block(launches=[b"x"], session=session()), "unfinished"),
        (whole(block(session=session())), "without any kernel; check the filters"),
        (whole(block(launches=[b"\xff" * 40])), "damaged Nsight Compute report without a readable kernel"),
        (whole(version=8), "unknown format version"),
        (b"NVR\0", "cut off in its first bytes"),
        (b"NVR\0\xff\xff\xff\xff", "unknown format version"),
    ],
)
def test_what_is_no_report_gets_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableCapture, match=sentence) as raised:
        report.read(saved(tmp_path, content))
    assert str(raised.value).startswith("r.ncu-rep: ")
    assert "\n" not in str(raised.value)


def test_a_directory_and_a_missing_file_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="a directory; name a report inside it"):
        report.read(tmp_path)
    with pytest.raises(UnreadableCapture, match="No such file"):
        report.read(tmp_path / "none.ncu-rep")


def test_a_cut_report_is_read_up_to_the_cut_and_says_how_much_is_lost(tmp_path: Path) -> None:
    whole_report = simple(copies=4)
    cut = whole_report[: len(whole_report) - 10]
    capture = report.read(saved(tmp_path, cut))
    assert len(capture.launches) == 3
    assert "3 launches before it were" in capture.notes[0]
    assert "cut off at byte" in capture.notes[0]


def test_a_damaged_launch_is_left_out_and_counted(tmp_path: Path) -> None:
    metrics = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
    made = [launch(metrics), b"\x6a\xff\xff\x7f", launch(metrics)]
    capture = report.read(saved(tmp_path, whole(block(launches=made, names=list(TIMED), session=session("ncu ./a")))))
    assert len(capture.launches) == 2
    assert capture.notes == ("1 of 3 launches are damaged in the file and left out.",)


def test_a_report_without_any_attribute_has_an_unknown_device(tmp_path: Path) -> None:
    made = block(launches=[launch(metric(0, 5.0))], names=["gpu__time_duration.sum"])
    assert report.read(saved(tmp_path, whole(made))).device.name is None
    assert ATTRIBUTES  # the other reports have them


# compressed


def test_a_compressed_report_has_the_same_launches(tmp_path: Path) -> None:
    plain = simple({BYTES: 64}, copies=3)
    packed = saved(tmp_path, zstandard.compress(plain), "r.ncu-repz")
    assert report.read(packed).launches.equals(report.read(saved(tmp_path, plain)).launches)
    assert report.knows(packed)


def test_a_cut_compressed_report_is_read_up_to_the_cut(tmp_path: Path) -> None:
    plain = simple({BYTES: 64}, copies=3000)
    frames = [zstandard.compress(plain[n : n + 50_000]) for n in range(0, len(plain), 50_000)]
    packed = saved(tmp_path, b"".join(frames[:-1]) + b"\x28\xb5\x2f\xfdjunkjunk", "r.ncu-repz")
    capture = report.read(packed)
    assert 0 < len(capture.launches) < 3000
    assert "compressed stream is damaged" in capture.notes[0]


def test_a_decompression_bomb_is_refused_at_the_stated_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise, "SPARED", 4 << 20)
    monkeypatch.setattr(recognise, "MOST_RATIO", 100)
    bomb = saved(tmp_path, zstandard.compress(b"NVR\0" + bytes(32 << 20)), "bomb.ncu-repz")
    with pytest.raises(UnreadableCapture, match="unpacks to more than 4,194,304 bytes"):
        report.read(bomb)


def test_another_format_version_is_left_to_the_vendor(tmp_path: Path) -> None:
    assert not report.knows(saved(tmp_path, whole(version=8)))
    assert report.knows(saved(tmp_path, whole()))
