"""Every form of CSV that ncu prints, made by hand, and every way in which one can be unreadable."""

from __future__ import annotations

import csv as table
import doctest
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import read, saved
from ncu_roofline.readers.csv import csv
from ncu_roofline.readers.csv import numbers as csv_numbers
from tests.command import run

IDENTITY = [
    "ID",
    "Process ID",
    "Process Name",
    "Host Name",
    "Kernel Name",
    "Context",
    "Stream",
    "Block Size",
    "Grid Size",
    "Device",
    "CC",
]
METRIC = ["Section Name", "Metric Name", "Metric Unit", "Metric Value"]
RULE = ["Rule Name", "Rule Type", "Rule Description", "Estimated Speedup Type", "Estimated Speedup"]
ASKED = "Command line profiler metrics"
LIGHT = "GPU Speed Of Light Throughput"
KERNEL = 'void ns::scale<float, (E)2, "a">(float *, int)'

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: str | bytes) -> Path:
        path = tmp_path / "capture.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def line(*fields: object, quoted: bool = True) -> str:
    buffer = io.StringIO()
    style = "unix" if quoted else "excel"  # every field in quotes, or only those that need them
    table.writer(buffer, style, lineterminator="\n").writerow(fields)
    return buffer.getvalue()


def who(launch: int = 0, process: int = 77, kernel: str = KERNEL, device: int = 0, cc: str = "9.0") -> list[object]:
    return [launch, process, "python", "secret-host", kernel, 1, 7, "(128, 2, 1)", "(56, 1, 1)", device, cc]


def long(*rows: tuple[object, ...], header: list[str] | None = None, quoted: bool = True) -> str:
    return line(*(header or IDENTITY + METRIC), quoted=quoted) + "".join(line(*r, quoted=quoted) for r in rows)


def asked(metric: str, unit: str, value: str, **of: object) -> tuple[object, ...]:
    return (*who(**of), ASKED, metric, unit, value)  # type: ignore[arg-type]


TIME = asked("gpu__time_duration.sum", "us", "55.71")
BYTES = asked("dram__bytes_read.sum", "Mbyte", "178.75")
CLEAN = long(TIME, BYTES)


def wide(columns: dict[str, tuple[str, list[str]]], *, quoted: bool = True) -> str:
    count = len(next(iter(columns.values()))[1])
    units: list[object] = [*[""] * len(IDENTITY), *(unit for unit, _ in columns.values())]
    names: list[object] = [*IDENTITY, *columns]
    rows = [names, units]
    rows += [who(launch=n) + [values[n] for _, values in columns.values()] for n in range(count)]
    return "".join(line(*row, quoted=quoted) for row in rows)


# ---- the plain long form and what may stand around it


def test_a_launch_has_its_identity_and_its_counters_in_base_units(write: Write) -> None:
    row = csv.read(write(CLEAN)).launches.row(0, named=True)
    assert row["index"] == 0 and row["profiler_id"] == 0 and row["process"] == 77
    assert (row["name"], row["kernel"]) == (KERNEL, "scale")
    assert (row["block"], row["grid"]) == ([128, 2, 1], [56, 1, 1])
    assert (row["stream"], row["device"]) == (7, 0)
    assert row["seconds"] == 55.71 / 1e6
    assert row["m:dram__bytes_read.sum"] == 178_750_000


def test_ids_of_graphs_are_kept_in_both_forms(write: Write) -> None:
    name = "launch__graph_src_cuda_id"
    one = csv.read(write(long(TIME, asked(name, "", "1,042")))).launches
    many = csv.read(write(wide({"gpu__time_duration.sum": ("ns", ["5", "6"]), name: ("", ["1,042", ""])}))).launches
    assert one["m:" + name].to_list() == [1042.0]
    assert many["m:" + name].to_list() == [1042.0, None]


def test_no_private_fact_is_kept(write: Write) -> None:
    capture = csv.read(write(CLEAN))
    assert "secret-host" not in str(capture) + capture.launches.write_json()
    assert "python" not in str(capture) + capture.launches.write_json()


