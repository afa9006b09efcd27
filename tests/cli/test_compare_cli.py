"""`compare` and `baseline` as a person runs them: exit codes, forms, and real captures."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ncu_roofline.cli import main
from ncu_roofline.readers import saved
from tests import synthetic
from tests.corpus import CORPUS, needs_corpus

SGLANG = CORPUS / "csv" / "gujialiang123__MOEresearch__results__2026-06-09_sglang_triton_sweep__ncu__"
LLAMA = CORPUS / "csv" / "chuanbinp__uncertainty-aware-inference__TeamB__llama__results__ncu__llama2_7b_"
BATCHES = {1: "R_short_decode", 8: "R_medium_balanced", 32: "R_concurrent_decode"}
FORMATS = ("table", "markdown", "json", "csv")


def qwen(batch: int) -> str:
    return f"{SGLANG}{BATCHES[batch]}__ncu_raw_full.csv"


def stored(folder: Path, name: str, **options: Any) -> str:
    """A synthetic capture as a file: 4 layers, 2 steps, 1 % noise of time."""
    path = folder / f"{name}.parquet"
    path.write_bytes(saved.packed(synthetic.capture(layers=4, steps=2, noise=0.01, **options)))
    return str(path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command line; gives exit code, standard output and standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_a_cut_in_bytes_is_said_first_with_its_numbers(run: Any, tmp_path: Path) -> None:
    code, out, _ = run("compare", stored(tmp_path, "bf16"), stored(tmp_path, "int4", weights="int4", seed=1))
    assert code == 0
    assert out.startswith("Cuts bytes: ")
    for part in ("DRAM bytes per token", "What changed in kernels", "What cannot be trusted"):
        assert part in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_json_holds_verdict_reason_and_rows(run: Any, tmp_path: Path) -> None:
    code, out, _ = run("compare", stored(tmp_path, "a"), stored(tmp_path, "b", weights="fp8", seed=1), "--format", "json")
    found = json.loads(out)
    assert code == 0
    # the least that time can be decides: half of the gain that the bytes allow, or surely less
    half = math.sqrt(1 + found["bytes_change"]["value"])
    assert found["verdict"] == ("bytes_cut_time_kept" if 1 + found["time_change"]["low"] > half else "cuts_bytes")
    assert found["reason"] and found["basis"] == "token"
    assert {r["role"] for r in found["rows"]} >= {"fc", "attention", "quantize"}
    total = found["numbers"]["bytes"]
    assert sum(r["head_bytes"] or 0 for r in found["rows"]) == pytest.approx(total["head"])


@pytest.mark.parametrize("by", ["role", "layer", "kernel"])
def test_rows_can_be_roles_layers_or_kernels(run: Any, tmp_path: Path, by: str) -> None:
    code, out, _ = run("compare", stored(tmp_path, "a"), stored(tmp_path, "b", seed=1), "--by", by, "--format", "json")
    assert code == 0
    assert len(json.loads(out)["rows"]) > 3


def test_a_broken_rule_exits_1_after_the_answer(run: Any, tmp_path: Path) -> None:
    code, out, err = run(
        "compare", stored(tmp_path, "a", weights="fp8"), stored(tmp_path, "b", seed=1), "--fail-if", "bytes_per_token > +2%"
    )
    assert code == 1
    assert out.startswith("Gate failed: 'bytes_per_token > +2%' fails: +")
    assert "bytes_per_token" in err


def test_rules_that_hold_exit_0(run: Any, tmp_path: Path) -> None:
    code, out, _ = run(
        "compare",
        stored(tmp_path, "a"),
        stored(tmp_path, "b", seed=1),
        "--fail-if",
        "bytes_per_token > +2%",
        "--fail-if",
        "bytes_per_token[fc] > 90 GB",
    )
    assert code == 0
    assert out.startswith("Gate passed: 2 of 2 rules hold.")


def test_repeated_captures_narrow_the_noise(run: Any, tmp_path: Path) -> None:
    base = [stored(tmp_path, f"a{n}", seed=n) for n in range(3)]
    head = [stored(tmp_path, f"b{n}", seed=10 + n) for n in range(3)]
    _, single, _ = run("compare", base[0], head[0], "--format", "json")
    code, repeated, _ = run("compare", "--base", *base, "--head", *head, "--format", "json")
    found = json.loads(repeated)
    assert (code, found["verdict"], len(found["base"]), len(found["head"])) == (0, "no_change", 3, 3)
    assert found["numbers"]["seconds"]["noise"] < json.loads(single)["numbers"]["seconds"]["noise"]


def test_a_baseline_is_saved_listed_compared_and_kept(run: Any, tmp_path: Path) -> None:
    folder = ["--folder", str(tmp_path / "baselines")]
    base, head = stored(tmp_path, "a"), stored(tmp_path, "b", seed=1)
    assert run("baseline", "save", "main", base, *folder)[0] == 0
    assert run("baseline", "save", "main", head, *folder)[0] == 3
    assert run("baseline", "list", *folder)[1] == "main  1 capture\n"
    assert run("compare", "--baseline", "main", base, *folder)[1].startswith("No change: ")
    assert run("baseline", "save", "main", base, head, *folder, "--force")[0] == 0
    assert run("baseline", "list", *folder)[1] == "main  2 captures\n"
    code, _, err = run("compare", "--baseline", "mian", base, *folder)
    assert (code, "stored: main" in err) == (3, True)
    assert run("baseline", "save", "../up", base, *folder)[0] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a"], "needs one base and one head, 1 was named"),
        (["a", "b", "c"], "needs one base and one head, 3 were named"),
        (["a", "b", "--vary", "weather"], "known: batch, weights"),
        (["a", "b", "--fail-if", "speed > 2%"], "unknown name 'speed'"),
        (["a", "b", "--fail-if", "bytes_per_token > 2%", "--fail-if", "bytes_per_token < 3%"], "contradict"),
        (["a", "b", "--allow-cannot-tell"], "a gate needs a rule"),
        (["a", "none-*.parquet"], "none-"),
        (["a", "b", "--gpu", "h1000"], "nearest"),
        (["a", "b", "--base-run", "batch"], "KEY=VALUE"),
        (["a", "b", "--head-run", "bach=2"], "'bach' is not a fact"),
        (["a", "b", "--base", "a", "--baseline", "x"], "both name the base"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_3(run: Any, tmp_path: Path, arguments: list[str], said: str) -> None:
    files = {name: stored(tmp_path, name) for name in ("a", "b")}
    code, out, err = run("compare", *[files.get(word, word) for word in arguments])
    assert (code, out) == (3, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_captures_of_different_models_are_unusable(run: Any, tmp_path: Path) -> None:
    a, b = stored(tmp_path, "a"), stored(tmp_path, "b")
    code, out, err = run("compare", a, b, "--base-run", "model=llama-3.1-8b", "--head-run", "model=qwen3-30b-a3b")
    assert (code, out) == (3, "")
    assert "compare captures of one model" in err


def test_synthetic_and_other_cache_control_are_not_comparable_until_asked_for_anyway(run: Any, tmp_path: Path) -> None:
    pair = (stored(tmp_path, "warm"), stored(tmp_path, "cold", cache="all"))
    code, out, err = run("compare", *pair, "--format", "json")
    assert (code, json.loads(out)["verdict"], json.loads(out)["rows"]) == (4, "not_comparable", [])
    assert "cache control" in err
    code, out, _ = run("compare", *pair, "--anyway")
    assert code == 0
    assert "not comparable, numbers shown all the same" in out.replace("\n", " ")
    assert "Cache control is none in the base and all in the head" in out.replace("\n  ", " ")


@needs_corpus
@pytest.mark.parametrize(("before", "after"), [(1, 8), (8, 32), (1, 32)])
def test_qwen_at_larger_batches_moves_fewer_bytes_per_token(run: Any, before: int, after: int) -> None:
    code, out, _ = run("compare", qwen(before), qwen(after), "--vary", "batch", "--format", "json")
    found = json.loads(out)
    assert (code, found["verdict"]) == (0, "cuts_bytes")
    assert found["numbers"]["bytes"]["change"] < -0.3
    assert [d["what"] for d in found["differences"]] == ["batch"]
    assert any("parts of a step" in d for d in found["doubts"])


@needs_corpus
def test_with_the_model_the_contexts_are_seen_to_differ_and_have_to_be_named_too(run: Any) -> None:
    pair = (qwen(1), qwen(32), "--model", "qwen3-30b-a3b", "--format", "json")
    code, out, err = run("compare", *pair, "--vary", "batch")
    assert (code, json.loads(out)["verdict"]) == (4, "not_comparable")
    assert "differ in context" in err
    code, out, _ = run("compare", *pair, "--vary", "batch,context")
    found = json.loads(out)
    assert (code, found["verdict"], found["basis"]) == (0, "cuts_bytes", "part")
    # both windows are parts of a step: 117.7 MB less the second product of the experts (25.3) that the window of 32 ends before
    assert found["numbers"]["bytes"]["base"] == pytest.approx(1.177e8 - 2.53e7, rel=0.001)


@needs_corpus
@pytest.mark.parametrize("form", FORMATS)
def test_qwen_at_another_batch_by_accident_is_not_comparable_in_every_form(run: Any, form: str) -> None:
    code, out, err = run("compare", qwen(1), qwen(8), "--format", form)
    assert code == 4
    assert "batch" in err
    assert "MB" not in out


@needs_corpus
@pytest.mark.parametrize("form", FORMATS)
def test_a_real_capture_against_itself_is_no_change_in_every_form(run: Any, form: str) -> None:
    code, out, _ = run("compare", qwen(8), qwen(8), "--format", form)
    assert code == 0
    assert {"table": "No change: ", "markdown": "No change: ", "json": '"verdict": "no_change"', "csv": ",no_change,"}[
        form
    ] in out


@needs_corpus
def test_awq_on_l4_reads_fewer_bytes_a_layer_and_takes_longer(run: Any) -> None:
    code, out, _ = run("compare", f"{LLAMA}fp16_metrics.csv", f"{LLAMA}awq_int4_metrics.csv", "--gpu", "l4", "--format", "json")
    found = json.loads(out)
    assert (code, found["verdict"], found["basis"]) == (0, "bytes_cut_slower", "layer")
    assert found["realised"] < 0 < found["numbers"]["seconds"]["change"]


@needs_corpus
def test_gptq_on_l4_reads_fewer_bytes_a_layer_and_follows_them(run: Any) -> None:
    _, out, _ = run("compare", f"{LLAMA}fp16_metrics.csv", f"{LLAMA}gptq_int4_metrics.csv", "--gpu", "l4", "--format", "json")
    assert (json.loads(out)["verdict"], json.loads(out)["basis"]) == ("cuts_bytes", "layer")


@needs_corpus
def test_nf4_on_l4_holds_less_than_a_layer_and_cannot_be_told(run: Any) -> None:
    # 20 launches are 2 whole layers of FP16 and less than one of NF4, which dequantises before each product
    code, out, _ = run("compare", f"{LLAMA}fp16_metrics.csv", f"{LLAMA}nf4_metrics.csv", "--gpu", "l4", "--format", "json")
    found = json.loads(out)
    assert (code, found["verdict"], found["doubt"]) == (0, "cannot_tell", "missing:basis")
    assert {r["verdict"] for r in found["rows"]} == {"cannot_tell"}
