"""Every measurement of speed, one after the other: `make bench` writes bench/RESULTS.md; some 15 minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.readers import machine

PARTS = {
    "Whole commands": "bench.commands",
    "Pages as CSV": "bench.read_csv",
    "Segmentation": "bench.sequence",
    "A trace of 1 GB": "bench.traces",
    "A million launches of one file": "bench.million",
    "An archive of a million launches": "bench.archive",
    "A fleet of 10,000 captures": "bench.fleet",
}
PAGE = Path(__file__).with_name("RESULTS.md")


def main() -> None:
    """Each part in a process of its own, so that none warms up another."""
    page = ["# How fast", f"Written by `make bench` on {machine()}. Reports against NVIDIA's reader: [readers.md](readers.md)."]
    for title, module in PARTS.items():
        done = subprocess.run([sys.executable, "-m", module], check=True, capture_output=True, text=True)
        print(done.stdout, flush=True)
        page += [f"## {title}", f"`python -m {module}`", f"```text\n{done.stdout.rstrip()}\n```"]
    PAGE.write_text("\n\n".join(page) + "\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "bench.readers", "--save"], check=True)


if __name__ == "__main__":
    main()
