"""What is so in a window, and what the window lets an honest reader know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from tests.engines import eager as hf
from tests.engines.names import CAST, LAST_ROWS
from tests.generator import names
from tests.generator.kernels import ROWS, SAMPLED, SEQUENCES, Kernel, Pass

if TYPE_CHECKING:
    from tests.generator.plans import Plan
    from tests.generator.runs import Stretch

AMBIGUOUS = {hf.CAT, hf.COPY, hf.MUL, hf.ADD, hf.POW, hf.ADD_SCALAR, hf.RSQRT, hf.NEG, CAST, LAST_ROWS, names.BUILD_TREE}
JUDGED_ROLES = {"fc", "attention", "kv-cache", "comm", "sampling", "embedding", "moe-routing", "norm", "activation"}
DECODE_KINDS = {"decode", "mixed", "draft", "verify"}
Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What may be said of one fact: any of these values; a true range must be said as one."""

    accepted: tuple[Range, ...] = ()
    determined: bool = False
    loose: bool = False
    """A point anywhere in the range is right."""
    tolerance: float = 0.0


ANYTHING = Told(accepted=((0.0, float("inf")),), loose=True)
"""Drafts alone look like the decode steps of a small model."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The facts of a run by name, and phase and role of every launch of the frame (null: not judged)."""

    facts: dict[str, Told]
    phases: pl.Series
    roles: pl.Series
    phases_determined: bool
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One step: its passes, and whether the window holds it."""

    passes: list[Pass]
    numbers: list[int]
    shown: list[Kernel]
    """Its launches that the window holds."""
    whole: bool
    """Strictly: every launch."""
    core: bool
    """All but bookkeeping at its edges."""

    @property
    def main(self) -> Pass:
        """The pass that makes the tokens."""
        return next((p for p in self.passes if p.kind == "verify"), self.passes[-1])

    @property
    def tokens(self) -> float:
        """New tokens of the sequences that decode."""
        return float(self.main.kept if self.main.kind == "verify" else len(self.main.contexts))


def truth_of(
    made: Plan,
    whole: Stretch,
    window: tuple[int, int],
    taken: tuple[list[float], list[float], list[float]],
    frame: pl.DataFrame,
) -> Truth:
    """Everything that is so in this window."""
    found = units_in(made, whole, window)
    shown = whole.cut(*window)
    ranks = len(made.ranks)
    sums = summed(shown.passes, taken, ranks)
    decoding = [u for u in found if u.main.kind in DECODE_KINDS]
    facts = {
        "steps": steps(made, decoding, whole, window),
        "batch": batch(made, decoding),
        "tokens": tokens(made, decoding),
        "layers": layers(made, found),
        "context": context(made, decoding),
        "prefill_passes": prompts(made, found),
        "tp": ranks_of(made, shown.kernels),
        "read_per_token": moved(made, decoding, sums[0], frame, "dram__bytes_read"),
        "written_per_token": moved(made, decoding, sums[1], frame, "dram__bytes_write"),
    }
    kinds = [made.passes[p].kind for p in shown.passes]
    held = {made.passes[n].kind for u in found for n in u.numbers if inside(whole, n, window)}
    if set(kinds) == {"draft"} or (held == {"draft"} and not any(k.phase == "verify" for k in shown.kernels)):
        facts |= dict.fromkeys(("steps", "batch", "tokens", "layers", "read_per_token", "written_per_token"), ANYTHING)
    phases = [k if k in ("decode", "prefill") else None for k in kinds for _ in range(ranks)]
    roles = [judged(k) for k in shown.kernels for _ in range(ranks)]
    return Truth(
        facts=facts,
        phases=pl.Series(phases, dtype=pl.String),
        roles=pl.Series(roles, dtype=pl.String),
        phases_determined=facts["batch"].determined and all(recognised(made, u) for u in decoding),
    )


def inside(whole: Stretch, number: int, window: tuple[int, int]) -> bool:
    """Whether the window holds this pass from end to end."""
    from tests.generator.runs import bounds

    first, last = bounds(whole, [number])
    return window[0] <= first and last <= window[1]


def judged(kernel: Kernel) -> str | None:
    """The role, where the name leaves no doubt."""
    sure = kernel.role in JUDGED_ROLES and kernel.name not in AMBIGUOUS and kernel.core
    return kernel.role if sure and not kernel.name.startswith("triton_p") else None


def units_in(made: Plan, whole: Stretch, window: tuple[int, int]) -> list[Unit]:
    """The steps that the window touches."""
    from tests.generator.runs import bounds, units

    first, last = window
    found = []
    for numbers in units(made):
        start, end = bounds(whole, numbers)
        if end <= first or start >= last:
            continue
        core = next(i for i in range(start, end) if whole.kernels[i].core)
        found.append(
            Unit(
                passes=[made.passes[n] for n in numbers],
                numbers=numbers,
                shown=whole.kernels[max(first, start) : min(last, end)],
                whole=first <= start and end <= last,
                core=first <= core and end <= last,
            )
        )
    return found


def summed(
    passes: Sequence[int], taken: tuple[list[float], list[float], list[float]], ranks: int
) -> tuple[dict[int, float], ...]:
    """Bytes read, written and seconds of each pass, over all ranks in the file."""
    numbers = [p for p in passes for _ in range(ranks)]
    totals: tuple[dict[int, float], ...] = ({}, {}, {})
    for values, total in zip(taken, totals, strict=True):
        for number, value in zip(numbers, values, strict=True):
            total[number] = total.get(number, 0.0) + value
    return totals


def points(values: Iterable[float]) -> tuple[Range, ...]:
    """Each value, once."""
    return tuple((v, v) for v in sorted(set(values)))


def selections(units: list[Unit]) -> list[list[Unit]]:
    """The whole steps as readers may count them: with or without bookkeeping, with or without those that carry a prompt."""
    pure = [u for u in units if u.main.kind != "mixed"]
    return [[u for u in pool if holds(u)] for pool in (pure, units) for holds in (attrgetter("core"), attrgetter("whole"))]


def counted_alike(units: list[Unit]) -> bool:
    """Whether every reader counts as many whole steps, and some."""
    counts = {len(s) for s in selections(units)}
    return len(counts) == 1 and 0 not in counts


def apart(made: Plan) -> bool:
    """Whether all steps are of one model, and whole batches."""
    return made.kind != "two models in turn"


def like_drafts(made: Plan) -> bool:
    """Whether two models in turn look like drafts and their verification: rows of one are a multiple of the other's."""
    few, many = sorted({p.rows for p in made.passes} | {0})[-2:]
    return not few or many % few == 0


