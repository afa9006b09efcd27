"""The recipe asks for what the tool reads, promises what was computed, and runs as printed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from ncu_roofline.cli import main
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.counters import wanted
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.recipe import Recipe, for_gap, recipe, table
from ncu_roofline.present.documents.recipe import markdown, passes, script
from ncu_roofline.readers import read
from tests.synthetic import decode_run

CAPABILITIES = [c for a in table()["architecture"] for c in a["compute_capabilities"]]


def names(made: Recipe) -> list[str]:
    return [metric.part for metric in made.metrics]


# metrics.md 7.1: passes of the base and tensor list, and one more for the six scalar counters
@pytest.mark.parametrize(
    ("capability", "dtypes", "count"),
    [
        ("8.0", ["bf16"], 1 + 1),
        ("8.0", ["bf16", "fp16"], 2 + 1),
        ("8.6", ["bf16"], 1 + 1),
        ("8.9", ["bf16", "fp8"], 2 + 1),
        ("9.0", ["bf16", "fp8"], 1 + 1),
        ("9.0", ["bf16", "fp16", "fp8"], 3 + 1),
        ("10.0", ["bf16", "fp8", "fp4"], 2 + 1),
        ("12.0", ["bf16"], 1 + 1),
        ("12.0", ["bf16", "fp8", "fp4"], 3 + 1),
        ("12.1", ["bf16"], 2 + 1),
    ],
)
def test_promised_passes_are_those_that_the_scheduler_computed(capability: str, dtypes: list[str], count: int) -> None:
    made = recipe(("any", capability), dtypes=dtypes)
    assert (made.passes, made.passes_exact) == (count, True)


def test_fewer_dtypes_than_computed_are_an_upper_bound() -> None:
    made = recipe(("H100", "9.0"), dtypes=["fp8"])  # computed for bf16 with fp8: 1 + 1
    assert (made.passes, made.passes_exact) == (2, False)
    assert passes(made).startswith("at most 2 replay passes")


def test_uncomputed_passes_are_not_guessed() -> None:
    made = recipe(("H100", "9.0"), dtypes=["bf16", "int8"])
    assert made.passes is None
    assert any("Nobody computed" in doubt for doubt in made.doubts)


def test_bytes_alone_cost_one_pass() -> None:
    made = recipe(purpose="bytes")
    assert made.passes == 1
    assert not [name for name in names(made) if "ops_path" in name or "sass" in name]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_metric_is_one_that_the_readers_keep(capability: str) -> None:
    made = names(recipe(("any", capability)))
    # cycles of the memory clock and the like: all of them feed a column
    assert set(made) - wanted(made) == set()
    assert len(made) == len(set(made))


def test_gddr7_blackwell_asks_under_its_own_names() -> None:
    made = names(recipe(("RTX 5090", "12.0")))
    assert "dram__bytes_op_read.sum" in made
    assert "dram__bytes_read.sum" not in made


def test_integrated_parts_ask_for_l2_misses_and_no_dram() -> None:
    made = recipe(("GB10", "12.1"))
    assert "lts__t_sectors_lookup_miss.sum" in names(made)
    assert not [name for name in names(made) if name.startswith("dram__")]
    assert any("L2 misses" in doubt for doubt in made.doubts)


@pytest.mark.parametrize(("capability", "packed"), [("10.0", True), ("10.3", True), ("9.0", False), ("12.0", False)])
def test_packed_fp32_is_asked_only_where_it_exists(capability: str, packed: bool) -> None:
    asked = names(recipe(("any", capability)))
    assert ("sm__sass_thread_inst_executed_op_ffma2_pred_on.sum" in asked) is packed


def test_no_metric_that_costs_a_breakdown_of_passes() -> None:
    for capability in CAPABILITIES:
        assert not [n for n in names(recipe(("any", capability))) if "throughput" in n or "pipe_tensor" in n]


def test_synthetic_captures_carry_the_recipe_of_their_gpu() -> None:
    asked = {f"m:{name}" for name in names(recipe(("H100", "9.0")))}
    assert asked <= set(decode_run(layers=1).columns)


def test_every_known_gpu_has_a_recipe_or_says_why_not() -> None:
    for gpu in gpus.table():
        if gpu.compute_capability and float(gpu.compute_capability) >= 7:
            assert recipe((gpu.name, gpu.compute_capability)).metrics


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtypes": ["fp4"]}, "fp4: no tensor counter on Hopper; known: bf16"),
        ({"engine": "abacus"}, "abacus: no such engine; known: torch"),
        ({"purpose": "fame"}, "fame: no such purpose; known: decode"),
        ({"gpu": ("P100", "6.0")}, "compute capability 6.0; known: 7.0"),
    ],
)
def test_what_cannot_be_cooked_is_named_with_what_can(options: dict[str, object], words: str) -> None:
    with pytest.raises(UnusableInput, match=words):
        recipe(**options)  # type: ignore[arg-type]


def test_gap_in_flops_needs_the_whole_recipe_and_a_gap_in_bytes_one_pass() -> None:
    assert for_gap(["flops", "bytes"]).purpose == "decode"
    assert for_gap(["bytes"]).purpose == "bytes"
    with pytest.raises(UnusableInput, match="No recipe mends fame"):
        for_gap(["fame"])


def ran(made: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Words and environment that a program called ncu gets when a shell runs the text."""
    fake = folder / "ncu"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$SEEN"\nenv > "$SEEN.env"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "SEEN": str(folder / "seen")}
    subprocess.run(["sh", "-c", made], env=environment, check=True)
    variables = (folder / "seen.env").read_text().splitlines()
    return (folder / "seen").read_text().splitlines(), dict(v.split("=", 1) for v in variables if "=" in v)


