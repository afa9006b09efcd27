"""The `roles` command: totals, reasons, what is unknown, and bare names."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.knowledge.kernels.roles import load_rules
from tests.command import run
from tests.corpus import CORPUS, needs_corpus


def names(folder: Path, *lines: bytes) -> str:
    file = folder / "names.txt"
    file.write_bytes(b"\n".join(lines))
    return str(file)


def test_bare_names_are_classified_in_their_order(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = names(tmp_path, b"rms_norm_kernel", b"xyzzy", b"", b"rms_norm_kernel\r", b"nvjet_tst_64x8")

    answer = run(capsys, "roles", "--names", file, "--format", "csv")

    assert list(csv.reader(io.StringIO(answer.out))) == [
        ["name", "role", "rule", "certainty"],
        ["rms_norm_kernel", "norm", "norm", "certain"],
        ["xyzzy", "", "", ""],
        ["rms_norm_kernel", "norm", "norm", "certain"],
        ["nvjet_tst_64x8", "fc", "cublas", "certain"],
    ]


def test_bare_names_as_json_say_null_for_unclassified(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer = run(capsys, "roles", "--names", names(tmp_path, b"xyzzy"), "--format", "json")

    assert json.loads(answer.out)["rows"] == [{"name": "xyzzy", "role": None, "rule": None, "certainty": None}]


def test_strange_bytes_in_names_are_never_printed_raw(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = names(tmp_path, b"a\x1b[31mb", b"\xff\xfe", b"\xe2\x80\xaeflash", b"x" * 100_000)

    for form in ("table", "csv", "json", "markdown"):
        answer = run(capsys, "roles", "--names", file, "--format", form)

        assert answer.code == 0
        assert not {"\x1b", "\u202e", "\x00"} & set(answer.out)
        assert len(answer.out) < 20_000


def test_a_name_is_explained_by_its_rule_and_those_it_beats(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "roles", "--explain", "reshape_and_cache_mla_kernel")

    assert answer.out.startswith("reshape_and_cache_mla_kernel is kv-cache by rule cache-write: ")
    assert "cache-any" in answer.out


def test_a_name_that_no_rule_knows_is_said_to_be_unclassified(capsys: pytest.CaptureFixture[str]) -> None:
    assert "No rule matches xyzzy" in run(capsys, "roles", "--explain", "xyzzy").out


def test_a_role_that_the_name_does_not_prove_is_said_to_be_likely(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    listed = run(capsys, "roles", "--names", names(tmp_path, b"copy_trellis_kernel", b"copy_rows_kernel"), "--format", "csv")

    assert [row[3] for row in csv.reader(io.StringIO(listed.out))] == ["certainty", "likely", "certain"]
    assert "likely and does not prove it" in run(capsys, "roles", "--explain", "copy_trellis_kernel").out
    assert "likely" not in run(capsys, "roles", "--explain", "copy_rows_kernel").out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "no capture was named"),
        (["--names", "-", "--unknown"], "--names stands alone"),
        (["x.csv", "--explain", "a", "--unknown"], "exclude each other"),
        (["--names", "/no/such/file"], "cannot be read"),
    ],
)
def test_a_question_that_makes_no_sense_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], what: str
) -> None:
    answer = run(capsys, "roles", *arguments)

    assert (answer.code, answer.out, answer.err.count("\n")) == (3, "", 1)
    assert what in answer.err


def test_a_wrong_rules_file_ends_the_command_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rules = tmp_path / "mine.toml"
    rules.write_text("[[rule]]\nrole = 'fcc'\nfunction = 'x'\n")

    answer = run(capsys, "roles", "--explain", "x", "--roles", str(rules))

    assert answer.code == 3
    assert "mine.toml, line 2: unknown role 'fcc'" in answer.err


STUDENT = "AveryClapp__ESMM-Research__metrics.csv"
GEMMA = (
    "EricLBuehler__mistral.rs__gemma4_cuda_sweep_20260525__26b_bf16_moe_profile_20260526__vllm_26b_bf16_d128_g16_ncu_range.csv"
)


@needs_corpus
def test_what_is_not_recognised_is_a_rules_file_that_knows_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capture, rules = str(CORPUS / "csv" / STUDENT), tmp_path / "mine.toml"
    rules.write_text(run(capsys, "roles", capture, "--unknown").out)

    answer = run(capsys, "roles", capture, "--roles", str(rules))

    assert len([r for r in load_rules(rules).rules if r.user]) == 7
    assert "Every kernel has a role." in answer.out


@needs_corpus
def test_a_decode_capture_is_split_into_fc_attention_and_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "roles", str(CORPUS / "csv" / GEMMA), "--format", "json")

    rows = {row["role"]: row for row in json.loads(answer.out)["rows"]}
    # 510 layers run: one unified attention each, 480 of them with a reduction over segments
    assert rows["attention"]["launches"] == 510 + 480
    assert rows["kv-cache"]["launches"] == 510
    assert sum(row["launches"] for row in rows.values()) == 10_111
    assert sum(row["time_share"] for row in rows.values()) == pytest.approx(1)


def test_explain_says_what_a_kernel_read_where_behaviour_decided(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    capture = nr.read(Path(__file__).parents[2] / "fixtures" / "measured" / "h100-dense-b8.ncu-repz")
    names = pl.Series("name", ["kernel_17"] * capture.launches.height)
    bare = capture.launches.with_columns(names, names.alias("kernel"), nvtx=pl.lit(None, capture.launches.schema["nvtx"]))
    nr.save(replace(capture, launches=bare), tmp_path / "hidden.parquet")
    answer = run(capsys, "roles", str(tmp_path / "hidden.parquet"), "--model", "llama-3.1-8b", "--explain", "kernel_17")
    said = " ".join(answer.out.split())

    assert "By behaviour 4 launches of it in this capture are attention" in said
    assert "71.6 MB a launch" in said  # 4 launches: (268.6 read + 17.7 written) / 4
