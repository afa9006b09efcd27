"""One capture -> its rows in the fleet's tables: sums per role, and what each launch adds to a number per token."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare import sides
from ncu_roofline.analysis.compare.comparability import rung_of, unknown_conditions
from ncu_roofline.analysis.run.basis import basis
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import known_sum, total
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.fleet import RUNS, SCHEMA_VERSION
from ncu_roofline.knowledge.verdicts import QUANTITIES

FACTS = ("model", "batch", "context", "layers", "weights", "kv", "tp", "accepted")
DIGITS = 12
"""Significant digits of a quotient or of a sum of times: further ones depend on the order in which memory is summed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whence a capture is; None where nobody told."""

    capture: str
    id: str | None = None
    when: datetime | None = None
    when_source: str | None = None
    commit: str | None = None
    commit_time: datetime | None = None
    branch: str | None = None
    label: str | None = None
    engine: str | None = None
    facts: str | None = None
    """Device, run and notes of the capture, for readers that want it whole."""

    @property
    def day(self) -> str:
        """The day under which its launches are kept."""
        return f"{self.when:%Y-%m-%d}" if self.when else "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """A capture as rows of both tables."""

    id: str | None
    """None where the file could not be opened: then it has no content, and no place in an archive."""
    runs: pl.DataFrame
    launches: pl.DataFrame | None
    partition: tuple[str, str] = ("", "")
    """Day and device under which its launches are kept."""

    @property
    def reason(self) -> str | None:
        """Why the capture could not be read; None where it could."""
        told: str | None = self.runs["reason"][0]
        return told


def runs(study: Study, origin: Origin) -> pl.DataFrame:
    """One row per role, by bytes, in the columns of `RUNS`: sums over the launches that count."""
    kind = sides.basis_of([study])
    footing = sides.footings(study)[kind]
    counted = sides.shared(footing.launches, 1.0).with_columns(footing.launches["dram_read_bytes", "dram_write_bytes"])
    every, counted_by = total(study.every, "seconds"), basis(study.launches, study.run)
    told = {
        **asdict(origin),
        **setting(study.run),
        "device": study.gpu.product if study.gpu else study.capture.device.name,
        "protocol": protocol(study),
        "phase": study.phase,
        "basis": kind,
        "divisor": footing.divisor,
        **{name: getattr(counted_by, name) for name in ("tokens", "steps", "gpus")},
        "coverage": (total(footing.launches, "seconds") or 0.0) / every if every else None,
        "unknown": ", ".join(unknown_conditions([study], [study])) or None,
    }
    return shaped(by_role(counted), told)


def dated(origin: Origin, taken: float | None) -> Origin:
    """The origin with the time that the report itself tells, where nobody told one."""
    if taken is None or origin.when_source == "given":
        return origin
    return replace(origin, when=datetime.fromtimestamp(taken, timezone.utc), when_source="report")


def refused(origin: Origin, reason: str) -> pl.DataFrame:
    """The one row of a capture that could not be read: whence it is, and why."""
    return shaped(pl.DataFrame({"role": [None]}), {**asdict(origin), "reason": reason, "synthetic": False})


def shaped(sums: pl.DataFrame, told: dict[str, Any]) -> pl.DataFrame:
    """The sums beside what holds for all of them, in the order and types of `RUNS`."""
    known = {"schema": SCHEMA_VERSION, **told}
    columns = [
        (pl.col(c.name) if c.name in sums.columns else pl.lit(known.get(c.name))).cast(c.dtype).alias(c.name) for c in RUNS
    ]
    return sums.select(columns).with_columns(reproducible())


def reproducible() -> pl.Expr:
    """Counts as they are; quotients and sums of quotients to the digits that do not change from run to run."""
    each = pl.col(pl.Float64)
    return pl.when(each == each.round()).then(each).otherwise(each.round_sig_figs(DIGITS))


def setting(run: Run) -> dict[str, Any]:
    """The facts of the run, and which of them the capture's own counters told."""
    known = {name: getattr(run, name) for name in FACTS}
    inferred = [name for name, fact in known.items() if fact.value is not None and fact.origin == "inferred"]
    return {
        **{name: fact.value for name, fact in known.items()},
        "inferred": ", ".join(inferred) or None,
        "profiler": run.profiler_version.value,
        "driver": run.driver_version.value,
        "cuda": run.cuda_version.value,
        "synthetic": bool(run.synthetic.value),
    }


def protocol(study: Study) -> str:
    """How was measured, in words that are equal where two captures were measured alike."""
    run = study.run
    told = {
        "caches": run.cache_control.value,
        "clocks": run.clock_control.value,
        "replay": run.replay_mode.value,
        "graphs": run.graph_profiling.value,
        "bytes": rung_of([study], "dram_bytes"),
    }
    return ", ".join(f"{name} {value or 'unknown'}" for name, value in told.items())


def by_role(counted: pl.DataFrame) -> pl.DataFrame:
    """Sums of each role, with the least and the most that they can be, and what lacks them."""
    sums = counted.group_by("role", maintain_order=True).agg(
        pl.len().alias("launches"),
        *(known_sum(q).alias(q) for q in (*QUANTITIES, "useful_flops")),
        known_sum("dram_read_bytes").alias("read_bytes"),
        known_sum("dram_write_bytes").alias("write_bytes"),
        *(bound for q in QUANTITIES for bound in sides.bounds(q)),
        *(lacking(q).alias(f"{q}_lacking") for q in QUANTITIES),
        (sides.beyond() * pl.col("bytes").sum()).alias("beyond_bytes"),
        (sides.latency() * pl.col("seconds").sum()).alias("latency_seconds"),
    )
    return sums.sort("bytes", "role", descending=[True, False], nulls_last=True)


def lacking(quantity: str) -> pl.Expr:
    """Time of the launches that lack a quantity; of time itself, how many they are."""
    without = pl.col(quantity).is_null()
    return without.sum().cast(pl.Float64) if quantity == "seconds" else pl.col("seconds").filter(without).sum()


def joined(study: Study, identity: str | None) -> pl.DataFrame:
    """What every launch of the capture has beside its measured columns (`JOINED`), by its index."""
    footing = sides.footings(study)[sides.basis_of([study])]
    counted = footing.launches.select("index", share=pl.lit(1 / footing.divisor))
    return study.every.select(
        "index",
        id=pl.lit(identity),
        role=pl.col("role").cast(pl.String).fill_null(sides.UNCLASSIFIED),
        bytes="dram_bytes",
        flops="flops",
        useful_flops="useful_flops",
    ).join(counted, on="index", how="left", maintain_order="left", validate="1:1")