PREAMBLE = '==PROF== Connected to process 77 (/home/someone/app)\nloading it\'s "weights"\n==WARNING== odd "\n'
SAME: dict[str, str | bytes] = {
    "==PROF== lines and application output in front": PREAMBLE + CLEAN,
    "a byte-order mark": "\ufeff" + CLEAN,
    "a byte-order mark before other text": "\ufeff" + PREAMBLE + CLEAN,
    "Windows line ends": CLEAN.replace("\n", "\r\n"),
    "UTF-16 little endian": b"\xff\xfe" + CLEAN.encode("utf-16-le"),
    "UTF-16 without quotes, a rule behind the metrics": b"\xff\xfe"
    + long(TIME, BYTES, (*who(), LIGHT, "", "", "", "SOL", "OPT"), header=[*IDENTITY, *METRIC, *RULE[:2]], quoted=False).encode(
        "utf-16-le"
    ),
    "UTF-16 big endian with Windows line ends": b"\xfe\xff" + CLEAN.replace("\n", "\r\n").encode("utf-16-be"),
    "text behind": CLEAN + '==PROF== Disconnected from process 77\ntook "3 s\n',
    "text between rows": long(TIME) + "step 3 it's done\n\n" + long(BYTES).split("\n", 1)[1],
    "output that does not end its line before the header": "step 1 ..." + CLEAN,
    "output that does not end its line before a row": long(TIME) + "step 2 ..." + long(BYTES).split("\n", 1)[1],
    "no newline at the end": CLEAN.rstrip("\n"),
    "no quotes": long(TIME, BYTES, quoted=False),
    "semicolons": CLEAN.replace('","', '";"'),
    "tabs": CLEAN.replace('","', '"\t"'),
    "old unit spellings": long(
        asked("gpu__time_duration.sum", "usecond", "55.71"), asked("dram__bytes_read.sum", "Kbyte", "178,750")
    ),
    "another order of metrics": long(BYTES, TIME),
    "latin-1 text in front": "Gr\xf6\xdfe\n".encode("latin-1") + CLEAN.encode(),
    "base units": long(asked("gpu__time_duration.sum", "ns", "55,710"), asked("dram__bytes_read.sum", "byte", "178750000")),
}


@pytest.mark.parametrize("form", SAME)
def test_the_same_capture_reads_the_same_with(form: str, write: Write) -> None:
    clean, other = csv.read(write(CLEAN)), csv.read(write(SAME[form]))
    assert other.launches.select(clean.launches.columns).equals(clean.launches)
    assert other.notes == ()


def test_ids_restart_in_every_process_and_file_order_is_kept(write: Write) -> None:
    rows = [
        asked("gpu__time_duration.sum", "ns", str(100 + n), launch=i, process=p)
        for n, (p, i) in enumerate([(9, 0), (9, 1), (5, 0), (9, 2), (5, 1)])
    ]
    launches = csv.read(write(long(*rows))).launches
    assert launches["process"].to_list() == [9, 9, 5, 9, 5]
    assert launches["profiler_id"].to_list() == [0, 1, 0, 2, 1]
    assert launches["seconds"].to_list() == [n / 1e9 for n in (100, 101, 102, 103, 104)]


def test_units_may_differ_row_by_row(write: Write) -> None:
    rows = [
        asked("dram__bytes_write.sum", unit, value, launch=n)
        for n, (value, unit) in enumerate([("2.33", "Mbyte"), ("0", "byte"), ("1.5", "Kbyte")])
    ]
    values = csv.read(write(long(*rows))).launches["m:dram__bytes_write.sum"]
    assert values.to_list() == [2_330_000, 0, 1500]


def test_grids_with_grouped_thousands_and_without_spaces_are_understood(write: Write) -> None:
    content = CLEAN.replace("(56, 1, 1)", "(1,024, 1, 1)").replace("(128, 2, 1)", "(128,2,1)")
    row = csv.read(write(content)).launches.row(0, named=True)
    assert (row["grid"], row["block"]) == ([1024, 1, 1], [128, 2, 1])


def test_a_file_of_2019_without_sizes_device_and_capability_leaves_them_null(write: Write) -> None:
    header = ["ID", "Process ID", "Process Name", "Host Name", "Kernel Name", "Kernel Time", "Context", "Stream"]
    content = long(
        (
            0,
            77,
            "app",
            "host",
            "k(int)",
            "2019-Dec-01 10:11:12",
            1,
            7,
            LIGHT.removesuffix(" Throughput"),
            "Duration",
            "usecond",
            "12.5",
        ),
        header=header + METRIC,
    )
    row = csv.read(write(content)).launches.row(0, named=True)
    assert (row["grid"], row["block"], row["device"]) == (None, None, None)
    assert row["seconds"] == 12.5 / 1e6


