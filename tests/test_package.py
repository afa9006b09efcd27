"""The package as users get it: built, complete, installed into an empty environment, run on a capture."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ncu_roofline"
DEMO = ROOT / "fixtures" / "synthetic" / "demo.ncu-rep"
OLDEST, NEWEST = "3.10", "3.13"
DATA = {".toml", ".json", ".js", ".css", ".html", ".typed"}


def run(*command: object, cwd: Path = ROOT) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=cwd, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def interpreter(version: str) -> str | None:
    """A Python of this version that starts."""
    places = [
        shutil.which(f"python{version}"),
        *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
        sys.executable,
    ]
    for place in filter(None, places):
        told = subprocess.run(
            [str(place), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if told.stdout.strip() == version:
            return str(place)
    return None


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of the tree as it stands."""
    target = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", target, ROOT)
    return target


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.mark.slow
def test_the_wheel_has_every_module_and_data_file_and_nothing_else(built: Path) -> None:
    kept = {p.relative_to(ROOT).as_posix() for p in PACKAGE.rglob("*") if p.suffix in DATA | {".py"}}
    inside = {n for n in zipfile.ZipFile(only(built, "*.whl")).namelist() if ".dist-info/" not in n}

    assert inside == kept | {"ncu_roofline/fixtures/measured/h100-dense-b8.ncu-repz"}


@pytest.mark.slow
def test_the_sdist_has_what_its_tests_need_and_no_build_outputs(built: Path) -> None:
    with tarfile.open(only(built, "*.tar.gz")) as sdist:
        names = {n.split("/", 1)[1] for n in sdist.getnames() if "/" in n}

    assert {
        "pyproject.toml",
        "Makefile",
        "LICENSE",
        "README.md",
        "ncu_roofline/py.typed",
        "fixtures/synthetic/demo.ncu-rep",
    } <= names
    assert not [n for n in names if n.split("/")[0] in (".venv", "dist", ".mypy_cache", ".hypothesis") or "__pycache__" in n]


@pytest.mark.slow
@pytest.mark.parametrize(("version", "kind"), [(OLDEST, "*.whl"), (NEWEST, "*.whl"), (NEWEST, "*.tar.gz")])
def test_it_installs_into_an_empty_environment_and_summarises(built: Path, tmp_path: Path, version: str, kind: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} on this machine")
    environment = tmp_path / "env"
    run(python, "-m", "venv", environment)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")

    run(scripts / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", only(built, kind), cwd=tmp_path)
    answer = run(scripts / "ncu-roofline", "summary", DEMO, cwd=tmp_path)
    by_module = run(scripts / "python", "-m", "ncu_roofline", "summary", DEMO, cwd=tmp_path)
    demo = run(scripts / "ncu-roofline", "demo", cwd=tmp_path)
    picture = run(scripts / "python", "-m", "ncu_roofline", "plot", DEMO, "-o", tmp_path / "demo.png", cwd=tmp_path)

    assert "51 launches" in answer and "H100" in answer
    assert by_module == answer
    assert demo.startswith("397 MB per token") and str(ROOT) not in demo
    assert picture == "" and (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
