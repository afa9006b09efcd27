"""What real kernels reach on a device: the best that was seen, and what is typical of a kind of kernel, from achieved.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ncu_roofline.knowledge.toml import read_once

TERA, MICRO = 1e12, 1e-6
KINDS = ("fc", "experts", "attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The typical time of one kernel: `start` + bytes / `bandwidth`, and how far real ones lie from it."""

    start: float
    bandwidth: float
    low: float
    """Measured over fitted time, 5th percentile."""
    high: float
    """The same, 95th percentile."""
    borrowed: str = ""
    """From where it was derived; empty where it was fitted on this device."""

    def seconds(self, bytes_: float) -> float:
        """The time that a kernel of so many bytes typically takes."""
        return self.start + bytes_ / self.bandwidth


@dataclass(frozen=True, slots=True, kw_only=True)
class Achieved:
    """One device: the best bandwidth that a real kernel was seen to reach, None where nobody saw one; and its fits."""

    ceiling: float | None = None
    reported: bool = False
    """Whether others reported the ceiling, and it was not checked here."""
    fits: Mapping[tuple[str, str], Fit] = field(default_factory=dict)
    """By kind (fc, experts, attention) and stored type."""

    def fit(self, kind: str, dtype: str | None) -> Fit | None:
        """The fit of a kind of kernel with data of this type; None where there is none."""
        return None if dtype is None else self.fits.get((kind, dtype))

    def sliced(self, share: float) -> Achieved:
        """What a slice with this share of the bandwidth reaches."""
        return replace(
            self,
            ceiling=None if self.ceiling is None else self.ceiling * share,
            fits={what: replace(fit, bandwidth=fit.bandwidth * share) for what, fit in self.fits.items()},
        )


table = partial(read_once, "devices/achieved.toml")


def achieved(gpu: str) -> Achieved:
    """What is known of the GPU of this name in the table; nothing where it is not listed."""
    best = table()["ceiling"].get(gpu)
    rows = [row for row in table()["typical"] if gpu in row["gpus"]]
    return Achieved(
        ceiling=None if best is None else best["bandwidth_tbs"] * TERA,
        reported=bool(best and best.get("reported", False)),
        fits={(row["what"], dtype): _fit(row) for row in rows for dtype in row["dtypes"]},
    )


def _fit(row: Mapping[str, Any]) -> Fit:
    return Fit(
        start=row["start_us"] * MICRO,
        bandwidth=row["bandwidth_tbs"] * TERA,
        low=row["low"],
        high=row["high"],
        borrowed=row.get("borrowed", ""),
    )
