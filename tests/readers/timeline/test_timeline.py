"""Traces of every dialect: the kernels and times that are in them, and one sentence for what is none."""

import csv
import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.timeline import kineto
from ncu_roofline.readers.timeline.timeline import read
from tests.corpus import CORPUS
from tests.generator.timelines import timeline, write_kineto, write_nsys

TRACES = CORPUS / "traces"
ROWS = (
    list(csv.DictReader((TRACES / "manifest.tsv").read_text().splitlines(), delimiter="\t"))
    if (TRACES / "manifest.tsv").is_file()
    else []
)
REFUSED = ("mi250", "mi300", "kern_sum")
TAKEN = [r for r in ROWS if int(r["kernel_events"]) and not any(word in r["file"] for word in REFUSED)]


def kernels(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("kind") == "kernel")


@pytest.mark.skipif(not ROWS, reason="the public traces (../shared/corpus/traces) are not on this machine")
def test_every_public_trace_has_the_kernels_and_the_time_of_the_manifest() -> None:
    for row in TAKEN:
        found = kernels(read(TRACES / row["file"]).events)

        assert found.height == int(row["kernel_events"]), row["file"]
        assert found["nanoseconds"].sum() == round(1000 * float(row["total_kernel_us"])), row["file"]


@pytest.mark.skipif(not ROWS, reason="the public traces (../shared/corpus/traces) are not on this machine")
def test_public_files_that_hold_no_launch_of_an_nvidia_gpu_are_refused() -> None:
    for row in ROWS:
        if row not in TAKEN:
            with pytest.raises(UnreadableCapture, match=r"AMD|without GPU kernels|sums per kernel|not valid JSON"):
                read(TRACES / row["file"])


@pytest.mark.parametrize("name", ["t.json", "t.json.gz", "t.sqlite", "t.json.zst"])
def test_a_generated_trace_is_read_whole_in_every_packing(name: str, tmp_path: Path) -> None:
    made = timeline(0, "plain")
    path = tmp_path / name
    if name.endswith("sqlite"):
        write_nsys(made, path)
    elif name.endswith("zst"):
        path.write_bytes(zstandard.compress(write_kineto(made, tmp_path / "t.json").read_bytes()))
    else:
        write_kineto(made, path)

    found = kernels(read(path).events)

    assert found["name"].to_list() == [e.name for e in made.events]
    assert found["nanoseconds"].to_list() == [e.end - e.start for e in made.events]
    assert found["grid"].to_list() == [list(e.grid) for e in made.events]


def event(**more: Any) -> dict[str, Any]:
    return {"ph": "X", "cat": "kernel", "name": "k", "ts": 1.0, "dur": 2.0, "args": {"stream": 7, "device": 0}} | more


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.json"
    path.write_text(text)
    return path


def test_the_word_trace_events_inside_a_name_opens_no_list(tmp_path: Path) -> None:
    trap = {"note": '"traceEvents": [', "traceEvents": [event(name='a"traceEvents": [')], "after": [1, {"b": 2}]}

    assert read(written(tmp_path, json.dumps(trap))).events["name"].to_list() == ['a"traceEvents": [']


def test_events_longer_than_a_piece_and_cut_between_pieces_are_whole(tmp_path: Path) -> None:
    rows = [{"ph": "X", "cat": "cpu_op", "name": "x" * 3_000_000, "ts": 0}, event(), event(ts=5.5, dur=0.25)]

    assert read(written(tmp_path, json.dumps(rows))).events["nanoseconds"].to_list() == [2000, 250]


@pytest.mark.parametrize(
    "text",
    ["{", '{"traceEvents": [', '{"traceEvents": [{"a": ' + "[" * 100_000, '{"traceEvents": [{"ts": -1.-3}]}', "{1: 2}", "[}"],
)
def test_broken_json_is_refused_in_a_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="not valid JSON"):
        read(written(tmp_path, text))


