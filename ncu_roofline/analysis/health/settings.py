"""How the profiler was set, and what that does to the numbers: clocks, caches, graphs."""

from __future__ import annotations

from collections.abc import Iterator

from ncu_roofline.analysis.health.finding import NOTES, WEAKENS, Finding
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.work.ladder import sm_hertz
from ncu_roofline.knowledge.limits import THRESHOLDS


def clocks(study: Study) -> Iterator[Finding]:
    """Clocks that were held down while profiling stretch everything but the streaming kernels."""
    highest = study.capture.device.sm_hertz or (study.gpu.boost_hertz if study.gpu else None)
    seen = study.launches.select(sm_hertz(study.launches).median()).item()
    if highest and seen and seen / highest < THRESHOLDS.locked_clock_ratio:
        yield Finding(
            code="clocks_locked",
            severity=WEAKENS,
            message=f"The SM clock was {100 * seen / highest:.0f} % of its maximum: small and compute-bound kernels look "
            "slower than they run; bytes and FLOPs are not affected.",
            advice="Capture with --clock-control none.",
        )
    if study.gpu and not seen:
        yield Finding(
            code="clocks_unknown",
            severity=NOTES,
            message="Clocks were not measured: the roofs are those of the datasheet.",
            advice="Add --metrics sm__cycles_elapsed.avg.per_second,dram__cycles_elapsed.avg.per_second.",
        )


def cache(study: Study) -> Iterator[Finding]:
    """Flushed caches charge every kernel for what it would have found in L2."""
    setting = study.run.cache_control
    if setting.value == "none":
        yield Finding(
            code="cache_kept",
            severity=NOTES,
            message="Caches were not flushed (--cache-control none): kernels that fit in L2 may show too few bytes, "
            "because every replay pass after the first finds them there.",
        )
    else:
        known = f"({setting.origin})" if setting.value else "(the profiler's default; the file does not say)"
        yield Finding(
            code="cache_flushed",
            severity=NOTES,
            message=f"Caches were flushed before every kernel {known}: small kernels move more bytes here than in a real step.",
            advice="For the bytes of a real step capture with --cache-control none and few passes.",
        )


def replay(study: Study) -> Iterator[Finding]:
    """Range or graph results cannot be told apart by kernel, and their time is no step's."""
    if study.run.graph_profiling.value == "graph":
        yield Finding(
            code="whole_graphs",
            severity=WEAKENS,
            message="Graphs were profiled whole: a row is a graph, not a kernel. Its bytes are true, its time is no step time.",
            advice="For kernels apart capture with --graph-profiling node.",
        )
    if study.run.replay_mode.value in ("range", "app-range"):
        yield Finding(
            code="whole_ranges",
            severity=WEAKENS,
            message="Ranges were profiled whole: a row is a range of kernels, not a kernel. Its bytes are true, its time is no "
            "step time.",
            advice="For kernels apart capture with --replay-mode kernel or application.",
        )
