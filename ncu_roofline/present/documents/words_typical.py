"""Words of what a step typically takes, beside what it must: matrices and attention, with glue named apart."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from ncu_roofline.analysis.model.floor import Floor
from ncu_roofline.analysis.model.typical import Part, Span, untold
from ncu_roofline.capture.units import three
from ncu_roofline.knowledge.devices.achieved import achieved
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.present.documents.grammar import sentence

KINDS = {
    "fc": "weight matrices",
    "experts": "expert matrices",
    "attention": "attention",
    "mla": "latent attention (MLA)",
    "mamba": "state-space layers",
    "linear": "linear attention",
}


def between(span: Span) -> str:
    """A time with its spread.

    >>> between(Span(low=6.03e-3, value=6.915e-3, high=8.03e-3))
    '6.92 ms (6.03 ms to 8.03 ms)'
    """
    return f"{three(span.value, 's')} ({three(span.low, 's')} to {three(span.high, 's')})"


def sentences(least: Floor, gpu: Gpu) -> list[str]:
    """What the step would take at the ceiling, and what its matrices and attention typically take."""
    said = []
    if least.ceiling is not None and least.ceiling_seconds is not None:
        known = achieved(gpu.name)
        seen = f"the most that a kernel was {'reported' if known.reported else 'seen'} to reach"
        whose = seen if least.ceiling == known.ceiling else "as stated"
        said.append(f"At {three(least.ceiling, 'byte/s')}, {whose}, it would take {three(least.ceiling_seconds, 's')}.")
    if least.typical is not None:
        parts = [p for p in least.typical_parts if p.launches]
        starts = round(sum(p.launches for p in parts))
        said.append(
            f"Typically its {'matrices and attention' if least.setting.context else 'matrices'} take {between(least.typical)}, "
            f"in {starts:,} kernels; norms, activations, sampling and other glue come on top."
        )
    return said


def halving(matrices: pl.DataFrame) -> list[str]:
    """What half of the bytes typically gives in a layer's matrices, from the smallest gain to the largest."""
    inside = [each["value"] for each in matrices.filter(pl.col("count") > 1)["halved_speedup"].drop_nulls()]
    if not inside:
        return []
    low, high = (f"{value:.2f}x" for value in (min(inside), max(inside)))
    gains = low if low == high else f"{low} to {high}"
    return [f"Stored in FP8, half of the bytes, the matrices of its layers typically become {gains} as fast."]


def doubts(least: Floor, gpu: Gpu) -> list[str]:
    """Why no typical time is told, or what it was derived from."""
    parts: Iterable[Part] = least.typical_parts
    if least.setting.batch > THRESHOLDS.fitted_rows:
        return [f"Typical times are known up to batch {THRESHOLDS.fitted_rows}."]
    missing = untold(list(parts))
    if missing:
        listed = ", ".join(f"{KINDS.get(kind, kind)} in {dtype}" for kind, dtype in missing)
        return [f"No typical time of a step is told: none is known of {listed} on {gpu.name}."]
    said = [(p.kind, p.fit.borrowed) for p in parts if p.fit is not None and p.fit.borrowed]
    return [derived(kind, gpu.name, whence) for kind, whence in dict.fromkeys(said)]


def derived(kind: str, gpu: str, whence: str) -> str:
    """What a typical time that was not fitted on the device stands on."""
    return sentence(f"the typical time of {KINDS[kind]} on {gpu} is derived: {whence}")
