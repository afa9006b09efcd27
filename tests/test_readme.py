"""Every command that a page shows is run from the repository's root, and prints what the page says."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.command import run

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/README.md", "docs/tutorial.md", "docs/concepts.md", "docs/recipe.md", "docs/howto-role.md")
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
ANYTHING = "..."
SCREEN = {"COLUMNS": "100", "PYTHONUTF8": "1", "NO_COLOR": "1"}


class Shown(NamedTuple):
    """A command on a page with the output that stands under it."""

    page: str
    command: str
    output: tuple[str, ...]


def commands(page: str) -> list[Shown]:
    """Each `$ ` line with what follows; a backslash at its end goes on in the next line."""
    found: list[Shown] = []
    for block in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            command, *output = part.rstrip("\n").split("\n")
            found.append(Shown(page, command, tuple(output)))
    return found


EVERY = [shown for page in PAGES for shown in commands(page)]


def into(out: Path, words: list[str]) -> list[str]:
    """The words of a command with `out/` as a folder of the test."""
    return [word.replace("out/", f"{out}/") if word.startswith("out/") else word for word in words]


def printed(command: str, out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the command prints on the test's screen."""
    program, *words = into(out, shlex.split(command))
    if program == "ncu-roofline":
        code, said, told = run(capsys, *words)
    else:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=300, encoding="utf-8")
        code, said, told = done.returncode, done.stdout, done.stderr
    assert code == 0, told
    return (said + told).replace(f"{out}/", "out/").splitlines()


def fits(shown: list[str], real: list[str]) -> bool:
    """Whether every shown line stands in the output, in order; a line of three dots stands for any number of lines."""
    if not shown:
        return not real
    first, *rest = shown
    if first.strip() == ANYTHING:
        return any(fits(rest, real[skip:]) for skip in range(len(real) + 1))
    return bool(real) and first.rstrip() == real[0].rstrip() and fits(rest, real[1:])


@pytest.mark.parametrize("shown", EVERY, ids=lambda s: f"{s.page}: {s.command}")
def test_a_shown_command_prints_what_the_page_says(
    shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in SCREEN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    real = printed(shown.command, tmp_path, capsys)

    if shown.output:
        assert fits(list(shown.output), real), "\n".join(real)


def test_the_readme_shows_commands_with_their_output() -> None:
    assert any(shown.page == "README.md" and shown.output for shown in EVERY)


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "..."], ["a", "b", "c"], True),
        (["a", "...", "d"], ["a", "b", "c", "d"], True),
        (["...", "b"], ["a", "b"], True),
        (["a", "..."], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", "...", "d"], ["a", "b", "c"], False),
        (["a", "b"], ["a"], False),
    ],
)
def test_three_dots_stand_for_any_lines(shown: list[str], real: list[str], same: bool) -> None:
    assert fits(shown, real) is same
