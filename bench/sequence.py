"""How long roles and segmentation take at three sizes, and that both grow with the number of launches, not its square.

Run: python -m bench.sequence
"""

from __future__ import annotations

import time

import polars as pl

from ncu_roofline.analysis.roles.roles import assign
from ncu_roofline.analysis.run.sequence import facts, segment
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.kernels.roles import load_rules
from tests.synthetic import LLAMA_8B, decode_run

SIZES = (10_000, 100_000, 1_000_000)


def repeated(step: pl.DataFrame, size: int) -> pl.DataFrame:
    """Whole steps, one after the other, of at least this many launches."""
    many = pl.concat([step] * -(-size // step.height))
    return many.with_columns(index=pl.int_range(pl.len(), dtype=pl.Int64))


def main() -> None:
    """One line per size: launches, seconds of roles, of segmentation and the run's facts, microseconds per launch."""
    step, rules = decode_run(model=LLAMA_8B, batch=4, steps=1), load_rules(None)
    for size in SIZES:
        plain = repeated(step, size)
        begin = time.perf_counter()
        frame = assign(plain, rules)
        named = time.perf_counter() - begin
        begin = time.perf_counter()
        run, _ = facts(segment(frame), Run())
        took = time.perf_counter() - begin
        each = 1e6 * took / frame.height
        print(
            f"{frame.height:>9,} launches  roles {named:6.2f} s  run {took:6.2f} s  {each:5.2f} us each  {run.steps.value} steps, {run.layers.value} layers"
        )


if __name__ == "__main__":
    main()
