"""How many small faults in analysis/ and readers/ the tests notice: `python -m tools.mutation` writes docs/mutation.md.

A seeded sample of mutants is made in copies of the tree. Each is tried with the tests that run its statement, as
coverage tells, the quickest first: first some seconds' worth, then, where it lives, the rest of them up to a limit.
While writing tests, `python -m tools.mutation --file FILE --tests TEST ...` tries faults of one file with those tests
and prints the ones that live.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from tools.mutants import Mutant, mutants

ROOT = Path(__file__).parent.parent
OUT = ROOT / "out" / "mutation"
SNAPSHOT = OUT / "snapshot" / "tree"
"""The tree as it was when the run began: nobody's edits during it count."""
FOLDERS = ("ncu_roofline/analysis", "ncu_roofline/readers")
COPIED = (
    "ncu_roofline",
    "tests",
    "fixtures",
    "bench",
    "tools",
    "docs",
    "examples",
    "pyproject.toml",
    "README.md",
    "Makefile",
    "CHANGELOG.md",
)
SEED, SAMPLE, WORKERS = 20260801, 400, 2
QUICK, THOROUGH = 4.0, 20.0
"""Seconds of tests in the first and in the second try."""
MARGIN = 30.0
"""Seconds for starting up and for a busy machine; a mutant that runs longer is caught by its time."""
LEFT_OUT = "not slow and not browser"


@dataclass(frozen=True, slots=True)
class Covering:
    """Which tests run which line, and how long each takes."""

    by_line: dict[str, dict[int, list[str]]]
    seconds: dict[str, float]
    percent: dict[str, float]

    def tests(self, mutant: Mutant) -> list[str]:
        """Passing tests that run the mutant's statement, quickest first; those of the module where it runs at import."""
        lines = self.by_line.get(mutant.file, {})
        first, last = mutant.lines
        found = {t for line in range(first, last + 1) for t in lines.get(line, [])}
        if not found:
            at_import = any(line in lines for line in range(first, last + 1))
            found = {t for tests in lines.values() for t in tests} if at_import else set()
        return sorted((t for t in found if t in self.seconds), key=lambda t: (self.seconds[t], t))


def copy(source: Path, target: Path) -> Path:
    """The tree under a folder of its own, beside a link to the shared material."""
    tree = target / "tree"
    tree.mkdir(parents=True)
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        elif (source / name).exists():
            shutil.copy(source / name, tree / name)
    if (ROOT.parent / "shared").is_dir():
        (target / "shared").symlink_to((ROOT.parent / "shared").resolve())
    return tree


def pytest(tree: Path, *arguments: str, timeout: float | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest in a copy, whose package comes before the installed one."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "bench.timed",
        "-m",
        LEFT_OUT,
        "--hypothesis-seed=0",
        *arguments,
    ]
    more = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "POLARS_MAX_THREADS": "1", **environment}
    return subprocess.run(
        command, check=False, cwd=tree, env={**os.environ, **more}, capture_output=True, text=True, timeout=timeout
    )


def cover(tree: Path) -> Covering:
    """Runs the whole suite once with coverage, a context per test."""
    (tree / ".coveragerc").write_text("[run]\nbranch = true\nsource = ncu_roofline\n")
    seen = tree / "seen.json"
    done = pytest(
        tree,
        "-n",
        str(WORKERS),
        "--cov=ncu_roofline",
        "--cov-config=.coveragerc",
        "--cov-context=test",
        "--cov-report=",
        TIMED_TESTS=str(seen),
    )
    (OUT / "cover.txt").write_text(done.stdout[-20_000:])
    from coverage import Coverage, CoverageData

    data = CoverageData(str(tree / ".coverage"))
    data.read()
    by_line: dict[str, dict[int, list[str]]] = {}
    for file in sorted(data.measured_files()):
        name = Path(file).resolve().relative_to(tree.resolve()).as_posix()
        contexts = data.contexts_by_lineno(file)
        by_line[name] = {line: sorted({c.split("|")[0] for c in found if c}) for line, found in contexts.items()}
    seconds = {name: float(t["seconds"]) for name, t in json.loads(seen.read_text()).items() if t["passed"]}
    measured = Coverage(data_file=str(tree / ".coverage"), config_file=str(tree / ".coveragerc"))
    measured.load()
    percent = {folder: measured.report(include=[f"*/{folder}/*"], file=open(os.devnull, "w")) for folder in FOLDERS}  # noqa: SIM115
    return Covering(by_line, seconds, percent)


def kept_cover(again: bool) -> Covering:
    """The map of tests to lines of the snapshot, both made anew or as kept."""
    kept = OUT / "cover.json"
    if again or not kept.is_file():
        shutil.rmtree(SNAPSHOT.parent, ignore_errors=True)
        found = cover(copy(ROOT, SNAPSHOT.parent))
        kept.write_text(json.dumps([found.by_line, found.seconds, found.percent]))
    by_line, seconds, percent = json.loads(kept.read_text())
    return Covering({f: {int(n): t for n, t in lines.items()} for f, lines in by_line.items()}, seconds, percent)


