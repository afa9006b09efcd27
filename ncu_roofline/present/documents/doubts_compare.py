"""What cannot be trusted of a comparison: caveats, noise, what was not measured or not told."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ncu_roofline.analysis.compare.comparability import Difference, unknown_conditions
from ncu_roofline.analysis.compare.compare import Comparison
from ncu_roofline.analysis.compare.sides import gaps, only_prefill
from ncu_roofline.capture.units import counted
from ncu_roofline.knowledge.verdicts import limit
from ncu_roofline.present.documents.grammar import capital, invented, options, sentence
from ncu_roofline.present.documents.words_compare import MOST, NAMES, one_sided
from ncu_roofline.present.documents.words_notes import note
from ncu_roofline.present.forms.columns import percent
from ncu_roofline.present.forms.short import brief

ONE_RUN = 0.9
"""Part of a trace's kernels that its capture measured, from which nobody asks whether both are of one run."""


LACKING = {
    "bytes": ("DRAM bytes", " (by time)", "were"),
    "flops": ("FLOPs", " (by time)", "were"),
    "seconds": ("Time", "", "was"),
}


def doubts(comparison: Comparison) -> tuple[str, ...]:
    """What cannot be trusted, most serious first."""
    studies = (*comparison.base.studies, *comparison.head.studies)
    notes = dict.fromkeys(note(n) for s in studies for n in getattr(s, "notes", ()))
    made_up = invented([s.run for s in (*comparison.base.studies, *comparison.head.studies)])
    return (
        *made_up,
        *clock_doubts(comparison),
        *caveats(comparison),
        *above_roof(comparison),
        *noise_doubts(comparison),
        *unknowns(comparison),
        *(sentence(options(n)) for n in notes),
    )


def clock_doubts(comparison: Comparison) -> Iterator[str]:
    """What the time of the verdict is, where it is not the sum of kernel times."""
    clocks = comparison.clocks
    if clocks is None:
        return
    reach = f"±{100 * comparison.judged.seconds.room:.1f} %"
    if clocks.stated:
        yield f"Time is that of the step as stated, its noise taken to be {reach}; tables by role and kernel have kernel times."
        return
    steps = f"{len(clocks.base):,} steps of the base and {len(clocks.head):,} of the head"
    yield f"Time is the median of {steps}, known to {reach}; tables by role and kernel have kernel times."
    for name, share in zip(("base", "head"), clocks.matched or (1.0, 1.0), strict=True):
        if share < ONE_RUN:
            yield f"Trace and capture of the {name} share {percent(share)} of a step's launches: are both of one run?"


def caveats(comparison: Comparison) -> Iterator[str]:
    """Differences that were waved through, and those of which only one side tells."""
    for d in comparison.differences:
        if d.blocks and comparison.anyway:
            yield f"Not comparable in {', '.join(d.numbers)}: {difference(d)}."
        elif one_sided(d):
            yield f"{difference(d)}."


def difference(d: Difference) -> str:
    """One difference in words."""
    return f"{capital(d.what)} is {d.base} in the base and {d.head} in the head: {options(d.effect)}"


def above_roof(comparison: Comparison) -> Iterator[str]:
    """Launches that reached more than their roof: something is not what it is taken to be."""
    for name, side in (("base", comparison.base), ("head", comparison.head)):
        found = [s.launches.filter("suspect") for s in side.studies if "suspect" in s.launches.columns]
        count = sum(f.height for f in found)
        if not count:
            continue
        worst = max(w for f in found if (w := f.select(pl.max_horizontal("bandwidth_share", "compute_share").max()).item()))
        stand = "stands" if count == 1 else "stand"
        yield (
            f"{counted(count, 'launch')} of the {name} {stand} above a roof, at up to {percent(worst)} of it: the device, its "
            "clocks or a counter are not what they are taken to be, and shares of a peak are not to be believed."
        )


