"""What a roofline says in words: the finding, how to read the marks, and on what it all stands."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.capture.units import counted, number, three
from ncu_roofline.capture.units import text as quantity
from ncu_roofline.present.documents.grammar import capital
from ncu_roofline.present.forms.columns import percent
from ncu_roofline.present.forms.text import clean, shorten

NAMES = {"fc": "FC", "attention": "attention", "other": "everything else"}
PRECISION = {
    "fp16_scalar": "FP16 vector",
    "fp64_tensor": "FP64 tensor",
    "fp32": "FP32 vector",
    "fp16_fp16acc": "FP16 (FP16 sum)",
    "fp8_fp16acc": "FP8 (FP16 sum)",
    "fp64": "FP64 vector",
}
LINE = 138
"""Characters of a line at the foot."""
SMALL = 0.25
"""Part of the time from which kernels that reach neither roof belong into the finding."""


def precision(path: str) -> str:
    """A path as people write it."""
    return PRECISION.get(path, path.upper())


def finding(picture: Picture) -> list[str]:
    """The answer: how much FC and attention move, at what intensity, on which side of the ridge."""
    return together([*where(picture), *small(picture)])


def where(picture: Picture) -> list[str]:
    """FC and attention against the ridge, or why that cannot be told."""
    if not on_plane(picture):
        return unplaced(picture)
    families = {row["family"]: row for row in picture.families.iter_rows(named=True)}
    told = [f for f in ("fc", "attention") if f in families]
    if not any(flops_known(families[f]) for f in told) and "other" in families and flops_known(families["other"]):
        told.append("other")
    if not any(flops_known(families[f]) for f in told):
        return unplaced(picture)
    joined = "; ".join(family_sentence(families[f], picture) for f in told)
    return [capital(joined) + "."]


HALF = 0.5
"""Part of the bytes of FC and attention whose side has to be told for a title to tell it."""
SIDES = {"memory": "memory-bound", "compute": "compute-bound"}
FAMILY = {"fc": "FC", "attention": "attention"}


def headline(picture: Picture) -> str:
    """The finding as a title: FC and attention with their side, or what they move or take; empty where nothing is told."""
    main = picture.families.filter(pl.col("family").cast(pl.String).is_in(list(FAMILY))).to_dicts()
    told = [r for r in main if r["bound"] is not None and (r["bytes_share"] or 0) >= 0.005 and flops_known(r)]
    if sum(r["bytes_share"] for r in told) < HALF * sum(r["bytes_share"] or 0 for r in main) or not told:
        return amounts(main)
    parts = [f"{FAMILY[row['family']]} ({100 * row['bytes_share']:.0f} % of the bytes)" for row in told]
    sides = [SIDES[row["bound"]] + " unless padded" * padded(row) for row in told]
    if len(set(sides)) == 1:
        return f"{' and '.join(parts)} {'is' if len(parts) == 1 else 'are'} {sides[0]}"
    return ", ".join(f"{part} is {side}" for part, side in zip(parts, sides, strict=True))


def padded(row: Mapping[str, Any]) -> bool:
    """Whether padded tiles may be what puts a family on the right."""
    return bool(row["bound_source"] != "useful" and row["bound"] == "compute" and row["tensor_flops"])


def amounts(main: list[dict[str, Any]]) -> str:
    """What FC and attention move, or take where no bytes are known.

    >>> amounts([{"family": "fc", "bytes_share": 0.56, "time_share": 0.4}, {"family": "attention", "bytes_share": 0.4}])
    'FC moves 56 % of the bytes, attention 40 %'
    """
    for column, verb, what in (("bytes_share", "moves", "bytes"), ("time_share", "takes", "time")):
        known = [(FAMILY[row["family"]], 100 * row[column]) for row in main if (row.get(column) or 0) >= 0.005]
        if known:
            (name, share), *rest = sorted(known, key=lambda part: -part[1])
            return ", ".join([f"{name} {verb} {share:.0f} % of the {what}", *(f"{n} {part:.0f} %" for n, part in rest)])
    return ""


def flops_known(row: Mapping[str, Any]) -> bool:
    """Whether anything tells the work of a family."""
    return row["useful_intensity"] is not None or row["intensity"] is not None


def band(picture: Picture) -> str:
    """Over the kernels that have bytes and no place along the axis: they do no FLOPs, or nobody counted them."""
    inside = picture.marks.filter(pl.col("place").cast(pl.String) == "bytes")
    return "FLOPs ?" if inside["flops"].null_count() else "no FLOPs"


def together(sentences: list[str]) -> list[str]:
    """Sentences whose numbers stay on the line of their units."""
    return [re.sub(r"(?<=\d) (?=[%A-Za-zµ])", "\u00a0", s) for s in sentences]


def on_plane(picture: Picture) -> bool:
    """Whether any mark has both coordinates."""
    return picture.marks["x"].drop_nulls().len() > 0


def family_sentence(row: Mapping[str, Any], picture: Picture) -> str:
    """One family: share, intensity with its basis, place against the ridge."""
    useful = row["useful_intensity"] is not None
    intensity = row["useful_intensity"] if useful else row["intensity"]
    share = row[f"{picture.size_by}_share"]
    what = "moves" if picture.size_by == "bytes" else "takes"
    of = "bytes" if picture.size_by == "bytes" else "time"
    some = f"{what} {percent(share)} of the {of}" if share is not None else f"{what} an unknown part of the {of}"
    if not flops_known(row):
        return f"{NAMES[row['family']]} {some}, its FLOPs unknown"
    bound = " executed" if row["tensor_flops"] else ""
    basis = " useful" if useful else bound
    if not useful and row["useful_intensity_high"] is not None and row["useful_intensity_high"] < intensity:
        return f"{NAMES[row['family']]} {some} at {within(row)}{against_ridge(row, row['useful_intensity_high'], 'at most ')}"
    most = "at no more than " if basis == " executed" else "at "
    if intensity == 0:
        return f"{NAMES[row['family']]} {some} and does no FLOPs"
    return f"{NAMES[row['family']]} {some} {most}{three(intensity)}{basis} FLOP/byte{against_ridge(row, intensity)}"


def within(row: Mapping[str, Any]) -> str:
    """The range of useful intensity, beside the executed one."""
    low, high = three(row["useful_intensity_low"]), three(row["useful_intensity_high"])
    return f"{low} to {high} useful FLOP/byte by its cache's type (executed: {three(row['intensity'])})"


def against_ridge(row: Mapping[str, Any], intensity: float, most: str = "") -> str:
    """Side of the ridge, with the quotient."""
    if row["ridge"] is None or row["bound"] is None:
        return ""
    part = intensity / row["ridge"]
    where = f"{percent(part)} of the ridge" if part < 1 else f"{three(part)} times the ridge"
    side = "memory-bound" if row["bound"] == "memory" else "compute-bound"
    doubt = " unless it is padding" * padded(row)
    if most and part < 1:
        side, doubt = "memory-bound", ""
    return f", {most}{where}: {side}{doubt}"


def unplaced(picture: Picture) -> list[str]:
    """Why no kernel has a place, and what is known all the same."""
    marks = picture.marks
    bytes_known = marks["dram_bytes"].drop_nulls().len() > 0
    flops_known = marks["flops"].drop_nulls().len() > 0
    if marks.is_empty():
        return ["The capture holds no launches."]
    if bytes_known and flops_known and not marks["seconds"].drop_nulls().len():
        return ["No kernel can be placed: the capture has no durations."]
    if bytes_known:
        why = "No FLOPs were counted" if not flops_known else "No kernel does FLOPs"
        some = "only kernels whose useful work is known have" if on_plane(picture) else "no kernel has"
        return [
            f"{why}, so {some} a place along the axis; how fast each moves its bytes is in the band on the left.",
            *moved(picture),
        ]
    if flops_known:
        return [
            "DRAM bytes were not counted, so no kernel has a place along the axis; "
            "the FLOP/s of each are in the band on the right."
        ]
    return [
        "No kernel can be placed: this capture counts neither FLOPs nor DRAM bytes. "
        "Capture again with the metrics of ncu-roofline recipe."
    ]


def moved(picture: Picture) -> list[str]:
    """What the bytes alone tell of FC and attention."""
    said = [
        f"{NAMES[r['family']]} moves {percent(r['bytes_share'])} of the bytes "
        f"at {percent(r['bandwidth_share'])} of the DRAM peak"
        for r in picture.families.sort("family").iter_rows(named=True)
        if r["bytes_share"] is not None and r["bandwidth_share"] is not None
    ]
    return [f"{capital('; '.join(said))}."] if said else []


def small(picture: Picture) -> list[str]:
    """The time that neither roof explains, where it is much."""
    if picture.latency_time is None or picture.latency_time < SMALL:
        return []
    return [
        f"{percent(picture.latency_time)} of the time goes to kernels too small for either roof, "
        "which no saving of bytes or FLOPs shortens."
    ]


def basis(picture: Picture, room: int = 62) -> list[str]:
    """Device, clocks, caches; capture, grouping, tokens: two lines at the foot."""
    device = picture.device or "unknown device (name it with --gpu)"
    lacking = [f"{level.upper()} roof not captured" for level in picture.levels if picture.roofs.filter(what=level).is_empty()]
    first = " · ".join([device, clocks(picture), caches(picture), *lacking])
    count = counted(picture.launches, "launch")
    time = "" if picture.seconds is None else f" in {quantity(picture.seconds, 's')}"
    return [clean(first), f"{shorten(clean(picture.name), room)} · {count}{time} · {tokens(picture)}"]


def clocks(picture: Picture) -> str:
    """Clocks during the capture, and whether the profiler held them."""
    control = picture.run.clock_control.value
    held = {"base": ", locked by the profiler", "none": ", not locked", "boost": ", locked to boost"}.get(str(control), "")
    parts = [
        f"{name} {hertz / 1e9:.2f} GHz" for name, hertz in (("SM", picture.sm_hertz), ("memory", picture.dram_hertz)) if hertz
    ]
    return ", ".join(parts) + held if parts else ("clocks not captured" + held)


def caches(picture: Picture) -> str:
    """What the profiler did with the caches."""
    control = picture.run.cache_control.value
    return {"all": "caches flushed before each kernel", "none": "caches kept warm"}.get(str(control), "cache control unknown")


def tokens(picture: Picture) -> str:
    """On which batch useful work stands."""
    run = picture.run
    for fact, name in ((run.batch, "batch"), (run.tokens, "tokens")):
        if fact.value is not None:
            value = number(float(fact.value)) if isinstance(fact.value, int | float) else clean(str(fact.value))
            return f"{name} {value} ({fact.origin})"
    return "batch unknown: executed work only" if "useful" not in places(picture) else "batch not stated"


def places(picture: Picture) -> set[str]:
    """Kinds of place that occur."""
    return set(picture.marks["place"].cast(pl.String))


def bounded(picture: Picture) -> bool:
    """Whether the useful intensity of a mark at its executed one is known to lie in a range."""
    return not picture.marks.filter(
        pl.col("place").cast(pl.String) == "upper", pl.col("x") > pl.col("useful_intensity_high")
    ).is_empty()


def reaches(picture: Picture) -> str:
    """The bandwidth that kernels reach beside that of the datasheet or of the clocks; empty where it is not known."""
    slopes = dict(picture.roofs.filter(what="dram").select("kind", "value").iter_rows())
    slope = slopes.get(picture.ridge, next(iter(slopes.values()), None))
    if picture.ceiling is None or slope is None:
        return ""
    words = {"stated": "the ceiling is stated as", "reported": "kernels were reported to reach"}
    word = words.get(picture.ceiling.kind, "kernels were seen to reach")
    return f"DRAM roof {quantity(slope, 'byte/s')}; {word} {quantity(picture.ceiling.bandwidth, 'byte/s')}"


def key(picture: Picture, below: int = 0) -> list[str]:
    """How to read marks and lines: only what occurs."""
    found = places(picture)
    padded = picture.marks["executed_x"].drop_nulls().len() > 0
    kinds = set(picture.roofs["kind"])
    marks = [
        ("● useful work" if padded else "● work", bool(found & {"useful", "counted"})),
        ("○ executed, padding included", padded),
        ("←○ only executed work known: true place further left", "upper" in found),
        ("pale bar: where useful work must lie", bounded(picture)),
        ("○→ some FLOPs not counted: true place further right", "partial" in found),
    ]
    lines = [("— roof at the capture's clocks", "capture" in kinds), ("- - datasheet roof", "datasheet" in kinds)]
    whose = {"stated": "the ceiling as stated", "reported": "the best that kernels were reported to reach"}
    best = whose.get(picture.ceiling.kind if picture.ceiling else "", "the best that kernels reach")
    lines.append((f"··· {best}", picture.ceiling is not None))
    marks.append(("+ the same work over its L2 bytes", picture.marks["l2_x"].drop_nulls().len() > 0))
    flags = [("ring: above its roof, so a counter is doubtful", bool(picture.marks["suspect"].any()))]
    slower = "1 slower one stands" if below == 1 else f"{below} slower ones stand"
    edge = [(f"{slower} on the lower edge", below > 0)]
    said = [text for text, occurs in [*marks, *flags, *edge, *lines] if occurs]
    return textwrap.wrap("   ".join(t.replace(" ", "\u00a0") for t in said).replace("   ", " \u00a0 "), LINE)
