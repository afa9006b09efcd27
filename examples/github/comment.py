"""Posts a comparison as one comment of a pull request, or updates the one that is there. Needs Python alone.

    python comment.py summary.json comment.md

Reads GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL, and which pull request it is: its number as PULL_REQUEST, or, where a
second workflow posts for a fork, HEAD_OWNER, HEAD_BRANCH and HEAD_SHA of the run that was watched. Silent where nothing
changed: no comment is posted for `no_change` or `same_bytes` with a gate that passes, and one that stands already is not
written again with the same words. Without the two files (an input that could not be used) nothing is posted.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

MARK = "<!-- ncu-roofline: bytes per token -->"
AUTHOR = "github-actions[bot]"
"""Who writes with a workflow's own token; a comment of anybody else is not ours, whatever it begins with."""
LIMIT = 65_000
"""Bytes; GitHub takes 65,536."""
CUT = "\n\n(cut: the whole comparison is in the files of the run)\n"
PAGE = 100
HEAD = ("HEAD_OWNER", "HEAD_BRANCH", "HEAD_SHA")


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """One request to the API; an answer of GitHub that is no success becomes one sentence."""
    request = urllib.request.Request(
        os.environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"comment.py: {method} {path} was answered with {error.code} {error.reason}")
    except urllib.error.URLError as error:
        sys.exit(f"comment.py: {method} {path} was not answered: {error.reason}")


def standing(repository: str, number: str) -> dict[str, Any] | None:
    """The comment that an earlier run left on the pull request."""
    page = 1
    while True:
        found = call("GET", f"/repos/{repository}/issues/{number}/comments?per_page={PAGE}&page={page}")
        for comment in found:
            # the account of who wrote may be gone, and a body empty
            if (comment["user"] or {}).get("login") == AUTHOR and (comment["body"] or "").startswith(MARK):
                return dict(comment)
        if len(found) < PAGE:
            return None
        page += 1


def worth_saying(summary: dict[str, Any]) -> bool:
    """Whether anything changed, or a rule of the gate did not pass."""
    gate = all(rule["outcome"] == "pass" for rule in summary.get("gate", []))
    return summary["verdict"] not in ("no_change", "same_bytes") or not gate


def fitting(body: str) -> str:
    """The body within the limit: cut at a line, and never inside a folded part."""
    if len(body.encode()) <= LIMIT:
        return body
    kept = body.encode()[: LIMIT - len(CUT)].decode(errors="ignore").rpartition("\n")[0]
    if kept.count("<details") > kept.count("</details>"):
        kept = kept[: kept.rindex("<details")]
    return kept.rstrip() + CUT


def pull_request(repository: str) -> str | None:
    """The number that was given, or that of the open pull request whose branch still stands at the commit."""
    if os.environ.get("PULL_REQUEST"):
        return os.environ["PULL_REQUEST"]
    owner, branch, commit = (os.environ[name] for name in HEAD)
    head = urllib.parse.quote(f"{owner}:{branch}", safe="")
    found = call("GET", f"/repos/{repository}/pulls?state=open&per_page={PAGE}&head={head}")
    return next((str(each["number"]) for each in found if each["head"]["sha"] == commit), None)


def post(summary: dict[str, Any], text: str) -> str:
    """What was done with the comment."""
    repository = os.environ["GITHUB_REPOSITORY"]
    number = pull_request(repository)
    if number is None:
        return "no open pull request stands at this commit"
    body = fitting(f"{MARK}\n{text}")
    old = standing(repository, number)
    if old is not None and old["body"].strip() == body.strip():
        return "unchanged"
    if old is not None:
        call("PATCH", f"/repos/{repository}/issues/comments/{old['id']}", {"body": body})
        return "updated"
    if not worth_saying(summary):
        return "silent"
    call("POST", f"/repos/{repository}/issues/{number}/comments", {"body": body})
    return "posted"


def main(arguments: list[str]) -> None:
    """Read both files and say what was done."""
    if len(arguments) != 2:
        sys.exit("comment.py: give summary.json and comment.md")
    paths = [Path(a) for a in arguments]
    if not all(p.is_file() for p in paths):
        print("comment.py: no comparison was made, nothing is posted")
        return
    which = ("PULL_REQUEST",) if not all(map(os.environ.get, HEAD)) else ()
    lacking = [n for n in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", *which) if not os.environ.get(n)]
    if lacking:
        sys.exit(f"comment.py: set {', '.join(lacking)}")
    print(f"comment.py: {post(json.loads(paths[0].read_text()), paths[1].read_text())}")


if __name__ == "__main__":
    main(sys.argv[1:])
