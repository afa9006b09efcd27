"""Writes docs/slim.md: what `slim` takes out and leaves, over our captures and those beside the repository: `python -m tools.slim`.

Public captures are told by GPU, version and number of launches, never by a file name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from ncu_roofline.errors import RooflineError
from ncu_roofline.readers import read
from ncu_roofline.readers.csv import slim as slim_csv
from ncu_roofline.readers.report import slim as slim_report

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/slim.md"
MEASURED = ROOT / "fixtures/measured"
SHARED = ROOT.parent / "shared/corpus"

Row = tuple[str, int, int, int, int]
"""What was captured, results, modules taken out, bytes before (unpacked) and after (compressed)."""

HEAD = """# Slim captures: what goes, what stays, how small

*Written by `make sizes`, over the captures of this project and the public ones that lie beside the repository.*

`ncu-roofline slim CAPTURE... -o OUT` makes a capture fit for a pull request or an issue.

| part of a report | |
| --- | --- |
| results, metrics with their instances, sections, rules, NVTX states, names of kernels | stay, value for value |
| profiler, driver and CUDA versions, time of capture, the options that say how was measured | stay |
| modules (cubins), source, the application's call stacks | go |
| name and details of the host, processor, devices, environment | go |
| the application, its arguments, its folder; every option that names a file | go |
| folders in texts of rules, sections and ranges | blotted out with `x` |

Of a CSV the table stays as printed; the host's name becomes `host`, and the lines of the profiler and of the program around the
table go: they name folders. `--only NAME` keeps launches in an NVTX range or of a kernel (a glob), of `phase:decode`, or of `step:0`.
Names of kernels and ranges stay as they are but for folders in them, so a name that is itself a secret is for you to find.

Tests open every report below with NVIDIA's reader before and after: every metric and every instance is equal, and no host, user
or folder of the original is left (`tests/readers/report/test_slim.py`, `tests/readers/csv/test_csv_slim.py`).
"""


def report(path: Path, what: str) -> Row:
    """A row of a report."""
    made = slim_report.slim(path)
    return what, made.results, made.modules, made.before, len(zstandard.compress(made.content, 19))


def ours() -> Iterator[Row]:
    """The measured captures of this project, which are slim already: they were 33 to 87 MB when the profiler wrote them."""
    for path in sorted(MEASURED.glob("*.ncu-repz")):
        yield report(path, f"`{path.name}`")


def public() -> Iterator[Row]:
    """The public reports, each told by its device and the profiler's version; those without a result are named on the screen."""
    for path in sorted((SHARED / "rep").glob("*.ncu-rep")):
        with refused(path):
            capture = read(path)
            version = capture.run.profiler_version.value or "an unknown version"
            yield report(path, f"{capture.device.name or 'unknown device'}, {version}")


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Goes on after a capture that cannot be read."""
    try:
        yield
    except RooflineError as error:
        print(f"{path.name}: {error}", file=sys.stderr)


def tables() -> tuple[int, int, int, int]:
    """Public CSVs: how many, how many lines around tables went, bytes before and after."""
    made = []
    for path in sorted((SHARED / "csv").glob("*.csv")):
        with refused(path):
            made.append(slim_csv.slim(path))
    return len(made), sum(m.lines for m in made), sum(m.before for m in made), sum(len(m.content) for m in made)


def table(rows: list[Row]) -> str:
    """Rows as a Markdown table, sizes in kB."""
    lines = [f"| {w} | {n:,} | {m:,} | {b / 1e3:,.0f} | {a / 1e3:,.1f} |" for w, n, m, b, a in rows]
    head = ["| capture | results | modules | before, unpacked, kB | slim, kB |", "| --- | --: | --: | --: | --: |"]
    return "\n".join([*head, *lines]) + "\n"


def page(mine: list[Row], others: list[Row], csvs: tuple[int, int, int, int]) -> str:
    """The whole page."""
    before, after = sum(row[3] for row in others), sum(row[4] for row in others)
    files, lines, plain, left = csvs
    return "\n".join(
        [
            HEAD,
            "## Our own",
            "",
            "They were 33 to 87 MB each when the profiler wrote them, and were made slim before they came here; slim again they stay"
            " as they are.",
            "",
            table(mine),
            "## Public reports",
            "",
            f"{len(others)} reports, {before / 1e6:,.1f} MB before and {after / 1e6:,.1f} MB after. Those without any result are left out.",
            "",
            table(sorted(others, key=lambda row: -row[3])),
            "## Public CSVs",
            "",
            f"{files} tables: {plain / 1e6:,.1f} MB before and {left / 1e6:,.1f} MB after; {lines:,} lines around tables went, "
            "and every host's name.",
            "",
        ]
    )


def main() -> None:
    """Writes the page; without the public captures it stays as it is."""
    if not SHARED.is_dir():
        print("no public captures beside the repository: docs/slim.md stays as it is", file=sys.stderr)
        return
    PAGE.write_text(page(list(ours()), list(public()), tables()), encoding="utf-8")


if __name__ == "__main__":
    main()
