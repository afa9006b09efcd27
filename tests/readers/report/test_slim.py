"""A slim report: every result as it was, nothing of host, user or folders, and what was not asked for left out."""

from __future__ import annotations

import gzip
import random
import re
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from polars.testing import assert_frame_equal

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import read, vendor
from ncu_roofline.readers.report import container, recognise, report, slim
from ncu_roofline.readers.report.wire import message, part
from tests.command import run
from tests.corpus import CORPUS, SHARED, actions, files, needs_corpus
from tests.report_bytes import block, entry, field, launch, saved, session, simple, varied
from tests.report_bytes import report as whole

FIXTURES = Path(__file__).parents[3] / "fixtures" / "synthetic"
PRIVATE = re.compile(rb"secret|10\.1\.2\.3|/home")


def test_results_are_the_same_and_nothing_private_is_left(tmp_path: Path) -> None:
    path = saved(tmp_path, varied())
    made = slim.slim(path)
    assert PRIVATE.search(path.read_bytes())
    assert not PRIVATE.search(made.content)
    assert b"cubin" not in made.content
    assert (made.results, made.left_out, made.modules) == (6, 0, 1)
    before, after = report.read(path, metrics=["*"]), report.read(saved(tmp_path, made.content, "s.ncu-rep"), metrics=["*"])
    assert_frame_equal(before.launches, after.launches, check_exact=True)
    assert (before.device, before.run) == (after.device, after.run)


def test_of_the_command_line_only_how_was_measured_stays() -> None:
    line = (
        "ncu -o /home/me/x --set full --cache-control none -k regex:gemm --nvtx-include /home/me/ python /home/me/a.py TOKEN=1"
    )
    assert slim.command(line) == "ncu --set full --cache-control none --kernel-name regex:gemm --nvtx-include / application"


@pytest.mark.parametrize(("only", "kept"), [("kernel_2", 1), ("kernel_*", 6), ("layer", 6), ("lay*", 6)])
def test_only_launches_in_a_range_or_of_a_kernel_stay(tmp_path: Path, only: str, kept: int) -> None:
    made = slim.slim(saved(tmp_path, varied()), only)
    assert (made.results, made.left_out) == (kept, 6 - kept)
    assert len(report.read(saved(tmp_path, made.content)).launches) == kept


def test_only_launches_of_these_numbers_stay(tmp_path: Path) -> None:
    made = slim.slim(saved(tmp_path, varied()), kept={1, 4})
    assert (made.results, made.left_out) == (2, 4)
    assert report.read(saved(tmp_path, made.content)).launches["kernel"].to_list() == ["kernel_1", "kernel_4"]


def test_a_phase_and_a_step_are_told_by_the_analysis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, counted = FIXTURES / "prefill-decode.ncu-repz", {}
    for only in ("phase:prefill", "phase:decode", "step:1"):
        target = tmp_path / f"{only.replace(':', '-')}.ncu-repz"
        assert run(capsys, "slim", str(path), "-o", str(target), "--only", only).code == 0
        counted[only] = len(report.read(target).launches)
    every = len(report.read(path).launches)
    assert 0 < counted["phase:prefill"] < every
    assert counted["phase:prefill"] + counted["phase:decode"] <= every
    assert 0 < counted["step:1"] < every
    assert run(capsys, "slim", str(path), "-o", str(tmp_path / "x.ncu-repz"), "--only", "step:99").code == 3


def test_nothing_that_was_asked_for_and_damage_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCapture, match="no result in a range or of a kernel 'none'"):
        slim.slim(saved(tmp_path, varied()), "none")
    with pytest.raises(UnreadableCapture, match="no result; nothing to keep"):
        slim.slim(saved(tmp_path, whole(block(session=session()))))
    with pytest.raises(UnreadableCapture, match="damaged; only a whole report"):
        slim.slim(saved(tmp_path, simple()[:-3]))


def test_texts_of_rules_call_stacks_and_unknown_parts_of_headers_lose_their_folders(tmp_path: Path) -> None:
    rule = field(19, field(2, "see /home/secret/rules/x.py") + field(9, "J"))
    stack = field(28, field(1, "/home/secret/app"))
    ranges = field(2, field(1, 0) + field(3, field(1, "load /home/secret/model")))
    nvtx = field(21, field(2, field(1, 77) + ranges))
    made = slim.slim(saved(tmp_path, simple(copies=2, more=rule + stack + nvtx)))
    assert not PRIVATE.search(made.content)
    assert (made.results, made.stacks, made.texts) == (2, 2, 2)
    kept = report.read(saved(tmp_path, made.content, "s.ncu-rep"))
    assert kept.launches["nvtx"].to_list() == [["load " + "x" * 18]] * 2


def test_results_of_graphs_and_lists_of_launches_are_told_apart(tmp_path: Path) -> None:
    graph = field(1, 77) + field(4, field(1, 0) + field(2, b"")) + field(99, "/home/secret/x")
    trace = field(1, "kernel_9 /home/secret/x")
    content = b"".join(map(entry, [launch(b""), graph, trace]))
    header = (
        field(2, 1) + field(3, session("ncu")) + field(4, field(1, "m")) + field(5, len(content)) + field(9, 1) + field(10, 1)
    )
    path = saved(tmp_path, whole(entry(header) + content))
    every, kernel = slim.slim(path), slim.slim(path, "k")
    assert (every.results, kernel.results, kernel.left_out) == (2, 1, 1)
    assert not PRIVATE.search(every.content)
    assert b"kernel_9" in every.content
    assert b"kernel_9" not in kernel.content
    assert slim.slim(path, "graph").results == 1
    with pytest.raises(UnreadableCapture, match="damaged"):
        slim.slim(saved(tmp_path, whole(entry(header.replace(field(10, 1), field(10, 0))) + content)))


