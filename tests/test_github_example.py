"""The two workflows in examples/github: their own steps, run against a stand-in for GitHub's API on this machine."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from ncu_roofline.readers import saved
from tests import synthetic

EXAMPLE = Path(__file__).parent.parent / "examples" / "github"
GATE, COMMENT = "bytes-per-token.yml", "bytes-per-token-comment.yml"
MARK = "<!-- ncu-roofline: bytes per token -->"
COMMENTS = re.compile(r"/repos/me/it/issues/7/comments(\?per_page=(\d+)&page=(\d+))?$")


class Github(ThreadingHTTPServer):
    """Comments of one pull request, and every request that changed them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: list[dict[str, Any]] = []
        self.writes: list[str] = []
        self.refuses = False
        self.pulls = [{"number": 7, "head": {"sha": "c0ffee"}}, {"number": 8, "head": {"sha": "other"}}]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """The four requests that the script makes."""

    server: Github

    def answer(self, value: Any, code: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def sent(self) -> str:
        return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

    def do_GET(self) -> None:
        if self.path.startswith("/repos/me/it/pulls?"):
            asked = parse_qs(urlsplit(self.path).query)
            self.answer(self.server.pulls if asked["head"] == ["a-fork:feature/&state=closed"] else [])
            return
        found = COMMENTS.match(self.path)
        assert found and self.headers["Authorization"] == "Bearer secret"
        size, page = int(found[2]), int(found[3])
        self.answer(self.server.comments[size * (page - 1) : size * page])

    def do_POST(self) -> None:
        if self.server.refuses:
            self.answer({"message": "Resource not accessible by integration"}, 403)
            return
        self.server.writes.append("POST")
        ours = {"login": "github-actions[bot]"}
        self.server.comments.append({"id": len(self.server.comments) + 1, "body": self.sent(), "user": ours})
        self.answer(self.server.comments[-1], 201)

    def do_PATCH(self) -> None:
        number = int(self.path.rsplit("/", 1)[1])
        self.server.writes.append("PATCH")
        next(c for c in self.server.comments if c["id"] == number)["body"] = self.sent()
        self.answer({})

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen."""


@pytest.fixture
def github() -> Iterator[Github]:
    server = Github()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with the example in it and a baseline of a 2-layer decode step."""
    shutil.copytree(EXAMPLE, tmp_path / "examples" / "github")
    capture(tmp_path, tmp_path / ".ncu-roofline" / "baselines" / "main" / "1.parquet")
    return tmp_path


def capture(repository: Path, path: Path | None = None, **options: Any) -> None:
    """A planted capture, as the pull request's own unless named."""
    target = path or repository / "captures" / "decode.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(packed(**options))


@cache
def packed(**options: Any) -> bytes:
    """The planted capture as a file."""
    return saved.packed(synthetic.capture(layers=2, noise=0.01, **options))


def steps(file: str) -> dict[str, str]:
    """Name -> script of a workflow's steps."""
    (job,) = yaml.safe_load((EXAMPLE / file).read_text(encoding="utf-8"))["jobs"].values()
    return {step["name"]: step["run"] for step in job["steps"] if "name" in step and "run" in step}


def workflow(repository: Path, github: Github, **changed: str) -> int:
    """Runs the gate, then the comment with the capture that the gate kept; the exit code of the gate, or of the comment."""
    if not (repository / "base").exists():  # the second checkout
        for part in (".ncu-roofline", "examples"):
            shutil.copytree(repository / part, repository / "base" / part)
    for file in ("summary.json", "comment.md", "step-summary.md"):
        (repository / file).unlink(missing_ok=True)
    code = comparing(steps(GATE)["Gate"], repository)
    trusted = repository / "base"  # the second workflow runs on files of the default branch
    for file in ("summary.json", "comment.md"):
        (trusted / file).unlink(missing_ok=True)
    (trusted / "head").mkdir(exist_ok=True)
    shutil.copy(repository / "captures" / "decode.parquet", trusted / "head" / "decode.parquet")
    given = {
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": "secret",
        "GITHUB_REPOSITORY": "me/it",
        "HEAD_OWNER": "a-fork",
        "HEAD_BRANCH": "feature/&state=closed",
        "HEAD_SHA": "c0ffee",
        **changed,
    }
    assert comparing(steps(COMMENT)["Compare"], trusted) == 0
    posted = ran(steps(COMMENT)["Comment"], trusted, given).returncode
    return code or posted


@dataclass(frozen=True)
class Left:
    """What a step left behind: its exit code and the files that it wrote."""

    code: int
    files: dict[str, bytes]


compared: dict[tuple[str, ...], Left] = {}


def comparing(script: str, folder: Path) -> int:
    """A step that compares captures: it is run where no test ran it on the same captures, and leaves the same files."""
    captures = sorted(path for path in folder.rglob("*.parquet") if path.is_file())
    key = (script, *(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in captures))
    if key not in compared:
        before = set(folder.iterdir())
        code = ran(script, folder, {"GITHUB_STEP_SUMMARY": str(folder / "step-summary.md")}).returncode
        compared[key] = Left(code, {path.name: path.read_bytes() for path in sorted(set(folder.iterdir()) - before)})
    for name, body in compared[key].files.items():
        (folder / name).write_bytes(body)
    return compared[key].code


def ran(script: str, folder: Path, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A step as a runner runs it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **given}
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_gate_may_only_read_and_the_comment_runs_no_file_of_the_pull_request() -> None:
    gate, comment = (yaml.safe_load((EXAMPLE / file).read_text(encoding="utf-8")) for file in (GATE, COMMENT))
    assert gate["permissions"] == {"contents": "read"}
    assert comment["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    assert comment[True] == {"workflow_run": {"workflows": [gate["name"]], "types": ["completed"]}}
    (job,) = comment["jobs"].values()
    assert not [step for step in job["steps"] if "ref" in step.get("with", {})]
    assert [step["name"] for step in job["steps"] if "GITHUB_TOKEN" in step.get("env", {})] == ["Comment"]
    assert not [step["run"] for step in job["steps"] if "${{" in step.get("run", "")]
    assert "pull_request_target" not in (EXAMPLE / GATE).read_text() + (EXAMPLE / COMMENT).read_text()


def test_the_gate_writes_the_summary_of_the_job(repository: Path, github: Github) -> None:
    capture(repository, weights="int4")
    assert workflow(repository, github) == 0
    assert (repository / "step-summary.md").read_text().startswith("Gate passed: 1 of 1 rules hold.")


def test_a_pull_request_that_has_moved_on_gets_no_comment(repository: Path, github: Github) -> None:
    capture(repository, weights="int4")
    assert workflow(repository, github, HEAD_SHA="older") == 0
    assert workflow(repository, github, HEAD_BRANCH="feature/") == 0
    assert github.writes == []


def test_a_number_that_is_given_is_taken(repository: Path, github: Github) -> None:
    capture(repository, weights="int4")
    assert workflow(repository, github, PULL_REQUEST="7", HEAD_SHA="") == 0
    assert github.writes == ["POST"]


@pytest.mark.parametrize("file", ["bytes-per-token.yml", "bytes-per-token-comment.yml"])
def test_actions_are_named_by_commit_and_keep_no_credentials(file: str) -> None:
    text = (EXAMPLE / file).read_text()
    assert len(re.findall(r"uses: \S+@[0-9a-f]{40} # v\d", text)) == text.count("uses: ") >= 3
    assert text.count("persist-credentials: false") == text.count("actions/checkout@") >= 1
    assert re.search(r"pip install ncu-roofline==\d", text)


def test_a_pull_request_cannot_replace_its_baseline(repository: Path, github: Github) -> None:
    capture(repository, repository / "base" / ".ncu-roofline" / "baselines" / "main" / "1.parquet", weights="fp8")
    shutil.copytree(repository / "examples", repository / "base" / "examples")
    capture(repository, repository / ".ncu-roofline" / "baselines" / "main" / "1.parquet", seed=1)
    capture(repository, seed=1)
    assert workflow(repository, github) == 1


def test_a_comment_of_somebody_else_is_never_written_over(repository: Path, github: Github) -> None:
    github.comments.append({"id": 1, "body": f"{MARK} mine", "user": {"login": "stranger"}})
    capture(repository, weights="int4")
    assert workflow(repository, github) == 0
    assert (github.writes, github.comments[0]["body"]) == (["POST"], f"{MARK} mine")


def test_a_comment_of_an_account_that_is_gone_stands_in_no_way(repository: Path, github: Github) -> None:
    ours = {"login": "github-actions[bot]"}
    github.comments += [{"id": 1, "body": f"{MARK} old", "user": None}, {"id": 2, "body": None, "user": ours}]
    capture(repository, weights="int4")
    assert workflow(repository, github) == 0
    assert github.writes == ["POST"]


def test_a_long_comment_is_cut_by_bytes_and_outside_folded_parts() -> None:
    spec = importlib.util.spec_from_file_location("comment", EXAMPLE / "comment.py")
    assert spec and spec.loader
    comment = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(comment)
    body = "first\n<details>\n" + "µ\n" * 40_000 + "</details>\n"
    assert comment.fitting("short") == "short"
    assert comment.fitting(body) == "first" + comment.CUT
    assert len(comment.fitting("µ\n" * 40_000).encode()) <= comment.LIMIT


def test_nothing_changed_says_nothing(repository: Path, github: Github) -> None:
    capture(repository, seed=1)
    assert workflow(repository, github) == 0
    assert github.writes == []


def test_fewer_bytes_pass_with_one_comment_that_later_runs_update(repository: Path, github: Github) -> None:
    capture(repository, weights="int4")
    assert workflow(repository, github) == 0
    assert workflow(repository, github) == 0
    assert github.writes == ["POST"]
    assert github.comments[0]["body"].startswith(f"{MARK}\nGate passed: 1 of 1 rules hold.\n\nCuts bytes: ")
    capture(repository, weights="fp8")
    assert workflow(repository, github) == 0
    assert github.writes == ["POST", "PATCH"]
    assert "Cuts bytes: bytes -21.2 %" in github.comments[0]["body"]
    capture(repository, seed=1)
    assert workflow(repository, github) == 0
    assert github.writes == ["POST", "PATCH", "PATCH"]
    assert "Same bytes: " in github.comments[0]["body"]


def test_more_bytes_fail_and_are_said(repository: Path, github: Github) -> None:
    capture(repository, repository / ".ncu-roofline" / "baselines" / "main" / "1.parquet", weights="fp8")
    capture(repository, seed=1)
    assert workflow(repository, github) == 1
    assert github.writes == ["POST"]
    assert "Gate failed: 'bytes\\_per\\_token &gt; +2%' fails:" in github.comments[0]["body"]


def test_captures_that_are_not_comparable_fail_with_4_and_no_numbers(repository: Path, github: Github) -> None:
    capture(repository, cache="all")
    assert workflow(repository, github) == 4
    assert "Not comparable: cache control" in github.comments[0]["body"]
    assert "GB" not in github.comments[0]["body"]


def test_a_capture_that_cannot_be_read_posts_nothing(repository: Path, github: Github) -> None:
    (repository / "captures").mkdir()
    (repository / "captures" / "decode.parquet").write_bytes(b"not a capture")
    assert workflow(repository, github) == 3
    assert github.writes == []


def test_the_comment_is_found_behind_a_hundred_others(repository: Path, github: Github) -> None:
    bodies = ["hello"] * 130 + [f"{MARK}\nold"]
    ours = {"login": "github-actions[bot]"}
    github.comments = [{"id": n, "body": body, "user": ours} for n, body in enumerate(bodies, 1)]
    capture(repository, weights="int4")
    assert workflow(repository, github) == 0
    assert github.writes == ["PATCH"]
    assert github.comments[130]["body"] != f"{MARK}\nold"


def test_a_refusal_of_the_api_is_one_sentence(repository: Path, github: Github) -> None:
    github.refuses = True
    capture(repository, weights="int4")
    assert workflow(repository, github) == 1
    environment = {
        **os.environ,
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": "secret",
        "GITHUB_REPOSITORY": "me/it",
        "PULL_REQUEST": "7",
    }
    done = subprocess.run(
        [sys.executable, "examples/github/comment.py", "summary.json", "comment.md"],
        cwd=repository / "base",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "comment.py: POST /repos/me/it/issues/7/comments was answered with 403 Forbidden"
