"""Steps of a timeline by the order of its kernels, as a capture's are: those found whole, and whether they are all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.run.rows import verifying
from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.analysis.timeline.alone import DECODE, MIXED, UNKNOWN, alone
from ncu_roofline.capture.capture import Capture, Fact, Run
from ncu_roofline.capture.schema import PROMPTED

TURNED_ALIKE = 0.95
"""Part of the kernels around whole steps that must be those of one more."""
SAME_GRIDS = 0.5
"""And the part of them that must have its grids: those of attention follow the context."""
FOUND_NONE = {False: "what looks like one is put together of several"}
"""Why there is none, where those that were found are not sound."""
TOGETHER = 0.9
"""Part of the kernels between a step's first start and last end that must be its own: else it is put together of others'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Which kernels are of which step, which steps count, and how many there are."""

    numbers: pl.Series
    """The step of each kernel; null outside of them."""
    counted: pl.DataFrame
    """device, number of the steps that are whole and of decode alone."""
    steps: Fact[int]
    prompts: int | None = None
    """Passes with tokens of prompts, where ranges tell them."""


def in_order(capture: Capture, choices: Choices) -> Study:
    """The kernels as a study; where streams hide steps that their order in time shows, all of them alike, in that."""
    first = study(capture, choices)
    if capture.launches["stream"].n_unique() == 1:
        return first
    one = replace(capture, launches=capture.launches.with_columns(stream=pl.lit(None, pl.Int64)))
    second = study(one, choices)
    more = (passes(second) or 0) > (passes(first) or 0)
    return second if more and same_depth(second) and not other_work(second) else first


def ordered(followed: Study, clock: pl.DataFrame, *, lone: bool, beside: Study | None) -> Told:
    """The whole steps, which of them are decode alone, and how many there are.

    `lone` is whether one alone is believed: no kernel is known to be lost, which would make one of two.
    """
    whole = whole_steps(followed.run) & pl.lit(passes(followed) is not None)
    every = followed.every.sort("index").with_columns(step=pl.when(whole).then("step"))
    fact = by_order(followed, lone=lone, beside=beside)
    found = every.select("device", "step").drop_nulls("step").unique()
    if found.is_empty():
        return Told(numbers=every["step"], counted=found.rename({"step": "number"}), steps=fact)
    kinds = alone(every).select("device", "step", "alone")
    sound = found.join(mended(every, clock), on=["device", "step"], how="anti", nulls_equal=True)
    kept = sound.join(kinds, on=["device", "step"], nulls_equal=True)
    return Told(
        numbers=every["step"],
        counted=kept.filter(pl.col("alone") == DECODE).select("device", number="step"),
        steps=of_decode(fact, kinds, kept, sound.height == found.height),
    )


def of_decode(fact: Fact[int], kinds: pl.DataFrame, kept: pl.DataFrame, sound: bool) -> Fact[int]:
    """The number of steps without those that carry a piece of a prompt: open where some may."""
    if fact.value is None and fact.low is None:
        return fact
    sure, unsure, mixed = (per_device(kept, kinds, kind) for kind in (DECODE, UNKNOWN, MIXED))
    said = f"{fact.evidence}; {carrying(max(mixed))} of a prompt beside decode" if any(mixed) else fact.evidence
    if fact.value is None or not sound:
        return Fact(None, "unknown", said if min(sure) else FOUND_NONE.get(sound, said), low=min(sure) or None)
    # what is before the first whole step and after the last may be one more
    beyond = fact.value - max(kinds.group_by("device").len()["len"])
    most = max(a + b for a, b in zip(sure, unsure, strict=True))
    if most != min(sure):
        return Fact(None, "unknown", f"{said}; rows do not tell prompt tokens from padding", min(sure), most + beyond)
    return replace(fact, value=most + beyond, evidence=said) if most else Fact(None, "unknown", said)


def per_device(kept: pl.DataFrame, kinds: pl.DataFrame, kind: str) -> list[int]:
    """How many steps of a kind each device has."""
    devices = kinds.select("device").unique().sort("device")
    each = kept.filter(pl.col("alone") == kind).group_by("device").len()
    return devices.join(each, on="device", how="left", nulls_equal=True)["len"].fill_null(0).to_list()


def carrying(mixed: int) -> str:
    """So many steps that carry a piece."""
    return f"{mixed:,} {'carries a piece' if mixed == 1 else 'carry pieces'}"


def mended(every: pl.DataFrame, clock: pl.DataFrame) -> pl.DataFrame:
    """Steps that are pieces of several put together: kernels of others run between their own, or they verify twice."""
    at = every.select("device", "step", "index", verifies=verifying(every)).with_columns(clock.select("start"))
    at = at.with_columns(turn=pl.int_range(pl.len()).over("device"))
    steps = at.drop_nulls("step").group_by("device", "step")
    told = steps.agg(
        pl.len().alias("own"), among=pl.col("turn").max() - pl.col("turn").min() + 1, verified=pl.col("verifies").sum()
    )
    usual = told["verified"].mode().min() if told.height > 1 else 1
    doubtful = (pl.col("own") < TOGETHER * pl.col("among")) | (pl.col("verified") > max(1, int(usual)))  # type: ignore[arg-type]
    return told.filter(doubtful).select("device", "step")


def whole_steps(run: Run) -> pl.Expr:
    """Whether a launch is part of a whole decode step; a batch that the user states says so where nothing else tells."""
    stated = pl.lit(run.batch.origin == "given")
    decode = (pl.col("phase").cast(pl.String) == "decode").fill_null(stated)
    return pl.col("step_whole").fill_null(False) & pl.col("step").is_not_null() & decode


def passes(followed: Study) -> int | None:
    """Whole decode steps that the order of kernels shows; None where it shows none."""
    if followed.run.steps.value is not None:
        return followed.run.steps.value
    if followed.run.batch.origin != "given":
        return None
    whole = followed.every.filter(whole_steps(followed.run))
    return whole.select("process", "device", "step").n_unique() if whole.height and same_depth(followed) else None


def by_order(followed: Study, *, lone: bool, beside: Study | None) -> Fact[int]:
    """What the order of kernels tells of the steps: those found whole, all of them where nothing else can hold one.

    `lone` is whether one alone is believed: no kernel is known to be lost, which would make one of two.
    """
    number, steps = passes(followed), followed.run.steps
    if number is None:
        return steps
    evidence = steps.evidence if steps.value is not None else "whole passes, taken for decode because a batch is stated"
    alike = same_depth(followed) or (lone and number == 1 and one_deep(followed, beside))
    if alike and not other_work(followed):
        return Fact(number, "inferred", evidence)
    if same_depth(followed) and one_more(followed):
        return Fact(number + 1, "inferred", f"{evidence}; what is before the first and after the last is one more")
    return Fact(None, "unknown", evidence, low=number)


def same_depth(followed: Study) -> bool:
    """Whether several whole steps have as many kernels of attention each: a lost end would make one of two."""
    each = depths(followed)
    return len(each) > 1 and len(set(each)) == 1 and each[0] > 0


def one_deep(followed: Study, beside: Study | None) -> bool:
    """Whether the one whole step has attention, and as much as a step of the capture beside it."""
    here, there = depths(followed), depths(beside) if beside is not None else []
    return len(here) == 1 and here[0] > 0 and (not there or here[0] in there)


def depths(of: Study, phases: Collection[str] = ()) -> list[int]:
    """Kernels of attention, or of a state-space model, in each whole decode step, or in each pass of these phases."""
    which = pl.col("phase").cast(pl.String).is_in(list(phases)) if phases else whole_steps(of.run)
    steps = of.every.filter(which.fill_null(False)).group_by("process", "device", "phase", "step")
    return steps.agg(mixing().sum().alias("mixers"))["mixers"].to_list()


def one_more(followed: Study) -> bool:
    """Whether the kernels before the first whole step and after the last make exactly one more.

    Steps are cut where one surely ends, which may be before its last kernels: a trace of whole steps then begins with one
    that lacks the end of another before it, and ends with that end. One of the two holds all the attention.
    """
    every = followed.every.sort("index").select(
        "kernel", "grid", "step", "device", whole=whole_steps(followed.run), mixer=mixing()
    )
    at = every["whole"].arg_true()
    if every["device"].n_unique() > 1 or not at.len() or not every["whole"].slice(at[0], at[-1] - at[0] + 1).all():
        return False
    first, last = every.head(at[0]), every.tail(every.height - at[-1] - 1)
    step = every.slice(at[0]).filter(pl.col("step") == every["step"][at[0]])
    if first.height + last.height != step.height or step["mixer"].sum() not in (first["mixer"].sum(), last["mixer"].sum()):
        return False
    turned, around = pl.concat([step.tail(first.height), step.head(last.height)]), pl.concat([first, last])
    same = {c: int(turned[c].eq_missing(around[c]).sum()) for c in ("kernel", "grid")}
    return bool(same["kernel"] >= TURNED_ALIKE * step.height and same["grid"] >= SAME_GRIDS * step.height)


def mixing() -> pl.Expr:
    """Whether a kernel is attention or a state-space model's."""
    return pl.col("role").cast(pl.String).is_in(MIXERS)


def other_work(followed: Study) -> bool:
    """Whether a kernel outside of the steps could be of another one: products, attention, or what nobody knows.

    So could those of a pass of prompts with more attention than a step has: the end of one and a step.
    """
    if max(depths(followed, PROMPTED), default=0) > max(depths(followed), default=0) > 0:
        return True
    role = pl.col("role").cast(pl.String)
    work = role.is_null() | role.is_in([*MIXERS, "fc", "fused-step"])
    return (
        followed.every.filter(
            ~whole_steps(followed.run) & work & ~pl.col("phase").cast(pl.String).is_in(PROMPTED).fill_null(False)
        ).height
        > 0
    )
