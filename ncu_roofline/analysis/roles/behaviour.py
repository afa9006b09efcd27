"""Launches with bytes and a model -> what a kernel is for where its name is silent: by what it reads, and where.

The matrices of a layer are read in the same order in every layer, each with the bytes of its N x K. Where
two layers or more are read whole like that, their launches are FC; the one large reader left between the QKV projection
and the output projection reads the cache: it is attention. Anything less says nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from ncu_roofline.analysis.roles.layouts import Layout, Slot, head_bytes, layouts
from ncu_roofline.analysis.roles.neighbours import LANE
from ncu_roofline.analysis.roles.roles import FAMILY, ROLE, SOURCE
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.kernels.roles import Rules, load_rules
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models.model import Model

MATRIX_RULE, CACHE_RULE = "matrix-bytes", "cache-bytes"
LOW, HIGH = 0.94, 1.10
"""Read bytes over those of the matrix: a little stays in the L2 cache, activations are read beside it."""
FEWEST_LAYERS = 2
DECIDED = ("role", "role_source", "role_rule", "family")
WEAK = ("elementwise", "copy", "other")
"""Roles by name that a kernel with the bytes of a matrix or of the cache does not keep."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The launches of one stream in order: row of the frame, bytes read and written, what equal kernels share."""

    rows: list[int]
    reads: list[float]
    writes: list[float]
    keys: list[int]
    mixers: list[bool]
    """Attention by a name that leaves nothing open."""


@dataclass(frozen=True, slots=True)
class Found:
    """The whole layers of one layout in a lane: the places of their matrices, and how far their bytes are off."""

    layout: Layout
    layers: list[list[int]]
    misfit: float


def decide(launches: pl.DataFrame, run: Run, model: Model | None, rules: Rules | None = None) -> pl.DataFrame:
    """Launches whose roles also stand on behaviour; unchanged without a model, without bytes or without evidence."""
    if model is None or launches["dram_read_bytes"].count() == 0:
        return launches
    known = rules or load_rules(None)
    shapes = layouts(model, run)
    told: dict[int, str] = {}
    for lane in lanes(launches, open_rules(known)):
        told |= of_lane(lane, shapes, model, run)
    return _settled(launches, told, open_rules(known)) if told else launches


def open_rules(rules: Rules) -> list[str]:
    """Rules by name that leave the role to further evidence."""
    return [rule.id for rule in rules.rules if rule.open]


def lanes(launches: pl.DataFrame, open_names: list[str]) -> list[Lane]:
    """The streams of a capture, each in its order."""
    seen = launches.select(
        *LANE,
        row=pl.int_range(pl.len()),
        read=pl.col("dram_read_bytes").fill_null(0.0),
        write=pl.col("dram_write_bytes").fill_null(0.0),
        key=pl.struct("name", "grid", "block").rank("dense"),
        mixer=(
            (pl.col("role") == "attention") & ~pl.col("role_rule").is_in(open_names) & (pl.col("role_source") != "likely")
        ).fill_null(False),
    )
    parts = seen.partition_by(LANE, maintain_order=True)
    return [Lane(*(part[c].to_list() for c in ("row", "read", "write", "key", "mixer"))) for part in parts]


def of_lane(lane: Lane, shapes: list[Layout], model: Model, run: Run) -> dict[int, str]:
    """Row -> rule for the launches of one stream that behave like a matrix product or like attention."""
    founds = best_of_kinds(lane, shapes, lane.mixers)
    if not founds and any(lane.mixers):  # a name may say attention of a projection, where attention stands beside it
        nameless = best_of_kinds(lane, shapes, [False] * len(lane.rows))
        founds = [f for f in nameless if len(attention(lane, f)) >= len(f.layers)]
    products = {at for found in founds for layer in found.layers for at in layer}
    caches = {at for found in founds for at in attention(lane, found)} - products
    if not explains(lane, products | caches):
        return {}
    products |= heads(lane, founds, model, run)
    told = dict.fromkeys(caches, CACHE_RULE) | dict.fromkeys(products, MATRIX_RULE)
    return {lane.rows[at]: rule for at, rule in alike(lane, told).items()}


