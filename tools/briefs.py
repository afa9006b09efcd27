"""Writes docs/briefs.md: the size of twelve answers that agents read, and their keys: `python -m tools.briefs`."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

from ncu_roofline.cli import main as program

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "fixtures" / "measured"
PAGE = ROOT / "docs" / "briefs.md"
NAMES = ("h100-dense-b8", "h100-dense-b32", "h100-dense-b128", "h100-fp8-b8", "h100-sparse24-b8", "h100-moe-b8")
KEYS = ("answer", "per_token", "roles", "fix_first", "verdict", "unknown", "next")
LARGEST = 4096
"""Bytes of a brief, at most."""
QUESTIONS = [("summary", (name,)) for name in NAMES] + [("compare", (NAMES[0], name)) for name in NAMES]


def brief(command: str, captures: tuple[str, ...]) -> str:
    """What the command prints for agents."""
    said = StringIO()
    files = [str(MEASURED / f"{name}.ncu-repz") for name in captures]
    with redirect_stdout(said), redirect_stderr(StringIO()), suppress(SystemExit):
        program([command, *files, "--format", "brief"])
    return said.getvalue()


def page() -> str:
    """The page."""
    rows = []
    for command, captures in QUESTIONS:
        text = brief(command, captures)
        rows.append(f"| {command} {' '.join(captures)} | {len(text.encode()):,} | {json.loads(text)['verdict'] or '–'} |")
    head = ["| command | bytes | verdict |", "| --- | ---: | --- |"]
    return (
        "\n\n".join(
            [
                "# Answers for agents",
                "*Written by `python -m tools.briefs` from [fixtures/measured](../fixtures/measured/README.md).*",
                f"`--format brief` is at most {LARGEST:,} bytes of JSON, and always has the keys `{'`, `'.join(KEYS)}`. What is unknown "
                "is null inside `per_token`, never in its place. Its form: [brief.json](schemas/brief.json).",
                "\n".join([*head, *rows]),
                "[SKILL.md](../SKILL.md) says which command answers which question and what never to conclude. "
                "`python -m tools.skill` scores it by ten questions.",
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