def verified(made: Plan, whole: Stretch, window: tuple[int, int]) -> int:
    """Whole passes of verification in the window: where a step begins, at the drafts or after them, is a matter of taste."""
    from tests.generator.runs import bounds

    spans = [bounds(whole, [n]) for n, p in enumerate(made.passes) if p.kind == "verify"]
    return sum(window[0] <= first and last <= window[1] for first, last in spans)


def steps(made: Plan, units: list[Unit], whole: Stretch, window: tuple[int, int]) -> Told:
    """Whole decode steps in the window."""
    counts = {len(s) for s in selections(units)}
    if any(u.main.kind == "verify" for u in units):
        counts |= {verified(made, whole, window)}
    if made.kind == "two models in turn" and like_drafts(made):
        counts |= {len([u for u in s if u.main.model == 0]) for s in selections(units)}
    sure = counted_alike(units) and len(counts) == 1 and apart(made) and recognised_all(made, units)
    return Told(accepted=points(counts), determined=sure)


def recognised_all(made: Plan, units: list[Unit]) -> bool:
    """Whether every whole step is known as one."""
    whole = [u for u in units if u.core]
    return bool(whole) and all(recognised(made, u) for u in whole)


def recognised(made: Plan, unit: Unit) -> bool:
    """Whether a reader knows this for decode of so many sequences: two grids that agree, and a sign of decode."""
    one = unit.main
    if made.nvtx and made.engine.nvtx != "ours":
        return one.kind == "decode"
    if one.kind == "mixed" or (made.overlap and not unit.core):
        return False
    phases = {k.phase for k in unit.shown}
    if one.kind == "verify":
        return "verify" in phases and unit.core
    telling = {k.name for k in unit.shown if k.tells in (ROWS, SAMPLED, SEQUENCES, "decoding")}
    kinds = {k.tells for k in unit.shown}
    sign = "decode" in phases or {ROWS, SAMPLED} <= kinds or (made.nvtx and made.engine.nvtx == "ours")
    return len(telling) >= 2 and sign


def batch(made: Plan, units: list[Unit]) -> Told:
    """Sequences per step."""
    sizes = []
    for pool in (*selections(units), [u for u in units if u.main.kind != "mixed"], units):
        for of in (lambda u: len(u.main.contexts), lambda u: u.main.sequences):
            counts = [float(of(u)) for u in pool]
            if counts:
                sizes.append((min(counts), max(counts)))
    if any(u.main.kind == "verify" for u in units) and not any(k.phase == "verify" for u in units for k in u.shown):
        # nothing in such a window tells rows that are verified from rows that decode
        sizes += points(float(u.main.rows) for u in units)
    whole = [u for u in units if u.core]
    sure = bool(units) and apart(made) and all(recognised(made, u) for u in whole or units)
    return Told(accepted=tuple(dict.fromkeys(sizes)), determined=sure)


