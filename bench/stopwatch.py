"""The fastest of a few runs: of work in this process, or of a whole command in one of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

ROUNDS = 5


def best(work: Callable[[], object], runs: int = ROUNDS) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def command(*arguments: str) -> float:
    """Seconds of the fastest of a few whole processes of ours."""
    return best(lambda: subprocess.run([sys.executable, "-m", "ncu_roofline", *arguments], check=True, capture_output=True))
