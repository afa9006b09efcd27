"""The sentences of a comparison: the verdict with its reason, what caps a gain, what cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.comparability import Difference
from ncu_roofline.analysis.compare.compare import Comparison, eaters, shifted
from ncu_roofline.analysis.compare.sides import UNITS
from ncu_roofline.analysis.compare.verdict import Change, Judged
from ncu_roofline.capture.units import number, text, three
from ncu_roofline.knowledge.verdicts import limit
from ncu_roofline.present.documents.grammar import options
from ncu_roofline.present.forms.columns import change, percent, shape
from ncu_roofline.present.forms.short import brief

TITLES = {
    "not_comparable": "Not comparable",
    "cannot_tell": "Cannot tell",
    "outside_regime": "Outside the regime",
    "no_change": "No change",
    "same_bytes": "Same bytes",
    "moves_more": "Moves more bytes",
    "flop_mirage": "FLOP mirage",
    "same_bytes_faster": "Same bytes, faster",
    "same_bytes_slower": "Same bytes, slower",
    "bytes_cut_slower": "Bytes cut, slower",
    "bytes_cut_time_kept": "Bytes cut, time mostly kept",
    "cuts_bytes": "Cuts bytes",
}
NAMES = {"bytes": "DRAM bytes", "flops": "FLOPs", "seconds": "time"}
LONG = {"flops": "executed FLOPs"}
MOST = 3
WORTH = 0.05
"""Kernels with less than this part of the excess time are not named."""
LEAST_CAP = 0.10
"""Latency-bound time below this share caps a gain at 10x or more: not worth a sentence."""


def signed(value: float | None) -> str:
    """-0.123 -> `-12.3 %`; a change too small to print is `0 %`."""
    if value is None:
        return "none on one side"
    if value >= 9.995:
        return f"{three(value + 1)}x as much"
    return change(value)


def moved(each: Change, quantity: str, basis: str) -> str:
    """`18.7 GB to 10.0 GB of DRAM bytes per token (-46.6 %)`."""
    return f"{ends(each, quantity)} per {basis} ({changed(each)})"


def ends(each: Change, quantity: str) -> str:
    """`397 MB to 283 MB`."""
    return f"{text(each.base, UNITS[quantity])} to {text(each.head, UNITS[quantity])}"


def changed(each: Change) -> str:
    """`-46.6 %`; of a number that one side has nothing of, which."""
    if each.part is None and each.base and each.head == 0:
        return "all gone"
    return "none before" if each.part is None and each.base == 0 and each.head else signed(each.part)


def taken_time(each: Change, basis: str) -> str:
    """`time 4.1 ms to 2.2 ms per token (-46 %)`."""
    if each.log is None:
        return "time was not measured on both sides"
    return f"time {moved(each, 'seconds', basis)}"


def ran(each: Change) -> str:
    """`time 201 µs to 177 µs`."""
    return "time was not measured on both sides" if each.log is None else f"time {ends(each, 'seconds')}"


def inside(each: Change) -> str:
    """`-0.1 %, noise ±0.5 %`."""
    if each.part is None:
        return "0 on both sides"
    return f"{signed(each.part)}, noise ±{100 * each.room:.1f} %" if each.reach else "the same measurements, to the last digit"


def reason(comparison: Comparison) -> str:
    """Why the verdict is what it is, in one sentence."""
    judged = comparison.judged
    match judged.verdict:
        case "not_comparable":
            return incomparable(comparison)
        case "cannot_tell":
            return undecided(judged, comparison.per)
        case "outside_regime":
            return (
                f"{percent(judged.beyond)} of the DRAM bytes are moved by kernels beyond their ridge (the filter holds up to "
                f"{percent(limit('beyond_ridge'))}): here FLOPs count as well; bytes {signed(judged.bytes.part)}, "
                f"FLOPs {signed(judged.flops.part)}, time {signed(judged.seconds.part)}."
            )
        case "no_change" if judged.itself:
            return "both sides hold the same measurements, to the last digit; other captures tell whether anything changed."
        case "no_change":
            return (
                f"DRAM bytes ({inside(judged.bytes)}), FLOPs ({flops_words(judged.flops)}) and time "
                f"({inside(judged.seconds)}) per {comparison.per} are inside the noise."
            )
        case _:
            return by_change(comparison)


def by_change(comparison: Comparison) -> str:
    """The reason of a verdict that rests on a change."""
    judged, basis = comparison.judged, comparison.per
    bytes_, time = moved(judged.bytes, "bytes", basis), taken_time(judged.seconds, basis)
    cut = ends(judged.bytes, "bytes")
    match judged.verdict:
        case "moves_more":
            return f"{bytes_} from DRAM; {time}."
        case "flop_mirage":
            return (
                f"{percent(abs(judged.flops.part or 0))} fewer FLOPs per {basis} at the same DRAM bytes "
                f"({inside(judged.bytes)}): worth about nothing in this regime; time {inside(judged.seconds)}."
            )
        case "same_bytes":
            return f"DRAM bytes ({inside(judged.bytes)}) per {basis} stayed; {untold(judged.seconds)}."
        case "same_bytes_faster" | "same_bytes_slower":
            other = "less" if judged.verdict == "same_bytes_faster" else "more"
            return f"the same bytes ({inside(judged.bytes)}) in {other} {time}{shifts(comparison)}."
        case "bytes_cut_slower":
            time = ends(judged.seconds, "seconds")
            return f"{both(judged)} per {basis}.\n{cut} from DRAM, yet more time: {time}.{eaten(comparison)}"
        case "bytes_cut_time_kept":
            return (
                f"{both(judged)} per {basis}.\n{cut} from DRAM allow {times(judged.allowed)}, but "
                f"{ran(judged.seconds)}, {seen(judged)}.{eaten(comparison)}"
            )
        case _:
            paid = "" if judged.realised is None else f", {seen(judged)}"
            less = judged.realised is not None and judged.realised < limit("realised")
            return (
                f"{both(judged)} per {basis}.\n{cut} from DRAM allow {times(judged.allowed)}; {ran(judged.seconds)}{paid}."
                f"{eaten(comparison) if less else ''}"
            )


def untold(seconds: Change) -> str:
    """What is known of a time whose change cannot be told."""
    if seconds.log is None:
        return "time was not measured on both sides"
    return f"whether time did cannot be told: {signed(seconds.part)} seen, {possible(seconds)}"


def possible(each: Change) -> str:
    """`-5.1 % to +6.4 % possible`; of an interval with one end, `-5.1 % or more possible`."""
    if each.low is None or each.high is None:
        end = each.low if each.high is None else each.high
        return "any value possible" if end is None else f"{signed(end)} or {'more' if each.high is None else 'less'} possible"
    return f"{signed(each.low)} to {signed(each.high)} possible"


def both(judged: Judged) -> str:
    """`bytes -28.7 %, time -11.9 %`; of a time that cannot be told, what is possible."""
    seconds = judged.seconds
    if judged.answers["seconds"] is not None:
        time = f"time {signed(seconds.part)}"
    elif seconds.log is None:
        time = "time not measured"
    else:
        time = f"time {signed(seconds.part)} seen, {possible(seconds)}"
    return f"bytes {changed(judged.bytes)}, {time}"


def times(value: float | None) -> str:
    """`1.87x`."""
    return "any speed-up" if value is None else f"{number(value)}x"


def seen(judged: Judged) -> str:
    """The speed-up and the part realised."""
    if judged.realised is None:
        return times(judged.speedup)
    if judged.realised < 0.005:
        return f"{times(judged.speedup)}: none of the gain that the bytes allow"
    if judged.realised > 1.5:
        return f"{times(judged.speedup)}: more than the bytes explain, so something beside them changed"
    return f"{times(judged.speedup)}: {100 * judged.realised:.0f} % of the gain that the bytes allow"


def flops_words(flops: Change) -> str:
    """FLOPs that were not measured, or not well enough, are said to be so."""
    if flops.direction is not None:
        return inside(flops)
    return "not measured" if flops.base is None or flops.head is None else "known too loosely"


def incomparable(comparison: Comparison) -> str:
    """What differs, what it does, and which words allow it."""
    said = "; ".join(f"{d.what} {d.base} against {d.head} ({options(d.effect)})" for d in comparison.blocking)
    return f"{said}. --vary names what is changed on purpose; --anyway shows the numbers all the same."


UNLIKE = {
    "basis": "the captures tell neither tokens nor whole layers and hold different parts of a run; capture whole steps or "
    "layers, or state what they stand for with --base-run tokens=N and --head-run tokens=N.",
    "layers": "layers are of several kinds or read other experts each, and the captures may hold other ones; capture whole "
    "steps, or the same layers on both sides.",
    "rows": "executed work changed by more than twice, which another batch or a prompt does by itself, and neither side tells "
    "its batch; state it with --base-run batch=N and --head-run batch=N.",
}
"""In what the sides may be unlike, beside what was changed, and what would settle it."""
COUNTERS = {"bytes": "dram__bytes_read.sum and dram__bytes_write.sum", "seconds": "gpu__time_duration.sum"}


def undecided(judged: Judged, basis: str) -> str:
    """What is lacking, and what to do; of a pair without bytes what its time tells."""
    kind, _, what = judged.doubt.partition(":")
    if what in UNLIKE:
        return UNLIKE[what]
    match kind:
        case "windows":
            return (
                "the captures are cut differently and each holds launches that the other lacks: what both hold changed by "
                f"{signed(judged.bytes.part)}, with the rest {possible(judged.bytes)}; capture whole steps, or the same "
                "launches."
            )
        case "assumed":
            return (
                f"attention's bytes changed and the rest did not, which another {what} does by itself, and neither side tells "
                f"its {what}; state it with --base-run {what}=N and --head-run {what}=N."
            )
        case "unknown":
            low, high = (bound(end) for end in (getattr(judged, what).low, getattr(judged, what).high))
            return (
                f"{NAMES[what]} of some launches were not measured; with all that they can be, the change lies between {low} "
                f"and {high}. Capture every kernel with the same counters."
            )
        case "missing":
            again = f"{NAMES[what]} were not measured on both sides; capture again with {COUNTERS[what]}."
            return f"{again}{time_alone(judged, basis)}"
        case _:
            return loose(NAMES[what], getattr(judged, what))


def loose(name: str, each: Change) -> str:
    """That a number is not known well enough, and what would narrow it."""
    if each.measured:
        seen = f"±{100 * each.room:.0f} % only ({signed(each.part)} seen)"
        return f"{name} are known to {seen}; more layers, steps or repeated captures narrow it."
    return (
        f"{name} changed by {signed(each.part)}, and noise could not be measured: no two launches are alike and nothing "
        "was captured twice; give repeated captures with --base A1 A2 A3 --head B1 B2 B3."
    )


def time_alone(judged: Judged, basis: str) -> str:
    """What time did, where nothing else is told; nothing where it was not measured either."""
    seconds = judged.seconds
    if seconds.log is None or not seconds.reach:
        return ""
    told = "" if judged.answers["seconds"] is not None else f" seen, {possible(seconds)}"
    return f"\nTime alone went from {ends(seconds, 'seconds')} per {basis}: {signed(seconds.part)}{told}."


def bound(part: float | None) -> str:
    """One end of an interval of a change."""
    return "any value" if part is None else signed(part)


def name_of(row: dict[str, Any]) -> str:
    """A kernel's name in at most 40 columns."""
    kernel, name = row["head_kernel"] or row["base_kernel"], row["head_name"] or row["base_name"]
    return brief(kernel, name or "", 40)