# ---- details pages


def details(*rows: tuple[object, ...]) -> str:
    return long(*rows, header=IDENTITY + METRIC + RULE)


def test_labels_become_counters_by_section_and_rule_rows_are_passed_over(write: Write) -> None:
    content = details(
        (*who(), LIGHT, "Duration", "us", "8.10", ""),  # 16 fields under 20 names, as ncu prints them
        (*who(), LIGHT, "Memory Throughput", "%", "67.85", ""),
        (*who(), "SpeedOfLight", "", "", "", "SOLBottleneck", "OPT", 'many\nlines,\n"quoted", 10,20', "global", "12"),
        (*who(), "Memory Workload Analysis", "Memory Throughput", "Tbyte/s", "3.26", ""),
    )
    row = csv.read(write(content)).launches.row(0, named=True)
    assert row["seconds"] == 8.10 / 1e6
    assert row["m:gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed"] == 67.85
    assert row["m:dram__bytes.sum.per_second"] == pytest.approx(3.26e12)


def test_a_label_unknown_to_the_table_is_named_in_a_note(write: Write) -> None:
    content = details((*who(), LIGHT, "Duration", "us", "1", ""), (*who(), LIGHT, "Brand New Throughput", "%", "5", ""))
    assert csv.read(write(content)).notes == (
        "labels of the details page that stand for no known counter: Brand New Throughput",
    )


@pytest.mark.parametrize(
    "printed", ["gpu__time_duration.sum", "Duration (gpu__time_duration.sum)", "Duration gpu__time_duration.sum"]
)
def test_counter_names_may_stand_in_the_place_of_labels_or_behind_them(printed: str, write: Write) -> None:
    assert csv.read(write(details((*who(), LIGHT, printed, "us", "1.5", "")))).launches["seconds"][0] == 1.5 / 1e6


def test_a_column_with_item_labels_may_stand_before_the_metric_name(write: Write) -> None:
    header = [*IDENTITY, "Section Name", "Body Item Label", "Metric Name", "Metric Unit", "Metric Value", *RULE]
    content = long((*who(), LIGHT, "", "Duration", "us", "2", ""), header=header)
    assert csv.read(write(content)).launches["seconds"][0] == 2 / 1e6


def test_a_counter_printed_in_two_sections_is_taken_once(write: Write) -> None:
    chart = "GPU Speed Of Light Roofline Chart"
    content = details(
        (*who(), LIGHT, "DRAM Frequency", "Ghz", "13.72", ""), (*who(), chart, "DRAM Frequency", "Ghz", "13.7", "")
    )
    assert csv.read(write(content)).launches["m:dram__cycles_elapsed.avg.per_second"].to_list() == [13.72e9]


# ---- NVTX

PUSH = "thread Domain:Push/Pop_Range:PL_Type:PL_Value:CLR_Type:Color:Msg_Type:Msg"
START = "Id:Domain:Start/Stop_Range:PL_Type:PL_Value:CLR_Type:Color:Msg_Type:Msg"
END = ":none:none:none:none:none:none"


@pytest.mark.parametrize(
    ("push", "start", "ranges"),
    [
        ("", "", []),
        (f'1187  "<default domain>:attn{END}" ', "", ["attn"]),
        (f'1187  "<default domain>:step{END}"  "<default domain>:layer:3{END}" ', "", ["step", "layer:3"]),
        ('1187  "vllm:step:none:none:ARGB:0xff:REGISTERED:step" ', "", ["step"]),
        ("", f' "0:<default domain>:qkv{END}"  "20:<default domain>:mlp{END}" ', ["qkv", "mlp"]),
        (f'1  "<default domain>:inner{END}" ', f' "4:<default domain>:outer{END}" ', ["outer", "inner"]),
    ],
)
def test_nvtx_cells_become_the_names_of_the_open_ranges(push: str, start: str, ranges: list[str], write: Write) -> None:
    header = [*IDENTITY[:4], PUSH, START, *IDENTITY[4:], *METRIC]
    row = [*TIME[:4], push, start, *TIME[4:]]
    assert csv.read(write(long(tuple(row), header=header))).launches["nvtx"].to_list() == [ranges]


