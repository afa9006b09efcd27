"""Totals and tables per token -> sentences first, then where, then steps and layers, then doubts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import polars as pl

from ncu_roofline.analysis.run.cuts.ranges import ranges
from ncu_roofline.analysis.run.tokens import MEASURES, Totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.units import number, three
from ncu_roofline.present.documents.brief import of_study
from ncu_roofline.present.documents.grammar import capital, invented, options, sentence
from ncu_roofline.present.documents.words_notes import note
from ncu_roofline.present.documents.words_tokens import (
    against_floor,
    amount,
    checked,
    decides,
    each_gpu,
    experts,
    filtered,
    found,
    known_facts,
    mixed_data,
    mixed_steps,
    no_decode,
    over_all,
    per,
    per_rank,
    several_wholes,
    shares,
    speculated,
    stated_step,
    step_data,
)
from ncu_roofline.present.forms.columns import filled
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.short import MOST, brief, file_name

MOST_ROWS = 40
ALIKE = 1.02
"""Largest over smallest layer, up to which one sentence says it better than a row for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The finished tables of one answer, by what a row is; floor and projections only with a model."""

    main: pl.DataFrame
    by: str
    steps: pl.DataFrame
    layers: pl.DataFrame
    floor: pl.DataFrame | None = None
    projections: pl.DataFrame | None = None
    all_layers: float | None = None
    """DRAM bytes per token of the model with all its layers, where the steps of the capture hold some of them."""


def document(study: Study, whole: Totals, tables: Tables) -> Document:
    """The bytes of a token: how many, where, how that was found, and what cannot be trusted."""
    return Document(
        answer=tuple(sentences(study, whole, tables)),
        tables=tuple(shown_tables(study, whole, tables)),
        doubts=tuple(doubts(study, whole)),
        footer=tuple(footer(study, whole)),
        brief=partial(of_study, study),
        data=data(study, whole, tables),
    )


def sentences(study: Study, whole: Totals, tables: Tables) -> Iterator[str]:
    """Answer first."""
    if study.launches.height and not whole.launches:
        yield f"{capital(no_decode(study))} {stated_step(study, whole)}".strip()
        if beside := mixed_steps(study):
            yield beside
        return
    if study.phase == "prefill" and not whole.launches:
        yield from (
            s for s in ("Nothing tells of a pass of prompts alone: no bytes per prompt token.", mixed_steps(study)) if s
        )
        return
    if wholes := several_wholes(study, whole):
        yield f"{wholes} {stated_step(study, whole)}".strip()
        return
    yield f"{capital(per(study, whole))}{each_gpu(whole)}: {amount(study, whole)}{over_all(whole)}."
    where = f"{shares(tables.main)} {deciding(study, whole, tables)}".strip() if tables.by == "role" else ""
    said = (
        filtered(study),
        stated_step(study, whole),
        where,
        per_rank(study, whole),
        speculated(whole),
        mixed_steps(study),
        checked(study),
    )
    yield from (sentence for sentence in said if sentence)
    if tables.by == "role" and tables.layers.height > 1 and alike(tables.layers):
        yield f"Its {tables.layers.height} {repeated(study)}s are alike; --by layer lists them."
    if tables.all_layers is not None:
        held, every = study.run.layers_captured.value or (0, 0)
        yield f"With all {every} layers alike, not {held}, {three(tables.all_layers, 'byte')} would move per token."
    if tables.floor is not None:
        yield from against_floor(study, tables.floor)
    if tables.projections is not None:
        yield from experts(tables.projections)


def footer(study: Study, whole: Totals) -> Iterator[str]:
    """What the figures stand on, and every fact that is known."""
    counted = "" if study.launches.height and not whole.launches else f", {found(whole)}"
    yield f"From {file_name(study.capture.name)}{counted}. {known_facts(study)}"


def deciding(study: Study, whole: Totals, tables: Tables) -> str:
    """What more than half of the bytes of decode depends on."""
    return decides(study, tables.main) if whole.phase == "decode" and shares(tables.main) else ""


def shown_tables(study: Study, whole: Totals, tables: Tables) -> Iterator[Table]:
    """The table that was asked for, then steps, layers, floor and matrices where there are any."""
    unit = {"token": "per_token", "step": "per_step"}.get(whole.basis)
    if tables.main.height:
        main = named(study, tables.main) if tables.by == "kernel" else tables.main
        yield table(f"By {tables.by}", main, unit, keys(tables.by), repeated(study))
    if tables.by == "role":
        for name, rows in (("step", tables.steps), ("layer", tables.layers)):
            if rows.height > 1 and not (name == "layer" and alike(rows)):
                first = f", the first {MOST_ROWS} of {rows.height:,}" if rows.height > MOST_ROWS else ""
                yield table(f"By {name}{first}", rows.head(MOST_ROWS), unit if name == "layer" else None, [name], "layer")
    if tables.floor is not None and tables.floor["measured_bytes"].count():
        yield Table("Against the floor, one step", tables.floor, ("role", "measured_bytes", "floor_bytes", "over_floor"))
    if tables.projections is not None and tables.projections.height:
        columns = (
            "projection",
            "matrix_n",
            "matrix_k",
            "launches",
            "matrix_bytes",
            "read_amplification",
            "unexplained",
            "experts_read",
            "experts_expected",
        )
        shown = filled(tables.projections, columns, ("projection", "launches"))
        yield Table("By weight matrix", tables.projections, shown, spare=("unexplained", "matrix_bytes"))


def named(study: Study, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose kernels are called by the name that a reader knows, where all launches of a kernel agree on it."""
    names: dict[str, set[str]] = {}
    distinct = study.launches.lazy().select("kernel", "name").unique().collect(engine="streaming")  # copies no name
    for kernel, name in distinct.iter_rows():
        names.setdefault(kernel, set()).add(brief(kernel, name, MOST))
    known = {kernel: told.pop() for kernel, told in names.items() if len(told) == 1}
    return rows.with_columns(pl.col("kernel").replace(known))


