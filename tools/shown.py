"""Writes today's output under every command that README.md, the home page and the tutorial show: `python -m tools.shown`.

Where a block ends in a line of three dots, only as many lines are kept as stood before it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.test_readme import ANYTHING, ROOT, SCREEN, commands, into

PAGES = ("README.md", "docs/README.md", "docs/tutorial.md")


def printed(command: str, out: Path) -> list[str]:
    """What the command prints in a process of its own."""
    program, *words = into(out, shlex.split(command))
    start = [sys.executable, "-m", "ncu_roofline"] if program == "ncu-roofline" else [program]
    how = {"cwd": ROOT, "env": {**os.environ, **SCREEN}, "encoding": "utf-8"}
    done = subprocess.run([*start, *words], capture_output=True, text=True, check=True, **how)  # type: ignore[call-overload]
    return (str(done.stdout) + str(done.stderr)).replace(f"{out}/", "out/").splitlines()


def refreshed(name: str, text: str) -> str:
    """The page with the output of today."""
    with tempfile.TemporaryDirectory() as out:
        for shown in commands(name):
            real = printed(shown.command, Path(out))
            if shown.output and shown.output[-1].strip() == ANYTHING:
                real = [*real[: len(shown.output) - 1], ANYTHING]
            block = re.compile(rf"(^\$ {re.escape(shown.command)}\n).*?(?=^```|^\$ )", re.DOTALL | re.MULTILINE)
            body = "\n".join(line.rstrip() for line in real).replace("\\", "\\\\")
            text = block.sub(rf"\g<1>{body}\n", text, count=1)
    return text


def main() -> None:
    """Rewrites the pages in place."""
    for name in PAGES:
        page = ROOT / name
        page.write_text(refreshed(name, page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
