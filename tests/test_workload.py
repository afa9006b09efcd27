"""The workload's arguments, shapes and floor, without torch; the step itself where torch is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ncu_roofline.knowledge.recipe import recipe
from tests.synthetic import LLAMA_8B, QWEN3_MOE

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOLDER = FIXTURES / "capture"
PROGRAM = FOLDER / "decode_step.py"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("decode_step", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["decode_step"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


workload = loaded()


def dry(*words: str) -> dict[str, Any]:
    """What `--dry-run` prints, in a Python that must not need torch."""
    done = subprocess.run([sys.executable, str(PROGRAM), "--dry-run", *words], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_dense_floor_is_every_weight_and_every_cached_value_once() -> None:
    found = dry("--batch", "8", "--context", "2048", "--layers", "32")
    # per layer: q and o 2 x 4096 x 4096, k and v 2 x 1024 x 4096, gate, up and down 3 x 14336 x 4096
    layer = 2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 14336 * 4096
    assert found["weight_bytes"] == 2 * (32 * layer + 128256 * 4096)
    assert found["kv_bytes"] == 2 * 32 * 8 * 2048 * 8 * 128 * 2


@pytest.mark.parametrize(
    ("variant", "share"), [("zeroed", 1), ("fp8", 1 / 2), ("sparse24", 0.5625), ("int4", (0.5 + 4 / 128) / 2)]
)
def test_variant_changes_the_bytes_of_the_layers_only(variant: str, share: float) -> None:
    head = 128256 * 4096 * 2
    layers = dry()["weight_bytes"] - head
    assert dry("--variant", variant)["weight_bytes"] - head == pytest.approx(share * layers)


def test_mha_reads_four_times_the_cache_of_grouped_heads() -> None:
    assert dry("--variant", "mha")["kv_bytes"] == 4 * dry()["kv_bytes"]


def test_skipped_experts_count_only_where_they_are_read() -> None:
    words = ("--batch", "8", "--layers", "4", "--variant")
    moe, skip, read = (dry(*words, v)["weight_bytes"] for v in ("moe", "moe-skip", "moe-skip-read"))
    # two of four layers: 128 (1 - (1 - 8/128)^8) experts of 3 x 768 x 2048 weights of 2 bytes
    assert moe - skip == pytest.approx(2 * 128 * (1 - (1 - 8 / 128) ** 8) * 3 * 768 * 2048 * 2)
    assert read == moe


@pytest.mark.parametrize(("name", "known"), [("llama-3.1-8b", LLAMA_8B), ("qwen3-30b-a3b", QWEN3_MOE)])
def test_shapes_are_those_of_the_published_models(name: str, known: Any) -> None:
    shape = workload.SHAPES[name]
    for field in ("hidden", "heads", "kv_heads", "width", "ffn", "vocabulary", "experts", "per_token"):
        assert getattr(shape, field) == getattr(known, field)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--variant", "moe", "--shape", "tiny"], "--shape tiny does not fit --variant moe"),
        (["--shape", "tiny-moe"], "--shape tiny-moe does not fit --variant dense"),
        (["--batch", "0"], "must be at least 1"),
        (["--graph", "--device", "cpu"], "--graph needs --device cuda"),
        (["--variant", "magic"], "invalid choice"),
    ],
)
def test_wrong_arguments_are_refused_before_torch_is_touched(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        workload.parsed(words)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


TORCH = importlib.util.find_spec("torch") is not None


@pytest.mark.skipif(TORCH, reason="torch is installed, so its absence cannot be tried")
def test_missing_torch_is_said_in_one_line() -> None:
    done = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "decode_step.py: torch is missing; pip install torch, or add --dry-run\n")


@pytest.mark.skipif(not TORCH, reason="torch is not installed")
@pytest.mark.parametrize("variant", workload.VARIANTS)
def test_every_variant_takes_a_step_on_a_cpu(variant: str) -> None:
    shape = "tiny-moe" if variant.startswith("moe") else "tiny"
    words = ["--shape", shape, "--variant", variant, "--batch", "3", "--context", "32", "--layers", "2"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), *words, "--device", "cpu"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["seconds"] > 0


def planned() -> list[str]:
    """The command lines that the script would run."""
    done = subprocess.run(
        ["bash", str(FOLDER / "captures.sh"), "--dry-run", "out"],
        env={**os.environ, "PYTHON": "python3"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def metrics(line: str) -> list[str]:
    """The metrics that a command asks for."""
    words = line.split()
    return words[words.index("--metrics") + 1].split(",")


def test_script_asks_for_the_recipe_whole_steps_first() -> None:
    asked = recipe(("H100", "9.0"), dtypes=["bf16", "fp8"])
    whole, moe, kernels = [line for line in planned() if line.startswith("ncu --target")][:3]
    for line in (whole, moe):
        assert metrics(line) == asked.whole[list(asked.whole).index("--metrics") + 1].split(",")
        assert "--graph-profiling graph" in line
    assert metrics(kernels) == [m.part for m in asked.metrics]
    for part in ("--clock-control none", "--cache-control none", "--profile-from-start off", "--replay-mode kernel"):
        assert part in whole
        assert part in kernels


def test_script_passes_only_arguments_that_the_workload_takes() -> None:
    runs = [line.split("decode_step.py ")[1].split() for line in planned() if "decode_step.py" in line]
    steps = [step for words in runs for step in workload.every(workload.parsed(words))]
    assert {step.variant for step in steps} == set(workload.VARIANTS)
    whole = [step for words in runs[:2] for step in workload.every(workload.parsed(words))]
    assert {step.variant for step in whole} == set(workload.VARIANTS)
    assert all(step.graph for step in whole)


def test_several_steps_of_one_process_have_a_range_and_a_shape_each() -> None:
    steps = workload.every(workload.parsed(["--batch", "8", "--also", "fp8:1", "--also", "moe:32"]))
    assert [(s.variant, s.batch, s.shape, s.range) for s in steps] == [
        ("dense", 8, "llama-3.1-8b", "run.0"),
        ("fp8", 1, "llama-3.1-8b", "run.1"),
        ("moe", 32, "qwen3-30b-a3b", "run.2"),
    ]
    (alone,) = workload.every(workload.parsed(["--batch", "8"]))
    assert "range" not in alone


def test_a_dry_run_says_what_each_capture_costs() -> None:
    said = [line for line in planned() if line.startswith("# ")]
    assert "# whole-b8, 9 results: about 19 s, ends at 19 s" in said  # 10 s to start, 1 s each
    (dense,) = [line for line in said if line.startswith("# dense-b8, ")]
    assert dense == "# dense-b8, 124 results: about 59 s, ends at 91 s"  # 10 + 0.4 x 124 = 59, behind 19 + 13
    (fp8,) = [line for line in said if line.startswith("# fp8-b8, ")]
    assert fp8.endswith("beyond the budget of 480 s")
    assert planned()[-2] == "ncu-roofline slim out/*.ncu-rep out/*.csv -o out/slim"


def test_script_leaves_clocks_alone_and_names_every_report() -> None:
    captures = [line for line in planned() if line.startswith("ncu --target-processes")]
    assert all("--clock-control none" in line for line in captures)
    reports = [re.search(r"-o out/(\S+)\.ncu-rep", line) for line in captures]
    names = [found[1] for found in reports if found]
    assert len(names) == len(captures) == len(set(names))
    # the least that the fixtures must hold
    assert {
        "dense-b1",
        "dense-b8",
        "dense-b32",
        "dense-b128",
        "zeroed-b8",
        "sparse24-b8",
        "fp8-b8",
        "mha-b8",
        "moe-b8",
        "moe-skip-b8",
        "moe-skip-read-b8",
        "dense-b8-flushed",
        "dense-b8-full",
        "dense-b8-graph",
        "whole-b8",
        "whole-moe-b8",
    } <= set(names)


def test_script_says_what_is_missing_and_runs_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/bash", str(FOLDER / "captures.sh"), str(tmp_path / "out")],
        env={**os.environ, "PATH": "/usr/bin:/bin", "PYTHON": "no-such-python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "is missing" in done.stderr
    assert not (tmp_path / "out").exists()


def test_readme_says_which_variants_are_timed_only() -> None:
    measured = " ".join(path.name for path in (FIXTURES / "measured").glob("*.ncu-repz"))
    said = (FOLDER / "README.md").read_text(encoding="utf-8")
    (timed_only,) = re.findall(r"Not captured yet: (.*?), of which", said, re.DOTALL)
    assert set(re.findall(r"`([\w-]+)`", timed_only)) == {
        v for v in workload.VARIANTS if f"-{v}-" not in measured and v != "moe"
    }
