"""Overview and health -> the summary: sentences, the table by kernel, the doubts."""

from __future__ import annotations

import json as plain_json
import textwrap
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl

from ncu_roofline.analysis.health.health import BLOCKS, Finding
from ncu_roofline.analysis.roofline.gains import GLUE, fix_first
from ncu_roofline.analysis.roofline.overview import Overview
from ncu_roofline.analysis.run.tokens import Totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.sums import known_sum
from ncu_roofline.capture.units import counted, three
from ncu_roofline.capture.units import text as quantity
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.present.documents import answer as words
from ncu_roofline.present.documents import brief, words_gain, words_health
from ncu_roofline.present.documents.grammar import capital
from ncu_roofline.present.documents.words_health import doubt
from ncu_roofline.present.documents.words_tokens import (
    amount,
    filtered,
    found,
    held,
    no_decode,
    per,
    several_wholes,
    stated_step,
    step_data,
    time_of,
)
from ncu_roofline.present.forms.columns import filled, percent
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.json import plain
from ncu_roofline.present.forms.short import called, file_name, grids_tell
from ncu_roofline.present.forms.text import clean

SHOWN = (
    "kernel",
    "role",
    "launches",
    "time_share",
    "bytes_share",
    "dram_bytes",
    "useful_intensity",
    "intensity",
    "bandwidth_share",
    "limited_by",
)
SPARE = ("launches", "dram_bytes", "intensity", "bytes_share", "role", "bandwidth_share")
BY_ROLE = ("role", "launches", "seconds", "time_share", "dram_bytes", "bytes_share")
IN_JSON = (
    "kernel",
    "grid",
    "block",
    "launches",
    "role",
    "seconds",
    "time_share",
    "dram_bytes",
    "dram_bytes_source",
    "bytes_share",
    "flops",
    "flops_source",
    "flops_complete",
    "precision",
    "intensity",
    "useful_intensity",
    "ridge",
    "bound",
    "bound_source",
    "bandwidth_share",
    "compute_share",
    "limited_by",
    "suspect",
)
JSON_BYTES = 7900
LONGEST = 160


def document(
    study: Study,
    numbers: Overview,
    groups: pl.DataFrame,
    findings: Sequence[Finding],
    *,
    top: int = 10,
    whole: Totals | None = None,
) -> Document:
    """What one capture says, answer first."""
    first = headline(study, whole) if whole else ""
    answer = [sentence for sentence in (device(study, numbers), first, where(numbers), meaning(numbers)) if sentence]
    rest = groups.height - top
    title = "By kernel and launch shape, longest first" + (f" ({rest:,} more: kernels --by kernel)" if rest > 0 else "")
    longest = called(groups.head(top))
    columns = filled(longest, SHOWN, ("kernel", "role", "launches"))
    if grids_tell(longest):
        columns = ("kernel", "grid", *columns[1:])
    return Document(
        answer=tuple(answer),
        tables=(
            Table(
                "By role",
                numbers.roles,
                filled(numbers.roles, BY_ROLE, ("role", "launches")),
                spare=("launches", "dram_bytes", "seconds"),
            ),
            Table(title, longest, columns, spare=SPARE),
        ),
        doubts=tuple(doubt(f) for f in findings),
        data=data(study, numbers, groups, findings),
    )


def headline(study: Study, whole: Totals) -> str:
    """Bytes, time and work per token with what they stand on; nothing where nothing was measured."""
    if study.launches.height and not whole.launches:
        return capital(no_decode(study))
    if whole.sums["dram_bytes"] is None and whole.sums["seconds"] is None:
        return ""
    if whole.basis == "capture":
        sums = f"Neither steps nor tokens are known here, so these are the sums of {held(study, whole)}"
        return several_wholes(study, whole) or f"{sums}: state --steps, --tokens or --layers-captured."
    batch = study.run.batch
    known = f", batch {batch.value} ({batch.origin})" if batch.value is not None else ""
    told = f"{per(study, whole).capitalize()}: {amount(study, whole)}; from {found(whole)}{known}."
    return f"{told} {stated_step(study, whole)}".strip()


