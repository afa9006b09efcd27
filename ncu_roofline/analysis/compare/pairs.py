"""Kernels of base and head set side by side: by role and place, then by name, shape and bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite, log

import polars as pl

from ncu_roofline.analysis.sums import ratio
from ncu_roofline.knowledge.verdicts import fused_words, limit

KINDS = ("same", "reshaped", "renamed", "fused", "split", "added", "removed")
KEY = ("role", "position", "name", "grid", "block")
GAP = 2.0
"""Cost of leaving a kernel alone: two that differ by more than twice this are not each other."""

MOST_CELLS, SHORTEST = 200_000, 8
"""Pairs of renamed kernels of one role that are weighed, about a second's worth; kernels of a piece at the least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Equal launches at one place of one side."""

    number: int
    role: str
    position: int | None
    name: str
    kernel: str
    """Function name."""
    grid: str
    block: str
    order: int
    count: float
    bytes: float | None
    """DRAM bytes of one launch."""
    intensity: float | None = None
    """FLOPs done per byte."""
    useful: float | None = None
    """FLOPs needed per byte: kernels of one product do the same, however many rows their tiles fill."""
    before: str | None = None
    after: str | None = None
    """Roles of the groups that come first before and after it."""


def per_byte(work: str) -> pl.Expr:
    """Work over bytes of the launches that have both."""
    both = pl.col(work).is_not_null() & pl.col("bytes").is_not_null()
    return ratio(pl.col(work).filter(both).sum(), pl.col("bytes").filter(both).sum())


