"""Totals and tables per token -> sentences first, then where, then steps and layers, then doubts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.finding import of_all, sentence
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.tokens import MEASURES, Totals
from ncu_roofline.capture.units import number, text
from ncu_roofline.present.brief import MOST, brief
from ncu_roofline.present.columns import percent
from ncu_roofline.present.document import Document, Table
from ncu_roofline.present.text import clean

SHOWN_FACTS = ("steps", "prefill_passes", "batch", "layers", "context", "accepted", "tp", "layers_captured")
MOST_ROWS = 40
LEAST_SHARE = 0.001
"""Shares of the whole below this are not named in a sentence."""
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


def document(study: Study, whole: Totals, tables: Tables) -> Document:
    """The bytes of a token: how many, where, how that was found, and what cannot be trusted."""
    return Document(
        answer=tuple(sentences(study, whole, tables)),
        tables=tuple(shown_tables(study, whole, tables)),
        doubts=tuple(doubts(study, whole)),
        data=data(study, whole, tables),
    )


def sentences(study: Study, whole: Totals, tables: Tables) -> Iterator[str]:
    """Answer first."""
    if study.launches.height and not whole.launches:
        yield f"{clean(study.capture.name)}: {no_decode(study)} {known_facts(study)}"
        return
    yield f"{clean(study.capture.name)}: {per(whole)}{each_gpu(whole)}, {amount(study, whole)}{over_all(whole)}."
    if tables.by == "role" and (where := shares(tables.main)):
        yield f"{where} {decides(study, tables.main)}".strip()
    yield f"It stands on {found(whole)}. {known_facts(study)}"
    if tables.by == "role" and tables.layers.height > 1 and alike(tables.layers):
        yield f"Its {tables.layers.height} layers are alike; --by layer lists them."
    if tables.floor is not None:
        yield from against_floor(study, tables.floor)
    if tables.projections is not None:
        yield from experts(tables.projections)


def no_decode(study: Study) -> str:
    """Why a capture of prefill says nothing of the bytes of a token."""
    number = study.launches.height
    return (
        f"{of_all(number, study)} {'is' if number == 1 else 'are'} prefill, where the tokens of a prompt share every read of "
        "the weights: bytes per token of decode are not in this capture."
    )


def amount(study: Study, whole: Totals) -> str:
    """Bytes, time and work in the unit of the basis."""
    value = {"token": whole.per_token, "step": whole.per_step}.get(whole.basis, whole.sums.__getitem__)
    done = [f"{text(value('seconds'), 's')} of kernel time"] if value("seconds") is not None else []
    if (flops := value("flops")) is not None:
        done.append(f"{'at least ' * whole.flops_least}{text(flops, 'FLOP')} executed")
    if (useful := value("useful_flops")) is not None:
        done.append(f"{text(useful, 'FLOP')} useful (where known)")
    return ", ".join([moved(study, whole), *done])


def moved(study: Study, whole: Totals) -> str:
    """Bytes in the unit of the basis; where these launches have none, whether others of the capture do."""
    value = {"token": whole.per_token, "step": whole.per_step}.get(whole.basis, whole.sums.__getitem__)
    total, read, written = value("dram_bytes"), value("dram_read_bytes"), value("dram_write_bytes")
    if total is None:
        return "DRAM bytes were not measured" + " for these launches" * (study.launches["dram_bytes"].count() > 0)
    if (study.launches["dram_bytes_source"] == "l2_miss").any():
        return f"{text(total, 'byte')} missed in L2"
    parts = f" ({text(read, 'byte')} read, {text(written, 'byte')} written)" if None not in (read, written) else ""
    return f"{text(total, 'byte')} to and from DRAM{parts}"


def per(whole: Totals) -> str:
    """The unit in words."""
    return {"token": "per token", "step": "per decode step (tokens unknown)"}.get(
        whole.basis, "in the whole capture (steps and tokens unknown)"
    )


def each_gpu(whole: Totals) -> str:
    """That the figures are one GPU's share, where several hold the model."""
    return "" if max(whole.tp, whole.gpus) == 1 or whole.basis == "capture" else " on one GPU"


