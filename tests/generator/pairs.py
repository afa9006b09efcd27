"""Two captures with a planted change between them, and what a verdict on them may say."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from tests.generator import counters
from tests.generator.kernels import Kernel, Pass
from tests.generator.plans import Plan, batch_of, plan
from tests.generator.runs import Change, Generated, cut, generated, sequence
from tests.generator.truths import units_in

PAIR_KINDS = (
    "the same again",
    "the same, cut differently",
    "the same, counters missing",
    "fewer or more bytes, time follows",
    "fewer or more bytes, time kept",
    "fewer FLOPs alone",
    "time alone",
    "another batch",
    "another context",
    "another number of layers",
    "another number of ranks",
)
FACTS = {
    "another batch": ("batch",),
    "another context": ("context",),
    "another number of layers": ("layers", "layers_captured"),
    "another number of ranks": ("tp", "ranks", "gpus"),
}
PLANTED = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Base, head, and what is so between them."""

    seed: int
    kind: str
    base: Generated
    head: Generated
    bytes_change: float = 0.0
    """Head over base, less one, noise and drift taken out; per token."""
    time_change: float = 0.0
    differs: tuple[str, ...] = ()
    """The fact that makes a bare comparison meaningless, under the names that it may have."""
    told: bool = False
    """Whether both windows determine that fact."""

    @property
    def full(self) -> bool:
        """Whole steps on both sides, every counter measured."""
        return all(g.plan.counters == "full" and g.truth.facts["tokens"].determined for g in (self.base, self.head))


def pair(seed: int) -> Pair:
    """The pair of this seed; kinds take turns, and sides too."""
    rng = random.Random(f"pair {seed}")
    kind = PAIR_KINDS[seed % len(PAIR_KINDS)]
    start = plan(seed, rng.choice(("constant batch",) * 4 + ("prompt whole, then decode", "one rank alone", "torn anywhere")))
    if kind == "another number of ranks":
        # only an engine that communicates has ranks that a reader can see
        start = next(p for p in (plan(s, "constant batch") for s in count(seed, 1_000_000)) if p.engine.tp)
    made = MADE[kind](rng, start, Change(drift=drifted(rng)))
    return swapped(made) if rng.random() < 0.5 else made


def drifted(rng: random.Random) -> float:
    """Time from one capture to the next: a standard deviation of 0 to 2 %."""
    return 1 + rng.gauss(0, rng.choice((0.0, 0.005, 0.01, 0.02)))


def swapped(made: Pair) -> Pair:
    """Head and base exchanged."""
    return replace(
        made,
        base=made.head,
        head=made.base,
        bytes_change=1 / (1 + made.bytes_change) - 1,
        time_change=1 / (1 + made.time_change) - 1,
    )


def again(start: Plan) -> Plan:
    """The same run in another capture."""
    return replace(start, noise_seed=start.seed + 1_000_003)


def same(rng: random.Random, start: Plan, change: Change) -> Pair:
    """Measured twice."""
    del rng
    return Pair(seed=start.seed, kind=PAIR_KINDS[0], base=generated(start), head=generated(again(start), change=change))


def recut(rng: random.Random, start: Plan, change: Change) -> Pair:
    """Measured twice, through another window."""
    windows = rng.sample(("whole", "steps", "layers", "torn"), 2)
    base, head = replace(start, window=windows[0]), replace(again(start), window=windows[1], seed=start.seed + 500_000_000)
    return Pair(seed=start.seed, kind=PAIR_KINDS[1], base=generated(base), head=generated(head, change=change))


def thinned(rng: random.Random, start: Plan, change: Change) -> Pair:
    """Measured twice, with counters lost on a side or on both."""
    lost = rng.choice(("holes", "holes", "reads", "rates"))
    head = replace(again(start), counters=lost)
    base = replace(start, counters="holes") if rng.random() < 0.3 else start
    return Pair(seed=start.seed, kind=PAIR_KINDS[2], base=generated(base), head=generated(head, change=change))


def planted(rng: random.Random) -> float:
    """A change of 1 to 30 %, up or down."""
    return rng.choice(PLANTED) * rng.choice((-1, -1, 1))


def bytes_(kept: bool) -> Callable[[random.Random, Plan, Change], Pair]:
    """A planted change of the total bytes through those of one role."""

    def make(rng: random.Random, start: Plan, change: Change) -> Pair:
        role, total, rest = heavy(start, "bytes")
        # time that is kept is that of the side with more bytes: none is faster than its bandwidth
        wanted = max(-abs(planted(rng)) if kept else planted(rng), -0.8 * total / (total + rest))
        factor = 1 + wanted * (total + rest) / total
        change = replace(change, role=role, bytes_=factor, kept=kept)
        time = 0.0 if kept else seconds_change(start, change)
        return Pair(
            seed=start.seed,
            kind=PAIR_KINDS[4 if kept else 3],
            base=generated(start),
            head=generated(again(start), change=change),
            bytes_change=wanted,
            time_change=time,
        )

    return make


