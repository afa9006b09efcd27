"""Base against head: comparable or not, what changed beyond noise, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare import comparability
from ncu_roofline.analysis.compare.clocks import Clocks, by_clock, chosen
from ncu_roofline.analysis.compare.noise import Noise, noise
from ncu_roofline.analysis.compare.pairs import KINDS, Pair, groups, match
from ncu_roofline.analysis.compare.sides import UNITS, Side, basis_of, covered, per, side, totals
from ncu_roofline.analysis.compare.verdict import Amount, Change, Judged, change, judge, unchanged
from ncu_roofline.analysis.compare.windows import Held, anchored, held, wholly
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import mean
from ncu_roofline.capture import notebook
from ncu_roofline.capture.units import text
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.verdicts import QUANTITIES, VERDICTS, limit

ROWS = ("role", "layer", "kernel")
NONE = Noise(variance=0.0, dof=1e9)
"""Of measurements that are one and the same: chance has no part in them."""
WHOLE = "total"
OF_CHANGE = {"log": "log", "change": "part", "noise": "reach", "low": "low", "high": "high", "moved": "direction"}
"""End of a column's name -> what it holds of each row's change of a quantity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What changed from base to head, and what it means."""

    judged: Judged
    differences: tuple[comparability.Difference, ...]
    anyway: bool
    """Numbers were asked for although the pair is not comparable."""
    basis: str
    """What every number is divided by: token, step or capture."""
    base: Side
    head: Side
    rows: dict[str, pl.DataFrame]
    """By role, layer and kernel: base, head, change and verdict of each."""
    latency: tuple[float | None, float | None]
    """Share of time in latency-bound kernels, base and head: caps what any byte saving can give."""
    useful: tuple[float | None, float | None]
    """Useful FLOPs, base and head; executed ones count whole tiles."""

    assumed: tuple[str, ...] = ()
    """Facts that decide bytes or time and that a side does not tell: taken to be the same on both."""
    clocks: Clocks | None = None
    """The real steps whose time is judged; None where it is the sum of kernel times. Rows are of kernels always."""
    left_out: tuple[pl.DataFrame, ...] = ()
    """Launches of base and of head that only that window of a step holds: no number counts them, the intervals do."""
    copied: bool = False
    """Whether both sides are one capture, launch by launch, printed with other digits."""

    @property
    def verdict(self) -> str:
        """The word of the closed set."""
        return self.judged.verdict

    @property
    def cut(self) -> bool:
        """Whether the sides are windows of which one holds launches that the other lacks."""
        return any(launches.height for launches in self.left_out)

    @property
    def per(self) -> str:
        """What every number is divided by, in a word."""
        return per(self.basis)

    def _repr_html_(self) -> str:
        """What a notebook shows of it: the verdict, and both sides' numbers."""
        changes = {q: getattr(self.judged, q) for q in UNITS}
        rows = [
            (f"{q} per {self.per}", text(c.base, UNITS[q]), text(c.head, UNITS[q]), f"{100 * c.part:+.1f} %")
            for q, c in changes.items()
            if c.part is not None
        ]
        return f"<p><strong>{notebook.safe(self.verdict)}</strong></p>{notebook.table(('', 'base', 'head', 'change'), rows)}"

    @property
    def blocking(self) -> tuple[comparability.Difference, ...]:
        """The differences that make the pair incomparable."""
        return tuple(d for d in self.differences if d.blocks)