def kernel_words(row: dict[str, Any], grid: bool = False) -> str:
    """A kernel with the reason why it took longer than its bytes explain, and its grid where its name is not its own."""
    on = f", grid {shape(row['head_grid'].split('x'))}" if grid and row["head_grid"] else ""
    name = f"{name_of(row)} ({row['role']}{on}"
    small = ", too small for either roof" if (row["head_latency_share"] or 0) > 0.5 else ""
    if row["what"] in ("added", "split"):
        return f"{name}, {row['what']})"
    before, after = row["base_bandwidth_share"], row["head_bandwidth_share"]
    if before is None or after is None:
        return f"{name}{small}, share of the DRAM peak unknown)"
    return f"{name}{small}, share of the DRAM peak {percent(before)} to {percent(after)})"


def eaten(comparison: Comparison) -> str:
    """Which kernels kept the time."""
    found = eaters(comparison)
    rows = found.filter(pl.col("excess") >= WORTH * pl.col("excess").sum()).head(MOST).to_dicts()
    if not rows:
        return ""
    names = [name_of(r) for r in rows]
    over = ", ".join(f"{text(r['excess'], 's')} in {kernel_words(r, names.count(name_of(r)) > 1)}" for r in rows)
    return f"\nTime beyond what the bytes allow: {over}."


