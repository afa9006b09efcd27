"""How long `tokens` takes to think at three sizes, of which roles and segmentation; and that it grows with the launches.

The last column is the time a launch takes over that of the smallest size: 1 is linear.

Run: python -m bench.sequence
"""

from __future__ import annotations

import time

import polars as pl

from ncu_roofline.analysis.roles.roles import assign
from ncu_roofline.analysis.run.sequence import facts, segment
from ncu_roofline.analysis.run.tokens import per_token, totals
from ncu_roofline.analysis.study import study
from ncu_roofline.capture.capture import Capture, Run
from ncu_roofline.knowledge.kernels.roles import load_rules
from tests.synthetic import LLAMA_8B, decode_run

SIZES = (10_000, 100_000, 1_000_000)


def repeated(step: pl.DataFrame, size: int) -> pl.DataFrame:
    """Whole steps, one after the other, of at least this many launches."""
    many = pl.concat([step] * -(-size // step.height))
    return many.with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))


def thought(launches: pl.DataFrame) -> float:
    """Seconds of everything that `tokens` does between reading and writing."""
    begin = time.perf_counter()
    known = study(Capture(launches=launches))
    totals(known.every, known.run)
    for by in ("role", "step", "layer"):
        per_token(known.launches, known.run, by)
    return time.perf_counter() - begin


def main() -> None:
    """One line per size: launches, seconds of roles, of segmentation and the run's facts, of all that `tokens` does."""
    step, rules = decode_run(model=LLAMA_8B, batch=4, steps=1), load_rules(None)
    thought(step)  # what only the first call does is no part of it
    first = 0.0
    for size in SIZES:
        plain = repeated(step, size)
        begin = time.perf_counter()
        frame = assign(plain, rules)
        named = time.perf_counter() - begin
        begin = time.perf_counter()
        run, _ = facts(segment(frame), Run())
        took = time.perf_counter() - begin
        whole = min(thought(plain) for _ in range(3 if size == SIZES[0] else 1))
        each = 1e6 * whole / frame.height
        first = first or each
        print(
            f"{frame.height:>9,} launches  roles {named:6.2f} s  run {took:6.2f} s  tokens {whole:6.2f} s  "
            f"{each:5.2f} us each, {each / first:.2f} times  {run.steps.value} steps, {run.layers.value} layers"
        )


if __name__ == "__main__":
    main()