def test_without_nvtx_columns_the_ranges_are_unknown_not_empty(write: Write) -> None:
    assert csv.read(write(CLEAN)).launches["nvtx"].to_list() == [None]


# ---- numbers


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("54,207,744", 54_207_744),
        ("5,149,440.25", 5_149_440.25),
        ("12,34,567", 1_234_567),
        ("46\u00a0970", 46_970),
        ("46\u202f970", 46_970),
        ("46'970", 46_970),
        ("1e+06", 1e6),
        ("-3", -3),
        ("1,024 (512; 512)", 1024),
        ("7 (3; 4)", 7),
        (" 12 ", 12),
        ("0", 0),
        ("0.00", 0),
    ],
)
def test_a_printed_number_is_understood(printed: str, value: float, write: Write) -> None:
    launches = csv.read(write(long(asked("dram__sectors.avg", "sector", printed)))).launches
    assert launches["m:dram__sectors.avg"].to_list() == [value]


@pytest.mark.parametrize(
    ("printed", "word"),
    [
        ("n/a", "n/a"),
        ("no data", "no data"),
        ("nan", "not a number"),
        ("NaN", "not a number"),
        ("inf", "not a number"),
        ("-nan(ind)", "not a number"),
        ("(!) 123.4", "marked (!) by the profiler"),
        ("(!) nan", "marked (!) by the profiler"),
    ],
)
def test_what_is_no_number_is_null_and_noted(printed: str, word: str, write: Write) -> None:
    rows = [asked("dram__sectors.sum", "sector", text, launch=n) for n, text in enumerate(["4", printed])]
    capture = csv.read(write(long(*rows)))
    assert capture.launches["m:dram__sectors.sum"].to_list() == [4, None]
    assert capture.notes == (f"1 value was {word}: dram__sectors.sum",)


def test_a_time_or_a_sum_below_zero_is_no_measurement(write: Write) -> None:
    rows = asked("gpu__time_duration.sum", "us", "-1"), asked("dram__bytes_read.sum", "byte", "-5"), asked("x__y.avg", "", "-2")
    row = csv.read(write(long(*rows))).launches.row(0, named=True)
    assert (row["seconds"], row["m:dram__bytes_read.sum"], row["m:x__y.avg"]) == (None, None, -2.0)


def test_an_empty_value_is_null_without_a_note(write: Write) -> None:
    rows = [asked("dram__sectors.sum", "sector", text, launch=n) for n, text in enumerate(["4", ""])]
    capture = csv.read(write(long(*rows)))
    assert (capture.launches["m:dram__sectors.sum"].to_list(), capture.notes) == ([4, None], ())


def test_a_number_in_an_unknown_unit_is_left_out_and_noted(write: Write) -> None:
    capture = csv.read(write(long(TIME, asked("dram__new.sum", "Kfurlong", "3"))))
    assert "m:dram__new.sum" not in capture.launches.columns
    assert capture.notes == ("numbers in units that are not known were left out: Kfurlong",)


def test_a_launch_without_any_usable_metric_is_a_row_with_nulls(write: Write) -> None:
    content = details((*who(), "Launch Statistics", "Function Cache Configuration", "", "CachePreferNone", ""))
    launches = csv.read(write(content)).launches
    assert (launches.height, launches["seconds"][0]) == (1, None)


def test_a_file_with_decimal_commas_is_read_as_such_and_says_so(write: Write) -> None:
    content = long(
        asked("gpu__time_duration.sum", "us", "55,71"),
        asked("dram__bytes_read.sum", "byte", "1.234.567"),
        asked("dram__sectors.sum", "sector", "4.192"),
    )
    capture = csv.read(write(content))
    assert capture.launches["seconds"][0] == 55.71 / 1e6
    assert capture.launches["m:dram__bytes_read.sum"][0] == 1_234_567
    assert capture.launches["m:dram__sectors.sum"][0] == 4192
    assert capture.notes == ("numbers use a decimal comma and were read as such",)