def alike(layers: pl.DataFrame) -> bool:
    """Whether all layers have as many launches and move the same bytes, but for noise."""
    moved = layers["dram_bytes"] if layers["dram_bytes"].count() else layers["seconds"]
    low, high = moved.min(), moved.max()
    same = layers["launches"].n_unique() == 1 and not moved.null_count()
    return same and low is not None and float(high) <= ALIKE * float(low)  # type: ignore[arg-type]


def keys(by: str) -> list[str]:
    """The columns that name a row."""
    return {"kernel": ["kernel", "role"], "projection": ["projection", "matrix_n", "matrix_k"]}.get(by, [by])


def repeated(study: Study) -> str:
    """What repeats: a layer, which has matrices; launches without any are no layers of a model that anybody could tell."""
    matrices = pl.col("layer").is_not_null() & (pl.col("family").cast(pl.String) == "fc")
    return "layer" if study.launches.select(matrices.any()).item() else "repeat"


def table(title: str, rows: pl.DataFrame, unit: str | None, named: list[str], layer: str) -> Table:
    """Launches, then bytes, time and work in the unit of the basis, then their spread."""
    measures = [f"{m}_{unit}" if unit else m for m in MEASURES]
    spread = ["dram_bytes_low", "dram_bytes_median", "dram_bytes_high"]
    if not rows["dram_bytes"].count():
        spread = ["seconds_low", "seconds_median", "seconds_high"]
    over = rows["spread_over"].drop_nulls().unique().to_list()
    unit_words = f", {unit.replace('_', ' ')}" if unit else ""
    what = "DRAM" if spread[0].startswith("dram") else "time"
    each = {"layer": f"{layer} in one step" if unit else layer}.get(over[0], over[0]) if over else ""
    told = f"{title}{unit_words}{f' (low, median, high: {what} of a whole {each})' if each else ''}"
    columns = filled(rows, (*named, "launches", *measures, *spread), (*named, "launches"))
    spare = (*(c for c in columns if c.startswith(("dram_write", "dram_read", "flops", "useful"))), "launches")
    return Table(told, rows, columns, spare=spare)


