"""Words of what could be gained: the ceiling, why a kernel is above it, and what the launches would take at it."""

from __future__ import annotations

from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline.ceilings import Ceiling
from ncu_roofline.analysis.roofline.gains import Reachable, Small
from ncu_roofline.analysis.run.ranks import gpus
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.units import number, three
from ncu_roofline.present.forms.short import brief
from ncu_roofline.present.forms.text import clean


def why(row: dict[str, Any]) -> str | None:
    """What keeps a kernel above its ceiling, in a few words, or what was not measured; None where it took no known time.

    >>> why({"gain_reason": "part_wave", "waves": 0.727}), why({"gain_reason": "share", "ceiling_share": 0.887})
    ('fills 73 % of the GPU', 'streams at 89 % of the ceiling')
    """
    waves = float(row.get("waves") or 0.0)
    match row["gain_reason"]:
        case "share":
            return of_roof(row)
        case "part_wave":
            return f"fills {part(waves)} of the GPU"
        case "tail":
            return f"{number(waves)} waves: the last is part empty"
        case "padding":
            return f"padding: {number(row['padding'])}x the useful work" if row.get("padding") else "padding"
        case "reads":
            return "reads more than its matrix"
        case "fusion":
            return f"{three(row['fusion_bytes'], 'byte')} go to its neighbours through DRAM"
        case "launch":
            return "launch cost: graph or fusion"
        case "helper":
            return "finishes a split kernel"
        case "at_ceiling":
            return "at its ceiling"
    return None if row.get("seconds") is None else f"{lacking(row)} not measured"


def of_roof(row: dict[str, Any]) -> str:
    """The part of its roof that a kernel reaches: of the peak where arithmetic is nearer, else of the ceiling.

    >>> of_roof({"limited_by": "compute", "compute_share": 0.46}), of_roof({"limited_by": "latency", "ceiling_share": 0.1})
    ('works at 46 % of the peak', 'far below both roofs')
    """
    if row.get("limited_by") == "compute":
        return f"works at {part(row['compute_share'])} of the peak"
    share = row.get("ceiling_share")
    if share is None or row.get("limited_by") == "latency":
        return "far below both roofs"
    return f"streams at {part(share)} of the ceiling"


def lacking(row: dict[str, Any]) -> str:
    """What the gain of a kernel would need: its bytes, or where those are known its FLOPs."""
    return "bytes" if row.get("bandwidth_share") is None else "FLOPs"


def part(share: float) -> str:
    """A share without decimals, never a false nothing."""
    return f"{'under 1' if share < 0.01 else f'{100 * share:.0f}'} %"


def with_why(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the reason of their gain in words; none where no gain is known at all, as without a device."""
    told = [why(row) for row in rows.to_dicts()] if rows["gain_reason"].count() else [None] * rows.height
    return rows.with_columns(pl.Series("why", told, dtype=pl.String))


def ceiling(best: Ceiling, gpu: str | None) -> str:
    """What gains are measured against, and what says so."""
    where = f" on {gpu}" if gpu else ""
    match best.kind:
        case "stated":
            return f"{three(best.bandwidth, 'byte/s')}, as stated"
        case "capture":
            name = brief(clean(best.kernel or ""), "", 40)
            return (
                f"{three(best.bandwidth, 'byte/s')}, which {name} of this capture reached, beyond the "
                f"{three(best.table or 0.0, 'byte/s')} known before{where}"
            )
        case "table":
            return f"{three(best.bandwidth, 'byte/s')}, the most that a kernel was seen to reach{where}"
        case "reported":
            return f"{three(best.bandwidth, 'byte/s')}, the most that a kernel was reported to reach{where}"
    return f"{three(best.bandwidth, 'byte/s')}, the datasheet's bandwidth, as no kernel's best is known{where}"


def reach(study: Study, found: Reachable | None, tiny: Small) -> tuple[str, ...]:
    """What the launches would take if every one reached its ceiling, and what of the rest no saving of bytes touches."""
    if found is None or study.ceiling is None:
        return ()
    against = ceiling(study.ceiling, study.gpu.name if study.gpu else None)
    # of launches that are not all of whole steps no step's time is the mean
    stated = study.run.steps.origin == "given" and study.phase == "decode"
    whole = stated or study.launches["step_whole"].fill_null(value=False).all()
    steps, side_by_side = study.run.steps.value if whole else None, gpus(study.launches)
    what, divisor = ("a captured step", int(steps) * side_by_side) if steps else ("the capture", side_by_side)
    what += " on one GPU" if side_by_side > 1 else ""
    said = (
        f"If every kernel reached its ceiling ({against}), {what} would take {three(found.least / divisor, 's')} "
        f"instead of {three(found.seconds / divisor, 's')} of kernel time."
    )
    if tiny.gain < WORTH * found.seconds:
        return (said,)
    one, all_in_all = tiny.launches == 1, " in all" if divisor > 1 else ""
    many = "1 small kernel, mostly its start" if one else f"{tiny.launches:,} small kernels{all_in_all}, mostly their start"
    lost = three(tiny.gain / divisor, "s")
    return (said, f"{lost} of the difference is {many}: a CUDA graph or fusion helps there, fewer bytes do not.")


WORTH = 0.01
"""Part of the time below which the starts of tiny launches are not worth a sentence."""
