"""The doubts of a capture in words: what is wrong, what that costs, what to do."""

from __future__ import annotations

from typing import Any

from ncu_roofline.analysis.health.health import BLOCKS, Finding
from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.capture.units import percent, text
from ncu_roofline.present.documents.grammar import invented, its, of_all, options, s, sentence
from ncu_roofline.present.documents.words_notes import note

RECIPE = "Add the work counters that `ncu-roofline recipe` prints for this device."
AGAIN = "The other launches have them: capture these kernels again."
SAID: dict[str, tuple[str, str, str]] = {
    "unmeasured": (
        "Nothing was measured: no launch has a duration, bytes or FLOPs.",
        "",
        "Capture again with the metrics that `ncu-roofline recipe` prints.",
    ),
    "unmeasured_some": ("Nothing was measured for {some}.", "", ""),
    "missing_time": (
        "No duration for {some}: {its} rates and shares are unknown.",
        "",
        "Add --metrics gpu__time_duration.sum.",
    ),
    "missing_time_rated": (
        "No duration for {some}: {its} rates are known, {its} bytes and time are not.",
        "",
        "Add --metrics gpu__time_duration.sum.",
    ),
    "device_unknown": (
        "The capture does not say which GPU it was taken on: {sideless} unknown.",
        "",
        "Name it: `gpu=NAME` (`ncu-roofline gpus` lists them).",
    ),
    "device_unlisted": (
        "{name} is not a known GPU: ridge, side and shares are unknown.",
        "The capture does not describe it in full either.",
        "Name one that is like it: `gpu=NAME` (`ncu-roofline gpus` lists them).",
    ),
    "missing_bytes": ("No DRAM bytes for {some}: {its} bytes per token{and_side} unknown.", "", "Add --metrics {metrics}."),
    "missing_writes": ("{Some} read {read} together; what {its_own} wrote is unknown.", "", "Add --metrics {metrics}."),
    "missing_flops": ("No FLOPs for {some}: {its} {lost}.", "", RECIPE),
    "partial_flops": ("FLOPs of {some} are a lower bound.", "{Left_out} not counted.", RECIPE),
    "partial_flops_rare": ("FLOPs of {some} leave out rare kinds of work.", "{Left_out} not counted.", ""),
    "derived": ("{what} of {some} are {meaning}.", "{certainty}", ""),
    "above_roof": (
        "{Some} would beat a roof (up to {worst}): a clock or counter is wrong there.",
        "",
        "Check `gpu=`, and capture these kernels again in a single pass.",
    ),
    "integer_dots": ("{Some} compute{s} with integer dot products, which no FLOP counter sees.", "{Its} bytes are known.", ""),
    "sparse": ("{Some} use{s} 2:4 sparse instructions: {its} FLOPs count the zeros too.", "", ""),
    "clocks_locked": (
        "The SM clock was held at {ratio} of its maximum: small kernels look slower.",
        "So do compute-bound ones; bytes and FLOPs are right.",
        "Capture with --clock-control none.",
    ),
    "clocks_unknown": (
        "Clocks were not measured: the roofs are those of the datasheet.",
        "",
        "Add --metrics sm__cycles_elapsed.avg.per_second,dram__cycles_elapsed.avg.per_second.",
    ),
    "cache_kept": (
        "Caches were kept between passes: small kernels may show too few bytes.",
        "With --cache-control none, what fits into L2 is found there by every pass after the first.",
        "",
    ),
    "cache_flushed": (
        "Caches were flushed: small kernels show more bytes than in a real step.",
        "They were flushed before every kernel ({who}).",
        "For the bytes of a real step capture with --cache-control none and few passes.",
    ),
    "whole_graphs": (
        "Graphs were profiled whole: the bytes are true, the time is no step time.",
        "A row is a graph, not a kernel.",
        "For kernels apart capture with --graph-profiling node.",
    ),
    "whole_ranges": (
        "Ranges were profiled whole: the bytes are true, the time is no step time.",
        "A row is a range of kernels, not a kernel.",
        "For kernels apart capture with --replay-mode kernel or application.",
    ),
    "short_kernels": (
        "{Some} ({part} of the time) last{s} under {microseconds:.0f} µs: rates are unsure.",
        "{Its} counts are right.",
        "",
    ),
    "several_processes": ("Launches of {processes:,} processes are mixed; steps are followed per process.", "", ""),
    "unclassified": (
        "The role of {some}{time} is not recognised.",
        "",
        "`ncu-roofline roles CAPTURE --unknown` prints them, ready for a rules file.",
    ),
    "synthetic": (invented([Run(synthetic=Fact(True))])[0], "", ""),
    "noted": ("{note}", "", ""),
}
"""What is wrong with its consequence, in a line; what else to know; what to do. Words in braces come from the finding."""