def many(number: int, **more: Any) -> list[dict[str, Any]]:
    """Kernels beside calls of the host whose arguments hold lists of objects, as they come from Kineto."""
    rows: list[dict[str, Any]] = []
    for at in range(number):
        nested = [{"a": 1}, {"b": [{"c": "x"}, {"d": 2}]}]
        rows.append({"ph": "X", "cat": "cpu_op", "name": "},\n  {", "args": {"Collective": nested}})
        launch: dict[str, Any] = {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": at * 10.0, "dur": 1.0}
        rows.append({**launch, "args": {"correlation": at}})
        rows.append(event(ts=at * 10.0 + 5, args={"stream": 7, "device": 0, "correlation": at, "grid": [at, 1, 1]}, **more))
    return rows


@pytest.mark.parametrize("indent", [None, 1, 2])
def test_many_pieces_read_quickly_hold_every_event_once(indent: int | None, tmp_path: Path) -> None:
    # some 2 MB, so several pieces are cut anywhere
    found = read(written(tmp_path, json.dumps({"traceEvents": many(5000), "traceName": "t"}, indent=indent))).events

    assert found["grid"].to_list() == [[n, 1, 1] for n in range(5000)]
    assert found["launched"].to_list() == [10_000 * n for n in range(5000)]
    assert set(found["nanoseconds"]) == {2000}


@pytest.mark.parametrize("odd", ["a\nb", "caf\udce9", "\ud800 alone"])
def test_names_that_strict_json_refuses_are_read_all_the_same(odd: str, tmp_path: Path) -> None:
    text = json.dumps(many(4000), ensure_ascii=False).replace('"name": "k"', f'"name": "{odd}"')
    path = tmp_path / "t.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape" if "udce9" in ascii(odd) else "surrogatepass"))
    names = read(path).events["name"]

    assert len(names) == 4000 and names.n_unique() == 1


def test_a_correlation_that_two_calls_share_tells_no_call(tmp_path: Path) -> None:
    call = {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": 1.0, "dur": 1.0, "args": {"correlation": 3}}
    kernel = event(args={"correlation": 3})

    assert read(written(tmp_path, json.dumps([call, kernel]))).events["launched"].to_list() == [1000]
    assert read(written(tmp_path, json.dumps([call, call, kernel]))).events["launched"].to_list() == [None]


def test_calls_of_the_host_are_found_in_an_export_of_nsight_systems(tmp_path: Path) -> None:
    made = timeline(0, "plain")
    write_nsys(made, tmp_path / "t.sqlite")

    assert kernels(read(tmp_path / "t.sqlite").events)["launched"].to_list() == [e.launched for e in made.events]


def test_events_that_the_profiler_dropped_are_said(tmp_path: Path) -> None:
    write_nsys(timeline(0, "plain"), tmp_path / "t.sqlite")
    with sqlite3.connect(tmp_path / "t.sqlite") as base:
        base.execute("CREATE TABLE DIAGNOSTIC_EVENT (severity, text)")
        base.execute("INSERT INTO DIAGNOSTIC_EVENT VALUES (1, 'Number of incomplete CUPTI events dropped: 16173. Incomplete')")
    base.close()

    assert "16,173 events" in read(tmp_path / "t.sqlite").notes[0]


@pytest.mark.parametrize("name", ["Cijk_Ailk_Bljk_BBS_BH_MT256x256", "void ck::kernel_gemm<(gfx942)>"])
def test_kernels_that_only_amd_gpus_run_tell_of_one_where_nothing_else_does(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="AMD GPU"):
        read(written(tmp_path, json.dumps([event(), event(name=name)])))


def test_the_headings_of_older_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "Start(us),Duration(ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Device,Strm,Name\n1.5,5,1,2,1,1,32,1,1,A (0),7,k\n"
    )

    assert read(path).events.select("start", "nanoseconds").rows() == [(1500, 5)]


def test_lines_before_the_header_of_a_csv_are_passed_over(tmp_path: Path) -> None:
    rows = "Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Device,Strm,Name\n"
    rows += '10,5,1,2,1,1,32,1,1,NVIDIA H100 (0),7,"a, b"\n20,3,2,,,,,,,NVIDIA H100 (0),7,[CUDA memset]\n'
    path = tmp_path / "t.csv"
    path.write_text('Processing "x.sqlite" with ...\n** report\n\n' + rows)
    found = read(path)

    assert found.gpu == "NVIDIA H100"
    assert found.events.select("kind", "name", "start", "nanoseconds", "grid").rows() == [
        ("kernel", "a, b", 10, 5, [2, 1, 1]),
        ("set", "[CUDA memset]", 20, 3, None),
    ]


