"""Synthetic runs with known truth, that judge what the package says of a run.

`run(seed)` is one capture of a run of an engine, cut and counted in some way, with the truth beside it; `pairs.pair(seed)` is
two of them with a planted change; `timelines.timeline(seed)` is the same run on the clock. Written from how engines launch, without
a look at the rules that it judges. Everything in here is made up and says so.

    python -m tests.generator.judge --runs 1000

shapes: models. names: kernels. kernels: one launch and one pass. engines: the order in which engines launch. plans: what
is drawn for a seed. runs: a plan as a frame. counters: what the profiler was asked for. truths: what is so, and what the
window lets an honest reader know.
"""

from tests.generator.runs import Generated, run

__all__ = ["Generated", "run"]
