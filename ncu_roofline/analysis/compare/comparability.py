"""Whether two captures were measured alike: every difference, what it does to which number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.sides import basis_of, decode_launches, footings
from ncu_roofline.analysis.run.ranks import gpus
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import weighted
from ncu_roofline.analysis.work.ladder import dram_hertz, sm_hertz
from ncu_roofline.capture.units import text
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.verdicts import VARY, Condition, conditions, limit, rung_class

WORDS = {
    "cache_control": "cache control",
    "clock_control": "clock control",
    "replay_mode": "replay mode",
    "graph_profiling": "graph profiling",
    "kv": "cache type",
    "weights": "weight type",
    "tp": "tensor parallelism",
    "layers_captured": "captured layers",
    "accepted": "accepted tokens",
    "ranks": "GPUs in the capture",
    "experts": "kind of model",
    "collectives": "communication",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which base and head were not measured, or run, alike."""

    what: str
    base: str
    head: str
    numbers: tuple[str, ...]
    effect: str
    blocks: bool
    """Whether it makes the pair incomparable; a difference made on purpose does not."""


def vary_of(words: Iterable[str]) -> frozenset[str]:
    """What the experiment changes on purpose; raises UnusableInput for a word outside the closed list."""
    wanted = frozenset(w.strip() for words_ in words for w in words_.split(",") if w.strip())
    unknown = sorted(wanted - set(VARY))
    if unknown:
        raise UnusableInput(f"`vary=` {','.join(unknown)}: not something that can vary; known: {', '.join(VARY)}")
    return wanted


def differences(base: Sequence[Study], head: Sequence[Study], vary: frozenset[str]) -> tuple[Difference, ...]:
    """Every difference, those that block first; captures of different models raise UnusableInput."""
    same_model(base, head, vary)
    found = [d for c in conditions() if (d := differs(c, base, head, vary)) is not None]
    found += [*basis_differs(base, head), *clocks_differ(base, head, vary), *rungs_differ(base, head)]
    return tuple(sorted(found, key=lambda d: not d.blocks))


def same_model(base: Sequence[Study], head: Sequence[Study], vary: frozenset[str]) -> None:
    """Refuses captures that say they are of different models."""
    models = [values(s, "model") for s in (base, head)]
    if all(models) and models[0] != models[1] and "model" not in vary:
        raise UnusableInput(
            f"{base[0].capture.name} is of model {joined(models[0])}, {head[0].capture.name} of {joined(models[1])}: "
            "compare captures of one model, or say `vary=model`"
        )


def values(studies: Sequence[Study], fact: str) -> tuple[Any, ...]:
    """The distinct known values of a fact on one side."""
    known = [value(study, fact) for study in studies]
    return tuple(dict.fromkeys(str(v) if fact != "batch" else v for v in known if v is not None))


def value(study: Study, fact: str) -> Any:
    """A fact of one capture: of its run, or what its device and its launches tell; None where nothing does."""
    match fact:
        case "device":
            return study.gpu.product if study.gpu else study.capture.device.name
        case "ranks":
            return gpus(decode_launches(study))
        case "batch":
            return batch_of(study)
        case "experts":
            return by_role(study, "moe-routing", "mixture of experts", "dense")
        case "collectives":
            return by_role(study, "comm", "between GPUs", "none")
    return getattr(study.run, fact).value


def batch_of(study: Study) -> int | str | None:
    """Sequences of a step; their mean where they change from step to step, which no one batch is the same as."""
    fact = study.run.batch
    if fact.value is not None or fact.low is None or fact.high is None or study.run.steps.value is None:
        return fact.value
    whole = totals(study.launches, study.run)
    if not whole.steps or not whole.tokens:
        return None
    mean = whole.tokens / whole.steps / float(study.run.accepted.value or 1)
    return f"{fact.low:g} to {fact.high:g}, {mean:.3g} on average"


def by_role(study: Study, role: str, some: str, none: str) -> str | None:
    """`some` where a decode launch has this role, `none` where whole layers have no such launch; else nothing tells."""
    decode = decode_launches(study)
    if decode.filter(pl.col("role").cast(pl.String) == role).height:
        return some
    return none if decode["layer_whole"].fill_null(False).any() else None


def joined(found: Iterable[Any]) -> str:
    """Values as words."""
    return " and ".join(map(str, found)) or "unknown"


