"""The sentences about the bytes of a token: how many, where they go, what decides, against the floor."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ncu_roofline.analysis.run.clock import clocked
from ncu_roofline.analysis.run.context import by_bytes_alone
from ncu_roofline.analysis.run.files import beside
from ncu_roofline.analysis.run.mixed import Mixed, mixed
from ncu_roofline.analysis.run.tokens import Totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.schema import whole_result
from ncu_roofline.capture.units import counted, number, three
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.present.documents.grammar import fact as value_of
from ncu_roofline.present.documents.grammar import of_all, unsaid
from ncu_roofline.present.forms.columns import percent
from ncu_roofline.present.forms.text import clean, shorten

SHOWN_FACTS = ("steps", "prefill_passes", "batch", "layers", "context", "accepted", "tp", "ep", "layers_captured")
LEAST_SHARE = 0.001
"""Shares of the whole below this are not named in a sentence."""


def no_decode(study: Study) -> str:
    """Why a capture of prompts, or of steps that carry pieces of them, says nothing of the bytes of a token."""
    number = study.launches.height
    known = study.launches["dram_bytes"].drop_nulls()
    moved = f" ({three(float(known.sum()), 'byte')})" if known.len() == number else ""
    are = f"{of_all(number, number)} {'is' if number == 1 else 'are'}"
    if (study.launches["phase"].cast(pl.String) == "mixed").any():
        return (
            f"{are} of steps with prompt tokens in them{moved}, which read for these too: no bytes per token of decode alone."
        )
    return f"{are} prefill{moved}, where the tokens of a prompt share what is read: no bytes per token of decode."


def mixed_steps(study: Study) -> str:
    """What mixed steps move, for whom it can be told, and what a token of theirs costs; nothing where there are none."""
    found = mixed(study.every, study.run)
    if found is None:
        return ""
    named = f"{counted(found.steps, 'mixed step')}{rows_of(found)}"
    one = found.steps == 1
    if found.dram_bytes is None:
        return f"{named} {'is' if one else 'are'} left out; bytes of {'it' if one else 'them'} are missing."
    apart = (("the attention of rows that decode", found.decode_bytes), ("that of prompts", found.prompt_bytes))
    known = [f"{three(value, 'byte')} for {name}" for name, value in apart if value is not None]
    rest = f": {', '.join(known)}, the rest for both" if known else ", and nothing tells for whom"
    return f"{named} {'moves' if one else 'move'} {three(found.dram_bytes, 'byte')}{rest}.{cost(found)}"


def rows_of(found: Mixed) -> str:
    """Who takes part in mixed steps, in brackets; nothing where nothing tells."""
    rows, tokens = found.sequences, found.prompt_tokens
    told = [f"{counted(rows, 'row')} that decode{'s' * (rows == 1)}"] if rows is not None else []
    told += [counted(tokens, "prompt token")] if tokens is not None else []
    return f" ({', '.join(told)})" if told else ""


def cost(found: Mixed) -> str:
    """Between what a token of mixed steps costs, as a sentence; nothing where the tokens are not known."""
    if found.high is None:
        return ""
    least = "at most" if found.low is None else f"{three(found.low, 'byte')} (its own attention) to"
    return f" A token of theirs costs {least} {three(found.high, 'byte')}."


def mixed_data(study: Study) -> dict[str, object] | None:
    """The mixed steps for programs; null where there are none."""
    found = mixed(study.every, study.run)
    if found is None:
        return None
    return {
        "steps": found.steps,
        "sequences": found.sequences,
        "prompt_tokens": found.prompt_tokens,
        "dram_bytes": found.dram_bytes,
        "decode_attention_bytes": found.decode_bytes,
        "prompt_attention_bytes": found.prompt_bytes,
        "shared_bytes": found.shared_bytes,
        "dram_bytes_per_token_low": found.low,
        "dram_bytes_per_token_high": found.high,
    }


def amount(study: Study, whole: Totals) -> str:
    """Bytes, time and work in the unit of the basis."""
    seconds = whole.per_basis("seconds")
    done = [f"{three(seconds, 's')} of {time_of(whole)}"] if seconds is not None else []
    if (flops := whole.per_basis("flops")) is not None and (flops or not whole.flops_least):
        done.append(f"{'at least ' * whole.flops_least}{three(flops, 'FLOP')} executed")
    if (useful := whole.per_basis("useful_flops")) is not None:
        done.append(f"{three(useful, 'FLOP')} useful (where known)")
    return ", ".join([moved(study, whole), *done])


def time_of(whole: Totals) -> str:
    """What the time of a figure is: the sum of kernels under the profiler, or the step as the user states it."""
    return "kernel time" if whole.stated_seconds is None or whole.basis == "capture" else "the step as stated"


def stated_step(study: Study, whole: Totals) -> str:
    """The stated time of a step, and the bandwidth that it makes of the bytes; nothing where none is stated."""
    clock = clocked(whole, study.gpu)
    if clock is None:
        return unused(study, whole)
    takes = f"A step takes {three(clock.seconds, 's')} as stated"
    kernels = clock.kernel_seconds
    beside = "" if kernels is None else f" Its kernels add up to {three(kernels, 's')} under the profiler."
    if clock.rate is None:
        return f"{takes}; its bytes are not known.{beside}"
    least, verb = "at least " * clock.least, "reads" if clock.reads else "moves"
    share = "" if clock.share is None else f", {least}{percent(clock.share)} of the DRAM peak"
    beyond = " No GPU can: it is the time of less than this step, or caches serve it." if (clock.share or 0) > 1 else ""
    return f"{takes}: it {verb} {least}{three(clock.rate, 'byte/s')}{share}.{beyond}{beside}{other_depth(study, whole)}"


def other_depth(study: Study, whole: Totals) -> str:
    """That the stated step must have as many layers as the capture, where this has a part of the model's."""
    part, every = study.run.layers_captured.value or (1, 1)
    if part >= every or whole.layers_only:
        return ""
    return f" The capture has {part} of {every} layers: this is true of a step of as many."