def groups(launches: pl.DataFrame) -> tuple[pl.DataFrame, list[Group]]:
    """The launches with the number of their group, and the groups in the order of the capture."""
    found = (
        launches.group_by(KEY, maintain_order=True)
        .agg(
            pl.col("index").filter(pl.col("capture") == pl.col("capture").min()).min().alias("order"),
            pl.col("kernel").first(),
            pl.col("share").sum().alias("count"),
            pl.col("bytes").mean(),
            per_byte("flops").alias("intensity"),
            per_byte("useful_flops").alias("useful"),
            pl.col("share").mean(),
        )
        .sort("order", maintain_order=True)
        .with_row_index("number")
        .with_columns(pl.col("number").cast(pl.Int64))
    )
    numbered = launches.join(found.select(*KEY, "number"), on=KEY, how="left", nulls_equal=True, maintain_order="left")
    rows = [
        Group(
            number=r["number"],
            role=r["role"],
            position=r["position"],
            name=r["name"],
            kernel=r["kernel"],
            grid=r["grid"],
            block=r["block"],
            order=r["order"],
            count=r["count"],
            bytes=None if r["bytes"] is None else r["bytes"] / r["share"],
            intensity=r["intensity"],
            useful=r["useful"],
        )
        for r in found.iter_rows(named=True)
    ]
    around = [None, *(g.role for g in rows), None]
    return numbered, [replace(g, before=around[n], after=around[n + 2]) for n, g in enumerate(rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two groups that are each other, or one that has no other; `kind` says which."""

    base: Group | None
    head: Group | None
    kind: str


def match(base: list[Group], head: list[Group]) -> list[Pair]:
    """Every group of both sides exactly once, in the order of the head, removed ones where they stood."""
    pairs = exact(base, head)
    pairs += by_place(without(base, [b for b, _ in pairs]), without(head, [h for _, h in pairs]))
    named = [Pair(base=b, head=h, kind=kind_of(b, h)) for b, h in pairs]
    alone_base, alone_head = without(base, [b for b, _ in pairs]), without(head, [h for _, h in pairs])
    renamed = [(p.base, p.head) for p in named if p.base and p.head and p.kind == "renamed"]
    into, out_of = ({b.number: (b, h) for b, h in renamed}, {h.number: (h, b) for b, h in renamed})
    named += [Pair(base=g, head=None, kind="fused" if merged(g, base, into) else "removed") for g in alone_base]
    named += [Pair(base=None, head=g, kind="split" if merged(g, head, out_of) else "added") for g in alone_head]
    return sorted(named, key=lambda p: (p.head or p.base).order)  # type: ignore[union-attr]


def without(all_groups: list[Group], taken: list[Group]) -> list[Group]:
    """The groups whose number is not taken."""
    numbers = {g.number for g in taken}
    return [g for g in all_groups if g.number not in numbers]


def exact(base: list[Group], head: list[Group]) -> list[tuple[Group, Group]]:
    """Groups of the same role, name and shape, in their order, where both sides have as many."""
    found: list[tuple[Group, Group]] = []
    there = alike(head)
    for key, here in alike(base).items():
        if len(here) == len(there.get(key, ())):
            found += zip(here, there[key], strict=True)
    return found


def alike(side: list[Group]) -> dict[tuple[str, str, str, str], list[Group]]:
    """The groups of a side by role, name and shape."""
    found: dict[tuple[str, str, str, str], list[Group]] = {}
    for group in side:
        found.setdefault((group.role, group.name, group.grid, group.block), []).append(group)
    return found


def by_place(base: list[Group], head: list[Group]) -> list[tuple[Group, Group]]:
    """The cheapest pairing of the rest, role by role, that keeps their order."""
    found: list[tuple[Group, Group]] = []
    placed = all(any(g.position is not None for g in s) for s in (base, head))
    keys = dict.fromkeys((g.role, placed and g.position is None) for g in base)
    for role, outside in keys:

        def mine(side: list[Group], role: str = role, outside: bool = outside) -> list[Group]:
            chosen = [g for g in side if g.role == role and (placed and g.position is None) == outside]
            return sorted(chosen, key=lambda g: (g.position if placed else None, g.order))

        found += piecewise(mine(base), mine(head))
    return found


def piecewise(base: list[Group], head: list[Group]) -> list[tuple[Group, Group]]:
    """The cheapest pairing; of long sides piece by piece, so that twice the kernels take twice the time."""
    longer = max(len(base), len(head))
    pieces = -(-longer // max(MOST_CELLS // max(longer, 1), SHORTEST)) or 1

    def piece(side: list[Group], number: int) -> list[Group]:
        return side[number * len(side) // pieces : (number + 1) * len(side) // pieces]

    return [pair for n in range(pieces) for pair in cheapest(piece(base, n), piece(head, n))]


def cheapest(base: list[Group], head: list[Group]) -> list[tuple[Group, Group]]:
    """Sequence alignment (Needleman and Wunsch 1970): gaps cost, unlike kernels cost more.

    Of ways that cost the same it takes the one that it would take with the sides swapped.
    """
    if looks(head) < looks(base):
        return [(one, other) for other, one in cheapest(head, base)]
    cost: dict[tuple[int, int], float] = {}
    for i in range(len(base), -1, -1):
        for j in range(len(head), -1, -1):
            cost[i, j] = min(options(cost, i, j, base, head), default=(0.0, ""))[0]
    found, i, j = [], 0, 0
    while ways := options(cost, i, j, base, head):
        step = min(ways)[1]
        if step == "both":
            found.append((base[i], head[j]))
        i, j = i + (step != "head"), j + (step != "base")
    return found


def looks(side: list[Group]) -> list[tuple[str, str, str, float, float, float]]:
    """What the groups of a side are told apart by."""
    return [(g.name, g.grid, g.block, g.count, g.bytes or 0.0, g.intensity or 0.0) for g in side]


def options(
    cost: dict[tuple[int, int], float], i: int, j: int, base: list[Group], head: list[Group]
) -> list[tuple[float, str]]:
    """The ways on from here, each with what it costs to the end."""
    ways: list[tuple[float, str]] = []
    if i < len(base) and j < len(head):
        ways.append((cost[i + 1, j + 1] + unlike(base[i], head[j]), "both"))
    if i < len(base):
        ways.append((cost[i + 1, j] + GAP, "base"))
    if j < len(head):
        ways.append((cost[i, j + 1] + GAP, "head"))
    return ways


def unlike(one: Group, other: Group) -> float:
    """How unlike two groups of one role are; symmetric, 0 for equal ones."""
    often = abs(log(other.count / one.count)) if one.count and other.count else 0.0
    apart = (
        bytes_apart(one, other),
        work_apart(one, other),
        min(often, 0.5),
        place_apart(one, other),
        1.2 * names_apart(one.name, other.name),
        0.1 * (one.grid != other.grid),
    )
    return sum(apart)


def work_apart(one: Group, other: Group) -> float:
    """|ln| of their intensities beyond a factor of 8, up to 2: a combining kernel is not the one whose parts it combines.

    Other weights and tiles change the intensity of one and the same product by up to that factor; that of useful work, where
    both sides tell it, leaves the tiles out.
    """
    needed = None not in (one.useful, other.useful)
    told = [g.useful if needed else g.intensity for g in (one, other)]
    known = [max(value, limit("least_work")) for value in told if value is not None and isfinite(value)]
    return min(max(abs(log(known[0] / known[1])) - log(8), 0.0), 2.0) if len(known) == 2 else 0.0


def place_apart(one: Group, other: Group) -> float:
    """0.4 for each neighbour that plays another role; the edge of a window tells nothing."""
    sides = ((one.before, other.before), (one.after, other.after))
    return 0.4 * sum(a is not None and b is not None and a != b for a, b in sides)


def bytes_apart(one: Group, other: Group) -> float:
    """|ln| of their bytes, of a launch (weights) or of a token (activations, cache), whichever is nearer."""
    if not one.bytes or not other.bytes or not one.count or not other.count:
        return 0.5
    of_launch = log(other.bytes / one.bytes)
    return min(abs(of_launch), abs(of_launch + log(other.count / one.count)), 2.0)


def names_apart(one: str, other: str) -> float:
    """Part of the words of both names that only one of them has."""
    if one == other:
        return 0.0
    here, there = words(one), words(other)
    return 1 - len(here & there) / max(len(here | there), 1)


@lru_cache(maxsize=4096)
def words(name: str) -> frozenset[str]:
    """Words and numbers of a kernel's name."""
    return frozenset(re.findall(r"[A-Za-z]+|\d+", name))


def kind_of(base: Group, head: Group) -> str:
    """What became of a kernel that has its like on the other side."""
    if base.name != head.name:
        return "renamed"
    return "same" if (base.grid, base.block) == (head.grid, head.block) else "reshaped"


def merged(alone: Group, side: list[Group], renamed: dict[int, tuple[Group, Group]]) -> bool:
    """Whether a lone kernel's work went into (or came out of) a neighbour that was renamed, by the neighbour's number."""
    beside = side[max(alone.number - 1, 0) : alone.number + 2]  # numbers count the groups of a side in their order
    return any(took_over(alone, *renamed[g.number]) for g in beside if g.number in renamed)


def took_over(alone: Group, neighbour: Group, other: Group) -> bool:
    """Whether the other side's kernel does the lone one's work: its name says so, or its role is the same."""
    pattern = fused_words().get(alone.role)
    said = bool(pattern and re.search(pattern, other.name, re.I) and not re.search(pattern, neighbour.name, re.I))
    return said or (alone.role == neighbour.role and alone.role in ("fc", "attention", "elementwise"))