def test_a_sum_of_nanoseconds_cannot_have_a_fraction_so_its_point_parts_thousands(write: Write) -> None:
    capture = csv.read(write(long(asked("gpu__time_duration.sum", "ns", "4.192"))))
    assert capture.launches["seconds"][0] == 4192 / 1e9


def test_decimal_commas_beside_decimal_points_are_refused(write: Write) -> None:
    content = long(asked("gpu__time_duration.sum", "us", "55,71"), asked("dram__bytes_read.sum", "Mbyte", "178.75"))
    with pytest.raises(UnreadableCapture, match=r"decimal comma \(55,71\).*decimal point \(178.75\).*LC_ALL=C"):
        csv.read(write(content))


@given(st.integers(0, 10**15))
def test_grouped_whole_numbers_come_back_in_either_locale(number: int) -> None:
    assert csv_numbers.number(f"{number:,}") == number
    assert csv_numbers.number(f"{number:,}".replace(",", "."), comma=True) == number


@given(st.decimals(0, 10**9, places=2))
def test_grouped_fractions_come_back_in_either_locale(number: object) -> None:
    printed = f"{number:,}"
    assert csv_numbers.number(printed) == float(str(number))
    assert csv_numbers.number(printed.translate(str.maketrans(",.", ".,")), comma=True) == float(str(number))


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    number = csv_numbers.number(text)
    assert number is None or isinstance(number, float)


def test_the_examples_in_the_docstrings_hold() -> None:
    failed, ran = doctest.testmod(csv_numbers)
    assert (failed, ran > 1) == (0, True)


# ---- the raw page

RAW = {
    "gpu__time_duration.sum": ("us", ["55.71", "7.20"]),
    "dram__bytes_read.sum": ("Mbyte", ["178.75", "0"]),
    "lts__t_sectors.sum": ("sector", ["1,000", "no data"]),
    "launch__cluster_scheduling_policy": ("", ["PolicySpread", "PolicySpread"]),
    "unwanted__metric.sum": ("inst", ["5", "6"]),
    "device__attribute_display_name": ("", ["NVIDIA H200", "NVIDIA H200"]),
    "device__attribute_compute_capability_major": ("", ["9", "9"]),
    "device__attribute_compute_capability_minor": ("", ["0", "0"]),
    "device__attribute_multiprocessor_count": ("", ["132", "132"]),
    "device__attribute_max_gpu_frequency_khz": ("", ["1,980,000", "1,980,000"]),
    "device__attribute_max_mem_frequency_khz": ("", ["3201000", "3201000"]),
    "device__attribute_fb_bus_width": ("", ["6016", "6016"]),
    "device__attribute_total_memory": ("", ["150110011392", "150110011392"]),
    "device__attribute_l2_cache_size": ("", ["62914560", "62914560"]),
    "device__attribute_integrated": ("", ["0", "0"]),
    "device__attribute_ecc_enabled": ("", ["1", "1"]),
    "device__attribute_chip": ("", ["384", "384"]),
}


@pytest.mark.parametrize(
    "form",
    [
        wide(RAW),
        wide(RAW, quoted=False),
        "\ufeff" + wide(RAW).replace("\n", "\r\n"),
        PREAMBLE + wide(RAW) + PREAMBLE,
        b"\xff\xfe" + wide(RAW).encode("utf-16-le"),
        wide(RAW).replace('"0","77"', '"0.0","77"'),
    ],
)
def test_a_raw_page_has_one_launch_per_row_in_base_units(form: str | bytes, write: Write) -> None:
    capture = csv.read(write(form))
    assert capture.launches["seconds"].to_list() == [55.71 / 1e6, 7.20 / 1e6]
    assert capture.launches["m:dram__bytes_read.sum"].to_list() == [178_750_000, 0]
    assert capture.launches["m:lts__t_sectors.sum"].to_list() == [1000, None]
    assert capture.launches["profiler_id"].to_list() == [0, 1]
    assert capture.notes == ("1 value was no data: lts__t_sectors.sum",)


