"""Every JSON answer follows its schema, on every kind of capture; schemas are versioned, and answers small."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ncu_roofline.present.forms.json import SCHEMA_VERSION
from tests.command import run
from tests.corpus import CORPUS, files, needs_corpus
from tests.generator.timelines import timeline, write_kineto
from tools import pages, schemas

FOLDER = Path("fixtures/synthetic")
EVERY = sorted(p.name for p in FOLDER.glob("*.*") if p.suffix != ".md")
PAIR = ("dense-b8.ncu-repz", "fp8-b8.ncu-repz")
PLAIN_JSON = {"plot", "demo", "save", "slim", "report", "baseline save", "baseline list", "ingest", "compact"}
"""Commands without a JSON answer of ours: Vega-Lite, files, or a few lines of text."""
ASKED = {
    "summary": [["summary", name] for name in EVERY] + [["summary", "dense-b8.ncu-repz", "--tpot", "8.0ms"]],
    "kernels": [
        ["kernels", name, "--by", by] for name in ("demo.ncu-rep", "dense-b8-basic.ncu-repz") for by in ("launch", "kernel")
    ],
    "check": [["check", name] for name in EVERY],
    "tokens": [["tokens", "demo.ncu-rep", "--by", by] for by in ("role", "layer", "kernel", "step")]
    + [
        ["tokens", "dense-b8.ncu-repz", "--model", "llama-3.1-8b"],
        ["tokens", "prefill-decode.ncu-repz"],
        ["tokens", "dense-b8.ncu-repz", "--step-time", "8.0ms"],
        ["tokens", "dense-b8-basic.ncu-repz"],
    ],
    "roles": [
        ["roles", "demo.ncu-rep"],
        ["roles", "demo.ncu-rep", "--unknown"],
        ["roles", "--explain", "void flash_fwd_kernel<1>()"],
        ["roles", "demo.ncu-rep", "--explain", "flash_fwd_splitkv_kernel"],
    ],
    "compare": [["compare", *PAIR, "--vary", "weights", "--by", by] for by in ("role", "layer", "kernel")]
    + [
        ["compare", "dense-b8.ncu-repz", "dense-b8.ncu-repz"],
        ["compare", *PAIR, "--vary", "weights", "--step-time", "8.0ms,6.1ms"],
        ["compare", *PAIR, "--vary", "weights", "--fail-if", "bytes_per_token > +2%"],
        ["compare", "dense-b1.ncu-repz", "dense-b8.ncu-repz"],
        ["compare", "dense-b8-basic.ncu-repz", "dense-b8.ncu-repz"],
    ],
    "sweep": [
        ["sweep", "dense-b1.ncu-repz", "dense-b8.ncu-repz", "dense-b32.ncu-repz", "--model", "llama-3.1-8b"],
        ["sweep", "dense-b8.ncu-repz", "kv8-b8.ncu-repz", "--along", "cache", "--values", "bf16,fp8"],
    ],
    "project": [
        ["project", "dense-b8.ncu-repz", "--gpu", "b200", "--weights", "fp8"],
        ["project", "dense-b8.ncu-repz", "--batch", "32", "--against", "dense-b32.ncu-repz"],
    ],
    "floor": [
        ["floor", "--model", model, "--gpu", "h100", *more]
        for model in ("llama-3.1-8b", "deepseek-v3", "qwen3-30b-a3b")
        for more in ([], ["--context", "4096", "--step-time", "9ms"])
    ],
    "gpus": [["gpus"], ["gpus", "h100"]],
    "recipe": [["recipe"], ["recipe", "--gpu", "b200", "--engine", "vllm", "--for", "bytes"], ["recipe", "--gpu", "t4"]],
}


def valid(answer: str, command: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(answer, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    jsonschema.Draft202012Validator(schemas.schemas()[command]).validate(parsed)
    return parsed


@pytest.mark.parametrize("asked", [a for each in ASKED.values() for a in each], ids=" ".join)
def test_the_answer_follows_its_schema(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(FOLDER / word) if word in EVERY else word for word in asked]

    answer = run(capsys, *words, "--format", "json")

    assert answer.code in (0, 4), answer.err
    valid(answer.out, asked[0])


def test_every_command_that_answers_in_json_has_a_schema_and_is_asked_here() -> None:
    names = {name for name, _ in pages.all_commands()} - PLAIN_JSON

    assert names == set(schemas.schemas()) == set(ASKED) | {"step", "history"}


@pytest.mark.parametrize("seed", [1, 0])  # one without a step, one with
def test_the_answer_of_a_trace_follows_its_schema(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(capsys, "step", str(write_kineto(timeline(seed), tmp_path / "t.json")), "--format", "json")
    with_both = run(
        capsys,
        "step",
        str(tmp_path / "t.json"),
        *("--with", str(FOLDER / "dense-b8.ncu-repz"), "--model", "llama-3.1-8b", "--batch", "8", "--format", "json"),
    )
    valid(with_both.out, "step")

    assert answer.code == 0, answer.err
    assert (valid(answer.out, "step")["measured_step_seconds"]["median"] is None) == (seed == 1)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_schemas_are_valid_and_versioned(name: str) -> None:
    schema = schemas.schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)

    assert schema["properties"]["schema_version"] == {"const": SCHEMA_VERSION}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", EVERY)
def test_a_summary_is_below_eight_kilobytes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(run(capsys, "summary", str(FOLDER / name), "--format", "json").out.encode()) < 8000


@needs_corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", files("rep", "csv-raw", "csv-long")[::9])
def test_answers_about_public_captures_follow_their_schemas_too(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("summary", "check", "tokens", "kernels", "roles"):
        answer = run(capsys, command, str(CORPUS / name), "--format", "json")
        if answer.code == 0:
            valid(answer.out, command)
            assert command != "summary" or len(answer.out.encode()) < 8000
        else:
            assert answer.code == 3 and answer.out == ""
