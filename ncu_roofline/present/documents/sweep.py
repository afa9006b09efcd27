"""A sweep as a document: how FC and attention go along it, where the ridge is crossed, bytes by role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.sides import per
from ncu_roofline.analysis.sweep.fits import PowerLaw
from ncu_roofline.analysis.sweep.sweep import Sweep
from ncu_roofline.capture.units import number, three
from ncu_roofline.present.documents.grammar import fact, invented
from ncu_roofline.present.forms.columns import percent
from ncu_roofline.present.forms.document import Document, Table

MOST_ROLES = 5
NAMES = {"fc": "FC", "attention": "attention", "other": "other kernels"}
MEASURES = {"dense": "useful", "useful": "useful", "executed": "executed"}


def document(sweep: Sweep) -> Document:
    """Everything there is to say of a sweep."""
    fits = {
        "fc": sweep.fc,
        "fc_slope": sweep.fc_slope,
        "fc_expected_slope": sweep.fc_expected,
        "fc_measure": sweep.fc_measure,
        "attention": sweep.attention,
        "crossover": sweep.crossover,
    }
    return Document(
        answer=tuple(answer(sweep)),
        tables=(main_table(sweep), role_table(sweep)),
        doubts=(*invented(sweep.runs), *doubts(sweep)),
        data={
            "along": sweep.along,
            "basis": sweep.basis,
            "beside": {name: list(values) for name, values in sweep.beside.items()},
            "dram_bytes_at_first_context": sweep.at_first_context,
            "fits": fits,
            "rows": sweep.rows,
            "roles": sweep.roles,
            "projections": sweep.projections,
        },
    )


def answer(sweep: Sweep) -> Iterator[str]:
    """Bytes first, then both families, then the crossing."""
    first, last = sweep.rows.row(0, named=True), sweep.rows.row(-1, named=True)
    if sweep.rows.height == 1:
        moved = "DRAM bytes were not measured"
        if first["bytes"] is not None:
            moved = f"{three(first['bytes'], 'byte')} of DRAM per {per(sweep.basis)}{of_what(sweep)}"
        yield f"One capture at {sweep.along} {place(first['along'])}: {moved}; a sweep needs two."
        return
    if sweep.rows["along"].n_unique() == 1:
        yield (
            f"{'Both' if sweep.rows.height == 2 else f'All {sweep.rows.height:,}'} captures stand at {sweep.along} "
            f"{place(first['along'])}: nothing is swept; "
            "name captures that differ in it, or state where each stands with --values."
        )
        return
    yield ends(sweep, first, last)
    yield from changes(sweep, first, last)
    if sweep.numeric:
        yield from families(sweep)
        yield from crossing(sweep)


def ends(sweep: Sweep, first: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """Bytes at both ends, and their factor."""
    span = f"From {sweep.along} {place(first['along'])} to {place(last['along'])}"
    if first["bytes"] is None or last["bytes"] is None:
        return f"{span}: DRAM bytes were not measured at both ends."
    one, other = sweep.common or (first["bytes"], last["bytes"])
    return (
        f"{three(one, 'byte')} to {three(other, 'byte')} per {per(sweep.basis)}{of_what(sweep)}, "
        f"from {sweep.along} {place(first['along'])} to {place(last['along'])}"
        f"{times(first['bytes'], last['bytes']) if sweep.basis in ('token', 'step') else ''}."
    )


def changes(sweep: Sweep, first: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[str]:
    """What else changes along the sweep, and the part of a changing context in the factor."""
    if sweep.beside:
        listed = "; ".join(
            f"{name.replace('_', ' ')} {', '.join(fact(v) for v in values)}" for name, values in sweep.beside.items()
        )
        yield f"Not {sweep.along} alone changes: {listed}."
    if sweep.at_first_context is not None and first["bytes"]:
        yield (
            f"With context {first['context']:,} at {sweep.along} {place(last['along'])} too it would be "
            f"{three(sweep.at_first_context, 'byte')}{times(first['bytes'], sweep.at_first_context)}."
        )


def of_what(sweep: Sweep) -> str:
    """That bytes are those of what each captured, where that is less than a step."""
    if sweep.common is not None:
        return " of what both ends captured"
    if sweep.basis != "part":
        return ""
    some = "" if sweep.windows == sweep.rows.height else ", here a whole step and there a part of one"
    return f" of what {'was' if sweep.rows.height == 1 else 'each'} captured{some}"


def place(value: object) -> str:
    """A place along the sweep."""
    return number(value) if isinstance(value, float) else str(value)


def times(first: float | None, last: float | None) -> str:
    """By which factor."""
    return f": a factor of {float(f'{first / last:.3g}'):g}" if first and last else ""


def families(sweep: Sweep) -> Iterator[str]:
    """How the intensities of FC and of attention go."""
    column = f"fc_{sweep.fc_measure}_intensity"
    if sweep.fc is not None:
        ends = sweep.rows[column].drop_nulls()
        against = ""
        if sweep.fc_slope is not None and sweep.fc_measure != "executed":
            law = f", {three(sweep.fc_expected)} by theory" if sweep.fc_expected else ""
            against = f": {three(sweep.fc_slope.value)} for each sequence{law}"
        way = f"{verb(sweep.fc)} {three(ends[0])} to {three(ends[-1])} {MEASURES[sweep.fc_measure]} FLOP/byte"
        yield f"FC {way}{against} ({exponent(sweep.fc)})."
    if sweep.attention is not None:
        useful = sweep.rows["attention_useful_intensity"].drop_nulls()
        known = useful if useful.len() else sweep.rows["attention_executed_intensity"].drop_nulls()
        kind = "useful" if useful.len() else "executed"
        low, high = float(known.min()), float(known.max())  # type: ignore[arg-type]
        between = f"{three(low)} to {three(high)}" if three(low) != three(high) else three(low)
        law = f", {three(sweep.attention_expected)} by theory" if sweep.attention_expected and kind == "useful" else ""
        yield f"Attention {verb(sweep.attention)} {between} {kind} FLOP/byte{law} ({exponent(sweep.attention)})."


def verb(fit: PowerLaw) -> str:
    """What a family does along the sweep."""
    return "stays at" if abs(fit.exponent) < 0.15 else "climbs from" if fit.exponent > 0 else "falls from"


def exponent(fit: PowerLaw) -> str:
    """The exponent of a curve, with its interval."""
    interval = ""
    if fit.exponent_low is not None and fit.exponent_high is not None:
        interval = f", {signless(fit.exponent_low)} to {signless(fit.exponent_high)}"
    return f"exponent {signless(fit.exponent)}{interval}"


def signless(value: float) -> str:
    """Two decimals; what rounds to nothing has no sign."""
    return f"{round(value, 2) + 0.0:.2f}"


def crossing(sweep: Sweep) -> Iterator[str]:
    """Where FC reaches its ridge."""
    cross = sweep.crossover
    if cross.share is None:
        return
    if cross.reached and cross.low is not None:
        between = f"{number(cross.low)} and {number(cross.high or 0)}"
        yield f"FC crosses its ridge between batch {between}, about {number(cross.estimate or 0)}."
    elif cross.reached:
        yield f"FC is beyond its ridge from the first capture on (batch {number(cross.high or 0)}): the crossing lies below."
    else:
        upper = " by executed work, an upper bound" if sweep.fc_measure == "executed" else ""
        guess = f", and would reach it at about {number(cross.estimate)}" if cross.estimate else ""
        stands = f"FC is at {percent(cross.share)} of it at batch {number(cross.low or 0)}"
        yield f"It stays left of the ridge: {stands}{upper}{guess}."


def main_table(sweep: Sweep) -> Table:
    """One row per capture, intensities of the measure that the fits stand on."""
    rows = sweep.rows.select(
        pl.col("along").map_elements(place, return_dtype=pl.String) if sweep.numeric else pl.col("along"),
        pl.col("bytes").alias("dram_bytes"),
        "fc_bytes",
        "attention_bytes",
        pl.col("cache_share").alias("cache_to_weights"),
        pl.col(f"fc_{sweep.fc_measure}_intensity").alias("fc_intensity"),
        pl.col(f"attention_{sweep.attention_measure}_intensity").alias("attention_intensity"),
        "ridge",
        "latency_share",
    )
    columns = (
        "along",
        "dram_bytes",
        "fc_bytes",
        "attention_bytes",
        "fc_intensity",
        "attention_intensity",
        "ridge",
        "latency_share",
    )
    return Table(f"Along {sweep.along}, bytes per {per(sweep.basis)}", rows, columns)


def role_table(sweep: Sweep) -> Table:
    """Bytes of the largest roles at every place."""
    largest = (
        sweep.roles.group_by("role", maintain_order=True)
        .agg(pl.col("bytes").max())
        .sort("bytes", descending=True, nulls_last=True, maintain_order=True)
        .head(MOST_ROLES)["role"]
    )
    wide = (
        sweep.roles.group_by("along", "role", maintain_order=True)
        .agg(pl.col("bytes").mean())
        .filter(pl.col("role").is_in(largest.implode()))
        .with_columns(
            pl.col("along").map_elements(place, return_dtype=pl.String),
            pl.col("bytes").map_elements(partial(three, unit="byte"), return_dtype=pl.String),
        )
        .pivot("along", index="role", values="bytes", sort_columns=False)
    )
    return Table(f"DRAM bytes per {per(sweep.basis)} by role, along {sweep.along}", wide, tuple(wide.columns))


def doubts(sweep: Sweep) -> Iterator[str]:
    """What the figures do not say."""
    executed = {name for name in ("fc", "attention") if sweep.rows[f"{name}_executed_intensity"].count()}
    if "fc" in executed and sweep.fc_measure == "executed":
        yield "FC stands on executed work, which counts whole tiles: --model, or --weights with the batch, shows useful work."
    if "attention" in executed and sweep.attention_measure == "executed":
        low, high = sweep.rows["attention_low"].min(), sweep.rows["attention_high"].max()
        bound = f" Its useful intensity lies between {number(low)} and {number(high)} FLOP/byte." if low and high else ""  # type: ignore[arg-type]
        yield f"Attention stands on executed work, which counts whole tiles: an upper bound.{bound}"
    if sweep.fc_measure == "dense" and sweep.experts:
        yield "Experts are not in the fit of FC: each batch reads others, so their intensity follows the routing."
    if sweep.apart:
        listed = " and ".join(NAMES[name] for name in sorted(sweep.apart, reverse=True))
        yield f"The captures hold other launches of {listed} each: such points are not of one line."
    if sweep.basis == "part":
        one = sweep.rows.height == 1
        every = "The captures" if sweep.windows == sweep.rows.height else f"{sweep.windows} of {sweep.rows.height:,} captures"
        part = f"{'The capture' if one else every} {'is a part' if sweep.windows == 1 else 'are parts'} of a step"
        share = "was captured" if one else "each captured, and windows may differ"
        yield f"{part}: bytes are a token's share of what {share}."
    elif sweep.basis != "token":
        yield f"Tokens are unknown: bytes are per {sweep.basis}."
    if sweep.fc is not None and sweep.fc.points < 3:
        yield "Two points make a line without an interval: capture a third."
    if sweep.rows["along"].n_unique() < sweep.rows.height:
        yield f"Several captures share one {sweep.along}: by role their mean is shown."