def test_a_raw_page_tells_the_device(write: Write) -> None:
    device = csv.read(write(wide(RAW))).device
    assert (device.name, device.compute_capability, device.sms, device.chip) == ("NVIDIA H200", "9.0", 132, "384")
    assert (device.sm_hertz, device.memory_hertz, device.bus_bits) == (1.98e9, 3.201e9, 6016)
    assert (device.memory_bytes, device.l2_bytes) == (150_110_011_392, 62_914_560)
    assert (device.integrated, device.ecc, device.mig) == (False, True, False)


def test_a_long_file_tells_at_least_the_compute_capability(write: Write) -> None:
    device = csv.read(write(CLEAN)).device
    assert (device.compute_capability, device.name, device.sms) == ("9.0", None, None)


def test_a_raw_page_keeps_only_counters_in_use_unless_others_are_asked_for(write: Write) -> None:
    path = write(wide(RAW))
    assert "m:unwanted__metric.sum" not in csv.read(path).launches.columns
    assert csv.read(path, metrics=["unwanted__*"]).launches["m:unwanted__metric.sum"].to_list() == [5, 6]
    assert "m:launch__cluster_scheduling_policy" not in csv.read(path, metrics=["*"]).launches.columns


def test_decimal_commas_are_recognised_on_a_raw_page_too(write: Write) -> None:
    columns = {"gpu__time_duration.sum": ("ns", ["55.710", "7.200"]), "dram__bytes_read.sum": ("Mbyte", ["178,75", "0"])}
    launches = csv.read(write(wide(columns))).launches
    assert launches["seconds"].to_list() == [55710 / 1e9, 7200 / 1e9]
    assert launches["m:dram__bytes_read.sum"].to_list() == [178_750_000, 0]


# ---- what is refused, each in one sentence