def over_all(whole: Totals) -> str:
    """The bytes over all GPUs, where several hold the model."""
    everything = whole.over_all("dram_bytes")
    if not each_gpu(whole) or everything is None or whole.tp == 1:
        return ""
    return f"; over all {whole.tp} GPUs {text(everything, 'byte')}"


def shares(roles: pl.DataFrame) -> str:
    """The three roles that move most (or take longest)."""
    column, what = ("dram_bytes", "of the bytes") if roles["dram_bytes"].count() else ("seconds", "of the time")
    whole = roles[column].sum()
    if not whole:
        return ""
    named = roles.drop_nulls(column).sort(column, descending=True).head(3).filter(pl.col(column) / whole >= LEAST_SHARE)
    parts = [f"{row['role'] or 'unclassified'} {percent(row[column] / whole)}" for row in named.iter_rows(named=True)]
    return f"Where: {', '.join(parts)} {what}."


DECIDING = {
    "fc": "Weights decide: they are read once a step{shared}, so fewer weight bytes or a larger batch cut it",
    "attention": "The KV cache decides: it is read once per sequence, so only fewer or narrower cached values cut it",
}


def decides(study: Study, roles: pl.DataFrame) -> str:
    """What more than half of the bytes depends on."""
    known = roles.drop_nulls("dram_bytes").sort("dram_bytes", descending=True)
    if known.is_empty() or 2 * known["dram_bytes"][0] <= known["dram_bytes"].sum():
        return ""
    batch = study.run.batch.value
    shared = f" for all {batch} sequences" if batch and batch > 1 else ""
    sentence = DECIDING.get(str(known["role"][0]), "")
    return f"{sentence.format(shared=shared)}." if sentence else ""


def found(whole: Totals) -> str:
    """How many launches, steps and tokens are behind the figures."""
    noun = f"launch{'es' if whole.launches != 1 else ''}"
    if whole.basis == "capture":
        return f"{whole.launches:,} {noun}: {whole.how}; --steps, --tokens or --layers-captured would say more"
    launches = f"{whole.launches:,} decode {noun}"
    if whole.tokens is None:
        return f"{launches}, {whole.how}; --batch would give tokens"
    return f"{launches}, {whole.how}, {number(whole.tokens)} token{'s' if whole.tokens != 1 else ''}"


def known_facts(study: Study) -> str:
    """Every fact with where it came from."""
    told = []
    for name in SHOWN_FACTS:
        fact = getattr(study.run, name)
        if fact.value is not None:
            if name == "prefill_passes" and not fact.value:
                continue
            value = "/".join(map(str, fact.value)) if isinstance(fact.value, tuple) else f"{fact.value:,}"
            why = f": {fact.evidence}" if fact.evidence and fact.origin == "inferred" else ""
            told.append(f"{name.replace('_', ' ')} {value} ({fact.origin}{why})")
    return f"Known: {'; '.join(told)}." if told else "Nothing is known of steps, batch or the number of layers."


LEAST_OVER_FLOOR = 0.9
"""Caches between kernels explain a little less than the floor, not more."""
LESS = {
    "fc": "the weights are narrower than the model's own type (--weights)",
    "attention": "the cache is narrower (--kv) or the context shorter than stated",
}


def against_floor(study: Study, floor: pl.DataFrame) -> Iterator[str]:
    """Measured over least bytes per family."""
    for row in floor.iter_rows(named=True):
        if row["over_floor"] is not None:
            yield (
                f"{row['role']} moves {text(row['measured_bytes'], 'byte')} per step, {row['over_floor']:.2f} times "
                f"the {text(row['floor_bytes'], 'byte')} of the floor of {clean(str(study.run.model.value))}."
            )
            if row["over_floor"] < LEAST_OVER_FLOOR:
                yield f"No run can move so little: {LESS[row['role']]}, or a part of it was not captured."
        elif row["measured_bytes"] and study.run.context.origin == "inferred":
            yield f"The floor of {row['role']} needs --context: the one above was told by these bytes."


