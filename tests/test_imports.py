"""The direction of the house: who may import whom, and what nobody imports before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ncu_roofline"
ROOMS = ["errors", "capture", "knowledge", "readers", "analysis", "present", "cli"]
MAY_NOT_SEE = {"readers": {"analysis"}, "analysis": {"readers"}}
ONLY = {
    "altair": "present/charts/",
    "vl_convert": "present/charts/",
    "ncu_report": "readers/vendor.py",
    "obstore": "readers/fleet/store.py",
    "distributed": "cli/workers.py",
    "dask": "cli/workers.py",
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE)


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_room_imports_a_later_one(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    seen = {name.split(".")[1] for name in imports(path) if name.startswith("ncu_roofline.")}
    later = set(ROOMS[ROOMS.index(room) + 1 :]) | MAY_NOT_SEE.get(room, set())

    assert not seen & later


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_heavy_libraries_stay_in_their_place(path: Path) -> None:
    inside = path.relative_to(PACKAGE).as_posix()

    assert not [lib for lib in imports(path) if (place := ONLY.get(lib.split(".")[0])) and not inside.startswith(place)]


@pytest.mark.parametrize("arguments", [["--help"], ["summary", "--help"], ["plot", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = {
        "polars",
        "altair",
        "ncu_report",
        "vl_convert",
        "google.protobuf",
        "pyarrow",
        "numpy",
        "rich",
        "obstore",
        "distributed",
    }
    code = (
        f"import sys, runpy; sys.argv = ['ncu-roofline', *{arguments!r}]\n"
        "try: runpy.run_module('ncu_roofline', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(ast.literal_eval(done.stderr.strip().splitlines()[-1]))
    assert not loaded & heavy
