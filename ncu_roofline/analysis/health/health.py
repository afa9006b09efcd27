"""What in a capture cannot be trusted, what that makes unknowable, and what to capture instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import polars as pl

from ncu_roofline.analysis.health.finding import BLOCKS, NOTES, WEAKENS, Finding, again, counted, its, of_all, s, sentence
from ncu_roofline.analysis.health.invented import invented
from ncu_roofline.analysis.health.settings import cache, clocks, replay
from ncu_roofline.analysis.roofline.overview import lacking, launch_count, share
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.work.traffic import at_nominal_clock
from ncu_roofline.capture.schema import SCALAR_PATHS, TENSOR_PATHS, whole_result
from ncu_roofline.capture.units import percent
from ncu_roofline.knowledge.counters import table
from ncu_roofline.knowledge.limits import THRESHOLDS

__all__ = ["BLOCKS", "NOTES", "WEAKENS", "Finding", "gaps", "health"]

BYTE_METRICS = "dram__bytes_read.sum,dram__bytes_write.sum"
BYTE_METRICS_SM120 = "dram__bytes_op_read.sum,dram__bytes_op_write.sum"


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
    order = (BLOCKS, WEAKENS, NOTES)
    return tuple(sorted(found, key=lambda f: order.index(f.severity)))


MOOT = {"missing_bytes", "missing_flops", "cache_flushed", "cache_kept", "clocks_unknown"}
"""What needs no mention where nothing at all was measured."""
GAPS = {
    "unmeasured": ("seconds", "bytes", "flops"),
    "missing_time": ("seconds",),
    "missing_bytes": ("bytes",),
    "missing_flops": ("flops",),
    "partial_flops": ("flops",),
    "derived_pipe": ("flops",),
    "derived_instructions": ("flops",),
}


def gaps(findings: Iterable[Finding]) -> set[str]:
    """What another capture would have to bring: seconds, bytes, flops."""
    return {gap for finding in findings for gap in GAPS.get(finding.code, ())}


def unmeasured(study: Study) -> Iterator[Finding]:
    """Nothing at all to analyse."""
    apart = ~whole_result()
    nothing = pl.col("seconds").is_null() & pl.col("dram_bytes").is_null() & pl.col("flops").is_null()
    if (without := counted(study, nothing)) == launch_count(study.launches):
        yield Finding(
            code="unmeasured",
            severity=BLOCKS,
            message="Nothing is measurable here: no launch has a duration, bytes or FLOPs.",
            advice="Capture again with the metrics that `ncu-roofline recipe` prints.",
        )
    elif no_time := counted(study, pl.col("seconds").is_null() & apart):
        yield Finding(
            code="missing_time",
            severity=WEAKENS,
            message=f"No duration for {of_all(no_time, study)}; {its(no_time)} rates and shares are unknown.",
            advice=again(no_time, study) or "Add --metrics gpu__time_duration.sum.",
        )
    elif without:
        yield Finding(code="unmeasured", severity=NOTES, message=f"Nothing was measured for {of_all(without, study)}.")


def untold(study: Study) -> str:
    """Why no roof can be drawn: no device is named, or one that nobody knows."""
    name = study.capture.device.name
    return (
        f"{name} is not a GPU that the table knows, nor does the capture describe it in full"
        if name
        else ("The capture does not say which GPU it was taken on")
    )


def device(study: Study) -> Iterator[Finding]:
    """No device, so no roof."""
    if study.gpu is None:
        yield Finding(
            code="device_unknown",
            severity=BLOCKS,
            message=f"{untold(study)}: ridge, side and shares are unknown.",
            advice="Name it: --gpu NAME (`ncu-roofline gpus` lists them).",
        )


def missing_bytes(study: Study) -> Iterator[Finding]:
    """Launches whose DRAM bytes nothing tells."""
    if number := counted(study, pl.col("dram_bytes").is_null()):
        capability = (study.gpu and study.gpu.compute_capability) or study.capture.device.compute_capability
        if capability in table()["activity"]["no_dram_counters"]:
            metrics = ",".join(table()["activity"]["l2_miss_sectors"])
        else:
            metrics = BYTE_METRICS_SM120 if (capability or "").startswith("12") else BYTE_METRICS
        yield Finding(
            code="missing_bytes",
            severity=BLOCKS,
            message=f"No DRAM bytes for {of_all(number, study)}: {its(number)} bytes per token, intensity and side "
            "are unknown.",
            advice=again(number, study) or f"Add --metrics {metrics}.",
        )


def missing_flops(study: Study) -> Iterator[Finding]:
    """Launches whose FLOPs are unknown, or only a part of them."""
    countable = ~pl.col("kernel").is_in(table()["integer_dot"]["names"])
    missing = counted(study, pl.col("flops").is_null() & countable)
    partial = counted(study, pl.col("flops").is_not_null() & ~pl.col("flops_complete"))
    advice = "Add the work counters that `ncu-roofline recipe` prints for this device."
    if missing:
        sideless = counted(study, pl.col("flops").is_null() & countable & pl.col("bound").is_null())
        lost = "executed intensity, side and limit are unknown"
        if sideless < missing:  # useful work told the side
            lost = "executed intensity and limit are unknown" + (f", and the side of {sideless:,}" if sideless else "")
        yield Finding(
            code="missing_flops",
            severity=WEAKENS,
            message=f"No FLOPs for {of_all(missing, study)}: {its(missing)} {lost}.",
            advice=advice,
        )
    if partial:
        main = counted(study, pl.col("flops").is_not_null() & lacking())
        yield Finding(
            code="partial_flops",
            severity=NOTES,
            message=f"FLOPs of {of_all(partial, study)} are a lower bound: {uncounted(study)} not counted.",
            advice=advice if main and not missing else "",
        )


def uncounted(study: Study) -> str:
    """The kinds of work that some partial count leaves out, as the subject of a sentence."""
    capability = study.capture.device.compute_capability or (study.gpu.compute_capability if study.gpu else None)
    known = study.launches.filter(pl.col("flops").is_not_null(), ~pl.col("flops_complete"))
    paths = (*SCALAR_PATHS, *table()["tensor_types"].get(capability, TENSOR_PATHS))
    kinds = list(dict.fromkeys(p.replace("_", " ") for p in paths if known[f"flops_{p}"].null_count()))
    if not kinds:
        return "a part of it was"
    first = ", ".join(kinds[:4]) + (f" and {len(kinds) - 4} more kinds" if len(kinds) > 4 else "")
    return f"work in {first} was"


MEANING = {
    "rate": "from rates times duration (exact but for the spread between replay passes)",
    "cycles": "rebuilt from active memory cycles (within 0.1 % where both were counted)",
    "opcodes": "from opcode counts",
    "instructions": "from instruction counts times a usual shape (up to 2x off)",
    "pipe": "estimated from pipe utilisation",
    "l2_miss": "L2 misses, because this part has no DRAM counters",
}


NOMINAL = "rebuilt from the share of active memory cycles at the memory's nominal clock (0.1 to 0.4 % high on an L4)"
"""Where no clock was measured; on an L4 both were counted (tests/test_referee.py)."""


def derived(study: Study) -> Iterator[Finding]:
    """Numbers that were not counted directly."""
    for column, what in (("dram_bytes_source", "DRAM bytes"), ("flops_source", "FLOPs")):
        nominal = (pl.col(column) == "cycles") & at_nominal_clock(study.launches)
        if number := counted(study, nominal):
            message = f"{what} of {of_all(number, study)} are {NOMINAL}."
            yield Finding(code="derived_nominal", severity=NOTES, message=message)
        for source, meaning in MEANING.items():
            if number := counted(study, (pl.col(column) == source) & ~nominal):
                weak = source in ("instructions", "pipe", "l2_miss")
                yield Finding(
                    code=f"derived_{source}",
                    severity=WEAKENS if weak else NOTES,
                    message=f"{what} of {of_all(number, study)} are {meaning}.",
                )


def suspect(study: Study) -> Iterator[Finding]:
    """More than the roof is no healthy number."""
    if number := counted(study, pl.col("suspect")):
        worst = study.launches.filter("suspect").select(pl.max_horizontal("bandwidth_share", "compute_share").max()).item()
        yield Finding(
            code="above_roof",
            severity=WEAKENS,
            message=f"{of_all(number, study).capitalize()} would exceed a roof (up to {100 * worst:.0f} %): "
            "the device, its clocks or a counter is wrong there.",
            advice="Check --gpu, and capture these kernels again in a single pass.",
        )


def integer_dots(study: Study) -> Iterator[Finding]:
    """Work that no FLOP counter sees."""
    names = table()["integer_dot"]["names"]
    if number := counted(study, pl.col("kernel").is_in(names) & pl.col("flops").is_null()):
        yield Finding(
            code="integer_dots",
            severity=NOTES,
            message=f"{of_all(number, study).capitalize()} compute{s(number)} with integer dot products (dp4a), which no FLOP "
            f"counter sees: {its(number)} FLOPs are unknown, {its(number)} bytes are not.",
        )


def sparse(study: Study) -> Iterator[Finding]:
    """2:4 instructions are credited with the work of the uncompressed product."""
    columns = [c for c in study.launches.columns if "_sparsity_on.sum" in c and "peak" not in c]
    if columns and (number := counted(study, pl.any_horizontal(pl.col(c) > 0 for c in columns))):
        yield Finding(
            code="sparse",
            severity=NOTES,
            message=f"{of_all(number, study).capitalize()} use{s(number)} 2:4 sparse instructions; {its(number)} FLOPs count "
            "the zeros too.",
        )


def short_kernels(study: Study) -> Iterator[Finding]:
    """Counters of different passes disagree on very short kernels."""
    limit = THRESHOLDS.short_kernel_seconds
    short = pl.col("seconds") < limit
    if (number := counted(study, short)) and (part := share(study.launches, short, "seconds")) is not None:
        yield Finding(
            code="short_kernels",
            severity=NOTES,
            message=f"{of_all(number, study).capitalize()} ({percent(part)} of the time) last{s(number)} under "
            f"{limit * 1e6:.0f} µs, where rates and shares are unreliable; {its(number)} counts are not.",
        )


def processes(study: Study) -> Iterator[Finding]:
    """Ranks of a parallel run in one capture."""
    if (number := study.launches["process"].drop_nulls().n_unique()) > 1:
        yield Finding(
            code="several_processes",
            severity=NOTES,
            message=f"Launches of {number:,} processes are mixed; steps are followed per process.",
        )


def unclassified(study: Study) -> Iterator[Finding]:
    """Kernels whose role nobody knows."""
    if number := counted(study, pl.col("role").is_null()):
        part = share(study.launches, pl.col("role").is_null(), "seconds")
        time = "" if part is None else f" ({percent(part)} of the time)"
        yield Finding(
            code="unclassified",
            severity=NOTES if (part or 0) < 0.01 else WEAKENS,
            message=f"The role of {of_all(number, study)}{time} is not recognised.",
            advice="`ncu-roofline roles CAPTURE --unknown` prints them, ready for a rules file.",
        )


def synthetic(study: Study) -> Iterator[Finding]:
    """A capture that no GPU made."""
    for message in invented([study.run]):
        yield Finding(code="synthetic", severity=WEAKENS, message=message)


LOST = ("damaged", "could not be read")
"""What a reader says where a part of the file is lost, and with it what sums would hold."""


def reader(study: Study) -> Iterator[Finding]:
    """What the reader and the device table had to say."""
    for note in study.notes:
        damaged = any(word in note for word in LOST)
        yield Finding(code="noted", severity=WEAKENS if damaged else NOTES, message=sentence(note))
