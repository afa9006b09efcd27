"""What in a capture cannot be trusted: every doubt as a fact, with the numbers that its sentence needs.

Sentences and advice are in present/documents/words_health.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline.overview import lacking, launch_count
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import known_sum, share
from ncu_roofline.analysis.work.ladder import sm_hertz
from ncu_roofline.analysis.work.traffic import at_nominal_clock
from ncu_roofline.capture.schema import SCALAR_PATHS, TENSOR_PATHS, whole_result
from ncu_roofline.knowledge.counters import table
from ncu_roofline.knowledge.limits import THRESHOLDS

BLOCKS, WEAKENS, NOTES = "blocks", "weakens", "note"
SEVERITIES = (BLOCKS, WEAKENS, NOTES)
BYTE_METRICS = "dram__bytes_read.sum,dram__bytes_write.sum"
BYTE_METRICS_SM120 = "dram__bytes_op_read.sum,dram__bytes_op_write.sum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One doubt: its code (a closed set), how much it costs, how many launches it concerns, and what else its words need."""

    code: str
    severity: str
    launches: int = 0
    total: int = 0
    """Launches of the capture."""
    values: dict[str, Any] = field(default_factory=dict)


def health(study: Study) -> tuple[Finding, ...]:
    """Every finding, the worst first."""
    checks: tuple[Callable[[Study], Iterator[Finding]], ...] = (
        unmeasured,
        device,
        missing_bytes,
        missing_flops,
        derived,
        suspect,
        integer_dots,
        sparse,
        clocks,
        cache,
        replay,
        short_kernels,
        processes,
        unclassified,
        synthetic,
        reader,
    )
    found = [finding for check in checks for finding in check(study)]
    if any(f.code == "unmeasured" and f.severity == BLOCKS for f in found):
        found = [f for f in found if f.code not in MOOT]
    return tuple(sorted(found, key=lambda f: SEVERITIES.index(f.severity)))


MOOT = {"missing_bytes", "missing_writes", "missing_flops", "cache_flushed", "cache_kept", "clocks_unknown"}
"""What needs no mention where nothing at all was measured."""
GAPS = {
    "unmeasured": ("seconds", "bytes", "flops"),
    "missing_time": ("seconds",),
    "missing_bytes": ("bytes",),
    "missing_writes": ("bytes",),
    "missing_flops": ("flops",),
    "partial_flops": ("flops",),
    "derived_pipe": ("flops",),
    "derived_instructions": ("flops",),
}


def gaps(findings: Iterable[Finding]) -> set[str]:
    """What another capture would have to bring: seconds, bytes, flops."""
    return {gap for finding in findings for gap in GAPS.get(finding.code, ())}


def counted(study: Study, which: pl.Expr) -> int:
    """Number of launches that fit."""
    return launch_count(study.launches, which)


def of(study: Study, code: str, severity: str, which: pl.Expr, **values: Any) -> Iterator[Finding]:
    """The finding where any launch fits."""
    if number := counted(study, which):
        yield Finding(code=code, severity=severity, launches=number, total=launch_count(study.launches), values=values)


def unmeasured(study: Study) -> Iterator[Finding]:
    """Nothing at all to analyse."""
    told = ("seconds", "dram_bytes", "dram_read_bytes", "flops", "intensity", "bandwidth_share")
    nothing = pl.all_horizontal(pl.col(c).is_null() for c in told)
    untimed = pl.col("seconds").is_null() & ~whole_result()
    if counted(study, nothing) == launch_count(study.launches):
        yield from of(study, "unmeasured", BLOCKS, nothing)
    elif counted(study, untimed):
        yield from of(
            study, "missing_time", WEAKENS, untimed, rated=counted(study, untimed & pl.col("bandwidth_share").is_null()) == 0
        )
    else:
        yield from of(study, "unmeasured", NOTES, nothing)


def device(study: Study) -> Iterator[Finding]:
    """No device, so no roof."""
    if study.gpu is None:
        shared = study.launches["bandwidth_share"].count() > 0
        yield Finding(code="device_unknown", severity=BLOCKS, values={"name": study.capture.device.name, "shared": shared})


def capability(study: Study) -> str:
    """The compute capability, empty where it is not known."""
    return (study.gpu and study.gpu.compute_capability) or study.capture.device.compute_capability or ""


def missing_bytes(study: Study) -> Iterator[Finding]:
    """Launches whose DRAM bytes nothing tells."""
    if capability(study) in table()["activity"]["no_dram_counters"]:
        metrics = ",".join(table()["activity"]["l2_miss_sectors"])
    else:
        metrics = BYTE_METRICS_SM120 if capability(study).startswith("12") else BYTE_METRICS
    missing = pl.col("dram_bytes").is_null()
    unread, sided = missing & pl.col("dram_read_bytes").is_null(), missing & pl.col("bound").is_not_null()
    read = study.launches.select(known_sum("dram_read_bytes", missing)).item()
    some = {"metrics": metrics, "sided": counted(study, sided) == counted(study, missing), "read": read}
    yield from of(study, "missing_bytes", BLOCKS, unread, **some)
    yield from of(study, "missing_writes", WEAKENS, missing & ~unread, **some)


def missing_flops(study: Study) -> Iterator[Finding]:
    """Launches whose FLOPs are unknown, or only a part of them."""
    missing = pl.col("flops").is_null() & ~pl.col("kernel").is_in(table()["integer_dot"]["names"])
    partial = pl.col("flops").is_not_null() & ~pl.col("flops_complete")
    sideless = counted(study, missing & pl.col("bound").is_null())  # useful work tells the side of the others
    yield from of(study, "missing_flops", WEAKENS, missing, sideless=sideless)
    main = counted(study, pl.col("flops").is_not_null() & lacking())
    mendable = bool(main and not counted(study, missing))
    yield from of(study, "partial_flops", NOTES, partial, kinds=uncounted(study), mendable=mendable, rare=not main)