LINE = 78
"""Characters of a doubt that fits one line of a terminal."""
LEAST = 0.01
"""Share of time or bytes below which a role is folded with the others."""
MOST_DOUBTS, MOST_ROLES = 3, 3


def short(
    study: Study, numbers: Overview, groups: pl.DataFrame, findings: Sequence[Finding], whole: Totals, *, most: int = 3
) -> Document:
    """What a person has to know, in a screen: the answer, roles, what to fix first, a line per doubt."""
    first = fix_first(groups, most)
    doubted = [one_line(f) for f in findings if f.code != "synthetic"]  # the answer says so
    told = [*filter(None, [filtered(study)]), *doubted]
    room = MOST_DOUBTS if len(told) <= MOST_DOUBTS else MOST_DOUBTS - 1
    more = len(told) - room
    return Document(
        answer=words.answer(study, numbers, whole, first),
        tables=(*role_table(numbers.roles), *fix_table(first)),
        doubts=(*told[:room], *([f"{more} more with --full"] if more > 0 else [])),
        footer=(basis(study, numbers, whole),),
        data=data(study, numbers, groups, findings, whole),
        brief=partial(brief.of_capture, study, numbers, groups, findings, whole),
    )


def one_line(finding: Finding) -> str:
    """A doubt in a line; what blocks an answer with its remedy."""
    if finding.severity == BLOCKS:
        return doubt(finding)
    return textwrap.shorten(words_health.short(finding), LINE, placeholder=" …")


def role_table(roles: pl.DataFrame) -> Iterator[Table]:
    """FC, attention and what else is worth a row; the others as one."""
    part = pl.max_horizontal(pl.col("time_share", "bytes_share").fill_null(0))
    rows = roles.with_columns(pl.col("role").cast(pl.String).fill_null("unclassified"), worth=part)
    main = pl.col("role").is_in(["fc", "attention"])
    large = rows.filter(pl.col("worth") >= LEAST).sort(main, "worth", descending=True).head(MOST_ROLES)
    small = rows.join(large, on="role", how="anti", maintain_order="left")
    if small.height > 1:
        shares = ("seconds", "time_share", "dram_bytes", "bytes_share")
        total = small.select(
            pl.lit(f"{small.height} more").alias("role"), pl.col("launches").sum(), *(known_sum(c) for c in shares)
        )
        large = pl.concat([large.select(total.columns), total], how="vertical_relaxed")
    elif small.height:
        large = pl.concat([large, small])
    if large.height:
        yield Table("", large, filled(large, BY_ROLE, ("role", "launches")), spare=("dram_bytes", "seconds"))


def fix_table(first: pl.DataFrame) -> Iterator[Table]:
    """What to fix first."""
    if first.is_empty():
        return
    names = [words.fix_name(r) for r in first.to_dicts()]
    rows = first.with_columns(
        pl.Series("kernel", names, dtype=pl.String), pl.Series("why", [reason(r) for r in first.to_dicts()], dtype=pl.String)
    )
    columns = ("kernel", "grid", "time_share", "gain_seconds", "why")
    yield Table("Fix first", rows, filled(rows, columns, ("kernel", "why")), spare=("grid", "why", "gain_seconds"))


def reason(row: dict[str, Any]) -> str | None:
    """What keeps a kernel above its ceiling; of many small ones what helps."""
    return "launch cost: graph or fusion" if row["why"] == GLUE else words_gain.why(row)


def basis(study: Study, numbers: Overview, whole: Totals) -> str:
    """What the answer stands on."""
    name = study.gpu.product if study.gpu else study.capture.device.name
    on = f" on {clean(name)}" if name else ""
    batch = study.run.batch
    known = f", batch {batch.value:,} ({batch.origin})" if batch.value is not None else ""
    if batch.value is None and batch.low is not None and batch.high is not None:
        known = f", batch {batch.low:,.0f} to {batch.high:,.0f}"
    shown = counted(numbers.launches, "launch")
    if study.every.height > study.launches.height:
        shown = f"{numbers.launches:,} of {counted(study.every.height, 'launch')}"
    seconds = whole.per_token("seconds") if whole.basis == "token" else whole.sums["seconds"]
    per = " per token" if whole.basis == "token" else ""
    took = f", {three(seconds, 's')} of {time_of(whole)}{per}" if seconds is not None else ""
    how = "" if whole.basis == "capture" else f": {whole.how}"
    return f"From {shown} in {file_name(study.capture.name)}{on}{how}{known}{took}."


