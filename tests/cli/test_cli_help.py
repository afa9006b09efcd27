"""The command line as a stranger meets it: help, suggestions, versions, quiet, exit codes, `python -m`."""

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ncu_roofline import errors
from ncu_roofline.errors import EXIT_CODES
from tests.command import run
from tools.pages import all_commands, by_group

DEMO = "fixtures/synthetic/demo.ncu-rep"
COMMANDS = [name for name, _ in all_commands()]
WORDS = sorted({name.split()[0] for name in COMMANDS})


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_its_purpose_its_example_and_its_groups(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = dict(all_commands())[name]

    answer = run(capsys, *name.split(), "--help")

    assert answer.code == 0
    assert f"\nExample:\n  ncu-roofline {name}" in answer.out
    assert [title for title in by_group(command) if f"\n{title}:\n" not in answer.out] == []
    assert "--quiet" in answer.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_calls_no_argument_by_a_type_of_python(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, *name.split(), "--help").out

    assert [word for word in ("<list", "<str", "<int", "<path", "{", "......") if word in out] == []


def test_a_wrong_value_is_told_without_the_words_of_a_library(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        "Error: Invalid value for '--batch': Input should be a valid integer\n"
        in run(capsys, "summary", DEMO, "--batch", "eight").err
    )
    assert "'--format': 'xml' is not one of 'table', 'json'" in run(capsys, "summary", DEMO, "--format", "xml").err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_and_stands_in_a_group(name: str) -> None:
    options = [p for params in by_group(dict(all_commands())[name]).values() for p in params if p.param_type_name == "option"]

    assert [p.opts for p in options if not p.help or not p.help.endswith(".")] == []


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "--help").out

    assert [word for word in WORDS if f"\n  {word} " not in out] == []
    flat = " ".join(out.split())
    assert all(f"{code} {meaning.split(':')[0]}" in flat for code, meaning in EXIT_CODES.items())


def test_without_a_command_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys)

    assert "Commands:" in answer.out + answer.err


@pytest.mark.parametrize("word", WORDS)
def test_a_mistyped_command_suggests_the_nearest(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    typed = word[:-2] + word[-1] + word[-2]
    if typed in WORDS or not difflib.get_close_matches(typed, WORDS):
        typed = word + "s"

    answer = run(capsys, typed)

    assert answer.code == 2
    assert f"'{word}'" in answer.err


@pytest.mark.parametrize(("typed", "meant"), [("--gup", "--gpu"), ("--formt", "--format"), ("--outptu", "--output")])
def test_a_mistyped_option_suggests_the_nearest(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "summary", DEMO, typed, "x")

    assert answer.code == 2
    assert meant in answer.err


def test_a_mistyped_choice_lists_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "summary", DEMO, "--format", "tabel")

    assert answer.code == 2
    assert "'table'" in answer.err


def test_version_shows_program_readers_and_formats(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "--version")

    assert answer.code == 0
    first, *others = answer.out.splitlines()
    assert first.startswith("ncu-roofline ")
    assert [line.split("  ")[1] for line in others] == [
        "native reader",
        "NVIDIA's reader",
        "saved captures",
        "JSON answers",
        "Python",
    ]


def test_version_says_where_nvidias_reader_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    from ncu_roofline.cli import version

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", missing)

    assert "ncu-report not installed; the native reader serves" in version.versions()


def test_quiet_leaves_the_notes_out_and_the_answer_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loud = run(capsys, "summary", DEMO, "-o", str(tmp_path / "loud.txt"))
    quiet = run(capsys, "summary", DEMO, "-o", str(tmp_path / "quiet.txt"), "--quiet")

    assert loud.err.startswith("Wrote ")
    assert quiet.err == ""
    assert (tmp_path / "loud.txt").read_text() == (tmp_path / "quiet.txt").read_text()


def test_quiet_of_one_command_does_not_silence_the_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "gpus", "h100", "-o", str(tmp_path / "one.txt"), "-q")

    assert run(capsys, "gpus", "h100", "-o", str(tmp_path / "two.txt")).err.startswith("Wrote ")


def test_quiet_keeps_errors(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "summary", "absent.ncu-rep", "--quiet")

    assert (answer.code, answer.err.count("\n")) == (3, 1)


def test_python_m_is_the_same_program() -> None:
    told = [
        subprocess.run([*start, "--version"], capture_output=True, text=True, check=True).stdout
        for start in ([sys.executable, "-m", "ncu_roofline"], [str(Path(sys.executable).parent / "ncu-roofline")])
    ]

    assert told[0] == told[1]


def test_every_error_has_an_exit_code_that_is_listed() -> None:
    kinds = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.RooflineError)]

    assert {c.exit_code for c in kinds} <= set(EXIT_CODES)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["gpus", "h100"], 0),
        (
            [
                "compare",
                "fixtures/synthetic/dense-b8.ncu-repz",
                "fixtures/synthetic/kv8-b8.ncu-repz",
                "--vary",
                "kv",
                "--fail-if",
                "bytes_per_token < +50%",
            ],
            1,
        ),
        (["nothing"], 2),
        (["summary"], 2),
        (["summary", "absent.ncu-rep"], 3),
        (["summary", "fixtures"], 3),
        (["gpus", "h1000"], 3),
        (["compare", "fixtures/synthetic/dense-b1.ncu-repz", "fixtures/synthetic/dense-b8.ncu-repz"], 4),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else str(v),
)
def test_exit_codes_are_what_the_list_says(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, *arguments)

    assert answer.code == code
    assert (code == 0) == (answer.err == "")
    assert "Traceback" not in answer.err


def test_a_closed_pipe_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody_reads:
        done = subprocess.run([sys.executable, "-m", "ncu_roofline", "gpus"], stdout=nobody_reads, stderr=subprocess.PIPE)

    assert (done.returncode, done.stderr) == (141, b"")
