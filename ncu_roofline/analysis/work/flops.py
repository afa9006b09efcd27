"""FLOPs per launch and path (precision and kind of unit), each family by its own ladder."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.work.ladder import NOTHING, added, measured, sm_cycles, sm_hertz
from ncu_roofline.analysis.work.opcodes import counted
from ncu_roofline.capture.schema import MEASURED, SCALAR_PATHS, TENSOR_PATHS, with_found
from ncu_roofline.knowledge.counters import table

TENSOR = re.compile(
    r"m:(sm|smsp)__ops_path_tensor_(?:op_(?P<op>[a-z]+)_)?src_(?P<source>\w+?)"
    r"(?:_dst_(?P<target>fp16|fp32))?(?:_sparsity_(?P<sparsity>on|off))?\.sum(?P<rate>\.per_\w+)?"
)
RATES = {"": "counter", ".per_cycle_elapsed": "rate", ".per_second": "rate"}


@dataclass(frozen=True, slots=True)
class Family:
    """FLOPs of one path by one rung; null where the rung is not known."""

    path: str
    source: str
    flops: pl.Expr
    whole: bool = True
    """Whether the rung counts all work of the path, or may have missed a part of it."""


def rate_factor(launches: pl.DataFrame, rate: str) -> pl.Expr:
    """What a rate counter is multiplied with to become a count."""
    if rate == ".per_cycle_elapsed":
        return pl.coalesce(sm_cycles(launches), sm_hertz(launches) * pl.col("seconds"))
    return pl.col("seconds") if rate == ".per_second" else pl.lit(1.0)


def scalar(launches: pl.DataFrame, capability: str | None) -> Iterator[Family]:
    """Scalar families: thread instructions with predicate on, times FLOPs per instruction."""
    for rate, source in RATES.items():
        for path, factors in table()["scalar"].items():
            for prefix in ("sm", "smsp"):
                name = f"{MEASURED}{prefix}__sass_thread_inst_executed_op_{{}}_pred_on.sum{rate}"
                if not all(name.format(op) in launches.columns for op in factors):
                    continue
                plain = added([pl.col(name.format(op)) * factor for op, factor in factors.items()])
                times = rate_factor(launches, rate)
                for value, whole in with_packed(launches, plain, name, path, capability):
                    yield Family(path, source, value * times, whole)


def with_packed(
    launches: pl.DataFrame, plain: pl.Expr, name: str, path: str, capability: str | None
) -> Iterator[tuple[pl.Expr, bool]]:
    """The sum with the packed instructions of parts that have them; not whole where they were not counted there."""
    packed = table()["scalar_packed"].get(path, {})
    seen = [pl.col(name.format(op)) * factor for op, factor in packed.items() if name.format(op) in launches.columns]
    needed = bool(packed) and capability in table()["scalar_packed"]["compute_capabilities"]
    if not needed:
        yield added([plain, *(part.fill_null(0) for part in seen)]), True
        return
    if len(seen) == len(packed):
        yield added([plain, *seen]), True
    yield added([plain, *(part.fill_null(0) for part in seen)]), False


@dataclass(frozen=True, slots=True)
class Counter:
    """One tensor counter of the capture, taken apart."""

    column: str
    op: str | None
    source: str
    target: str | None
    sparsity: str | None
    rate: str

    @property
    def path(self) -> str:
        """The roof it works against: half accumulation has one of its own."""
        accumulate = table()["tensor_accumulate"]
        if self.target == "fp16" and self.source in accumulate:
            return str(accumulate[self.source])
        return str(table()["tensor"][self.source])


def tensor_counters(launches: pl.DataFrame) -> list[Counter]:
    """The tensor counters that this capture has; the `sm` and `smsp` twins only once."""
    found: dict[tuple[str | None, ...], Counter] = {}
    for column in sorted(launches.columns):
        if (hit := TENSOR.fullmatch(column)) and hit["source"] in table()["tensor"] and (hit["rate"] or "") in RATES:
            key = (hit["op"], hit["source"], hit["target"], hit["sparsity"], hit["rate"] or "")
            found.setdefault(key, Counter(column, *key))
    return list(found.values())


def without_overlap(level: list[Counter]) -> list[Counter]:
    """Of one level: where an instruction path has a total over accumulators, not its parts too."""
    totals = {(c.op, c.source, c.sparsity) for c in level if c.target is None}
    return [c for c in level if c.target is None or (c.op, c.source, c.sparsity) not in totals]


def tensor(launches: pl.DataFrame, capability: str | None) -> Iterator[Family]:
    """Tensor families; per source type exactly one level of the overlapping counters is used.

    Levels in order: totals, their sparse and dense halves, then instruction paths: counts before
    rates, but a total that is a rate before instruction paths that are counts.
    """
    levels: dict[str, dict[tuple[bool, str, bool], list[Counter]]] = defaultdict(lambda: defaultdict(list))
    for counter in tensor_counters(launches):
        key = (counter.op is not None, counter.rate, counter.sparsity is not None)
        levels[counter.source][key].append(counter)
    for of_source in levels.values():
        paths = sorted({c.path for members in of_source.values() for c in members})
        for (_, rate, _), members in sorted(of_source.items()):
            times = rate_factor(launches, rate)
            for path in paths:
                for value, whole in of_level(without_overlap(members), path, capability):
                    yield Family(path, RATES[rate], value * times, whole)


def of_level(level: list[Counter], path: str, capability: str | None) -> Iterator[tuple[pl.Expr, bool]]:
    """What one level says of a path: the whole where all its counters were measured, else what was."""
    mine = [c for c in level if c.path == path]
    undivided = [c for c in level if c.target is None]
    if not mine:  # a total over the accumulators holds this path's work already
        if undivided:
            yield added([pl.col(c.column) for c in undivided]) * 0, holds_all(undivided, capability)
        return
    parts = [pl.col(c.column) for c in mine]
    if holds_all(mine, capability):
        yield added(parts), True
    yield pl.when(pl.any_horizontal(part.is_not_null() for part in parts)).then(pl.sum_horizontal(parts)), False


def holds_all(counters: list[Counter], capability: str | None) -> bool:
    """Whether these counters leave nothing out: both halves of sparsity, every instruction path of the device."""
    halves: dict[tuple[str | None, str | None], set[str]] = defaultdict(set)
    for c in counters:
        if c.sparsity:
            halves[c.op, c.target].add(c.sparsity)
    ops = {c.op for c in counters if c.op}
    needed = table()["tensor_paths"].get(capability, {}).get(counters[0].source)
    return all(len(seen) == 2 for seen in halves.values()) and (not ops or (needed is not None and ops >= set(needed)))


def from_opcodes(launches: pl.DataFrame) -> pl.DataFrame:
    """Launches with `opcodes:<path>` columns, FLOPs by opcode counts, null where they do not tell."""
    for which, paths in (("warp", TENSOR_PATHS), ("thread", SCALAR_PATHS)):
        flops = counted(launches, which)
        wide = flops.select("index").unique()
        for path in paths:
            of_path = flops.filter(pl.col("path") == path).select("index", pl.col("flops").alias(f"opcodes:{path}"))
            wide = wide.join(of_path, on="index", how="left").with_columns(pl.col(f"opcodes:{path}").fill_null(0.0))
        launches = with_found(launches, wide, "index")
    return launches


def idle(launches: pl.DataFrame, family: str) -> pl.Expr:
    """True where a pipe counter proves that the family did no work; null or false otherwise."""
    return measured(launches, table()["idle"].get(family, ())) == 0 if family in table()["idle"] else NOTHING == 0