ROW = "{},{},1,2,1,1,32,1,1,NVIDIA H100 (0),7,k\n"
HEAD = "Start ({0}),Duration ({0}),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Device,Strm,Name\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("unit", "of"), [("ns", 1), ("nsec", 1), ("us", 1e3), ("µs", 1e3), ("μs", 1e3), ("msec", 1e6), ("s", 1e9)]
)
def test_every_unit_and_separator_of_a_csv_gives_the_same_times(unit: str, of: float, separator: str, tmp_path: Path) -> None:
    times = [(10_250, 1500), (12_000, 40)]
    text = HEAD.format(unit) + "".join(ROW.format(*(f"{t / of:.9f}" if of > 1 else t for t in row)) for row in times)
    path = tmp_path / "t.csv"
    path.write_text(text.replace(",", separator), "utf-8")

    assert read(path).events.select("start", "nanoseconds").rows() == times


def test_rows_of_a_csv_without_a_plain_time_are_said_and_a_file_of_them_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(HEAD.format("ns") + ROW.format(10, 5) + ROW.format('"1,000"', 5))
    found = read(path)
    assert (found.events.height, found.lost) == (1, True) and "1 event" in found.notes[0]

    path.write_text(HEAD.format("ns") + ROW.format('"1,000"', 5))
    with pytest.raises(UnreadableCapture, match="no plain numbers"):
        read(path)
    path.write_text(HEAD.format("ticks") + ROW.format(10, 5))
    with pytest.raises(UnreadableCapture, match="no timeline"):
        read(path)


