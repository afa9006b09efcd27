"""The three sentences that every answer begins with: what moves per token, what limits it, what to do first."""

from __future__ import annotations

from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline.gains import AT_CEILING, GLUE, UNKNOWN
from ncu_roofline.analysis.roofline.overview import Overview
from ncu_roofline.analysis.run.tokens import Totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.units import three
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.present.documents.grammar import capital
from ncu_roofline.present.documents.words_gain import lacking
from ncu_roofline.present.documents.words_tokens import each_gpu, held, no_decode, several_wholes, stated_step
from ncu_roofline.present.forms.short import brief
from ncu_roofline.present.forms.text import clean

PER = {"token": "per token", "step": "per decode step"}
PARTS = {
    "fc": "FC",
    "attention": "attention",
    "other": "the rest",
    "kv-cache": "cache writes",
    "unclassified": "by unrecognised kernels",
}


def whole_percent(share: float) -> str:
    """A share without decimals, and never a false nothing.

    >>> whole_percent(0.909), whole_percent(0.0004), whole_percent(0.0), whole_percent(0.9996)
    ('91 %', 'under 1 %', '0 %', '100 %')
    """
    return "under 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def answer(study: Study, numbers: Overview, whole: Totals, first: pl.DataFrame) -> tuple[str, ...]:
    """What moves, what limits, what first; a sentence that nothing was measured for is left out."""
    rest = (stated_step(study, whole), limits(study, numbers), to_do(first))
    made_up = ("SYNTHETIC capture: a generator wrote it, no GPU measured it.",) if study.run.synthetic.value else ()
    return (*made_up, *(said for said in (moves(study, numbers, whole), *rest) if said))


def moves(study: Study, numbers: Overview, whole: Totals) -> str:
    """Bytes per token with their parts, or what they are of, or why they are unknown."""
    if study.launches.height and not whole.launches:
        return capital(no_decode(study))
    if wholes := several_wholes(study, whole):
        return wholes
    of = where(study, whole)
    total, read, written = (whole.per_basis(f"dram_{part}bytes") for part in ("", "read_", "write_"))
    if total is None and read is not None:
        told = f"{three(read, 'byte')} read {of}{each_gpu(whole)}; what was written is unknown."
        return f"At least {told}" if numbers.reads_known < numbers.launches else told
    if total is None:
        return "Bytes per token are unknown: no launch has its DRAM bytes."
    least = "At least " if whole.unknown["dram_bytes"] else ""
    untold = f"; {UNTOLD}" if whole.basis == "capture" else ""
    return f"{least}{three(total, 'byte')} {of}{each_gpu(whole)}{apart(read, written)}{shares(numbers)}{untold}."


def where(study: Study, whole: Totals) -> str:
    """The unit of a figure, or what the sums are of."""
    return PER.get(whole.basis) or f"in {held(study, whole)}"


UNTOLD = "per token is unknown (state --steps or --tokens)"


def apart(read: float | None, written: float | None) -> str:
    """What was read and what was written, in brackets.

    >>> apart(384e6, 12.6e6), apart(4.22e6, 128.0), apart(4.22e6, None)
    (' (384 MB read, 12.6 MB written)', ' (128 B of it written)', '')
    """
    if read is None or written is None:
        return ""
    if written < THRESHOLDS.next_to_none * read:
        return f" ({three(written, 'byte')} of it written)"
    return f" ({three(read, 'byte')} read, {three(written, 'byte')} written)"


def shares(numbers: Overview) -> str:
    """The two parts that move most of it."""
    known = numbers.families.drop_nulls("bytes_share").sort("bytes_share", descending=True).head(2)
    parts = {r["family"]: r["bytes_share"] for r in known.to_dicts() if r["bytes_share"] >= THRESHOLDS.next_to_none}
    if list(parts) == ["other"]:
        return ", next to none of it weights or KV cache"
    told = [f"{whole_percent(share)} {PARTS[family]}" for family, share in parts.items()]
    return f": {', '.join(told)}" if told else ""


def limits(study: Study, numbers: Overview) -> str:
    """Which roof decides, and how much of the time no roof explains."""
    if numbers.memory_bytes_share is None and numbers.sided_launches:
        return sides(numbers)
    match regime(numbers):
        case "unknown":
            share = numbers.bandwidth_share
            reached = "" if share is None else f" It reaches {whole_percent(share)} of the bandwidth."
            return f"What limits it is unknown: {unsettled(study, numbers)}.{reached}"
        case "uncertain":
            return "What limits it is not certain: a main kind of work was not counted."
        case "neither":
            part = whole_percent(numbers.latency_time_share or 0.0)
            return f"Neither roof limits most of it: {part} of the time goes to kernels that reach neither."
        case "memory":
            side = "Memory bandwidth limits it: fewer bytes make it faster, fewer FLOPs do not."
        case "compute":
            side = "Arithmetic limits it: it is right of the ridge, where fewer bytes alone gain nothing."
        case _:
            left = whole_percent(numbers.memory_bytes_share or 0.0)
            side = f"Memory and arithmetic both limit it: {left} of the bytes are left of the ridge."
    return f"{side}{idle(numbers)}"


def regime(numbers: Overview) -> str:
    """What limits the whole in a word: memory, compute, mixed, neither, uncertain or unknown."""
    memory = numbers.memory_bytes_share
    if memory is None or (numbers.side_known_bytes_share or 0) < THRESHOLDS.most_of_it:
        return "unknown"
    if (numbers.partial_bytes_share or 0) > THRESHOLDS.most_of_it:
        return "uncertain"
    if idle(numbers) and (numbers.latency_time_share or 0.0) > THRESHOLDS.most_of_it:
        return "neither"
    return "memory" if memory >= THRESHOLDS.memory_regime else "compute" if memory < THRESHOLDS.next_to_none else "mixed"


