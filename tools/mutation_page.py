"""The outcome of a mutation run -> docs/mutation.md: figures, then every survivor with what was found on reading it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ncu_roofline.knowledge.toml import load

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "mutation.md"
READ = Path(__file__).parent / "survivors.toml"
CAUGHT = ("killed", "timeout")


def write(run: dict[str, Any]) -> None:
    """The page of one run."""
    PAGE.write_text(page(run["rows"], run["seed"], run["coverage"]), encoding="utf-8")


def page(rows: list[dict[str, Any]], seed: int, coverage: dict[str, float]) -> str:
    """Figures, tables, survivors."""
    caught = sum(r["outcome"] in CAUGHT for r in rows)
    times = sum(r["outcome"] == "timeout" for r in rows)
    parts = [
        "# Mutation report",
        "Written by `make mutation` (`tools/mutation.py`); explanations of survivors stand in `tools/survivors.toml`.",
        f"Of {len(rows)} small faults in `analysis/` and `readers/` (seed {seed}), the tests notice **{caught}** "
        f"({100 * caught / len(rows):.1f} %), {times} of them by running too long. "
        + "Coverage by lines and branches: "
        + ", ".join(f"`{folder}` {percent:.1f} %" for folder, percent in coverage.items())
        + ". Slow and browser tests are left out of both.",
        "## By kind of fault",
        counted(rows, "kind"),
        "## By module",
        counted(rows, "file"),
        "## Survivors, read",
        *survivors([r for r in rows if r["outcome"] not in CAUGHT]),
    ]
    return "\n\n".join(parts) + "\n"


def counted(rows: list[dict[str, Any]], by: str) -> str:
    """A table of how many were made and noticed."""
    made = Counter(r[by] for r in rows)
    noticed = Counter(r[by] for r in rows if r["outcome"] in CAUGHT)
    lines = [f"| {name} | {made[name]} | {noticed[name]} |" for name in sorted(made)]
    return "\n".join([f"| {by} | made | noticed |", "| --- | --- | --- |", *lines])


def key(row: dict[str, Any]) -> str:
    """What a fault is, whatever the number of its line."""
    return f"{row['file']} | {row['source']} | {squeezed(row['before'])} -> {squeezed(row['after'])}"


def squeezed(text: str) -> str:
    """Source on one line."""
    return " ".join(text.split())


def survivors(rows: list[dict[str, Any]]) -> list[str]:
    """Each survivor with its explanation."""
    read = {entry["fault"]: entry["why"] for entry in load(READ).get("survivor", [])} if READ.is_file() else {}
    lines = []
    for row in rows:
        before, after = (squeezed(row[side])[:200].replace("|", "\\|") for side in ("before", "after"))
        why = read.get(key(row), "not read yet")
        mark = " (no test runs it)" if row["outcome"] == "uncovered" else ""
        lines.append(f"- `{row['file']}:{row['line']}`{mark}: `{before}` became `{after}`. {why}")
    return ["\n".join(lines)] if lines else ["None."]
