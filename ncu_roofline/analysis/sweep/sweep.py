"""Many captures along batch, context, width or any label: one row each, fits, and where FC crosses its ridge."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import exp, log
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.comparability import alike
from ncu_roofline.analysis.compare.compare import aligned
from ncu_roofline.analysis.compare.sides import basis_of, footings, latency, side
from ncu_roofline.analysis.compare.windows import WINDOWS, held
from ncu_roofline.analysis.model.theory import theory
from ncu_roofline.analysis.model.types import stored
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import known_sum, ratio, total, weighted
from ncu_roofline.analysis.sweep.fits import PowerLaw, Slope, power_law, proportional
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import FAMILIES
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.verdicts import limit

Scaled = Sequence[tuple[Any, Study, pl.DataFrame]]
WIDTHS = {"width": "weights"}
"""Words for a fact that people use for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """The batch at which FC reaches its ridge: between two captures, or not reached."""

    low: float | None = None
    high: float | None = None
    estimate: float | None = None
    """Inside the interval where it was reached; else where the fit would reach it."""
    reached: bool = False
    share: float | None = None
    """Intensity of FC over its ridge at the largest batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Captures side by side."""

    along: str
    numeric: bool
    basis: str
    rows: pl.DataFrame
    """One row per capture, in order of `along`."""
    roles: pl.DataFrame
    """along, role, bytes per basis; null where none of the role's were measured."""
    projections: pl.DataFrame
    """along, projection, useful_intensity: weight matrices that the model's shapes tell."""
    fc: PowerLaw | None
    fc_slope: Slope | None
    fc_expected: float | None
    """2 / bytes per weight element: useful FLOPs per byte and sequence."""
    fc_measure: str
    """What the fits of FC stand on: dense (matrices read whole), useful, or executed."""
    attention: PowerLaw | None
    attention_expected: float | None
    """Where attention's law puts it, whatever the batch."""
    crossover: Crossover
    windows: int = 0
    """Captures that are less than a whole step."""
    beside: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Facts that change beside the one that is swept, with their value at every place."""
    at_first_context: float | None = None
    """Bytes of the last place at the context of the first: the cache's in proportion; null where the context stays."""
    experts: bool = False
    """Whether matrices of experts are among those that are not read whole."""
    runs: tuple[Run, ...] = ()
    apart: frozenset[str] = frozenset()
    """Families of which captures hold other launches each: parts that are not of one line."""
    common: tuple[float, float] | None = None
    """Bytes of the first and the last place by what both captured; null where they captured the same, or whole steps."""

    @property
    def attention_measure(self) -> str:
        """What the places of attention stand on: useful work where all of it is known, else executed."""
        return "executed" if self.rows["attention_useful_intensity"].null_count() else "useful"