def shares_known(comparison: Comparison) -> bool:
    """Whether any kernel's share of the bandwidth is known on both sides."""
    kernels = comparison.rows.get("kernel")
    return kernels is not None and all(kernels[f"{side}_bandwidth_share"].count() for side in ("base", "head"))


def shifts(comparison: Comparison) -> str:
    """Which kernels use the bandwidth otherwise."""
    rows = shifted(comparison).head(MOST).to_dicts()
    if not rows and not shares_known(comparison):
        return "; shares of the DRAM peak are not known, so nothing here says why"
    if not rows and comparison.clocks is not None:
        # the clock also runs between kernels, which captures do not show
        return (
            "; in the captures no kernel's share of the DRAM peak moved by much, so it is between kernels or in those too "
            "small for either roof"
        )
    if not rows:
        return "; no kernel's share of the DRAM peak moved by much, so it is in kernels too small for either roof"
    sides = ((name_of(r), percent(r["base_bandwidth_share"]), percent(r["head_bandwidth_share"])) for r in rows)
    return "; share of the DRAM peak: " + ", ".join(f"{name} {before} to {after}" for name, before, after in sides)


def answer(comparison: Comparison) -> tuple[str, ...]:
    """Verdict and reason, then what was changed on purpose, then what caps any gain."""
    title = TITLES[comparison.verdict]
    caveat = " (not comparable, numbers shown all the same)" if comparison.anyway and comparison.blocking else ""
    first, *rest = reason(comparison).split("\n")
    said = f"{title}{caveat}: {first}{taken(comparison)}"
    if comparison.verdict == "not_comparable":
        return (said, *rest)
    return (said, *rest, *purpose(comparison), *cap(comparison))