MEANING = {
    "nominal": ("rebuilt from the share of active memory cycles at the nominal clock", "0.1 to 0.4 % high on an L4."),
    "rate": ("rates times duration", "Exact but for the spread between replay passes."),
    "cycles": ("rebuilt from active memory cycles", "Within 0.1 % where both were counted."),
    "opcodes": ("counted by opcode", ""),
    "instructions": ("instruction counts times a usual shape", "Up to 2x off."),
    "pipe": ("estimated from pipe utilisation", ""),
    "l2_miss": ("L2 misses: this part has no DRAM counters", ""),
}
"""What a derived number is, and how sure it is."""
UNCONFIRMED = "16,384 operations per FP4 instruction (m16n8k64), which no report has confirmed."
COUNTED = {"dram_bytes": "DRAM bytes", "flops": "FLOPs"}


def words(finding: Finding) -> tuple[str, str]:
    """What is wrong, and what to do about it (empty where nothing helps)."""
    wrong, more, mend = SAID[key(finding)]
    if finding.code in ("missing_time", "missing_bytes", "missing_writes") and finding.launches < finding.total:
        mend = AGAIN
    if finding.code == "partial_flops" and not finding.values["mendable"]:
        mend = ""
    known = filled(finding)
    return f"{wrong} {more}".format(**known).strip(), mend.format(**known)


def short(finding: Finding) -> str:
    """The doubt and its consequence in a line."""
    return options(SAID[key(finding)][0].format(**filled(finding)))


def doubt(finding: Finding) -> str:
    """A finding as one line: what is wrong, then what to do."""
    return options(" ".join(words(finding)).strip())


def key(finding: Finding) -> str:
    """Which of the sentences fits."""
    if finding.code == "unmeasured" and finding.severity != BLOCKS:
        return "unmeasured_some"
    if finding.code == "device_unknown" and finding.values["name"]:
        return "device_unlisted"
    if finding.code == "missing_time" and finding.values.get("rated"):
        return "missing_time_rated"
    if finding.code == "partial_flops" and finding.values.get("rare"):
        return "partial_flops_rare"
    return "derived" if finding.code.startswith("derived_") else finding.code


def filled(finding: Finding) -> dict[str, Any]:
    """What stands in the place of the braces."""
    some, n, values = of_all(finding.launches, finding.total), finding.launches, finding.values
    meaning, certainty = MEANING.get(finding.code.removeprefix("derived_"), ("", ""))
    part = "" if values.get("part") is None else percent(values["part"])
    return {
        **values,
        "some": some,
        "Some": some.capitalize(),
        "its": its(n),
        "s": s(n),
        "what": COUNTED.get(values.get("column", "")),
        "Its": its(n).capitalize(),
        "meaning": meaning,
        "certainty": UNCONFIRMED if values.get("unconfirmed") else certainty,
        "sideless": "the side is" if values.get("shared") else "side and shares are",
        "and_side": " are" if values.get("sided") else " and side are",
        "read": text(values.get("read"), "byte"),
        "its_own": "they" if n > 1 else "it",
        "lost": lost(values.get("sideless", 0), n),
        "Left_out": left_out(values.get("kinds", [])),
        "who": values.get("origin") or "the profiler's default; the file does not say",
        "part": part,
        "worst": f"{100 * values.get('worst', 0.0):.0f} %",
        "ratio": f"{100 * values.get('ratio', 0.0):.0f} %",
        "time": f" ({part} of the time)" if part else "",
        "microseconds": 1e6 * values.get("limit", 0.0),
        "note": sentence(note(values.get("note", ""))),
    }


def lost(sideless: int, launches: int) -> str:
    """What launches without FLOPs lack: useful work may still have told their side."""
    if sideless == launches:
        return "side and limit are unknown"
    return "limit is unknown" + (f", and the side of {sideless:,}" if sideless else "")


def left_out(kinds: list[str]) -> str:
    """The work that a partial count leaves out, as the subject of a sentence."""
    named = ", ".join(kinds[:4]) + (f" and {len(kinds) - 4} more kinds" if len(kinds) > 4 else "")
    return f"Work in {named} was" if kinds else "A part of it was"