def differs(condition: Condition, base: Sequence[Study], head: Sequence[Study], vary: frozenset[str]) -> Difference | None:
    """The difference in one fact; a fact unknown on one side does not block, and is said."""
    one, other = values(base, condition.fact), values(head, condition.fact)
    known = bool(one and other)
    if (one == other and len(one) <= 1) or alike(condition.fact, [*one, *other]):
        return None
    if condition.fact == "collectives" and (not known or (values(base, "tp") and values(head, "tp"))):
        return None  # the ranks themselves are told on both sides, or nothing is
    origin = "" if known else "taken to be the same, else "
    return Difference(
        what=WORDS.get(condition.fact, condition.fact),
        base=joined(one),
        head=joined(other),
        numbers=condition.numbers,
        effect=origin + condition.effect,
        blocks=known and not vary & set(condition.vary),
    )


def alike(fact: str, found: Sequence[Any]) -> bool:
    """Whether contexts that were told by bytes are one: they differ by less than bytes tell them to."""
    if fact != "context" or not found:
        return False
    numbers = [float(value) for value in found]
    return len(numbers) > 1 and max(numbers) <= (1 + limit("same_context")) * min(numbers)


def assumed(base: Sequence[Study], head: Sequence[Study], vary: frozenset[str]) -> tuple[str, ...]:
    """The facts of the run that decide bytes per token and that a side does not tell, in words."""
    asked = {c.fact: c.vary for c in conditions() if c.fact in ASSUMED}
    missing = [f for f in ASSUMED if not (values(base, f) and values(head, f)) and not vary & set(asked.get(f, ()))]
    return tuple(WORDS.get(f, f) for f in missing)


ASSUMED = ("batch", "context", "device")
"""Facts without which a change of bytes or time may be that of another run."""


def unknown_conditions(base: Sequence[Study], head: Sequence[Study]) -> tuple[str, ...]:
    """Conditions of measurement that neither side tells."""
    asked = ("cache_control", "clock_control", "replay_mode", "batch", "context")
    return tuple(WORDS.get(f, f) for f in asked if not values(base, f) and not values(head, f))


def basis_differs(base: Sequence[Study], head: Sequence[Study]) -> list[Difference]:
    """Tokens known on one side only: then no number is per token on both."""
    one, other = basis_of(base), basis_of(head)
    if one == other or {one, other} == {"layer", "capture"} or windows(base, head):
        return []
    coarse = basis_of([*base, *head])
    effect = f"every number is per {coarse} on both sides; `tokens=` or `batch=` tells what is lacking"
    numbers = ("bytes", "FLOPs", "time")
    return [
        Difference(what="tokens basis", base=f"per {one}", head=f"per {other}", numbers=numbers, effect=effect, blocks=True)
    ]


def windows(base: Sequence[Study], head: Sequence[Study]) -> bool:
    """Whether all captures are parts of a step, some of which have whole layers that could stand for the rest."""
    each = [footings(study) for study in (*base, *head)]
    return all("part" in f and ("token" not in f or f["token"].scaled) for f in each)


def clocks_differ(base: Sequence[Study], head: Sequence[Study], vary: frozenset[str]) -> list[Difference]:
    """Clocks as measured, weighted by time."""
    if vary & {"clocks", "device"}:
        return []
    found = []
    for what, hertz in (("SM clock", sm_hertz), ("memory clock", dram_hertz)):
        one, other = (mean_clock(s, hertz) for s in (base, head))
        if one and other and abs(one / other - 1) > limit("clock"):
            found.append(
                Difference(
                    what=what,
                    base=text(one, "Hz"),
                    head=text(other, "Hz"),
                    numbers=("time",),
                    blocks=True,
                    effect="time was measured at other clocks; bytes and FLOPs are not touched by that",
                )
            )
    return found


def mean_clock(studies: Sequence[Study], hertz: Any) -> float | None:
    """Time-weighted clock of one side; null where it was not measured."""
    return weighted(pl.concat(s.launches.select(hertz(s.launches).alias("hertz"), "seconds") for s in studies), "hertz")


def rungs_differ(base: Sequence[Study], head: Sequence[Study]) -> list[Difference]:
    """Numbers that stand on other rungs of their ladder on the other side."""
    found = []
    for number, column in (("bytes", "dram_bytes"), ("FLOPs", "flops")):
        one, other = (rung_of(s, column) for s in (base, head))
        if one and other and one != other:
            found.append(
                Difference(
                    what=f"source of {number}",
                    base=one,
                    head=other,
                    numbers=(number,),
                    blocks=number == "bytes",
                    effect=f"{number} of the two sides are not the same quantity",
                )
            )
    return found


def rung_of(studies: Sequence[Study], column: str) -> str | None:
    """The class of sources on which most of a number stands."""
    name = f"{column}_source"
    frames = [s.launches.select(pl.col(column), pl.col(name).cast(pl.String)) for s in studies]
    known = pl.concat(frames).filter(pl.col(column) > 0).group_by(name).agg(pl.col(column).sum()).sort(column, descending=True)
    return rung_class(known[name][0]) if known.height else None