def unsettled(study: Study, numbers: Overview) -> str:
    """What would have to be known to say what limits."""
    nameless = "the GPU is not named (--gpu)" if study.gpu is None and numbers.bandwidth_share is None else ""
    bytes_ = "DRAM writes" if numbers.reads_known else "DRAM bytes"
    lacks = [what for what, value in ((bytes_, numbers.dram_bytes), ("FLOPs", numbers.flops)) if value is None]
    counted = {0: "", 1: f"no {lacks[0]} were counted" if lacks else "", 2: f"neither {bytes_} nor FLOPs were counted"}
    missing = [part for part in (nameless, counted[len(lacks)]) if part]
    known = whole_percent(numbers.side_known_bytes_share or 0.0)
    return " and ".join(missing) or f"the side of the ridge is known for {known} of the bytes only"


def sides(numbers: Overview) -> str:
    """Which side the launches stand on, where no bytes weigh them."""
    left, sided = numbers.left_launches, numbers.sided_launches
    reached = "" if numbers.bandwidth_share is None else f", at {whole_percent(numbers.bandwidth_share)} of the bandwidth"
    which = "The only launch is" if sided == 1 == numbers.launches else f"{left:,} of {sided:,} launches are"
    where = "right" if sided == 1 == numbers.launches and not left else "left"
    return f"{which} {where} of the ridge{reached}."


def idle(numbers: Overview) -> str:
    """The time that neither roof explains, where it is worth a word."""
    share, known = numbers.latency_time_share, numbers.limit_known_time_share or 0
    if share is None or share < THRESHOLDS.worth_a_word or known < THRESHOLDS.most_of_it:
        return ""
    return f" {whole_percent(share)} of the time goes to kernels too small for either roof."


def to_do(first: pl.DataFrame) -> str:
    """The largest gain in words."""
    if first.is_empty():
        return ""
    row = first.row(0, named=True)
    if row["why"] == GLUE:
        share = whole_percent(row["time_share"])
        return f"First: {fix_name(row)} ({share} of the time): fuse them, or use a CUDA graph."
    takes = f"takes {whole_percent(row['time_share'])} of the time"
    if row["why"] == UNKNOWN:
        return f"First: {what(row)} {takes}; what it could gain is not known, as its {lacking(row)} were not measured."
    if row["gain_reason"] == AT_CEILING:
        return f"No kernel has much left to gain: {what(row)} {takes} and is at its ceiling, where only fewer bytes help."
    reached, roof = row["bandwidth_share"], "DRAM peak"
    if row["limited_by"] == "compute":
        reached, roof = row["compute_share"], "arithmetic peak"
    at = "" if reached is None else f" at {whole_percent(reached)} of the {roof}"
    return f"First: {what(row)} {takes}{at}, {three(row['gain_seconds'], 's')} more than at its ceiling."


def fix_name(row: dict[str, Any]) -> str:
    """What a row of things to fix is called."""
    if row["why"] == GLUE:
        return f"{row['launches']:,} small kernel{'s' if row['launches'] != 1 else ''}"
    return brief(row["kernel"], row["name"] or "", 40) if row["kernel"] else "unnamed"


def mend(row: dict[str, Any]) -> str:
    """What would help a kernel, in a few words."""
    if row["why"] == GLUE:
        return "fuse, or CUDA graph"
    if row["why"] == UNKNOWN:
        return f"measure its {lacking(row)}"
    if row["gain_reason"] == "share" and row["limited_by"] == "compute":
        return "another kernel, or fewer FLOPs"
    return HELPS.get(row["gain_reason"] or "", "fewer bytes" if row["why"] == "memory" else "fewer FLOPs")


HELPS = {
    "share": "another kernel, or fewer bytes",
    "part_wave": "spread it over more blocks",
    "tail": "another grid",
    "padding": "smaller tiles",
    "reads": "read its matrix once",
    "fusion": "fuse it with its neighbours",
    "launch": "fuse, or CUDA graph",
    "helper": "fuse, or split less",
    "at_ceiling": "fewer bytes",
}
"""What would help, by what keeps a kernel above its ceiling."""


def what(row: dict[str, Any]) -> str:
    """A kernel as a sentence calls it."""
    name = brief(row["kernel"], row["name"] or "", 26) if row["kernel"] else "unnamed kernels"
    return f"{clean(name)} ({row['role'] or 'unknown role'})"


def strip(study: Study, numbers: Overview, whole: Totals, first: pl.DataFrame) -> tuple[tuple[str, str], ...]:
    """Four figures: bytes, kernel time, the side of the ridge, what to fix first; a dash where one is not known."""
    bytes_, seconds = whole.per_basis("dram_bytes"), whole.per_step("seconds")
    untold = numbers.memory_bytes_share is None or (numbers.side_known_bytes_share or 0) < THRESHOLDS.most_of_it
    left = "–" if untold else f"{whole_percent(numbers.memory_bytes_share or 0.0)} of the bytes"
    row = None if first.is_empty() else first.row(0, named=True)
    return (
        (f"moved {where(study, whole)}", "–" if bytes_ is None else three(bytes_, "byte")),
        (
            "kernel time of a step" if whole.stated_seconds is None else "a step as stated",
            "–" if seconds is None else three(seconds, "s"),
        ),
        ("left of the ridge", left),
        ("to fix first", "–" if row is None else f"{fix_name(row)}, {whole_percent(row['time_share'] or 0.0)} of the time"),
    )
