"""Hostile text in every text field of a capture, looked for in every output of every command."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import run
from tests.report_bytes import TIMED, block, extent, field, metric, report, session
from tests.report_bytes import saved as stored

EVIL = "=cmd|' /C calc'!A0\x1b[31m\x1b]0;t\x07\u202egpj\u2066\u200b<script>alert(1)</script><!--[x](javascript:1)|`@all #1 www.evil.org\r\n::error::x"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a cursor or hides what is read."""
FORMS = ("table", "json", "csv", "markdown")
TABLES = {
    "summary": ("table", "json", "markdown", "brief"),
    "kernels": FORMS,
    "kernels --by launch": FORMS,
    "tokens": FORMS,
    "check": FORMS,
    "roles": FORMS,
    "project --gpu h200": FORMS,
}


def hostile() -> bytes:
    """A report whose kernel, names, ranges, device, chip, opcodes and session carry the text."""
    values: dict[str, Any] = {**TIMED, "dram__bytes_read.sum": 64.0, "device__attribute_chip": EVIL}
    values["device__attribute_display_name"] = f"NVIDIA H100 {EVIL}"
    opcodes = "sass__inst_executed_per_opcode_with_modifier_all"
    metrics = b"".join(metric(n, v) for n, v in enumerate(values.values())) + metric(len(values), 3, {EVIL: 2, "FFMA": 1})
    ranges = field(2, field(1, 0) + field(3, field(1, EVIL)) + field(3, field(1, "decode")))
    nvtx = field(21, field(1, field(1, 0) + field(2, EVIL)) + field(2, field(1, 77) + ranges))
    names = field(5, EVIL) + field(6, EVIL) + field(7, f"{EVIL}(int)")
    one = field(1, 77) + names + field(10, extent(2, 1, 1)) + field(11, extent(32, 1, 1)) + metrics + nvtx
    told = session(f"ncu -k '{EVIL}' --set '{EVIL}' --nvtx-include '{EVIL}' ./app", EVIL)
    return report(block(launches=[one] * 3, names=[*values, opcodes], session=told))


def commands() -> Iterator[tuple[str, str]]:
    for command, forms in TABLES.items():
        for form in forms:
            yield command, form


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """The capture under a name that is hostile too, as far as a file system takes it."""
    return stored(tmp_path, hostile(), "=x\x1b[31m<script>|`@all.ncu-rep")


def judge(form: str, out: str) -> None:
    """No output moves the cursor; a cell begins no formula; Markdown holds no element."""
    assert not RAW.search(out.replace("\u2060", "")), RAW.search(out)
    if form == "json":
        json.loads(out)
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert not [c for c in cells if c[:1] in "=@\t\r" and c]
        assert not [c for c in cells if c[:1] in ("+", "-") and not re.fullmatch(r"[-+][\d.e+-]+", c)]
    if form == "markdown":
        outside = re.sub(r"(`+).*?\1", "", out)
        assert "<script" not in outside
        assert "<!--" not in outside
        assert "www.evil" not in outside
        assert not re.search(r"@(?!\u2060)\w", outside)


@pytest.mark.parametrize(("command", "form"), list(commands()))
def test_no_form_of_a_command_passes_hostile_text_on(
    named: Path, capsys: pytest.CaptureFixture[str], command: str, form: str
) -> None:
    word, *how = command.split()
    said = run(capsys, word, str(named), *how, "--format", form)
    assert said.code in (0, 3), said.err
    assert not RAW.search(said.err)
    if said.code == 0:
        judge(form, said.out)


@pytest.mark.parametrize("form", FORMS)
def test_neither_do_comparisons_and_sweeps(named: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    for line in (["compare", str(named), str(named)], ["sweep", str(named), str(named), "--values", f"{EVIL[:40]},b"]):
        said = run(capsys, *line, "--format", form)
        assert not RAW.search(said.err)
        judge(form, said.out)


def test_neither_do_plots_notes_refusals_and_lists(
    named: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = named.parent
    monkeypatch.chdir(folder)
    (folder / "bad\x1b[31m.ncu-rep").write_bytes(b"NVR\0nothing")
    lines = [
        ["plot", str(named)],
        ["save", str(named), str(folder / "bad\x1b[31m.ncu-rep"), "-o", "archive/", "--workers", "1"],
        ["summary", "archive"],
        ["baseline", "save", "mine", str(named)],
        ["baseline", "list"],
        ["slim", str(named), "-o", "slim.ncu-repz"],
        ["summary", str(folder / "bad\x1b[31m.ncu-rep")],
    ]
    for line in lines:
        said = run(capsys, *line)
        assert not RAW.search(said.out + said.err), line


@pytest.mark.slow
def test_neither_does_any_file_of_a_report(named: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert run(capsys, "report", str(named), "-o", str(target)).code == 0
    for file in target.iterdir():
        if file.suffix in (".png", ".parquet"):
            continue
        content = file.read_text(encoding="utf-8")
        if file.suffix == ".html":
            assert content.count("<script") == 4
            content = re.sub(r"<script>.*?</script>", "", content, flags=re.DOTALL)
        if file.suffix == ".json":
            content = json.dumps(json.loads(content), ensure_ascii=False)
        assert "<script>alert" not in content or file.suffix == ".json" or "`" in content, file.name
        assert not RAW.search(content.replace("\u2060", "")), file.name