def compare(
    base: Sequence[Study],
    head: Sequence[Study],
    *,
    vary: frozenset[str] = frozenset(),
    anyway: bool = False,
    rows: Sequence[str] = ROWS,
    clocks: Clocks | None = None,
) -> Comparison:
    """The comparison of one or more captures a side; sums are means over the captures of a side.

    `rows` names the tables wanted; `layer` is left out where layers are unknown. `clocks` are the real steps, whose time
    is then judged; else those that the run states.
    """
    for name, studies in (("base", base), ("head", head)):
        if not any(s.launches.height for s in studies):
            raise UnusableInput(f"the {name} has no launches to compare; capture some, or choose another capture")
    found = comparability.differences(base, head, vary)
    basis = basis_of([*base, *head])
    before, after = side(base, basis), side(head, basis)
    pairs, first, second = aligned(before, after)
    one, other = held(first, second, pairs, basis)
    comparable = anyway or not any(d.blocks for d in found)
    whole, (judged,) = judged_rows(one, other, WHOLE, comparable)
    clocks = chosen(clocks, base, head)
    judged = by_clock(judged, (before, after), clocks, comparable)
    judged = of_windows(undecided(judged, before, after), one, other)
    assumed = comparability.assumed(base, head, vary)
    if "kv" not in vary:
        judged = by_assumption(judged, one, other, assumed, comparable)
    return Comparison(
        judged=judged,
        differences=found,
        anyway=anyway,
        basis=basis,
        base=before,
        head=after,
        rows={
            by: in_doubt(table(by, pairs, one, other, comparable), judged)
            for by in rows
            if by != "layer" or layered(one.counted, other.counted)
        },
        latency=(whole["base_latency_share"][0], whole["head_latency_share"][0]),
        useful=(whole["base_useful_flops"][0], whole["head_useful_flops"][0]),
        assumed=assumed,
        clocks=clocks,
        left_out=(one.left_out, other.left_out),
        copied=copied(one.counted, other.counted),
    )


def undecided(judged: Judged, base: Side, head: Side) -> Judged:
    """Cannot tell, where two captures of which neither is a whole step hold different parts of one."""
    if judged.verdict == "not_comparable":
        return judged
    if unlike(base, head):
        return replace(judged, verdict="cannot_tell", doubt="missing:basis")
    if judged.bytes.direction not in (0, None) and other_layers(base, head):
        return replace(judged, verdict="cannot_tell", doubt="missing:layers")
    return judged


def of_windows(judged: Judged, base: Held, head: Held) -> Judged:
    """Cannot tell, where windows that are cut elsewhere may hold layers that read other experts; else the doubt by its name."""
    if (base.whole and head.whole) or judged.verdict == "not_comparable":
        return judged
    routed = any((side.counted["role"] == "moe-routing").any() for side in (base, head))
    if judged.bytes.direction not in (0, None) and routed and not anchored(base, head):
        return replace(judged, verdict="cannot_tell", doubt="missing:layers")
    return replace(judged, doubt="windows:bytes") if judged.doubt == "unknown:bytes" else judged


def other_layers(base: Side, head: Side) -> bool:
    """Whether numbers are per layer, and layers are of several kinds of which the sides may hold other ones.

    Of a mixture of experts one layer tells nothing of the next: each reads the experts that its rows chose.
    """
    if base.basis != "layer":
        return False
    one, other = (
        s.launches.group_by("capture", "step", "layer", maintain_order=True).agg(pl.col("bytes").sum())["bytes"]
        for s in (base, head)
    )
    if min(len(one), len(other)) == 1 and any((s.launches["role"] == "moe-routing").any() for s in (base, head)):
        return True
    if uneven(one) <= limit("unlike_layers") >= uneven(other):
        return False
    return len(one) != len(other) or uneven(other / one) > limit("unlike_layers")


def uneven(numbers: pl.Series) -> float:
    """How many times the least of these numbers the largest is; zeros aside."""
    known = numbers.filter(numbers.is_finite() & (numbers > 0))
    return float(known.max() / known.min()) if len(known) else 1.0