def unused(study: Study, whole: Totals) -> str:
    """Why a stated time does not count; nothing where none is stated."""
    if study.run.step_time.value is None and study.run.tpot.value is None:
        return ""
    if whole.steps is None or whole.phase != "decode":
        return "The stated time of a step is not used: no decode step is known here (--steps tells it)."
    return "The stated time per token is not used: how many tokens a step yields is not known here (--accepted tells it)."


def step_data(study: Study, whole: Totals) -> dict[str, object] | None:
    """The stated step for programs; null where none is stated or known."""
    clock = clocked(whole, study.gpu)
    if clock is None:
        return None
    return {
        "stated_seconds": clock.seconds,
        "kernel_seconds": clock.kernel_seconds,
        "achieved_bytes_per_second": None if clock.least else clock.rate,
        "achieved_bytes_per_second_low": clock.rate,
        "bandwidth_share": None if clock.least else clock.share,
    }


def moved(study: Study, whole: Totals) -> str:
    """Bytes in the unit of the basis; where these launches have none, whether others of the capture do."""
    total, read, written = (whole.per_basis(f"dram_{part}bytes") for part in ("", "read_", "write_"))
    if total is None:
        return "DRAM bytes were not measured" + " for these launches" * (study.launches["dram_bytes"].count() > 0)
    if (study.launches["dram_bytes_source"] == "l2_miss").any():
        return f"{three(total, 'byte')} missed in L2"
    both = read is not None and written is not None
    parts = f" ({three(read or 0.0, 'byte')} read, {three(written or 0.0, 'byte')} written)" if both else ""
    return f"{three(total, 'byte')} to and from DRAM{parts}"


def held(study: Study, whole: Totals) -> str:
    """What the sums are of where neither steps nor tokens divide them: the capture, or the part of it that counts."""
    if whole.torn or (study.every.height > whole.launches and study.launches["layer_whole"].fill_null(value=False).all()):
        return counted(whole.layers, whole.unit)
    if study.every.height > whole.launches:
        return counted(whole.launches, f"{whole.phase} launch")
    return "the whole capture"


def per(study: Study, whole: Totals) -> str:
    """The unit in words."""
    if whole.phase == "prefill" and whole.basis != "capture":
        return "per prompt token" if whole.basis == "token" else "per prefill pass (its rows are unknown)"
    if whole.phase == "all":
        return "in the whole capture, decode and prefill"
    if whole.basis == "step" and whole.positions:
        return "per decode step with its drafts (tokens accepted unknown)"
    return {"token": "per token", "step": "per decode step (tokens unknown)"}.get(
        whole.basis, f"in {held(study, whole)} (steps and tokens unknown)"
    )


FILTER = 30
"""Characters of a filter that a sentence has room for."""
PROGRAM = "profile-from-start"
"""The profiled program chose what to show: no filter of the person who looks."""


def filtered(study: Study) -> str:
    """That the profiler was told to keep a part of the launches, where the command line says so; else nothing."""
    told = [part for part in (study.run.launch_filter.value or "").split(", ") if part and not part.startswith(PROGRAM)]
    shown = shorten(clean(", ".join(told)), FILTER)
    return f"Profiled in part ({shown}): shares are of that part." if told else ""


def speculated(whole: Totals) -> str:
    """What a verified position costs, where drafts are verified and nobody says how many are accepted; else nothing."""
    moved = whole.per_position("dram_bytes")
    if whole.basis != "step" or moved is None or not whole.steps:
        return ""
    positions = whole.positions or 0.0
    return (
        f"A step verifies {number(positions / whole.steps)} positions, {three(moved, 'byte')} each: bytes per token are "
        "between that and those of the step over its sequences; --accepted settles it."
    )


def each_gpu(whole: Totals) -> str:
    """That the figures are one GPU's share, where several hold the model."""
    if whole.lone:
        return " on one GPU of several (it runs collectives; --tp says how many share the model)"
    return "" if max(whole.tp, whole.gpus) == 1 or whole.basis == "capture" else " on one GPU"


