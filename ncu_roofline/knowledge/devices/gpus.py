"""Which GPU a name or a report's device is: the table, a row by name, a row by attributes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ncu_roofline.capture.capture import Device
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.achieved import achieved
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.devices.rates import named_rates, rates
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.toml import read_once

TERA, GIGA, MEGA, MIB = 1e12, 1e9, 1e6, 2.0**20
COMPUTED = "computed from attributes"


@cache
def _rows() -> tuple[tuple[Mapping[str, Any], Gpu], ...]:
    return tuple((row, _gpu(row)) for row in read_once("devices/gpus.toml")["gpu"])


def table() -> tuple[Gpu, ...]:
    """Every known GPU, in the order of the table."""
    return tuple(gpu for _, gpu in _rows())


def _gpu(row: Mapping[str, Any]) -> Gpu:
    def scaled(key: str, factor: float) -> float | None:
        return row[key] * factor if key in row else None

    return Gpu(
        name=row["name"],
        product=row["product"],
        chip=row["chip"],
        compute_capability=row["compute_capability"],
        sms=row.get("sms"),
        l2_bytes=scaled("l2_mib", MIB),
        memory_bytes=scaled("usable_bytes", 1.0) or scaled("memory_gb", GIGA),
        bus_bits=row["bus_bits"],
        bandwidth=row["bandwidth_gbs"] * GIGA,
        boost_hertz=scaled("boost_mhz", MEGA),
        peaks=_peaks(row),
        memory_type=row["memory_type"],
        memory_units=row.get("memory_units"),
        achieved=achieved(row["name"]),
        source=row["source"],
        doubts=(row["doubts"],) if "doubts" in row else (),
        notes=row.get("notes", ""),
    )


def _peaks(row: Mapping[str, Any]) -> dict[str, float]:
    peaks = {precision: float(peak) * TERA for precision, peak in row["peaks"].items()}
    half = rates(row["compute_capability"]).get("fp16_scalar")
    if half and "sms" in row and "boost_mhz" in row:
        peaks["fp16_scalar"] = half * row["sms"] * row["boost_mhz"] * MEGA
    if "fp4" in peaks:  # parts with FP4 run FP6 in the FP8 form, at its rate (docs/evidence/devices.md)
        peaks["fp6"] = peaks["fp8"]
    return peaks


def _plain(name: str) -> str:
    """`NVIDIA H100-SXM5 80 GB` -> `h100 sxm 80gb`."""
    words = re.sub(r"[\s_\-()/]+", " ", name.lower())
    words = re.sub(r"\b(nvidia|geforce|tesla|gpu|generation|edition)\b", " ", words)
    words = re.sub(r"\bsxm\d\b", "sxm", re.sub(r"(\d) gb\b", r"\1gb", words))
    return " ".join(words.split())


def _labels(row: Mapping[str, Any]) -> list[str]:
    return [_plain(label) for label in (row["name"], row["product"], *row.get("aliases", ()))]


def find(name: str) -> Gpu:
    """The GPU of this name, short name or reported name; raises UnusableInput with the nearest ones."""
    wanted = _plain(name)
    for same in (wanted, wanted.replace(" ", "")):
        for row, gpu in _rows():
            if same in [*_labels(row), *(label.replace(" ", "") for label in _labels(row))]:
                return gpu
    reported = _reported(name)
    if reported is not None:
        return reported
    near = _containing(wanted)
    if len(near) == 1:
        return near[0]
    raise UnusableInput(_unknown(name, near))


def _containing(wanted: str) -> list[Gpu]:
    words = set(wanted.split())
    return [gpu for row, gpu in _rows() if words and any(words <= set(label.split()) for label in _labels(row))]


def _unknown(name: str, candidates: list[Gpu]) -> str:
    if candidates:
        listed = ", ".join(gpu.name for gpu in candidates)
        return f"`gpu=` {name!r} fits several GPUs: {listed}; name one of them"
    by_label = {label: gpu.name for row, gpu in _rows() for label in _labels(row)}
    close = difflib.get_close_matches(_plain(name), by_label, n=5, cutoff=0.5)
    nearest = dict.fromkeys(by_label[label] for label in close)
    hint = f"nearest: {', '.join(nearest)}; " if nearest else ""
    return f"`gpu=` {name!r} is not a known GPU; {hint}`ncu-roofline gpus` lists all"


def other_variants(name: str) -> tuple[str, ...]:
    """Names of other GPUs that a short name could mean (`h100`: PCIe, NVL); empty if it is clear."""
    chosen, words = find(name), set(_plain(name).split())
    if _plain(name) in (_plain(chosen.name), _plain(chosen.product)):
        return ()
    return tuple(g.name for g in table() if words <= set(_plain(g.name).split()) and g != chosen)


def found(name: str) -> Gpu:
    """As `find`; where the short name could mean other variants, the GPU's doubts say which was taken."""
    gpu, others = find(name), other_variants(name)
    if not others:
        return gpu
    said = f"{name} was taken as {gpu.name}; there are also {', '.join(others)}"
    return replace(gpu, doubts=(said, *gpu.doubts))


