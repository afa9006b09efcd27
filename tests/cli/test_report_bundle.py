"""The bundle for a pull request: every file, its size, and Markdown that renders as intended."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from markdown_it import MarkdownIt

import ncu_roofline as nr
from ncu_roofline.analysis.run.role_bytes import Along, RoleBytes, role_bytes
from ncu_roofline.cli import main
from ncu_roofline.cli.report import of_pictures
from ncu_roofline.present.charts import bundle
from ncu_roofline.present.charts import bytes as bytes_chart
from ncu_roofline.present.charts.bundle import Material
from ncu_roofline.present.charts.export import specifications
from ncu_roofline.present.documents.comment import LIMIT, Comment, render
from ncu_roofline.present.forms.columns import cell
from ncu_roofline.present.forms.document import Document, Table
from tests.charted import launch, picture
from tests.command import run as told
from tests.corpus import CORPUS, needs_corpus

REPOSITORY = Path(__file__).parents[2]
DEMO = REPOSITORY / "fixtures" / "synthetic" / "demo.ncu-rep"
HOSTILE = [
    "a|b",
    "<img src=x onerror=alert(1)>",
    "`tick``s`",
    "**bold** _it_ [x](http://e.vil)",
    "</details>",
    "@someone #1",
    "a\nb",
]
FILES = {
    "comment.md",
    "roofline-light.png",
    "roofline-dark.png",
    "roofline-light.svg",
    "roofline-dark.svg",
    "bytes-light.png",
    "bytes-dark.png",
    "bytes-light.svg",
    "bytes-dark.svg",
    "roofline.json",
    "summary.json",
    "kernels.csv",
    "kernels.parquet",
    "index.html",
}


class Rendered(HTMLParser):
    """What a reader of the rendered Markdown gets: tags, code spans, and cells per row of each table."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.codes: list[str] = []
        self.rows: list[int] = []
        self.inside: list[str] = []
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag == "code":
            self.codes.append("")
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "code" in self.inside:
            self.codes[-1] += data

    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]