def over_all(whole: Totals) -> str:
    """The bytes over all GPUs, where several hold the model."""
    everything = whole.over_all("dram_bytes")
    if not each_gpu(whole) or everything is None or whole.tp == 1:
        return ""
    return f"; over all {whole.tp} GPUs {three(everything, 'byte')}"


def per_rank(study: Study, whole: Totals) -> str:
    """How evenly the GPUs of the capture share the bytes; nothing of a single one."""
    found = whole.ranks
    if found is None:
        return ""
    unit = {"token": whole.tokens, "step": whole.steps}.get(whole.basis) or 1.0
    each = {"token": "a token", "step": "a step"}.get(whole.basis) or f"in {held(study, whole)}"
    low, high = (three(value * whole.scale / unit, "byte") for value in (found.low, found.high))
    return (
        f"Each of the {found.number} GPUs moves {low} to {high} {each}; "
        f"the busiest is {100 * found.imbalance:.1f} % above their mean."
    )


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
        rest = f" ({whole.torn:,} outside of {whole.unit}s left out)" if whole.torn else ""
        return f"{whole.launches:,} {noun}{rest}: {whole.how}; --steps, --tokens or --layers-captured would say more"
    launches = f"{whole.launches:,} {whole.phase} {noun}"
    if whole.tokens is None:
        settles = "--accepted" if whole.positions else "--batch"
        return f"{launches}, {whole.how}; {settles} would give tokens"
    return f"{launches}, {whole.how}, {number(whole.tokens)} token{'s' if whole.tokens != 1 else ''}"


def several_wholes(study: Study, whole: Totals) -> str:
    """What each of several results of whole graphs or ranges moves, where they are of different runs; else nothing."""
    rows = study.launches.filter(whole_result())
    if whole.basis != "capture" or rows.height < 2 or not rows["dram_bytes"].count():
        return ""
    moved = " and ".join([", ".join(three(b, "byte") for b in rows["dram_bytes"][:-1]), three(rows["dram_bytes"][-1], "byte")])
    return f"{rows.height} results of whole graphs or ranges, a step each: {moved} to and from DRAM."


AGREE = 0.02
"""Reads of single kernels over those of the whole graph, up to which they are of the same step: 0.1 % on an H200."""


def checked(study: Study) -> str:
    """Whether a result of the whole step, given beside single kernels, bears out their sum; else nothing."""
    found = beside(study.every)
    if found is None:
        return ""
    one = found.results == 1
    nearest = (
        "The result of a whole graph or range" if one else f"Of {found.results} results of whole graphs or ranges the nearest"
    )
    off = f"{abs(100 * found.over):.1f} % {'more' if found.over > 0 else 'less'}"
    apart = "they are not of the same step, or kernels are missing" if abs(found.over) > AGREE else "the sum is borne out"
    return (
        f"{nearest} reads {three(found.whole, 'byte')}; the kernels of a step, one by one, {three(found.kernels, 'byte')} "
        f"({off}): {apart}."
    )


def known_facts(study: Study) -> str:
    """Every fact with where it came from."""
    told = []
    for name in SHOWN_FACTS:
        fact = getattr(study.run, name)
        if fact.value is None and fact.low is not None and fact.high is not None:
            told.append(f"{name.replace('_', ' ')} {number(fact.low)} to {number(fact.high)} ({fact.evidence})")
        if fact.value is not None and not unsaid(name, fact):
            why = f": {fact.evidence}" if fact.evidence and fact.origin == "inferred" else ""
            told.append(f"{name.replace('_', ' ')} {value_of(fact.value)} ({fact.origin}{why})")
    return f"Known: {'; '.join(told)}." if told else "Nothing is known of steps, batch or the number of layers."


LESS = {
    "fc": "the weights are narrower than the model's own type (--weights)",
    "attention": "the cache is narrower (--kv) or the context shorter than stated",
}


def against_floor(study: Study, floor: pl.DataFrame) -> Iterator[str]:
    """Measured over least bytes per family."""
    for row in floor.iter_rows(named=True):
        if row["over_floor"] is not None:
            yield (
                f"{row['role']} moves {three(row['measured_bytes'], 'byte')} per step, {row['over_floor']:.2f} times "
                f"the {three(row['floor_bytes'], 'byte')} of the floor of {clean(str(study.run.model.value))}."
            )
            if row["over_floor"] < THRESHOLDS.least_over_floor:
                yield f"No run can move so little: {LESS[row['role']]}, or a part of it was not captured."
        elif row["measured_bytes"] and by_bytes_alone(study.run):
            yield f"{row['role']} cannot be held against its floor, since these bytes told the context: --context states it."


def experts(projections: pl.DataFrame) -> Iterator[str]:
    """Distinct experts per layer, beside what even routing would hit."""
    told = projections.drop_nulls(["experts_read", "experts_expected"])
    if told.height:
        read, expected = told["experts_read"][0], told["experts_expected"][0]
        yield f"{number(read)} distinct experts are read per layer; {number(expected)} are expected if routing is even."