def _reported(name: str) -> Gpu | None:
    bare = re.sub(r"\s+MIG\b.*$", "", name.strip())
    return next((gpu for row, gpu in _rows() if re.search(row["pattern"], bare)), None)


def identify(device: Device) -> tuple[Gpu | None, tuple[str, ...]]:
    """The GPU of a report and what to know of the match; None where it cannot be told."""
    row = _reported(device.name) if device.name else None
    if row is None:
        return _computed(device)
    reported = device.compute_capability
    if reported not in (None, row.compute_capability):
        gpu, warnings = _computed(device)
        clash = (
            f"{device.name} reports compute capability {reported}, the table's {row.name} has "
            f"{row.compute_capability}: the row is not used"
        )
        return gpu, (clash, *warnings)
    if device.mig or " MIG" in (device.name or ""):
        return _slice(row, device)
    return _checked(row, device)


def _checked(row: Gpu, device: Device) -> tuple[Gpu, tuple[str, ...]]:
    pairs = (("SMs", device.sms, row.sms), ("bits of memory bus", device.bus_bits, row.bus_bits))
    warnings = [
        f"{device.name} reports {seen} {what}, the table's {row.name} has {known}: it may be another "
        "variant, and its peaks and bandwidth may be off"
        for what, seen, known in pairs
        if seen is not None and known is not None and seen != known
    ]
    rate = _data_rate(device)
    if rate is not None and abs(rate / row.bandwidth - 1) > THRESHOLDS.same_bandwidth:
        warnings.append(
            f"the clock and bus of {device.name} give {rate / GIGA:.0f} GB/s, the table's {row.name} "
            f"has {row.bandwidth / GIGA:.0f}: the table's is used, `gpu=NAME` chooses another row"
        )
    size, known = device.memory_bytes, row.memory_bytes
    if size and known and abs(size / known - 1) > THRESHOLDS.same_memory:
        warnings.append(
            f"{device.name} reports {size / GIGA:.0f} GB of memory, the table's {row.name} has "
            f"{known / GIGA:.0f}: the reported size is used"
        )
    return replace(row, memory_bytes=size or known), tuple(warnings)


def _slice(row: Gpu, device: Device) -> tuple[Gpu, tuple[str, ...]]:
    """A MIG slice: peaks by its SMs, bandwidth and memory by the eighths in its profile name."""
    profile = re.search(r"MIG\s+\d+g\.(\d+)gb", device.name or "", re.IGNORECASE)
    eighths = 8
    if profile and row.memory_bytes:
        eighths = max(1, round(8 * int(profile[1]) * GIGA / row.memory_bytes))
    share = device.sms / row.sms if device.sms and row.sms else 1.0
    said = (
        f"{device.name} is a slice of {row.name}: peaks scaled to {device.sms or 'all'} of {row.sms} "
        f"SMs, bandwidth and memory taken as {eighths}/8 of the whole"
    )
    peaks = {precision: peak * share for precision, peak in row.peaks.items()}
    return replace(
        row,
        sms=device.sms or row.sms,
        peaks=peaks,
        bandwidth=row.bandwidth * eighths / 8,
        achieved=row.achieved.sliced(eighths / 8),
        memory_bytes=(row.memory_bytes or 0) * eighths / 8 or None,
        doubts=(*row.doubts, said),
    ), (said,)


def _computed(device: Device) -> tuple[Gpu | None, tuple[str, ...]]:
    """A GPU from attributes: SMs x rate x clock, data rate x bus (docs/evidence/devices.md)."""
    named = device.name or "the device"
    rate = _data_rate(device)
    if rate is None:
        missing = "is not in the table" if device.name else "has no name in the capture"
        unknown = f"{named} {missing} and the capture lacks its memory clock and bus width: `gpu=NAME` says which GPU it ran on"
        return None, (unknown,)
    per_clock = (device.sms or 0) * (device.sm_hertz or 0)
    known = named_rates(device.compute_capability, device.name)
    peaks = {p: rate * per_clock for p, rate in known.items()} if per_clock else {}
    what = "peaks and bandwidth are" if peaks else "no peak of it is known, and its bandwidth is"
    said = f"{named} is not in the table: {what} {COMPUTED}"
    return Gpu(
        name=device.name or "unknown GPU",
        product=device.name or "unknown GPU",
        chip=device.chip,
        compute_capability=device.compute_capability,
        sms=device.sms,
        l2_bytes=device.l2_bytes,
        memory_bytes=device.memory_bytes,
        bus_bits=device.bus_bits,
        bandwidth=rate,
        boost_hertz=device.sm_hertz,
        peaks=peaks,
        source=COMPUTED,
        doubts=(said,),
    ), (said,)


def _data_rate(device: Device) -> float | None:
    """Bytes per second of memory clock times bus; None if the report lacks either."""
    if not device.memory_hertz or not device.bus_bits:
        return None
    # double data rate; on integrated parts the attribute already is the data rate (GB10: 273, not 546 GB/s)
    edges = 1 if device.integrated else 2
    return edges * device.memory_hertz * device.bus_bits / 8