def by_assumption(judged: Judged, base: Held, head: Held, assumed: tuple[str, ...], comparable: bool) -> Judged:
    """Cannot tell, where a fact that nobody tells could make the change alone: only attention moved, or work multiplied.

    Executed work grows with the rows of a pass: one layer of a prompt and one of decode differ by many times.
    """
    doubtful = [fact for fact in ("context", "batch") if fact in assumed]
    if not doubtful or judged.bytes.direction in (0, None) or judged.verdict in ("not_comparable", "cannot_tell"):
        return judged
    if "batch" in assumed and abs(judged.flops.log or 0.0) > log(limit("other_rows")):
        return replace(judged, verdict="cannot_tell", doubt="assumed:rows")
    inside, rest = (
        judged_rows(base.filter(side), head.filter(side), WHOLE, comparable)[1]
        for side in (pl.col("family") == "attention", pl.col("family") != "attention")
    )
    if inside and inside[0].bytes.direction == judged.bytes.direction and (not rest or rest[0].bytes.direction == 0):
        return replace(judged, verdict="cannot_tell", doubt=f"assumed:{doubtful[0]}")
    return judged


def unlike(base: Side, head: Side) -> bool:
    """Whether the sides hold different parts of a run, as launches of attention, or of kernels that both run, tell."""
    one, other = ({covered(study) for study in side.studies} for side in (base, head))
    if base.basis == "part":
        return max(one | other) > limit("window") * min(one | other) or repeated(base, head) > limit("repeated")
    return base.basis == "capture" and one != other


def repeated(base: Side, head: Side) -> float:
    """How many times as often one side runs a kernel that both run, by the median; 1 where they share none."""
    one, other = (s.launches.group_by("name").agg(n=pl.len() / s.captures) for s in (base, head))
    median = one.join(other, on="name").select((pl.col("n") / pl.col("n_right")).log().median()).item()
    return exp(abs(median or 0.0))


def in_doubt(rows: pl.DataFrame, judged: Judged) -> pl.DataFrame:
    """Rows of captures that hold different parts of a run have no verdict of their own."""
    if judged.doubt not in ("missing:basis", "missing:layers"):
        return rows
    return rows.with_columns(pl.lit("cannot_tell", pl.Enum(VERDICTS)).alias("verdict"), pl.lit(judged.doubt).alias("doubt"))


def aligned(base: Side, head: Side) -> tuple[list[Pair], pl.DataFrame, pl.DataFrame]:
    """The pairs of kernels, and both sides' launches with the number of their pair."""
    one, base_groups = groups(base.launches)
    other, head_groups = groups(head.launches)
    pairs = match(base_groups, head_groups)
    return pairs, numbered(one, pairs, "base"), numbered(other, pairs, "head")


def numbered(launches: pl.DataFrame, pairs: list[Pair], which: str) -> pl.DataFrame:
    """Launches with `pair`, and `total`, the row that all of them belong to."""
    place = {g.number: n for n, p in enumerate(pairs) if (g := getattr(p, which)) is not None}
    return launches.with_columns(
        pl.col("number").replace_strict(place, return_dtype=pl.Int64).alias("pair"), pl.lit("all").alias(WHOLE)
    )


def layered(base: pl.DataFrame, head: pl.DataFrame) -> bool:
    """Whether both sides know layers."""
    return all(side["layer"].null_count() < side.height for side in (base, head))


def table(by: str, pairs: list[Pair], base: Held, head: Held, comparable: bool) -> pl.DataFrame:
    """The judged rows by role (largest first), by layer or by kernel (in the order of the step)."""
    if by != "kernel":
        rows, _ = judged_rows(base, head, by, comparable)
        return rows.sort(changed_most(), descending=True) if by == "role" else rows.sort("layer", nulls_last=True)
    # a kernel is judged by the launches that both sides have: by like and like
    rows, _ = judged_rows(wholly(base.counted), wholly(head.counted), "pair", comparable)
    return rows.join(identity(pairs), on="pair", how="left", maintain_order="left").sort("pair")


def changed_most() -> pl.Expr:
    """Bytes of the larger side."""
    return pl.max_horizontal("base_bytes", "head_bytes").fill_null(0.0)


