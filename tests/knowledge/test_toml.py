"""TOML files: what is read, and the sentence when one cannot be."""

from pathlib import Path

import pytest

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge import toml


def test_a_file_is_read_as_a_dict(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[[rule]]\nid = "x"\n')

    assert toml.load(file) == {"rule": [{"id": "x"}]}


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"a = 1\nb = = 2\n", 2), (b"a = 1\n\nb = '\xff'\n", 3), (b'a = """never closed\n\n', 3)],
    ids=["syntax", "not UTF-8", "open string"],
)
def test_an_unusable_file_names_itself_and_the_line(tmp_path: Path, content: bytes, line: int) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content)

    with pytest.raises(UnusableInput, match=rf"^a\.toml, line {line}: "):
        toml.load(file)


def test_an_absent_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match=r"^gone\.toml: cannot be read"):
        toml.load(tmp_path / "gone.toml")


def test_the_lines_of_repeated_tables_are_counted_from_one() -> None:
    content = "# rules\n[[rule]]\nid = 1\n\n[[ rule ]]\nid = 2\n[[other]]\n"

    assert toml.table_lines(content, "rule") == [2, 5]