def heavy(start: Plan, what: str) -> tuple[str, float, float]:
    """The role that moves or takes most in the steps that count, its sum and the rest."""
    sums: dict[str, float] = {}
    rest = 0.0
    for kernel, seconds in noiseless(start, Change()):
        # bytes of attention alone are what tells the context: a change of them is another context
        if what == "bytes" and kernel.role == "attention":
            rest += kernel.reads + kernel.writes
            continue
        sums[kernel.role] = sums.get(kernel.role, 0.0) + (seconds if what == "seconds" else kernel.reads + kernel.writes)
    if not sums:
        return "fc", 1.0, 1.0
    role = max(sums, key=lambda r: sums[r])
    return role, sums[role], rest + sum(sums.values()) - sums[role]


def noiseless(start: Plan, change: Change) -> list[tuple[Kernel, float]]:
    """Launch and seconds, without noise, of the whole decode steps of the window; where it has none, of all in it."""
    whole = sequence(start)
    window = cut(start, whole)
    shown = whole.cut(*window)
    decode = [u for u in units_in(start, whole, window) if u.main.kind == "decode"]
    counted = {n for u in [u for u in decode if u.core] or decode for n in u.numbers}
    changed = [change.of(k) for k, p in zip(shown.kernels, shown.passes, strict=True) if p in counted]
    *_, seconds = counters.measured(changed, random.Random(0), noise=0.0)
    return list(zip(changed, seconds, strict=True))


def seconds_change(start: Plan, change: Change) -> float:
    """What the time of the decode launches changes by when it follows their bytes."""
    before, after = (sum(s for _, s in noiseless(start, one)) for one in (Change(), replace(change, drift=1.0)))
    return after / before - 1 if before else 0.0


def work(rng: random.Random, start: Plan, change: Change) -> Pair:
    """Fewer tensor FLOPs and nothing else: the mirage."""
    change = replace(change, role="fc", flops=1 - abs(planted(rng)), kept=True)
    return Pair(seed=start.seed, kind=PAIR_KINDS[5], base=generated(start), head=generated(again(start), change=change))


def time(rng: random.Random, start: Plan, change: Change) -> Pair:
    """The same bytes in more time; the other way about where sides are swapped: no side is faster than its bandwidth."""
    role, total, rest = heavy(start, "seconds")
    wanted = abs(planted(rng))
    change = replace(change, role=role, seconds=1 + wanted * (total + rest) / total)
    head = generated(again(start), change=change)
    return Pair(seed=start.seed, kind=PAIR_KINDS[6], base=generated(start), head=head, time_change=wanted)


def other(kind: str, alter: Callable[[random.Random, Plan], Plan]) -> Callable[[random.Random, Plan, Change], Pair]:
    """A run of another setting, which no planted change is."""

    def make(rng: random.Random, start: Plan, change: Change) -> Pair:
        start = replace(start, window="whole")
        base, head = generated(start), generated(alter(rng, again(start)), change=change)
        fact = FACTS[kind][0]
        # kernels that communicate on one side alone, or for more ranks, tell that ranks differ
        told = fact == "tp" or all(g.truth.facts[fact].determined for g in (base, head))
        return Pair(seed=start.seed, kind=kind, base=base, head=head, differs=FACTS[kind], told=told)

    return make


def each(start: Plan, alter: Callable[[Pass], Pass]) -> Plan:
    """The plan with every pass altered."""
    return replace(start, passes=tuple(alter(p) for p in start.passes))


def batches(rng: random.Random, start: Plan) -> Plan:
    """Another number of sequences; an engine of one sequence gets the next."""
    now = max(len(p.contexts) for p in start.passes)
    most = max(start.engine.most, 2)
    size = next(b for b in (batch_of(rng, replace(start.engine, most=most)) for _ in range(1000)) if b != now)
    return each(start, lambda p: replace(p, contexts=(p.contexts * size)[:size]) if p.contexts else p)


def contexts(rng: random.Random, start: Plan) -> Plan:
    """Half or half as much again."""
    factor = rng.choice((0.5, 1.5))
    return each(start, lambda p: replace(p, contexts=tuple(round(c * factor) for c in p.contexts)))


def depths(rng: random.Random, start: Plan) -> Plan:
    """A layer more, or one less, or half of them."""
    deep = start.shape.layers
    new = rng.choice([n for n in (deep + 1, deep - 1, deep // 2) if n > 0 and n != deep])
    return each(start, lambda p: replace(p, shape=replace(p.shape, layers=new)))


def ranks(rng: random.Random, start: Plan) -> Plan:
    """Twice the ranks: both in the file, or one of them."""
    del rng
    tp = 2 * start.passes[0].tp
    return replace(
        each(start, lambda p: replace(p, tp=tp, shape=p.shape.over(2))), ranks=(0, 1) if start.seed % 2 and tp == 2 else (0,)
    )


MADE: dict[str, Callable[[random.Random, Plan, Change], Pair]] = {
    PAIR_KINDS[0]: same,
    PAIR_KINDS[1]: recut,
    PAIR_KINDS[2]: thinned,
    PAIR_KINDS[3]: bytes_(kept=False),
    PAIR_KINDS[4]: bytes_(kept=True),
    PAIR_KINDS[5]: work,
    PAIR_KINDS[6]: time,
    PAIR_KINDS[7]: other(PAIR_KINDS[7], batches),
    PAIR_KINDS[8]: other(PAIR_KINDS[8], contexts),
    PAIR_KINDS[9]: other(PAIR_KINDS[9], depths),
    PAIR_KINDS[10]: other(PAIR_KINDS[10], ranks),
}