def identity(pairs: list[Pair]) -> pl.DataFrame:
    """What each pair is: role, names and shapes of both sides, and what became of it."""
    return pl.DataFrame(
        [
            {
                "pair": n,
                "what": p.kind,
                "role": (p.head or p.base).role,  # type: ignore[union-attr]
                "base_kernel": p.base.kernel if p.base else None,
                "head_kernel": p.head.kernel if p.head else None,
                "base_name": p.base.name if p.base else None,
                "head_name": p.head.name if p.head else None,
                "base_grid": p.base.grid if p.base else None,
                "head_grid": p.head.grid if p.head else None,
            }
            for n, p in enumerate(pairs)
        ],
        schema={
            "pair": pl.Int64,
            "what": pl.Enum(KINDS),
            "role": pl.String,
            "base_kernel": pl.String,
            "head_kernel": pl.String,
            "base_name": pl.String,
            "head_name": pl.String,
            "base_grid": pl.String,
            "head_grid": pl.String,
        },
        orient="row",
    )


def judged_rows(base: Held, head: Held, by: str, comparable: bool) -> tuple[pl.DataFrame, list[Judged]]:
    """One row per value of `by`, with a change and a verdict each, and the verdicts with their numbers."""
    both = sums(base, by).join(sums(head, by), on=by, how="full", coalesce=True, suffix="_head", nulls_equal=True)
    one, other = base.counted, head.counted
    captures = min(int(side["capture"].n_unique()) for side in (one, other))
    chance = None if one_capture(one, other) else noise(one, other, by)
    if chance is not None and copied(one, other):
        chance, captures = dict.fromkeys(chance, NONE), 2  # one capture does not drift from itself
    judged = [judged_row(row, by, both.height, chance, comparable, captures) for row in both.iter_rows(named=True)]
    renamed = {c: f"base_{c}" for c in both.columns if c != by and not c.endswith("_head")}
    renamed |= {c: f"head_{c.removesuffix('_head')}" for c in both.columns if c.endswith("_head")}
    rows = both.rename(renamed).with_columns(pl.col(c).fill_null(0.0) for c in ("base_launches", "head_launches"))
    return rows.hstack(columns(judged)), judged


def sums(side: Held, by: str) -> pl.DataFrame:
    """The sums of each row, with the least and the most that they can be as the windows are cut."""
    found = totals(side.counted, by)
    if side.whole:
        return found
    low, high = (
        totals(launches, by).select(by, *(f"{q}_{end}" for q in QUANTITIES))
        for launches, end in ((side.least, "low"), (side.most, "high"))
    )
    ends = found.select(by)
    for other in (low, high):
        ends = ends.join(other, on=by, how="left", nulls_equal=True, maintain_order="left")
    return found.with_columns(ends.drop(by)).with_columns(pl.col(f"{q}_low").fill_null(0.0) for q in QUANTITIES)


def amount(row: dict[str, Any], quantity: str, side: str) -> Amount:
    """What one side moves in a row, with its bounds; a side that has no such launches moves nothing there."""
    if row["launches" + side] is None:
        return Amount(value=0.0, low=0.0, high=0.0)
    return Amount(value=row[quantity + side], low=row[f"{quantity}_low{side}"], high=row[f"{quantity}_high{side}"])


def one_capture(base: pl.DataFrame, head: pl.DataFrame) -> bool:
    """Whether both sides hold the same measurements to the last digit: a capture against itself, which chance cannot touch.

    A CSV of a report may name its kernels shorter and hold fewer counters.
    """
    told = ("index", "kernel", "bytes", "seconds")
    if not base.select(told).equals(head.select(told), null_equal=True):
        return False
    return bool(((base["flops"] == head["flops"]) | base["flops"].is_null() | head["flops"].is_null()).all())


def copied(base: pl.DataFrame, head: pl.DataFrame) -> bool:
    """Whether both sides hold one capture, of which one is printed with fewer digits: too many launches agree for chance."""
    told = ("index", "kernel")
    if base.height < limit("least_copied") or not base.select(told).equals(head.select(told)) or base["seconds"].has_nulls():
        return False
    rounding = limit("least_bytes")
    return all(
        base[q].is_null().equals(head[q].is_null()) and ((head[q] - base[q]).abs() <= rounding * base[q]).all()
        for q in ("bytes", "seconds")
    )


