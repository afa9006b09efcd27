"""Several files in one call: one run, or runs that must not be added up?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from ncu_roofline.analysis.run.ranks import gpus
from ncu_roofline.analysis.run.rows import of_experts
from ncu_roofline.capture.capture import File
from ncu_roofline.capture.schema import whole_result
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.limits import THRESHOLDS

PROTOCOL = {"cache_control": "cache control", "clock_control": "clock control"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What whole decode steps of a file show of its model."""

    layers: int
    experts: bool
    fc_bytes: float | None
    """Read by FC in a step of one GPU; None where some reads are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Reads of a step kernel by kernel, and of the result of a whole graph or range that comes nearest."""

    kernels: float
    whole: float
    results: int

    @property
    def over(self) -> float:
        """By how much the kernels read more, as a share."""
        return self.kernels / self.whole - 1


def borders(files: Sequence[File]) -> list[int]:
    """The launches with which files after the first begin."""
    starts = [0]
    for file in files:
        starts.append(starts[-1] + file.launches)
    return starts[1:-1]


def check(launches: pl.DataFrame, files: Sequence[File]) -> None:
    """Raises UnusableInput where several files were captured differently, or are of different models."""
    if len(files) < 2:
        return
    for first, second in pairwise(files):
        for name, words in PROTOCOL.items():
            one, other = getattr(first.run, name).value, getattr(second.run, name).value
            if None not in (one, other) and one != other:
                how = f"different {words} ({one} in {first.name}, {other} in {second.name})"
                raise UnusableInput(f"the files were captured with {how}; read each on its own, or compare them")
    told = [(file.name, seen) for file, seen in zip(files, every(launches, files), strict=True) if seen is not None]
    for (first_name, one), (second_name, other) in pairwise(told):
        if differs := unlike(one, other):
            raise UnusableInput(f"{first_name} and {second_name} are of different models ({differs}); read each on its own")


def every(launches: pl.DataFrame, files: Sequence[File]) -> list[Seen | None]:
    """What each file shows; None of those without a whole decode step."""
    starts = [0, *borders(files), launches.height]
    return [seen(launches.filter(pl.col("index").is_between(a, b, closed="left"))) for a, b in pairwise(starts)]


def seen(launches: pl.DataFrame) -> Seen | None:
    """The layers, experts and FC reads of whole decode steps; None where there is none."""
    decode = pl.col("phase").cast(pl.String) == "decode"
    whole = launches.filter(decode & pl.col("step_whole").fill_null(False) & pl.col("step").is_not_null())
    if whole.is_empty() or not whole["layer"].count():
        return None
    role = pl.col("role").cast(pl.String)
    fc = whole.filter(role == "fc")
    steps = whole.select("process", "device", "step").n_unique() / gpus(whole)
    known = fc.height > 0 and not fc["dram_read_bytes"].null_count()
    return Seen(
        layers=int(whole["layer"].max()) + 1,  # type: ignore[arg-type]
        experts=bool(whole.select(((role == "moe-routing") | of_experts(whole)).any()).item()),
        fc_bytes=float(fc["dram_read_bytes"].sum()) / steps / gpus(whole) if known else None,
    )


def unlike(one: Seen, other: Seen) -> str:
    """In what two files differ that no batch explains; empty where nothing does."""
    if one.layers != other.layers:
        return f"{one.layers} layers, {other.layers} layers"
    if one.experts != other.experts:
        return "one with experts, one without"
    sizes = sorted(size for size in (one.fc_bytes, other.fc_bytes) if size)
    if not one.experts and len(sizes) == 2 and sizes[1] > THRESHOLDS.same_model_reads * sizes[0]:
        return f"FC reads of a step {sizes[1] / sizes[0]:.2f} times those of the other"
    return ""


def beside(launches: pl.DataFrame) -> Beside | None:
    """The check of the kernels' sum by results of whole steps; None where either was not measured.

    Reads are compared: writes of single kernels hold what earlier passes of the profiler left dirty.
    """
    stepping = (
        (pl.col("phase").cast(pl.String) == "decode") & pl.col("step_whole").fill_null(False) & pl.col("step").is_not_null()
    )
    looked_at = launches.select("process", "device", "step", "dram_read_bytes", of_all=whole_result(), stepping=stepping)
    results = looked_at.filter("of_all")["dram_read_bytes"].drop_nulls()
    whole = looked_at.filter("stepping", ~pl.col("of_all"))
    if not results.len() or whole.is_empty() or whole["dram_read_bytes"].null_count():
        return None
    steps = whole.group_by("process", "device", "step").agg(pl.col("dram_read_bytes").sum())["dram_read_bytes"]
    kernels = float(steps.median())  # type: ignore[arg-type]
    nearest = min((float(r) for r in results.to_list()), key=lambda r: abs(r - kernels))
    return Beside(kernels=kernels, whole=nearest, results=results.len()) if nearest else None
