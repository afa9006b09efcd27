"""A slim report: every result as it was, nothing of host, user or folders, and what was not asked for left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import zstandard
from polars.testing import assert_frame_equal

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import vendor
from ncu_roofline.readers.report import container, recognise, report, slim
from ncu_roofline.readers.report.wire import message, part
from tests.command import run
from tests.corpus import CORPUS, actions, files, needs_corpus
from tests.report_bytes import block, saved, session, simple, varied
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


def test_the_command_says_what_it_took_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "s.ncu-repz"
    said = run(capsys, "slim", str(saved(tmp_path, varied())), "-o", str(target))
    assert said.code == 0
    assert "Kept 6 results; took out 1 modules, the host's name, folders, the application" in said.err
    assert len(report.read(target).launches) == 6
    assert run(capsys, "slim", str(target), "-o", str(tmp_path / "t.csv")).code == 3


def words_of(path: Path) -> set[bytes]:
    """Host, executable's folders and the user in them, as the report itself spells them."""
    found: set[bytes] = set()
    with recognise.opened(path) as (file, size, _):
        for _, texts in container.blocks(file, size):
            for number, content in texts:
                if number == container.SESSION:
                    machine = next((part(c) for n, c in message(content) if n == slim.SYSTEM), b"")
                    found |= {part(c) for n, c in message(machine) if n == slim.HOST}
        file.seek(0)
        found |= set(re.findall(rb"/(?:home|users|Users|root|mnt)/[\w.-]+/", file.read()[:200_000]))
    return {word for word in found if len(word) > 3}


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("file", [file for file in files("rep") if actions(file)])
def test_nvidias_reader_gives_the_same_values_of_every_public_report(file: str, tmp_path: Path) -> None:
    pytest.importorskip("ncu_report", reason="NVIDIA's reader is not installed")
    made = slim.slim(CORPUS / file)
    path = tmp_path / Path(file).name
    path.write_bytes(made.content)
    before, after = vendor.read(CORPUS / file, metrics=["*"]), vendor.read(path, metrics=["*"])
    assert_frame_equal(before.launches, after.launches, check_exact=True)
    assert report.read(CORPUS / file).run == report.read(path).run
    assert [word for word in words_of(CORPUS / file) if word in made.content] == []
    assert len(zstandard.compress(made.content)) < made.before
