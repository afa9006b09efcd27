"""The faults that the mutation run makes: what is changed, where, and what is left alone."""

from pathlib import Path

import pytest

from tools.mutants import mutants
from tools.mutation import budget
from tools.mutation_page import page


def made(tmp_path: Path, source: str) -> list[tuple[str, str, str]]:
    file = tmp_path / "module.py"
    file.write_text(source)
    return [(m.kind, m.before, m.after) for m in mutants(tmp_path, file)]


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("x = a < b", [("comparison", "a < b", "(a <= b)")]),
        ("x = a == b", [("comparison", "a == b", "(a != b)")]),
        ("x = a * b", [("arithmetic", "a * b", "(a / b)")]),
        ("x = a & b", [("arithmetic", "a & b", "(a | b)")]),
        ("x = -a", [("arithmetic", "-a", "(a)")]),
        ("x = ~a", [("boolean", "~a", "(a)")]),
        ("x = a and b", [("boolean", "a and b", "(a or b)"), ("dropped clause", "a and b", "(a)")]),
        ("x = 2", [("constant", "2", "3")]),
        ("x = 2.0", [("constant", "2.0", "3.0")]),
        ("x = 0.0", [("constant", "0.0", "1.0")]),
        ("x = True", [("constant", "True", "False")]),
        ("def f():\n    return a", [("return value", "return a", "return None")]),
        ("x = f.filter(a, b)", [("dropped clause", "f.filter(a, b)", "f.filter(a)")]),
        ("x = when(a).then(b).otherwise(c)", [("dropped clause", "when(a).then(b).otherwise(c)", "when(a).then(b)")]),
        ("x = [a for a in b if c]", [("dropped clause", "[a for a in b if c]", "[a for a in b]")]),
        ("x = a if b else c", [("boolean", "a if b else c", "(c if b else a)")]),
    ],
)
def test_a_fault_is_made(tmp_path: Path, source: str, faults: list[tuple[str, str, str]]) -> None:
    assert made(tmp_path, source) == faults


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring with 1 < 2."""',
        "def f(a: Literal[1]) -> Literal[2]: ...",
        "def f():\n    return None",
        'def f():\n    raise Wrong(f"{a + 1} is wrong")',
        "if TYPE_CHECKING:\n    x = 1",
        'x = f"{a + 1}"',
        "x: int | None",
    ],
)
def test_what_is_no_number_is_left_alone(tmp_path: Path, source: str) -> None:
    assert made(tmp_path, source) == []


def test_the_fault_is_applied_where_it_stands_behind_letters_of_several_bytes(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('x = "µs"; y = a < b\n', encoding="utf-8")
    (only,) = mutants(tmp_path, file)

    assert only.applied(file.read_bytes()).decode() == 'x = "µs"; y = (a <= b)\n'


def test_a_fault_in_a_condition_reaches_its_head_and_not_its_body(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("if (\n    a\n    < b\n):\n    pass\n    pass\n")
    (only,) = mutants(tmp_path, file)

    assert only.lines == (1, 4)


def test_a_budget_takes_the_first_tests_and_at_least_one() -> None:
    seconds = {"a": 3.0, "b": 2.0, "c": 0.1}

    assert budget(["a", "b", "c"], seconds, 1.0) == ["a"]
    assert budget(["c", "b", "a"], seconds, 2.5) == ["c", "b"]


def test_the_page_counts_what_was_noticed_and_lists_what_was_not() -> None:
    fault = {"file": "m.py", "line": 3, "source": "x = 1", "kind": "constant", "before": "1", "after": "2"}
    rows = [{**fault, "outcome": o} for o in ("killed", "timeout", "survived", "uncovered")]

    text = page(rows, 7, {"analysis": 97.25})

    assert "notice **2** (50.0 %), 1 of them by running too long" in text
    assert "| constant | 4 | 2 |" in text
    assert text.count("`m.py:3`") == 2
    assert text.count("(no test runs it)") == 1