def noise_doubts(comparison: Comparison) -> Iterator[str]:
    """How well noise is known."""
    judged = comparison.judged
    told = comparison.clocks is not None and comparison.clocks.stated
    by_chance = ("bytes",) if told else ("bytes", "seconds")
    changes = {q: getattr(judged, q) for q in by_chance}
    assumed = [NAMES[q] for q, c in changes.items() if not c.measured and None not in (c.base, c.head)]
    if assumed:
        yield (
            f"The noise of {' and '.join(assumed)} could not be measured (no two launches are alike, one capture a side): "
            "its limits are assumed."
        )
    elif comparison.copied and not judged.itself:
        yield "Launch by launch both sides agree but for the digits they print: they are taken to be one capture."
    elif not judged.itself and min(comparison.base.captures, comparison.head.captures) == 1:
        yield (
            "One capture a side: noise is the spread between equal launches, and for time the drift seen between captures "
            "elsewhere. Repeated captures measure it."
        )
    if judged.seconds.drift:
        yield "Repeated captures differ in time by more than their launches explain: clocks or load drifted."
    reach = judged.realised_reach
    near = comparison.verdict in ("cuts_bytes", "bytes_cut_time_kept")
    if near and judged.realised is not None and reach is not None and abs(judged.realised - limit("realised")) < reach:
        yield (
            f'The share of {100 * judged.realised:.0f} % is known to ±{100 * reach:.0f} points only: "cuts bytes" and '
            '"bytes cut, time mostly kept" cannot be told apart.'
        )


def unknowns(comparison: Comparison) -> Iterator[str]:
    """Conditions nobody told, numbers not measured, and a basis that is not the token."""
    untold = unknown_conditions(comparison.base.studies, comparison.head.studies)
    if untold:
        yield f"Neither side tells its {', '.join(untold)}: taken to be the same on both."
    yield from windows(comparison)
    flops = comparison.judged.flops
    blind = flops.direction is None
    if blind:
        lacking = "were not measured on both sides" if flops.base is None or flops.head is None else "are known too loosely"
        yield f"FLOPs {lacking}: a FLOP mirage cannot be told from no change."
    if comparison.judged.beyond is None:
        yield "Which kernels lie beyond their ridge is not known: beyond it bytes do not decide."
    for name, side in (("base", comparison.base), ("head", comparison.head)):
        for quantity, part in gaps(side.launches).items():
            if part > 0 and not (blind and quantity == "flops"):
                what, counted, was = LACKING[quantity]
                yield f"{what} of {percent(part)} of the {name}'s launches{counted} {was} not measured."


def windows(comparison: Comparison) -> Iterator[str]:
    """What the captures cover, where it is not whole decode steps."""
    sides = (("base", comparison.base), ("head", comparison.head))
    if comparison.basis == "part":
        one, other = (round(s.launches.height / s.captures) for _, s in sides)
        counts = f"{counted(one, 'launch')} in the base and {other:,} in the head"
        share = "what both hold" if comparison.cut else "what was captured"
        yield f"The captures are parts of a step ({counts}): numbers are a token's share of {share}."
    elif comparison.basis != "token":
        yield f"Tokens are unknown: every number is per {comparison.per}; --tokens or --batch makes it per token."
    for (name, _), left in zip(sides, comparison.left_out, strict=False):
        if left.height:
            are = "is" if left.height == 1 else "are"
            yield f"{counted(left.height, 'launch')} of the {name} that the other lacks {are} left out: {most_of(left)}."
    prefill = [n for n, s in sides if any(only_prefill(study) for study in s.studies)]
    if prefill:
        yield f"The launches of the {' and the '.join(prefill)} are prefill, not decode: tokens are read in parallel there."


def most_of(left: pl.DataFrame) -> str:
    """The kernels of these launches that moved most, by name."""
    most = left.sort(pl.col("bytes").fill_null(0.0), descending=True, maintain_order=True)
    named = list(dict.fromkeys(brief(k, n, 40) for k, n in most.select("kernel", "name").iter_rows()))
    return ", ".join(named[:MOST]) + (" and others" if len(named) > MOST else "")
