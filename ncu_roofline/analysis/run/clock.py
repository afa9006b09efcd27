"""The time of a step that no profiler disturbed, as the user states it, and the bandwidth that it makes of measured bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ncu_roofline.analysis.run.speculation import per_sequence
from ncu_roofline.capture.capture import Run
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.gpu import Gpu

if TYPE_CHECKING:
    from ncu_roofline.analysis.run.tokens import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A stated step beside its counters; of one GPU, None where nothing was measured."""

    seconds: float
    kernel_seconds: float | None
    """Sum of its kernels under the profiler."""
    bytes: float | None
    """What the step reads; where reads are not counted apart, all that it moves."""
    reads: bool
    """Whether `bytes` are reads alone, which the profiler of kernels tells right; it adds to what is written."""
    least: bool
    """Whether the step moves more: launches were not measured, or a part of it stands for the whole."""
    bandwidth: float | None

    @property
    def rate(self) -> float | None:
        """Bytes per second of the step."""
        return None if self.bytes is None else self.bytes / self.seconds

    @property
    def share(self) -> float | None:
        """Of the bandwidth of the device."""
        return None if self.rate is None or not self.bandwidth else self.rate / self.bandwidth


def stated_seconds(run: Run) -> float | None:
    """Seconds of one step as the user states it; a time per token times the tokens that a step yields.

    None where nothing is stated, or where drafts are verified and nobody says how many are accepted.
    """
    if run.step_time.value is not None and run.tpot.value is not None:
        raise UnusableInput("`step_time=` and `tpot=` both state the time of a step; leave one")
    if run.step_time.value is not None:
        return run.step_time.value
    each = per_sequence(run)
    return None if run.tpot.value is None or each is None else run.tpot.value * each


def clocked(whole: Totals, gpu: Gpu | None) -> Clock | None:
    """The stated step beside these totals; None where none is stated or no step is known."""
    if whole.stated_seconds is None:
        return None
    read, moved = whole.per_step("dram_read_bytes"), whole.per_step("dram_bytes")
    measure = "dram_bytes" if read is None else "dram_read_bytes"
    return Clock(
        seconds=whole.stated_seconds,
        kernel_seconds=whole.kernels_per_step,
        bytes=moved if read is None else read,
        reads=read is not None,
        least=bool(whole.unknown[measure]) or whole.layers_only,
        bandwidth=gpu.bandwidth if gpu else None,
    )