def explains(lane: Lane, told: set[int]) -> bool:
    """Whether these launches read most of what is read from the first to the last; else another model fits by chance."""
    if not told:
        return False
    whole = sum(lane.reads[min(told) : max(told) + 1])
    return sum(lane.reads[at] for at in told) >= THRESHOLDS.explained_part * whole


def best_of_kinds(lane: Lane, shapes: list[Layout], mixers: list[bool]) -> list[Found]:
    """For each kind of layer the layout that explains most layers, of equals the one that fits best."""
    ordered = sorted(lane.reads)
    best: dict[str, Found] = {}
    for shape in shapes:
        if not all(possible(slot, ordered) for slot in shape.slots):
            continue
        found = scan(lane.reads, mixers, shape)
        known = best.get(shape.kind)
        if len(found.layers) >= FEWEST_LAYERS and (known is None or rank(found) > rank(known)):
            best[shape.kind] = found
    return list(best.values())


def rank(found: Found) -> tuple[int, float]:
    """More matrices explained first, then less misfit."""
    return sum(map(len, found.layers)), -found.misfit


def possible(slot: Slot, ordered: list[float]) -> bool:
    """Whether some layers' worth of launches read what this matrix takes at all."""
    low, high = bisect_left(ordered, slot.bytes * LOW), bisect_left(ordered, slot.bytes * slot.experts * HIGH)
    return high - low >= FEWEST_LAYERS


def scan(reads: list[float], mixers: list[bool], shape: Layout) -> Found:
    """The whole layers of this layout, in order; what lies between their matrices is passed over."""
    least = THRESHOLDS.large_reader * min(slot.bytes for slot in shape.slots)
    layers, taken, spare, misfit = list[list[int]](), list[int](), 0, 0.0
    for at, read in enumerate(reads):
        if read < least or mixers[at]:
            continue
        before = [reads[t] for t in taken]
        if (off := distance(shape.slots, before, read)) is not None:
            taken, spare, misfit = [*taken, at], 0, misfit + off
        elif taken and len(taken) - 1 == shape.mixer and distance(shape.slots, before[:-1], read) is not None:
            taken, spare = [*taken[:-1], at], 0  # attention may read as much as the projection behind it takes
        elif taken and (spare := spare + 1) > THRESHOLDS.spare_readers:
            taken, spare = [at] if distance(shape.slots, [], read) is not None else [], 0
        if len(taken) == len(shape.slots):
            layers.append(taken)
            taken = []
    return Found(shape, layers, misfit / max(1, sum(map(len, layers))))


def distance(slots: tuple[Slot, ...], before: list[float], read: float) -> float | None:
    """How far a read is from the next matrix of a layer; None where it is another one's."""
    slot = slots[len(before)]
    over = read / slot.bytes
    if slot.experts == 1:
        return abs(math.log(over)) if LOW <= over <= HIGH else None
    counts = [b / s.bytes for b, s in zip(before, slots, strict=False) if s.experts == slot.experts]
    if not counts:
        return 0.0 if LOW <= over <= slot.experts * HIGH else None
    off = abs(math.log(over / counts[0]))
    return off if off <= THRESHOLDS.same_experts else None


def attention(lane: Lane, found: Found) -> set[int]:
    """The launches between the QKV and the output projection of each layer that alone read much, in two layers alike."""
    mixer = found.layout.mixer
    if mixer is None:
        return set()
    chosen = [c for layer in found.layers for c in standing_out(lane, layer[mixer - 1], layer[mixer])]
    reads = sorted(lane.reads[c] for c in chosen)
    pairs = [(a, b) for a, b in pairwise(reads) if math.log(b / a) <= THRESHOLDS.alike_caches]
    in_two = {read for pair in pairs for read in pair}
    return {c for c in chosen if lane.reads[c] in in_two}