def taken(comparison: Comparison) -> str:
    """What the verdict takes for granted, in its own sentence; nothing where every fact is told."""
    if comparison.verdict in ("not_comparable", "cannot_tell") or not comparison.assumed:
        return ""
    facts = comparison.assumed
    listed = facts[0] if len(facts) == 1 else f"{', '.join(facts[:-1])} and {facts[-1]}"
    return f" This takes {listed} to be the same on both sides."


def purpose(comparison: Comparison) -> Iterator[str]:
    """What the experiment changes on purpose, as the captures tell it."""
    changed = [d for d in comparison.differences if not d.blocks and not one_sided(d)]
    if changed:
        yield "Changed on purpose: " + ", ".join(f"{d.what} {d.base} to {d.head}" for d in changed) + "."


def one_sided(d: Difference) -> bool:
    """Whether only one side tells the fact, or the ladder chose it: nobody changed it on purpose."""
    return "unknown" in (d.base, d.head) or d.what == "source of FLOPs"


def cap(comparison: Comparison) -> Iterator[str]:
    """What latency-bound kernels leave of any saving."""
    share = comparison.latency[0]
    gained = comparison.judged.speedup
    if share is not None and share >= LEAST_CAP and (gained is None or gained * share < 1):
        capped = f"at this batch no saving of bytes makes it more than {three(1 / share)}x faster"
        least = capped if share < 0.995 else "no saving of bytes touches it"
        yield f"{percent(share)} of the base's time goes to kernels too small for either roof: {least}."


def noise(each: Change) -> str:
    """`±0.5 %`, and whether that is measured; of a number that launches lack, between what it can be."""
    if each.gap:
        return possible(each).removesuffix(" possible")
    return f"±{100 * each.room:.1f} %" + ("" if each.measured else " assumed")


def judged_table(comparison: Comparison) -> pl.DataFrame:
    """Bytes, FLOPs and time: base, head, change and noise as text."""
    rows: list[dict[str, str | None]] = []
    for q in ("bytes", "flops", "seconds"):
        each: Change = getattr(comparison.judged, q)
        rows.append(
            {
                "number": f"{LONG.get(q, NAMES[q])} per {comparison.per}",
                "base": text(each.base, UNITS[q]),
                "head": text(each.head, UNITS[q]),
                "change": signed(each.part) if each.log is not None else None,
                "noise": None if None in (each.base, each.head) else noise(each),
            }
        )
    base, head = comparison.useful
    if base and head:
        said = {"number": f"useful FLOPs per {comparison.per}", "base": text(base, "FLOP"), "head": text(head, "FLOP")}
        rows.insert(2, {**said, "change": signed(head / base - 1), "noise": None})
    return pl.DataFrame(rows, schema=dict.fromkeys(("number", "base", "head", "change", "noise"), pl.String))