def device(study: Study, numbers: Overview) -> str:
    """What was captured, on what, how much."""
    synthetic = "SYNTHETIC capture, not measured. " if study.run.synthetic.value else ""
    name = study.gpu.product if study.gpu else study.capture.device.name
    on = f" on {clean(name)}" if name else ""
    amounts = [time(numbers), dram(study, numbers), executed(numbers)]
    held = f"{counted(numbers.launches, 'launch')} of {counted(numbers.kernels, 'kernel')}"
    return f"{synthetic}{clean(study.capture.name)}: {held}{on}; {', '.join(amounts)}.{ridge(numbers)}"


def executed(numbers: Overview) -> str:
    """The work, in operations where it is integer, as a lower bound where not every kind was counted."""
    if numbers.flops is None:
        return "FLOPs unknown"
    if not numbers.flops and numbers.flops_partial:
        return "no FLOPs among the kinds of work that were counted"
    least = "at least " if numbers.flops_partial or numbers.flops_known < numbers.launches else ""
    return f"{least}{quantity(numbers.flops, operations(numbers))} executed"


def operations(numbers: Overview) -> str:
    """FLOP, or OP where most work is integer."""
    return "OP" if (numbers.main_path or "").startswith("int") else "FLOP"


def time(numbers: Overview) -> str:
    """Time, and for how many launches it is known where not for all."""
    if numbers.seconds is None:
        return "time unknown"
    return quantity(numbers.seconds, "s") + known_for(numbers.seconds_known, numbers.launches)


def known_for(known: int, number: int) -> str:
    """Of how many launches a sum is, where not of all."""
    return "" if known == number else f" (known for {counted(known, 'launch')})"


def dram(study: Study, numbers: Overview) -> str:
    """Bytes, and for how many launches they are known where not for all."""
    if numbers.dram_bytes is None:
        return "DRAM bytes unknown"
    part = known_for(numbers.bytes_known, numbers.launches)
    missed = (study.launches["dram_bytes_source"] == "l2_miss").any()
    return f"{quantity(numbers.dram_bytes, 'byte')} {'missed in L2' if missed else 'to and from DRAM'}{part}"


def ridge(numbers: Overview) -> str:
    """Both ridges of the precision that most work is done in."""
    if numbers.main_path is None or numbers.ridge_spec is None:
        return ""
    profiled = numbers.ridge_profiled
    clocks = f", {quantity(profiled)} at the clocks of the capture" if profiled is not None else ""
    precision = numbers.main_path.split("_")[0]
    return f" Ridge for {precision}: {quantity(numbers.ridge_spec)} {operations(numbers)}/B by datasheet{clocks}."


def where(numbers: Overview) -> str:
    """Where the time and the bytes go."""
    if numbers.seconds is None and numbers.dram_bytes is None:
        return ""
    parts = []
    for row in numbers.families.sort("seconds", descending=True, nulls_last=True).iter_rows(named=True):
        both = (("time_share", "time"), ("bytes_share", "bytes"))
        shares = [f"{percent(row[column])} of the {what}" for column, what in both if row[column] is not None]
        parts.append(f"{NAMES[row['family']]} {' and '.join(shares) or 'not measured'}")
    return f"Where it goes: {'; '.join(parts)}."


NAMES = {
    "fc": "FC (weight matrices)",
    "attention": "attention",
    "kv-cache": "writing the KV cache",
    "other": "everything else",
    "unclassified": "unclassified kernels",
}