def test_a_report_with_a_byte_changed_is_made_slim_or_refused(tmp_path: Path) -> None:
    chance, content = random.Random(7), varied()
    for _ in range(400):
        data = bytearray(content)
        data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(UnreadableCapture):
            slim.slim(saved(tmp_path, bytes(data)), chance.choice([None, "kernel_2"]))
        with suppress(UnreadableCapture):
            slim.slim(saved(tmp_path, content[: chance.randrange(len(content))]))


def test_the_command_says_what_it_took_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "s.ncu-repz"
    said = run(capsys, "slim", str(saved(tmp_path, varied())), "-o", str(target), "--only", "kernel_[12]")
    assert said.code == 0
    assert (
        "Kept 2 results; took out 1 module, the host's name and the machine's details, the program with its folder and options, "
        "4 launches not asked for." in said.err
    )
    assert len(report.read(target).launches) == 2


def test_several_captures_go_into_a_folder_all_or_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = saved(tmp_path, varied(), "a.ncu-rep"), saved(tmp_path, simple(), "b.ncu-rep")
    table = tmp_path / "c.csv.gz"
    table.write_bytes(gzip.compress((FIXTURES / "demo.raw.csv").read_bytes()))
    given, folder = [str(first), str(second), str(table)], tmp_path / "slim"
    assert run(capsys, "slim", *given, "-o", str(folder)).code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.ncu-repz", "b.ncu-repz", "c.csv"]
    assert len(read(str(folder / "c.csv")).launches) == len(read(str(table)).launches)
    assert "exists already" in run(capsys, "slim", str(first), "-o", str(folder)).err
    assert run(capsys, "slim", *given, "-o", str(tmp_path / "one.ncu-repz")).code == 3
    broken = saved(tmp_path, simple()[:-3], "d.ncu-rep")
    assert run(capsys, "slim", *given, str(broken), "-o", str(tmp_path / "none")).code == 3
    assert not (tmp_path / "none").exists()


def test_a_name_that_does_not_fit_and_two_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, varied())
    (tmp_path / "other").mkdir()
    same = saved(tmp_path / "other", varied())
    assert "is named .ncu-repz" in run(capsys, "slim", str(path), "-o", str(tmp_path / "t.csv")).err
    assert "second capture of that name" in run(capsys, "slim", str(path), str(same), "-o", str(tmp_path / "new")).err
    kept = tmp_path / "k.parquet"
    assert run(capsys, "save", str(path), "-o", str(kept)).code == 0
    assert "what `save` keeps has no host" in run(capsys, "slim", str(kept), "-o", str(tmp_path / "k.ncu-repz")).err


PATHS = re.compile(rb"/(?:home|root|usr|mnt|opt|tmp|var|srv|data|scratch|work\w*|[Uu]sers)(?:/[\w.@+-]+)+|[A-Z]:\\[\w.@+ \\-]+")
USERS = re.compile(rb"(?:/home|/[Uu]sers|\\Users)[/\\]([\w.@+-]+)")


def words_of(path: Path) -> set[bytes]:
    """Host, users, and the folders of every path that the headers, sessions and results of the report spell."""
    found: set[bytes] = set()
    with recognise.opened(path) as (file, size, _):
        for _, texts in container.blocks(file, size):
            for number, content in texts:
                if number == container.SESSION:
                    machine = next((part(c) for n, c in message(content) if n == slim.SYSTEM), b"")
                    found |= {part(c) for n, c in message(machine) if n == slim.HOST}
        file.seek(0)
        content = file.read()
    found |= set(USERS.findall(content))
    found |= {re.split(rb"[/\\][^/\\]*$", each)[0] for each in PATHS.findall(content)}
    return {word for word in found if len(word) > 3} - {b"host"}


CAPTURES = sorted((SHARED / "captures").glob("*.ncu-repz"))


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("path", [*(CORPUS / file for file in files("rep") if actions(file)), *CAPTURES], ids=str)
def test_nvidias_reader_gives_the_same_values_of_every_public_report(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("ncu_report", reason="NVIDIA's reader is not installed")
    made = slim.slim(path)
    target = tmp_path / path.name.replace(".ncu-repz", ".ncu-rep")
    target.write_bytes(made.content)
    before, after = vendor.read(path, metrics=["*"]), vendor.read(target, metrics=["*"])
    assert_frame_equal(before.launches, after.launches, check_exact=True)
    assert repr(values(path, tmp_path)) == repr(values(target, tmp_path))  # some are no number
    ours, again = report.read(path, metrics=["*"]), report.read(target, metrics=["*"])
    assert_frame_equal(ours.launches, again.launches, check_exact=True)
    assert (ours.run, ours.device) == (again.run, again.device)
    assert [word for word in words_of(path) if word in made.content] == []
    assert len(zstandard.compress(made.content)) < made.before


def values(path: Path, folder: Path) -> list[object]:
    """Every metric with its instances, every rule's name, and the ranges of every result, as NVIDIA's reader tells them."""
    import ncu_report

    with recognise.opened(path) as (file, _, _):
        plain = saved(folder, file.seek(0) * b"" + file.read(), "plain.ncu-rep")
    found: list[object] = []
    for scope in ncu_report.load_report(str(plain)):
        for action in scope:
            for name in action.metric_names():
                each = action.metric_by_name(name)
                found += [name, each.value(), *(each.as_double(n) for n in range(each.num_instances()))]
            found.append([rule["rule_identifier"] for rule in action.rule_results_as_dicts()])
            found.append(action.name())
    return found