def comment(*names: str, **how: str) -> str:
    shown = picture(
        *(launch(kernel=n, useful_flops=1e6, dram_bytes=1e6 - i) for i, n in enumerate(names)),
        name=how.pop("name", "planted.ncu-rep"),
    )
    roles = Table("By role", shown.families, ("family", "launches", "seconds"))
    said = Document(answer=("FC moves it all.",), tables=(roles,), doubts=("Clocks were not locked.",))
    return render(
        Comment(
            name=f"Roofline of {shown.name}",
            answer=said.answer,
            documents=[said],
            pictures=[("roofline", 'Roofline. <b>"x" | y</b>')],
            kernels=bundle.kernel_table(shown.marks),
            basis=["H100 | caches"],
            **how,
        )
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_kernel_name_is_code_in_one_cell(name: str) -> None:
    rendered = Rendered(comment(name))

    assert rendered.codes == [" ".join(name.split())]
    assert set(rendered.names()) <= {
        "h3",
        "p",
        "picture",
        "source",
        "img",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "code",
        "ul",
        "li",
        "sub",
    }
    assert all("onerror" not in attributes for _, attributes in rendered.tags)
    by_role = 3
    assert set(rendered.rows) == {by_role, max(rendered.rows)}


def test_a_hostile_capture_name_is_text() -> None:
    rendered = Rendered(comment("gemm", name="<script>alert(1)</script>`|x.ncu-rep"))

    assert "script" not in rendered.names()


def test_the_picture_follows_the_reader_s_theme_and_lies_where_it_is_said_to() -> None:
    rendered = Rendered(comment("gemm", image_base="https://example.org/a b/"))

    found = {tag: attributes for tag, attributes in rendered.tags if tag in ("source", "img")}
    assert found["source"] == {"media": "(prefers-color-scheme: dark)", "srcset": "https://example.org/a b/roofline-dark.png"}
    assert found["img"] == {
        "alt": 'Roofline. <b>"x" | y</b>',
        "src": "https://example.org/a b/roofline-light.png",
        "width": "820",
    }


@pytest.mark.parametrize(
    "base", ["javascript:alert(1)", " JavaScript:x", "data:text/html,x", "file:///etc", "vbscript:x", "C:\\pics"]
)
def test_pictures_lie_at_no_scheme_but_the_web_s(base: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "report", str(DEMO), "-o", str(tmp_path / "out"), "--image-base", base)
    assert said.code == 2
    assert "is no place of pictures" in " ".join(said.err.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("base", ["", "pictures", "https://example.org/a b/", "HTTP://x", "../a:b/"])
def test_pictures_lie_on_the_web_or_beside_the_comment(base: str) -> None:
    assert of_pictures(base) == base


def test_the_answer_comes_first_and_doubts_are_folded() -> None:
    text = comment("gemm")

    assert text.splitlines()[0] == "### FC moves it all."
    assert re.search(r"<details><summary>What cannot be trusted \(1\)</summary>\n\n- Clocks", text)


def test_a_thousand_long_names_stay_under_the_limit_of_a_comment() -> None:
    text = comment(*(f"kernel_{i}_{'<|`' * 60}" for i in range(1000)))

    assert len(text) <= LIMIT < 65_536
    assert Rendered(text).names().count("details") == text.count("</details>")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the demo capture."""
    folder = tmp_path_factory.mktemp("bundle") / "report"
    run("report", str(DEMO), "-o", str(folder))
    return folder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ncu_roofline", *arguments], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )


def test_the_bundle_is_complete(written: Path) -> None:
    assert {p.name for p in written.iterdir()} == FILES


def test_pictures_are_pictures_of_twice_their_size(written: Path) -> None:
    for name in ("roofline-light.png", "roofline-dark.png", "bytes-light.png"):
        body = (written / name).read_bytes()
        assert body[:8] == b"\x89PNG\r\n\x1a\n"
        # GitHub's column is about 830 px wide; twice that stays sharp on a dense screen
        assert 1000 <= struct.unpack(">II", body[16:24])[0] <= 1700
        assert len(body) <= 1_000_000


def test_svg_text_is_text(written: Path) -> None:
    assert ">FC</text>" in (written / "roofline-light.svg").read_text()


def test_csv_and_parquet_hold_the_numbers_behind_every_mark(written: Path) -> None:
    marks = pl.read_parquet(io.BytesIO((written / "kernels.parquet").read_bytes()))
    rows = pl.read_csv(written / "kernels.csv")
    spec = json.loads((written / "roofline.json").read_text())
    drawn = [r for rows in spec["datasets"].values() for r in rows if "look" in r]

    assert marks.height == rows.height
    # the chart tells numbers as people read them
    known = {tuple(cell(c, r[c]) for c in ("seconds", "dram_bytes")) for r in marks.iter_rows(named=True)}
    assert drawn
    assert all((row["seconds"], row["dram_bytes"]) in known for row in drawn)


def test_the_summary_has_a_versioned_schema(written: Path) -> None:
    summary = json.loads((written / "summary.json").read_text())

    assert summary["schema_version"] == 2
    assert "tokens" in summary


def test_no_file_names_a_folder_of_this_machine(written: Path, tmp_path: Path) -> None:
    for path in written.iterdir():
        assert str(REPOSITORY).encode() not in path.read_bytes(), path.name


def test_the_bundle_is_the_same_every_time_and_in_any_process(written: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["report", str(DEMO), "-o", str(tmp_path / "again")])

    assert left.value.code == 0
    assert {p.name: p.read_bytes() for p in written.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()
    }


def test_a_folder_that_holds_something_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(SystemExit) as left:
        main(["report", str(DEMO), "-o", str(tmp_path)])

    assert left.value.code == 3
    assert "is not empty; add --force" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "chart.bmp"], "a chart is written as .html, .png, .svg, .json or .txt"),
        (["--format", "png"], "needs a file"),
        (["--levels", "l3"], "no such level"),
    ],
)
def test_a_chart_that_cannot_be_written_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plot", str(DEMO), *arguments])

    assert left.value.code == 3
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["png", "svg", "json", "html", "txt"])
def test_plot_writes_the_form_of_the_file_s_name(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as left:
        main(["plot", str(DEMO), "-o", str(tmp_path / f"chart.{suffix}")])

    begins = {"png": b"\x89PNG", "svg": b"<svg", "json": b"{", "html": b"<!doctype html>", "txt": b"SYNTHETIC"}
    assert left.value.code == 0
    assert (tmp_path / f"chart.{suffix}").read_bytes().startswith(begins[suffix])


def test_plot_without_a_file_is_characters_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plot", str(DEMO), "--ascii"])

    assert "FLOP per byte of DRAM traffic" in capsys.readouterr().out


def test_the_bytes_chart_stacks_the_roles_to_the_whole() -> None:
    frame = picture(launch(), launch(kernel="flash", role="attention", family="attention", dram_bytes=3e6))
    rows = pl.DataFrame(
        {
            "role": ["attention", "fc"],
            "family": ["attention", "fc"],
            "bytes": [3e6, 1e6],
            "share": [0.75, 0.25],
            "floor": [None, 0.9e6],
        },
        schema_overrides={"floor": pl.Float64},
    )
    bars, ends = bytes_chart.bars_and_ends(RoleBytes(rows=rows, basis="token"))

    assert frame.size_by == "bytes"
    # attention from 0 to 3 MB, FC from 3 to 4 MB; the known floor of FC stands for the whole too
    assert bars.filter(bar="all roles").select("role", "start", "end").rows() == [("attention", 0.0, 3e6), ("FC", 3e6, 4e6)]
    assert ends.filter(bar="all roles").select("end", "floor").rows() == [(4e6, 0.9e6)]


def test_a_capture_without_bytes_still_gives_a_bundle() -> None:
    shown = picture(launch(dram_bytes=None))
    empty = pl.DataFrame(
        schema={"role": pl.String, "family": pl.String, "bytes": pl.Float64, "share": pl.Float64, "floor": pl.Float64}
    )
    roles = RoleBytes(rows=empty, basis="capture")
    said = Document(answer=("Nothing is known.",))

    no_rows = {"place": pl.Int64, "role": pl.String, "family": pl.String, "bytes": pl.Float64}
    nowhere = Along(rows=pl.DataFrame(schema=no_rows), places="layer", basis="capture")

    files = bundle.files(
        Material(picture=shown, roles=roles, along=nowhere, answer=said.answer, strip=(), summary=said, tokens=said)
    )

    assert set(files) == FILES
    assert "bytes-light.png" not in files["comment.md"].decode()
    assert specifications(bytes_chart.draw(roles))["light"]["title"]["subtitle"] == ["No DRAM bytes are known of any role."]


@pytest.mark.slow
@needs_corpus
def test_a_report_of_ten_thousand_launches_keeps_its_limits(tmp_path: Path) -> None:
    grow = CORPUS.parent / "tools" / "grow_report.py"
    small = CORPUS / "rep" / "chuanbinp__uncertainty-aware-inference__TeamB__llama__results__ncu__llama2_7b_awq_int4.ncu-rep"
    if shutil.disk_usage(tmp_path).free < 1e9:
        pytest.skip("less than 1 GB free for the grown report")
    subprocess.run([sys.executable, str(grow), str(small), str(tmp_path / "grown.ncu-rep"), "500"], check=True)

    run("report", str(tmp_path / "grown.ncu-rep"), "-o", str(tmp_path / "report"))

    sizes = {p.name: p.stat().st_size for p in (tmp_path / "report").iterdir()}
    assert json.loads((tmp_path / "report" / "summary.json").read_text())["tokens"] is not None
    assert sizes["index.html"] <= 1_000_000
    assert sizes["roofline-light.png"] <= 1_000_000
    assert sizes["roofline.json"] <= 500_000


def test_bytes_by_role_are_those_of_the_decode_launches_over_their_tokens() -> None:
    study = nr.study(DEMO, gpu="h100 sxm")
    found = role_bytes(study.launches, study.run)

    table = nr.per_token(study).filter(pl.col("dram_bytes") > 0)
    column = {"token": "dram_bytes_per_token", "step": "dram_bytes_per_step", "capture": "dram_bytes"}[found.basis]
    assert dict(found.rows.select("role", "bytes").iter_rows()) == pytest.approx(
        dict(table.select(pl.col("role").cast(pl.String), column).iter_rows())
    )
    assert found.rows["share"].sum() == pytest.approx(1.0)
