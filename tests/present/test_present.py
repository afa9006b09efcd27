"""Documents become text: fitted to the screen, safe with names from strangers, valid as JSON and CSV."""

from __future__ import annotations

import csv as rows_of
import io
import json as plain_json
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ncu_roofline.present.forms import csv, json, markdown, terminal
from ncu_roofline.present.forms.columns import change
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.text import clean, shorten, width

HOSTILE = [
    "a|b",
    "<img src=x onerror=alert(1)>",
    "`code` ``x``",
    "\x1b[2J\x1b]0;owned\x07",
    "=cmd|' /C calc'!A0",
    "a\u202eb",
    "@all #1",
    "*b* _i_ ~s~",
]


def document(names: list[str]) -> Document:
    rows = pl.DataFrame({"kernel": names, "seconds": [1e-5] * len(names)})
    return Document(
        answer=("One sentence.",),
        tables=(Table("Kernels", rows, ("kernel", "seconds")),),
        doubts=("A doubt.",),
        data={"rows": rows},
    )


def test_the_terminal_shows_answer_then_table_then_doubts() -> None:
    assert terminal.render(document(["gemm"]), 40) == (
        "One sentence.\n\nKernels\nkernel   time\ngemm    10 µs\n\nWhat cannot be trusted\n- A doubt.\n"
    )


def test_a_long_name_gives_way_to_the_screen() -> None:
    lines = terminal.render(document(["k" * 300]), 40).splitlines()

    assert max(map(width, lines)) == 40


def test_spare_columns_go_first_on_a_narrow_screen() -> None:
    rows = pl.DataFrame({"kernel": ["k" * 30], "seconds": [1e-5], "launches": [3], "dram_bytes": [1e6]})
    table = Table("", rows, ("kernel", "seconds", "launches", "dram_bytes"), spare=("launches",))
    narrow, wide = terminal.table(table, 38), terminal.table(table, 100)

    assert "launches" in wide
    assert "launches" not in narrow
    assert "DRAM" in narrow


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_moves_the_cursor_or_hides_text(name: str) -> None:
    shown = terminal.render(document([name]), 80) + markdown.render(document([name])) + csv.render(document([name]))

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_a_hostile_name_as_code_in_one_cell(name: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(markdown.render(document([name])))

    assert html.count("<td") == 2
    assert "<img" not in html
    assert html.count("<code>") == 1
    shown = re.search("<code>(.*)</code>", html)
    assert shown
    unescaped = shown[1].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert unescaped.strip() == clean(name)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_sentence_is_no_markup(text: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(markdown.render(Document(answer=(text,))))

    assert not re.search("<(img|em|strong|code|del)", html)


def test_json_holds_no_number_that_is_none() -> None:
    rows = pl.DataFrame({"kernel": ["a"], "intensity": [float("nan")], "flops": [float("inf")]})
    body = json.render(Document(answer=(), data={"rows": rows}))

    assert plain_json.loads(body, parse_constant=pytest.fail) == {
        "schema_version": 2,
        "rows": [{"kernel": "a", "intensity": None, "flops": None}],
    }


def test_csv_has_one_row_per_launch_whatever_its_columns_hold() -> None:
    rows = pl.DataFrame(
        {"kernel": ["a,b", "=1"], "grid": [[1, 2, 3], None], "nvtx": [["step", "layer"], None]},
        schema={"kernel": pl.String, "grid": pl.Array(pl.Int64, 3), "nvtx": pl.List(pl.String)},
    )
    body = csv.render(Document(answer=(), data={"rows": rows}))

    assert list(rows_of.reader(io.StringIO(body))) == [
        ["kernel", "grid", "nvtx"],
        ["a,b", "1x2x3", "step > layer"],
        ["'=1", "", ""],
    ]


@given(text=st.text(), room=st.integers(0, 40))
def test_a_shortened_text_fits_its_room(text: str, room: int) -> None:
    visible = clean(text).encode("ascii", "ignore").decode()

    assert width(shorten(visible, room)) <= room


@given(text=st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_a_change_of_ten_times_and_more_is_a_factor_and_no_per_cent() -> None:
    assert [change(v) for v in (-0.5, 9.0, 14.0)] == ["-50.0 %", "+900 %", "15x"]