def made_by(unit: Unit) -> float:
    """Tokens of the sequences that decode."""
    return unit.tokens


def sampled_by(unit: Unit) -> float:
    """The same with the token that a piece of a prompt yields: whether it is kept is not in a capture."""
    return unit.tokens + len(unit.main.chunks)


def tokens(made: Plan, units: list[Unit]) -> Told:
    """New tokens of the whole steps; what a verification accepts is not in a capture."""
    counts = {sum(of(u) for u in chosen) for chosen in selections(units) for of in (made_by, sampled_by)} - {0.0}
    speculative = any(u.main.kind == "verify" for u in units)
    sure = recognised_all(made, units) and apart(made) and counted_alike(units) and not speculative
    return Told(accepted=points(counts), determined=sure)


def layers(made: Plan, units: list[Unit]) -> Told:
    """Layers of the model that makes the tokens."""
    depths = {float(u.main.shape.layers) for u in units if u.main.kind != "draft"}
    whole = [u for u in units if u.core and u.main.kind in DECODE_KINDS]
    if len(depths) > 1:
        widest = max(made.passes, key=lambda p: p.rows)
        main = points([float(widest.shape.layers)]) if like_drafts(made) else ()
        of_whole = points(float(u.main.shape.layers) for u in whole) if len({u.main.model for u in whole}) == 1 else ()
        return Told(accepted=((min(depths), max(depths)), *main, *of_whole))
    return Told(accepted=points(depths), determined=bool(whole) and not made.overlap and recognised_all(made, whole))


def context(made: Plan, units: list[Unit]) -> Told:
    """Cached tokens per sequence, within 3 %."""
    from tests.generator.runs import sized

    means = [sum(u.main.contexts) / len(u.main.contexts) for u in units if u.main.contexts]
    if not means:
        return Told()
    grids = any("sdpa" in k.name and k.phase == "decode" for u in units for k in u.shown) or any(
        "pytorch_flash" in k.name or "flash_fwd_splitkv_kernel" in k.name for u in units for k in u.shown
    )
    grids = grids and all(recognised(made, u) for u in units)
    known = (grids and made.counters in ("full", "reads", "rates")) or (made.nvtx and sized(made))
    sure = known and apart(made) and all(u.main.kind == "decode" for u in units)
    return Told(accepted=((min(means) * 0.97, max(means) * 1.03 + 1),), loose=True, determined=sure)


def prompts(made: Plan, units: list[Unit]) -> Told:
    """Prefill passes; one that the window cuts may count or not, as may a step that carries a piece of a prompt."""
    pools = [[u for u in units if u.main.prompt], [u for u in units if u.main.chunks]]
    counts = {
        float(len([u for u in pool if holds(u)])) for pool in pools for holds in (any_of, lambda u: u.core, lambda u: u.whole)
    }
    decoding = [u for u in units if u.main.kind in DECODE_KINDS]
    sure = len(counts) == 1 and bool(decoding) and recognised_all(made, decoding) and apart(made)
    return Told(accepted=points(counts), determined=sure)


def any_of(unit: Unit) -> bool:
    """Every step that the window touches."""
    return bool(unit.shown)


def ranks_of(made: Plan, kernels: list[Kernel]) -> Told:
    """Ranks that share the model: told by a kernel's template, or by the devices in the file."""
    tp = made.passes[0].tp
    named = any(k.name == names.CROSS.format(tp=tp) for k in kernels)
    return Told(accepted=points({float(tp)}), determined=tp > 1 and (named or len(made.ranks) > 1))


def moved(made: Plan, units: list[Unit], sums: dict[int, float], frame: pl.DataFrame, counter: str) -> Told:
    """Bytes per token over the whole steps: of the model, or of a rank where several are in the file."""
    accepted = []
    for chosen in selections(units):
        total = sum(sums.get(n, 0.0) for u in chosen for n in u.numbers)
        for count in {sum(of(u) for u in chosen) for of in (made_by, sampled_by)} - {0.0}:
            accepted += [total / count, total / count / len(made.ranks)]
    columns = [c for c in (f"m:{counter}.sum", f"m:{counter}.sum.per_second") if c in frame.columns]
    if counter.endswith("write") and "m:dram__bytes.sum.per_second" in frame.columns:
        columns = ["m:dram__bytes.sum.per_second"]
    counted = (
        bool(columns)
        and frame[columns[0]].null_count() == 0
        and (".per_second" not in columns[0] or not frame["seconds"].null_count())
    )
    sure = counted and tokens(made, units).determined
    return Told(accepted=points(accepted), determined=sure, tolerance=0.005)