def sweep(studies: Sequence[Study], along: str = "batch", values: Sequence[str] | None = None) -> Sweep:
    """The sweep over captures; raises UnusableInput where `along` is not known of one of them."""
    if not studies:
        raise UnusableInput("a sweep needs captures; none was named")
    places = labels(studies, along, values)
    basis = basis_of(studies)
    scaled = [(place, study, side([study], basis).launches) for place, study in zip(places, studies, strict=True)]
    numeric = all(isinstance(place, int | float) for place in places)
    rows = pl.DataFrame([row(*each) for each in scaled], infer_schema_length=None).sort("along", maintain_order=True)
    measure = next((m for m in ("dense", "useful") if rows[f"fc_{m}_intensity"].null_count() == 0), "executed")
    parts = unlike(in_order(rows, studies), basis)
    apart = parts.families - ({"fc"} if measure == "dense" else set())  # each matrix that is read whole is one and the same
    known = points(rows, f"fc_{measure}_intensity") if numeric and "fc" not in apart else []
    attending = points(rows, "attention_useful_intensity") or points(rows, "attention_executed_intensity")
    return Sweep(
        along=along,
        numeric=numeric,
        basis=basis,
        rows=rows,
        roles=by_role(scaled),
        projections=by_projection(scaled),
        fc=power_law(known),
        fc_slope=proportional(known) if along == "batch" else None,
        fc_measure=measure,
        fc_expected=expected(studies) if along == "batch" else None,
        attention=power_law(attending) if numeric and "attention" not in apart else None,
        apart=apart,
        common=parts.common,
        attention_expected=attention_expected(studies),
        runs=tuple(study.run for study in studies),
        beside=(changed := beside(rows, scaled, along)),
        at_first_context=at_first_context(rows) if "context" in changed else None,
        experts=any(study.launches["experts_read"].count() for study in studies),
        windows=sum("token" not in (found := footings(study)) or found["token"].scaled for study in studies),
        crossover=crossover(rows, measure, power_law(known)) if along == "batch" and numeric else Crossover(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What captures that are less than a step hold of each other."""

    families: frozenset[str] = frozenset()
    common: tuple[float, float] | None = None


def unlike(studies: Sequence[Study], basis: str) -> Parts:
    """The families of which captures hold other launches than the first; bytes at both ends by what both hold."""
    if basis not in WINDOWS or len(studies) < 2:
        return Parts()
    first, families = side(studies[:1], basis), set[str]()
    common: tuple[float, float] | None = None
    for study in studies[1:]:
        pairs, one, other = aligned(first, side([study], basis))
        both = held(one, other, pairs, basis)
        families |= {family for each in both for family in each.left_out["family"]}
        begin, end = (total(each.counted, "bytes") for each in both)
        common = None if begin is None or end is None else (begin, end)
    return Parts(families=frozenset(families), common=common if families else None)


BESIDE = ("batch", "context", "weights", "kv", "tp", "accepted", "layers", "model")
"""Facts that move bytes per token by themselves."""
SETTINGS = ("cache_control", "clock_control", "replay_mode")
"""Settings of the profiler under which the same step shows other bytes or another time."""


def in_order(rows: pl.DataFrame, studies: Sequence[Study]) -> list[Study]:
    """The captures in the order of their places."""
    order = {name: n for n, name in enumerate(rows["capture"])}
    return sorted(studies, key=lambda s: order[s.capture.name])


def beside(rows: pl.DataFrame, scaled: Scaled, along: str) -> dict[str, tuple[Any, ...]]:
    """Every fact of the runs, and the device, that changes from place to place and is not what is swept."""
    studies = in_order(rows, [study for _, study, _ in scaled])
    values = {name: tuple(getattr(s.run, name).value for s in studies) for name in (*BESIDE, *SETTINGS)}
    values["device"] = tuple(s.gpu.product if s.gpu else None for s in studies)
    return {name: each for name, each in values.items() if name != WIDTHS.get(along, along) and differ(name, each)}


def differ(name: str, values: tuple[Any, ...]) -> bool:
    """Whether two known values are apart; a context that bytes told may be off by a little."""
    known = [v for v in values if v is not None]
    return len(set(known)) > 1 and not alike(name, known)


def at_first_context(rows: pl.DataFrame) -> float | None:
    """What the last capture would move at the context of the first: the cache's bytes grow with it, nothing else does."""
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    if None in (first["context"], last["context"], last["bytes"], last["attention_bytes"]):
        return None
    return float(last["bytes"] + last["attention_bytes"] * (first["context"] / last["context"] - 1))


def labels(studies: Sequence[Study], along: str, values: Sequence[str] | None) -> list[Any]:
    """Where each capture stands: as stated, else by the run fact of that name, else by the capture's name."""
    if values is not None:
        if len(values) != len(studies):
            raise UnusableInput(f"`values=` names {len(values)} for a sweep of {len(studies)}; give one value for each capture")
        return [as_number(v) for v in values]
    fact = WIDTHS.get(along, along)
    if fact == "capture":
        return [s.capture.name for s in studies]
    if fact not in {f.name for f in fields(Run)}:
        raise UnusableInput(f"`along=` {along}: captures do not tell it; state it with `values=`, one value for each capture")
    found = [getattr(s.run, fact).value for s in studies]
    lost = [s.capture.name for s, v in zip(studies, found, strict=True) if v is None]
    if lost:
        raise UnusableInput(f"{', '.join(lost)}: {fact} is not known; state it with `values=`, one value for each capture")
    return [v if isinstance(v, int | float) else str(v) for v in found]


def as_number(text: str) -> float | str:
    """A number where the word is one."""
    return float(text) if re.fullmatch(r"\s*\d+(\.\d+)?\s*", text) else text.strip()


def row(place: Any, study: Study, launches: pl.DataFrame) -> dict[str, Any]:
    """One capture: totals per basis, intensities of both families, and how its time is limited."""
    families = {name: launches.filter(pl.col("family") == name) for name in FAMILIES}
    whole = {f"{name}_bytes": total(frame, "bytes") for name, frame in families.items()}
    fc, attention = families["fc"], families["attention"]
    return {
        "along": place,
        "capture": study.capture.name,
        "batch": study.run.batch.value,
        "context": study.run.context.value,
        "bytes": total(launches, "bytes"),
        "seconds": total(launches, "seconds"),
        "flops": total(launches, "flops"),
        **whole,
        "cache_share": part(whole["attention_bytes"], whole["fc_bytes"]),
        "fc_executed_intensity": intensity(fc, "flops"),
        "fc_useful_intensity": intensity(fc, "useful_flops"),
        "fc_dense_intensity": intensity(dense(study, fc), "useful_flops"),
        "attention_executed_intensity": intensity(attention, "flops"),
        "attention_useful_intensity": intensity(attention, "useful_flops"),
        **bounds(study),
        "ridge": weighted(fc, "ridge", "bytes"),
        "latency_share": launches.select(latency()).item(),
        "roof": roof(study),
        "bandwidth_share": weighted(launches, "bandwidth_share", "seconds"),
        "fc_seconds": total(fc, "seconds"),
        "attention_seconds": total(attention, "seconds"),
    }


def dense(study: Study, fc: pl.DataFrame) -> pl.DataFrame:
    """FC launches whose weight matrix is known and read whole: no experts, of which each batch reads others."""
    known = study.launches.filter(pl.col("projection").is_not_null() & pl.col("experts_read").is_null())
    return fc.filter(pl.col("index").is_in(known["index"].implode()))


def roof(study: Study) -> float | None:
    """Bandwidth of the device at the clocks of the capture, else the datasheet's, byte/s."""
    value = study.launches.select(pl.coalesce("bandwidth_at_clock", "bandwidth").max()).item()
    return None if value is None else float(value)


def bounds(study: Study) -> dict[str, float | None]:
    """Between what the useful intensity of attention must lie where only its cache type is known."""
    attention = study.launches.filter(pl.col("family").cast(pl.String) == "attention")
    ends = attention.select(
        attention_low=pl.col("useful_intensity_low").min(), attention_high=pl.col("useful_intensity_high").max()
    )
    return ends.row(0, named=True)


def intensity(launches: pl.DataFrame, work: str) -> float | None:
    """FLOPs over bytes of launches that have both; null where launches that did work lack it."""
    moving = launches.filter(pl.col("bytes").is_not_null())
    known = moving.filter(pl.col(work).is_not_null())
    unknown = moving.filter(pl.col(work).is_null() & (pl.col("flops").fill_null(1.0) > 0))
    if not known.height or float(unknown["bytes"].sum()) > limit("unknown_part") * float(moving["bytes"].sum()):
        return None
    value = known.select(ratio(pl.col(work).sum(), pl.col("bytes").sum())).item()
    return None if value is None else float(value)


def part(top: float | None, bottom: float | None) -> float | None:
    """top / bottom; null where either is not known."""
    return top / bottom if top is not None and bottom else None


def points(rows: pl.DataFrame, column: str) -> list[tuple[float, float]]:
    """(along, value) of captures that have both."""
    known = rows.filter(pl.col(column).is_not_null())
    return [(float(x), y) for x, y in known.select("along", column).iter_rows() if isinstance(x, int | float)]


def by_role(scaled: Scaled) -> pl.DataFrame:
    """Bytes of each role at each place, in the order of the places."""
    found = [
        launches.group_by("role", maintain_order=True)
        .agg(known_sum("bytes"))
        .select(pl.lit(place).alias("along"), "role", "bytes")
        for place, _, launches in scaled
    ]
    return pl.concat(found, how="vertical_relaxed").sort("along", "bytes", descending=[False, True], nulls_last=True)


def by_projection(scaled: Scaled) -> pl.DataFrame:
    """Useful intensity of each weight matrix at each place."""
    frames = [
        study.launches.filter(pl.col("projection").is_not_null() & (pl.col("useful_flops") > 0) & (pl.col("dram_bytes") > 0))
        .group_by("projection", maintain_order=True)
        .agg(useful_intensity=ratio(pl.col("useful_flops").sum(), pl.col("dram_bytes").sum()))
        .select(pl.lit(place).alias("along"), "projection", "useful_intensity")
        for place, study, _ in scaled
    ]
    return pl.concat(frames, how="vertical_relaxed").sort("projection", "along")


def expected(studies: Sequence[Study]) -> float | None:
    """2 / bytes per weight element, where all captures have one weight type; else null."""
    types = {stored(study.launches, study.run, "weights") for study in studies}
    only = types.pop() if len(types) == 1 else None
    return 2 / only.bytes if only else None


def attention_expected(studies: Sequence[Study]) -> float | None:
    """Attention's law with the model's query heads per KV head; null without a model, or where it differs."""
    laws = {t.intensity for s in studies if s.model for t in theory(s.launches, s.run, s.model) if t.family == "attention"}
    return laws.pop() if len(laws) == 1 and all(s.model for s in studies) else None


def crossover(rows: pl.DataFrame, measure: str, fit: PowerLaw | None) -> Crossover:
    """Between which batches FC reaches its ridge."""
    column = f"fc_{measure}_intensity"
    known = rows.filter(pl.col(column).is_not_null() & (pl.col("ridge") > 0)).select("along", pl.col(column) / pl.col("ridge"))
    shares = [(float(x), s) for x, s in known.iter_rows()]
    if not shares:
        return Crossover()
    above = next((n for n, (_, share) in enumerate(shares) if share >= 1), None)
    if above is None:
        last, share = shares[-1]
        # executed work counts whole tiles: it does not grow while they fill up, and tells nothing of what follows
        grows = fit is not None and fit.exponent > 0.1 and measure != "executed"
        estimate = last * share ** (-1 / fit.exponent) if fit is not None and grows else None
        return Crossover(low=last, estimate=estimate, share=share)
    if above == 0:
        return Crossover(high=shares[0][0], reached=True, share=shares[-1][1])
    (x, low), (y, high) = shares[above - 1], shares[above]
    inside = exp(log(x) + log(y / x) * (-log(low)) / (log(high) - log(low))) if high > low else y
    return Crossover(low=x, high=y, estimate=inside, reached=True, share=shares[-1][1])
