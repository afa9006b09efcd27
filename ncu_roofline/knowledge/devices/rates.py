"""Dense operations per SM per clock: by compute capability, and as a GPU of the table has them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial

from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.toml import read_once

table = partial(read_once, "devices/rates.toml")


def rates(compute_capability: str | None) -> dict[str, float]:
    """Dense operations per SM per clock by precision; empty for an unknown compute capability."""
    facts = table().get(compute_capability or "", {})
    return {precision: float(rate) for precision, rate in facts.items() if precision != "source"}


def named_rates(compute_capability: str | None, name: str | None) -> dict[str, float]:
    """The rates of a device known only by compute capability and name: GeForce halves, GTX 16 has no tensor cores."""
    known, halved, tensorless = rates(compute_capability), table()["halved"], table()["tensorless"]
    if compute_capability == "7.5" and re.search(tensorless["pattern"], name or ""):
        return {p: rate for p, rate in known.items() if p not in tensorless["precisions"]}
    if compute_capability in halved["compute_capabilities"] and re.search(halved["pattern"], name or ""):
        return {p: rate / 2 if p in halved["precisions"] else rate for p, rate in known.items()}
    return known


def dense_rates(gpu: Gpu) -> Mapping[str, float]:
    """Operations per SM per clock by precision: the verified rate, halved as the GPU's peak shows.

    A peak at boost is only near its rate, because datasheets compute with clocks of their own
    (H100 SXM: 989 TFLOP/s is 4096 per SM at 1.83 GHz, the attribute clock is 1.98 GHz).
    """
    verified = rates(gpu.compute_capability)
    if gpu.sms is None or gpu.boost_hertz is None:
        return {p: verified[p] for p in gpu.peaks if p in verified}
    per_clock = gpu.sms * gpu.boost_hertz
    return {p: _snapped(peak / per_clock, verified.get(p)) for p, peak in gpu.peaks.items()}


def pipe_rates(gpu: Gpu) -> Mapping[str, float]:
    """Operations per SM per clock that the profiler's tensor-pipe percentage refers to.

    Parts that halve FP32 accumulation still count their pipe at the full rate (docs/evidence/counters.md, rung `pipe`).
    """
    verified = rates(gpu.compute_capability)
    throttles = gpu.compute_capability in table()["halved"]["compute_capabilities"]
    dense = dense_rates(gpu)
    return {p: max(rate, verified.get(p, 0.0)) if throttles else rate for p, rate in dense.items()}


def _snapped(seen: float, verified: float | None) -> float:
    if verified is None:
        return seen
    halvings = math.log2(seen / verified)
    if abs(halvings - round(halvings)) > THRESHOLDS.halving_tolerance:
        return seen
    return verified * 2.0 ** round(halvings)
