"""The workflow in examples/github: its own steps, run against a stand-in for GitHub's API on this machine."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ncu_roofline.readers import saved
from tests import synthetic

EXAMPLE = Path(__file__).parent.parent / "examples" / "github"
MARK = "<!-- ncu-roofline: bytes per token -->"
COMMENTS = re.compile(r"/repos/me/it/issues/7/comments(\?per_page=(\d+)&page=(\d+))?$")


class Github(ThreadingHTTPServer):
    """Comments of one pull request, and every request that changed them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments: list[dict[str, Any]] = []
        self.writes: list[str] = []
        self.refuses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """The three requests that the script makes."""

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
    target.write_bytes(saved.packed(synthetic.capture(layers=2, noise=0.01, **options)))


def steps() -> dict[str, str]:
    """Name -> script of the workflow's steps."""
    text = (EXAMPLE / "bytes-per-token.yml").read_text()
    found = re.findall(r"- name: (\w+)\n(?:(?!      - ).*\n)*?        run: \|\n((?:          .*\n)+)", text)
    return {name: re.sub(r"^ {10}", "", script, flags=re.M) for name, script in found}


def workflow(repository: Path, github: Github) -> int:
    """Runs the steps in their order; the exit code of the job."""
    output = repository / "output"
    output.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(output),
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": "secret",
        "GITHUB_REPOSITORY": "me/it",
        "PULL_REQUEST": "7",
    }
    if not (repository / "base").exists():  # the second checkout
        for part in (".ncu-roofline", "examples"):
            shutil.copytree(repository / part, repository / "base" / part)
    for file in ("summary.json", "comment.md"):
        (repository / file).unlink(missing_ok=True)
    for name in ("Compare", "Comment", "Gate"):
        code = output.read_text().strip().removeprefix("code=") if output.exists() else ""
        script = steps()[name].replace("${{ steps.compare.outputs.code }}", code)
        done = subprocess.run(["bash", "-e", "-c", script], cwd=repository, env=environment, capture_output=True, text=True)
        if done.returncode:
            return done.returncode
    return 0


def test_the_workflow_has_its_three_steps_and_may_do_no_more_than_comment() -> None:
    assert set(steps()) == {"Compare", "Comment", "Gate"}
    text = (EXAMPLE / "bytes-per-token.yml").read_text()
    assert re.search(r"permissions:\n  contents: read\n  pull-requests: write\n\n", text)
    assert "pull_request_target" not in text


def test_actions_are_named_by_commit_and_keep_no_credentials() -> None:
    text = (EXAMPLE / "bytes-per-token.yml").read_text()
    assert len(re.findall(r"uses: \S+@[0-9a-f]{40} ", text)) == text.count("uses: ") == 3
    assert text.count("persist-credentials: false") == text.count("actions/checkout@") == 2
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
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "comment.py: POST /repos/me/it/issues/7/comments was answered with 403 Forbidden"
