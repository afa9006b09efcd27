"""Files by what stands in them: reports packed, cut and foreign, what users state beside them, what is saved of them."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from ncu_roofline import readers
from ncu_roofline.capture.capture import UNKNOWN, Capture, Device, Fact, Run
from ncu_roofline.capture.schema import LAUNCHES, conform
from ncu_roofline.errors import UnreadableCapture, UnusableInput
from ncu_roofline.readers import combine, expand, facts, footer, saved
from ncu_roofline.readers.report import recognise, report
from ncu_roofline.readers.report.container import Head
from ncu_roofline.readers.report.report import Loss
from tests import kernels
from tests.every_metric import every_metric
from tests.kernels import H100, launch
from tests.report_bytes import block, entry, field, session, simple
from tests.report_bytes import report as whole

PATH = Path("r.ncu-rep")


def launches(*rows: dict[str, Any]) -> pl.DataFrame:
    """What a reader gives, without the columns of a study."""
    return conform(kernels.launches(*rows), LAUNCHES, source="test")


def stored(folder: Path, content: bytes, name: str = "r.ncu-rep") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


# what a file is


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (entry(field(5, 1) + field(6, b"")), "an unfinished"),
        (entry(field(5, 1)), "not an Nsight Compute report"),
        (entry(field(6, b"")), "not an Nsight Compute report"),
        (entry(field(5, 1) + field(6, b""))[:-1], "not an Nsight Compute report"),
        (bytes(4) + field(5, 1) + field(6, b""), "not an Nsight Compute report"),
        (entry(field(5, 1) + field(6, b"")) + b"\xff", "an unfinished"),
        (b"\x05\0\0\0" + field(5, 1) + field(6, b""), "not an Nsight Compute report"),  # four bytes, not five
        (entry(b"\x08"), "not an Nsight Compute report"),
        (b"NVR\0\0", "cut off in its first bytes"),
        (b"hello world\n", "text where"),
        (b"hello \x00\x01 world\n", "not an Nsight Compute report"),
        (b"  \n", "not an Nsight Compute report"),
    ],
)
def test_a_foreign_file_is_called_what_it_is(start: bytes, kind: str) -> None:
    assert recognise.foreign(start, len(start)).startswith(("", "an Nsight Compute report ")[kind.startswith("cut")] + kind)


@pytest.mark.parametrize("length", [4, 7])
def test_a_magic_without_a_file_header_is_a_cut_report(tmp_path: Path, length: int) -> None:
    path = stored(tmp_path, b"NVR\0\0\0\0\0"[:length])
    with pytest.raises(UnreadableCapture, match="cut off in its first bytes"), recognise.opened(path):
        pass


def test_a_report_of_eight_bytes_is_one_and_its_size_is_told(tmp_path: Path) -> None:
    with recognise.opened(stored(tmp_path, b"NVR\0\0\0\0\0")) as (_, size, notes):
        assert (size, notes) == (8, [])
    packed = stored(tmp_path, zstandard.compress(b"NVR\0" + bytes(5000)))
    with recognise.opened(packed) as (file, size, notes):
        assert (size, notes) == (5004, [])
        file.seek(0)
        assert file.read() == b"NVR\0" + bytes(5000)


def test_a_beginning_is_unpacked_and_cut_to_its_size(tmp_path: Path) -> None:
    content = b"NVR\0" + bytes(70_000)
    assert recognise.beginning(stored(tmp_path, content)) == content[: 1 << 16]
    assert recognise.beginning(stored(tmp_path, zstandard.compress(content))) == content[: 1 << 16]
    assert recognise.beginning(stored(tmp_path, b"\x28\xb5\x2f\xfdjunkjunk")) == b""
    assert recognise.beginning(tmp_path / "none") == b""


def test_an_error_without_a_text_is_told_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path) -> bool:
        raise TimeoutError

    monkeypatch.setattr(Path, "is_dir", failing)
    with pytest.raises(UnreadableCapture, match=r"cannot be read \(TimeoutError\)"), recognise.opened(PATH):
        pass


def unpacked(folder: Path, content: bytes) -> tuple[bytes, list[str]]:
    path, target = stored(folder, content), BytesIO()
    with path.open("rb") as packed:
        packed.seek(3)
        notes = recognise.unpack(packed, target, path)
    return target.getvalue(), notes


def test_a_stream_of_several_frames_is_whole_and_a_broken_one_says_where(tmp_path: Path) -> None:
    one, two = zstandard.compress(b"a" * 1000), zstandard.compress(b"b" * 2000)
    assert unpacked(tmp_path, one + two) == (b"a" * 1000 + b"b" * 2000, [])
    content, notes = unpacked(tmp_path, one + b"\x28\xb5\x2f\xfdjunkjunk")
    assert content == b"a" * 1000
    assert notes == ["The compressed stream is damaged or cut off after 1,000 bytes of the report."]


@pytest.mark.parametrize(
    ("most", "ratio", "spared", "fits"),
    [
        (1000, 0, 1000, True),
        (999, 0, 1000, False),
        (1000, 0, 999, False),
        (1000, 1000, 0, True),
        (1000, 1, 0, False),
        (999, 1000, 0, False),
    ],
)
def test_a_stream_may_unpack_up_to_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, ratio: int, spared: int, fits: bool
) -> None:
    for name, limit in (("MOST_UNCOMPRESSED", most), ("MOST_RATIO", ratio), ("SPARED", spared)):
        monkeypatch.setattr(recognise, name, limit)
    packed = zstandard.compress(b"a" * 1000)
    assert len(packed) < 999
    if fits:
        assert unpacked(tmp_path, packed) == (b"a" * 1000, [])
    else:
        with pytest.raises(UnreadableCapture, match="unpacks to more than"):
            unpacked(tmp_path, packed)


def test_limits_of_unpacking_leave_room_for_real_reports() -> None:
    assert recognise.MOST_UNCOMPRESSED == 8 * 1024**3
    assert recognise.SPARED == 256 * 1024**2
    assert recognise.MOST_RATIO >= 1000  # reports compress 3 to 20 times


def test_folders_and_missing_files_are_no_reports(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="a directory"), recognise.opened(tmp_path):
        pass
    with pytest.raises(UnreadableCapture, match="No such file"), recognise.opened(tmp_path / "none"):
        pass


# what is lost of a damaged report


def test_two_stars_reach_into_folders_and_a_name_that_has_a_star_is_itself(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    inner, outer, starred = (
        stored(folder, b"x", name) for folder, name in ((deep, "1.csv"), (tmp_path, "2.csv"), (deep, "*.md"))
    )

    assert expand([f"{tmp_path}/**/*.csv"]) == [outer, inner]
    assert expand([tmp_path / "a" / "b" / "*.md"]) == [starred]


def test_a_name_that_no_file_can_have_is_refused_with_the_systems_reason() -> None:
    with pytest.raises(UnreadableCapture, match=r"cannot be opened .*embedded null"):
        readers.read("a\0b.csv")


def test_each_kind_of_loss_has_its_sentence() -> None:
    loss = Loss(200, damaged=2, stopped=150)
    assert list(loss.notes(3, True)) == [
        "2 of 5 launches are damaged in the file and left out.",
        "The report is damaged or cut off at byte 150 of 200: 25.0 % of the file could not be read, 3 launches before it were.",
        "More launches than a file of this size can hold: only 3 were read.",
    ]
    assert list(Loss(200).notes(3, False)) == []
    assert len(list(Loss(200, stopped=0).notes(0, False))) == 1


@pytest.mark.parametrize(
    ("head", "loss", "said"),
    [
        (Head(), Loss(9), "without any kernel; check the filters"),
        (Head(range_results=1), Loss(9), "holds results of ranges only"),
        (Head(range_results=1), Loss(9, damaged=1), "a damaged Nsight Compute report"),
        (Head(), Loss(9, stopped=0), "a damaged Nsight Compute report"),
    ],
)
def test_a_report_without_launches_says_why(head: Head, loss: Loss, said: str) -> None:
    assert said in str(report._empty(head, loss, "r"))


def test_results_of_ranges_are_noted(tmp_path: Path) -> None:
    content = [entry(field(7, 0)), entry(field(7, 1))]
    ranges = entry(field(5, sum(map(len, content))) + field(6, b"") + field(7, 2)) + b"".join(content)
    assert report.read(stored(tmp_path, simple() + ranges)).notes == (
        "2 results of whole ranges are not read; they carry no kernel (`reader=vendor` shows them).",
    )


def test_after_so_many_damaged_launches_the_rest_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_DAMAGED", 2)
    bad, good = field(7, "no name"), field(6, "k")
    for count, read in ((2, 2), (3, 1)):
        content = whole(block(launches=[good, *[bad] * count, good], session=session("ncu ./a")))
        capture = report.read(stored(tmp_path, content))
        assert len(capture.launches) == read
        assert ["given up" if "cut off" in note else note for note in capture.notes] == [
            f"{count} of {read + count} launches are damaged in the file and left out.",
            *(["given up"] if count > 2 else []),
        ]


def test_the_table_of_all_metrics_has_values_and_instances(tmp_path: Path) -> None:
    rows = list(every_metric(stored(tmp_path, simple({"x__y.sum": 5}, copies=2))))
    assert [row["x__y.sum"] for row in rows] == [(5, None)] * 2
    (row,) = every_metric(stored(tmp_path, simple({"x__y.sum": None})))
    assert (row["gpu__time_duration.sum"], row["x__y.sum"]) == ((2000.0, None), (None, None))


# what users state


@pytest.mark.parametrize("value", [1, 10**12])
def test_whole_numbers_begin_at_one(value: int) -> None:
    assert facts.whole("batch", value) == value


@pytest.mark.parametrize("value", [0, -1, 10**12 + 1, 1.0, True, "5", None])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(UnusableInput, match="give a whole number from 1 on"):
        facts.whole("batch", value)


@pytest.mark.parametrize("value", [1, 1.0, 2.5, 1000])
def test_a_ratio_is_a_number_from_one_on(value: float) -> None:
    assert facts.accepted("accepted", value) == value
    assert isinstance(facts.accepted("accepted", value), float)


@pytest.mark.parametrize("value", [0.99, 1000.5, True, "2", None, float("nan")])
def test_what_is_no_ratio_is_refused(value: Any) -> None:
    with pytest.raises(UnusableInput, match="1 or more"):
        facts.accepted("accepted", value)


def test_words_are_texts_or_paths_that_are_not_empty() -> None:
    assert (facts.word("model", "m"), facts.word("model", PATH)) == ("m", "r.ncu-rep")
    for value in ("", "  ", 5, None):
        with pytest.raises(UnusableInput, match="give a name or a path"):
            facts.word("model", value)


@pytest.mark.parametrize(
    ("value", "layers"), [("2/48", (2, 48)), (" 1 of 1 ", (1, 1)), ("3 / 4", (3, 4)), ("999999/999999", (999_999, 999_999))]
)
def test_layers_in_a_window_are_a_part_of_all(value: str, layers: tuple[int, int]) -> None:
    assert facts.part("layers", value) == layers


@pytest.mark.parametrize("value", ["0/4", "5/4", "2", "2/48/3", "a/b", "1/1000000", ""])
def test_what_is_no_part_is_refused(value: str) -> None:
    with pytest.raises(UnusableInput, match="as in 2/48"):
        facts.part("layers", value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("8.0ms", 8e-3), (" 250 us ", 250e-6), ("1.5s", 1.5), (".5ms", 5e-4), ("3e-3s", 3e-3), (0.008, 0.008)],
)
def test_a_time_has_its_unit_or_is_in_seconds(value: Any, seconds: float) -> None:
    assert facts.duration("step_time", value) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("value", ["8", "8 parsec", "", "ms", 0, -1.0, True, None, float("nan"), 1e9])
def test_what_is_no_time_of_a_step_is_refused(value: Any) -> None:
    with pytest.raises(UnusableInput, match="no time of a step"):
        facts.duration("step_time", value)


def test_what_is_stated_says_where() -> None:
    assert facts.options({"batch": 8, "tokens": None, "weights": "FP8"}) == {
        "batch": Fact(8, "given", "stated on the command line"),
        "weights": Fact("fp8", "given", "stated on the command line"),
    }
    with pytest.raises(UnusableInput, match="layers_captured"):
        facts.options({"layers_captured": "5"})


def test_a_file_beside_the_capture_states_and_the_command_line_wins(tmp_path: Path) -> None:
    beside = tmp_path / "r.run.toml"
    beside.write_text('batch = 4\ntokens = 7\nlayers_captured = "2/48"\n')
    for name in ("r.ncu-rep", "r.ncu-repz", "r.csv", "r.ncu-rep.csv"):
        assert facts.sidecar(tmp_path / name)["layers_captured"] == Fact((2, 48), "given", "stated in r.run.toml")
    assert facts.sidecar(tmp_path / "other.csv") == {}
    run = facts.stated(Run(steps=Fact(3, "given")), [tmp_path / "other.csv", tmp_path / "r.csv"], {"batch": 9})
    assert (run.batch.value, run.tokens.value, run.steps.value) == (9, 7, 3)
    beside.write_text("colour = 4\n")
    with pytest.raises(UnusableInput, match=r"r.run.toml: key 'colour' is not known"):
        facts.sidecar(tmp_path / "r.csv")


# the footer of a saved capture


def told(**parts: Any) -> str:
    empty: dict[str, Any] = {"schema_version": 1, "device": {}, "run": {}, "notes": [], "name": "n"}
    return json.dumps({**empty, **parts})


def fact(value: Any, origin: str = "given", evidence: Any = "") -> dict[str, Any]:
    return {"value": value, "origin": origin, "evidence": evidence}


def test_a_footer_comes_back_as_it_was_written() -> None:
    run = Run(
        batch=Fact(8, "given", "e"),
        layers_captured=Fact((2, 32), "given", "e"),
        accepted=Fact(1.5, "given", "e"),
        synthetic=Fact(True, "report", "e"),
        cache_control=Fact("all", "command line", "e"),
    )
    parts = {"device": replace(H100, mig=False, sms=0), "run": run, "notes": ("a", "b"), "name": "n"}
    capture = Capture(launches=pl.DataFrame(), **parts)  # type: ignore[arg-type]
    assert footer.parsed(footer.written(capture), "x") == parts
    assert footer.parsed(told(), "x") == {"device": Device(), "run": Run(), "notes": (), "name": "n"}


def test_a_footer_has_its_parts_in_the_order_of_the_alphabet() -> None:
    text = footer.written(Capture(launches=pl.DataFrame(), name="n"))
    assert list(json.loads(text)) == ["device", "name", "notes", "run", "schema_version"]


@pytest.mark.parametrize(
    "parts",
    [
        {"device": {"sm_hertz": float("inf")}},
        {"device": {"sm_hertz": float("nan")}},
        {"device": {"sm_hertz": -0.5}},
        {"device": {"sms": 1.5}},
        {"device": {"mig": 1}},
        {"device": {"name": True}},
        {"notes": {}},
        {"notes": [5]},
        {"run": {"replay_mode": fact([1, 2])}},
        {"run": {"replay_mode": fact(None)}},
        {"run": {"replay_mode": fact(float("inf"))}},
        {"run": {"replay_mode": fact("a", "guessed")}},
        {"run": {"replay_mode": fact("a", evidence=5)}},
        {"run": {"layers_captured": fact([5, 2])}},
        {"run": {"layers_captured": fact([1, 2, 3])}},
    ],
    ids=str,
)
def test_a_footer_with_a_value_that_nobody_writes_is_damaged(parts: dict[str, Any]) -> None:
    with pytest.raises(UnreadableCapture, match="footer is damaged"):
        footer.parsed(told(**parts), "x")


def odd(value: Any) -> Run:
    """A run whose replay mode is no text."""
    return Run(replay_mode=Fact(value, "given", ""))


@pytest.mark.parametrize(
    ("part", "values", "read"),
    [
        ("device", {"sm_hertz": 5, "bus_bits": 0, "later": 3}, Device(sm_hertz=5, bus_bits=0)),
        ("run", {"later": fact(5)}, Run()),
        ("run", {"replay_mode": fact(1.5)}, odd(1.5)),
        ("run", {"replay_mode": fact(2)}, odd(2)),
        ("run", {"layers_captured": fact("2/4")}, Run(layers_captured=Fact((2, 4), "given", ""))),
    ],
    ids=str,
)
def test_what_a_later_version_adds_is_left_out(part: str, values: dict[str, Any], read: object) -> None:
    assert footer.parsed(told(**{part: values}), "x")[part] == read


def test_a_footer_may_have_its_longest_length_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert footer.LONGEST == 16 * 1024 * 1024
    monkeypatch.setattr(footer, "LONGEST", len(told()))
    assert footer.parsed(told(), "x")["name"] == "n"
    with pytest.raises(UnreadableCapture, match="footer is damaged"):
        footer.parsed(told() + " ", "x")


def test_another_format_is_named_with_both_numbers() -> None:
    with pytest.raises(UnreadableCapture, match="format 2, this program reads format 1"):
        footer.parsed(told(schema_version=2), "x")


# saved launches


def frame(made: pl.DataFrame, folder: Path) -> pl.DataFrame:
    return saved.frame(made.lazy(), stored(folder, bytes(10)))


def test_the_column_device_of_an_archive_is_the_number_unless_there_is_one(tmp_path: Path) -> None:
    plain = launches(launch("a", device=3))
    archived = plain.rename({"device": saved.ARCHIVED})
    assert frame(archived, tmp_path).equals(plain)
    assert frame(archived.with_columns(device=pl.lit(5, pl.Int64)), tmp_path)["device"].to_list() == [5]
    with pytest.raises(UnreadableCapture, match=r"\(device\)"):
        frame(plain.drop("device"), tmp_path)


@pytest.mark.parametrize(("spared", "per_byte", "fits"), [(28, 0, True), (27, 0, False), (0, 3, True), (0, 2, False)])
def test_a_file_may_hold_so_many_cells_for_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spared: int, per_byte: int, fits: bool
) -> None:
    made = launches(*[launch("a", m={"dram__bytes.sum": 1.0})] * 2)
    monkeypatch.setattr(saved, "SPARED_CELLS", spared * made.width * 2 // 28)
    monkeypatch.setattr(saved, "CELLS_PER_BYTE", per_byte)
    assert 20 < made.width * 2 <= 30  # ten bytes of file: three cells a byte are enough, two are not
    if fits:
        assert frame(made, tmp_path).equals(made)
    else:
        with pytest.raises(UnreadableCapture, match="unpacks to 2 rows"):
            frame(made, tmp_path)


def test_a_frame_of_no_launches_can_be_packed() -> None:
    content = saved.packed(Capture(launches=launches(launch("a")).head(0), name="x"))
    assert pl.read_parquet(content).height == 0


def test_a_saved_file_is_read_by_its_name_as_it_stands(tmp_path: Path) -> None:
    folder = tmp_path / "kernel=x"
    folder.mkdir()
    made = Capture(launches=launches(launch("a")), name="x")
    path = stored(folder, saved.packed(made), "a[1]*.parquet")
    assert saved.read(path).launches.equals(made.launches)


@pytest.mark.parametrize("nameless", ["kernel", "name"])
def test_launches_without_a_name_are_refused(tmp_path: Path, nameless: str) -> None:
    made = launches(launch("a"), launch("b")).with_columns(pl.lit(None, pl.String).alias(nameless))
    with pytest.raises(UnreadableCapture, match="have no name"):
        frame(made, tmp_path)


# several captures as one


def test_one_capture_stays_as_it_is_and_more_are_named_after_the_first() -> None:
    one = Capture(launches=launches(launch("a"), launch("b")), device=H100, name="a.csv", notes=("x", "y"))
    other = replace(one, name="b.csv", notes=("y",))
    assert combine.combine([one]) is one
    three = combine.combine([one, other, other])
    assert three.name == "a.csv and 2 more"
    assert three.notes == ("a.csv: x", "3 files: y")
    assert three.launches["index"].to_list() == [0, 1, 2, 3, 4, 5]


def test_each_attribute_comes_from_the_first_file_that_tells_it() -> None:
    made = combine.device([Device(sms=0), Device(sms=0, name="A", bus_bits=5), Device(bus_bits=6)], ["x", "y", "z"])
    assert made == Device(sms=0, name="A", bus_bits=5)


@pytest.mark.parametrize("attribute", ["name", "compute_capability", "sms"])
def test_devices_of_two_kinds_are_told_by_file(attribute: str) -> None:
    first, second = Device(**{attribute: 2}), Device(**{attribute: 1})  # type: ignore[arg-type]
    with pytest.raises(UnreadableCapture, match=r"\(1 in y, 2 in x\)"):
        combine.device([first, Device(), second], ["x", "z", "y"])


def test_facts_are_kept_where_all_files_agree() -> None:
    known = Fact(8, "given", "first")
    none: Fact[int] = Fact(None, "unknown", "seen nothing")
    assert combine.agreed([known, Fact(8, "inferred", "second")]) == known
    assert combine.agreed([none, UNKNOWN]) == none
    assert combine.agreed([known, UNKNOWN]) == UNKNOWN
    assert combine.agreed([known, UNKNOWN, Fact(9)]) == Fact(None, "unknown", "differs between the files: 8, 9")
    assert combine.run([Run(batch=known), Run(batch=known, steps=known)]) == Run(batch=known)
