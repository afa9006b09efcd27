"""The parts of reading CSV by themselves: numbers, devices, identities, rows of text, and both forms of a table."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.capture.capture import Device
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.csv import device as csv_device
from ncu_roofline.readers.csv import launches as csv_launches
from ncu_roofline.readers.csv import long as csv_long
from ncu_roofline.readers.csv import numbers as csv_numbers
from ncu_roofline.readers.csv import text as csv_text
from ncu_roofline.readers.csv import wide as csv_wide

FILE = "x.csv"
ASKED = "Command line profiler metrics"


def texts(*values: str | None) -> pl.Series:
    return pl.Series("text", values, dtype=pl.String)


# numbers


@pytest.mark.parametrize(
    ("values", "comma"),
    [
        (["3,5"], True),
        (["3,55"], True),
        (["3,5555"], True),
        (["-3,5"], True),
        (["1.234,5"], True),
        (["1.234.567"], True),
        (["3,555"], False),  # three digits: thousands as likely as a fraction
        (["3.5"], False),
        (["1,234.5"], False),
        (["1,234,567"], False),
        (["1.234"], False),
        ([], False),
    ],
)
def test_what_only_a_decimal_comma_can_mean_says_so(values: list[str], comma: bool) -> None:
    assert csv_numbers.decimal_comma([texts(*values)], [], FILE) is comma


@pytest.mark.parametrize(
    ("values", "counts", "comma"),
    [
        (["1.234"], ["1.234"], True),
        (["12.345"], ["12.345"], True),
        (["1.234", "2.5"], ["1.234"], False),  # a point that parts a fraction elsewhere
        (["1.234", "2,5"], ["1.234"], True),
        (["1234.567"], ["1234.567"], False),
        (["1.2345"], ["1.2345"], False),
    ],
)
def test_a_point_in_a_sum_that_must_be_whole_parts_thousands_unless_the_file_has_fractions(
    values: list[str], counts: list[str], comma: bool
) -> None:
    assert csv_numbers.decimal_comma([texts(*values)], [texts(*counts)], FILE) is comma


@pytest.mark.parametrize("point", ["2.5", "2.25", "2.3456", "1,234.5", "1,234,567"])
def test_a_file_that_has_both_is_refused(point: str) -> None:
    with pytest.raises(UnreadableCapture, match="decimal comma"):
        csv_numbers.decimal_comma([texts("3,5", point)], [], FILE)


def test_every_text_of_a_series_is_read_in_its_place() -> None:
    assert csv_numbers.numbers(texts("1.5", None, "", "1,000", "n/a", "inf", "nan", "1,000", "2")).to_list() == [
        1.5,
        None,
        None,
        1000.0,
        None,
        None,
        None,
        1000.0,
        2.0,
    ]
    assert csv_numbers.numbers(texts("1,5", None, "1.000", "x"), comma=True).to_list() == [1.5, None, 1000.0, None]
    assert csv_numbers.numbers(texts("1.5", "2")).to_list() == [1.5, 2.0]
    assert csv_numbers.numbers(texts("1,000", None)).to_list() == [1000.0, None]


def test_only_odd_texts_are_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def number(text: str, *, comma: bool = False) -> None:
        seen.append(text)

    monkeypatch.setattr(csv_numbers, "number", number)
    csv_numbers.numbers(texts("1.5", None, "", "1,000", "1,000"))
    assert seen == ["1,000"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,000", 1000.0),
        ("1,000.25", 1000.25),
        ("+1,000.", 1000.0),
        ("12,34,567", 1_234_567.0),
        ("1'000", 1000.0),
        ("1 000", 1000.0),
        ("-2.5e-3", -0.0025),
        ("7 (3; 4)", 7.0),
        ("1,00", None),
        ("1,0000", None),
        ("1.2.3", None),
        ("1000,000", None),
        ("x", None),
        ("", None),
    ],
)
def test_a_number_is_read_with_or_without_thousands(text: str, value: float | None) -> None:
    assert csv_numbers.number(text) == value


def test_a_decimal_comma_is_not_assumed() -> None:
    assert csv_numbers.number("1.234,5") is None
    assert csv_numbers.number("1.234,5", comma=True) == 1234.5
    assert csv_numbers.number("1,5", comma=True) == 1.5


def test_values_that_are_missing_are_counted_by_reason_with_three_counters_named() -> None:
    names = ["d", "b", "a", "c", "b"]
    said = pl.DataFrame({"metric": names, "text": ["n/a"] * 5})
    assert csv_numbers.missing(said) == ["5 values were n/a: a, b, c and 1 more"]
    assert csv_numbers.missing(said.head(3)) == ["3 values were n/a: a, b, d"]
    assert csv_numbers.missing(said.head(1)) == ["1 value was n/a: d"]
    mixed = pl.DataFrame({"metric": ["a", "b", "c", "d"], "text": ["no data", "n/a", "5", None]})
    assert csv_numbers.missing(mixed) == ["1 value was no data: a", "1 value was n/a: b"]


def test_units_that_nobody_knows_are_named_once() -> None:
    assert csv_numbers.strange_units(texts("b", "a", "b")) == ["numbers in units that are not known were left out: a, b"]
    assert csv_numbers.strange_units(texts()) == []


# the device

ATTRIBUTE = "device__attribute_"


def attributes(*rows: tuple[str, str | None, str | None], comma: bool = False) -> csv_device.Attributes:
    named = [(ATTRIBUTE + name, text, unit) for name, text, unit in rows]
    return csv_device.attributes(pl.DataFrame(named, schema=csv_launches.ATTRIBUTES, orient="row"), FILE, comma=comma)


def ran(capability: list[str | None] | None = None, device: list[int | None] | None = None) -> pl.DataFrame:
    capability, device = capability or [None], device or [None]
    return pl.DataFrame(
        {"capability": pl.Series(capability, dtype=pl.String), "device": pl.Series(device * len(capability), dtype=pl.Int64)}
        if len(device) == 1
        else {"capability": pl.Series(capability * len(device), dtype=pl.String), "device": pl.Series(device, dtype=pl.Int64)}
    )


def test_attributes_have_their_text_and_their_number_in_base_units() -> None:
    found = attributes(("l2_cache_size", "2", "Kbyte"), ("chip", "384", None), ("total_memory", "5", "furlong"))
    assert found["l2_cache_size"] == ("2", 2000.0)
    assert found["chip"] == ("384", 384.0)
    assert math.isnan(found["total_memory"][1])
    assert math.isnan(attributes(("display_name", "NVIDIA", ""))["display_name"][1])
    assert attributes(("chip", "1.024", ""), comma=True)["chip"] == ("1.024", 1024.0)
    assert attributes(("chip", "1.024", ""))["chip"] == ("1.024", 1.024)


def test_empty_attributes_are_none_and_of_two_texts_the_first_counts() -> None:
    assert attributes(("chip", "", ""), ("chip", None, "")) == {}
    found = attributes(("clock_rate", "5", ""), ("clock_rate", "6", ""))
    assert found["clock_rate"] == ("5", 5.0)


@pytest.mark.parametrize("part", [*csv_device.TELLING, "display_name"])
def test_two_values_of_what_twins_share_are_two_devices(part: str) -> None:
    with pytest.raises(UnreadableCapture, match="mixed devices"):
        attributes((part, "1", ""), (part, "2", ""))
    attributes((part, "1", ""), (part, "1", ""), (part, "", ""))


def device(*rows: tuple[str, str], launches: pl.DataFrame | None = None) -> Device:
    found = attributes(*((name, text, "") for name, text in rows))
    return csv_device.device(found, ran() if launches is None else launches, FILE)


def test_a_device_has_what_its_attributes_tell() -> None:
    told = {
        "display_name": "NVIDIA H100 MIG 1g",
        "compute_capability_major": "9",
        "compute_capability_minor": "0",
        "chip": "384",
        "multiprocessor_count": "132",
        "max_gpu_frequency_khz": "1,980,000",
        "clock_rate": "5",
        "max_mem_frequency_khz": "3201000",
        "memory_clock_rate": "6",
        "fb_bus_width": "6016",
        "global_memory_bus_width": "7",
        "total_memory": "1000",
        "l2_cache_size": "500",
        "integrated": "0",
        "ecc_enabled": "1",
    }
    assert device(*told.items()) == Device(
        name="NVIDIA H100 MIG 1g",
        compute_capability="9.0",
        chip="384",
        sms=132,
        sm_hertz=1.98e9,
        memory_hertz=3.201e9,
        bus_bits=6016,
        memory_bytes=1000.0,
        l2_bytes=500.0,
        integrated=False,
        mig=True,
        ecc=True,
    )
    older = {"clock_rate": "5", "memory_clock_rate": "6", "global_memory_bus_width": "7", "max_gpu_frequency_khz": "0"}
    assert device(*older.items()) == Device(sm_hertz=5000.0, memory_hertz=6000.0, bus_bits=7)


def test_what_is_not_told_is_unknown() -> None:
    assert device() == Device()
    assert device(("display_name", "NVIDIA L4")).mig is False
    assert device(("compute_capability_major", "9")).compute_capability is None
    assert device(("compute_capability_minor", "9")).compute_capability is None


def test_the_capability_of_the_attributes_goes_before_that_of_the_launches() -> None:
    parts = (("compute_capability_major", "9"), ("compute_capability_minor", "0"))
    assert device(*parts, launches=ran(["8.6"])).compute_capability == "9.0"
    assert device(launches=ran(["8.6", None, "8.6"])).compute_capability == "8.6"
    with pytest.raises(UnreadableCapture, match=r"compute capabilities 8\.0, 9\.0"):
        device(*parts, launches=ran(["9.0", "8.0"]))


def test_several_device_numbers_need_one_name() -> None:
    assert device(("display_name", "NVIDIA L4"), launches=ran(device=[0, 1])).name == "NVIDIA L4"
    assert device(launches=ran(device=[1, 1])) == Device()
    with pytest.raises(UnreadableCapture, match=r"devices 0, 1, and no names"):
        device(launches=ran(device=[1, 0, None]))


# the identity of a launch


def page(*header: str, separator: str = ",", quoted: bool = True, path: Path = Path(FILE)) -> csv_text.Page:
    return csv_text.Page(path, header, separator, 0, quoted)


def test_identifying_columns_are_found_by_their_names() -> None:
    made = page("x", "Kernel Name", "ID", "thread Domain:Push/Pop_Range:more", "Id:Domain:Start/Stop_Range:more")
    assert csv_launches.columns(made) == {"id": "c2", "name": "c1", "push_pop": "c3", "start_stop": "c4"}
    assert csv_launches.columns(page("ID", "Kernel Name")) == {"id": "c0", "name": "c1"}


def test_a_launch_is_made_of_its_texts() -> None:
    rows = pl.DataFrame(
        {
            "id": ["1,024", "7.0"],
            "name": ["void k<int>(int)", "k"],
            "process": [" 5 ", ""],
            "grid": ["(1,024, 2, 3)", "(1,2,3)"],
            "block": ["(1, 2)", None],
            "device": ["x", "1"],
            "capability": [" 9.0", ""],
        }
    )
    made = csv_launches.launches(rows, FILE)
    assert made.select("index", "profiler_id", "kernel", "name").rows() == [
        (0, 1024, "k", "void k<int>(int)"),
        (1, 7, "k", "k"),
    ]
    assert made["process"].to_list() == [5, None]
    assert made["grid"].to_list() == [[1024, 2, 3], [1, 2, 3]]
    assert made["block"].to_list() == [None, None]
    assert made["device"].to_list() == [None, 1]
    assert made["stream"].to_list() == [None, None]
    assert made["nvtx"].to_list() == [None, None]
    assert made["capability"].to_list() == ["9.0", None]


def test_a_file_without_sizes_has_none_for_each_of_its_launches() -> None:
    made = csv_launches.launches(pl.DataFrame({"id": ["0", "1"], "name": ["k", "l"]}), FILE)
    assert made.select("grid", "block", "stream", "capability").rows() == [(None, None, None, None)] * 2


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("(1, 2, 3)", [1, 2, 3]),
        ("(1,2,3)", [1, 2, 3]),
        ("(1,024, 2, 3)", [1024, 2, 3]),
        ("(a, 2, 3)", None),
        ("(1, 2)", None),
        ("(1, 2, 3, 4)", None),
        ("", None),
    ],
)
def test_a_shape_is_three_numbers(text: str, shape: list[int] | None) -> None:
    assert csv_launches._triple(pl.DataFrame({"grid": [text, None]}), "grid").to_list() == [shape, None]


def test_ranges_are_named_outermost_first_and_unknown_without_columns() -> None:
    end = ":none:none:none:none:none:none"
    push, start = f'1 "<default domain>:in{end}"', f'"4:<default domain>:out{end}"'
    cells = pl.DataFrame({"push_pop": [push, push, None, None], "start_stop": [start, None, start, None]})
    assert csv_launches.nvtx(cells).to_list() == [["out", "in"], ["in"], ["out"], []]
    assert csv_launches.nvtx(cells.select("push_pop")).to_list()[:2] == [["in"], ["in"]]
    assert csv_launches.nvtx(pl.DataFrame({"id": ["0", "1"]})).to_list() == [None, None]


def test_no_row_and_a_row_without_a_name_are_refused() -> None:
    rows = pl.DataFrame({"id": ["3", "4"], "name": ["k", None]})
    with pytest.raises(UnreadableCapture, match="the row of launch 4 is cut short"):
        csv_launches.launches(rows, FILE)
    with pytest.raises(UnreadableCapture, match="a table without any launch"):
        csv_launches.launches(rows.head(0), FILE)


# rows of text


def rows_of(text: str, *, separator: str = ",") -> list[str]:
    return csv_text.rows(page("ID", "Kernel Name", separator=separator), text)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('"0","k"\n"1","l"\n', ['"0","k"', '"1","l"']),
        ('"0","k"\nnoise\n"1","l"\n', ['"0","k"', '"1","l"']),
        ('noise"0","k"\n', ['"0","k"']),
        ('"0","two\nlines"\n"1","l"', ['"0","two\nlines"', '"1","l"']),
        ('"0","two\nlines","77","x"\n', ['"0","two\nlines","77","x"']),
        ('"0","three\n\nlines"\nnoise', ['"0","three\n\nlines"']),
        ('"0","a ""b"" c\nd ""e"" f"\nnoise', ['"0","a ""b"" c\nd ""e"" f"']),
        ('"0","a\nb ""c"" d\ne"\nnoise', ['"0","a\nb ""c"" d\ne"']),
        ('0,"5","7"\n', ['0,"5","7"']),
        ("0,k\n1.0,l", ["0,k", "1.0,l"]),
        ('"","","","","x"\n', ['"","","","","x"']),
        (",,,,x\n", [",,,,x"]),
        (",,,x\n", []),
        ("x,0\n", []),
    ],
)
def test_rows_are_told_from_other_lines(text: str, rows: list[str]) -> None:
    assert rows_of(text) == rows
    assert rows_of(text.replace(",", ";"), separator=";") == [row.replace(",", ";") for row in rows]


@pytest.mark.parametrize(
    "text", ['"0","open', '"0","k"\n"12","open\n"13","whole"\n', '"12","open\n"13","two\nlines"', '"0","k"\n"12","two\nlines']
)
def test_a_row_whose_quote_stays_open_is_cut_short(text: str) -> None:
    with pytest.raises(UnreadableCapture, match=r"the row of launch (0|12) is cut short"):
        rows_of(text)


def test_a_row_without_a_number_is_called_a_row() -> None:
    assert "a row is cut short" in str(csv_text.cut_short(FILE, ",,x"))
    assert "the row of launch 12 is" in str(csv_text.cut_short(FILE, "12,x"))


HEAD = '"ID","Kernel Name","Stream","v"\n'


def written(folder: Path, content: str | bytes) -> csv_text.Page:
    path = folder / FILE
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return csv_text.page(path)


@pytest.mark.parametrize(("before", "skip"), [("", 0), ("one\ntwo\n", 2), ("no end", None)])
def test_a_page_knows_how_many_lines_stand_before_it(tmp_path: Path, before: str, skip: int | None) -> None:
    made = written(tmp_path, before + HEAD)
    assert (made.header, made.separator, made.skip, made.quoted) == (("ID", "Kernel Name", "Stream", "v"), ",", skip, True)
    assert (made.index("Stream"), made.index("Nothing"), made.file) == (2, None, FILE)
    assert not written(tmp_path, before.replace("no end", "") + HEAD.replace('"', "")).quoted


def test_utf_16_is_decoded_and_not_read_as_it_stands(tmp_path: Path) -> None:
    made = written(tmp_path, b"\xff\xfe" + HEAD.encode("utf-16-le"))
    assert (made.header[0], made.skip) == ("ID", None)
    assert csv_text.decoded(b"\xef\xbb\xbfa\r\nb") == b"a\nb"
    assert csv_text.decoded(b"a\rb\n") == b"a\nb\n"


@pytest.mark.parametrize("before", [0, 100 - len(HEAD), 101 - len(HEAD), 75, 80, 81, 82, 120])
def test_a_header_behind_or_across_what_is_read_first_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setattr(csv_text, "HEAD", 100)
    made = written(tmp_path, "x" * (before - 1) + "\n" * (before > 0) + HEAD + '"0","k","7","1"\n' * 9)
    assert made.header == ("ID", "Kernel Name", "Stream", "v")
    assert made.skip == (1 if before else 0)


def frame(folder: Path, content: str) -> list[tuple[str | None, ...]]:
    made = written(folder, content)
    return csv_text.frame(made, range(len(made.header))).rows()


UNITS, ROW = '"","","","unit"\n', '"0","k","7","1"\n'


@pytest.mark.parametrize(
    "content",
    [HEAD + ROW, "noise\n" + HEAD + ROW, HEAD + "noise\n" + ROW, HEAD + ROW + "noise\n", HEAD + 'noise"0","k","7","1"\n'],
)
def test_a_table_is_the_same_with_and_without_noise(tmp_path: Path, content: str) -> None:
    assert frame(tmp_path, content) == [("0", "k", "7", "1")]


def test_a_row_of_units_stays_in_front(tmp_path: Path) -> None:
    assert frame(tmp_path, HEAD + UNITS + ROW) == [("", "", "", "unit"), ("0", "k", "7", "1")]
    plain = (HEAD + UNITS + ROW).replace('"', "")
    assert frame(tmp_path, plain) == [(None, None, None, "unit"), ("0", "k", "7", "1")]
    assert frame(tmp_path, HEAD) == []


@pytest.mark.parametrize(
    ("content", "straight"),
    [
        (HEAD + ROW, True),
        (HEAD + UNITS + ROW, True),
        ((HEAD + UNITS + ROW).replace('"', ""), True),
        (HEAD, True),
        (HEAD + "noise\n" + ROW, False),
        (HEAD + ROW + "noise\n", False),
        (HEAD + UNITS + "noise\n" + ROW, False),
        ((HEAD + UNITS + ROW).replace('"', "") + ",,,x\n", False),
        (HEAD + '"0","k\n","7","1"\n', False),
        (HEAD + UNITS + '"0","k","x","1"\n', False),
        ("no end" + HEAD + ROW, False),
    ],
)
def test_only_a_table_without_anything_odd_is_taken_as_it_stands(tmp_path: Path, content: str, straight: bool) -> None:
    made = written(tmp_path, content)
    assert (csv_text._straight(made, range(4), few=()) is not None) == straight


@pytest.mark.parametrize("noise", ["", "noise\n"])
def test_texts_that_repeat_are_kept_once_each_however_the_table_is_read(tmp_path: Path, noise: str) -> None:
    made = written(tmp_path, HEAD + UNITS + ROW + noise + ROW.replace('"0"', '"1"').replace('"7"', '""'))
    table = csv_text.frame(made, range(4), few=(1, 2))
    assert table.schema["c1"] == table.schema["c2"] == pl.Categorical
    assert table.cast(pl.String).rows()[-2:] == [("0", "k", "7", "1"), ("1", "k", "", "1")]
    assert (csv_text._straight(made, range(4), (1, 2)) is None) == bool(noise)


@pytest.mark.parametrize(("streams", "shifted"), [(["7", "1,024", "", None], [False] * 4), (["x", "7a", "-1"], [True] * 3)])
def test_a_stream_that_is_no_number_shows_that_fields_moved(streams: list[str | None], shifted: list[bool]) -> None:
    table = pl.DataFrame({"c1": pl.Series(streams, dtype=pl.String)})
    assert csv_text._shifted(page("ID", "Stream"), table).to_list() == shifted
    assert csv_text._shifted(page("ID", "Stream"), table.rename({"c1": "c2"})).to_list() == []
    assert csv_text._shifted(page("ID", "Other"), table).to_list() == []


def test_a_field_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="do not stand under their names"):
        frame(tmp_path, HEAD + '"0","k","7","1","2"\n')
    with pytest.raises(UnreadableCapture, match="do not stand under their names"):
        frame(tmp_path, HEAD + '"0","k","7","1","2","3"\n')
    with pytest.raises(UnreadableCapture, match="do not stand under their names"):
        frame(tmp_path, HEAD + "noise\n" + '"0","k","x","1"\n')


def test_rows_must_end_and_without_quotes_the_last_one(tmp_path: Path) -> None:
    cut = pl.DataFrame({"id": ["0", "1"], "last": [None, "x"]})
    ends = cut.with_columns(last=pl.Series(["x", None]))
    made = written(tmp_path, HEAD + ROW)
    with pytest.raises(UnreadableCapture, match="launch 0 is cut"):
        csv_text.whole(made, cut)
    csv_text.whole(made, cut.tail(1))
    plain = written(tmp_path, HEAD.replace('"', "") + "0,k,7,\n")
    csv_text.whole(plain, cut)
    csv_text.whole(plain, ends)
    unended = written(tmp_path, HEAD.replace('"', "") + "0,k,7")
    csv_text.whole(unended, cut)
    with pytest.raises(UnreadableCapture, match="launch 1 is cut"):
        csv_text.whole(unended, ends)


# the wide form

TIME, READ = "gpu__time_duration.sum", "dram__bytes_read.sum"


def wide(folder: Path, metrics: dict[str, list[str]], *, rows: int = 2, asked: tuple[str, ...] = ()) -> csv_launches.Table:
    """A raw page: of each metric its unit, then a value for each launch."""
    lines = [["ID", "Kernel Name", *metrics], ["", "", *(unit for unit, *_ in metrics.values())]]
    lines += [[str(n), "k", *(values[n + 1] for values in metrics.values())] for n in range(rows)]
    content = "".join(",".join(f'"{field}"' for field in line) + "\n" for line in lines)
    return csv_wide.read(written(folder, content), asked)


def test_counters_are_in_base_units_and_attributes_beside_them(tmp_path: Path) -> None:
    name, sms = f"{ATTRIBUTE}display_name", f"{ATTRIBUTE}multiprocessor_count"
    made = wide(tmp_path, {TIME: ["us", "2", "3"], READ: ["Kbyte", "4", ""], name: ["", "A", "A"], sms: ["", "1", "2"]})
    assert made.counters.to_dict(as_series=False) == {TIME: [2e-6, 3e-6], READ: [4000.0, None]}
    assert sorted(made.attributes.rows()) == [(name, "A", ""), (sms, "1", ""), (sms, "2", "")]
    assert (made.notes, made.comma) == ([], False)


def test_attributes_are_no_counters_even_where_all_are_asked_for(tmp_path: Path) -> None:
    made = wide(tmp_path, {TIME: ["us", "2", "3"], f"{ATTRIBUTE}chip": ["", "5", "5"], "x__y": ["", "1", "2"]}, asked=("*",))
    assert set(made.counters.columns) == {TIME, "x__y"}


def test_a_point_in_whole_numbers_parts_thousands_in_every_column(tmp_path: Path) -> None:
    made = wide(tmp_path, {READ: ["byte", "1.234", "7"], "lts__t_sectors.sum": ["sector", "5.000", "6"]})
    assert made.comma
    assert made.counters.to_dict(as_series=False) == {READ: [1234.0, 7.0], "lts__t_sectors.sum": [5000.0, 6.0]}


@pytest.mark.parametrize(
    ("metrics", "comma"),
    [
        ({READ: ["Kbyte", "1.234", "7"]}, False),  # a fraction of a kilobyte
        ({READ: ["byte", "1.000", "7"]}, False),
        ({READ: ["byte", "1.234", "7"], TIME: ["us", "1.5", "2.5"]}, False),
        ({READ: ["byte", "1,234", "7"]}, False),
        ({TIME: ["us", "1.234", "7"], READ: ["byte", "1,234", "7"]}, False),
        ({READ: ["Kbyte", "1,5", "7"]}, True),
        ({READ: ["Kbyte", "1,5", "n/a"], TIME: ["us", "n/a", "2"]}, True),
        ({"dram__bytes_read.avg": ["byte", "1.234", "7"]}, False),
    ],
)
def test_the_comma_of_a_raw_page_is_told_by_what_must_be_whole(
    tmp_path: Path, metrics: dict[str, list[str]], comma: bool
) -> None:
    assert wide(tmp_path, metrics, asked=("*",)).comma is comma


def test_what_a_column_says_instead_of_numbers_is_noted(tmp_path: Path) -> None:
    made = wide(tmp_path, {READ: ["byte", "n/a", "5"], TIME: ["us", "", "nan"]})
    assert made.counters[READ].to_list() == [None, 5.0]
    assert made.notes == [f"1 value was n/a: {READ}", f"1 value was not a number: {TIME}"]


def test_a_column_of_words_is_left_out_and_one_of_missing_numbers_is_not(tmp_path: Path) -> None:
    made = wide(tmp_path, {"x__a": ["", "Spread", "Even"], READ: ["byte", "n/a", "n/a"], TIME: ["us", "1", "x"]}, asked=("*",))
    assert made.counters.to_dict(as_series=False) == {TIME: [1e-6, None], READ: [None, None]}
    assert made.notes == [f"2 values were n/a: {READ}"]
    assert wide(tmp_path, {"x__a": ["", "Spread", "Even"]}, asked=("*",)).counters.width == 0


def test_a_unit_that_nobody_knows_is_noted_once(tmp_path: Path) -> None:
    made = wide(tmp_path, {READ: ["furlong", "1", "2"], "dram__bytes_write.sum": ["furlong", "1", "2"]})
    assert made.counters[READ].null_count() == 2
    assert made.notes == ["numbers in units that are not known were left out: furlong"]


def test_only_columns_with_some_odd_text_are_odd() -> None:
    values = pl.DataFrame({"plain": ["1", "2"], "empty": ["", None], "odd": ["1", "x"], "half": ["1", None]})
    assert list(csv_wide._odd(values, values.select(pl.all().cast(pl.Float64, strict=False)))) == ["odd", "half"]
    assert csv_wide._odd(pl.DataFrame(), pl.DataFrame()) == {}
    assert csv_wide._odd(values.select("plain"), values.select(pl.col("plain").cast(pl.Float64))) == {}


def test_a_raw_page_needs_units_and_one_row_per_launch(tmp_path: Path) -> None:
    made = wide(tmp_path, {TIME: ["us", "2", "3"]})
    assert made.launches["profiler_id"].to_list() == [0, 1]
    with pytest.raises(UnreadableCapture, match="without its row of units"):
        csv_wide.read(written(tmp_path, f'"ID","Kernel Name","{TIME}"\n"0","k","5"\n'), ())
    with pytest.raises(UnreadableCapture, match="launch 0 comes twice"):
        csv_wide.read(written(tmp_path, f'"ID","Kernel Name","{TIME}"\n"","","us"\n"0","k","5"\n"0","k","6"\n'), ())


def test_a_column_without_a_unit_has_an_empty_one() -> None:
    table = pl.DataFrame({"c0": [None, "0"], "c1": [None, "5"], "c2": ["us", "6"]})
    units, rows = csv_wide._units(page("ID", "a", "b"), table, "c0")
    assert units == {"c0": "", "c1": "", "c2": "us"}
    assert rows.rows() == [("0", "5", "6")]


def test_launches_of_two_processes_may_share_a_number() -> None:
    numbers = pl.DataFrame({"process": [1, 2, 1], "profiler_id": [0, 0, None]})
    csv_wide._one_capture(numbers, FILE)
    with pytest.raises(UnreadableCapture, match="launch 0 comes twice"):
        csv_wide._one_capture(numbers.with_columns(process=pl.lit(1)), FILE)


# the long form


def long(
    folder: Path, *rows: tuple[str, ...], header: str = "ID,Kernel Name,Section Name,Metric Name,Metric Unit,Metric Value"
) -> csv_launches.Table:
    content = "".join(",".join(f'"{field}"' for field in line) + "\n" for line in [header.split(","), *rows])
    return csv_long.read(written(folder, content))


def test_every_counter_of_a_launch_comes_into_its_row(tmp_path: Path) -> None:
    made = long(
        tmp_path,
        ("0", "k", ASKED, TIME, "us", "2"),
        ("0", "k", ASKED, READ, "Kbyte", "3"),
        ("1", "l", ASKED, READ, "byte", "4"),
        ("1", "l", ASKED, f"{ATTRIBUTE}chip", "", "384"),
    )
    assert made.counters.to_dict(as_series=False) == {TIME: [2e-6, None], READ: [3000.0, 4.0]}
    assert made.attributes.rows() == [(f"{ATTRIBUTE}chip", "384", "")]
    assert (made.launches["name"].to_list(), made.notes) == (["k", "l"], [])


def test_a_missing_number_gives_way_to_one_of_another_section(tmp_path: Path) -> None:
    made = long(tmp_path, ("0", "k", "One", READ, "byte", "n/a"), ("0", "k", "Two", READ, "byte", "5"))
    assert made.counters[READ].to_list() == [5.0]
    assert made.notes == [f"1 value was n/a: {READ}"]
    alone = long(tmp_path, ("0", "k", "One", READ, "byte", "n/a"), ("0", "k", "One", "x__y", "", "Spread"))
    assert alone.counters.to_dict(as_series=False) == {READ: [None]}


def test_a_value_twice_must_be_the_same(tmp_path: Path) -> None:
    row = ("0", "k", "One", READ, "byte", "5")
    assert long(tmp_path, row, row).counters[READ].to_list() == [5.0]
    assert long(tmp_path, row, (*row[:4], "Kbyte", "1")).counters[READ].to_list() == [5.0]
    with pytest.raises(UnreadableCapture, match=f"launch 0 has two values of {READ}"):
        long(tmp_path, row, (*row[:5], "6"))


def test_launches_come_in_file_order_and_not_again(tmp_path: Path) -> None:
    rows = [(n, "k", "One", READ, "byte", "5") for n in "231"]
    assert long(tmp_path, *rows).launches["profiler_id"].to_list() == [2, 3, 1]
    with pytest.raises(UnreadableCapture, match="launch 2 comes twice"):
        long(tmp_path, *rows, ("2", "k", "Two", TIME, "us", "5"))
    with pytest.raises(UnreadableCapture, match="launch 1 has two kernel names"):
        long(tmp_path, *rows, ("1", "l", "Two", TIME, "us", "5"))


def test_labels_are_known_by_their_section_and_strange_ones_are_named_in_order(tmp_path: Path) -> None:
    section, label, counter = csv_long.labels().row(0)
    made = long(
        tmp_path,
        ("0", "k", section, label, "", "5"),
        ("0", "k", "Another Section", label, "", "6"),
        ("0", "k", section, "Unheard Of", "", "7"),
        ("0", "k", section, "Brand New", "", "8"),
        ("0", "k", section, sorted(csv_long.left_out())[0], "", "9"),
        ("0", "k", ASKED, "as asked", "", "4"),
    )
    assert made.counters[counter].to_list() == [5.0]
    assert made.counters["as asked"].to_list() == [4.0]
    names = ", ".join(sorted({"Brand New", "Unheard Of", label}))
    assert made.notes == [f"labels of the details page that stand for no known counter: {names}"]


def test_numbers_in_strange_units_are_noted_and_left_out(tmp_path: Path) -> None:
    made = long(tmp_path, ("0", "k", ASKED, READ, "furlong", "5"), ("0", "k", ASKED, TIME, "us", "5"))
    assert made.counters.to_dict(as_series=False) == {TIME: [5e-6]}
    assert made.notes == ["numbers in units that are not known were left out: furlong"]


def test_a_file_without_units_or_sections_is_read_with_numbers_as_they_are(tmp_path: Path) -> None:
    made = long(tmp_path, ("0", "k", READ, "5"), header="ID,Kernel Name,Metric Name,Metric Value")
    assert made.counters.to_dict(as_series=False) == {READ: [5.0]}


def test_whole_sums_tell_a_decimal_comma_and_others_do_not(tmp_path: Path) -> None:
    assert long(tmp_path, ("0", "k", ASKED, READ, "byte", "1.234")).comma
    assert not long(tmp_path, ("0", "k", ASKED, READ, "Kbyte", "1.234")).comma
    assert not long(tmp_path, ("0", "k", ASKED, "dram__bytes_read.avg", "byte", "1.234")).comma


def test_rows_without_a_process_have_their_launch_too() -> None:
    rows = pl.DataFrame({"process": [None, None, "5", None], "id": ["0", "1", "0", "0"]})
    assert csv_long._numbered(rows)["launch"].to_list() == [0, 1, 2, 0]
    assert csv_long._numbered(rows.drop("process"))["launch"].to_list() == [0, 1, 0, 0]


def in_order(names: list[str | None], order: list[int]) -> None:
    rows = pl.DataFrame({"name": names, "launch": order, "id": [str(n) for n in order]})
    csv_long._one_capture(rows, rows.unique("launch", keep="first", maintain_order=True), FILE)


def test_a_row_without_a_name_is_no_other_kernel() -> None:
    in_order(["k", None, "l"], [0, 0, 1])
    with pytest.raises(UnreadableCapture, match="launch 0 has two kernel names"):
        in_order(["k", "m", "l"], [0, 0, 1])


def test_a_launch_that_comes_again_behind_its_neighbour_is_told() -> None:
    in_order(["k"] * 4, [0, 0, 1, 2])
    with pytest.raises(UnreadableCapture, match="launch 0 comes twice"):
        in_order(["k"] * 3, [0, 1, 0])


def test_of_many_values_that_contradict_each_other_the_first_is_named(tmp_path: Path) -> None:
    rows = [("0", "k", "One", f"x__{n}", "byte", str(value)) for value in (1, 2) for n in range(20, 40)]
    with pytest.raises(UnreadableCapture, match="two values of x__20"):
        long(tmp_path, *rows)


def test_launches_without_any_counter_are_rows_without_columns(tmp_path: Path) -> None:
    made = long(tmp_path, ("0", "k", "Another Section", "Unheard Of", "", "5"))
    assert (made.counters.width, made.launches.height) == (0, 1)


def test_of_many_sections_with_one_counter_the_first_counts(tmp_path: Path) -> None:
    rows = [("0", "k", f"Section {n}", READ, "byte", str(n)) for n in range(100, 300)]
    assert long(tmp_path, *rows).counters[READ].to_list() == [100.0]
