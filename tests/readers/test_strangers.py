"""No process of ours runs a module that lies in the working folder, beside a stranger's captures."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
    if "--workers" in words and sys.version_info < (3, 11):
        pytest.skip("3.10 cannot be told to leave the working folder out of a worker's places")
    shutil.copy(SYNTHETIC / "demo.ncu-rep", tmp_path / "one.ncu-rep")
    shutil.copy(SYNTHETIC / "demo.raw.csv", tmp_path / "other.csv")
    for name in SHADOWED:
        (tmp_path / f"{name}.py").write_text("open('run', 'a').write(__name__)\n")
    done = subprocess.run([sys.executable, "-I", "-c", COMMAND, *words], cwd=tmp_path, capture_output=True, check=False)
    assert not (tmp_path / "run").exists(), (tmp_path / "run").read_text()
    assert done.returncode == 0, done.stderr