def uncounted(study: Study) -> list[str]:
    """The kinds of work that some partial count leaves out."""
    told = study.capture.device.compute_capability or (study.gpu.compute_capability if study.gpu else None)
    paths = (*SCALAR_PATHS, *table()["tensor_types"].get(told, TENSOR_PATHS))
    partial = pl.col("flops").is_not_null() & ~pl.col("flops_complete")
    lacks = study.launches.select((partial & pl.col(f"flops_{p}").is_null()).any().alias(p) for p in paths).row(0, named=True)
    return list(dict.fromkeys(p.replace("_", " ") for p in paths if lacks[p]))


SOURCES = ("rate", "cycles", "opcodes", "instructions", "pipe", "l2_miss")
WEAK = ("instructions", "pipe", "l2_miss")


def derived(study: Study) -> Iterator[Finding]:
    """Numbers that were not counted directly."""
    for column in ("dram_bytes", "flops"):
        source = pl.col(f"{column}_source")
        nominal = (source == "cycles") & at_nominal_clock(study.launches)
        yield from of(study, "derived_nominal", NOTES, nominal, column=column)
        for rung in SOURCES:
            severity = WEAKENS if rung in WEAK else NOTES
            which, values = (source == rung) & ~nominal, dict[str, Any](column=column)
            if rung == "instructions":
                values["unconfirmed"] = counted(study, which & (pl.col("flops_fp4_source") == rung)) > 0
            yield from of(study, f"derived_{rung}", severity, which, **values)


def suspect(study: Study) -> Iterator[Finding]:
    """More than the roof is no healthy number."""
    worst = study.launches.filter("suspect").select(pl.max_horizontal("bandwidth_share", "compute_share").max()).item()
    yield from of(study, "above_roof", WEAKENS, pl.col("suspect"), worst=worst)


def integer_dots(study: Study) -> Iterator[Finding]:
    """Work that no FLOP counter sees."""
    names = table()["integer_dot"]["names"]
    yield from of(study, "integer_dots", NOTES, pl.col("kernel").is_in(names) & pl.col("flops").is_null())


def sparse(study: Study) -> Iterator[Finding]:
    """2:4 instructions are credited with the work of the uncompressed product."""
    columns = [c for c in study.launches.columns if "_sparsity_on.sum" in c and "peak" not in c]
    if columns:
        yield from of(study, "sparse", NOTES, pl.any_horizontal(pl.col(c) > 0 for c in columns))


def clocks(study: Study) -> Iterator[Finding]:
    """Clocks that were held down while profiling stretch everything but the streaming kernels."""
    highest = study.capture.device.sm_hertz or (study.gpu.boost_hertz if study.gpu else None)
    seen = study.launches.select(sm_hertz(study.launches).median()).item()
    if highest and seen and seen / highest < THRESHOLDS.locked_clock_ratio:
        yield Finding(code="clocks_locked", severity=WEAKENS, values={"ratio": seen / highest})
    if study.gpu and not seen:
        yield Finding(code="clocks_unknown", severity=NOTES)


def cache(study: Study) -> Iterator[Finding]:
    """Flushed caches charge every kernel for what it would have found in L2."""
    setting = study.run.cache_control
    code = "cache_kept" if setting.value == "none" else "cache_flushed"
    yield Finding(code=code, severity=NOTES, values={"origin": setting.origin if setting.value else None})


def replay(study: Study) -> Iterator[Finding]:
    """Range or graph results cannot be told apart by kernel, and their time is no step's."""
    if study.run.graph_profiling.value == "graph":
        yield Finding(code="whole_graphs", severity=WEAKENS)
    if study.run.replay_mode.value in ("range", "app-range"):
        yield Finding(code="whole_ranges", severity=WEAKENS)


def short_kernels(study: Study) -> Iterator[Finding]:
    """Counters of different passes disagree on very short kernels."""
    limit = THRESHOLDS.short_kernel_seconds
    short = pl.col("seconds") < limit
    if (part := share(study.launches, short, "seconds")) is not None:
        yield from of(study, "short_kernels", NOTES, short, part=part, limit=limit)


def processes(study: Study) -> Iterator[Finding]:
    """Ranks of a parallel run in one capture."""
    if (number := study.launches["process"].drop_nulls().n_unique()) > 1:
        yield Finding(code="several_processes", severity=NOTES, values={"processes": number})


def unclassified(study: Study) -> Iterator[Finding]:
    """Kernels whose role nobody knows."""
    unknown = pl.col("role").is_null()
    part = share(study.launches, unknown, "seconds")
    yield from of(study, "unclassified", NOTES if (part or 0) < 0.01 else WEAKENS, unknown, part=part)


def synthetic(study: Study) -> Iterator[Finding]:
    """A capture that no GPU made."""
    if study.run.synthetic.value:
        yield Finding(code="synthetic", severity=WEAKENS)


LOST = (
    "damaged",
    "could not be read",
    "taken out of the file",
    "may be missing",
    "was cut off there",
    "were asked for",
    "can hold: only",
)
"""What a reader says where a part of the file is lost, and with it what sums would hold."""


def reader(study: Study) -> Iterator[Finding]:
    """What the reader and the device table had to say."""
    for note in study.notes:
        damaged = isinstance(note, str) and any(word in note for word in LOST)
        yield Finding(code="noted", severity=WEAKENS if damaged else NOTES, values={"note": note})