SUMMARY = line(*IDENTITY[4:], *METRIC[:3], "Invocations", "Minimum", "Maximum", "Average")
CUT = "is cut short, so the file is incomplete"
REFUSED = {
    "an empty file": ("", "an empty file"),
    "plain text": ("hello\nworld\n", "no Nsight Compute table in it"),
    "another table": ("a,b\n1,2\n", "no Nsight Compute table in it"),
    "a header alone": (line(*IDENTITY, *METRIC), "a table without any launch"),
    "a raw page without launches": (wide({k: (u, []) for k, (u, _) in RAW.items()}), "a table without any launch"),
    "a raw page without units": (
        "".join(part for n, part in enumerate(wide(RAW).splitlines(keepends=True)) if n != 1),
        "without its row of units",
    ),
    "two captures": (CLEAN + PREAMBLE + CLEAN, "two captures in one file"),
    "two raw captures": (wide(RAW) + wide(RAW), "two captures in one file"),
    "two captures of the same kernels under one header": (
        long(TIME, asked("gpu__time_duration.sum", "us", "3", launch=1), asked("gpu__time_duration.sum", "us", "4")),
        "launch 0 comes twice, so two captures stand in one file",
    ),
    "two captures of the same kernel under one header": (
        long(TIME, asked("gpu__time_duration.sum", "us", "3")),
        "launch 0 has two values of gpu__time_duration.sum, so two captures stand in one file",
    ),
    "two raw captures under one header": (
        wide(RAW) + wide(RAW).split("\n", 2)[2],
        "launch 0 comes twice, so two captures stand in one file",
    ),
    "two captures under one header": (
        long(TIME, asked("gpu__time_duration.sum", "us", "3", kernel="other(int)")),
        "two captures stand in one file",
    ),
    "a row cut inside a name": (CLEAN + CLEAN.splitlines()[1][:60], CUT),
    "a row cut inside a number": (CLEAN.rstrip('"\n'), CUT),
    "a row cut between fields": (CLEAN[: CLEAN.rindex(',"178')], CUT),
    "a row cut before its metric": (CLEAN[: CLEAN.rindex(f',"{ASKED}')], CUT),
    "an unquoted row cut between fields": (long(TIME, BYTES, quoted=False).rpartition(",")[0], CUT),
    "a row cut in the middle of the file": (CLEAN + CLEAN.splitlines()[1][:60] + "\n" + CLEAN.splitlines()[2] + "\n", CUT),
    "a raw row cut between fields": (wide(RAW).rpartition(",")[0], CUT),
    "a raw row cut inside a field": (wide(RAW)[:-3], CUT),
    "kernel names that lost their quotes": (long(TIME, quoted=False).replace('"', ""), "do not stand under their names"),
    "a summary over no kernels": ("ID," + SUMMARY.replace('"', ""), "a table without any launch"),
    "two compute capabilities": (long(TIME, asked("gpu__time_duration.sum", "us", "3", launch=1, cc="8.0")), "mixed devices"),
    "two device numbers without names": (
        long(TIME, asked("gpu__time_duration.sum", "us", "3", launch=1, device=1)),
        "mixed devices",
    ),
    "two device names": (
        wide({**RAW, "device__attribute_display_name": ("", ["NVIDIA H200", "NVIDIA A100"])}),
        "mixed devices",
    ),
    "two devices of different size": (
        wide({**RAW, "device__attribute_multiprocessor_count": ("", ["132", "114"])}),
        "mixed devices",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_one_sentence_refuses(case: str, write: Write) -> None:
    content, sentence = REFUSED[case]
    with pytest.raises(UnreadableCapture) as refusal:
        csv.read(write(content))
    message = str(refusal.value)
    assert message.startswith("capture.csv: ") and sentence in message
    assert "\n" not in message and refusal.value.exit_code == 3


def test_a_missing_file_is_refused_by_its_name_alone(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match=r"^gone\.csv: cannot be read"):
        csv.read(tmp_path / "gone.csv")


def test_twin_devices_with_the_same_name_are_one_kind_and_noted(write: Write) -> None:
    content = wide(RAW).replace('"0","9.0"', '"1","9.0"', 1)
    capture = csv.read(write(content))
    assert sorted(capture.launches["device"].to_list()) == [0, 1]
    assert "launches ran on devices 0, 1" in capture.notes


@given(st.binary(max_size=300))
def test_any_bytes_are_a_capture_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_bytes(content)
        with pytest.raises(UnreadableCapture):
            csv.read(path)


@given(st.integers(0, len(CLEAN) - 2))
def test_a_file_cut_anywhere_is_refused_or_has_the_whole_rows_only(end: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.csv"
        path.write_text(CLEAN[:end])
        try:
            launches = csv.read(path).launches
        except UnreadableCapture:
            return
        assert launches["seconds"].to_list() == [55.71 / 1e6]


def test_a_table_of_metric_names_without_values_is_refused(write: Write) -> None:
    with pytest.raises(UnreadableCapture, match="no number has a scale"):
        csv.read(write('"ID","Kernel Name","Metric Name"\n"0","gemm","gpu__time_duration.sum"\n'))


def test_a_clean_file_and_the_same_with_one_foreign_line_give_equal_frames(write: Write) -> None:
    clean = csv.read(write(wide(RAW))).launches
    assert csv.read(write(wide(RAW) + "bye\n")).launches.equals(clean)
    assert clean.schema["m:dram__bytes_read.sum"] == pl.Float64


@pytest.mark.parametrize("number", ["1e308", "-1e308", "1e200", "1e-290", "9" * 300])
def test_numbers_that_no_gpu_counts_are_not_measured_said_and_break_no_command(
    number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = Path(__file__).parents[3] / "fixtures" / "synthetic" / "demo.raw.csv"
    lines = demo.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith('"ID"'))
    columns = next(table.reader([lines[first]]))
    extreme = ("gpu__time_duration.sum", "dram__bytes.sum.peak_sustained", "device__attribute_total_memory")
    rows = list(table.reader(lines[first + 2 :]))
    for row in rows:
        for name in extreme:
            row[columns.index(name)] = number
    target = tmp_path / "x.csv"
    quoted = [",".join(f'"{cell}"' for cell in row) for row in rows]
    target.write_text("\n".join([*lines[: first + 2], *quoted]) + "\n")

    capture = read(target)
    assert capture.launches["seconds"].null_count() == len(rows)
    assert any("or none that a GPU counts" in note for note in capture.notes)
    assert capture.device.memory_bytes is None or capture.device.memory_bytes < 1e15
    (tmp_path / "x.parquet").write_bytes(saved.packed(capture))
    assert read(tmp_path / "x.parquet").device == capture.device
    for words in (["compare", str(demo), str(target)], ["sweep", str(demo), str(target)], ["summary", str(target)]):
        assert run(capsys, *words).code in (0, 3, 4)
