"""The documentation: generated pages tell today's code, links lead somewhere, nothing names a machine."""

import re
from pathlib import Path

import pytest

from ncu_roofline.capture.schema import SOURCES
from ncu_roofline.cli.command import parts
from tools import pages

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "fixtures").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def test_generated_pages_tell_todays_code() -> None:
    assert pages.stale() == [], "run `make docs` and commit what it writes"


def test_every_rung_is_explained() -> None:
    assert {name for name, *_ in pages.RUNGS} == set(SOURCES)


def test_every_command_has_a_purpose_of_one_line_and_an_example() -> None:
    for name, command in pages.all_commands():
        purpose, example = parts(command.help or "")
        assert purpose.split("\n\n")[0].endswith(".") and "\n" not in purpose.split("\n\n")[0], name
        assert example.startswith(f"ncu-roofline {name}"), name


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [a or b for a, b in LINK.findall(text) if not (a or b).startswith(("http", "mailto"))]
    broken = []
    for target in targets:
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_page_names_a_folder_of_somebodys_machine(page: Path) -> None:
    assert not re.search(r"(?<!\w)/(home|root|Users|tmp)/\w", page.read_text(encoding="utf-8"))


def test_modules_that_pages_name_exist() -> None:
    named = {
        name
        for page in PAGES
        for name in re.findall(
            r"`((?:ncu_roofline|analysis|readers|capture|knowledge|present|cli|tests|bench)/[\w/]+\.(?:py|toml))`",
            page.read_text(encoding="utf-8"),
        )
    }

    assert [n for n in sorted(named) if not (ROOT / n).exists() and not (ROOT / "ncu_roofline" / n).exists()] == []


def test_nothing_that_ships_cites_what_a_clone_does_not_hold() -> None:
    kinds = {".py", ".toml", ".md", ".json", ".css", ".js", ".ipynb"}
    told = [ROOT / "ncu_roofline", ROOT / "docs", ROOT / "fixtures", ROOT / "examples", ROOT / "notebooks"]
    pages = [*ROOT.glob("*.md"), *(p for folder in told for p in folder.rglob("*") if p.suffix in kinds)]

    assert [p.relative_to(ROOT).as_posix() for p in pages if "../shared" in p.read_text(encoding="utf-8")] == []


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages_there = [p for p in (ROOT / "docs").glob("*.md") if p.name != "README.md"]

    assert [p.name for p in pages_there if f"]({p.name})" not in index] == []
