"""Which launches a question is about, which of them a figure per token stands on, and what they are divided by."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.run.ranks import gpus
from ncu_roofline.analysis.run.speculation import per_sequence
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import PROMPTED
from ncu_roofline.errors import UnusableInput

LOOKED_AT = (
    *("index", "role", "process", "device", "phase", "step", "step_whole", "step_rows", "step_batch"),
    *("layer", "layer_whole"),
)
"""What tells where in the run a launch stands: all that finding the basis takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Decode launches, and how many steps and tokens they are; None where nothing tells."""

    kind: str
    """token, step or capture."""
    launches: pl.DataFrame
    steps: float | None = None
    tokens: float | None = None
    scale: float = 1.0
    """Layers of the model per layer counted, for a window that is a part of one step."""
    layers_only: bool = False
    """Whether embedding and LM head are left out: a part of a step stands for the whole."""
    gpus: int = 1
    """GPUs in the capture: figures per step and token are of one."""
    phase: str = "decode"
    """decode, prefill (a token is one of the prompt) or all."""
    how: str = ""
    """One phrase: how this was found."""
    positions: float | None = None
    """Rows of the steps: tokens and drafts that are verified; None where nothing tells, or nothing is drafted."""
    torn: int = 0
    """Launches outside of whole layers: left out where the window holds whole layers and no whole step."""
    unit: str = "whole layer"
    """What those layers are: without a matrix, or of kernels picked by name, only that something repeats is told."""


def basis(launches: pl.DataFrame, run: Run, phase: str = "decode") -> Basis:
    """Per token where steps and batch are known, per step where only steps are, else the whole capture.

    Of decode prefill passes never count; a part of a step counts by its layers, where their number is known. Of
    prefill a token is one of the prompt: a row of a whole pass.
    """
    if phase != "decode":
        return of_prompts(launches) if phase == "prefill" else everything(launches)
    decode = decode_launches(launches)
    check(decode, run)
    steps_found = by_steps(decode, run)
    found = steps_found or by_layers(decode, run)
    if found is None:
        tokens: float | None = run.tokens.value
        how = "tokens as stated" if tokens else "neither steps nor tokens are known"
        kept = decode if tokens else whole_layers(decode)
        torn = decode.height - kept.height
        unit = "whole layer" if (kept["role"].cast(pl.String) == "fc").any() and not sieved(run) else "repeat"
        if torn:
            how = f"{layers_in(kept)} {unit}{'s' * (layers_in(kept) != 1)}; {how}"
        kind = "token" if tokens else "capture"
        return Basis(kind=kind, launches=kept, tokens=tokens, gpus=gpus(decode), how=how, torn=torn, unit=unit)
    frame, steps, scale, how = found
    tokens = float(run.tokens.value) if run.tokens.value else made(frame, run, steps)
    return Basis(
        kind="step" if tokens is None else "token",
        launches=frame,
        steps=steps,
        tokens=tokens,
        scale=scale,
        layers_only=steps_found is None,
        gpus=gpus(frame),
        how=how,
        positions=None if per_sequence(run) == 1 else of_steps(frame, "step_rows"),
    )


def of_prompts(launches: pl.DataFrame) -> Basis:
    """Whole prefill passes, per row of theirs; all prefill launches where no pass is whole."""
    prompts = launches.filter(pl.col("phase").cast(pl.String) == "prefill")
    whole = prompts.filter(pl.col("step_whole").fill_null(False) & pl.col("step").is_not_null())
    if whole.is_empty():
        return Basis(kind="capture", launches=prompts, gpus=gpus(prompts), how="no whole prefill pass")
    passes, rows = round(whole.select("process", "device", "step").n_unique() / gpus(whole)), of_steps(whole, "step_rows")
    how = f"{passes} whole prefill {'pass' if passes == 1 else 'passes'}"
    kind = "step" if rows is None else "token"
    return Basis(kind=kind, launches=whole, steps=float(passes), tokens=rows, gpus=gpus(whole), how=how, phase="prefill")


def sieved(run: Run) -> bool:
    """Whether the profiler was told to keep kernels by their names: then no layer is whole."""
    return any(part.split(" ")[0] in ("kernel-name", "kernel-id") for part in (run.launch_filter.value or "").split(", "))


def everything(launches: pl.DataFrame) -> Basis:
    """All launches, whatever they are for."""
    return Basis(kind="capture", launches=launches, gpus=gpus(launches), how="every launch of the capture", phase="all")


def made(frame: pl.DataFrame, run: Run, steps: float) -> float | None:
    """Tokens of these steps: their sequences, summed over the steps, times what each yields; None where either is unknown."""
    each = per_sequence(run)
    if each is None:
        return None
    if run.batch.value is not None:
        return steps * run.batch.value * each
    sequences = of_steps(frame, "step_batch")
    return None if sequences is None else sequences * each


def of_steps(frame: pl.DataFrame, column: str) -> float | None:
    """The sum of what each step of one rank has; None where one of them does not tell."""
    steps = frame.filter(pl.col("step").is_not_null()).group_by("process", "device", "step").agg(pl.col(column).max())
    if steps.is_empty() or steps[column].null_count():
        return None
    return float(steps[column].sum()) / gpus(frame)


def where(launches: pl.DataFrame, kept: pl.Expr) -> pl.DataFrame:
    """The launches that are kept; the frame itself where all are, for a million rows are not copied for nothing."""
    all_kept = launches.select(kept.fill_null(False).all()).item()
    return launches if all_kept else launches.filter(kept)


def decode_launches(launches: pl.DataFrame) -> pl.DataFrame:
    """Launches of no pass with tokens of a prompt, nor beside nothing but such passes."""
    phase = pl.col("phase").cast(pl.String).fill_null("unknown")
    prompt, stepping = phase.is_in(PROMPTED), pl.col("step").is_not_null()
    alone = prompt.any() & ~(stepping & ~prompt).any() & ~(phase == "decode").any()
    return where(launches, ~prompt & ~alone)


def whole_layers(decode: pl.DataFrame) -> pl.DataFrame:
    """The launches of whole layers where the window holds some and no whole step; else all."""
    whole = where(decode, pl.col("layer_whole").fill_null(False) & pl.col("layer").is_not_null())
    return whole if whole.height and not decode["step_whole"].any() else decode


def layers_in(frame: pl.DataFrame) -> int:
    """Layers of one rank in these launches."""
    layered = frame.select("process", "device", "phase", "step", "layer").filter(pl.col("layer").is_not_null())
    return round(layered.n_unique() / gpus(frame)) if layered.height else 0


Found = tuple[pl.DataFrame, float, float, str] | None


def by_steps(decode: pl.DataFrame, run: Run) -> Found:
    """Whole decode steps that were found; or all decode launches where the user states another number."""
    whole_results = (pl.col("role").cast(pl.String) == "fused-step").fill_null(False)
    # a batch that the user states says that it is decode where nothing else tells
    told = pl.col("phase").is_not_null() | pl.lit(run.batch.origin == "given") | whole_results
    whole = where(decode, pl.col("step_whole").fill_null(False) & pl.col("step").is_not_null() & told)
    seen = round(whole.select("process", "device", "step").n_unique() / gpus(whole))
    stated = run.steps.value if run.steps.origin == "given" else None
    if stated and (stated != seen or run.tokens.value):
        return decode, float(stated), 1.0, f"{stated} steps as stated"
    if not seen or (run.steps.value is None and whole.select(whole_results.any()).item()):
        return None
    frame = decode if run.tokens.value else whole
    why = "" if run.steps.value else " (taken for decode because a batch is stated)"
    return frame, float(seen), 1.0, f"{seen} whole decode {'step' if seen == 1 else 'steps'}{why}"


def by_layers(decode: pl.DataFrame, run: Run) -> Found:
    """A part of one step as the whole of it: by the layers the user says it has, or by whole layers seen."""
    layered = where(decode, pl.col("layer").is_not_null())
    if run.layers_captured.value is not None and run.layers_captured.origin == "given" and layered.height:
        part, every = run.layers_captured.value
        return layered, 1.0, every / part, f"{part} of {every} layers as stated; embedding and LM head are left out"
    told = pl.lit(run.batch.origin == "given" or run.steps.origin == "given") | (pl.col("phase").cast(pl.String) == "decode")
    whole = where(layered, pl.col("layer_whole").fill_null(False) & told.fill_null(False))
    seen = whole.select("process", "device", "step", "layer").n_unique() / gpus(whole)
    # layers that only a prompt of the capture shows do not make a part of a step the whole of it
    known = run.layers.origin == "given" or run.model.value is not None
    if run.layers.value is None or not seen or not known:
        return None
    how = f"inferred: {seen:g} whole {'layer' if seen == 1 else 'layers'} scaled to {run.layers.value} ({run.layers.evidence})"
    return whole, 1.0, run.layers.value / seen, f"{how}; embedding and LM head are left out"


def check(decode: pl.DataFrame, run: Run) -> None:
    """Raises UnusableInput where the user states more tokens or steps than there are launches for."""
    if run.steps.origin == "given" and run.steps.value is not None and run.steps.value > decode.height:
        raise UnusableInput(f"`steps=` {run.steps.value} is impossible: the capture has {decode.height} decode launches")
    most = decode.height * (run.batch.value or 0) * (per_sequence(run) or 1000)
    if run.tokens.origin == "given" and run.tokens.value is not None and most and run.tokens.value > most:
        raise UnusableInput(
            f"`tokens=` {run.tokens.value} is impossible: {decode.height} decode launches at batch {run.batch.value} "
            f"make at most {most:g}; check `tokens=` and `batch=`"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The launches that count, of which phase they are, and how many are left out."""

    launches: pl.DataFrame
    phase: str
    left_out: int


def selected(launches: pl.DataFrame, run: Run, phase: str | None = None) -> Selected:
    """The launches of the phase; without one those of whole decode steps, or of whole layers where no step is whole.

    Where nothing tells of decode, or the capture is prefill alone, all of them.
    """
    phase = phase or ("decode" if decode_is_told(launches, run) else "all")
    if phase == "all":
        return Selected(launches=launches, phase=phase, left_out=0)
    kept = basis(launches.select(LOOKED_AT), run, phase).launches["index"]
    return Selected(
        launches=where(launches, pl.col("index").is_in(kept.implode())), phase=phase, left_out=launches.height - kept.len()
    )


def decode_is_told(launches: pl.DataFrame, run: Run) -> bool:
    """Whether anything of the capture is known to be decode."""
    stated = any(fact.origin == "given" for fact in (run.batch, run.steps, run.tokens, run.layers_captured))
    told = bool((launches["phase"].cast(pl.String) == "decode").any())
    return (told or stated) and decode_launches(launches.select(LOOKED_AT)).height > 0