@pytest.mark.parametrize("engine", list(table()["engine"]))
@pytest.mark.parametrize("purpose", list(table()["purpose"]))
def test_script_hands_ncu_the_same_words_as_the_command(engine: str, purpose: str, tmp_path: Path) -> None:
    made = recipe(engine=engine, purpose=purpose, program=["python", "a b.py", "--batch", "8", "it's"])
    words, variables = ran(script(made), tmp_path)
    assert words == ran(made.command, tmp_path)[0]
    assert words[words.index("--metrics") + 1].split(",") == names(made)
    assert words[-5:] == ["python", "a b.py", "--batch", "8", "it's"]
    assert {"LC_ALL": "C", **made.environment}.items() <= variables.items()


def test_no_line_of_the_script_is_longer_than_a_page() -> None:
    scripts = [script(recipe(engine=engine)) for engine in table()["engine"]]

    assert [line for text in scripts for line in text.splitlines() if len(line) > 100] == []


def test_command_names_the_settings_that_make_captures_comparable() -> None:
    words = " ".join(recipe().words)
    for part in (
        "--cache-control none",
        "--clock-control none",
        "--replay-mode kernel",
        "--graph-profiling node",
        "--nvtx",
        "--profile-from-start off",
        "-o decode.ncu-rep",
    ):
        assert part in words


def test_program_that_marks_no_step_is_cut_by_launches() -> None:
    words = recipe(engine="llama.cpp").words
    assert "--launch-skip" in words
    assert "--profile-from-start" not in words


def test_command_line_prints_script_json_and_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            main(["recipe", "--gpu", "h100", *words])
        assert end.value.code == 0
        return capsys.readouterr().out

    made = recipe(("H100 SXM", "9.0"), dtypes=["bf16", "fp8"], program=["python", "run.py", "--batch", "8"])
    typed = ("--dtypes", "bf16,fp8", "--", "python", "run.py", "--batch", "8")
    assert said(*typed) == script(made)
    assert said("--format", "markdown", *typed) == markdown(made)
    data = json.loads(said("--format", "json", *typed))
    assert (data["command"], data["passes"]) == (made.command, 2)


def test_the_whole_step_comes_first_and_asks_what_a_graph_result_can_tell() -> None:
    made = recipe(("H100", "9.0"), dtypes=["bf16", "fp8"], program=["python", "run.py"])
    whole = " ".join(made.whole)
    assert "--graph-profiling graph" in whole and "--graph-profiling node" not in whole
    asked = made.whole[made.whole.index("--metrics") + 1].split(",")
    assert asked == ["gpu__time_duration.sum", "lts__t_bytes.sum", "dram__bytes_read.sum", "dram__bytes_write.sum"]
    assert script(made).index("step.ncu-rep") < script(made).index("decode.ncu-rep")


def test_the_engine_without_a_marked_step_has_no_whole_step() -> None:
    assert recipe(engine="llama.cpp").whole == ()
    assert recipe(purpose="bytes").whole == ()


def test_measured_passes_stand_beside_the_promise_and_are_those_of_our_captures() -> None:
    made = recipe(("H100", "9.0"), dtypes=["bf16", "fp8"])
    launches = read(Path(__file__).parents[2] / "fixtures" / "measured" / "h100-dense-b8.ncu-repz").launches
    assert made.measured == (int(launches["m:profiler__replayer_passes"].max()), "2025.3.1")  # type: ignore[arg-type]
    assert passes(made).startswith("3 replay passes, as measured")


def test_assumed_gpu_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["recipe"])
    assert "No --gpu given: metric names and passes are those of H100." in capsys.readouterr().err