def standing_out(lane: Lane, start: int, end: int) -> list[int]:
    """The one or two launches (Q K and P V) that read by far the most between two places; none where nothing stands out."""
    between = sorted(range(start + 1, end), key=lambda at: -lane.reads[at])
    if not between or lane.reads[between[0]] <= 0:
        return []
    top = [at for at in between if lane.reads[at] * THRESHOLDS.stands_out >= lane.reads[between[0]]]
    rest = [lane.reads[at] for at in between[len(top) :]]
    quiet = all(lane.reads[at] >= THRESHOLDS.reads_only * len(top) * lane.writes[at] for at in top)
    clear = not rest or lane.reads[top[-1]] >= THRESHOLDS.stands_out * rest[0]
    return top if len(top) <= 2 and quiet and clear else []


def heads(lane: Lane, founds: list[Found], model: Model, run: Run) -> set[int]:
    """Launches outside of the layers that read what the LM head takes."""
    inside = {at for found in founds for layer in found.layers for at in range(layer[0], layer[-1] + 1)}
    sizes = [size for found in founds for size in head_bytes(model, run, found.layout.factor)]
    fitting = [at for at, read in enumerate(lane.reads) if any(LOW <= read / size <= HIGH for size in sizes)]
    first = min((layer[-1] for found in founds for layer in found.layers), default=0)
    return {at for at in fitting if at > first and at not in inside}


def alike(lane: Lane, told: dict[int, str]) -> dict[int, str]:
    """The same for equal kernels with equal bytes in the layers that the window cuts; none where two rules speak."""
    known = defaultdict[tuple[int, int], set[str]](set)
    for at, rule in told.items():
        for near in (-1, 0, 1):
            known[lane.keys[at], size(lane.reads[at]) + near].add(rule)
    more = dict(told)
    for at, (key, read) in enumerate(zip(lane.keys, lane.reads, strict=True)):
        rules = known.get((key, size(read)), set()) if read > 0 else set()
        if at not in told and len(rules) == 1:
            more[at] = next(iter(rules))
    return more


def size(read: float) -> int:
    """Bytes in steps of a few percent."""
    return round(math.log(max(read, 1.0)) / (THRESHOLDS.alike_caches / 3))


def _settled(launches: pl.DataFrame, told: dict[int, str], open_names: list[str]) -> pl.DataFrame:
    """Behaviour decides where the name is silent or open, and where it contradicts FC or attention."""
    said = pl.Series("behaviour", [told.get(row) for row in range(launches.height)], dtype=pl.String)
    frame = launches.with_columns(said).with_columns(
        says=pl.col("behaviour").replace_strict({MATRIX_RULE: "fc", CACHE_RULE: "attention"}, default=None).cast(ROLE)
    )
    role, source = pl.col("role").cast(pl.String), pl.col("role_source").cast(pl.String)
    unsure = role.is_null() | pl.col("role_rule").is_in(open_names) | source.is_in(["likely", "context"]) | role.is_in(WEAK)
    crossed = role.is_in(["fc", "attention"])
    free = ~source.is_in(["user", "nvtx"]).fill_null(False) & (unsure | crossed).fill_null(True)
    takes = pl.col("says").is_not_null() & free & (pl.col("says") != pl.col("role")).fill_null(True)
    return frame.with_columns(
        role=pl.when(takes).then("says").otherwise("role"),
        role_source=pl.when(takes).then(pl.lit("behaviour", dtype=SOURCE)).otherwise("role_source"),
        role_rule=pl.when(takes).then("behaviour").otherwise("role_rule"),
        family=pl.when(takes).then(pl.col("says").cast(pl.String).cast(FAMILY)).otherwise("family"),
    ).drop("behaviour", "says")
