"""Bytes from the captures, time from the steps that no profiler disturbed: what the clock makes of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, pi

import polars as pl

from ncu_roofline.analysis.compare.noise import Noise
from ncu_roofline.analysis.compare.sides import Side
from ncu_roofline.analysis.compare.verdict import Change, Judged, change, exactly, judge
from ncu_roofline.analysis.run.basis import basis
from ncu_roofline.analysis.run.clock import stated_seconds
from ncu_roofline.analysis.study import Study
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.verdicts import limit

QUARTILES = 1.349
"""Standard deviations between the quartiles of a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Seconds of the real steps of both sides: every step of a trace, or the one time that the user states."""

    base: tuple[float, ...]
    head: tuple[float, ...]
    stated: bool = False
    matched: tuple[float, float] | None = None
    """Of the kernels of each trace, those that its capture measured: few of another run."""

    def __post_init__(self) -> None:
        """Raises UnusableInput where a side has no step."""
        for name, times in (("base", self.base), ("head", self.head)):
            if not times:
                raise UnusableInput(
                    f"the trace of the {name} shows no decode step to take a time from; state it by `step_time=`"
                )


def chosen(clocks: Clocks | None, base: Sequence[Study], head: Sequence[Study]) -> Clocks | None:
    """The clocks of the traces, or those that the user states; not both."""
    told = stated(base, head)
    if clocks is not None and told is not None:
        raise UnusableInput("both traces and `step_time=` tell the time of the step; leave one")
    return clocks or told


def stated(base: Sequence[Study], head: Sequence[Study]) -> Clocks | None:
    """The clocks that the user states of both sides; None where of neither, an error where of one alone."""
    found = [{t for s in side if (t := stated_seconds(s.run)) is not None} for side in (base, head)]
    if not any(found):
        return None
    if any(len(times) != 1 for times in found):
        raise UnusableInput("a stated time of the step is needed of both sides, one each: one alone compares with nothing")
    return Clocks(base=tuple(found[0]), head=tuple(found[1]), stated=True)


def by_clock(judged: Judged, sides: tuple[Side, Side], clocks: Clocks | None, comparable: bool) -> Judged:
    """The verdict with the time of the real steps in place of the sum of kernel times."""
    if clocks is None or judged.verdict == "not_comparable":
        return judged
    seconds = timed(clocks, (per_unit(sides[0]), per_unit(sides[1])))
    return judge(judged.bytes, judged.flops, seconds, judged.beyond, comparable=comparable)


def timed(clocks: Clocks, units: tuple[float, float]) -> Change:
    """The change of time; its noise is that of the medians, and of runs that drift from one to the next.

    Of a stated time nobody tells the noise: the drift alone is assumed.
    """
    times = (clocks.base, clocks.head)
    medians = [float(pl.Series(t).median()) / unit for t, unit in zip(times, units, strict=True)]  # type: ignore[arg-type]
    found = change("seconds", exactly(medians[0]), exactly(medians[1]), noise_of(times))
    return replace(found, reach=limit("prior_seconds")) if clocks.stated else found


def noise_of(times: tuple[tuple[float, ...], tuple[float, ...]]) -> Noise:
    """Of ln(head / base) of two medians, from step to step; a median's variance is pi / 2 times that of a mean."""
    if min(len(t) for t in times) < 2:
        return Noise()
    variance = sum(pi / 2 * deviation(t) ** 2 / len(t) for t in times)
    return Noise(variance=variance, dof=float(sum(len(t) - 1 for t in times)))


def deviation(times: tuple[float, ...]) -> float:
    """Of ln(time) from step to step; by the quartiles where there are enough, so that one stall does not make it."""
    logs = pl.Series([log(t) for t in times])
    if len(times) < limit("few_steps"):
        return float(logs.std())  # type: ignore[arg-type]
    low, high = (logs.quantile(q, interpolation="linear") for q in (0.25, 0.75))
    return (high - low) / QUARTILES  # type: ignore[operator]


def per_unit(side: Side) -> float:
    """What a step is divided by on the basis of the comparison: its tokens, or itself."""
    counted = basis(side.studies[0].launches, side.studies[0].run)
    if side.basis == "step" and counted.steps:
        return 1.0
    if side.basis == "token" and counted.steps and counted.tokens:
        return counted.tokens / counted.steps
    raise UnusableInput("the time of a step needs captures of whole steps: these are compared per " + side.basis)
