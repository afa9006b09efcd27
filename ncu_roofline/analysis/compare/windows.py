"""Two windows of a run, compared by what both hold.

A window that is less than a step may be cut elsewhere than the other one. Launches that it alone holds are then no change, and
no proof of none: every number counts each kernel as often as the side that ran it less, and the interval holds both readings,
that the rest is the window's and that it is the run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.compare.pairs import Pair
from ncu_roofline.analysis.compare.sides import COLUMNS

WINDOWS = ("part", "capture")
"""What numbers are per, where a side may hold any stretch of a run."""
ONCE = ("embedding", "sampling")
"""Roles that stand once a step, outside its layers: whether a window holds them is chance."""
SCALED = (*COLUMNS, "share", "useful_flops", "bytes_most", "flops_most", "seconds_least")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The launches of one side: those that its numbers are of, and what its sums can be at the least and at the most."""

    counted: pl.DataFrame
    least: pl.DataFrame
    most: pl.DataFrame

    @property
    def whole(self) -> bool:
        """Whether the other side holds all of it too."""
        return self.least is self.most

    @property
    def left_out(self) -> pl.DataFrame:
        """Launches that only this window holds."""
        return self.most.join(self.least, on=("capture", "index"), how="anti")

    def filter(self, which: pl.Expr) -> Held:
        """The launches of this kind."""
        if self.whole:
            return wholly(self.counted.filter(which))
        return Held(counted=self.counted.filter(which), least=self.least.filter(which), most=self.most.filter(which))


def wholly(launches: pl.DataFrame) -> Held:
    """A side of which everything counts."""
    return Held(counted=launches, least=launches, most=launches)


def held(base: pl.DataFrame, head: pl.DataFrame, pairs: list[Pair], basis: str) -> tuple[Held, Held]:
    """Both sides by what both hold; `pair` numbers the kernels that are each other."""
    if basis not in WINDOWS or not set(base["name"]) & set(head["name"]):
        return wholly(base), wholly(head)  # with no kernel in common neither is another window of the other's run
    one, other = often(base), often(head)
    chance = lone(base, head, pairs, "removed") | lone(head, base, pairs, "added")
    return divided(base, parts(one, other, chance)), divided(head, parts(other, one, chance))


def anchored(base: Held, head: Held) -> bool:
    """Whether both windows hold the begin or the end of a step, so that their layers are the same ones."""
    one, other = (set(side.counted["role"]) & set(ONCE) for side in (base, head))
    return bool(one & other)


def often(launches: pl.DataFrame) -> dict[int, float]:
    """How many launches of each pair a capture of this side has."""
    captures = max(launches["capture"].n_unique(), 1)
    return {pair: n / captures for pair, n in launches.group_by("pair", maintain_order=True).len().iter_rows()}


def parts(own: Mapping[int, float], other: Mapping[int, float], chance: set[int]) -> dict[int, float]:
    """Which part of the launches of each pair counts."""
    return {pair: 0.0 if pair in chance else min(1.0, other.get(pair, n) / n) for pair, n in own.items()}


def divided(launches: pl.DataFrame, part: Mapping[int, float]) -> Held:
    """The side with these parts of its pairs; at the least without their largest launches."""
    if all(p == 1 for p in part.values()):
        return wholly(launches)
    marked = launches.with_columns(part=pl.col("pair").replace_strict(part, return_dtype=pl.Float64))
    place = pl.col("bytes").fill_null(0.0).rank("ordinal").over("capture", "pair")
    within = place <= (pl.col("part") * pl.len().over("capture", "pair") + 1e-9).floor()
    counted = marked.filter(pl.col("part") > 0).with_columns(pl.col(c) * pl.col("part") for c in SCALED)
    return Held(counted=counted.drop("part"), least=marked.filter(within).drop("part"), most=launches)


def lone(launches: pl.DataFrame, other: pl.DataFrame, pairs: list[Pair], kind: str) -> set[int]:
    """The pairs that this side alone has, and that the cut of a window may have made, and not the run.

    Proof is a kernel that the other side never runs, inside of a layer, between kernels that both sides run.
    """
    alone = [n for n, p in enumerate(pairs) if p.kind == kind]
    both = [n for n, p in enumerate(pairs) if p.base and p.head]
    shared = pl.col("index").filter(pl.col("pair").is_in(both))
    inner = (pl.col("index") > shared.min()) & (pl.col("index") < shared.max())
    own = inner.over("capture") & ~pl.col("name").is_in(other["name"].unique().implode()) & ~pl.col("role").is_in(ONCE)
    found = launches.with_columns(own=own).filter(pl.col("pair").is_in(alone) & ~pl.col("own").fill_null(False))
    return set(found["pair"].to_list())