def doubts(study: Study, whole: Totals) -> Iterator[str]:
    """What was not measured, and what was assumed."""
    yield from invented([study.run])
    yield from (sentence(options(note(found))) for found in study.notes)
    for measure, what in (("dram_bytes", "DRAM bytes are"), ("seconds", "time is")):
        missing = whole.unknown[measure]
        if 0 < missing < whole.launches:
            yield f"The {what} missing for {missing:,} of {whole.launches:,} launches: the sums are too small by theirs."
    if whole.gpus > 1 and study.run.tp.origin == "inferred" and "taken to share" in study.run.tp.evidence:
        yield (
            f"What the {whole.gpus} GPUs share is not known: they are taken to share one model (--tp {whole.gpus}); "
            "--tp 1 says that each runs its own."
        )
    if whole.layers_only:
        yield (
            f"Figures per step are {number(whole.scale)} times those of the layers in the window: other layers may differ, "
            "and embedding, LM head and sampling are left out."
        )
    if study.run.layers.value is None and study.run.model.value and whole.basis == "capture":
        yield f"{study.run.layers.evidence}."
    if whole.phase == "prefill" and whole.basis == "token" and ranges(study.launches).height < study.launches.height:
        yield "No range tells whether sequences decode beside these prompts: every row is taken for a token of a prompt."
    if study.run.prefill_passes.value and whole.launches and whole.phase == "decode":
        passes = study.run.prefill_passes.value
        noun = "1 prefill pass in the capture is" if passes == 1 else f"{passes:,} prefill passes in the capture are"
        yield f"{noun} left out of every figure."


def captured(study: Study, whole: Totals) -> dict[str, object]:
    """What the window holds, whether it counts or not."""
    every = study.every if study.every.height else study.launches
    known = every.select(pl.col("dram_bytes").sum(), n=pl.col("dram_bytes").count())
    return {
        "launches": every.height,
        "dram_bytes": known["dram_bytes"][0] if known["n"][0] else None,
        "layers": whole.layers,
        "launches_left_out": every.height - whole.launches,
    }


def rank_data(whole: Totals) -> dict[str, object] | None:
    """What each GPU of the capture moves over the launches that count; None of a single one."""
    found = whole.ranks
    if found is None:
        return None
    return {"number": found.number, "dram_bytes_low": found.low, "dram_bytes_high": found.high, "imbalance": found.imbalance}


def data(study: Study, whole: Totals, tables: Tables) -> dict[str, object]:
    """Everything for programs, base units."""
    total: dict[str, object] = {m: whole.sums[m] for m in MEASURES}
    total |= {f"{m}_per_step": whole.per_step(m) for m in MEASURES}
    total |= {f"{m}_per_token": whole.per_token(m) for m in MEASURES}
    total |= {"dram_bytes_per_token_over_all": whole.over_all("dram_bytes")}
    total |= {"dram_bytes_per_position": whole.per_position("dram_bytes")}
    total |= {"dram_bytes_per_token_all_layers": tables.all_layers}
    total |= {f"{m}_unknown": whole.unknown[m] for m in MEASURES}
    return {
        "capture": study.capture.name,
        "basis": whole.basis,
        "how": whole.how,
        "tokens": whole.tokens,
        "steps": whole.steps,
        "scale": whole.scale,
        "gpus": whole.gpus,
        "tp": whole.tp,
        "launches": whole.launches,
        "total": total,
        "step": step_data(study, whole),
        "captured": captured(study, whole),
        "ranks": rank_data(whole),
        "mixed": mixed_data(study),
        "run": study.run,
        "by": tables.by,
        "rows": tables.main,
        "by_step": tables.steps,
        "by_layer": tables.layers,
        "floor": tables.floor,
        "projections": tables.projections,
        "notes": list(doubts(study, whole)),
    }
