"""The commands of the spine, as a user calls them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from ncu_roofline.readers import saved
from tests.command import run
from tests.corpus import CORPUS, needs_corpus
from tools import schemas

FIXTURES = Path(__file__).parents[2] / "fixtures" / "synthetic"
DEMO = str(FIXTURES / "demo.ncu-rep")
CSV = str(FIXTURES / "demo.raw.csv")


def test_summary_answers_first_then_shows_tables_then_doubts(capsys: pytest.CaptureFixture[str]) -> None:
    for more, order in (([], SCREEN), (["--full"], WHOLE)):
        answer = run(capsys, "summary", DEMO, *more)
        flat = " ".join(answer.out.split())
        places = [flat.index(words) for words in order]

        assert (answer.code, answer.err) == (0, "")
        assert places == sorted(places)


SCREEN = ("SYNTHETIC capture", "per token", "limits it", "First:", "Fix first", "What cannot be trusted", "From ", "H100 SXM")
WHOLE = ("SYNTHETIC capture", "H100 SXM", "Where it goes", "By role", "By kernel", "What cannot be trusted")


@pytest.mark.parametrize("name", sorted(p.name for p in (FIXTURES.parent / "measured").glob("*.ncu-repz")))
def test_a_summary_fits_a_screen_and_a_capture_needs_no_command(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    file = str(FIXTURES.parent / "measured" / name)
    lines = run(capsys, "summary", file).out.splitlines()

    assert len(lines) <= 25
    assert max(map(len, lines)) <= 80
    assert run(capsys, file).out.splitlines() == lines


@pytest.mark.parametrize("command", ["summary", "tokens", "check"])
@pytest.mark.parametrize("name", ["measured/h100-moe-b8.ncu-repz", "synthetic/dense-b8-basic.ncu-repz"])
def test_a_brief_is_small_has_all_keys_and_follows_its_schema(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, command, str(FIXTURES.parent / name), "--format", "brief")

    assert len(answer.out.encode()) <= 4096
    jsonschema.Draft202012Validator(schemas.brief()).validate(json.loads(answer.out))
    assert str(FIXTURES.parent) not in answer.out


def test_a_brief_of_a_comparison_has_the_same_keys(capsys: pytest.CaptureFixture[str]) -> None:
    pair = [str(FIXTURES.parent / "measured" / f"h100-{kind}-b8.ncu-repz") for kind in ("dense", "fp8")]
    told = json.loads(run(capsys, "compare", *pair, "--vary", "weights", "--format", "brief").out)
    refused = json.loads(run(capsys, "compare", *pair, "--format", "brief").out or "{}")

    jsonschema.Draft202012Validator(schemas.brief()).validate(told)
    # 282.8 MB per token after 396.7: read and written
    assert told["per_token"]["dram_bytes"]["value"] == pytest.approx(282.8e6, rel=1e-3)
    for one in (told, refused):
        assert set(one) == {"brief_version", "answer", "per_token", "roles", "fix_first", "verdict", "unknown", "next"}


def test_summary_in_json_is_under_8_kb_and_names_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "summary", DEMO, "--format", "json")
    data = json.loads(answer.out)

    assert len(answer.out.encode()) < 8000
    assert {"rows", "run", "device", "notes", "schema_version"} <= set(data)
    assert data["device"]["ridge_spec"]["bf16"] == pytest.approx(989.4e12 / 3.35e12)


def test_kernels_in_json_have_the_columns_of_a_launch(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "kernels", DEMO, "--format", "json", "--top", "3").out)
    wanted = {
        "index",
        "profiler_id",
        "kernel",
        "name",
        "device",
        "stream",
        "process",
        "grid",
        "block",
        "nvtx",
        "seconds",
        "flops",
        "flops_source",
        "flops_complete",
        "dram_bytes",
        "dram_bytes_source",
        "l2_bytes",
        "l2_bytes_source",
        "precision",
        "intensity",
        "ridge",
        "bound",
        "bound_source",
        "bandwidth_share",
        "compute_share",
        "limited_by",
        "role",
    }

    assert len(data["rows"]) == 3
    assert wanted <= set(data["rows"][0])
    assert any(name.startswith("m:") for name in data["rows"][0])


def test_kernels_are_filtered_sorted_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "kernels", CSV, "--filter", "NORM", "--sort", "-index", "--top", "2", "--format", "json").out)

    assert all("norm" in row["name"].lower() for row in data["rows"])
    assert [row["index"] for row in data["rows"]] == sorted(row["index"] for row in data["rows"])
    assert data["rows_total"] > 2


def test_grouping_keeps_shapes_of_one_name_apart_and_the_total_whole(capsys: pytest.CaptureFixture[str]) -> None:
    groups = json.loads(run(capsys, "kernels", DEMO, "--by", "kernel", "--format", "json", "--top", "0").out)["rows"]
    single = json.loads(run(capsys, "kernels", DEMO, "--format", "json", "--top", "0").out)["rows"]

    assert len({(g["name"], tuple(g["grid"])) for g in groups}) == len(groups)
    assert sum(g["dram_bytes"] for g in groups) == pytest.approx(sum(r["dram_bytes"] for r in single))


def test_an_unknown_sort_column_offers_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "kernels", DEMO, "--sort", "secnds")

    assert (answer.code, answer.out) == (3, "")
    assert "seconds" in answer.err


def test_a_capture_without_a_device_says_which_option_helps(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from ncu_roofline.capture.capture import Capture
    from tests.kernels import launch, launches

    path = tmp_path / "x.parquet"
    path.write_bytes(saved.packed(Capture(launches=launches(launch(m={"dram__bytes.sum": 1e6})), name="x")))

    assert "--gpu NAME" in " ".join(run(capsys, "summary", str(path)).out.split())
    assert "H200" in run(capsys, "summary", str(path), "--gpu", "h200").out


def test_an_unknown_device_name_offers_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "summary", DEMO, "--gpu", "h1000")

    assert (answer.code, answer.out) == (3, "")
    assert "H100" in answer.err


def test_check_says_what_is_missing_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(run(capsys, "check", str(FIXTURES / "dense-b8-basic.ncu-repz"), "--format", "json").out)
    codes = {row["code"] for row in data["rows"]}

    assert "derived_cycles" in codes
    assert "missing_flops" in codes


def test_save_then_any_command_gives_the_same_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "demo.parquet"
    written = run(capsys, "save", DEMO, "-o", str(target))

    assert written.err.strip() == f"Wrote {target}"
    assert run(capsys, "kernels", str(target), "--format", "csv").out == run(capsys, "kernels", DEMO, "--format", "csv").out


def test_nothing_is_overwritten_without_force(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "out.md"
    target.write_text("mine")
    refused = run(capsys, "summary", DEMO, "--format", "markdown", "-o", str(target))

    assert (refused.code, target.read_text()) == (3, "mine")
    assert "--force" in refused.err
    assert run(capsys, "summary", DEMO, "--format", "markdown", "-o", str(target), "--force").code == 0
    assert "Fix first" in target.read_text()


def test_a_capture_made_by_the_recipe_is_not_told_to_follow_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "To mend it\nLC_ALL=C ncu" in run(capsys, "check", str(FIXTURES / "dense-b8-basic.ncu-repz")).out
    assert "To mend it" not in run(capsys, "check", str(FIXTURES / "demo.ncu-rep")).out


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
@pytest.mark.parametrize("command", ["summary", "kernels", "check"])
def test_every_form_of_every_command_works(capsys: pytest.CaptureFixture[str], command: str, form: str) -> None:
    answer = run(capsys, command, DEMO, "--format", form)

    assert (answer.code, answer.err) == (0, "")
    assert answer.out


@needs_corpus
def test_the_qkv_projection_of_qwen_reads_its_weights_and_executes_whole_tiles(capsys: pytest.CaptureFixture[str]) -> None:
    folder = "gujialiang123__MOEresearch__results__2026-06-09_sglang_triton_sweep__ncu__"
    weights = 5120 * 2048 * 2  # (32 + 2 x 4) heads of 128, hidden 2048, two bytes each
    for scenario, flops in (
        ("R_short_decode", 167_772_160),
        ("R_medium_balanced", 167_772_160),
        ("R_concurrent_decode", 671_088_640),
    ):
        path = str(CORPUS / "csv" / f"{folder}{scenario}__ncu_raw_full.csv")
        rows = json.loads(run(capsys, "kernels", path, "--format", "json", "--filter", "nvjet", "--sort", "-index").out)["rows"]
        qkv = rows[0]

        assert qkv["flops"] == flops
        assert qkv["dram_read_bytes"] == pytest.approx(weights, rel=0.01)


def test_a_filter_that_fits_nothing_says_so_and_draws_no_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "kernels", DEMO, "--filter", "no-such-kernel")

    assert answer.out.startswith("No kernel of demo.ncu-rep fits the filter.\n")
    assert "role" not in answer.out


def test_a_store_without_baselines_says_how_to_fill_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer = run(capsys, "baseline", "list", "--folder", str(tmp_path))

    assert (answer.code, answer.out) == (0, "")
    assert "baseline save NAME CAPTURE" in answer.err


def test_a_report_into_a_folder_that_cannot_be_made_names_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = run(capsys, "report", DEMO, "-o", str(tmp_path / "file" / "report"))

    assert answer.code == 3
    assert str(tmp_path / "file" / "report") in answer.err and "choose another with -o" in answer.err


def test_a_cut_report_is_a_doubt_and_no_mere_note(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cut = tmp_path / "cut.ncu-rep"
    cut.write_bytes(Path(DEMO).read_bytes()[:20_000])

    assert "- [weakens] The report is damaged or cut off" in run(capsys, "check", str(cut)).out


BASE, HEAD = str(FIXTURES / "dense-b8.ncu-repz"), str(FIXTURES / "fp8-b8.ncu-repz")


@pytest.mark.parametrize(
    "words",
    [
        ["summary", DEMO],
        ["kernels", DEMO],
        ["tokens", DEMO],
        ["roles", DEMO],
        ["check", DEMO],
        ["plot", DEMO],
        ["compare", BASE, HEAD, "--vary", "weights"],
        ["sweep", BASE, str(FIXTURES / "dense-b32.ncu-repz")],
        ["project", DEMO, "--gpu", "b200"],
    ],
)
def test_every_output_of_synthetic_captures_says_so(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    answer = run(capsys, *words)

    assert answer.code == 0
    # fixtures/synthetic is no label: the words are
    assert re.search(r"SYNTHETIC|is synthetic:|are synthetic:", " ".join(answer.out.split()))


def test_charts_of_a_comparison_of_synthetic_captures_say_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(capsys, "report", BASE, HEAD, "--vary", "weights", "-o", str(tmp_path / "out"))

    for name in ("waterfall-light.svg", "before-after-dark.svg", "comment.md", "index.html"):
        assert "synthetic: a generator wrote them" in (tmp_path / "out" / name).read_text()


def test_check_writes_facts_as_tokens_does_and_leaves_out_what_is_usual(capsys: pytest.CaptureFixture[str]) -> None:
    out = " ".join(run(capsys, "check", DEMO, "--format", "markdown").out.split())

    assert "layers 4 (inferred); synthetic yes (report)" in out
    assert "accepted" not in out and "prefill passes 0" not in out
