"""Hostile text in traces and archives of a fleet, looked for in every output of the commands that read them."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import run
from tests.generator.timelines import Timeline, timeline, write_kineto, write_nsys
from tests.report_bytes import saved as stored
from tests.test_hostile_text import EVIL, FORMS, RAW, hostile, judge


def named() -> Timeline:
    """A run whose kernels carry the text behind their names."""
    made = timeline(2, "plain")
    return replace(made, events=[replace(e, name=f"{e.name}{EVIL}") for e in made.events])


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("=traces<script>")
    write_kineto(named(), folder / "=t.json")
    write_nsys(named(), folder / "=t.sqlite")
    rows = "".join(f'{n * 10},5,{n},2,1,1,32,1,1,"NVIDIA H100 {EVIL}",7,"gemm{EVIL}"\n' for n in range(1, 9))
    head = "Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Device,Strm,Name\n"
    (folder / "=t.csv").write_text(head + rows)
    return folder


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("file", ["=t.json", "=t.sqlite", "=t.csv"])
def test_no_form_of_a_step_passes_hostile_text_on(
    traces: Path, capsys: pytest.CaptureFixture[str], file: str, form: str
) -> None:
    said = run(capsys, "step", str(traces / file), "--format", form)
    assert said.code in (0, 3), said.err
    assert not RAW.search(said.err)
    if said.code == 0:
        judge(form, said.out)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_history_passes_hostile_text_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    path = stored(tmp_path, hostile(), "=x\x1b[31m<script>|`@all.ncu-rep")
    monkeypatch.chdir(tmp_path)
    words = [word for key in ("commit", "branch", "label") for word in ("--meta", f"{key}={EVIL[:60]}")]
    for meta in (words, [], ["--meta", f"branch={EVIL[:60]}"]):
        said = run(capsys, "ingest", str(path), "--to", "fleet", *meta, "--workers", "1")
        assert said.code in (0, 2, 3), said.err
        assert not RAW.search(said.out + said.err)
    for line in (["history", "fleet", "--format", form], ["history", "fleet", "--by", "kernel", "--format", form]):
        said = run(capsys, *line)
        assert said.code == 0, said.err
        assert not RAW.search(said.err)
        judge(form, said.out)


def test_pages_of_sweeps_and_histories_hold_no_element_of_a_capture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path, hostile(), "=x<script>`@all.ncu-rep")
    monkeypatch.chdir(tmp_path)
    values = f"{EVIL[:60]},<!--<script>x</script>".replace("\n", "")
    assert run(capsys, "ingest", str(path), "--to", "fleet", "--meta", "commit=<b>@all", "--workers", "1").code == 0
    run(capsys, "sweep", str(path), str(path), "--along", "<script>alert(1)</script>", "--values", values, "--chart", "s.html")
    run(capsys, "sweep", str(path), str(path), "--values", "1,2", "--chart", "t.html")
    run(capsys, "history", "fleet", "--chart", "h.html")
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) >= 2
    for page in pages:
        content = page.read_text(encoding="utf-8")
        outside = re.sub(r"<script[^>]*>.*?</script>", "", content, flags=re.DOTALL)
        assert "<script" not in outside, page.name
        assert "alert(1)</script" not in content, page.name
        assert "<!--<script" not in content, page.name
        assert "Content-Security-Policy" in content, page.name


def test_a_trace_that_is_no_trace_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text('{"traceEvents":' + "[" * 100_000)
    huge = tmp_path / "huge.json"
    events = [{"ph": "X", "cat": "kernel", "name": "k", "ts": 10**400, "dur": 1}, {"ph": "X", "cat": "kernel", "ts": -1}]
    huge.write_text(json.dumps({"traceEvents": events}))
    view = tmp_path / "view.sqlite"
    with sqlite3.connect(view) as base:
        # a view without an end in the place of a table
        base.execute("CREATE TABLE StringIds (id INTEGER, value TEXT)")
        base.execute(
            "CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS WITH RECURSIVE n(start) AS (SELECT 1 UNION ALL SELECT start + 1 FROM n) "
            "SELECT start, start + 1 AS end, 0 AS deviceId, 7 AS streamId, 1 AS demangledName, 1 AS shortName, 1 AS gridX FROM n"
        )
    for path in (deep, huge, view):
        said = run(capsys, "step", str(path))
        assert said.code == 3, (path.name, said)
        assert said.err.count("\n") == 1
