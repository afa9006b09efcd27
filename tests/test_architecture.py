"""ARCHITECTURE tells the truth: each question's file holds what is named, folders stay small, functions short."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ncu_roofline"
ROW = re.compile(r"^\| ([^|`]+) \| `([\w/]+)` \| `([\w.]+)` \| `([^`]+)` \|$", re.MULTILINE)
QUESTIONS = ROW.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
MOST_MODULES, LONGEST, USUAL = 16, 50, 25
WIDE = {PACKAGE / "cli", PACKAGE / "present" / "documents"}
"""A module a command: as many as there are commands."""


def defined(path: Path) -> set[str]:
    """Functions, classes and constants of a module."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_there_are_at_least_twelve_questions() -> None:
    assert len(QUESTIONS) >= 12


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q[0])
def test_the_file_of_a_question_holds_what_answers_it(question: tuple[str, str, str, str]) -> None:
    _, wing, file, there = question
    path = PACKAGE / wing / file

    held = defined(path) if path.suffix == ".py" else path.read_text(encoding="utf-8")
    assert there in held


def test_every_wing_says_its_question() -> None:
    wings = [folder for folder in PACKAGE.glob("*/*") if (folder / "__init__.py").exists()]

    assert wings
    assert [w.name for w in wings if not ast.get_docstring(ast.parse((w / "__init__.py").read_text(encoding="utf-8")))] == []


def test_no_folder_is_a_heap() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - WIDE
    heaps = {f.relative_to(ROOT).as_posix(): n for f in folders if (n := len(list(f.glob("*.py")))) > MOST_MODULES}

    assert heaps == {}


def lengths() -> list[tuple[int, str]]:
    """Lines of every function's body, its docstring aside."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body:
                    found.append(((body[-1].end_lineno or 0) - body[0].lineno + 1, f"{path.name}:{node.name}"))
    return sorted(found)


def test_functions_are_short() -> None:
    every = lengths()

    assert [name for lines, name in every if lines > LONGEST] == []
    assert every[int(0.9 * len(every))][0] <= USUAL


@pytest.mark.parametrize("name", ["known_sum", "weighted", "mean", "share", "ratio", "total"])
def test_the_arithmetic_that_frames_share_has_one_home(name: str) -> None:
    homes = [p.relative_to(PACKAGE).as_posix() for p in (PACKAGE / "analysis").rglob("*.py") if name in defined(p)]

    assert len(homes) <= 1
