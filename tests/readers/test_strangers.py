"""No process of ours runs what lies in the working folder, beside a stranger's captures."""

from __future__ import annotations

import shutil
import subprocess
import sys
from multiprocessing.spawn import get_command_line
from pathlib import Path

import pytest

from ncu_roofline.cli.ingest import of_git
from ncu_roofline.readers import archive

ROOT = Path(__file__).parent.parent.parent
SYNTHETIC = ROOT / "fixtures" / "synthetic"
SHADOWED = ("json", "multiprocessing", "ncu_report", "ncu_roofline", "polars", "sitecustomize")
# as the installed command starts: the working folder is not among the places of modules
COMMAND = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from ncu_roofline.cli import main; main()"


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["summary", "one.ncu-rep", "--reader", "vendor"],
        ["save", "one.ncu-rep", "other.csv", "-o", "out/", "--workers", "2"],
        ["ingest", "one.ncu-rep", "other.csv", "--to", "out", "--workers", "2"],
        ["report", "one.ncu-rep", "-o", "out"],
    ],
    ids=lambda words: str(words[0]),
)
def test_a_module_beside_the_captures_is_never_run(tmp_path: Path, words: list[str]) -> None:
    shutil.copy(SYNTHETIC / "demo.ncu-rep", tmp_path / "one.ncu-rep")
    shutil.copy(SYNTHETIC / "demo.raw.csv", tmp_path / "other.csv")
    for name in SHADOWED:
        (tmp_path / f"{name}.py").write_text("open('run', 'a').write(__name__)\n")
    done = subprocess.run([sys.executable, "-I", "-c", COMMAND, *words], cwd=tmp_path, capture_output=True, check=False)
    assert not (tmp_path / "run").exists(), (tmp_path / "run").read_text()
    assert done.returncode == 0, done.stderr


def test_a_process_that_reads_starts_without_the_working_folder_in_every_version_of_python(tmp_path: Path) -> None:
    (tmp_path / "multiprocessing.py").write_text("open('run', 'a').write(__name__)\n")
    with archive.strangers():
        line = get_command_line(pipe_handle=0)
        at = line.index("-c")
        subprocess.run([*line[:at], "-c", "import multiprocessing"], cwd=tmp_path, check=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_repository_that_would_fetch_a_commit_by_a_command_runs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    Path(".git/config").write_text(
        '[core]\nrepositoryformatversion = 1\n[extensions]\npartialClone = x\n[protocol "ext"]\nallow = always\n'
        '[remote "x"]\npromisor = true\nurl = "ext::sh -c touch% run"\n'
    )
    assert of_git("12" * 20) == {}
    assert not Path("run").exists()
