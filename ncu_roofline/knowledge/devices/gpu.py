"""One device: its dense peaks, its memory, and where each fact comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ncu_roofline.knowledge.devices.achieved import Achieved


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU in base SI units; peaks are dense FLOP/s (integer types OP/s); None is not known."""

    name: str
    """Short name: what `--gpu` takes."""
    product: str
    chip: str | None
    compute_capability: str | None
    sms: int | None
    l2_bytes: float | None
    memory_bytes: float | None
    bus_bits: int | None
    bandwidth: float
    boost_hertz: float | None
    peaks: Mapping[str, float]
    memory_type: str = ""
    memory_units: int | None = None
    """Memory units whose active cycles the profiler averages; None is not known."""
    achieved: Achieved = field(default_factory=Achieved)
    """What real kernels reach on it."""
    source: str = ""
    doubts: tuple[str, ...] = ()
    notes: str = ""

    def told(self) -> tuple[str, ...]:
        """Its doubts, each with its name."""
        return tuple(doubt if self.name in doubt else f"{self.name}: {doubt}" for doubt in self.doubts)

    def peak(self, precision: str) -> float | None:
        """Dense FLOP/s of this precision; None if the part has no such unit or it is not known."""
        return self.peaks.get(precision)

    def ridge(self, precision: str) -> float | None:
        """FLOP/byte above which work of this precision is compute-bound; None without a peak."""
        return self.ridges().get(precision)

    def ridges(self) -> dict[str, float]:
        """The ridge of every precision that has a peak, FLOP/byte."""
        return {precision: peak / self.bandwidth for precision, peak in self.peaks.items()}
