"""Which launches a figure per token stands on, and what they are divided by."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.run.ranks import gpus
from ncu_roofline.capture.capture import Run
from ncu_roofline.errors import UnusableInput


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
    how: str = ""
    """One phrase: how this was found."""


def basis(launches: pl.DataFrame, run: Run) -> Basis:
    """Per token where steps and batch are known, per step where only steps are, else the whole capture.

    Prefill passes never count. A part of a step counts by its layers, where their number is known.
    """
    decode = decode_launches(launches)
    check(decode, run)
    steps_found = by_steps(decode, run)
    found = steps_found or by_layers(decode, run)
    if found is None:
        tokens = run.tokens.value
        how = "tokens as stated" if tokens else "neither steps nor tokens are known"
        return Basis(kind="token" if tokens else "capture", launches=decode, tokens=tokens, gpus=gpus(decode), how=how)
    frame, steps, scale, how = found
    per_step = None if run.batch.value is None else run.batch.value * float(run.accepted.value or 1)
    tokens = run.tokens.value or (None if per_step is None else steps * per_step)
    return Basis(
        kind="step" if tokens is None else "token",
        launches=frame,
        steps=steps,
        tokens=tokens,
        scale=scale,
        layers_only=steps_found is None,
        gpus=gpus(frame),
        how=how,
    )


def decode_launches(launches: pl.DataFrame) -> pl.DataFrame:
    """Launches of no prefill pass, nor beside nothing but prefill passes."""
    phase = pl.col("phase").cast(pl.String).fill_null("unknown")
    prefill, stepping = phase == "prefill", pl.col("step").is_not_null()
    alone = prefill.any() & ~(stepping & ~prefill).any() & ~(phase == "decode").any()
    return launches.filter(~prefill & ~alone)


Found = tuple[pl.DataFrame, float, float, str] | None


def by_steps(decode: pl.DataFrame, run: Run) -> Found:
    """Whole decode steps that were found; or all decode launches where the user states another number."""
    whole_results = (pl.col("role").cast(pl.String) == "fused-step").fill_null(False)
    # a batch that the user states says that it is decode where nothing else tells
    told = pl.col("phase").is_not_null() | pl.lit(run.batch.origin == "given") | whole_results
    whole = decode.filter(pl.col("step_whole").fill_null(False) & pl.col("step").is_not_null() & told)
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
    layered = decode.filter(pl.col("layer").is_not_null())
    if run.layers_captured.value is not None and layered.height:
        part, every = run.layers_captured.value
        return layered, 1.0, every / part, f"{part} of {every} layers as stated; embedding and LM head are left out"
    whole = layered.filter(pl.col("layer_whole").fill_null(False))
    seen = whole.select("process", "device", "step", "layer").n_unique() / gpus(whole)
    if run.layers.value is None or not seen:
        return None
    how = f"inferred: {seen:g} whole {'layer' if seen == 1 else 'layers'} scaled to {run.layers.value} ({run.layers.evidence})"
    return whole, 1.0, run.layers.value / seen, f"{how}; embedding and LM head are left out"


def check(decode: pl.DataFrame, run: Run) -> None:
    """Raises UnusableInput where the user states more tokens or steps than there are launches for."""
    if run.steps.origin == "given" and run.steps.value > decode.height:
        raise UnusableInput(f"`steps=` {run.steps.value} is impossible: the capture has {decode.height} decode launches")
    most = decode.height * (run.batch.value or 0) * float(run.accepted.value or 1)
    if run.tokens.origin == "given" and most and run.tokens.value > most:
        raise UnusableInput(
            f"`tokens=` {run.tokens.value} is impossible: {decode.height} decode launches at batch {run.batch.value} "
            f"make at most {most:g}; check `tokens=` and `batch=`"
        )