def sample(size: int, seed: int) -> list[Mutant]:
    """The same mutants for the same seed and source."""
    every = [m for folder in FOLDERS for file in sorted((SNAPSHOT / folder).rglob("*.py")) for m in mutants(SNAPSHOT, file)]
    chosen = random.Random(seed).sample(range(len(every)), min(size, len(every)))
    return [every[n] for n in sorted(chosen)]


def budget(tests: Sequence[str], seconds: dict[str, float], limit: float) -> list[str]:
    """The first tests whose time together stays below the limit; at least one."""
    total = 0.0
    kept: list[str] = []
    for test in tests:
        total += seconds[test]
        if kept and total > limit:
            break
        kept.append(test)
    return kept


def outcome(mutant: Mutant, tree: Path, covering: Covering) -> str:
    """killed, timeout, survived, or uncovered."""
    tests = covering.tests(mutant)
    if not tests:
        return "uncovered"
    file = tree / mutant.file
    source = file.read_bytes()
    file.write_bytes(mutant.applied(source))
    try:
        return tried(tree, tests, covering)
    finally:
        file.write_bytes(source)


def tried(tree: Path, tests: list[str], covering: Covering) -> str:
    """Some tests, then the rest of them."""
    first = budget(tests, covering.seconds, QUICK)
    rest = budget(tests[len(first) :], covering.seconds, THOROUGH) if len(first) < len(tests) else []
    for part, limit in ((first, QUICK), (rest, THOROUGH)):
        if not part:
            continue
        listed = tree / "chosen.txt"
        listed.write_text("\n".join(part))
        try:
            done = pytest(tree, "-x", "--no-header", f"@{listed}", timeout=3 * limit + MARGIN)
        except subprocess.TimeoutExpired:
            return "timeout"
        if done.returncode not in (0, 5):
            return "killed"
    return "survived"


def judged(chosen: list[Mutant], covering: Covering) -> list[str]:
    """The outcome of every mutant; a copy of the tree per worker."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(WORKERS) as pool:
        trees: Queue[Path] = Queue()
        for number in range(WORKERS):
            trees.put(copy(SNAPSHOT, Path(folder) / str(number)))

        def one(mutant: Mutant) -> str:
            tree = trees.get()
            try:
                found = outcome(mutant, tree, covering)
            finally:
                trees.put(tree)
            print(f"{found:9} {mutant.key.splitlines()[0][:150]}", file=sys.stderr, flush=True)
            return found

        return list(pool.map(one, chosen))


def of_one_file(file: str, tests: list[str], size: int, seed: int) -> None:
    """Prints the faults of a file, as it is now, that these tests do not notice."""
    every = list(mutants(ROOT, ROOT / file))
    chosen = random.Random(seed).sample(every, min(size, len(every)))
    lived = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = copy(ROOT, Path(folder))
        for mutant in sorted(chosen, key=lambda m: m.span):
            source = (tree / file).read_bytes()
            (tree / file).write_bytes(mutant.applied(source))
            try:
                code = pytest(tree, "-x", "--no-header", *tests, timeout=300).returncode
            except subprocess.TimeoutExpired:
                code = 1
            (tree / file).write_bytes(source)
            if code == 0:
                lived += 1
                print(f"{mutant.line}: {mutant.before!r} -> {mutant.after!r}", flush=True)
    print(f"{lived} of {len(chosen)} live, of {len(every)} that can be made")


def main() -> None:
    """Sample, try, keep the raw outcome, write the page."""
    from tools import mutation_page

    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sample", type=int, default=SAMPLE)
    asked.add_argument("--seed", type=int, default=SEED)
    asked.add_argument("--keep-cover", action="store_true", help="use the coverage of the last run")
    asked.add_argument("--page", action="store_true", help="write the page from the last run's outcome")
    asked.add_argument("--file", help="try faults of this file only, and write no page")
    asked.add_argument("--tests", nargs="+", default=[], help="the tests that should notice them")
    options: Any = asked.parse_args()
    if options.file:
        of_one_file(options.file, options.tests, options.sample, options.seed)
        return
    OUT.mkdir(parents=True, exist_ok=True)
    kept = OUT / "outcomes.json"
    if not options.page:
        covering = kept_cover(not options.keep_cover)
        chosen = sample(options.sample, options.seed)
        found = judged(chosen, covering)
        rows = [
            {
                "file": m.file,
                "line": m.line,
                "source": (SNAPSHOT / m.file).read_text(encoding="utf-8").splitlines()[m.line - 1].strip(),
                "kind": m.kind,
                "before": m.before,
                "after": m.after,
                "outcome": o,
            }
            for m, o in zip(chosen, found, strict=True)
        ]
        kept.write_text(json.dumps({"seed": options.seed, "coverage": covering.percent, "rows": rows}, indent=1))
    mutation_page.write(json.loads(kept.read_text()))


if __name__ == "__main__":
    main()