def judged_row(
    row: dict[str, Any], by: str, count: int, chance: dict[tuple[object, str], Noise] | None, comparable: bool, captures: int
) -> Judged:
    """The verdict of one row; a side that has no such launches moves nothing. A capture against itself has no `chance`."""
    changes: dict[str, Change] = {}
    for q in QUANTITIES:
        if chance is None:
            changes[q] = unchanged(row[q])
            continue
        one, other = (amount(row, q, s) for s in ("", "_head"))
        changes[q] = change(q, one, other, chance.get((row[by], q), Noise()), count, captures)
    beyond = [b for b in (row["beyond"], row["beyond_head"]) if isinstance(b, float)]
    return judge(changes["bytes"], changes["flops"], changes["seconds"], max(beyond, default=None), comparable=comparable)


def columns(judged: list[Judged]) -> pl.DataFrame:
    """Changes, their noise, and the verdict of each row, as columns."""
    found: dict[str, list[object]] = {"verdict": [j.verdict for j in judged]}
    for q in QUANTITIES:
        each: list[Change] = [getattr(j, q) for j in judged]
        found |= {f"{q}_{name}": [getattr(c, told) for c in each] for name, told in OF_CHANGE.items()}
    found["realised"] = [j.realised for j in judged]
    found["doubt"] = [j.doubt for j in judged]
    kinds: dict[str, Any] = {"verdict": pl.Enum(VERDICTS), "doubt": pl.String, **{f"{q}_moved": pl.Int64 for q in QUANTITIES}}
    return pl.DataFrame(found, schema={name: kinds.get(name, pl.Float64) for name in found}, strict=False)


def eaters(comparison: Comparison) -> pl.DataFrame:
    """Kernels that took more time than their bytes account for, the largest excess first.

    `excess` is the head's seconds less the base's seconds scaled by the kernel's own bytes; of a kernel
    that only the head has, all of its seconds.
    """
    kernels = comparison.rows["kernel"]
    scale = pl.col("head_bytes").fill_null(0.0) / pl.col("base_bytes")
    expected = pl.when(pl.col("base_bytes") > 0).then(pl.col("base_seconds") * scale).otherwise(pl.col("base_seconds"))
    excess = pl.col("head_seconds").fill_null(0.0) - expected.fill_null(0.0)
    return named(kernels.with_columns(excess=excess)).filter(pl.col("excess") > 0).sort("excess", descending=True)


def shifted(comparison: Comparison) -> pl.DataFrame:
    """Kernels whose share of the memory roof changed, the largest change of time first."""
    moved = (pl.col("head_bandwidth_share") - pl.col("base_bandwidth_share")).abs() >= limit("share_moved")
    excess = (pl.col("head_seconds").fill_null(0.0) - pl.col("base_seconds").fill_null(0.0)).abs()
    kernels = comparison.rows["kernel"].with_columns(excess=excess)
    return named(kernels).filter(moved.fill_null(False)).sort("excess", descending=True)


def named(kernels: pl.DataFrame) -> pl.DataFrame:
    """One row per kernel of the same name and fate: `excess` summed, shares weighted by time."""
    sided = [(side, f"{side}_{share}") for side in ("base", "head") for share in ("bandwidth_share", "latency_share")]
    shares = [mean(name, f"{side}_seconds").alias(name) for side, name in sided]
    same = ("head_kernel", "base_kernel", "role", "what")
    names = pl.col("base_name", "head_name").first()
    grid = pl.when(pl.col("head_grid").n_unique() == 1).then(pl.col("head_grid").first()).alias("head_grid")
    return kernels.group_by(same, maintain_order=True).agg(pl.col("excess").sum(), names, grid, *shares)
