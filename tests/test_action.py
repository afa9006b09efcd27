"""The action's step, executed as it stands on measured captures: outputs, summary, comment and exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "fixtures" / "measured"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
INPUTS = {name: spec.get("default", "") for name, spec in ACTION["inputs"].items()}
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="the step is a shell script"),
    pytest.mark.slow,  # each starts processes
]


def done(folder: Path, base: str, head: str, **inputs: str) -> tuple[int, dict[str, str], str]:
    """Exit code, outputs and job summary of the last step, run as a runner runs it."""
    (step,) = [s for s in STEPS if s.get("id") == "compare"]
    given = INPUTS | {"base": str(MEASURED / base), "head": str(MEASURED / head)} | inputs
    told = {name: given[value[len("${{ inputs.") : -len(" }}")]] for name, value in step["env"].items()}
    files = {"GITHUB_OUTPUT": folder / "outputs", "GITHUB_STEP_SUMMARY": folder / "summary.md"}
    scripts = Path(sys.executable).parent
    env = os.environ | told | {k: str(v) for k, v in files.items()}
    env |= {"GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(folder), "PATH": f"{scripts}:{os.environ['PATH']}"}

    ran = subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], env=env, cwd=folder, capture_output=True, check=False)
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines())
    return ran.returncode, outputs, files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")


def test_a_cut_that_keeps_its_rule_passes_and_tells_everything(tmp_path: Path) -> None:
    rule = "bytes_per_token > +2%"
    code, outputs, summary = done(
        tmp_path, "h100-dense-b8.ncu-repz", "h100-fp8-b8.ncu-repz", vary="weights", **{"fail-if": rule}
    )

    assert code == 0
    assert outputs["verdict"] == "cuts_bytes"
    assert 280e6 < float(outputs["bytes-per-token"]) < 285e6
    assert 170e-6 < float(outputs["time-per-token"]) < 180e-6
    assert set(outputs) == set(ACTION["outputs"])
    assert Path(outputs["json"]).is_file()
    assert (tmp_path / outputs["comment-file"]).read_text(encoding="utf-8") == summary
    assert "283 MB" in summary


def test_a_rule_that_fails_fails_the_step(tmp_path: Path) -> None:
    code, outputs, summary = done(
        tmp_path,
        "h100-fp8-b8.ncu-repz",
        "h100-dense-b8.ncu-repz",
        vary="weights",
        **{"fail-if": "bytes_per_token > +2%\nseconds_per_token > 5 ms"},
    )

    assert code == 1
    assert outputs["verdict"] == "moves_more"
    assert summary.startswith("Gate failed: ")
    assert "+40.26 % measured" in summary


def test_a_rule_that_cannot_be_told_fails_the_step_with_a_code_of_its_own(tmp_path: Path) -> None:
    code, outputs, summary = done(
        tmp_path, "h100-dense-b8.ncu-repz", "h100-fp8-b8.ncu-repz", vary="weights", **{"fail-if": "seconds_per_token > -13%"}
    )

    # time falls by 11.9 %, give or take 7 %: whether by 13 % nobody knows
    assert code == 5
    assert outputs["verdict"] == "cuts_bytes"
    assert summary.startswith("Gate cannot tell: ")
    assert "cannot be told" in summary.partition("\n")[0]
    assert Path(outputs["json"]).is_file()
    assert (tmp_path / outputs["comment-file"]).is_file()


def test_what_is_not_comparable_says_so(tmp_path: Path) -> None:
    code, outputs, summary = done(tmp_path, "h100-dense-b8.ncu-repz", "h100-moe-b8.ncu-repz")

    assert code == 4
    assert (outputs["verdict"], outputs["bytes-per-token"]) == ("not_comparable", "")
    assert "mixture of experts" in summary


def test_a_path_is_never_a_command(tmp_path: Path) -> None:
    code, outputs, _ = done(tmp_path, "h100-dense-b8.ncu-repz", "$(touch owned); touch owned")

    assert code == 3
    assert outputs["verdict"] == "unusable"
    assert (outputs["json"], outputs["comment-file"]) == ("", "")
    assert not (tmp_path / "owned").exists()


def test_no_module_of_the_workspace_is_run(tmp_path: Path) -> None:
    for name in ("json", "pathlib", "pip", "re"):
        (tmp_path / f"{name}.py").write_text("open('run', 'w').close()\n")
    code, outputs, _ = done(tmp_path, "h100-dense-b8.ncu-repz", "h100-fp8-b8.ncu-repz", vary="weights")
    assert (code, outputs["verdict"]) == (0, "cuts_bytes")
    assert not (tmp_path / "run").exists()
    scripts = [step["run"] for step in STEPS if "run" in step] + [(ROOT / "examples/github/compare.sh").read_text()]
    assert all(
        each.startswith(" -I ") for script in scripts for each in re.split(r"^(?:run: )?python(?= )", script, flags=re.M)[1:]
    )


def test_inputs_reach_the_shell_as_variables_only_and_actions_are_pinned() -> None:
    assert not [s["run"] for s in STEPS if "${{" in s.get("run", "")]
    assert all(len(s["uses"].split("@")[1]) == 40 for s in STEPS if "uses" in s)


def test_the_phase_goes_to_the_comparison(tmp_path: Path) -> None:
    code, outputs, _ = done(tmp_path, "h100-dense-b8.ncu-repz", "h100-fp8-b8.ncu-repz", phase="prefill")

    # the captures hold decode alone
    assert (code, outputs["verdict"]) == (3, "unusable")


def test_both_captures_are_read_once() -> None:
    script = (ROOT / "examples" / "github" / "compare.sh").read_text(encoding="utf-8")
    example = (ROOT / "examples" / "github" / "bytes-per-token.yml").read_text(encoding="utf-8")

    assert [text.count("ncu-roofline compare ") for text in (script, example)] == [1, 1]


def test_the_example_installs_this_version() -> None:
    example = (ROOT / "examples" / "github" / "bytes-per-token.yml").read_text(encoding="utf-8")

    assert f"ncu-roofline=={project()['version']}" in example


def project() -> dict[str, str]:
    """The project's own table."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    return {"version": next(line.split('"')[1] for line in lines if line.startswith("version = "))}


def test_every_action_of_others_is_pinned_by_commit() -> None:
    files = [
        ROOT / "action.yml",
        *(ROOT / "examples" / "github").glob("*.yml"),
        *(ROOT / ".github" / "workflows").glob("*.yml"),
    ]
    used = [u for file in files for u in re.findall(r"uses: (\S+)", file.read_text(encoding="utf-8"))]

    assert len(used) >= 10
    assert [u for u in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", u)] == []