def experts(projections: pl.DataFrame) -> Iterator[str]:
    """Distinct experts per layer, beside what even routing would hit."""
    told = projections.drop_nulls(["experts_read", "experts_expected"])
    if told.height:
        read, expected = told["experts_read"][0], told["experts_expected"][0]
        yield f"{number(read)} distinct experts are read per layer; {number(expected)} are expected if routing is even."


def shown_tables(study: Study, whole: Totals, tables: Tables) -> Iterator[Table]:
    """The table that was asked for, then steps, layers, floor and matrices where there are any."""
    unit = {"token": "per_token", "step": "per_step"}.get(whole.basis)
    if tables.main.height:
        main = named(study, tables.main) if tables.by == "kernel" else tables.main
        yield table(f"By {tables.by}", main, unit, keys(tables.by))
    if tables.by == "role":
        for name, rows in (("step", tables.steps), ("layer", tables.layers)):
            if rows.height > 1 and not (name == "layer" and alike(rows)):
                first = f", the first {MOST_ROWS} of {rows.height:,}" if rows.height > MOST_ROWS else ""
                yield table(f"By {name}{first}", rows.head(MOST_ROWS), unit if name == "layer" else None, [name])
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
    for kernel, name in study.launches.select("kernel", "name").unique().iter_rows():
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


def table(title: str, rows: pl.DataFrame, unit: str | None, named: list[str]) -> Table:
    """Launches, then bytes, time and work in the unit of the basis, then their spread."""
    measures = [f"{m}_{unit}" if unit else m for m in MEASURES]
    spread = ["dram_bytes_low", "dram_bytes_median", "dram_bytes_high"]
    if not rows["dram_bytes"].count():
        spread = ["seconds_low", "seconds_median", "seconds_high"]
    over = rows["spread_over"].drop_nulls().unique().to_list()
    unit_words = f", {unit.replace('_', ' ')}" if unit else ""
    what = "DRAM" if spread[0].startswith("dram") else "time"
    told = f"{title}{unit_words}{f' (low, median, high: {what} of a whole {over[0]})' if over else ''}"
    columns = filled(rows, (*named, "launches", *measures, *spread), (*named, "launches"))
    spare = (*(c for c in columns if c.startswith(("dram_write", "dram_read", "flops", "useful"))), "launches")
    return Table(told, rows, columns, spare=spare)


def filled(rows: pl.DataFrame, names: tuple[str, ...], always: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that hold anything."""
    return tuple(n for n in names if n in rows.columns and (n in always or rows[n].count()))


def doubts(study: Study, whole: Totals) -> Iterator[str]:
    """What was not measured, and what was assumed."""
    yield from map(sentence, study.notes)
    for measure, what in (("dram_bytes", "DRAM bytes are"), ("seconds", "time is")):
        missing = whole.unknown[measure]
        if 0 < missing < whole.launches:
            yield f"The {what} missing for {missing:,} of {whole.launches:,} launches: the sums are too small by theirs."
    if whole.gpus > 1 and study.run.tp.value is None:
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
    if study.run.prefill_passes.value and whole.launches:
        passes = study.run.prefill_passes.value
        noun = "1 prefill pass in the capture is" if passes == 1 else f"{passes:,} prefill passes in the capture are"
        yield f"{noun} left out of every figure."


def data(study: Study, whole: Totals, tables: Tables) -> dict[str, object]:
    """Everything for programs, base units."""
    total: dict[str, object] = {m: whole.sums[m] for m in MEASURES}
    total |= {f"{m}_per_step": whole.per_step(m) for m in MEASURES}
    total |= {f"{m}_per_token": whole.per_token(m) for m in MEASURES}
    total |= {"dram_bytes_per_token_over_all": whole.over_all("dram_bytes")}
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
        "run": study.run,
        "by": tables.by,
        "rows": tables.main,
        "by_step": tables.steps,
        "by_layer": tables.layers,
        "floor": tables.floor,
        "projections": tables.projections,
        "notes": list(doubts(study, whole)),
    }