@pytest.mark.parametrize("before", ["0,", "n,", "(ns),"])
def test_a_heading_that_stands_behind_something_else_is_no_header(before: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(before + HEAD.format("ns") + before + ROW.format(10, 5))
    with pytest.raises(UnreadableCapture, match="no timeline"):
        read(path)


def test_a_byte_order_mark_before_the_header_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(HEAD.format("ns") + ROW.format(10, 5), "utf-8-sig")
    assert read(path).events.select("start", "nanoseconds").rows() == [(10, 5)]


def test_a_header_that_a_quote_swallows_is_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"\n' + HEAD.format("ns") + ROW.format(10, 5) + '"\n')
    with pytest.raises(UnreadableCapture, match="damaged CSV"):
        read(path)


def export(path: Path, columns: str, rows: list[tuple[int, ...]], *more: str) -> Path:
    """An export that has these columns of kernels alone."""
    with sqlite3.connect(path) as base:
        base.execute(f"CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL ({columns})")
        base.execute("CREATE TABLE StringIds (id, value)")
        base.execute("INSERT INTO StringIds VALUES (1, 'k')")
        base.executemany(f"INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES ({', '.join('?' * len(rows[0]))})", rows)
        for statement in more:
            base.execute(statement)
    base.close()
    return path


def test_an_export_without_the_columns_that_others_have_is_read_by_those_it_has(tmp_path: Path) -> None:
    found = read(
        export(
            tmp_path / "t.sqlite",
            "start, end, shortName",
            [(10, 15, 1), (20, 22, 1), (30, 25, 1)],
            "CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start, end, correlationId, nameId)",
            "CREATE TABLE NVTX_EVENTS (start, end, text)",
            "CREATE TABLE TARGET_INFO_GPU (id, gpuName)",
        )
    )

    assert found.events.select("name", "start", "nanoseconds", "grid", "stream").rows() == [
        ("k", 10, 5, None, None),
        ("k", 20, 2, None, None),
    ]
    assert "1 event of the device has no possible time" in found.notes[0] and found.lost


def test_an_export_of_whole_graphs_alone_says_how_to_trace_their_kernels(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "t.sqlite") as base:
        base.execute("CREATE TABLE StringIds (id, value)")
        base.execute("CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start, end)")
    base.close()

    with pytest.raises(UnreadableCapture, match="--cuda-graph-trace=node"):
        read(tmp_path / "t.sqlite")


@pytest.mark.parametrize("bad", [{"ts": 1e300}, {"ts": "x"}, {"dur": -1}, {"dur": None}, {"dur": True}, {"ts": 10**30}])
def test_a_kernel_without_a_possible_time_is_left_out_and_said(bad: dict[str, Any], tmp_path: Path) -> None:
    found = read(written(tmp_path, json.dumps([event(), event(**bad)])))

    assert found.events.height == 1 and "1 event of the device has no possible time" in found.notes[0]


@pytest.mark.parametrize("clock", ["1742000000000000.125", '"1742000000000000.125"', "1742000000000000125e-3"])
def test_a_clock_since_1970_keeps_its_nanoseconds(clock: str, tmp_path: Path) -> None:
    # a double of this size has a quarter of a microsecond
    later = clock.replace("00.125", "10.376").replace("00125e", "10376e")
    rows = ", ".join(
        f'{{"ph": "X", "cat": "kernel", "name": "k", "ts": {ts}, "dur": 2.5, "args": {{}}}}' for ts in (clock, later)
    )
    found = read(written(tmp_path, f'{{"traceEvents": [{rows}]}}')).events

    assert found["start"].to_list() == [1742000000000000125, 1742000000000010376]
    assert found["nanoseconds"].to_list() == [2500, 2500]


@pytest.mark.parametrize("more", ["{}", json.dumps(event()), "x", "]"])
def test_what_follows_the_end_of_a_trace_is_not_passed_over(more: str, tmp_path: Path) -> None:
    for whole in (json.dumps({"traceEvents": [event()]}), json.dumps([event()])):
        with pytest.raises(UnreadableCapture, match="not valid JSON"):
            read(written(tmp_path, whole + "\n" + more))


def test_odd_arguments_are_unknown_and_stop_nothing(tmp_path: Path) -> None:
    odd = event(args={"stream": "x", "device": 2**70, "grid": [1, None, 2], "block": 3, "graph id": []})

    assert (
        read(written(tmp_path, json.dumps([odd]))).events.select("stream", "device", "grid", "block", "graph").row(0)
        == (None,) * 5
    )


def test_a_view_in_the_place_of_the_kernels_is_not_asked(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "t.sqlite")
    base.execute("CREATE TABLE StringIds (id, value)")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS start FROM n"
    base.execute(f"CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS {endless}")
    base.close()

    with pytest.raises(UnreadableCapture, match="without kernels"):
        read(tmp_path / "t.sqlite")


def test_files_that_are_no_timeline_are_refused(tmp_path: Path) -> None:
    for body in (
        b"",
        b"NVR\0abc",
        b"SQLite format 3\0abc",
        b"hello",
        b"\0\1",
        gzip.compress(b"a,b\n1,2\n"),
        b"\x28\xb5\x2f\xfdabc",
    ):
        path = tmp_path / "file"
        path.write_bytes(body)
        with pytest.raises(UnreadableCapture):
            read(path)


def annotated(name: str, ts: float, dur: float, stream: int, number: int | None) -> dict[str, object]:
    args = {} if number is None else {"External id": number}
    return {"ph": "X", "cat": "gpu_user_annotation", "name": name, "ts": ts, "dur": dur, "pid": 0, "tid": stream, "args": args}


def test_a_range_that_works_on_two_streams_is_one(tmp_path: Path) -> None:
    parts = [annotated("s", 0, 10, 7, 1), annotated("s", 2, 12, 20, 1), annotated("s", 20, 5, 7, 2)]
    found = read(written(tmp_path, json.dumps([event(), *parts])))

    assert found.ranges.rows() == [("s", 0, 14_000, 0), ("s", 20_000, 25_000, 0)]


def test_ranks_of_a_trace_put_together_are_devices_of_their_own(tmp_path: Path) -> None:
    # as SGLang merges its ranks: two nodes, each with a device 0
    rows: list[dict[str, Any]] = []
    for rank, at in (("[TP00] 0", 0.0), ("[TP08] 0", 3.0)):
        rows += [event(pid=rank, ts=at), {**annotated("s", at, 2, 7, 1), "pid": rank}]
    found = read(written(tmp_path, json.dumps(rows)))

    assert found.events["device"].to_list() == [0, 1]
    assert found.ranges.rows() == [("s", 0, 2000, 0), ("s", 3000, 5000, 1)]


def test_numbers_of_annotations_that_come_again_are_other_ranges(tmp_path: Path) -> None:
    parts = [annotated("s", at, 10, 7, 1) for at in (0, 100, 200)]

    assert read(written(tmp_path, json.dumps([event(), *parts]))).ranges["start"].to_list() == [0, 100_000, 200_000]


def test_each_kernel_has_its_innermost_range_and_the_rank_of_its_file(tmp_path: Path) -> None:
    parts = [annotated("outer", 0, 100, 7, 1), annotated("inner", 10, 20, 7, 2)]
    kernels = [event(ts=float(at)) for at in (5, 10, 29, 30, 100)]
    found = read(written(tmp_path, json.dumps({"distributedInfo": {"rank": 3}, "traceEvents": [*kernels, *parts]}))).events

    assert found["range"].to_list() == ["outer", "inner", "inner", "outer", None]
    assert set(found["rank"]) == {3}


def test_ranges_of_the_host_alone_are_where_the_work_runs_that_they_launch(tmp_path: Path) -> None:
    def call(at: float, number: int, thread: int) -> dict[str, object]:
        made = {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "ts": at, "dur": 1.0, "tid": thread}
        return {**made, "args": {"correlation": number}}

    mark = {"ph": "X", "cat": "user_annotation", "name": "s", "ts": 0.0, "dur": 10.0, "tid": 1}
    calls = [call(1, 1, 1), call(9, 2, 1), call(5, 3, 2), call(10, 4, 1)]
    kernels = [
        event(ts=at, args={"correlation": number, "device": 0}) for number, at in ((1, 50.0), (2, 60.0), (3, 90.0), (4, 95.0))
    ]
    found = read(written(tmp_path, json.dumps([mark, *calls, *kernels])))

    # another thread's call and one after the range's end are no part of it
    assert found.ranges.rows() == [("s", 50_000, 62_000, 0)]


@pytest.mark.parametrize("seed", [4, 8])
def test_nvtx_ranges_of_an_export_are_those_of_the_run(seed: int, tmp_path: Path) -> None:
    made = timeline(seed, "plain")
    write_nsys(made, tmp_path / "t.sqlite")
    found = read(tmp_path / "t.sqlite").events

    same = [ours == e.ranges[-1] for ours, e in zip(found["range"], made.events, strict=True)]
    # the generator's host opens a range while it still launches for the one before
    assert sum(same) > 0.98 * len(same)


def test_processes_that_number_their_calls_alike_are_told_apart(tmp_path: Path) -> None:
    write_nsys(timeline(0, "plain"), tmp_path / "t.sqlite")
    with sqlite3.connect(tmp_path / "t.sqlite") as base:
        rows = base.execute("SELECT count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME").fetchone()[0]
        columns = "start + 5, end, eventClass, globalTid + 16777216, correlationId, nameId, returnValue, callchainId"
        base.execute(f"INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME SELECT {columns} FROM CUPTI_ACTIVITY_KIND_RUNTIME")
    base.close()

    assert kernels(read(tmp_path / "t.sqlite").events)["launched"].count() == rows


def test_ranks_that_each_see_their_gpu_as_the_first_are_told_apart(tmp_path: Path) -> None:
    made = timeline(7, "plain", "ranks in one file")
    ranks = {e.device for e in made.events}
    write_nsys(made, tmp_path / "t.sqlite")
    found = kernels(read(tmp_path / "t.sqlite").events)

    assert len(ranks) > 1 and set(found["device"]) == ranks
    for rank in ranks:
        own = [e for e in made.events if e.device == rank]
        assert found.filter(pl.col("device") == rank)["start"].to_list() == [e.start for e in own]
        assert found.filter(pl.col("device") == rank)["launched"].to_list() == [e.launched for e in own]


def test_an_export_with_a_number_of_thousands_of_texts_gives_each_kernel_once(tmp_path: Path) -> None:
    columns = "start, end, deviceId, streamId, correlationId, gridX, gridY, gridZ, blockX, blockY, blockZ, demangledName"
    count = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3000)"
    with sqlite3.connect(tmp_path / "t.sqlite") as base:
        base.execute(f"CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL({columns})")
        base.execute("CREATE TABLE StringIds(id, value)")
        base.execute(f"{count} INSERT INTO StringIds SELECT 1, 'k' || n FROM r")
        base.execute(
            f"{count} INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL SELECT n * 10, n * 10 + 5, 0, 7, n, 1, 1, 1, 1, 1, 1, 1 FROM r"
        )
    base.close()
    assert read(tmp_path / "t.sqlite").events.height == 3000


def test_a_lone_half_of_a_letter_is_no_time() -> None:
    assert kineto.nanoseconds("\ud800") is None and kineto.nanoseconds("1.5") == 1500
