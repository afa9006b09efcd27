"""How many public captures get an answer: `python -m tools.answers`, and `--write FILE`, `--against FILE` to see that none lost one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import polars as pl

import ncu_roofline as nr

CORPUS = Path(__file__).resolve().parents[1].parent / "shared/corpus"
ANSWERS = ("dram_bytes", "intensity", "bound", "bandwidth_share")


def of_file(path: Path) -> dict[str, float]:
    """Share of a capture's launches with each answer; empty where it cannot be read."""
    try:
        launches = nr.place(nr.read(path))
    except nr.RooflineError:
        return {}
    known = {a: launches[a].cast(pl.String) for a in ANSWERS if a in launches.columns}
    return {a: (column.drop_nulls() != "unknown").sum() / max(1, len(column)) for a, column in known.items()}


def table(now: dict[str, dict[str, float]], before: dict[str, dict[str, float]] | None) -> str:
    """Captures with each answer, now and before, with how many lost a part of theirs."""
    lines = [f"{'answer':18}{'captures':>10}{'before':>10}{'now':>10}{'gained':>10}{'lost':>10}"]
    for answer in ("read", *ANSWERS):
        shares = {f: _share(told, answer) for f, told in now.items()}
        old = {f: _share(before.get(f, {}), answer) for f in now} if before is not None else shares
        gained, lost = sum(shares[f] > old[f] for f in now), sum(shares[f] < old[f] for f in now)
        has = [sum(s > 0 for s in which.values()) for which in (old, shares)]
        lines.append(f"{answer:18}{len(now):10}{has[0]:10}{has[1]:10}{gained:10}{lost:10}")
    return "\n".join(lines)


def _share(told: dict[str, float], answer: str) -> float:
    return float(bool(told)) if answer == "read" else told.get(answer, 0.0)


def main() -> None:
    """Print the table; write or compare the answers per capture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    files = sorted(p for kind in ("csv", "rep") for p in (CORPUS / kind).glob("*"))
    if not files:
        sys.exit("answers: no public captures beside the repository")
    now = {str(p.relative_to(CORPUS)): of_file(p) for p in files}
    if given.write:
        given.write.write_text(json.dumps(now, indent=1))
    print(table(now, json.loads(given.against.read_text()) if given.against else None))


if __name__ == "__main__":
    main()