def meaning(numbers: Overview) -> str:
    """What that says about decode speed."""
    sentences = []
    if (memory := numbers.memory_bytes_share) is not None:
        sentences.append(side(memory, numbers))
    if (latency := numbers.latency_time_share) is not None and latency > 0:
        sentences.append(idle(latency, numbers.limit_known_time_share or 0))
    if (reached := numbers.bandwidth_share) is not None:
        sentences.append(f"Over all, {percent(reached)} of the DRAM peak is reached.")
    return " ".join(sentences)


def side(memory: float, numbers: Overview) -> str:
    """How much is moved left of the ridge; no conclusion where the side of most bytes is unknown."""
    known = numbers.side_known_bytes_share or 0
    if known < 0.5:
        return f"The side of the ridge is known for {percent(known)} of the bytes only: too little to conclude from."
    whole = "the bytes" if known > 0.995 else f"the bytes whose side is known ({percent(known)})"
    moved = f"{percent(memory)} of {whole} are" if memory else f"None of {whole} are"
    return f"{moved} moved left of the ridge{consequence(memory, numbers.partial_bytes_share or 0)}."


def idle(latency: float, known: float) -> str:
    """How much time is spent near neither roof."""
    if known < 0.5:
        return f"What limits a kernel is known for {percent(known)} of the time only."
    time = "the time" if known > 0.995 else f"the time whose limit is known ({percent(known)})"
    near = "goes to kernels too small for either roof, which no saving of bytes or FLOPs touches"
    return f"{percent(latency)} of {time} {near}."


def consequence(memory: float, partial: float) -> str:
    """What follows from the side, and how sure it is where a main kind of work was not counted."""
    if partial > 0.5:
        return f", {percent(partial)} of them by a partial count of the work: the side is not certain"
    part = f" ({percent(partial)} of them by a partial count of the work)" if partial > 0.005 else ""
    return f"{part}: {verdict(memory)}"


def verdict(memory: float) -> str:
    """The master filter in words; 30 % of the bytes beyond the ridge leave the regime."""
    if memory >= THRESHOLDS.memory_regime:
        return "fewer bytes, not fewer FLOPs, make it faster"
    if memory < 0.005:
        return "beyond it bytes do not decide"
    return "a large part is compute-bound, so bytes alone do not decide"


def data(
    study: Study, numbers: Overview, groups: pl.DataFrame, findings: Sequence[Finding], tokens: Totals | None = None
) -> dict[str, object]:
    """The summary for programs, small whatever the capture: rows give way first."""
    total = {
        n: getattr(numbers, n)
        for n in (
            "launches",
            "kernels",
            "seconds",
            "dram_bytes",
            "flops",
            "memory_bytes_share",
            "latency_time_share",
            "bandwidth_share",
            "ridge_spec",
            "ridge_profiled",
        )
    }
    notes = [doubt(f)[:LONGEST] for f in sorted(findings, key=lambda f: f.severity != BLOCKS)]
    rows = groups.select(IN_JSON).with_columns(pl.col("kernel").str.slice(0, 80))
    whole: dict[str, Any] = {
        "capture": study.capture.name[:LONGEST],
        "total": total,
        "families": numbers.families,
        "rows": rows.head(8),
        "rows_total": groups.height,
        "run": study.run.known(),
        "device": device_data(study),
        "notes": notes[:12],
    }
    if tokens is not None:
        whole["headline"] = list(words.answer(study, numbers, tokens, fix_first(groups)))
        whole["per_token"] = brief.per_token(study, tokens)
        whole["step"] = step_data(study, tokens)
    while len(plain_json.dumps(plain(whole), indent=1)) > JSON_BYTES and whole["rows"].height:
        whole["rows"] = whole["rows"].head(whole["rows"].height - 1)
    return whole


def device_data(study: Study) -> dict[str, object]:
    """The device for programs: what the report says, and which entry of the table it is."""
    gpu, told = study.gpu, study.capture.device
    return {
        "name": told.name,
        "gpu": gpu.name if gpu else None,
        "product": gpu.product if gpu else None,
        "compute_capability": told.compute_capability or (gpu.compute_capability if gpu else None),
        "sms": told.sms or (gpu.sms if gpu else None),
        "bandwidth": gpu.bandwidth if gpu else None,
        "ridge_spec": dict(gpu.ridges()) if gpu else None,
    }
